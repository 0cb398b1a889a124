"""What a later driver needs of the counts is in the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state import bookkeeping
from emqx_tui.rollout.state.journal import AbortRecord, NodeDeath, Totals, Uncounted
from emqx_tui.rollout.state.observed import Canary
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind, NodeWatch
from tests.support import scenes as build
from tests.support.scenes import DRAINED, Scene, ago, approved, draining_place, noted, remembered, with_place

TOP, GREEN = f"{build.BLUE_NAME}-2", f"{build.GREEN_NAME}-0"


def test_the_counts_from_before_the_drains_are_written_down() -> None:
    scene = with_place(approved(build.draining(), "node:2"), "blue", 2, **draining_place())
    scene = remembered(scene, baseline={TOP: 310}, initial={TOP: 305}, left={TOP: 290}, green_baseline=7)
    journal = scene.decide().journal
    assert journal is not None
    assert journal.totals.baseline == {TOP: 310}
    assert journal.totals.initial == {TOP: 305}
    assert journal.totals.left == {TOP: 100}
    assert journal.totals.green_baseline == 7


def test_the_counts_from_before_the_drains_back_are_written_down() -> None:
    scene = noted(build.draining(), abort=AbortRecord("ann@host", ago(60), "e"))
    journal = remembered(scene, initial_back={GREEN: 41}).decide().journal
    assert journal is not None
    assert journal.totals.initial_back == {GREEN: 41}


ABORT = AbortRecord("ann@host", ago(60), "e")
FIRST = Totals(clients=900, first_drain_at=ago(90))
ABORTING = noted(build.draining(), abort=ABORT, totals=FIRST, canary_passed_at=ago(120))
WATCHED = build.canary(watched_s=5.0)


def left_emqx(clients: int | None, kind: IncidentKind) -> Scene:
    scene = build.draining()
    incident = Incident(kind, TOP, Colour.BLUE, ago(30), clients)
    return remembered(scene, nodes=NodeWatch(is_begun=True, incidents=(incident,)))


UNCOUNTABLE: dict[str, tuple[Scene, bool]] = {
    "a release as it should be": (build.draining(), False),
    "an abort after the drains were over": (ABORTING, False),
    "an abort before any drain": (noted(build.draining(), abort=ABORT), False),
    "an abort in a drain": (remembered(ABORTING, initial={TOP: 300}, left={TOP: 120}), True),
    "an abort after a drain was over": (remembered(ABORTING, initial={TOP: 300}, left={TOP: 0}), False),
    "an abort on a network of which nothing is known": (
        noted(ABORTING, canary_passed_at=None),
        True,
    ),
    "an abort of a drain that nobody has seen begin": (noted(ABORTING, starts={TOP: ago(61)}), True),
    "a network that cuts connections": (noted(build.draining(), canary_failed="it lost 40"), True),
    "a broker that EMQX restarted": (left_emqx(40, IncidentKind.LEFT_EMQX), True),
    "a node that died while nobody looked": (left_emqx(None, IncidentKind.POD_LOST), True),
    "who was cut off or evicted before this console could count": (
        remembered(build.draining(), is_uncountable=True),
        True,
    ),
    "a node that died": (left_emqx(40, IncidentKind.POD_LOST), False),
    "a canary of few clients that lost most": (
        remembered(WATCHED, canary=Canary(TOP, ago(5), 10, 0, 30), canary_cut=6),
        True,
    ),
    "a canary that lost half at most": (
        remembered(WATCHED, canary=Canary(TOP, ago(5), 10, 0, 30), canary_cut=5),
        False,
    ),
}


@pytest.mark.parametrize(
    ("scene", "is_seen"),
    [
        (build.draining(), False),
        (with_place(build.draining(), "blue", 0, **draining_place()), True),
        (with_place(build.draining(), "blue", 0, own=120), True),
        (replace(build.draining(), rebalances=1), True),
    ],
    ids=["nobody", "a drain", "a drain that EMQX has not told of", "a rebalance"],
)
def test_when_clients_were_first_sent_away_is_noted_once(scene: Scene, is_seen: bool) -> None:
    journal = scene.decide().journal
    assert journal is not None
    assert journal.totals.evicted_at == (build.NOW if is_seen else None)
    known = noted(scene, totals=Totals(evicted_at=ago(50)))
    assert bookkeeping.with_totals(known.context(), Phase.DRAINING, []).totals.evicted_at == ago(50)


@pytest.mark.parametrize(("scene", "is_lower_bound"), UNCOUNTABLE.values(), ids=UNCOUNTABLE)
def test_figures_without_what_nobody_could_count_are_a_lower_bound(scene: Scene, is_lower_bound: bool) -> None:
    context = scene.context()
    assert bookkeeping.with_totals(context, Phase.DRAINING, []).totals.is_lower_bound is is_lower_bound


@pytest.mark.parametrize(
    ("scene", "are_counted"),
    [
        (build.draining(), True),
        (with_place(build.draining(), "blue", 0, **draining_place()), True),
        (replace(build.draining(), rebalances=1), False),
        (with_place(build.draining(), "green", 0, **draining_place()), False),
        (with_place(build.draining(), "green", 0, own=28), False),
        (with_place(ABORTING, "blue", 0, **draining_place()), False),
    ],
    ids=[
        "nobody",
        "blue, which is counted as a drain",
        "a rebalance",
        "green",
        "green, by the node's own word",
        "blue in an abort",
    ],
)
def test_whom_others_have_evicted_is_not_known_afterwards_either(scene: Scene, are_counted: bool) -> None:
    memory = scene.decided()[1]
    journal = replace(build.draining(), journal=scene.journal, memory=memory).decide().journal
    assert journal is not None
    assert journal.totals.is_lower_bound is not are_counted


def test_a_lower_bound_stays_one() -> None:
    known = noted(build.draining(), totals=Totals(is_lower_bound=True, cut_by_canary=7, deaths=(DEATH,), killed=40))
    totals = bookkeeping.with_totals(known.context(), Phase.DRAINING, []).totals
    assert (totals.is_lower_bound, totals.cut_by_canary, totals.killed) == (True, 7, 40)


@pytest.mark.parametrize(("late_s", "start_sum"), [(-60, 880), (12, 880), (13, None)])
def test_a_sum_that_was_counted_late_is_not_that_of_the_start(late_s: int, start_sum: int | None) -> None:
    """The first driver died before it counted: who was cut off until the next one came is in no sum."""
    scene = build.draining()
    assert scene.journal
    counted_from = scene.journal.created_at + timedelta(seconds=late_s)
    context = remembered(scene, start_sum=880, counted_from=counted_from).context()
    assert bookkeeping.with_totals(context, Phase.DRAINING, []).totals.start_sum == start_sum


def test_what_was_counted_first_stays_whoever_drives_later() -> None:
    scene = remembered(build.draining(), start_sum=880)
    totals = bookkeeping.with_totals(scene.context(), Phase.DRAINING, []).totals
    assert totals.start_sum == 880
    known = noted(scene, totals=Totals(start_sum=900, early=3))
    totals = bookkeeping.with_totals(known.context(), Phase.DRAINING, []).totals
    assert (totals.start_sum, totals.early) == (900, 3)


def on_green(*counts: tuple[float, int | None]) -> tuple[Sample, ...]:
    """Samples by age: so many clients were on green."""
    return tuple(Sample(ago(age_s), 900, clients, {}) for age_s, clients in counts)


EARLY: dict[str, tuple[Scene, tuple[Sample, ...], int | None]] = {
    "the last before the cut-over": (build.draining(), on_green((61, 3), (60, 5), (59, 40)), 5),
    "green was not counted at the cut-over": (build.draining(), on_green((61, 3), (60, None), (59, 40)), 3),
    "this console came after the cut-over": (build.draining(), on_green((59, 40)), None),
    "nobody has counted in this release": (build.draining(), on_green((301, 7)), None),
    "counted as it began": (build.draining(), on_green((300, 7)), 7),
    "an abort before the cut-over": (noted(build.ready(), abort=ABORT), on_green((61, 3), (60, 5), (59, 40)), 5),
    "neither so far": (build.ready(), on_green((61, 3)), None),
}


@pytest.mark.parametrize(("scene", "recent", "early"), EARLY.values(), ids=EARLY)
def test_how_many_came_to_green_before_the_cut_over(
    scene: Scene, recent: tuple[Sample, ...], early: int | None
) -> None:
    context = remembered(scene, recent=recent).context()
    assert bookkeeping.with_totals(context, Phase.DRAINING, []).totals.early == early


MIDDLE = f"{build.BLUE_NAME}-1"
EMPTIED = with_place(noted(build.drained(), totals=Totals(sessions_left={MIDDLE: 4})), "blue", 2, sessions=12)
SESSIONS_LEFT: dict[str, tuple[Scene, dict[str, int]]] = {
    "beside those of nodes that are gone": (EMPTIED, {MIDDLE: 4, TOP: 12}),
    "fewer than were seen before": (with_place(EMPTIED, "blue", 1, **DRAINED, sessions=3), {MIDDLE: 3, TOP: 12}),
    "none": (with_place(EMPTIED, "blue", 2, sessions=0), {MIDDLE: 4}),
    "not those of a node that is not drained": (with_place(EMPTIED, "blue", 1, sessions=9), {MIDDLE: 4, TOP: 12}),
    "none end in an abort": (noted(EMPTIED, abort=ABORT), {MIDDLE: 4}),
}


@pytest.mark.parametrize(("scene", "sessions_left"), SESSIONS_LEFT.values(), ids=SESSIONS_LEFT)
def test_sessions_that_end_with_their_node_are_written_down(scene: Scene, sessions_left: dict[str, int]) -> None:
    assert bookkeeping.with_totals(scene.context(), Phase.DRAINING, []).totals.sessions_left == sessions_left


DEATH = NodeDeath(GREEN, "uid/0", 40, ago(50))


def test_deaths_that_other_drivers_saw_are_added_to_those_seen_here() -> None:
    other = NodeDeath(TOP, "uid/0", 200, ago(20))
    known = noted(build.draining(), totals=Totals(deaths=(DEATH,), killed=40))
    totals = bookkeeping.with_totals(remembered(known, deaths=(DEATH, other)).context(), Phase.DRAINING, []).totals
    assert (totals.deaths, totals.killed) == ((DEATH, other), 240)
    old = noted(build.draining(), totals=Totals(killed=300))
    assert bookkeeping.with_totals(old.context(), Phase.DRAINING, []).totals.killed == 300


def test_stretches_that_nobody_counted_are_noted_in_order_beside_those_of_other_drivers() -> None:
    first, second, third = (Uncounted(ago(age_s), ago(age_s - 20)) for age_s in (200, 150, 100))
    scene = noted(build.draining(), totals=Totals(uncounted=(first, third)))
    totals = bookkeeping.with_totals(scene.context(), Phase.DRAINING, []).totals
    assert totals.uncounted == (first, third)
    driving = remembered(scene, driven_since=ago(250), counted_from=ago(240), uncounted=(second, third))
    totals = bookkeeping.with_totals(driving.context(), Phase.DRAINING, []).totals
    assert totals.uncounted == (first, second, third)
    overlapping = replace(second, until=third.since + timedelta(seconds=1))
    driving = remembered(scene, driven_since=ago(250), counted_from=ago(240), uncounted=(overlapping, second))
    totals = bookkeeping.with_totals(driving.context(), Phase.DRAINING, []).totals
    assert totals.uncounted == (first, Uncounted(second.since, third.until))


@pytest.mark.parametrize(("failed", "cut"), [("", 0), ("it lost 40", 38)])
def test_clients_that_the_network_cut_count_once_the_canary_has_failed(failed: str, cut: int) -> None:
    scene = noted(remembered(WATCHED, canary_cut=38), canary_failed=failed)
    assert bookkeeping.with_totals(scene.context(), Phase.CANARY, []).totals.cut_by_canary == cut


@pytest.mark.parametrize(("was_drained", "evicted"), [(True, 190), (False, 200)])
def test_whom_another_console_has_noted_as_cut_off_in_a_drain_the_drain_has_not_evicted(
    was_drained: bool, evicted: int
) -> None:
    """Each counts at other instants: 110 of 300 it has noted, 100 this one has seen."""
    here = NodeDeath(TOP, "uid/0", 100, ago(1), was_drained)
    seen = remembered(build.draining(), deaths=(here,), initial={TOP: 200}, left={TOP: 0})
    scene = noted(seen, totals=Totals(deaths=(replace(here, clients=110),)))
    totals = bookkeeping.with_totals(scene.context(), Phase.DRAINING, []).totals
    assert (totals.evicted, totals.killed) == (evicted, 110)
