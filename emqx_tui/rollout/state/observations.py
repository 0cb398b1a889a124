"""What is observed over time: recent counts, how long a pod is away, baselines of the drains, the canary's watch.

Folded from one snapshot after another; the journal keeps what a later driver needs (`Totals`). Safety does not depend
on it: a console that was restarted decides the same or waits longer.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.frozen import changed
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.snapshot import Colour, Generation, Member, Snapshot
from emqx_tui.rollout import incidents
from emqx_tui.rollout.incidents import NodeWatch
from emqx_tui.rollout.state.journal import AbortRecord, Journal, NodeDeath, Totals, Uncounted

RECENT_S = 130.0
RECONNECT_ALLOWANCE_S = 10.0
"""Clients evicted within this time are on their way, not missing."""
UNCOUNTED_S = 15.0
"""Counts further apart leave a stretch of which nobody knows. A driver renews its lease more often than this."""
UNWRITTEN_S = 30.0
"""Counts of a driver that is gone may not have been written for so long."""
MAX_UNCOUNTED = 100
DROPS_BEFORE_S = 5.0
"""A broker that stops drops its clients some samples before it is seen to be gone."""
TOLD_WITHIN_S = 10.0
"""The cluster is asked every five seconds what each evacuation began with; a node that is split off is never in it."""
ENDED = -1
"""In place of what a drain began with that is over, for the next may begin with as many."""
STOPPED_S = 4.0
"""A drain that is stopped has evicted clients that the broker's sampler shows only then."""


@dataclass(frozen=True)
class Canary:
    """The blue node whose address was taken out first."""

    pod: str
    since: datetime
    """When the proxies were first seen without its address."""
    clients: int
    green: int
    """Live connections on green at that instant."""
    total: int


@dataclass(frozen=True)
class Progress:
    """How far one drain is, and since when it has been there."""

    state: EvacuationState
    left: int
    """Clients and sessions."""
    since: datetime


@dataclass(frozen=True)
class Untold:
    """An evacuation of which the cluster has not told what it began with."""

    clients: int
    """On the node when its evacuation was first seen, by its own counts."""
    since: datetime
    left: int | None
    """Fewest clients on it after the drain before this one; None for the first."""


@dataclass(frozen=True)
class Still:
    """What should move, as it was, and since when it is so."""

    mark: tuple[object, ...]
    since: datetime


@dataclass(frozen=True)
class Broker:
    """A broker as it was when it was last counted."""

    instance: str
    clients: int
    is_evacuated: bool
    uptime_s: int | None = None
    """As it said last, which may be a minute ago; shorter afterwards, EMQX was restarted in its container."""


@dataclass(frozen=True)
class Observations:
    """See the module. Every change gives a new value."""

    reset_seen_at: datetime | None = None
    """Since when the operator's release status is absent (while a release of ours is there)."""
    canary: Canary | None = None
    canary_apart_at: datetime | None = None
    """When the canary's broker was last seen to be silent, no member of EMQX, or going."""
    canary_lost: int = 0
    """Losses of the canary beyond natural churn, less what chance explains."""
    canary_cut: int = 0
    """Losses of the canary beyond natural churn, as estimated."""
    churn_per_min: float = 0.0
    """Part of all clients that leaves by itself and comes back in a minute, as the canary's watch showed it."""
    unready_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when a pod of green is not Ready or not there."""
    away_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when a blue pod stands whose broker is no Running member of the EMQX cluster."""
    suspect_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when it does not answer for itself while its containers run."""
    unaddressed_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when the proxies send no new client to it."""
    gate_frozen_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when its broker serves while its readiness gate is False."""
    baseline: Mapping[str, int] = field(default_factory=dict)
    """By pod: live connections when the first drain began."""
    initial: Mapping[str, int] = field(default_factory=dict)
    """By pod: live connections when its own drain began; where it was drained again, with those who came between."""
    left: Mapping[str, int] = field(default_factory=dict)
    """By pod of `initial`: fewest clients on it since. They may come back when its drain is stopped."""
    drained_from: Mapping[str, int] = field(default_factory=dict)
    """By pod: `initial_connected` of its newest evacuation, ENDED when that is over."""
    untold: Mapping[str, Untold] = field(default_factory=dict)
    """By pod: evacuations that run and whose `initial_connected` has not been told."""
    evacuated_at: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: when its evacuation was last seen."""
    initial_back: Mapping[str, int] = field(default_factory=dict)
    """By green pod: live connections when its drain back began, in an abort."""
    left_back: Mapping[str, int] = field(default_factory=dict)
    """By pod of `initial_back`: fewest clients on it since."""
    green_baseline: int = 0
    recent: tuple[Sample, ...] = ()
    """Samples of about the last two minutes."""
    evicted_track: tuple[tuple[datetime, int], ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    missing_since: datetime | None = None
    deaths: tuple[NodeDeath, ...] = ()
    """Brokers that went away with clients on them, since these observations began."""
    standing: Mapping[str, Broker] = field(default_factory=dict)
    """By pod: brokers that were counted and are not known to be gone."""
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """By pod that is drained."""
    lowest_sum: int | None = None
    start_sum: int | None = None
    operator_down_since: datetime | None = None
    """Since when the operator's webhook does not answer; None while it does, or nobody knows."""
    still: Still | None = None
    """None while nothing has to move."""
    nodes: NodeWatch = field(default_factory=NodeWatch)
    counted_from: datetime | None = None
    """Instants of the first and of the last sample in which every client was counted."""
    counted_at: datetime | None = None
    uncounted: tuple[Uncounted, ...] = ()
    """Between two such samples of this console."""
    driven_since: datetime | None = None
    """When this console took over: the last that was heard of the driver before. None while it does not drive."""
    first_blue_size: int | None = None
    """Size of blue when it was first seen, to notice a scale-down that was not ours."""


def observe(known: Observations, snapshot: Snapshot, journal: Journal | None) -> Observations:
    """Take in a new snapshot."""
    now = snapshot.now
    known = changed(
        known,
        reset_seen_at=_reset_seen_at(known, snapshot, journal),
        unready_since=_unready_since(known.unready_since, snapshot),
        away_since=_since(known.away_since, _away(snapshot), now),
        suspect_since=_since(known.suspect_since, {m.name for m in snapshot.members if m.is_suspect}, now),
        unaddressed_since=_since(known.unaddressed_since, _unaddressed(snapshot), now),
        gate_frozen_since=_since(known.gate_frozen_since, _gate_frozen(snapshot), now),
        operator_down_since=(known.operator_down_since or now) if snapshot.operator_answers.value is False else None,
        nodes=incidents.watch(known.nodes, snapshot, journal),
    )
    known = _with_sample(known, snapshot, journal.drained if journal else ())
    if journal is None:
        nothing: dict[str, Any] = {}
        known = changed(known, baseline=nothing, initial=nothing, left=nothing, drained_from=nothing, untold=nothing)
        return changed(known, evacuated_at=nothing, canary=None, ledger=Ledger(), evicted_track=(), progress=nothing)
    if journal.abort:
        return _with_drains_back(known, snapshot, journal, journal.abort)
    known = _with_drains(known, snapshot, journal)
    return _with_ledger(known, snapshot, journal)


def uncounted(known: Observations) -> tuple[Uncounted, ...]:
    """What nobody has counted since another console was last seen to drive, as far as this one can know."""
    since, counted_from = known.driven_since, known.counted_from
    if since is None or counted_from is None:
        return ()
    found = tuple(gap for gap in known.uncounted if gap.until > since)
    if (counted_from - since).total_seconds() > UNCOUNTED_S:
        found = (Uncounted(since - timedelta(seconds=UNWRITTEN_S), counted_from), *found)
    return found


def _reset_seen_at(known: Observations, snapshot: Snapshot, journal: Journal | None) -> datetime | None:
    resource = snapshot.resource.value
    if journal is None or resource is None or resource.blue_green_status is not None:
        return None
    return known.reset_seen_at or snapshot.now


def _since(before: Mapping[str, datetime], present: set[str], now: datetime) -> dict[str, datetime]:
    return {name: before.get(name, now) for name in sorted(present)}


def _unready_since(before: Mapping[str, datetime], snapshot: Snapshot) -> dict[str, datetime]:
    """The pod says itself since when it is not Ready: a console that comes later does not count anew."""
    unready = _unready(snapshot)
    if not unready:
        return {}
    new = [m for m in snapshot.members if m.name in unready and m.name not in before]
    told = {m.name: c.since for m in new for c in m.pod.conditions if c.type == "Ready" and c.since}
    first = {name: min(at, snapshot.now) for name, at in told.items()}
    return _since({**first, **before}, unready, snapshot.now)


def _unready(snapshot: Snapshot) -> set[str]:
    """Green pods that are not Ready, those that were never made included (a quota, for one)."""
    green = snapshot.green
    if green is None:
        return set()
    wanted = {f"{green.stateful_set.name}-{ordinal}" for ordinal in range(green.replicas)}
    ready = {m.name for m in green.members if m.pod.is_ready}
    return (wanted | {m.name for m in green.members}) - ready


def _unaddressed(snapshot: Snapshot) -> set[str]:
    ips = snapshot.slice_ips
    return set() if ips is None else {m.name for m in snapshot.members if m.pod.ip not in ips}


def _away(snapshot: Snapshot) -> set[str]:
    blue = snapshot.blue
    if blue is None or snapshot.nodes.value is None or snapshot.nodes.problem:
        return set()
    return {m.name for m in blue.members if not m.is_running and not m.pod.meta.deleting and m.ordinal < blue.replicas}


def _gate_frozen(snapshot: Snapshot) -> set[str]:
    return {
        m.name for m in snapshot.members if m.accepts_clients and m.pod.containers_ready and m.pod.on_serving is False
    }


def _with_sample(known: Observations, snapshot: Snapshot, drained: Container[str]) -> Observations:
    read_at = snapshot.stats.read_at
    if read_at is None or (known.recent and read_at <= known.recent[-1].at):
        return known
    sample = sample_of(snapshot)
    if sample is None:
        return known
    horizon = sample.at - timedelta(seconds=RECENT_S)
    recent = (*(s for s in known.recent if s.at >= horizon), sample)
    total = sample.sum
    if total is not None:
        known = _counted(known, sample.at)
    lowest = known.lowest_sum
    if total is not None and snapshot.blue_uid:
        lowest = total if lowest is None else min(lowest, total)
    before, known = known, _with_deaths(known, snapshot, drained)
    if lowest is not None and known.deaths is not before.deaths:
        # They may be back before the next sample.
        dead = sum(death.clients for death in known.deaths[len(before.deaths) :])
        lowest = min(lowest, max(0, _last_sum(before.recent, lowest) - dead))
    start_sum = known.start_sum or (None if total is None else _last_sum(before.recent, total))
    return changed(known, recent=recent, lowest_sum=lowest, start_sum=start_sum)


def _last_sum(recent: tuple[Sample, ...], otherwise: int) -> int:
    """The highest of the newest sums: those just before somebody was cut off, however long ago that was."""
    counted = [(s.at, s.sum) for s in recent if s.sum is not None]
    newest = counted[-1][0] if counted else None
    return max(
        (n for at, n in counted if newest and (newest - at).total_seconds() <= DROPS_BEFORE_S), default=otherwise
    )


def _counted(known: Observations, at: datetime) -> Observations:
    before, uncounted = known.counted_at, known.uncounted
    if before is not None and (at - before).total_seconds() > UNCOUNTED_S:
        uncounted = (*uncounted[1 - MAX_UNCOUNTED :], Uncounted(before, at))
    return changed(known, counted_from=known.counted_from or at, counted_at=at, uncounted=uncounted)


def _with_deaths(known: Observations, snapshot: Snapshot, drained: Container[str]) -> Observations:
    """Count the clients of brokers that served and are gone now, drained ones aside; only in a release.

    One that EMQX merely leaves out of an answer is waited for until it is back, or its pod is no longer up.
    """
    if snapshot.pods.problem:
        return known
    members = {m.name: m for m in snapshot.members}
    deaths = list[NodeDeath]()
    standing: dict[str, Broker] = {}
    for name, before in known.standing.items():
        member = members.get(name)
        ended = _ended(before, member, _uptime_s(snapshot, name))
        if not ended:
            standing[name] = before
        elif snapshot.blue_uid and name not in drained and (clients := _last_count(known, name, before, snapshot.now)):
            deaths.append(NodeDeath(name, ended, clients, snapshot.now))
            known = _undrained(known, name, clients) if before.is_evacuated else known
    for name, member in members.items():
        if member.node is not None and not member.is_suspect and _is_up(member) and member.live_connections is not None:
            is_evacuated, uptime_s = member.evacuation is not None, _uptime_s(snapshot, name)
            standing[name] = Broker(instance_of(member), member.live_connections, is_evacuated, uptime_s)
    return changed(known, deaths=(*known.deaths, *deaths) if deaths else known.deaths, standing=standing)


def _ended(before: Broker, member: Member | None, uptime_s: int | None) -> str:
    """The instance that has ended since `before`; empty while it runs."""
    if member is None or not _is_up(member) or instance_of(member) != before.instance:
        return before.instance
    is_restarted = uptime_s is not None and before.uptime_s is not None and uptime_s < before.uptime_s
    return f"{before.instance}/emqx" if is_restarted else ""


def _is_up(member: Member) -> bool:
    """A broker that answers for itself runs, whatever its readiness probe says."""
    answers = member.own.value is not None and not member.own.problem
    return (member.pod.containers_ready or answers) and not member.pod.meta.deleting


def _uptime_s(snapshot: Snapshot, name: str) -> int | None:
    node = snapshot.brokers.get(name)
    return node.vitals.uptime_s if node else None


def _undrained(known: Observations, name: str, clients: int) -> Observations:
    """The drain of a node did not move those who were cut off when its broker died."""
    known = changed(known, untold={other: begun for other, begun in known.untold.items() if other != name})
    if name in known.initial:
        initial, left = {**known.initial, name: known.initial[name] - clients}, {**known.left, name: 0}
        return changed(known, initial=initial, left=left)
    if name in known.initial_back:
        initial, left = {**known.initial_back, name: known.initial_back[name] - clients}, {**known.left_back, name: 0}
        return changed(known, initial_back=initial, left_back=left)
    return known


def instance_of(member: Member) -> str:
    """Which broker the pod runs: another one after each start of its container, and in each new pod."""
    restarts = next((c.restarts for c in member.pod.containers if c.name == "emqx"), member.pod.restarts)
    return f"{member.pod.meta.uid}/{restarts}"


def _last_count(known: Observations, name: str, before: Broker, now: datetime) -> int:
    if before.is_evacuated:
        return before.clients
    late = (s.nodes.get(name, 0) for s in known.recent if (now - s.at).total_seconds() <= DROPS_BEFORE_S)
    return max(before.clients, *late, 0)


def sample_of(snapshot: Snapshot) -> Sample | None:
    """The live connections of a snapshot as one sample, stamped with the instant they were read; None without any.

    A node that should be counted and is not makes its generation unknown: a gap, not a dip. Each node's own sampler has
    taken its count up to two seconds before, so that a client that moves meanwhile is in two counts or in none.
    """
    read_at = snapshot.stats.read_at
    if snapshot.stats.value is None or read_at is None or snapshot.stats.problem:
        return None
    nodes = {m.name: m.live_connections for m in snapshot.members if m.live_connections is not None and m.is_running}
    if not snapshot.blue_uid:
        return Sample(read_at, snapshot.total_live, 0, nodes)
    blue, green = snapshot.blue, snapshot.green
    other = [g.live_connections for g in snapshot.generations if g.colour is Colour.NONE]
    return Sample(
        read_at,
        blue.live_connections if blue else None,
        green.live_connections if green else 0,
        nodes,
        None if None in other else sum(count or 0 for count in other),
    )


def _with_drains(known: Observations, snapshot: Snapshot, journal: Journal) -> Observations:
    now = snapshot.now
    blue = snapshot.blue
    if blue is None:
        return known
    evacuating = [m for m in blue.members if m.evacuation]
    known, begun, left = _with_begun(known, blue.members, now)
    totals = journal.totals
    baseline, initial = known.baseline or totals.baseline, {**totals.initial, **known.initial}
    green_baseline = known.green_baseline or totals.green_baseline
    green_before = _green_before(known, snapshot, begun)
    if begun and not baseline and blue.live_connections is not None and green_before is not None:
        live = {m.name: m.live_connections for m in blue.members if m.live_connections is not None}
        baseline, green_baseline = {**live, **begun}, green_before
    evacuated_at = {**known.evacuated_at, **dict.fromkeys((m.name for m in evacuating), now)}
    initial, left = _drained_again(known.drained_from, {**begun, **initial}, {**known.left, **left}, begun)
    left = _fewest(left, initial, blue, _drains(evacuated_at, now), journal.drained)
    progress = {m.name: _progress(known.progress.get(m.name), m, now) for m in evacuating}
    return changed(
        known,
        baseline=baseline,
        initial=initial,
        left=left,
        green_baseline=green_baseline,
        evacuated_at=evacuated_at,
        drained_from={**known.drained_from, **begun},
        progress=progress,
    )


def _drains(evacuated_at: Mapping[str, datetime], now: datetime) -> set[str]:
    """Pods whose counts fall by a drain: it runs, or was stopped a moment ago."""
    return {name for name, at in evacuated_at.items() if (now - at).total_seconds() <= STOPPED_S}


def _drained_again(
    drained_from: Mapping[str, int], initial: Mapping[str, int], left: Mapping[str, int], begun: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """`initial` and `left`: who came to a node whose drain was stopped is evicted from there by its next drain.

    A node with fewer clients than were last seen on it has evicted them before the stop.
    """
    again = {n: c for n, c in begun.items() if n in left and drained_from.get(n, c) != c}
    return {**initial, **{n: initial[n] - min(left[n], c) + c for n, c in again.items()}}, {**left, **again}


def _fewest(
    left: Mapping[str, int],
    initial: Mapping[str, int],
    generation: Generation | None,
    drains: Container[str],
    drained: Iterable[str] = (),
) -> dict[str, int]:
    """By pod: the fewest clients since its drain began; none on one that was scaled away."""
    members = generation.members if generation else ()
    live = {m.name: m.live_connections for m in members if m.name in drains}
    size = generation.replicas if generation else 0
    live |= {name: 0 for name in initial if name in drained or int(name.rpartition("-")[2]) >= size}
    counts = ((name, live.get(name), left.get(name, count)) for name, count in initial.items())
    return {name: before if now is None else min(now, before) for name, now, before in counts}


def evicted(known: Observations) -> int:
    """Clients that the drains of blue have disconnected."""
    return sum(max(0, count - known.left.get(name, count)) for name, count in known.initial.items())


def all_deaths(totals: Totals, known: Observations) -> tuple[NodeDeath, ...]:
    """Those that any driver has noted, and those that this console has seen beyond them."""
    if not known.deaths:
        return totals.deaths
    noted = {(death.pod, death.instance) for death in totals.deaths}
    new = [d for d in known.deaths if (d.pod, d.instance) not in noted]
    return (*totals.deaths, *new) if new else totals.deaths


def _with_begun(
    known: Observations, members: Iterable[Member], now: datetime
) -> tuple[Observations, dict[str, int], dict[str, int]]:
    """By pod: clients at the start of its drain, as the cluster tells them, and what the drain before had left.

    Where the cluster has not told them in time, or not before the drain was stopped, the node's own counts are taken.
    """
    begun: dict[str, int] = {}
    left: dict[str, int] = {}
    untold: dict[str, Untold] = {}
    drained_from = dict(known.drained_from)
    for member in members:
        name, before = member.name, known.untold.get(member.name)
        told = member.evacuation.initial_connected if member.evacuation else None
        is_over = not member.evacuation and not member.own.problem and name not in _drains(known.evacuated_at, now)
        if is_over and name in drained_from:
            drained_from[name] = ENDED
        if told is None and member.evacuation and before is None:
            # One that was seen to evacuate a moment ago evicts all the while.
            recent = () if name in _drains(known.evacuated_at, now) else known.recent[-2:]
            counts = (sample.nodes.get(name, 0) for sample in recent)
            before = Untold(max(member.live_connections or 0, *counts, 0), now, _left_of(known, name))
        if told is None and before is not None and (member.evacuation or member.own.problem):
            untold[name] = before
            if (now - before.since).total_seconds() <= TOLD_WITHIN_S:
                continue
        if told is not None:
            begun[name] = told
        elif before is not None:
            begun[name] = before.clients
        if before is None:
            continue
        if before.left is not None:
            left[name] = before.left
        if told is not None and drained_from.get(name) == before.clients:
            drained_from[name] = told
    return changed(known, untold=untold, drained_from=drained_from), begun, left


def _left_of(known: Observations, name: str) -> int | None:
    return known.left.get(name, known.left_back.get(name))


def _progress(before: Progress | None, member: Member, now: datetime) -> Progress:
    """The earlier one while the state is the same and no fewer are left; nothing is known of a node that is silent."""
    evacuation = member.evacuation
    assert evacuation is not None
    clients = member.live_connections if member.live_connections is not None else evacuation.current_connected
    left = clients + evacuation.current_sessions
    is_same = before is not None and before.state is evacuation.state and before.left <= left
    return (
        before if before is not None and is_same and not member.own.problem else Progress(evacuation.state, left, now)
    )


def _green_before(known: Observations, snapshot: Snapshot, drained: Mapping[str, int]) -> int | None:
    """Clients of green when the first drain began, `drained` = what its nodes had then; None while not all count.

    A drain is seen some ticks late, when those who were evicted first are on green already: counted as having been
    there before, they would be missing for ever. Out of the Service a node only loses clients, so the newest sample in
    which it has all of them is from before its first tick; without one, all who have left are taken for landed.
    """
    for sample in reversed(known.recent):
        if sample.green is not None and all(sample.nodes.get(name, 0) >= count for name, count in drained.items()):
            return sample.green
    if snapshot.green is None:
        return 0
    live = {member.name: member.live_connections or 0 for member in snapshot.members}
    left = sum(max(0, count - live.get(name, 0)) for name, count in drained.items())
    on_green = snapshot.green.live_connections
    return None if on_green is None else max(0, on_green - left)


def _with_drains_back(known: Observations, snapshot: Snapshot, journal: Journal, abort: AbortRecord) -> Observations:
    """An abort: the ledger of the way forward stands still, and green's drains are counted."""
    green, blue = snapshot.green, snapshot.blue
    blue_members, green_members = blue.members if blue else (), green.members if green else ()
    known, begun, before = _with_begun(known, (*blue_members, *green_members), snapshot.now)
    blue_begun = {m.name: begun.pop(m.name) for m in blue_members if m.name in begun}
    initial = {**begun, **journal.totals.initial_back, **known.initial_back}
    initial, left = _drained_again(known.drained_from, initial, {**known.left_back, **before}, begun)
    evacuating = (m.name for m in snapshot.members if m.evacuation)
    evacuated_at = {**known.evacuated_at, **dict.fromkeys(evacuating, snapshot.now)}
    drains = _drains(evacuated_at, snapshot.now)
    known = changed(known, initial_back=initial, left_back=_fewest(left, initial, green, drains), progress={})
    drained_from = {**known.drained_from, **begun, **blue_begun}
    is_late = (snapshot.now - abort.at).total_seconds() > STOPPED_S
    initial, left = _drained_again(
        known.drained_from, {**blue_begun, **known.initial}, {**known.left, **before}, blue_begun
    )
    known = changed(known, drained_from=drained_from, evacuated_at=evacuated_at)
    if blue is None or not initial or is_late:
        return known
    known = changed(known, initial=initial, left=_fewest(left, initial, blue, drains, journal.drained))
    return changed(known, ledger=changed(known.ledger, evicted=evicted(known)))


def returned(known: Observations) -> int:
    """Clients that the drains of green have disconnected so far, in an abort."""
    return sum(max(0, count - known.left_back.get(name, count)) for name, count in known.initial_back.items())


def _with_ledger(known: Observations, snapshot: Snapshot, journal: Journal) -> Observations:
    """Evicted = landed + bounced + missing. Clients that move by themselves are taken out of both sides."""
    blue, green = snapshot.blue, snapshot.green
    if not known.initial or blue is None or green is None or snapshot.pods.read_at is None:
        return known
    live, on_green = {m.name: m.live_connections for m in blue.members}, green.live_connections
    is_counted = snapshot.nodes.value is not None and snapshot.stats.value is not None
    if not is_counted or blue.live_connections is None or on_green is None:
        return known
    now = snapshot.now
    gone = evicted(known)
    waiting = {name: count for name, count in known.baseline.items() if name not in known.initial}
    moved = sum(max(0, count - (live.get(name) or 0)) for name, count in waiting.items())
    # What a node had lost by itself before its own drain began went to green as well.
    moved += sum(max(0, known.baseline.get(name, count) - count) for name, count in known.initial.items())
    bounced = sum(max(0, (live.get(name) or 0) - count) for name, count in waiting.items())
    # Who bounced to a node that was drained after that is evicted a second time, and lands or is missing once.
    bounced += sum(max(0, count - known.baseline.get(name, count)) for name, count in known.initial.items())
    # And who came back to a node whose drain was stopped.
    bounced += sum(max(0, (live.get(name) or 0) - count) for name, count in known.left.items())
    # A green node that died takes those with it who were there before.
    landed = max(0, on_green - known.green_baseline - moved)
    bounced = min(bounced, gone)
    unasked = max(0, landed + bounced - gone)
    landed -= unasked
    missing = gone - landed - bounced
    allowance, horizon = now - timedelta(seconds=RECONNECT_ALLOWANCE_S), now - timedelta(seconds=60)
    track = (*(entry for entry in known.evicted_track if entry[0] >= horizon), (now, gone))
    earlier = next((n for at, n in reversed(track) if at <= allowance), None)
    first_drain_at = journal.totals.first_drain_at
    if earlier is None and first_drain_at is not None and first_drain_at <= allowance:
        # A console that came to a drain has not seen yet how many were evicted a moment before.
        on_their_way = None
    else:
        on_their_way = min(missing, max(0, gone - (earlier or 0)))
    ledger = Ledger(
        evicted=gone,
        landed=landed,
        bounced=bounced,
        missing=missing,
        max_missing=max(missing, known.ledger.max_missing or 0),
        on_their_way=on_their_way,
        unasked=unasked,
    )
    return changed(known, ledger=ledger, evicted_track=track)
