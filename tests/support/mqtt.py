"""MQTT 5 on the wire, as far as the bed's clients and its stand-in broker speak it: QoS 0 and 1, sessions, keep-alive.

Pure but for `read_packet`. An own packer and not paho-mqtt, which takes a thread for each client, and is a client only:
here both ends are needed.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 12, 13, 14
SUCCESS, USE_ANOTHER_SERVER, SESSION_TAKEN_OVER = 0x00, 0x9C, 0x8E
_SESSION_EXPIRY = 0x11
_CLEAN_START = 0b10


@dataclass(frozen=True)
class Packet:
    kind: int
    flags: int
    body: bytes

    @property
    def reason(self) -> int:
        """Of a DISCONNECT; one without a body is a normal one."""
        return self.body[0] if self.body else SUCCESS

    @property
    def packet_id(self) -> int:
        """Of PUBACK, SUBSCRIBE and SUBACK."""
        return struct.unpack_from(">H", self.body)[0]


async def read_packet(reader: asyncio.StreamReader) -> Packet:
    """The next one; IncompleteReadError at the end of the connection."""
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        octet = (await reader.readexactly(1))[0]
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return Packet(first >> 4, first & 0x0F, await reader.readexactly(length))


def _packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, octet = divmod(value, 128)
        out.append(octet | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _text_at(body: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">H", body, at)
    return body[at + 2 : at + 2 + length].decode(), at + 2 + length


def _properties_at(body: bytes, at: int) -> tuple[bytes, int]:
    length = shift = 0
    while True:
        octet = body[at]
        at += 1
        length |= (octet & 0x7F) << shift
        shift += 7
        if octet < 0x80:
            return body[at : at + length], at + length


@dataclass(frozen=True)
class Connect:
    client_id: str
    clean_start: bool
    session_expiry_s: int
    keepalive_s: int

    def pack(self) -> bytes:
        flags = _CLEAN_START if self.clean_start else 0
        properties = bytes([_SESSION_EXPIRY]) + struct.pack(">I", self.session_expiry_s)
        head = _text("MQTT") + bytes([5, flags]) + struct.pack(">H", self.keepalive_s)
        return _packet(CONNECT, head + _varint(len(properties)) + properties + _text(self.client_id))

    @classmethod
    def of(cls, packet: Packet) -> Connect:
        """No property but the expiry may stand in it, as `pack` makes it."""
        body = packet.body
        _, at = _text_at(body, 0)
        flags, (keepalive_s,) = body[at + 1], struct.unpack_from(">H", body, at + 2)
        properties, at = _properties_at(body, at + 4)
        expiry_s = struct.unpack_from(">I", properties, 1)[0] if properties[:1] == bytes([_SESSION_EXPIRY]) else 0
        return cls(_text_at(body, at)[0], bool(flags & _CLEAN_START), expiry_s, keepalive_s)


@dataclass(frozen=True)
class Publish:
    topic: str
    payload: bytes
    packet_id: int
    """0 is QoS 0"""
    again: bool = False

    def pack(self) -> bytes:
        flags = (0b1000 if self.again else 0) | (0b10 if self.packet_id else 0)
        number = struct.pack(">H", self.packet_id) if self.packet_id else b""
        return _packet(PUBLISH, _text(self.topic) + number + b"\0" + self.payload, flags)

    @classmethod
    def of(cls, packet: Packet) -> Publish:
        topic, at = _text_at(packet.body, 0)
        number = 0
        if packet.flags & 0b110:
            (number,) = struct.unpack_from(">H", packet.body, at)
            at += 2
        _, at = _properties_at(packet.body, at)
        return cls(topic, packet.body[at:], number, bool(packet.flags & 0b1000))


def connack(reason: int, *, session_present: bool = False) -> bytes:
    return _packet(CONNACK, bytes([session_present, reason, 0]))


def subscribe(packet_id: int, topic: str) -> bytes:
    """With QoS 1."""
    return _packet(SUBSCRIBE, struct.pack(">H", packet_id) + b"\0" + _text(topic) + b"\1", 0b10)


def topic_of_subscribe(packet: Packet) -> str:
    _, at = _properties_at(packet.body, 2)
    return _text_at(packet.body, at)[0]


def suback(packet_id: int) -> bytes:
    return _packet(SUBACK, struct.pack(">H", packet_id) + b"\0\1")


def puback(packet_id: int) -> bytes:
    return _packet(PUBACK, struct.pack(">H", packet_id))


def disconnect(reason: int) -> bytes:
    return _packet(DISCONNECT, bytes([reason, 0]))


PING, PONG = _packet(PINGREQ), _packet(PINGRESP)
