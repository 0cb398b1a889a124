"""MQTT clients as cohorts: counts per broker, and buckets of those that wait to reconnect at the same instant.

Owns where every client is: live on a broker, waiting, or lost for good; `size` is their sum at every instant. A client
id has one channel at most, so a session a client left behind travels with its bucket: taken over when the client is
back, moved by a forced migration, dropped by expiry or with its broker. The cost of a second depends on how many
buckets fall due, never on how many clients are in them. Nothing here knows about evacuations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from emqx_tui.sandbox.clients.distributions import poisson, split_by_weight, split_evenly
from emqx_tui.sandbox.clients.presets import PRESETS, TWO_HOURS_S, Preset
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.node import EmqxNode

CHURN_PERIOD_S = 1.0
CONNECT_TIMEOUT_S = 10.0
"""how long a client waits for the answer of a broker that hangs"""
EXPIRY_GRAIN_S = 60.0
"""expiry instants are rounded up to this, so that sessions left minutes apart can share a bucket"""
FINE_GRAIN_S, COARSE_GRAIN_S, COARSE_FROM_S = 0.25, 1.0, 4.0
"""jittered delays end on multiples of the grain: fine for delays up to `COARSE_FROM_S`, coarse above"""


class Session(NamedTuple):
    """A session without a connection, equal for all clients that left theirs alike."""

    home: EmqxNode
    virtual: bool
    """moved to `home` by a forced migration"""
    expiry_s: float
    expires_at: float


class Absent(NamedTuple):
    """What clients in one bucket have in common."""

    attempts: int
    session: Session | None


Bucket = dict[Absent, int]


class Population:
    """All clients of one cluster, of one preset. They are nowhere until `connect_all_at_once`."""

    def __init__(self, cluster: EmqxCluster, preset: Preset, size: int, churn_per_s: float = 0.0) -> None:
        self.preset = preset
        self.size = size
        self.churn_per_s = churn_per_s
        self.live = 0
        self.waiting = 0
        self.dead = 0
        self._cluster = cluster
        self._timeline = cluster.timeline
        self._rng = cluster.rng
        self._truth = cluster.truth
        self._due: dict[float, Bucket] = {}
        self._parked: dict[Session, int] = {}
        self._expiries: set[float] = set()
        """instants for which `_expire` is scheduled"""
        self._churning = False

    @property
    def keep_sessions(self) -> bool:
        return self.preset.keeps_session

    # -- called by scenarios

    def connect_all_at_once(self, spread: Sequence[int] = ()) -> None:
        """Put every client on the routed brokers at this instant; the accept limit does not apply.

        Evenly or, where `spread` has a part for each broker, in the order of their names, as it says.
        """
        targets = list({node.name: node for node in self._cluster.routed() if node and node.running}.values())
        if not targets:
            raise ValueError("no broker to connect to")
        absent = self.size - self.live - self.waiting - self.dead
        share, rest = divmod(absent, len(targets))
        shares = [share + (i < rest) for i in range(len(targets))]
        if len(spread) == len(targets) and sum(spread):
            targets.sort(key=lambda node: node.name)
            ends = [absent * sum(spread[: i + 1]) // sum(spread) for i in range(len(targets))]
            shares = [end - begin for begin, end in pairwise([0, *ends])]
        for node, count in zip(targets, shares, strict=True):
            self._arrive(node, count)
        self._note()
        self._truth.mark()
        self.start_churn()

    def start_churn(self) -> None:
        """Let clients leave by themselves, `churn_per_s` of all when all are live."""
        if not self._churning and self.churn_per_s > 0 and self.size > 0:
            self._churning = True
            self._timeline.after(CHURN_PERIOD_S, self._churn)

    def park(self, node: EmqxNode, count: int, expiry_s: float = TWO_HOURS_S) -> None:
        """Leave `count` sessions of clean start 0 on `node` whose clients are offline and never come back.

        These clients are not part of `size`.
        """
        node.touch(self._timeline.now)
        node.retained += count
        self._park(self._session(node, expiry_s), count)

    # -- called by the cluster

    def disconnect(self, node: EmqxNode, count: int, why: str) -> None:
        """`count` live clients of `node` lose their connection; `why` is the truth's field to count it in."""
        if count <= 0:
            return
        now = self._timeline.now
        node.touch(now)
        node.live -= count
        self.live -= count
        self._truth.add(why, count, node.name)
        session = None
        if self.keep_sessions:
            session = self._session(node, self.preset.session_expiry_s)
            node.retained += count
        self._wait(Absent(0, session), count)
        self._note()

    def broker_down(self, node: EmqxNode) -> None:
        """`node` has stopped: its clients are cut off, and the sessions it kept in memory are gone."""
        node.touch(self._timeline.now)
        self.disconnect(node, node.cohorts_live, "killed")
        gone = self._drop_sessions(lambda session: session.home is node)
        self._truth.add("sessions_lost", gone, node.name)

    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int:
        """Push `count` sessions from `node` to random recipients, as virtual channels; the expiry starts anew."""
        groups = [(b, absent) for b in self._due.values() for absent in b if _at(absent.session, node)]
        parked = [session for session in self._parked if session.home is node]
        sizes = [b[absent] for b, absent in groups] + [self._parked[session] for session in parked]
        takes = split_by_weight(self._rng, count, sizes)
        for (bucket, absent), take in zip(groups, takes, strict=False):
            for session, moved in self._move(absent.session, take, recipients):
                _shift(bucket, absent, Absent(absent.attempts, session), moved)
        for session, take in zip(parked, takes[len(groups) :], strict=True):
            for target, moved in self._move(session, take, recipients):
                _shift(self._parked, session, target, moved)
        moved = sum(takes)
        self._truth.add("migrated", moved, node.name)
        return moved

    def _move(self, session: Session | None, count: int, recipients: list[EmqxNode]) -> Iterator[tuple[Session, int]]:
        if session is None or count == 0:
            return
        now = self._timeline.now
        for node, moved in zip(recipients, split_evenly(self._rng, count, len(recipients)), strict=True):
            if moved:
                session.home.touch(now)
                node.touch(now)
                self._uncount(session, moved)
                node.virtual += moved
                yield self._session(node, session.expiry_s, virtual=True), moved

    # -- reconnecting

    def _wait(self, absent: Absent, count: int) -> None:
        """Until the next attempt; clients of a preset that makes none are lost."""
        if self.preset.max_attempts is not None and absent.attempts >= self.preset.max_attempts:
            self._die(absent, count)
            return
        self.waiting += count
        now = self._timeline.now
        shortest, longest = self.preset.delay_range_s(absent.attempts)
        if shortest == longest:
            self._put(now + shortest, absent, count)
            return
        grain = FINE_GRAIN_S if longest <= COARSE_FROM_S else COARSE_GRAIN_S
        first = math.floor((now + shortest) / grain) + 1
        places = math.floor((now + longest) / grain) - first + 1
        for i, some in enumerate(split_evenly(self._rng, count, places)):
            if some:
                self._put((first + i) * grain, absent, some)

    def _put(self, due_at: float, absent: Absent, count: int) -> None:
        bucket = self._due.get(due_at)
        if bucket is None:
            bucket = self._due[due_at] = {}
            self._timeline.at(due_at, lambda: self._wake(due_at))
        bucket[absent] = bucket.get(absent, 0) + count

    def _wake(self, due_at: float) -> None:
        """Each client of the bucket connects to a random address of the load balancer."""
        targets = self._cluster.routed() or [None]
        for absent, count in self._due.pop(due_at).items():
            self.waiting -= count
            for node, some in zip(targets, split_evenly(self._rng, count, len(targets)), strict=True):
                if some:
                    self._attempt(node, absent, some)
        self._note()

    def _attempt(self, node: EmqxNode | None, absent: Absent, count: int) -> None:
        if node is None or not node.running:
            self._truth.add("tcp_refused", count, node.name if node else "")
            self._failed(absent, count, dies=self.preset.dies_tcp_refused)
            return
        now = self._timeline.now
        if node.hung:
            self._truth.add("unanswered", count, node.name)
            self.waiting += count
            self._put(now + CONNECT_TIMEOUT_S, Absent(absent.attempts, absent.session), count)
            return
        admitted = node.admit(count, now)
        if admitted < count:
            self._truth.add("delayed", count - admitted, node.name)
            self.waiting += count - admitted
            self._put(math.floor(now) + 1.0, absent, count - admitted)
        if admitted and node.refusing:
            node.sent_elsewhere += admitted
            self._truth.add("refused", admitted, node.name)
            renewed = self.preset.refusal_renews_attempts
            self._failed(absent, admitted, dies=self.preset.dies_refused, renewed=renewed)
        elif admitted:
            self._leave_behind(absent.session, admitted)
            self._arrive(node, admitted)
            self._truth.add("reconnected", admitted, node.name)

    def _failed(self, absent: Absent, count: int, *, dies: bool, renewed: bool = False) -> None:
        if dies:
            self._die(absent, count)
        else:
            self._wait(Absent(0 if renewed else absent.attempts + 1, absent.session), count)

    def _arrive(self, node: EmqxNode, count: int) -> None:
        node.touch(self._timeline.now)
        node.live += count
        self.live += count

    def _die(self, absent: Absent, count: int) -> None:
        """No client comes back for these sessions; the broker keeps them until they expire."""
        self.dead += count
        self._truth.add("lost", count)
        if absent.session is not None:
            self._park(absent.session, count)

    def _note(self) -> None:
        truth = self._truth
        truth.offline = self.waiting
        truth.count_live(self.live + self._cluster.channels.live)

    def _churn(self) -> None:
        leaving = poisson(self._rng, self.churn_per_s * self.live / self.size)
        nodes = self._cluster.running_nodes()
        for node, count in zip(
            nodes, split_by_weight(self._rng, leaving, [n.cohorts_live for n in nodes]), strict=True
        ):
            self.disconnect(node, count, "natural")
        self._timeline.after(CHURN_PERIOD_S, self._churn)

    # -- sessions without a connection

    def _session(self, node: EmqxNode, expiry_s: float, *, virtual: bool = False) -> Session:
        expires_at = math.inf
        if expiry_s < math.inf:
            expires_at = math.ceil((self._timeline.now + expiry_s) / EXPIRY_GRAIN_S) * EXPIRY_GRAIN_S
            if expires_at not in self._expiries:
                self._expiries.add(expires_at)
                self._timeline.at(expires_at, lambda: self._expire(expires_at))
        return Session(node, virtual, expiry_s, expires_at)

    def _park(self, session: Session, count: int) -> None:
        self._parked[session] = self._parked.get(session, 0) + count

    def _expire(self, expires_at: float) -> None:
        self._expiries.remove(expires_at)
        self._truth.add("sessions_expired", self._drop_sessions(lambda session: session.expires_at == expires_at))

    def _drop_sessions(self, doomed: Callable[[Session], bool]) -> int:
        """Forget sessions, wherever their owners wait; returns how many."""
        dropped = 0
        for bucket in self._due.values():
            for absent in [a for a in bucket if a.session and doomed(a.session)]:
                count = bucket[absent]
                self._leave_behind(absent.session, count)
                _shift(bucket, absent, Absent(absent.attempts, None), count)
                dropped += count
        for session in [s for s in self._parked if doomed(s)]:
            count = self._parked.pop(session)
            self._leave_behind(session, count)
            dropped += count
        return dropped

    def _leave_behind(self, session: Session | None, count: int) -> None:
        """The channels of these sessions end: taken over elsewhere, expired, or gone with their broker."""
        if session is not None:
            session.home.touch(self._timeline.now)
            self._uncount(session, count)

    def _uncount(self, session: Session, count: int) -> None:
        if session.virtual:
            session.home.virtual -= count
        else:
            session.home.retained -= count


def add_clients(cluster: EmqxCluster, preset: Preset | str, size: int, *, churn_per_s: float = 0.0) -> Population:
    """Give `cluster` its clients; they connect with `connect_all_at_once`."""
    population = Population(cluster, PRESETS[preset] if isinstance(preset, str) else preset, size, churn_per_s)
    cluster.attach(population)
    return population


def _at(session: Session | None, node: EmqxNode) -> bool:
    return session is not None and session.home is node


def _shift(counts: dict, source: object, target: object, count: int) -> None:
    """Move `count` from one key to another; a key never stays at zero."""
    counts[source] -= count
    if counts[source] == 0:
        del counts[source]
    if count:
        counts[target] = counts.get(target, 0) + count
