"""MQTT clients over real connections: they follow the EndpointSlices, publish and subscribe with QoS 1, and count.

Owns the clients of one EmqxEnterprise. Half of them subscribe, each to a topic of its own, and the other half publish
to those. All keep their session, come back a second after they have lost their connection, and never give up. What
they count is what happened to them: nothing is asked of a broker.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from tests.support import mqtt

Object = dict[str, Any]
PORT = 1883
ANSWER_S = 10.0
KEEPALIVE_S = 30
SESSION_EXPIRY_S = 7200
BACK_AFTER_S = (1.0, 1.3)
LOST_AFTER_S = 5.0
"""a message that is not there so long after its broker has acknowledged it"""


@dataclass
class Counts:
    """Events since the beginning."""

    connects: int = 0
    evicted: int = 0
    """told to use another server"""
    killed: int = 0
    """connections that ended without a word, or did not answer for longer than the keep-alive allows"""
    refused: int = 0
    """CONNECTs answered with "use another server" """
    tcp_refused: int = 0
    unanswered: int = 0
    """attempts that got no answer in time, or lost their connection before it"""

    def minus(self, earlier: Counts) -> Counts:
        return Counts(*(getattr(self, each.name) - getattr(earlier, each.name) for each in fields(self)))


class Client:
    """One client id."""

    def __init__(self, load: Load, number: int) -> None:
        self.number = number
        self.name = f"bed-{load.name}-{number}"
        self.at: str | None = None
        """the address that it is connected to"""
        self.away_since: float | None = None
        self._load = load
        self._writer: asyncio.StreamWriter | None = None
        self._ids = itertools.cycle(range(1, 65536))
        self._unanswered: dict[int, mqtt.Publish] = {}
        self._sent = 0

    async def run(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self._live_once()
            await asyncio.sleep(random.uniform(*BACK_AFTER_S))

    async def _live_once(self) -> None:
        addresses = self._load.addresses()
        if not addresses:
            return
        address, counts = random.choice(addresses), self._load.counts
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(address, PORT)
        except ConnectionRefusedError:
            counts.tcp_refused += 1
            return
        except (TimeoutError, OSError):
            counts.unanswered += 1
            return
        try:
            if await self._is_let_in(reader, writer):
                self._arrive(address, writer)
                await self._follow(reader, writer)
        finally:
            writer.close()

    async def _is_let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(mqtt.Connect(self.name, False, SESSION_EXPIRY_S, KEEPALIVE_S).pack())
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await mqtt.read_packet(reader)
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            self._load.counts.unanswered += 1
            return False
        reason = answer.body[1] if answer.kind == mqtt.CONNACK else answer.reason
        if reason != mqtt.SUCCESS:
            self._load.counts.refused += 1
        return reason == mqtt.SUCCESS

    def _arrive(self, address: str, writer: asyncio.StreamWriter) -> None:
        self.at, self._writer = address, writer
        self._load.note_arrival(self)
        if self._load.subscribes(self.number):
            writer.write(mqtt.subscribe(next(self._ids), self._load.topic_of(self.number)))
        for message in self._unanswered.values():
            writer.write(mqtt.Publish(message.topic, message.payload, message.packet_id, again=True).pack())

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the connection ends, from whichever side."""
        why = "killed"
        pinging = asyncio.create_task(self._ping(writer))
        try:
            while True:
                async with asyncio.timeout(KEEPALIVE_S * 1.5):
                    packet = await mqtt.read_packet(reader)
                if packet.kind == mqtt.PUBLISH:
                    self._take(mqtt.Publish.of(packet), writer)
                elif packet.kind == mqtt.PUBACK and (message := self._unanswered.pop(packet.packet_id, None)):
                    self._load.note_acknowledged(message.payload)
                elif packet.kind == mqtt.DISCONNECT:
                    why = "evicted" if packet.reason == mqtt.USE_ANOTHER_SERVER else why
                    return
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            return
        finally:
            pinging.cancel()
            self.at = self._writer = None
            self._load.note_loss(self, why)

    async def _ping(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_S / 2)
            writer.write(mqtt.PING)

    def _take(self, message: mqtt.Publish, writer: asyncio.StreamWriter) -> None:
        self._load.note_received(message.payload)
        if message.packet_id:
            writer.write(mqtt.puback(message.packet_id))

    def publish(self, topic: str) -> None:
        """The next message, if it is connected."""
        if self._writer is not None:
            self._sent += 1
            message = mqtt.Publish(topic, f"{self.number} {self._sent}".encode(), next(self._ids))
            self._unanswered[message.packet_id] = message
            self._writer.write(message.pack())


class Load:
    """All clients of one cluster; `addresses` is where a new connection can get to now."""

    def __init__(self, name: str, size: int, messages_per_s: float, addresses: Callable[[], Sequence[str]]) -> None:
        self.name, self.size, self.addresses = name, size, addresses
        self.counts = Counts()
        self.lowest_live = 0
        self.longest_absence_s = 0.0
        self._marked = Counts()
        self._clients = [Client(self, number) for number in range(size)]
        self._every_s = 1 / messages_per_s
        self._acknowledged: dict[bytes, float] = {}
        self._received: Counter[bytes] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(client.run()) for client in self._clients]
        self._tasks.append(asyncio.create_task(self._publish()))

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def subscribes(self, number: int) -> bool:
        return number % 2 == 0

    def topic_of(self, subscriber: int) -> str:
        return f"bed/{self.name}/{subscriber}"

    async def _publish(self) -> None:
        for client in itertools.cycle(each for each in self._clients if not self.subscribes(each.number)):
            client.publish(self.topic_of(client.number - 1))
            await asyncio.sleep(self._every_s)

    # -- what the clients tell

    def note_arrival(self, client: Client) -> None:
        self.counts.connects += 1
        if client.away_since is not None:
            self.longest_absence_s = max(self.longest_absence_s, time.monotonic() - client.away_since)
            client.away_since = None

    def note_loss(self, client: Client, why: str) -> None:
        setattr(self.counts, why, getattr(self.counts, why) + 1)
        client.away_since = time.monotonic()
        self.lowest_live = min(self.lowest_live, self.live)

    def note_acknowledged(self, payload: bytes) -> None:
        self._acknowledged[payload] = time.monotonic()

    def note_received(self, payload: bytes) -> None:
        self._received[payload] += 1

    # -- what a test asks

    @property
    def live(self) -> int:
        return sum(client.at is not None for client in self._clients)

    def live_at(self, address: str) -> int:
        return sum(client.at == address for client in self._clients)

    def mark(self) -> None:
        """Count from here; a message of before may have met no subscription."""
        self._acknowledged.clear()
        self._received.clear()
        self._marked = self.counts.minus(Counts())
        self.lowest_live, self.longest_absence_s = self.live, 0.0

    def told(self) -> Object:
        now = time.monotonic()
        away = [now - client.away_since for client in self._clients if client.away_since is not None]
        lost = [each for each, at in self._acknowledged.items() if not self._received[each] and now - at > LOST_AFTER_S]
        return {
            "live": self.live,
            "lowest_live": self.lowest_live,
            "size": self.size,
            "waiting": self.size - self.live,
            "lost": 0,
            "since_mark": {**asdict(self.counts.minus(self._marked)), "reset": 0},
            "longest_absence_s": max([self.longest_absence_s, *away]),
            "messages": {
                "acknowledged": len(self._acknowledged),
                "received": len(+self._received),
                "lost": len(lost),
                "doubled": sum(times - 1 for times in self._received.values() if times > 1),
            },
        }
