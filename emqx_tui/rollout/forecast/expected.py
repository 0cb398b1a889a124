"""PURE: how blue should empty, and how far a release is behind that.

It is what was told at the start; from the drains on it is made anew of what is left, with the rates in force, when
they were changed, in an adopted release, and by a console that came later. Its clock stands still while a gate waits
for a person or a hold stops everything: that time is in no forecast.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta

from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Member, Snapshot
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.forecast.forecast import CurvePoint, ReleaseShape, forecast, load_of
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.telling.stages import Stage, lasting

RUNNING = frozenset(Phase) - FINAL - {Phase.ABORTING}
EXACT_S = 5.0
"""So much off is nothing: counts are a second or two old, and drains move in steps."""


@dataclass(frozen=True)
class Fall:
    """Clients left on blue over the seconds that a release runs: straight lines between points, and never up."""

    points: tuple[tuple[float, int], ...]

    def left_at(self, running_s: float) -> float:
        place = bisect_right(self.points, running_s, key=lambda point: point[0])
        if place in (0, len(self.points)):
            return float(self.points[min(place, len(self.points) - 1)][1])
        (begin, before), (end, after) = self.points[place - 1 : place + 1]
        return before + (after - before) * (running_s - begin) / (end - begin)

    def first(self, clients: int) -> float:
        """When so many, or fewer, are left."""
        return self._after([n for n, (_, left) in enumerate(self.points) if left > clients], clients)

    def last(self, clients: int) -> float:
        """Until when so many, or more, are left."""
        return self._after([n for n, (_, left) in enumerate(self.points) if left >= clients], clients)

    def _after(self, above: list[int], clients: int) -> float:
        """Where the line behind the last of these points comes to a number of clients."""
        at = above[-1] if above else 0
        begin, before = self.points[at]
        if not above or at + 1 == len(self.points):
            return begin
        end, after = self.points[at + 1]
        return begin + (end - begin) * (before - clients) / (before - after)


@dataclass(frozen=True)
class Expected:
    """The forecast that a release is compared with, and the two ends of its band."""

    fixed_at: datetime
    rates: Rates
    blue: Fall
    quick: Fall
    slow: Fall
    clients: int
    """On blue and green together, when it was fixed."""


EARLY_S = 15.0
"""Who sees a release so soon after its start has seen all of it."""


def with_expected(known: Expected | None, snapshot: Snapshot, phase: Phase, journal: Journal) -> Expected | None:
    """What to compare with from now on; None in an abort, and where nothing is known that could be compared.

    With late removal evicted clients come back to blue, which the curve of a forecast does not tell.
    """
    if phase not in RUNNING or journal.late_removal:
        return known if phase is Phase.DONE else None
    if known is not None and known.rates == journal.rates:
        return known
    if known is None and (snapshot.now - journal.created_at).total_seconds() <= EARLY_S:
        return _told(snapshot.now, journal)
    is_draining = phase is Phase.DRAINING and journal.totals.first_drain_at is not None
    return _left(snapshot, journal) if is_draining else None


def _told(now: datetime, journal: Journal) -> Expected | None:
    """As the person was told who started it."""
    found = journal.forecast
    if found is None or not found.clients:
        return None
    middle_s = (found.total_low_s + found.total_high_s) / 2

    def fall(total_s: float) -> Fall:
        return Fall(tuple({round(at_s * total_s / middle_s, 1): blue for at_s, blue, _ in found.curve}.items()))

    band = fall(middle_s), fall(found.total_low_s), fall(found.total_high_s)
    return Expected(now, journal.rates, *band, clients=found.clients)


def _left(snapshot: Snapshot, journal: Journal) -> Expected | None:
    """Of what is left on blue now."""
    blue, green = snapshot.blue, snapshot.green
    on_blue = blue.live_connections if blue else None
    on_green = green.live_connections if green else None
    if blue is None or on_blue is None or on_green is None:
        return None
    loads = [load_of(member) for member in reversed(blue.members) if _is_to_drain(member)]
    shape = ReleaseShape(journal.rates, 0.0, 0.0, journal.parallel_drains, boot_s=0.0)
    found = forecast(loads, shape) if loads else None
    if found is None or not found.curve or not found.clients:
        return None
    band = (
        _fall(found.curve, found.green_s.middle),
        _fall(found.quick, found.green_s.low),
        _fall(found.slow, found.green_s.high),
    )
    return Expected(snapshot.now, journal.rates, *band, clients=on_blue + on_green)


def _fall(curve: tuple[CurvePoint, ...], begin_s: float) -> Fall:
    """Of a forecast in which green is up at `begin_s`."""
    return Fall(tuple({round(max(0.0, point.at_s - begin_s), 1): point.blue for point in curve}.items()))


def _is_to_drain(member: Member) -> bool:
    return bool(member.live_connections) and (member.evacuation is None or member.evacuation.evicts_connections)


# -- its clock ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clock:
    """How long a release had been running, at the instants at which it was stopped or started."""

    begin: datetime
    turns: tuple[tuple[float, float], ...]
    """(seconds since `begin`, seconds that it ran), straight lines between, and as quick as time after the last."""

    def running_s(self, at: datetime) -> float:
        passed_s = (at - self.begin).total_seconds()
        place = bisect_right(self.turns, passed_s, key=lambda turn: turn[0])
        if place == 0:
            return 0.0
        begin, drained = self.turns[place - 1]
        if place == len(self.turns):
            return drained + passed_s - begin
        end, running_then = self.turns[place]
        return drained + (running_then - drained) * (passed_s - begin) / (end - begin)

    def instant(self, running_s: float) -> datetime:
        """When it has run so long."""
        at, drained = next((turn for turn in reversed(self.turns) if turn[1] < running_s), (0.0, 0.0))
        return self.begin + timedelta(seconds=at + running_s - drained)


def clock(expected: Expected, stages: tuple[Stage, ...], now: datetime) -> Clock | None:
    """None where it is not known what happened since the forecast was fixed."""
    if not stages or stages[0].since > expected.fixed_at:
        return None
    turns, running_s = [(0.0, 0.0)], 0.0
    for stage, end in lasting(stages, now):
        begin = max(stage.since, expected.fixed_at)
        if end <= begin:
            continue
        running_s += 0.0 if stage.is_waiting else (end - begin).total_seconds()
        turns.append(((end - expected.fixed_at).total_seconds(), running_s))
    return Clock(expected.fixed_at, tuple(turns))


@dataclass(frozen=True)
class Deviation:
    """How far a release is off what was forecast."""

    behind_s: float
    """Negative: ahead."""
    is_in_band: bool
    """The forecast is no more exact than that."""


def deviation(expected: Expected, stages: tuple[Stage, ...], newest: Sample) -> Deviation | None:
    """Of the newest count of blue. None while it is not known: blue is not counted or empty, or not all was seen.

    Before the first drain the clients of blue come and go: then it is behind once the first one should have begun.
    """
    if not newest.blue or newest.at < expected.fixed_at:
        return None
    running = clock(expected, stages, newest.at)
    if running is None:
        return None
    running_s = running.running_s(newest.at)
    has_begun = any(stage.is_draining for stage in stages)
    left = newest.blue if has_begun else expected.blue.points[0][1]
    behind_s = _outside(running_s, expected.blue.first(left), expected.blue.last(left))
    off_band_s = _outside(running_s, expected.quick.first(left), expected.slow.last(left))
    return Deviation(round(behind_s, 1), abs(off_band_s) <= EXACT_S)


def _outside(at: float, first: float, last: float) -> float:
    """How far an instant lies after, or negative before, a stretch."""
    return at - min(max(at, first), last)
