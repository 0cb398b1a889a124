"""The forecast of the drains that a release is compared with, and how far it is off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.series import Sample
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.forecast.expected import Deviation, Expected, Fall, clock, deviation, with_expected
from emqx_tui.rollout.forecast.start_forecast import StartForecast
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.telling.stages import Stage
from emqx_tui.session.views.view import View
from tests.support import releases
from tests.support.releases import NOW

FALL = Fall(((0.0, 300), (1.0, 300), (11.0, 200), (15.0, 200), (35.0, 0), (40.0, 0)))
EXPECTED = Expected(NOW, Rates(10, 10, 5), FALL, FALL, FALL, 300)
DRAINING = (Stage(NOW, Phase.DRAINING, is_draining=True),)


def sample(second: float, blue: int | None) -> Sample:
    return Sample(NOW + timedelta(seconds=second), blue, 0, {})


def fixed(view: View, phase: Phase = Phase.DRAINING, known: Expected | None = None) -> Expected | None:
    assert view.journal is not None
    return with_expected(known, view.snapshot, phase, view.journal)


@pytest.mark.parametrize(
    ("second", "left"), [(-5, 300), (0, 300), (1, 300), (6, 250), (11, 200), (13, 200), (25, 100), (35, 0), (99, 0)]
)
def test_clients_left_lie_on_straight_lines(second: float, left: float) -> None:
    assert FALL.left_at(second) == left


@pytest.mark.parametrize(
    ("clients", "first", "last"),
    [(999, 0, 0), (300, 0, 1), (250, 6, 6), (200, 11, 15), (100, 25, 25), (0, 35, 40)],
    ids=["more than there were", "all", "falling", "between two drains", "half", "none"],
)
def test_when_so_many_are_left(clients: int, first: float, last: float) -> None:
    assert (FALL.first(clients), FALL.last(clients)) == (first, last)


@pytest.mark.parametrize(
    ("second", "blue", "behind_s"),
    [(6, 250, 0), (13, 200, 0), (18, 250, 12), (18, 200, 3), (6, 100, -19), (5, 200, -6), (9, 400, 9)],
)
def test_a_release_is_behind_by_the_time_since_so_many_were_expected(second: float, blue: int, behind_s: float) -> None:
    assert deviation(EXPECTED, DRAINING, sample(second, blue)) == Deviation(behind_s, abs(behind_s) <= 5)


@given(st.floats(1, 34.9), st.floats(0, 500))
def test_whoever_follows_it_late_is_behind_by_that(running_s: float, late_s: float) -> None:
    left = FALL.left_at(running_s)
    found = deviation(EXPECTED, DRAINING, sample(running_s + late_s, round(left)))
    if found is not None and not 10 < running_s < 16:
        assert found.behind_s == pytest.approx(late_s, abs=0.2)


def test_it_is_in_the_band_between_the_quick_and_the_slow_course() -> None:
    slow = Fall(tuple((at * 2, left) for at, left in FALL.points))
    wide = replace(EXPECTED, slow=slow)
    assert deviation(wide, DRAINING, sample(18, 250)) == Deviation(12, is_in_band=False)
    assert deviation(wide, DRAINING, sample(16, 250)) == Deviation(10, is_in_band=True)


@pytest.mark.parametrize(
    ("stages", "newest"),
    [
        (DRAINING, sample(5, None)),
        (DRAINING, sample(5, 0)),
        (DRAINING, sample(-1, 300)),
        ((), sample(5, 200)),
        ((replace(DRAINING[0], since=NOW + timedelta(seconds=1)),), sample(5, 200)),
    ],
    ids=["not counted", "blue is empty", "older than the forecast", "nothing seen", "not all seen"],
)
def test_what_is_not_known_is_no_deviation(stages: tuple[Stage, ...], newest: Sample) -> None:
    assert deviation(EXPECTED, stages, newest) is None


def test_the_time_that_people_take_does_not_count() -> None:
    def at(second: int) -> Stage:
        return replace(DRAINING[0], since=NOW + timedelta(seconds=second))

    stages = (at(0), replace(at(11), gate=GateId.node(1), is_draining=False), at(111))
    assert deviation(EXPECTED, stages[:2], sample(80, 200)) == Deviation(0, is_in_band=True)
    assert deviation(EXPECTED, stages, sample(121, 200)) == Deviation(6, is_in_band=False)
    running = clock(EXPECTED, stages, NOW + timedelta(seconds=121))
    assert running is not None
    seconds = [running.running_s(NOW + timedelta(seconds=n)) for n in (-5, 0, 5, 11, 60, 111, 121, 131)]
    assert seconds == [0, 0, 5, 11, 11, 11, 21, 31]


def test_what_is_left_is_expected_from_the_drains_on_and_kept_to_the_end() -> None:
    view = releases.draining()
    found = fixed(view)
    assert found is not None
    assert found.fixed_at == view.now
    assert found.blue.points[0] == (0.0, 27_131 + 33_120)
    assert found.blue.points[-1][1] == 0
    assert all(after <= before for (_, before), (_, after) in pairwise(found.blue.points))
    assert found.quick.first(0) < found.blue.first(0) < found.slow.first(0)
    assert fixed(releases.at_gate(), known=found) is found
    assert fixed(releases.done(), Phase.FINISHING, found) is found


def test_two_drains_at_once_are_expected_to_take_less_time() -> None:
    view = releases.draining()
    before, after = fixed(view), fixed(replace(view, journal=releases.journal(parallel_drains=2)))
    assert before is not None
    assert after is not None
    assert after.blue.first(0) < 0.7 * before.blue.first(0)


def test_other_rates_make_another_one() -> None:
    view = releases.draining()
    slower = replace(view, journal=releases.journal(rates=Rates(50, 50, 5)))
    before, after = fixed(view), fixed(slower, known=fixed(view))
    assert before is not None
    assert after is not None
    assert after.blue.first(0) > 3 * before.blue.first(0)


@pytest.mark.parametrize(
    ("phase", "known"),
    [(Phase.CREATING_GREEN, None), (Phase.READY_TO_CUT_OVER, EXPECTED), (Phase.ABORTING, EXPECTED)],
    ids=["for who came later", "once the rates have changed", "in an abort"],
)
def test_there_is_none_before_the_drains(phase: Phase, known: Expected | None) -> None:
    assert fixed(releases.draining(), phase, known) is None


TOLD = StartForecast(80, 120, 300, 300, 10, 10, (), ((0, 300, 0), (50, 300, 0), (90, 0, 300), (100, 0, 300)))


def begun(**fields: Any) -> View:
    journal = releases.journal(created_at=NOW - timedelta(seconds=1), forecast=TOLD, **fields)
    return replace(releases.draining(), journal=journal)


def test_what_was_told_at_the_start_is_expected_from_the_start() -> None:
    found = fixed(begun(), Phase.STARTING)
    assert found is not None
    assert (found.fixed_at, found.clients) == (NOW, 300)
    assert found.blue.points == ((0, 300), (50, 300), (90, 0), (100, 0))
    assert (found.quick.first(0), found.slow.first(0)) == (72, 108)
    assert fixed(begun(), Phase.CREATING_GREEN, found) is found
    assert fixed(begun(late_removal=True), Phase.STARTING) is None


@pytest.mark.parametrize(("second", "behind_s"), [(10, 0), (49, 0), (58, 8)])
def test_before_the_first_drain_it_is_behind_once_that_should_have_begun(second: int, behind_s: float) -> None:
    found = fixed(begun(), Phase.STARTING)
    assert found is not None
    stages = (Stage(NOW, Phase.CREATING_GREEN),)
    expected = Deviation(behind_s, is_in_band=True)
    assert deviation(found, stages, sample(second, 297)) == deviation(found, stages, sample(second, 302)) == expected


def test_there_is_none_with_late_removal_nor_while_a_node_is_not_counted() -> None:
    view = releases.draining()
    assert fixed(replace(view, journal=releases.journal(late_removal=True))) is None
    stats = {
        name: stats for name, stats in (view.snapshot.stats.value or {}).items() if f"{releases.BLUE}-0" not in name
    }
    blind = replace(view.snapshot, stats=replace(view.snapshot.stats, value=stats))
    assert fixed(replace(view, snapshot=blind)) is None
