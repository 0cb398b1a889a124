"""One client's connection to one broker: packets become calls of the cluster's channels, and the other way round.

Owns the connection's keep-alive, which is real time, and the manners of closing: an evicted client of MQTT 5 is told
0x9C, an older one only sees the end. Not here: QoS 2, retained messages, topic aliases, shared subscriptions; MQTT 5
clients are told so in the CONNACK.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import socket
import struct
from collections.abc import Callable, Iterable

import mqtt5
from mqtt5 import ConnAckReasonCode, DisconnectReasonCode, SubAckReasonCode, UnsubAckReasonCode

from emqx_tui.sandbox.emqx.channels import (
    EXPIRY_OF_V3_S,
    Accepted,
    Channel,
    Channels,
    Closing,
    Connect,
    Delayed,
    SentElsewhere,
)
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.mqtt_session import Delivery, Message
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.emqx.topics import is_filter, is_topic
from emqx_tui.sandbox.mqtt.wire import MAX_PACKET_BYTES, V5, Malformed, Reader, write

CONNECT_WITHIN_S = 15.0
"""EMQX's idle_timeout: a connection without a CONNECT ends"""
_NEVER_EXPIRES = 0xFFFFFFFF
_GRACE = 1.5


class MqttConnection(asyncio.Protocol):
    """A protocol for asyncio, and the `Socket` of a channel."""

    def __init__(self, cluster: EmqxCluster, node: EmqxNode, on_end: Callable[[MqttConnection], None]) -> None:
        self._cluster = cluster
        self._node = node
        self._on_end = on_end
        self._reader = Reader()
        self._transport: asyncio.Transport | None = None
        self._channel: Channel | None = None
        self._waits = False
        """for the next second of the listener, or for a broker that hangs"""
        self._silent_until = asyncio.get_running_loop().time() + CONNECT_WITHIN_S
        self._keep_alive_s = math.inf

    @property
    def _channels(self) -> Channels:
        return self._cluster.channels

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        self._silent_until = asyncio.get_running_loop().time() + self._keep_alive_s
        if not self._waits:
            self._process()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._channel is not None:
            self._channels.disconnected(self._channel, self)
        self._end()

    # -- called by its server

    def check_silence(self, now: float) -> None:
        """End the connection of a client that has said nothing for too long."""
        if now > self._silent_until and not self._node.hung:
            if self._channel is not None:
                self._say(mqtt5.DisconnectPacket(reason_code=DisconnectReasonCode.KEEP_ALIVE_TIMEOUT))
                self._channels.disconnected(self._channel, self)
            self._hang_up()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # -- called by the channels

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        for message, packet_id, duplicate in deliveries:
            qos = mqtt5.QoS(message.qos)
            packet = mqtt5.PublishPacket(
                message.topic, message.payload, qos=qos, packet_id=packet_id, duplicate=duplicate
            )
            self._say(packet)

    def close(self, closing: Closing) -> None:
        self._channel = None
        match closing:
            case Closing.EVICTED:
                self._hang_up(DisconnectReasonCode.USE_ANOTHER_SERVER)
            case Closing.TAKEN_OVER:
                self._hang_up(DisconnectReasonCode.SESSION_TAKEN_OVER)
            case Closing.KILLED:
                self._hang_up()
            case Closing.RESET:
                if self._transport is not None:
                    reset(self._transport)

    # -- packets

    def _process(self) -> None:
        """All packets that are there, unless they have to wait."""
        self._waits = False
        try:
            for packet in self._reader.packets():
                if self._transport is None:
                    return
                self._take(packet)
                if self._waits:
                    return
        except Malformed:
            self._hang_up(DisconnectReasonCode.MALFORMED_PACKET)

    def _take(self, packet: mqtt5.Packet) -> None:
        if self._node.hung:
            self._waits = True

            def go_on() -> None:
                self._take(packet)
                self._process()

            self._cluster.when_it_goes_on(self._node, go_on)
        elif isinstance(packet, mqtt5.ConnectPacket) and self._channel is None:
            self._connect(packet)
        elif self._channel is None:
            self._hang_up()
        else:
            self._take_from(self._channel, packet)

    def _take_from(self, channel: Channel, packet: mqtt5.Packet) -> None:
        match packet:
            case mqtt5.PingReqPacket():
                self._say(mqtt5.PingRespPacket())
            case mqtt5.PublishPacket():
                self._publish(packet)
            case mqtt5.PubAckPacket():
                self._channels.acknowledge(channel, packet.packet_id)
            case mqtt5.SubscribePacket():
                self._subscribe(channel, packet)
            case mqtt5.UnsubscribePacket():
                had = [self._channels.unsubscribe(channel, pattern) for pattern in packet.patterns]
                codes = UnsubAckReasonCode
                answers = [codes.SUCCESS if each else codes.NO_SUBSCRIPTION_EXISTED for each in had]
                self._say(mqtt5.UnsubAckPacket(packet.packet_id, answers))
            case mqtt5.DisconnectPacket():
                with_will = packet.reason_code == DisconnectReasonCode.DISCONNECT_WITH_WILL_MESSAGE
                changed = packet.session_expiry_interval
                expiry_s = None if changed is None else _seconds(changed)
                self._channels.disconnected(channel, self, with_will=with_will, expiry_s=expiry_s)
                self._hang_up()
            case _:
                self._hang_up(DisconnectReasonCode.PROTOCOL_ERROR)

    def _publish(self, packet: mqtt5.PublishPacket) -> None:
        if packet.qos == mqtt5.QoS.EXACTLY_ONCE:
            self._hang_up(DisconnectReasonCode.QOS_NOT_SUPPORTED)
        elif not is_topic(packet.topic):
            self._hang_up(DisconnectReasonCode.TOPIC_NAME_INVALID)
        else:
            self._channels.publish(self._node, Message(packet.topic, packet.payload, int(packet.qos)))
            if packet.packet_id is not None:
                self._say(mqtt5.PubAckPacket(packet.packet_id))

    def _subscribe(self, channel: Channel, packet: mqtt5.SubscribePacket) -> None:
        granted: dict[str, int] = {}
        codes: list[SubAckReasonCode] = []
        for wanted in packet.topic_filters:
            if wanted.pattern.startswith("$share/"):
                codes.append(SubAckReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED)
            elif not is_filter(wanted.pattern):
                codes.append(SubAckReasonCode.TOPIC_FILTER_INVALID)
            else:
                granted[wanted.pattern] = qos = min(int(wanted.max_qos), 1)
                codes.append(SubAckReasonCode(qos))
        self._channels.subscribe(channel, granted)
        self._say(mqtt5.SubAckPacket(packet.packet_id, codes))

    # -- connecting

    def _connect(self, packet: mqtt5.ConnectPacket) -> None:
        assigned = None
        if not packet.client_id:
            if not packet.clean_start and self._reader.version != V5:
                self._refuse(ConnAckReasonCode.CLIENT_ID_NOT_VALID)
                return
            assigned = f"auto-{secrets.token_hex(8)}"
        self._ask(self._asked(packet, assigned or packet.client_id), packet, assigned)

    def _asked(self, packet: mqtt5.ConnectPacket, client_id: str) -> Connect:
        if self._reader.version == V5:
            expiry_s = _seconds(packet.session_expiry_interval)
        else:
            expiry_s = 0.0 if packet.clean_start else EXPIRY_OF_V3_S
        will = packet.will
        return Connect(
            client_id=client_id,
            clean_start=packet.clean_start,
            expiry_s=expiry_s,
            receive_max=packet.receive_max,
            will=None if will is None else Message(will.topic, will.payload or b"", min(int(will.qos), 1)),
            will_delay_s=0.0 if will is None else _seconds(will.will_delay_interval),
        )

    def _ask(self, asked: Connect, packet: mqtt5.ConnectPacket, assigned: str | None) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        match self._channels.connect(self._node, asked, self):
            case Delayed(until):
                self._waits = True

                def again() -> None:
                    self._waits = False
                    self._ask(asked, packet, assigned)
                    if not self._waits:
                        self._process()

                self._cluster.timeline.at(until, again)
            case SentElsewhere(reference):
                self._refuse(ConnAckReasonCode.USE_ANOTHER_SERVER, reference)
            case Accepted(channel, present):
                self._channel = channel
                self._welcome(packet, present, assigned)
                self._channels.resume(channel)

    def _welcome(self, packet: mqtt5.ConnectPacket, session_present: bool, assigned: str | None) -> None:
        self._keep_alive_s = packet.keep_alive * _GRACE or math.inf
        self._silent_until = asyncio.get_running_loop().time() + self._keep_alive_s
        self._say(
            mqtt5.ConnAckPacket(
                session_present=session_present,
                assigned_client_id=assigned,
                max_qos=mqtt5.QoS.AT_LEAST_ONCE,
                retain_available=False,
                shared_subscription_available=False,
                subscription_id_available=False,
                max_packet_size=MAX_PACKET_BYTES,
            )
        )

    def _refuse(self, code: ConnAckReasonCode, reference: str | None = None) -> None:
        self._say(mqtt5.ConnAckPacket(reason_code=code, server_reference=reference))
        self._hang_up()

    # -- the other way

    def _say(self, packet: mqtt5.Packet) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(write(packet, self._reader.version or V5))

    def _hang_up(self, code: DisconnectReasonCode | None = None) -> None:
        """Close, with a reason for a client of MQTT 5."""
        if self._transport is None:
            return
        if code is not None and self._reader.version == V5:
            self._say(mqtt5.DisconnectPacket(reason_code=code, server_reference=self._reference_for(code)))
        self._transport.close()

    def _reference_for(self, code: DisconnectReasonCode) -> str | None:
        evacuation = self._node.evacuation
        if code != DisconnectReasonCode.USE_ANOTHER_SERVER or evacuation is None:
            return None
        return evacuation.options.server_reference

    def _end(self) -> None:
        self._transport = self._channel = None
        self._on_end(self)


def reset(transport: asyncio.Transport) -> None:
    """End a connection by a RST, as a network does that forgets it, and an address where nothing listens."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _seconds(interval: int) -> float:
    return math.inf if interval == _NEVER_EXPIRES else float(interval)
