"""MQTT packets as bytes, of all three versions.

The library `mqtt5` (no I/O, written in Rust, strict) reads and writes version 5 only. The older packets that a broker
needs differ in having no properties, so empty ones are put in on the way in and taken out on the way out. Looked at
besides: `amqtt` 0.12 knows 3.1.1 only, reads from streams in coroutines and needs eight more libraries; `mqttools` (5
only) had its last release in 2021; `paho-mqtt` and `gmqtt` read what servers send, not what clients send.
"""

from __future__ import annotations

from collections.abc import Iterator

import mqtt5

V3_1, V3_1_1, V5 = 3, 4, 5
MAX_PACKET_BYTES = 1 << 20
"""EMQX's default"""

_CONNECT, _PUBLISH, _SUBSCRIBE, _UNSUBSCRIBE = 1, 3, 8, 10
_LEVELS = {b"MQIsdp": (V3_1,), b"MQTT": (V3_1_1, V5)}
_NO_PROPERTIES = b"\0"


class Malformed(Exception):
    """The bytes are no packet of the version that the CONNECT named."""


class Reader:
    """Bytes in, packets out."""

    def __init__(self) -> None:
        self.version: int | None = None
        """None before the CONNECT"""
        self._buffer = bytearray()

    def feed(self, received: bytes) -> None:
        self._buffer += received

    def packets(self) -> Iterator[mqtt5.Packet]:
        """Each complete packet; one is only taken from the buffer when it is asked for. Raises Malformed."""
        while (frame := self._next_frame()) is not None:
            first, body = frame
            if self.version is None:
                self.version = _version(body)
            if self.version != V5:
                body = _with_properties(first, body)
            try:
                packet, _ = mqtt5.read(memoryview(_frame(first, body)))
            except (ValueError, IndexError) as wrong:
                raise Malformed(str(wrong)) from wrong
            yield packet

    def _next_frame(self) -> tuple[int, bytes] | None:
        """The first byte and the body of a packet, if all of it is there."""
        buffer = self._buffer
        if self.version is None and buffer and buffer[0] >> 4 != _CONNECT:
            raise Malformed("no CONNECT")
        length, begins = 0, 1
        while True:
            if begins >= len(buffer):
                return None
            digit = buffer[begins]
            length |= (digit & 0x7F) << 7 * (begins - 1)
            begins += 1
            if digit < 0x80:
                break
            if begins > 4:
                raise Malformed("remaining length")
        if length > MAX_PACKET_BYTES:
            raise Malformed("packet too large")
        if len(buffer) < begins + length:
            return None
        first, body = buffer[0], bytes(buffer[begins : begins + length])
        del buffer[: begins + length]
        return first, body


def write(packet: mqtt5.Packet, version: int) -> bytes:
    """The bytes of a packet that a broker sends; empty for one that the version does not have."""
    data = packet.write()
    if version == V5:
        return data
    match packet:
        case mqtt5.ConnAckPacket():
            return bytes((data[0], 2, packet.session_present, _V3_RETURN_CODES[int(packet.reason_code)]))
        case mqtt5.PublishPacket():
            body = _body(data)
            ends = _end_of_publish_header(data[0], body)
            return _frame(data[0], body[:ends] + body[ends + 1 :])
        case mqtt5.SubAckPacket():
            body = _body(data)
            return _frame(data[0], body[:2] + bytes(min(code, 0x80) for code in body[3:]))
        case mqtt5.UnsubAckPacket():
            return _frame(data[0], _body(data)[:2])
        case mqtt5.DisconnectPacket():
            return b""
        case _:
            return data


_V3_RETURN_CODES = {
    int(mqtt5.ConnAckReasonCode.SUCCESS): 0,
    int(mqtt5.ConnAckReasonCode.CLIENT_ID_NOT_VALID): 2,
    int(mqtt5.ConnAckReasonCode.USE_ANOTHER_SERVER): 3,
}


def _version(body: bytes) -> int:
    """Of a CONNECT, which is the first packet."""
    ends = 2 + int.from_bytes(body[:2])
    level = body[ends : ends + 1]
    if level and level[0] in _LEVELS.get(body[2:ends], ()):
        return level[0]
    raise Malformed("no CONNECT of a known version")


def _with_properties(first: int, body: bytes) -> bytes:
    """The body of an older packet as version 5 has it: with properties, none of them set."""
    kind = first >> 4
    if kind == _CONNECT:
        return _connect_with_properties(body)
    if kind == _PUBLISH:
        ends = _end_of_publish_header(first, body)
        return body[:ends] + _NO_PROPERTIES + body[ends:]
    if kind in (_SUBSCRIBE, _UNSUBSCRIBE):
        return body[:2] + _NO_PROPERTIES + body[2:]
    return body


def _connect_with_properties(body: bytes) -> bytes:
    head = 2 + int.from_bytes(body[:2]) + 1
    flags, rest = body[head : head + 3], body[head + 3 :]
    has_will = bool(flags[:1] and flags[0] & 0x04)
    ends = 2 + int.from_bytes(rest[:2])
    will = _NO_PROPERTIES if has_will else b""
    return b"\0\4MQTT\5" + flags + _NO_PROPERTIES + rest[:ends] + will + rest[ends:]


def _end_of_publish_header(first: int, body: bytes) -> int:
    """Where the topic ends, and the packet id, which QoS 0 has not."""
    return 2 + int.from_bytes(body[:2]) + (2 if first & 0x06 else 0)


def _body(frame: bytes) -> bytes:
    begins = 1
    while frame[begins] >= 0x80:
        begins += 1
    return frame[begins + 1 :]


def _frame(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    while True:
        length, digit = length >> 7, length & 0x7F
        head.append(digit | (0x80 if length else 0))
        if not length:
            return bytes(head) + body
