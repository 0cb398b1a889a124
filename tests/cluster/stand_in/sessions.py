"""MQTT sessions of the stand-in: who is connected where, what they subscribe to, and what waits for them.

Owns every connection and session of one cluster, and the counts of its nodes. A message that is published reaches every
session with that topic, on whichever node; sessions of a node go down with it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.node import EmqxNode
from tests.support import mqtt

TAKEOVER_S = 15.0
"""How long a CONNECT waits for a session whose node hangs."""
LOOK_EVERY_S = 0.25


@dataclass(eq=False)
class Session:
    client_id: str
    home: EmqxNode
    is_kept: bool
    """when its client leaves"""
    state: str = "live"
    """the count of its node that it is in: live, retained or virtual"""
    writer: asyncio.StreamWriter | None = None
    topics: set[str] = field(default_factory=set)
    unacknowledged: dict[int, mqtt.Publish] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(1, 65536)))

    def deliver(self, topic: str, payload: bytes) -> None:
        """Now, or when its client is back."""
        message = mqtt.Publish(topic, payload, next(self.ids))
        self.unacknowledged[message.packet_id] = message
        if self.writer is not None:
            self.writer.write(message.pack())


class Sessions:
    """Implements `Clients` of the simulated cluster over connections."""

    def __init__(self, cluster: EmqxCluster) -> None:
        self.size = self.waiting = self.dead = 0
        """nobody asks for them: those who connect count themselves"""
        self.keep_sessions = True
        self._cluster = cluster
        self._sessions: dict[str, Session] = {}

    # -- called by the cluster

    def disconnect(self, node: EmqxNode, count: int, why: str) -> None:
        for session in self._on(node, "live")[:count]:
            if session.writer is not None and why == "evicted":
                session.writer.write(mqtt.disconnect(mqtt.USE_ANOTHER_SERVER))
            self._close(session)

    def broker_down(self, node: EmqxNode) -> None:
        for session in [each for each in self._sessions.values() if each.home is node]:
            self._close(session)
            self._drop(session)

    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int:
        moved = [*self._on(node, "retained"), *self._on(node, "virtual")][:count]
        for session in moved:
            self._move(session, self._cluster.rng.choice(recipients), "virtual")
        return len(moved)

    def _on(self, node: EmqxNode, state: str) -> list[Session]:
        return [each for each in self._sessions.values() if each.home is node and each.state == state]

    def _move(self, session: Session, home: EmqxNode, state: str) -> None:
        self._count(session, -1)
        session.home, session.state = home, state
        self._count(session, 1)

    def _count(self, session: Session, change: int) -> None:
        node = session.home
        node.touch(self._cluster.timeline.now)
        setattr(node, session.state, getattr(node, session.state) + change)

    def _drop(self, session: Session) -> None:
        if self._sessions.pop(session.client_id, None) is session:
            self._count(session, -1)

    def _close(self, session: Session) -> None:
        """The connection ends; the session stays if it is one that stays."""
        if session.writer is None:
            return
        session.writer.close()
        session.writer = None
        if session.is_kept:
            self._move(session, session.home, "retained")
        else:
            self._drop(session)

    # -- connections

    async def serve(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = None
        try:
            session = await self._open(name, mqtt.Connect.of(await mqtt.read_packet(reader)), writer)
            while session is not None:
                self._handle(session, await mqtt.read_packet(reader), writer)
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            pass
        finally:
            writer.close()
            if session is not None and session.writer is writer:
                self._close(session)

    async def _open(self, name: str, asked: mqtt.Connect, writer: asyncio.StreamWriter) -> Session | None:
        """None when it is refused; a session is waited for while its node hangs, TimeoutError."""
        async with asyncio.timeout(TAKEOVER_S):
            while True:
                node, old = self._cluster.nodes[name], self._sessions.get(asked.client_id)
                if old is None or not old.home.hung or old.home.given_up:
                    break
                await asyncio.sleep(LOOK_EVERY_S)
        if node.refusing:
            node.sent_elsewhere += 1
            writer.write(mqtt.connack(mqtt.USE_ANOTHER_SERVER))
            return None
        is_taken_over = old is not None and not asked.clean_start and not old.home.given_up
        session = Session(asked.client_id, node, asked.session_expiry_s > 0, writer=writer)
        if old is not None:
            if old.writer is not None:
                old.writer.write(mqtt.disconnect(mqtt.SESSION_TAKEN_OVER))
                old.writer.close()
                old.writer = None
            self._drop(old)
            if is_taken_over:
                session.topics, session.ids, session.unacknowledged = old.topics, old.ids, old.unacknowledged
        self._sessions[asked.client_id] = session
        self._count(session, 1)
        writer.write(mqtt.connack(mqtt.SUCCESS, session_present=is_taken_over))
        for message in session.unacknowledged.values():
            writer.write(message.pack())
        return session

    def _handle(self, session: Session, packet: mqtt.Packet, writer: asyncio.StreamWriter) -> None:
        match packet.kind:
            case mqtt.PUBLISH:
                message = mqtt.Publish.of(packet)
                for each in self._sessions.values():
                    if message.topic in each.topics:
                        each.deliver(message.topic, message.payload)
                if message.packet_id:
                    writer.write(mqtt.puback(message.packet_id))
            case mqtt.PUBACK:
                session.unacknowledged.pop(packet.packet_id, None)
            case mqtt.SUBSCRIBE:
                session.topics.add(mqtt.topic_of_subscribe(packet))
                writer.write(mqtt.suback(packet.packet_id))
            case mqtt.PINGREQ:
                writer.write(mqtt.PONG)
            case mqtt.DISCONNECT:
                writer.close()
            case _:
                raise ConnectionAbortedError(f"a packet of kind {packet.kind}")
