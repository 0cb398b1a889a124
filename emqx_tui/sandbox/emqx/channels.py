"""MQTT clients with a connection of their own, beside the cohorts: one channel for each client id.

Owns the sessions of these clients and their share of every count that the API shows. It is told of packets and of
broken connections, and acts on connections through `Socket` only; bytes are not its business. Sessions expire in the
time of the simulated world.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import Protocol

from emqx_tui.sandbox.emqx.mqtt_session import INFLIGHT, Delivery, Message, MqttSession
from emqx_tui.sandbox.emqx.node import ALL_CHANNELS_ARE_SESSIONS_SINCE, EmqxNode
from emqx_tui.sandbox.emqx.topics import Subscribers
from emqx_tui.sandbox.timeline import Timeline, Timer
from emqx_tui.sandbox.truth import Truth


class Closing(enum.Enum):
    """Why a broker ends a connection."""

    EVICTED = enum.auto()
    TAKEN_OVER = enum.auto()
    """the same client id has connected again"""
    KILLED = enum.auto()
    """the broker stops: nothing is said any more"""
    RESET = enum.auto()
    """the network cuts the connection"""


EXPIRY_OF_V3_S = 7200.0
"""EMQX's default session expiry for MQTT 3 clients without clean session"""
_CLOSINGS = {"evicted": Closing.EVICTED, "killed": Closing.KILLED, "reset": Closing.RESET}


class Socket(Protocol):
    """The open connection of a client."""

    def deliver(self, deliveries: Iterable[Delivery]) -> None: ...
    def close(self, closing: Closing) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Connect:
    """What a CONNECT asks for, in terms of both protocol versions."""

    client_id: str
    clean_start: bool
    expiry_s: float
    """0: the session ends with the connection"""
    receive_max: int = 65_535
    will: Message | None = None
    will_delay_s: float = 0.0


@dataclass(frozen=True)
class Accepted:
    channel: Channel
    session_present: bool


@dataclass(frozen=True)
class SentElsewhere:
    """Refused with "use another server"."""

    server_reference: str | None


@dataclass(frozen=True)
class Delayed:
    """The listener has accepted all that it may in this second: ask again at `until`."""

    until: float


@dataclass(eq=False)
class Channel:
    """A client id, connected or not."""

    asked: Connect
    node: EmqxNode
    socket: Socket | None
    session: MqttSession = field(default_factory=MqttSession)
    expiry_s: float = 0.0
    virtual: bool = False
    """moved to `node` by a forced migration"""
    expiry: Timer | None = None
    will: Timer | None = None
    """a will that waits for its delay"""

    @property
    def client_id(self) -> str:
        return self.asked.client_id

    @property
    def is_session(self) -> bool:
        """An evacuation counts and moves it: before 4.4.24 those of clean start 0 only."""
        return not self.asked.clean_start or self.node.release >= ALL_CHANNELS_ARE_SESSIONS_SINCE


class Cluster(Protocol):
    """The cluster that the channels belong to."""

    timeline: Timeline
    rng: random.Random
    truth: Truth

    def when_it_goes_on(self, node: EmqxNode, do: Callable[[], None]) -> None: ...


class Channels:
    """All of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.live = 0
        self._cluster = cluster
        self._timeline = cluster.timeline
        self._by_id: dict[str, Channel] = {}
        self._subscribers = Subscribers()

    @property
    def filters(self) -> Sized:
        """All topic filters that somebody subscribed to."""
        return self._subscribers

    def node_of(self, client_id: str) -> EmqxNode:
        """Where the client or its session is; KeyError."""
        return self._by_id[client_id].node

    # -- what clients do

    def connect(self, node: EmqxNode, asked: Connect, socket: Socket) -> Accepted | SentElsewhere | Delayed:
        """A CONNECT reached `node`."""
        now, truth = self._timeline.now, self._cluster.truth
        if not node.admit(1, now):
            truth.add("delayed", 1, node.name)
            return Delayed(math.floor(now) + 1.0)
        if node.refusing:
            node.sent_elsewhere += 1
            truth.add("refused", 1, node.name)
            return SentElsewhere(_server_reference(node))
        before = self._by_id.get(asked.client_id)
        if before is not None:
            self._close(before, Closing.TAKEN_OVER)
            self._forget(before)
        resumed = before if before is not None and not asked.clean_start else None
        channel = Channel(asked, node, socket, expiry_s=asked.expiry_s)
        if resumed is not None:
            channel.session = resumed.session
        channel.session.window = min(INFLIGHT, asked.receive_max)
        self._add(channel)
        return Accepted(channel, resumed is not None)

    def resume(self, channel: Channel) -> None:
        """The CONNACK is out: what the session holds may follow."""
        if channel.socket is not None:
            channel.socket.deliver([*channel.session.resend(), *channel.session.take()])

    def disconnected(
        self, channel: Channel, socket: Socket, *, with_will: bool = True, expiry_s: float | None = None
    ) -> None:
        """The client went by itself, or its connection broke; `expiry_s` = what an MQTT 5 DISCONNECT said last."""
        if channel.socket is not socket:
            return
        self._cluster.truth.add("natural", 1, channel.node.name)
        if expiry_s is not None:
            channel.expiry_s = expiry_s
        self._leave(channel, with_will=with_will)

    def subscribe(self, channel: Channel, filters: Mapping[str, int]) -> None:
        held = channel.session.subscriptions
        for pattern, qos in filters.items():
            channel.node.subscriptions += pattern not in held
            held[pattern] = qos
            self._subscribers.add(pattern, channel.client_id)

    def unsubscribe(self, channel: Channel, pattern: str) -> bool:
        """Whether there was such a subscription."""
        if channel.session.subscriptions.pop(pattern, None) is None:
            return False
        channel.node.subscriptions -= 1
        self._subscribers.remove(pattern, channel.client_id)
        return True

    def acknowledge(self, channel: Channel, packet_id: int) -> None:
        channel.session.acknowledge(packet_id)
        self._push(channel)

    def publish(self, at: EmqxNode, message: Message) -> None:
        """Hand `message` to every subscriber that `at` sees, once, with the best QoS of its filters."""
        granted: dict[str, int] = {}
        for client_id, pattern in self._subscribers.of(message.topic):
            qos = self._by_id[client_id].session.subscriptions[pattern]
            granted[client_id] = max(qos, granted.get(client_id, 0))
        for client_id, qos in granted.items():
            channel = self._by_id[client_id]
            if channel.node.island == at.island:
                channel.session.offer(Message(message.topic, message.payload, min(qos, message.qos)))
                self._push(channel)

    # -- called by the cluster

    def disconnect(self, node: EmqxNode, count: int, why: str) -> int:
        """`count` of the clients connected to `node` lose their connection; returns how many leave no session.

        `why` is the truth's field to count it in.
        """
        leaving = list(itertools.islice((each for each in self._at(node) if each.socket is not None), count))
        self._cluster.truth.add(why, len(leaving), node.name)
        for channel in leaving:
            self._close(channel, _CLOSINGS[why])
        return sum(each.expiry_s == 0 for each in leaving)

    def broker_down(self, node: EmqxNode) -> None:
        """`node` has stopped: its clients are cut off, and the sessions it kept in memory are gone."""
        here = list(self._at(node))
        connected = [channel for channel in here if channel.socket is not None]
        self._cluster.truth.add("killed", len(connected), node.name)
        for channel in connected:
            self._close(channel, Closing.KILLED)
        kept = [channel for channel in here if self._by_id.get(channel.client_id) is channel]
        self._cluster.truth.add("sessions_lost", len(kept), node.name)
        for channel in kept:
            self._forget(channel)

    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int:
        """Push up to `count` sessions from `node` to random recipients; the expiry starts anew."""
        kept = (each for each in self._at(node) if each.socket is None and each.is_session)
        moving = list(itertools.islice(kept, count))
        for channel in moving:
            with self._recounted(channel):
                channel.node = self._cluster.rng.choice(recipients)
                channel.virtual = True
            self._expire_later(channel)
        self._cluster.truth.add("migrated", len(moving), node.name)
        return len(moving)

    # -- within

    def _at(self, node: EmqxNode) -> Iterator[Channel]:
        return (channel for channel in self._by_id.values() if channel.node is node)

    def _push(self, channel: Channel) -> None:
        """Send what may be sent; a node that hangs sends when it goes on."""
        if channel.node.hung:
            self._cluster.when_it_goes_on(channel.node, lambda: self._push(channel))
        elif channel.socket is not None:
            channel.socket.deliver(channel.session.take())

    def _close(self, channel: Channel, closing: Closing) -> None:
        socket = channel.socket
        if socket is not None:
            self._leave(channel, with_will=closing in (Closing.EVICTED, Closing.RESET))
            socket.close(closing)

    def _leave(self, channel: Channel, *, with_will: bool) -> None:
        """No connection any more: the session stays for a while, or the channel ends."""
        with self._recounted(channel):
            channel.socket = None
        if with_will and channel.asked.will is not None:
            self._publish_will(channel, channel.asked.will)
        if channel.expiry_s > 0:
            self._expire_later(channel)
        else:
            self._forget(channel)

    def _publish_will(self, channel: Channel, will: Message) -> None:
        """At once, or after its delay, unless the client is back by then."""
        delay_s = min(channel.asked.will_delay_s, channel.expiry_s)
        if delay_s > 0:
            channel.will = self._timeline.after(delay_s, lambda: self.publish(channel.node, will))
        else:
            self.publish(channel.node, will)

    def _expire_later(self, channel: Channel) -> None:
        if channel.expiry is not None:
            channel.expiry.cancel()
        if channel.expiry_s < math.inf:
            channel.expiry = self._timeline.after(channel.expiry_s, lambda: self._expire(channel))

    def _expire(self, channel: Channel) -> None:
        self._cluster.truth.add("sessions_expired", 1, channel.node.name)
        self._forget(channel)

    def _add(self, channel: Channel) -> None:
        self._by_id[channel.client_id] = channel
        for pattern in channel.session.subscriptions:
            self._subscribers.add(pattern, channel.client_id)
        self._count(channel, 1)

    def _forget(self, channel: Channel) -> None:
        """The channel ends: taken over, expired, or gone with its broker."""
        if self._by_id.get(channel.client_id) is not channel:
            return
        self._count(channel, -1)
        del self._by_id[channel.client_id]
        for pattern in channel.session.subscriptions:
            self._subscribers.remove(pattern, channel.client_id)
        for timer in (channel.expiry, channel.will):
            if timer is not None:
                timer.cancel()

    @contextlib.contextmanager
    def _recounted(self, channel: Channel) -> Iterator[None]:
        """What the block changes of the channel changes its node's counts."""
        self._count(channel, -1)
        try:
            yield
        finally:
            self._count(channel, 1)

    def _count(self, channel: Channel, by: int) -> None:
        node = channel.node
        node.touch(self._timeline.now)
        node.subscriptions += by * len(channel.session.subscriptions)
        if channel.socket is not None:
            node.live += by
            node.sockets += by
            node.sockets_clean_start_0 += 0 if channel.asked.clean_start else by
            self.live += by
            self._cluster.truth.count_live(self._cluster.truth.live + by)
        elif channel.virtual:
            node.virtual += by
        elif channel.is_session:
            node.retained += by
        else:
            node.unmoved += by


def _server_reference(node: EmqxNode) -> str | None:
    return node.evacuation.options.server_reference if node.evacuation is not None else None
