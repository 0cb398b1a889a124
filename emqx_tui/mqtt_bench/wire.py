"""The few MQTT packets of a client that only connects, of all three versions.

Version 5 is the library `mqtt5`'s; a CONNECT of the older versions is its CONNECT without properties. Of what comes,
only the answers to CONNECT and the last words of the broker count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mqtt5

from emqx_tui.mqtt_bench.options import NEVER_EXPIRES, V3_1, V5, BenchOptions, Will

PING = mqtt5.PingReqPacket().write()
DISCONNECT = mqtt5.DisconnectPacket().write()
_NAMES = {3: b"\0\6MQIsdp\3", 4: b"\0\4MQTT\4"}
_CONNACK, _PINGRESP, _DISCONNECT = 2, 13, 14


@dataclass(frozen=True)
class ConnAck:
    code: int
    """0: accepted"""


@dataclass(frozen=True)
class Pong:
    pass


@dataclass(frozen=True)
class Dismissed:
    """A DISCONNECT of the broker, which only version 5 has."""

    code: int


Heard = ConnAck | Pong | Dismissed


class Unreadable(Exception):
    """What came is not MQTT."""


def connect(client_id: str, options: BenchOptions) -> bytes:
    """The CONNECT of a client."""
    expiry_s = options.session_expiry_s
    if expiry_s is None:
        expiry_s = 0 if options.clean else NEVER_EXPIRES
    is_5 = options.version == V5
    packet = mqtt5.ConnectPacket(
        client_id,
        username=options.username,
        password=None if options.password is None else options.password.encode(),
        clean_start=options.clean,
        will=None if options.will is None else _will(options.will, is_5=is_5),
        keep_alive=options.keep_alive_s,
        session_expiry_interval=expiry_s if is_5 else 0,
    )
    data = packet.write()
    return data if is_5 else _without_properties(data, options.version, has_will=options.will is not None)


def hear(buffer: bytearray, version: int) -> Iterator[Heard]:
    """What has come completely is taken from `buffer`; packets that do not matter are passed over.

    Raises Unreadable.
    """
    while (size := _size(buffer)) is not None and len(buffer) >= size:
        packet = bytes(buffer[:size])
        del buffer[:size]
        kind = packet[0] >> 4
        if kind == _PINGRESP:
            yield Pong()
        elif kind == _CONNACK and version != V5:
            if size != 4:
                raise Unreadable("a CONNACK of another version")
            yield ConnAck(packet[3])
        elif kind in (_CONNACK, _DISCONNECT):
            yield _of_version_5(packet)


def is_connack(buffer: bytearray) -> bool:
    """Whether what comes is the answer to a CONNECT, to judge by its first byte."""
    return buffer[0] >> 4 == _CONNACK


def _of_version_5(packet: bytes) -> Heard:
    try:
        read, _ = mqtt5.read(memoryview(packet))
    except (ValueError, IndexError) as wrong:
        # Brokers that do not know version 5 answer in the format of version 3.
        if packet[0] >> 4 == _CONNACK and len(packet) == 4:
            return ConnAck(packet[3])
        raise Unreadable(str(wrong)) from wrong
    if isinstance(read, mqtt5.ConnAckPacket):
        return ConnAck(int(read.reason_code))
    if isinstance(read, mqtt5.DisconnectPacket):
        return Dismissed(int(read.reason_code))
    raise Unreadable("neither CONNACK nor DISCONNECT")


def _size(buffer: bytearray) -> int | None:
    """How long the first packet is in all, once that is known."""
    length = 0
    for at in range(1, min(len(buffer), 5)):
        length |= (buffer[at] & 0x7F) << 7 * (at - 1)
        if buffer[at] < 0x80:
            return at + 1 + length
    if len(buffer) >= 5:
        raise Unreadable("no length")
    return None


def _will(will: Will, *, is_5: bool) -> mqtt5.Will:
    return mqtt5.Will(
        will.topic,
        payload=will.message.encode(),
        qos=mqtt5.QoS(will.qos),
        retain=will.retain,
        will_delay_interval=will.delay_s if is_5 else 0,
    )


def _without_properties(data: bytes, version: int, *, has_will: bool) -> bytes:
    """Name and level of the older version, and no length of the properties, of which there are none."""
    begins = 1
    while data[begins] >= 0x80:
        begins += 1
    body = data[begins + 1 :]
    flags_and_keep_alive, rest = body[7:10], body[11:]
    ends = 2 + int.from_bytes(rest[:2])
    body = _NAMES[version] + flags_and_keep_alive + rest[:ends] + rest[ends + has_will :]
    return data[:1] + _length(len(body)) + body


def _length(size: int) -> bytes:
    digits = bytearray()
    while True:
        size, digit = size >> 7, size & 0x7F
        digits.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(digits)


VERSIONS = {"5": V5, "5.0": V5, "3.1.1": 4, "3.1": V3_1}
