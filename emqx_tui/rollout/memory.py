"""What a driver remembers between two decisions: commands in flight, acks awaited, and the recent past of the counts.

None of it is needed for safety: a console that starts with an empty memory decides the same or waits longer. All
updates are pure functions that give a new value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.journal import Journal
from emqx_tui.rollout.phases import Phase


@dataclass(frozen=True)
class AckWait:
    """A patch of the custom resource that the operator has not answered yet."""

    resource_version: str
    status_mark: str
    since: datetime
    command: str


@dataclass(frozen=True)
class Failure:
    """The last refusal of a command."""

    at: datetime
    message: str
    count: int
    is_refusal: bool
    """The other side understood and said no (as opposed to no answer, or a lost race)."""


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
class Memory:
    """See the module."""

    phase: Phase = Phase.IDLE
    was_held: bool = False
    in_flight: frozenset[str] = frozenset()
    sent_at: Mapping[str, datetime] = field(default_factory=dict)
    """By command name: when one of that name was last sent."""
    sent_count: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """By command key; a success removes it."""
    done_at: Mapping[str, datetime] = field(default_factory=dict)
    """By command name and key: when one was last answered with success."""
    ack: AckWait | None = None
    reset_seen_at: datetime | None = None
    """Since when the operator's release status is absent (while a release of ours is there)."""
    canary: Canary | None = None
    canary_lost: int = 0
    """Losses of the canary beyond natural churn."""
    churn_per_min: float = 0.0
    """Part of all clients that leaves by itself and comes back in a minute, as the canary's watch showed it."""
    unready_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when a pod of green is not Ready or not there."""
    away_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when a blue pod stands whose broker is no Running member of the EMQX cluster."""
    gate_frozen_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when its broker serves while its readiness gate is False."""
    baseline: Mapping[str, int] = field(default_factory=dict)
    """By pod: live connections when the first drain began."""
    initial: Mapping[str, int] = field(default_factory=dict)
    """By pod: live connections when its own drain began."""
    initial_back: Mapping[str, int] = field(default_factory=dict)
    """By green pod: live connections when its drain back began, in an abort."""
    green_baseline: int = 0
    recent: tuple[Sample, ...] = ()
    """Samples of about the last two minutes."""
    evicted_track: tuple[tuple[datetime, int], ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    missing_since: datetime | None = None
    killed: int = 0
    """Clients on nodes that went away undrained, since this memory began."""
    silent: Mapping[str, int] = field(default_factory=dict)
    """By pod: clients of nodes that EMQX leaves out of its list while their pods run. Nobody knows yet."""
    progress: Mapping[str, tuple[str, int, datetime]] = field(default_factory=dict)
    """By pod: evacuation state, clients left, and since when both have not moved."""
    lowest_sum: int | None = None
    start_sum: int | None = None
    blue_replicas: int | None = None
    """Size of blue as last seen, to notice a scale-down that was not ours."""
    own_scale: tuple[int, int] | None = None
    """(before, after) of the last scale of blue that we sent."""

    def seconds_since_sent(self, name: str, now: datetime) -> float:
        """Seconds since a command of this name was sent; infinity when none was."""
        at = self.sent_at.get(name)
        return float("inf") if at is None else (now - at).total_seconds()


RECENT_S = 130.0
RECONNECT_ALLOWANCE_S = 10.0
"""Clients evicted within this time are on their way, not missing."""


def sent(memory: Memory, key: str, name: str, now: datetime) -> Memory:
    """A command goes out."""
    return replace(
        memory,
        in_flight=memory.in_flight | {key},
        sent_at={**memory.sent_at, name: now},
        sent_count={**memory.sent_count, name: memory.sent_count.get(name, 0) + 1},
    )


def succeeded(memory: Memory, key: str, name: str, now: datetime) -> Memory:
    """A command was answered with success."""
    failures = {k: v for k, v in memory.failures.items() if k != key}
    done_at = {**memory.done_at, f"{name} {key}": now}
    return replace(memory, in_flight=memory.in_flight - {key}, failures=failures, done_at=done_at)


SEEN_AFTER_S = 1.0
UNSEEN_FOR_S = 30.0


def is_effect_awaited(memory: Memory, key: str, name: str, read_at: datetime | None, now: datetime) -> bool:
    """True while the effect of the last such command cannot have been seen yet: data as old say nothing about it."""
    done_at = memory.done_at.get(f"{name} {key}")
    if done_at is None or (now - done_at).total_seconds() > UNSEEN_FOR_S:
        return False
    return read_at is None or (read_at - done_at).total_seconds() < SEEN_AFTER_S


def failed(memory: Memory, key: str, message: str, *, is_refusal: bool, now: datetime) -> Memory:
    """A command was refused, lost a race, or got no answer."""
    before = memory.failures.get(key)
    failure = Failure(now, message, (before.count if before else 0) + 1, is_refusal)
    return replace(memory, in_flight=memory.in_flight - {key}, failures={**memory.failures, key: failure})


def awaiting_ack(memory: Memory, resource: EmqxEnterprise, command: str, now: datetime) -> Memory:
    """A patch of the resource was stored as `resource`: the next status write after it is its ack.

    The operator's silence counts from the first patch that it has not answered: nudges do not make it shorter.
    """
    since = memory.ack.since if memory.ack is not None else now
    wait = AckWait(resource.meta.resource_version, resource.status_mark, since, command)
    return replace(memory, ack=wait)


def observe(memory: Memory, snapshot: Snapshot, journal: Journal | None) -> Memory:
    """Take in a new snapshot."""
    now = snapshot.now
    memory = replace(
        memory,
        ack=_ack(memory.ack, snapshot.resource.value),
        reset_seen_at=_reset_seen_at(memory, snapshot, journal),
        unready_since=_since(memory.unready_since, _unready(snapshot), now),
        away_since=_since(memory.away_since, _away(snapshot), now),
        gate_frozen_since=_since(memory.gate_frozen_since, _gate_frozen(snapshot), now),
    )
    memory = _with_sample(memory, snapshot)
    memory = after_hold(memory, journal)
    if journal is None:
        return replace(memory, canary=None, baseline={}, initial={}, ledger=Ledger(), evicted_track=(), progress={})
    if journal.abort:
        return _with_drains_back(memory, snapshot, journal)
    memory = _with_drains(memory, snapshot, journal)
    return _with_ledger(memory, snapshot)


def after_hold(memory: Memory, journal: Journal | None) -> Memory:
    """Refusals are forgotten when a hold is lifted: else they would hold again before anything is tried anew."""
    is_held = journal is not None and journal.hold is not None
    failures = {} if memory.was_held and not is_held else memory.failures
    return replace(memory, was_held=is_held, failures=failures)


def _ack(wait: AckWait | None, resource: EmqxEnterprise | None) -> AckWait | None:
    if wait is None or resource is None:
        return wait
    seen, known = resource.meta.resource_version, wait.resource_version
    is_newer = int(seen) > int(known) if seen.isdigit() and known.isdigit() else seen != known
    return None if is_newer and resource.status_mark != wait.status_mark else wait


def _reset_seen_at(memory: Memory, snapshot: Snapshot, journal: Journal | None) -> datetime | None:
    resource = snapshot.resource.value
    if journal is None or resource is None or resource.blue_green_status is not None:
        return None
    return memory.reset_seen_at or snapshot.now


def _since(before: Mapping[str, datetime], present: set[str], now: datetime) -> dict[str, datetime]:
    return {name: before.get(name, now) for name in sorted(present)}


def _unready(snapshot: Snapshot) -> set[str]:
    """Green pods that are not Ready, those that were never made included (a quota, for one)."""
    green = snapshot.green
    if green is None:
        return set()
    wanted = {f"{green.stateful_set.name}-{ordinal}" for ordinal in range(green.replicas)}
    ready = {m.name for m in green.members if m.pod.is_ready}
    return (wanted | {m.name for m in green.members}) - ready


def _away(snapshot: Snapshot) -> set[str]:
    blue = snapshot.blue
    if blue is None or snapshot.nodes.value is None or snapshot.nodes.problem:
        return set()
    return {m.name for m in blue.members if m.node is None and not m.pod.meta.deleting and m.ordinal < blue.replicas}


def _gate_frozen(snapshot: Snapshot) -> set[str]:
    return {
        m.name for m in snapshot.members if m.accepts_clients and m.pod.containers_ready and m.pod.on_serving is False
    }


def _with_sample(memory: Memory, snapshot: Snapshot) -> Memory:
    sample = sample_of(snapshot)
    if sample is None or (memory.recent and sample.at <= memory.recent[-1].at):
        return memory
    horizon = sample.at - timedelta(seconds=RECENT_S)
    recent = (*(s for s in memory.recent if s.at >= horizon), sample)
    total = sample.sum
    lowest = memory.lowest_sum
    if total is not None and snapshot.blue_uid:
        lowest = total if lowest is None else min(lowest, total)
    memory = _with_killed(memory, snapshot)
    return replace(memory, recent=recent, lowest_sum=lowest, start_sum=memory.start_sum or total)


def _with_killed(memory: Memory, snapshot: Snapshot) -> Memory:
    """Count the clients of nodes that served and are gone now, drained ones aside.

    One that EMQX merely leaves out of an answer is waited for until it is back, or its pod is no longer up.
    """
    if not memory.recent or not snapshot.blue_uid or snapshot.nodes.problem:
        return memory
    present = {m.name for m in snapshot.members if m.node is not None}
    up = {m.name for m in snapshot.members if m.pod.containers_ready and not m.pod.meta.deleting}
    before = {**memory.silent, **memory.recent[-1].nodes}
    gone = {name: count for name, count in before.items() if count and name not in present}
    killed = memory.killed + sum(count for name, count in gone.items() if name not in up)
    return replace(memory, killed=killed, silent={name: count for name, count in gone.items() if name in up})


def sample_of(snapshot: Snapshot) -> Sample | None:
    """The live connections of a snapshot as one sample, stamped with the instant they were read; None without any.

    A node that should be counted and is not makes its generation unknown: a gap, not a dip.
    """
    read_at = snapshot.stats.read_at
    if snapshot.stats.value is None or read_at is None or snapshot.stats.problem:
        return None
    nodes = {m.name: m.live_connections for m in snapshot.members if m.live_connections is not None and m.is_running}
    if not snapshot.blue_uid:
        return Sample(read_at, _sum_of(snapshot.members), 0, nodes)
    blue, green = snapshot.blue, snapshot.green
    return Sample(
        read_at,
        _sum_of(blue.members) if blue else None,
        _sum_of(green.members) if green else 0,
        nodes,
    )


def _sum_of(members) -> int | None:
    counted = [m for m in members if m.is_running or m.live_connections is not None]
    if any(m.live_connections is None for m in counted):
        return None
    return sum(m.live_connections or 0 for m in counted)


def _with_drains(memory: Memory, snapshot: Snapshot, journal: Journal) -> Memory:
    now = snapshot.now
    blue = snapshot.blue
    if blue is None:
        return memory
    evacuating = [m for m in blue.members if m.evacuation]
    totals = journal.totals
    baseline, initial = memory.baseline or totals.baseline, {**totals.initial, **memory.initial}
    green_baseline = memory.green_baseline or totals.green_baseline
    if evacuating and not baseline:
        first = {m.name: m.evacuation.initial_connected for m in evacuating if m.evacuation}
        live = {m.name: m.live_connections for m in blue.members if m.live_connections is not None}
        baseline = {**live, **first}
        green_baseline = _green_before(memory, snapshot, first)
    for member in evacuating:
        if member.name not in initial and member.evacuation:
            initial[member.name] = member.evacuation.initial_connected
    progress = {}
    for member in evacuating:
        assert member.evacuation
        left = member.live_connections if member.live_connections is not None else member.evacuation.current_connected
        left += member.evacuation.current_sessions
        state = str(member.evacuation.state)
        before = memory.progress.get(member.name)
        same = before is not None and before[0] == state and before[1] <= left
        progress[member.name] = before if before and same else (state, left, now)
    return replace(memory, baseline=baseline, initial=initial, green_baseline=green_baseline, progress=progress)


def _green_before(memory: Memory, snapshot: Snapshot, drained: Mapping[str, int]) -> int:
    """Clients of green when the first drain began, `drained` = what its nodes had then.

    A drain is seen some ticks late, when those who were evicted first are on green already: counted as having been
    there before, they would be missing for ever. Out of the Service a node only loses clients, so the newest sample in
    which it has all of them is from before its first tick; without one, all who have left are taken for landed.
    """
    for sample in reversed(memory.recent):
        if sample.green is not None and all(sample.nodes.get(name, 0) >= count for name, count in drained.items()):
            return sample.green
    live = {member.name: member.live_connections or 0 for member in snapshot.members}
    left = sum(max(0, count - live.get(name, 0)) for name, count in drained.items())
    green = snapshot.green
    return max(0, (green.live_connections or 0) - left) if green else 0


def _with_drains_back(memory: Memory, snapshot: Snapshot, journal: Journal) -> Memory:
    """An abort: the ledger of the way forward stands still, and green's drains are counted."""
    green = snapshot.green
    begun = {**journal.totals.initial_back, **memory.initial_back}
    for member in green.members if green else ():
        if member.evacuation is not None:
            begun.setdefault(member.name, member.evacuation.initial_connected)
    return replace(memory, initial_back=begun, progress={})


def returned(memory: Memory, snapshot: Snapshot) -> int:
    """Clients that the drains of green have disconnected so far, in an abort."""
    live = {m.name: m.live_connections for m in snapshot.members}
    return sum(max(0, count - (live.get(name) or 0)) for name, count in memory.initial_back.items())


def _with_ledger(memory: Memory, snapshot: Snapshot) -> Memory:
    """Evicted = landed + bounced + missing. Clients that move by themselves are taken out of both sides."""
    blue, green = snapshot.blue, snapshot.green
    if not memory.initial or blue is None or green is None or snapshot.pods.read_at is None:
        return memory
    live = {m.name: m.live_connections for m in blue.members}
    if any(m.is_running and m.live_connections is None for m in (*blue.members, *green.members)):
        return memory
    now = snapshot.now
    evicted = sum(count - (live.get(name) or 0) for name, count in memory.initial.items())
    waiting = {name: count for name, count in memory.baseline.items() if name not in memory.initial}
    moved = sum(max(0, count - (live.get(name) or 0)) for name, count in waiting.items())
    # What a node had lost by itself before its own drain began went to green as well.
    moved += sum(max(0, memory.baseline.get(name, count) - count) for name, count in memory.initial.items())
    bounced = sum(max(0, (live.get(name) or 0) - count) for name, count in waiting.items())
    landed = sum(m.live_connections or 0 for m in green.members) - memory.green_baseline - moved
    missing = evicted - landed - bounced
    allowance = now - timedelta(seconds=RECONNECT_ALLOWANCE_S)
    track = (*((at, n) for at, n in memory.evicted_track if at >= now - timedelta(seconds=60)), (now, evicted))
    earlier = [n for at, n in track if at <= allowance]
    on_their_way = max(0, evicted - (earlier[-1] if earlier else 0))
    ledger = Ledger(
        evicted=evicted,
        landed=landed,
        bounced=bounced,
        missing=missing,
        max_missing=max(missing, memory.ledger.max_missing or 0),
        on_their_way=on_their_way,
    )
    return replace(memory, ledger=ledger, evicted_track=track)
