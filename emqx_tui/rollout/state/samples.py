"""Counts of live connections, one sample after another, and the stretches of which there is none."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import UTC, datetime, timedelta

from emqx_tui.model.frozen import changed
from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Colour, Snapshot
from emqx_tui.rollout.state.broker_ends import DROPS_BEFORE_S, UNCOUNTED_S
from emqx_tui.rollout.state.deaths import with_counts, with_deaths
from emqx_tui.rollout.state.journal import NodeDeath, Uncounted
from emqx_tui.rollout.state.observed import Observations

RECENT_S = 130.0
UNWRITTEN_S = 30.0
"""Counts of a driver that is gone may not have been written for so long."""
MAX_UNCOUNTED = 100


def with_sample(known: Observations, snapshot: Snapshot, drained: Container[str]) -> Observations:
    """Take in the counts, if they are newer than the last."""
    read_at = snapshot.stats.read_at
    if read_at is None or (known.recent and read_at <= known.recent[-1].at):
        return with_counts(known, snapshot)
    sample = sample_of(snapshot)
    if sample is None:
        return known
    horizon = sample.at - timedelta(seconds=RECENT_S)
    old = next((n for n, s in enumerate(known.recent) if s.at >= horizon), len(known.recent))
    recent = (*known.recent[old:], sample)
    total = sample.sum
    if total is not None:
        known = _counted(known, sample.at)
        last = next((s for s in reversed(known.recent) if s.sum is not None), None)
        if last is not None and (sample.at - last.at).total_seconds() > UNCOUNTED_S:
            known = changed(known, before_gap=last)
    lowest = known.lowest_sum
    if total is not None and snapshot.blue_uid:
        lowest = total if lowest is None else min(lowest, total)
    before, known = known, with_deaths(known, snapshot, drained)
    if new := known.deaths[len(before.deaths) :]:
        lowest = _lowest_with(new, known.deaths, before.recent, lowest)
    start_sum = known.start_sum
    if not start_sum and total is not None:
        start_sum = max((n for _, n in _last_sums(before.recent)), default=total)
    return changed(known, recent=recent, lowest_sum=lowest, start_sum=start_sum)


def _lowest_with(
    new: Sequence[NodeDeath], deaths: Sequence[NodeDeath], recent: tuple[Sample, ...], lowest: int | None
) -> int | None:
    """The lowest sum with those who are cut off by `new` ends: they may be back before the next sample.

    Those who were told to be gone a moment before are not in a sum yet.
    """
    until = max(death.at for death in new)
    sums = _last_sums(tuple(sample for sample in recent if sample.at <= until))
    if not sums and lowest is not None:
        sums = [(datetime.min.replace(tzinfo=UTC), lowest)]
    if not sums:
        return lowest
    cut = [d for d in deaths if 0 <= (until - d.at).total_seconds() <= DROPS_BEFORE_S]
    left = max(0, max(n - sum(d.clients for d in cut if d.at > at) for at, n in sums))
    return left if lowest is None else min(lowest, left)


def _last_sums(recent: tuple[Sample, ...]) -> list[tuple[datetime, int]]:
    """The newest sum and those just before it, when nobody was cut off yet; newest first."""
    counted = [(s.at, s.sum) for s in reversed(recent) if s.sum is not None]
    return [(at, n) for at, n in counted if (counted[0][0] - at).total_seconds() <= DROPS_BEFORE_S]


def _counted(known: Observations, at: datetime) -> Observations:
    before, uncounted = known.counted_at, known.uncounted
    if before is not None and (at - before).total_seconds() > UNCOUNTED_S:
        uncounted = (*uncounted[1 - MAX_UNCOUNTED :], Uncounted(before, at))
    return changed(known, counted_from=known.counted_from or at, counted_at=at, uncounted=uncounted)


def sample_of(snapshot: Snapshot) -> Sample | None:
    """The live connections of a snapshot as one sample, stamped with the instant they were read; None without any.

    A node that should be counted and is not makes its generation unknown: a gap, not a dip. One that is split from the
    cluster counts for itself. Each node's own sampler has
    taken its count up to two seconds before, so that a client that moves meanwhile is in two counts or in none.
    """
    read_at = snapshot.stats.read_at
    if snapshot.stats.value is None or read_at is None or snapshot.stats.problem:
        return None
    counted = (m for m in snapshot.members if not m.pod.meta.deleting)
    nodes = {m.name: m.live_connections for m in counted if m.live_connections is not None}
    if not snapshot.blue_uid:
        return Sample(read_at, snapshot.total_live, 0, nodes)
    green = snapshot.green
    other = [g.live_connections for g in snapshot.generations if g.colour is Colour.NONE]
    return Sample(
        read_at,
        _on_blue(snapshot),
        green.live_connections if green else 0,
        nodes,
        None if None in other else sum(count or 0 for count in other),
    )


def _on_blue(snapshot: Snapshot) -> int | None:
    """None while it is not counted; nobody is on a set that was removed, once its pods are gone as well."""
    if snapshot.blue is not None:
        return snapshot.blue.live_connections
    pods = snapshot.pods.value
    if snapshot.stateful_sets.value is None or pods is None:
        return None
    return None if any(pod.meta.owner_uid == snapshot.blue_uid for pod in pods) else 0


def uncounted(known: Observations, begun_at: datetime, ended_at: datetime | None) -> tuple[Uncounted, ...]:
    """What nobody has counted since another console was last seen to drive, as far as this one can know.

    `begun_at`: when the release began. `ended_at`: when it ended; None while it runs, for who is not counted now may be
    counted in a moment.
    """
    since = known.driven_since
    if since is None:
        return ()
    found = [gap for gap in known.uncounted if gap.until > since]
    counted_from, counted_at = known.counted_from or ended_at, known.counted_at
    if counted_from is not None and (counted_from - since).total_seconds() > UNCOUNTED_S:
        found.insert(0, Uncounted(max(begun_at, since - timedelta(seconds=UNWRITTEN_S)), counted_from))
    if ended_at is not None and counted_at is not None and (ended_at - counted_at).total_seconds() > UNCOUNTED_S:
        found.append(Uncounted(counted_at, ended_at))
    return tuple(found)
