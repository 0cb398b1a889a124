"""MQTT bytes: the older versions beside the library's version 5, as real brokers and clients write them."""

from __future__ import annotations

import contextlib

import mqtt5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.sandbox.mqtt.wire import V3_1_1, V5, Malformed, Reader, write

CONNECT_3_1_1 = bytes.fromhex("1014 0004 4d515454 04 02 003c 0008 7465737431323334")
CONNECT_3_1_1_FULL = bytes.fromhex(
    "1027 0004 4d515454 04 c4 001e 0002 6964 0004 77696c6c 0003 627965 0004 75736572 0006 736563726574"
)
CONNECT_3_1 = bytes.fromhex("1013 0006 4d5149736470 03 02 003c 0005 7465737431")
CONNECT_5 = bytes.fromhex("1013 0004 4d515454 05 02 003c 05 1100000258 0001 61")


def read(*data: bytes) -> list[mqtt5.Packet]:
    reader = Reader()
    found = []
    for each in data:
        reader.feed(each)
        found += reader.packets()
    return found


def test_a_connect_of_each_version() -> None:
    (of_4,) = read(CONNECT_3_1_1)
    (of_3,) = read(CONNECT_3_1)
    (of_5,) = read(CONNECT_5)
    for packet, client_id in ((of_4, "test1234"), (of_3, "test1"), (of_5, "a")):
        assert isinstance(packet, mqtt5.ConnectPacket)
        assert (packet.client_id, packet.clean_start, packet.keep_alive) == (client_id, True, 60)
    assert isinstance(of_5, mqtt5.ConnectPacket)
    assert of_5.session_expiry_interval == 600


def test_a_connect_of_3_1_1_with_all_its_fields() -> None:
    (packet,) = read(CONNECT_3_1_1_FULL)
    assert isinstance(packet, mqtt5.ConnectPacket)
    assert packet.will is not None
    assert (packet.will.topic, packet.will.payload) == ("will", b"bye")
    assert (packet.client_id, packet.username, packet.password) == ("id", "user", b"secret")
    assert not packet.clean_start


def test_what_a_client_of_3_1_1_sends() -> None:
    sent = [
        CONNECT_3_1_1,
        bytes.fromhex("820a 0001 0005 612f622f63 01"),
        bytes.fromhex("3209 0003 612f62 0007 6869"),
        bytes.fromhex("3007 0003 612f62 6869"),
        bytes.fromhex("a209 0002 0005 612f622f63"),
        bytes.fromhex("4002 0009"),
        bytes.fromhex("c000"),
        bytes.fromhex("e000"),
    ]
    _, subscribe, one, zero, unsubscribe, ack, ping, disconnect = read(b"".join(sent))
    assert isinstance(subscribe, mqtt5.SubscribePacket)
    assert [(each.pattern, int(each.max_qos)) for each in subscribe.topic_filters] == [("a/b/c", 1)]
    assert isinstance(one, mqtt5.PublishPacket)
    assert (one.topic, one.payload, one.packet_id, int(one.qos)) == ("a/b", b"hi", 7, 1)
    assert isinstance(zero, mqtt5.PublishPacket)
    assert (zero.topic, zero.payload, zero.packet_id, int(zero.qos)) == ("a/b", b"hi", None, 0)
    assert isinstance(unsubscribe, mqtt5.UnsubscribePacket)
    assert unsubscribe.patterns == ["a/b/c"]
    assert isinstance(ack, mqtt5.PubAckPacket)
    assert ack.packet_id == 9
    assert isinstance(ping, mqtt5.PingReqPacket)
    assert isinstance(disconnect, mqtt5.DisconnectPacket)


def test_what_a_broker_says_to_3_1_1_and_to_5() -> None:
    code = mqtt5.ConnAckReasonCode.USE_ANOTHER_SERVER
    packets: list[tuple[mqtt5.Packet, str, str]] = [
        # The first two pairs are recorded from EMQX 4.4.19; the shorter form of the DISCONNECT says the same.
        (mqtt5.ConnAckPacket(reason_code=code), "20020003", "2003009c00"),
        (
            mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode.USE_ANOTHER_SERVER),
            "",
            "e0019c",
        ),
        (mqtt5.ConnAckPacket(session_present=True), "20020100", "2003010000"),
        (mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode(1)]), "9003000101", "900400010001"),
        (
            mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED]),
            "9003000180",
            "90040001009e",
        ),
        (mqtt5.UnsubAckPacket(2, [mqtt5.UnsubAckReasonCode.SUCCESS]), "b0020002", "b00400020000"),
        (mqtt5.PubAckPacket(7), "40020007", "40020007"),
        (mqtt5.PingRespPacket(), "d000", "d000"),
        (mqtt5.PublishPacket("a/b", b"hi"), "30070003612f626869", "30080003612f62006869"),
        (
            mqtt5.PublishPacket("a/b", b"hi", qos=mqtt5.QoS(1), packet_id=7, duplicate=True),
            "3a090003612f6200076869",
            "3a0a0003612f620007006869",
        ),
    ]
    for packet, of_4, of_5 in packets:
        assert write(packet, V3_1_1).hex() == of_4
        assert write(packet, V5).hex() == of_5


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex("c000"),
        CONNECT_5.replace(b"MQTT\x05", b"MQTT\x06"),
        CONNECT_3_1_1.replace(b"MQTT\x04", b"MQTT\x03"),
        bytes.fromhex("1002 0004"),
        bytes.fromhex("10ffffffff01"),
        bytes.fromhex("10ffffff7f"),
        CONNECT_3_1_1 + bytes.fromhex("8203 0001 00"),
        CONNECT_3_1_1 + bytes.fromhex("3205 00ff 612f62"),
        CONNECT_5 + bytes.fromhex("f000"),
    ],
)
def test_what_is_no_mqtt_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


@given(st.binary(max_size=400), st.sampled_from([CONNECT_3_1_1, CONNECT_3_1, CONNECT_5, b""]))
def test_any_bytes_are_packets_or_malformed(noise: bytes, before: bytes) -> None:
    with contextlib.suppress(Malformed):
        read(before + noise)


@given(st.lists(st.integers(1, 20)), st.binary(max_size=200))
def test_packets_may_come_in_any_pieces(cuts: list[int], payload: bytes) -> None:
    whole = CONNECT_3_1_1 + write(mqtt5.PublishPacket("t", payload), V3_1_1)
    pieces = []
    for cut in cuts:
        pieces, whole = [*pieces, whole[:cut]], whole[cut:]
    connect, publish = read(*pieces, whole)
    assert isinstance(connect, mqtt5.ConnectPacket)
    assert isinstance(publish, mqtt5.PublishPacket)
    assert publish.payload == payload
