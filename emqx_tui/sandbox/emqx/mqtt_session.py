"""The session of one MQTT client: its subscriptions, and the messages on their way to it.

Owns the window of unacknowledged messages and the queue behind it, for QoS 0 and 1. It outlives connections and moves
between nodes as it is; what was not acknowledged is sent again, marked as a duplicate, on the next connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

INFLIGHT = 32
"""default `max_inflight` of EMQX 4.4"""
QUEUE = 1000
"""default `max_mqueue_len` of EMQX 4.4; the oldest message makes room"""
_PACKET_IDS = 65_535


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    qos: int


class Delivery(NamedTuple):
    """A message on its way to a client."""

    message: Message
    packet_id: int | None
    """None: QoS 0, and nothing is acknowledged"""
    duplicate: bool


class MqttSession:
    """Messages are offered to it, and taken from it while there is a connection."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, int] = {}
        """filter -> granted QoS"""
        self.window = INFLIGHT
        self._unacknowledged: dict[int, Message] = {}
        self._queue: deque[Message] = deque(maxlen=QUEUE)
        self._last_id = 0

    def offer(self, message: Message) -> None:
        self._queue.append(message)

    def take(self) -> Iterator[Delivery]:
        """What may be sent now."""
        while self._queue and (self._queue[0].qos == 0 or len(self._unacknowledged) < self.window):
            message = self._queue.popleft()
            packet_id = self._keep(message) if message.qos else None
            yield Delivery(message, packet_id, duplicate=False)

    def resend(self) -> Iterator[Delivery]:
        """On a new connection: what the last one left unacknowledged."""
        for packet_id, message in list(self._unacknowledged.items()):
            yield Delivery(message, packet_id, duplicate=True)

    def acknowledge(self, packet_id: int) -> None:
        self._unacknowledged.pop(packet_id, None)

    def _keep(self, message: Message) -> int:
        while True:
            self._last_id = self._last_id % _PACKET_IDS + 1
            if self._last_id not in self._unacknowledged:
                self._unacknowledged[self._last_id] = message
                return self._last_id
