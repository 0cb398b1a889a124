"""What the drains have moved: clients at their start, who is left, and the ledger of where they went."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta

from emqx_tui.model.frozen import changed
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.snapshot import Generation, Member, Snapshot
from emqx_tui.rollout.state.broker_ends import least_left
from emqx_tui.rollout.state.journal import AbortRecord, Journal
from emqx_tui.rollout.state.observed import Observations, Progress, Untold

RECONNECT_ALLOWANCE_S = 10.0
"""Clients evicted within this time are on their way, not missing."""
TOLD_WITHIN_S = 10.0
"""The cluster is asked every five seconds what each evacuation began with; a node that is split off is never in it."""
KNOWN_FOR_S = 4.0
"""A count is two seconds old when it is read, and the next may fail: after that the missing may be back."""
ENDED = -1
"""In place of what a drain began with that is over, for the next may begin with as many."""
STOPPED_S = 4.0
"""A drain that is stopped has evicted clients that the broker's sampler shows only then."""


def with_drains(known: Observations, snapshot: Snapshot, journal: Journal) -> Observations:
    """Take in how far blue's drains are; the baselines are set when the first is seen."""
    now = snapshot.now
    blue = snapshot.blue
    if blue is None:
        return known
    evacuating = [m for m in blue.members if m.evacuation]
    earlier = known
    known, begun = _with_begun(known, blue.members, snapshot, journal.totals.initial)
    totals = journal.totals
    baseline, initial = known.baseline or totals.baseline, {**totals.initial, **known.initial}
    green_baseline = known.green_baseline or totals.green_baseline
    told_at = snapshot.evacuations.read_at
    is_sure = not any(drain.is_at_least and _may_be_told(drain, told_at) for drain in known.untold.values())
    if begun and is_sure and not baseline and blue.live_connections is not None:
        before = _before(known, begun)
        green_before = before.green if before else _green_before(snapshot, begun)
        if green_before is not None:
            live = {m.name: m.live_connections for m in blue.members if m.live_connections is not None}
            counted = {name: count for name, count in before.nodes.items() if name in live} if before else {}
            baseline, green_baseline = {**live, **counted, **begun}, green_before
    evacuated_at = {**known.evacuated_at, **dict.fromkeys((m.name for m in evacuating), now)}
    # How far a drain was that is stopped nobody sees who comes after it.
    left = {**totals.left, **known.left}
    # While the Service has blue, clients come to a node between two of its drains, before its counts tell who has left.
    again = _begun_again(earlier.drained_from, left, begun)
    is_refilled = journal.late_removal and any(name not in earlier.untold for name in again)
    # Of a node that is drained, who comes late hears only now of its last drain: it is counted by who has seen it.
    counting = {name: count for name, count in begun.items() if name not in journal.drained}
    initial, left = _drained_again(known.drained_from, {**begun, **initial}, left, counting)
    if known.driven_since is None:
        initial |= {name: totals.initial[name] for name in journal.drained if name in totals.initial}
    counts = _counts(blue, _drains(evacuated_at, now), known, snapshot)
    left = _fewest(left, initial, blue, counts, journal.drained)
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
        is_uncountable=known.is_uncountable or is_refilled,
    )


def with_drains_back(known: Observations, snapshot: Snapshot, journal: Journal, abort: AbortRecord) -> Observations:
    """An abort: green's drains are counted. Where those are whom blue's evicted is not told any more: they move."""
    green, blue = snapshot.green, snapshot.blue
    blue_members, green_members = blue.members if blue else (), green.members if green else ()
    noted = {*journal.totals.initial, *journal.totals.initial_back}
    known, begun = _with_begun(known, (*blue_members, *green_members), snapshot, noted)
    blue_begun = {name: begun.pop(name) for name in tuple(begun) if blue and blue.owns(name)}
    initial = {**begun, **journal.totals.initial_back, **known.initial_back}
    initial, left = _drained_again(known.drained_from, initial, known.left_back, begun)
    evacuating = (m.name for m in snapshot.members if m.evacuation)
    evacuated_at = {**known.evacuated_at, **dict.fromkeys(evacuating, snapshot.now)}
    drains = _drains(evacuated_at, snapshot.now)
    left_back = _fewest(left, initial, green, _counts(green, drains, known, snapshot))
    known = changed(known, initial_back=initial, left_back=left_back, progress={})
    drained_from = {**known.drained_from, **begun, **blue_begun}
    is_late = (snapshot.now - abort.at).total_seconds() > STOPPED_S
    initial, left = _drained_again(known.drained_from, {**blue_begun, **known.initial}, known.left, blue_begun)
    ledger = Ledger(evicted=known.ledger.evicted, max_missing=known.ledger.max_missing)
    known = changed(known, drained_from=drained_from, evacuated_at=evacuated_at, ledger=ledger)
    if blue is None or not initial or is_late:
        return known
    counts = _counts(blue, drains, known, snapshot)
    known = changed(known, initial=initial, left=_fewest(left, initial, blue, counts, journal.drained))
    return changed(known, ledger=changed(known.ledger, evicted=evicted(known)))


def with_ledger(known: Observations, snapshot: Snapshot, journal: Journal) -> Observations:
    """Evicted = landed + bounced + missing. Clients that move by themselves are taken out of both sides."""
    blue, green = snapshot.blue, snapshot.green
    if not known.initial or blue is None or green is None or snapshot.pods.read_at is None:
        return known
    live, on_green = {m.name: m.live_connections for m in blue.members}, green.live_connections
    now = snapshot.now
    is_counted = snapshot.nodes.value is not None and snapshot.stats.value is not None and not snapshot.stats.problem
    # One that was removed is built again before its pods are: those of before may still be up, with their clients.
    has_pods = all(g.members or not g.replicas for g in (blue, green))
    if not is_counted or not has_pods or blue.live_connections is None or on_green is None:
        return _not_counted(known, now)
    begun_with = known.baseline or ({} if known.untold else known.initial)
    if not begun_with:
        # What the drain began with may still be told: until then who is on green says nothing.
        return _not_counted(known, now)
    gone = evicted(known)
    # One that was not up when the first drain began had no clients.
    baseline = {**dict.fromkeys((*live, *known.initial), 0), **begun_with}
    waiting = {name: count for name, count in baseline.items() if name not in known.initial}
    moved = sum(max(0, count - (live.get(name) or 0)) for name, count in waiting.items())
    # What a node had lost by itself before its own drain began went to green as well.
    moved += sum(max(0, baseline[name] - count) for name, count in known.initial.items())
    bounced = sum(max(0, (live.get(name) or 0) - count) for name, count in waiting.items())
    # Who bounced to a node that was drained after that is evicted a second time, and lands or is missing once.
    bounced += sum(max(0, count - baseline[name]) for name, count in known.initial.items())
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


def _not_counted(known: Observations, now: datetime) -> Observations:
    """The books as they were last; who of the missing is back since then nobody knows after a while."""
    track = known.evicted_track
    if not track or (now - track[-1][0]).total_seconds() <= KNOWN_FOR_S:
        return known
    return changed(known, ledger=changed(known.ledger, on_their_way=None))


def evicted(known: Observations) -> int:
    """Clients that the drains of blue have disconnected."""
    return sum(max(0, count - known.left.get(name, count)) for name, count in known.initial.items())


def returned(known: Observations) -> int:
    """Clients that the drains of green have disconnected so far, in an abort."""
    return sum(max(0, count - known.left_back.get(name, count)) for name, count in known.initial_back.items())


def _with_begun(
    known: Observations, members: Iterable[Member], snapshot: Snapshot, noted: Container[str]
) -> tuple[Observations, dict[str, int]]:
    """By pod: clients at the start of its drain, by its own counts until the cluster tells them.

    What the cluster told before the drain began is of the one before it. `noted`: pods of which the journal has it.
    """
    now, told_at = snapshot.now, snapshot.evacuations.read_at
    begun: dict[str, int] = {}
    untold: dict[str, Untold] = {}
    told_late: dict[str, int] = {}
    drained_from, denied_at = dict(known.drained_from), dict(known.denied_at)
    for member in members:
        name, before = member.name, known.untold.get(member.name)
        is_new = before is None and name not in drained_from
        if is_new and not member.is_up:
            # Its clients are counted with its end.
            continue
        told = member.evacuation.initial_connected if member.evacuation else None
        if member.evacuation is None and member.own.read_at is not None and not member.own.problem:
            denied_at[name] = member.own.read_at
            if before is None and name in drained_from and name not in _drains(known.evacuated_at, now):
                drained_from[name] = ENDED
        if name in denied_at and told_at is not None and told_at <= denied_at[name]:
            told = None
        if told is not None:
            begun[name] = told
            if before is None and _goes_on(known, name, denied_at) and _is_seen_all_along(known, name):
                # Stopped and started again at once, as for other rates: nobody has come meanwhile.
                drained_from[name] = told
            if before is not None:
                # As many as the one before it: that went on, and was out of sight.
                told_late[name] = before.came(told) - before.came(before.clients) if told != before.before else 0
                drained_from[name] = told
        elif before is not None and (member.evacuation or member.own.problem):
            untold[name] = before
        elif member.evacuation and not (is_new and name in noted) and not _goes_on(known, name, denied_at):
            untold[name] = _untold(known, member, now)
    begun |= {name: drain.clients for name, drain in untold.items()}
    waited = {n: d for n, d in known.untold.items() if n not in told_late}
    never = (d for n, d in waited.items() if n not in untold or not _may_be_told(d, told_at))
    is_uncountable = known.is_uncountable or any(drain.is_at_least for drain in never)
    if told_late:
        known = _corrected(known, told_late)
    changes = {"untold": untold, "drained_from": drained_from, "denied_at": denied_at}
    return changed(known, **changes, is_uncountable=is_uncountable), begun


def _may_be_told(drain: Untold, told_at: datetime | None) -> bool:
    """The cluster, which is not asked while a node hangs, has not answered for long enough to tell of it."""
    return told_at is None or (told_at - drain.since).total_seconds() <= TOLD_WITHIN_S


def _corrected(known: Observations, by: Mapping[str, int]) -> Observations:
    """What drains were taken to have begun with, by what the cluster has told of them since."""
    return changed(
        known,
        baseline={n: c + by.get(n, 0) if c == known.initial.get(n) else c for n, c in known.baseline.items()},
        initial={n: c + by.get(n, 0) for n, c in known.initial.items()},
        initial_back={n: c + by.get(n, 0) for n, c in known.initial_back.items()},
    )


def _goes_on(known: Observations, name: str, denied_at: Mapping[str, datetime]) -> bool:
    """The cluster has told of a drain of this node, and none was seen to end since."""
    at, denied = known.evacuated_at.get(name), denied_at.get(name)
    is_told = known.drained_from.get(name, ENDED) != ENDED
    return is_told and at is not None and (denied is None or denied < at)


def _is_seen_all_along(known: Observations, name: str) -> bool:
    return all(name in sample.nodes for sample in known.recent[-3:])


def _untold(known: Observations, member: Member, now: datetime) -> Untold:
    """A drain that begins, by the node's own counts; one seen to evacuate a moment ago evicts all the while."""
    is_seen = member.name in _drains(known.evacuated_at, now)
    recent = () if is_seen else known.recent[-2:]
    counts = [sample.nodes[member.name] for sample in recent if member.name in sample.nodes]
    clients = max(member.live_connections or 0, *counts, 0)
    left = known.left.get(member.name, known.left_back.get(member.name, 0))
    return Untold(clients, now, not (is_seen or counts[:-1]), known.drained_from.get(member.name), left)


def _drains(evacuated_at: Mapping[str, datetime], now: datetime) -> set[str]:
    """Pods whose counts fall by a drain: it runs, or was stopped a moment ago."""
    return {name for name, at in evacuated_at.items() if (now - at).total_seconds() <= STOPPED_S}


def _begun_again(drained_from: Mapping[str, int], left: Mapping[str, int], begun: Mapping[str, int]) -> dict[str, int]:
    """Of `begun`: drains that follow on one that was stopped."""
    return {n: c for n, c in begun.items() if n in left and drained_from.get(n, c) != c}


def _drained_again(
    drained_from: Mapping[str, int], initial: Mapping[str, int], left: Mapping[str, int], begun: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """`initial` and `left`: who came to a node whose drain was stopped is evicted from there by its next drain.

    A node with fewer clients than were last seen on it has evicted them before the stop.
    """
    again = _begun_again(drained_from, left, begun)
    return {**initial, **{n: initial[n] - min(left[n], c) + c for n, c in again.items()}}, {**left, **again}


def _counts(
    generation: Generation | None, drains: Container[str], known: Observations, snapshot: Snapshot
) -> dict[str, int]:
    """Clients on the nodes that drain; no fewer than EMQX has had time for: a broker that stops cuts off the rest."""
    asked = snapshot.resource.value.blue_green if snapshot.resource.value else None
    rate, at = asked.conn_evict_rate_per_s or 0 if asked else 0, snapshot.stats.read_at or snapshot.now
    counts: dict[str, int] = {}
    for member in generation.members if generation else ():
        if member.name in drains and member.live_connections is not None:
            counts[member.name] = member.live_connections
            told = member.evacuation.conn_evict_rate_per_s if member.evacuation else None
            if told is not None:
                least = least_left(known.recent, member.name, max(told, rate), at)
                counts[member.name] = max(least, member.live_connections)
    return counts


def _fewest(
    left: Mapping[str, int],
    initial: Mapping[str, int],
    generation: Generation | None,
    counts: Mapping[str, int],
    drained: Container[str] | None = None,
) -> dict[str, int]:
    """By pod: the fewest clients since its drain began; none on one that is `drained` or, without that, scaled away.

    `counts`: clients by pod, as they are now. Whom blue's node has when somebody else scales it away is cut off, not
    evicted.
    """
    size = generation.replicas if generation else 0
    if drained is None:
        drained = [name for name in initial if int(name.rpartition("-")[2]) >= size]
    now = {**counts, **dict.fromkeys((name for name in initial if name in drained), 0)}
    before = {name: left.get(name, count) for name, count in initial.items()}
    return {name: min(now.get(name, count), count) for name, count in before.items()}


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


def _before(known: Observations, drained: Mapping[str, int]) -> Sample | None:
    """The count of before the first drain began, `drained` = what its nodes had then; None where there is none.

    A drain is seen some ticks late, when those who were evicted first are on other nodes already: counted as having
    been there before, they would be missing for ever. Out of the Service a node only loses clients, so the newest count
    in which it has all of them is from before its first tick. Where nobody counted while it began, it is the last one
    before that time.
    """
    for sample in reversed(known.recent):
        is_whole = sample.blue is not None and sample.green is not None
        if is_whole and all(sample.nodes.get(name, 0) >= count for name, count in drained.items()):
            return sample
    gap = known.uncounted[-1] if known.uncounted else None
    is_new = gap is not None and (known.recent[-1].at - gap.until).total_seconds() <= TOLD_WITHIN_S
    return known.before_gap if is_new else None


def _green_before(snapshot: Snapshot, drained: Mapping[str, int]) -> int | None:
    """The same of green without such a count: all who have left are taken for landed. None while not all count."""
    if snapshot.green is None:
        return 0
    live = {member.name: member.live_connections or 0 for member in snapshot.members}
    left = sum(max(0, count - live.get(name, 0)) for name, count in drained.items())
    on_green = snapshot.green.live_connections
    return None if on_green is None else max(0, on_green - left)
