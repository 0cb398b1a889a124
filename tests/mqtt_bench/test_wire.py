"""The bytes of a client that only connects."""

from __future__ import annotations

import pytest

from emqx_tui.mqtt_bench.options import V3_1, V3_1_1, BenchOptions, Will
from emqx_tui.mqtt_bench.wire import ConnAck, Dismissed, Pong, Unreadable, connect, hear

WILL = Will(topic="will", message="bye", qos=1, delay_s=5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (BenchOptions(), "100e00044d5154540502001e00000161"),
        (BenchOptions(version=V3_1_1), "100d00044d5154540402001e000161"),
        (BenchOptions(version=V3_1), "100f00064d51497364700302001e000161"),
        (BenchOptions(clean=False), "101300044d5154540500001e0511ffffffff000161"),
        (BenchOptions(clean=False, session_expiry_s=600), "101300044d5154540500001e051100000258000161"),
        (BenchOptions(clean=False, session_expiry_s=600, version=V3_1_1), "100d00044d5154540400001e000161"),
        (
            BenchOptions(version=V3_1_1, username="user", password="secret", keep_alive_s=60),
            "101b00044d51545404c2003c00016100047573657200067365637265 74",
        ),
        (
            BenchOptions(version=V3_1_1, will=WILL, username="user", password="secret"),
            "102600044d51545404ce001e000161000477696c6c00036279650004757365720006736563726574",
        ),
        (BenchOptions(will=WILL), "101f00044d515454050e001e0000016105180000000500047769 6c6c0003627965"),
    ],
)
def test_a_connect(options: BenchOptions, expected: str) -> None:
    assert connect("a", options).hex() == expected.replace(" ", "")


def test_a_long_connect_has_a_longer_length() -> None:
    data = connect("a" * 200, BenchOptions(version=V3_1_1))
    assert data[:3].hex() == "10d401"
    assert len(data) == 3 + 0xD4


def test_what_a_broker_says_may_come_in_any_pieces() -> None:
    """A CONNACK as EMQX 4.4.19 was seen to send it, a PINGRESP, a packet that does not matter, an eviction."""
    said = bytes.fromhex("2013000010270010000025012a01290122ffff2801" + "d000" + "9003000101" + "e0029c00")
    buffer, heard = bytearray(), []
    for byte in said:
        buffer.append(byte)
        heard += hear(buffer, 5)
    assert heard == [ConnAck(0), Pong(), Dismissed(0x9C)]
    assert not buffer


@pytest.mark.parametrize(
    ("said", "version", "heard"),
    [
        ("20020003", 4, ConnAck(3)),
        ("20020100", 4, ConnAck(0)),
        ("2003009c00", 5, ConnAck(0x9C)),
        ("e000", 5, Dismissed(0)),
        ("e0019c", 5, Dismissed(0x9C)),
        # A broker that does not know version 5.
        ("20020001", 5, ConnAck(1)),
    ],
)
def test_an_answer(said: str, version: int, heard: object) -> None:
    assert list(hear(bytearray.fromhex(said), version)) == [heard]


@pytest.mark.parametrize(
    ("said", "version"), [("2003000000", 4), ("20ffffffffff", 5), ("2003ff9c00", 5), ("e001ff", 5)]
)
def test_what_is_not_mqtt(said: str, version: int) -> None:
    with pytest.raises(Unreadable):
        list(hear(bytearray.fromhex(said), version))
