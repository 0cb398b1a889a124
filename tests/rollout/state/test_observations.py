"""The recent past of the counts: samples, the ledger, and what was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.containers import Container, PodCondition, Termination
from emqx_tui.model.evacuation import EvacuationState, GlobalStatus
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.state.deaths import all_deaths
from emqx_tui.rollout.state.drains import STOPPED_S, evicted, returned
from emqx_tui.rollout.state.journal import AbortRecord, Totals
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.rollout.state.observations import observe
from emqx_tui.rollout.state.observed import Observations, Progress
from emqx_tui.rollout.state.samples import sample_of, uncounted
from tests.support import scenes as build
from tests.support.scenes import (
    Place,
    Scene,
    ago,
    approved,
    draining_place,
    noted,
    with_place,
    with_side,
    without_place,
)

TOP, MIDDLE, LOW = (f"{build.BLUE_NAME}-{k}" for k in (2, 1, 0))
DRAINING = approved(build.draining(), "node:2")


def at(scene: Scene, seconds: float) -> Scene:
    return replace(scene, now=build.NOW + timedelta(seconds=seconds))


def counted(scene: Scene, **live: int | None) -> Scene:
    """`scene` with other live counts: `b2=7` is node 2 of blue."""
    for name, count in live.items():
        scene = with_place(scene, "blue" if name[0] == "b" else "green", int(name[1:]), live=count)
    return scene


def seen(*scenes: Scene, memory: Observations | None = None) -> Observations:
    kept = memory or Observations()
    for scene in scenes:
        kept = observe(kept, scene.snapshot(), scene.journal)
    return kept


# -- samples ------------------------------------------------------------------------------------------------------


def test_a_sample_is_stamped_with_the_instant_at_which_it_was_read() -> None:
    sample = sample_of(counted(DRAINING, g0=5).snapshot())
    assert sample is not None
    assert sample.at == ago(0.5)
    assert (sample.blue, sample.green, sample.sum) == (900, 5, 905)
    assert sample.nodes[TOP] == 300


def test_outside_a_release_the_whole_cluster_is_one() -> None:
    sample = sample_of(build.idle().snapshot())
    assert sample is not None
    assert (sample.blue, sample.green, sample.sum) == (900, 0, 900)


@pytest.mark.parametrize(
    ("live", "blue", "green"), [({"b1": None}, None, 0), ({"g1": None}, 900, None)], ids=["blue", "green"]
)
def test_a_node_that_is_not_counted_leaves_a_gap(live: Mapping[str, None], blue: int | None, green: int | None) -> None:
    sample = sample_of(counted(DRAINING, **live).snapshot())
    assert sample is not None
    assert (sample.blue, sample.green, sample.sum) == (blue, green, None)


@pytest.mark.parametrize(("live", "other"), [(7, 21), (None, None)])
def test_clients_of_a_third_set_are_in_the_sum(live: int | None, other: int | None) -> None:
    third = build.third()
    places = {ordinal: replace(place, live=live) for ordinal, place in third.places.items()}
    sample = sample_of(replace(DRAINING, third=replace(third, places=places)).snapshot())
    assert sample is not None
    assert (sample.blue, sample.green, sample.other) == (900, 0, other)
    assert sample.sum == (None if other is None else 900 + other)


def test_a_node_that_does_not_run_has_no_clients_to_count() -> None:
    sample = sample_of(with_place(DRAINING, "green", 1, is_joined=False, is_ready=False, live=None).snapshot())
    assert sample is not None
    assert (sample.green, sample.sum) == (0, 900)


@pytest.mark.parametrize(("side", "blue", "green"), [("blue", None, 0), ("green", 900, None)])
def test_a_node_that_emqx_leaves_out_while_its_pod_is_up_leaves_a_gap(
    side: str, blue: int | None, green: int | None
) -> None:
    """EMQX does not list a node that hangs: its clients are still on it, as far as anybody knows."""
    sample = sample_of(with_place(DRAINING, side, 1, is_joined=False).snapshot())
    assert sample is not None
    assert (sample.blue, sample.green, sample.sum) == (blue, green, None)


def test_who_is_left_out_makes_no_lowest_sum_and_no_missing_clients() -> None:
    before = seen(*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=150), 2))
    hung = at(with_place(counted(evacuating(DRAINING, 2, live=100), g0=150), "blue", 1, is_joined=False), 3)
    later = seen(hung, memory=before)
    assert later.ledger == before.ledger
    assert later.lowest_sum == before.lowest_sum


def test_no_sample_of_a_source_that_is_silent() -> None:
    snapshot = DRAINING.snapshot()
    assert sample_of(replace(snapshot, stats=replace(snapshot.stats, problem="timed out"))) is None
    assert sample_of(replace(snapshot, stats=Reading(None, None))) is None


def test_the_lowest_sum_leaves_gaps_out() -> None:
    memory = seen(
        DRAINING, at(counted(DRAINING, b2=250), 1), at(counted(DRAINING, b2=250, b1=None), 2), at(DRAINING, 3)
    )
    assert (memory.start_sum, memory.lowest_sum) == (900, 850)


def test_who_was_cut_off_before_the_first_count_of_the_release_was_there_at_its_start() -> None:
    idle = replace(DRAINING, journal=None)
    begun = Memory(observations=seen(idle)).afresh().observations
    memory = seen(at(dead(DRAINING, 1), 1), at(counted(dead(DRAINING, 1), g0=300), 3), memory=begun)
    assert [death.clients for death in memory.deaths] == [300]
    assert (memory.start_sum, memory.lowest_sum) == (900, 600)


def test_who_died_while_nobody_was_counted_makes_the_lowest_sum() -> None:
    """Clients are back on other nodes before the next count."""
    silent = at(with_place(dead(DRAINING, 1), "blue", 0, live=None), 3)
    back = at(counted(dead(DRAINING, 1), b0=600), 12)
    assert seen(DRAINING, silent, back).lowest_sum == 600


def test_who_is_told_to_be_gone_one_after_another_is_gone_together() -> None:
    """A watch that is late tells of each pod by itself, and nobody counts every client meanwhile."""
    silent = with_place(with_place(dead(DRAINING, 1), "blue", 0, live=None), "blue", 2, live=None)
    both = dead(silent, 0)
    assert seen(DRAINING, at(silent, 3), at(both, 6)).lowest_sum == 300
    assert seen(DRAINING, at(silent, 3), at(both, 30)).lowest_sum == 600, "the first may be back by then"


def test_who_dies_soon_after_others_makes_the_lowest_sum_with_them() -> None:
    """The others were counted to be gone meanwhile; all are back by the next count."""
    one = dead(DRAINING, 1)
    back = counted(dead(one, 0), b2=900)
    assert seen(DRAINING, at(one, 2), at(one, 4), at(back, 5.5)).lowest_sum == 300


def test_what_nobody_counted_since_the_driver_before_is_told() -> None:
    def told(
        memory: Observations, since_s: float, ended_s: float | None = None, begun_s: float = -600
    ) -> list[tuple[float, float]]:
        """Seconds before or after the first scene."""
        driver = Memory(observations=memory).took_over(build.NOW + timedelta(seconds=since_s))
        ended_at = None if ended_s is None else build.NOW + timedelta(seconds=ended_s)
        found = uncounted(driver.observations, build.NOW + timedelta(seconds=begun_s), ended_at)
        return [tuple((end - build.NOW).total_seconds() for end in (gap.since, gap.until)) for gap in found]

    arrived = seen(at(DRAINING, 60), at(DRAINING, 61))
    assert uncounted(arrived, build.NOW, None) == (), "one that only looks says nothing for the journal"
    assert told(arrived, 10) == [(-20, 59.5)], "what was counted shortly before may not have been written"
    assert told(arrived, 10, begun_s=-5) == [(-5, 59.5)], "nothing had to be counted before the release"
    assert told(arrived, 50) == []
    hung = seen(*(at(with_place(DRAINING, "blue", 1, is_joined=False), 62 + n) for n in range(30)), memory=arrived)
    back = seen(at(DRAINING, 95), memory=hung)
    assert told(back, 60) == [(60.5, 94.5)], "EMQX did not answer for all"
    assert told(back, 100) == [], "another console drove, and counted, then"
    assert told(arrived, 50, ended_s=70) == []
    assert told(arrived, 50, ended_s=80) == [(60.5, 80)], "nobody counted the end"
    assert told(Observations(), 50, ended_s=80) == [(20, 80)], "this console counted nothing"
    assert told(Observations(), 50) == []


@pytest.mark.parametrize(("pods", "on_blue"), [({}, 0), ({1: Place()}, None)], ids=["and its pods", "its pods are up"])
def test_nobody_is_on_a_set_that_was_removed_with_its_pods(pods: Mapping[int, Place], on_blue: int | None) -> None:
    gone = with_side(DRAINING, "blue", places=pods)
    snapshot = replace(gone.snapshot(), stateful_sets=Reading((), build.NOW))
    assert [sample.blue for sample in [sample_of(snapshot)] if sample] == [on_blue]


def test_the_same_answer_twice_is_one_sample_and_the_past_is_bounded() -> None:
    assert len(seen(DRAINING, DRAINING).recent) == 1
    memory = seen(*(at(DRAINING, 10.0 * k) for k in range(40)))
    assert 13 <= len(memory.recent) <= 15
    assert (memory.recent[-1].at - memory.recent[0].at).total_seconds() <= 130.0


# -- the ledger ---------------------------------------------------------------------------------------------------


def evacuating(scene: Scene, ordinal: int, state: str = "evicting_conns", live: int = 300) -> Scene:
    return with_place(scene, "blue", ordinal, **draining_place(state, live))


def books(*scenes: Scene) -> tuple[int | None, int | None, int | None, int | None]:
    ledger = seen(*scenes).ledger
    return ledger.evicted, ledger.landed, ledger.bounced, ledger.missing


BEGUN = (DRAINING, at(evacuating(DRAINING, 2), 1))
LEDGERS: dict[str, tuple[tuple[Scene, ...], tuple[int, int, int, int]]] = {
    "begun": (BEGUN, (0, 0, 0, 0)),
    "all landed": ((*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)), (200, 200, 0, 0)),
    "some on their way": ((*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=150), 2)), (200, 150, 0, 50)),
    "some bounced to blue": (
        (*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=150, b0=330), 2)),
        (200, 150, 30, 20),
    ),
    "who bounced to blue is evicted a second time": (
        (
            counted(DRAINING, b1=270),
            at(counted(evacuating(DRAINING, 2), b1=270), 1),
            at(counted(evacuating(DRAINING, 2, live=0), g0=270, b1=300), 2),
            at(counted(evacuating(evacuating(DRAINING, 2, live=0), 1, live=300), g0=270), 3),
            at(counted(evacuating(evacuating(DRAINING, 2, live=0), 1, live=0), g0=570), 4),
        ),
        (600, 570, 30, 0),
    ),
    "some had left for green before the drain of their own node": (
        (
            counted(DRAINING, b1=310),
            at(counted(evacuating(DRAINING, 2), b1=310), 1),
            at(counted(evacuating(DRAINING, 2, live=0), g0=300, b1=310), 2),
            at(counted(evacuating(evacuating(DRAINING, 2, live=0), 1, live=300), g0=310), 3),
            at(counted(evacuating(evacuating(DRAINING, 2, live=0), 1, live=100), g0=460), 4),
        ),
        (500, 450, 0, 50),
    ),
    "green had early traffic, and some are missing": (
        (
            counted(DRAINING, g0=40),
            at(counted(evacuating(DRAINING, 2), g0=40), 1),
            at(counted(evacuating(DRAINING, 2, live=0), g0=290), 2),
        ),
        (300, 250, 0, 50),
    ),
    "others moved by themselves": (
        (*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=210, b0=290), 2)),
        (200, 200, 0, 0),
    ),
    "all of a node that waits had moved by themselves": (
        (*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=450, b0=0), 2)),
        (200, 150, 0, 50),
    ),
    "nobody was on a node that waits": (
        (
            counted(DRAINING, b0=0),
            at(counted(evacuating(DRAINING, 2), b0=0), 1),
            at(counted(evacuating(DRAINING, 2, live=100), g0=150, b0=0), 2),
        ),
        (200, 150, 0, 50),
    ),
    "the node is gone": (
        (
            *BEGUN,
            at(
                counted(
                    with_side(without_place(noted(DRAINING, drained=(TOP,)), "blue", 2), "blue", replicas=2), g0=300
                ),
                2,
            ),
        ),
        (300, 300, 0, 0),
    ),
    "green had early traffic": (
        (
            counted(DRAINING, g0=40),
            at(counted(evacuating(DRAINING, 2), g0=40), 1),
            at(counted(evacuating(DRAINING, 2, live=0), g0=340), 2),
        ),
        (300, 300, 0, 0),
    ),
}


@pytest.mark.parametrize(("scenes", "expected"), LEDGERS.values(), ids=LEDGERS)
def test_evicted_is_landed_and_bounced_and_missing(
    scenes: tuple[Scene, ...], expected: tuple[int, int, int, int]
) -> None:
    assert books(*scenes) == expected


@given(st.lists(st.integers(0, 400), min_size=6, max_size=6))
def test_the_books_always_balance(counts: list[int]) -> None:
    b2, b1, b0, g0, g1, g2 = counts
    later = at(counted(evacuating(DRAINING, 2, live=b2), b1=b1, b0=b0, g0=g0, g1=g1, g2=g2), 2)
    evicted, landed, bounced, missing = books(*BEGUN, later)
    assert None not in (evicted, landed, bounced, missing)
    assert evicted == (landed or 0) + (bounced or 0) + (missing or 0)


@given(st.lists(st.none() | st.integers(0, 400), min_size=6, max_size=6), st.integers(0, 300), st.integers(1, 30))
def test_no_figure_of_the_books_is_negative_or_over_the_evicted(
    counts: list[int | None], green_before: int, later_s: int
) -> None:
    b2, b1, b0, g0, g1, g2 = counts
    known = Totals(green_baseline=green_before, baseline={TOP: 300, MIDDLE: 300, LOW: 300}, initial={TOP: 300})
    draining = noted(evacuating(DRAINING, 2, live=300 if b2 is None else b2), totals=known)
    scenes = [
        counted(draining, b1=300, b0=300),
        at(counted(draining, b2=b2, b1=b1, b0=b0, g0=g0, g1=g1, g2=g2), later_s),
    ]
    ledger = seen(*scenes).ledger
    figures = (ledger.landed, ledger.bounced, ledger.missing, ledger.on_their_way, ledger.overdue, ledger.max_missing)
    assert ledger.evicted is not None
    assert all(
        figure is None or 0 <= figure <= ledger.evicted for figure in figures if figure is not ledger.max_missing
    )
    assert (ledger.on_their_way or 0) <= (ledger.missing or 0)
    assert ledger.unasked >= 0


@pytest.mark.parametrize("silent", ["b0", "g1"])
def test_the_books_open_once_every_node_is_counted(silent: str) -> None:
    part = at(counted(evacuating(DRAINING, 2, live=300), g0=40, **{silent: None}), 1)
    opened = seen(part)
    assert (opened.baseline, opened.ledger.evicted) == ({}, None)
    whole = seen(at(counted(evacuating(DRAINING, 2, live=300), g0=40), 2), memory=opened)
    assert (whole.baseline, whole.green_baseline) == ({TOP: 300, MIDDLE: 300, LOW: 300}, 40)


def test_a_gap_in_the_counts_keeps_the_last_books() -> None:
    before = seen(*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=150), 2))
    gap = at(counted(evacuating(DRAINING, 2, live=50), g1=None), 3)
    assert seen(gap, memory=before).ledger == before.ledger


def test_who_was_evicted_within_ten_seconds_is_on_the_way() -> None:
    memory = seen(*BEGUN, at(counted(evacuating(DRAINING, 2, live=200), g0=50), 2))
    assert memory.ledger.on_their_way == 50
    later = seen(at(counted(evacuating(DRAINING, 2, live=200), g0=50), 13), memory=memory)
    assert (later.ledger.missing, later.ledger.on_their_way) == (50, 0)
    assert later.ledger.max_missing == 50


@pytest.mark.parametrize("is_hung", [False, True], ids=["no node answers", "one does not answer"])
def test_who_was_on_the_way_when_the_brokers_fell_silent_may_be_back(is_hung: bool) -> None:
    scene = counted(evacuating(DRAINING, 2, live=200), g0=50)
    known = seen(*BEGUN, at(scene, 2))

    def silent(second: float) -> Observations:
        hung = with_place(scene, "blue", 0, live=None) if is_hung else scene
        snapshot = at(hung, second).snapshot()
        stats = snapshot.stats if is_hung else replace(snapshot.stats, problem="none of 6 nodes answers")
        return observe(known, replace(snapshot, stats=stats), scene.journal)

    assert silent(6).ledger == known.ledger
    ledger = silent(6.5).ledger
    assert (ledger.missing, ledger.on_their_way, ledger.overdue) == (50, None, None)


def test_who_comes_to_a_drain_does_not_know_yet_who_is_on_the_way() -> None:
    """What was evicted a moment before is neither missing nor on its way: nobody here has seen it."""
    known = Totals(first_drain_at=ago(60), baseline={TOP: 300, MIDDLE: 300, LOW: 300}, initial={TOP: 300})
    scene = noted(counted(evacuating(DRAINING, 2, live=100), g0=150), totals=known)
    memory = seen(scene)
    assert (memory.ledger.evicted, memory.ledger.missing) == (200, 50)
    assert (memory.ledger.on_their_way, memory.ledger.overdue) == (None, None)
    later = seen(at(scene, 11), memory=memory)
    assert (later.ledger.on_their_way, later.ledger.overdue) == (0, 50)


@pytest.mark.parametrize("unread", ["nodes", "stats"])
def test_nobody_is_missing_before_the_brokers_were_read(unread: str) -> None:
    known = Totals(first_drain_at=ago(60), baseline={TOP: 300, MIDDLE: 300, LOW: 300}, initial={TOP: 300})
    scene = noted(evacuating(DRAINING, 2, live=100), totals=known)
    memory = observe(Observations(), replace(scene.snapshot(), **{unread: MISSING}), scene.journal)
    assert memory.ledger.evicted is None
    assert memory.ledger.max_missing is None


def test_who_comes_to_two_drains_takes_those_who_have_left_for_landed() -> None:
    both = approved(evacuating(evacuating(DRAINING, 2, live=200), 1, live=300), "node:1")
    assert seen(counted(both, g0=150)).green_baseline == 50


@pytest.mark.parametrize(("before", "green_before"), [({TOP: 1}, 70), ({}, 99), ({TOP: 0}, 99)])
def test_who_was_on_green_before_is_known_from_a_count_that_has_all_who_were_drained(
    before: dict[str, int], green_before: int
) -> None:
    """One client was on the node as its drain began, and is on green by now."""
    begun = with_place(counted(evacuating(DRAINING, 2, live=0), g0=100), "blue", 2, initial=1)
    known = Observations(recent=(Sample(ago(20), 601, 70, before),))
    assert seen(begun, memory=known).green_baseline == green_before


def test_where_green_was_removed_nobody_had_been_there_before() -> None:
    memory = seen(replace(evacuating(DRAINING, 2, live=200), green=None))
    assert (memory.baseline, memory.green_baseline) == ({TOP: 300, MIDDLE: 300, LOW: 300}, 0)


def test_the_books_end_with_the_release() -> None:
    memory = seen(
        *BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=150), 2), at(replace(DRAINING, journal=None), 3)
    )
    empty = Observations()
    for name in ("baseline", "initial", "left", "drained_from", "untold", "evacuated_at", "progress", "evicted_track"):
        assert getattr(memory, name) == getattr(empty, name), name
    assert (memory.ledger, memory.canary) == (empty.ledger, None)


def test_without_a_drain_there_are_no_books() -> None:
    assert seen(DRAINING).ledger.evicted is None


def test_a_console_that_takes_over_counts_nobody_as_missing_before_the_pods_are_read() -> None:
    totals = Totals(baseline={TOP: 300, MIDDLE: 300, LOW: 300}, initial={TOP: 300}, green_baseline=10)
    scene = counted(noted(evacuating(DRAINING, 2, live=100), totals=totals), g0=210)
    unread = replace(scene.snapshot(), pods=MISSING)
    memory = seen(scene, memory=observe(Observations(), unread, scene.journal))
    assert (memory.ledger.missing, memory.ledger.max_missing) == (0, 0)


def test_a_console_that_takes_over_goes_on_with_the_journals_baseline() -> None:
    totals = Totals(baseline={TOP: 300, MIDDLE: 300, LOW: 300}, initial={TOP: 300}, green_baseline=10)
    scene = counted(noted(evacuating(DRAINING, 2, live=100), totals=totals), g0=210)
    ledger = seen(scene).ledger
    assert (ledger.evicted, ledger.landed, ledger.missing) == (200, 200, 0)


def test_a_console_that_comes_to_a_frozen_drain_knows_whom_it_has_evicted() -> None:
    """Twenty of them are back on the node, and ten not on green yet."""
    totals = Totals(baseline={TOP: 300, MIDDLE: 300, LOW: 300}, initial={TOP: 300}, left={TOP: 100}, green_baseline=10)
    scene = counted(noted(with_place(DRAINING, "blue", 2, live=120), totals=totals), g0=180)
    ledger = seen(scene).ledger
    assert (ledger.evicted, ledger.landed, ledger.bounced, ledger.missing, ledger.unasked) == (200, 170, 20, 10, 0)


def test_an_abort_counts_greens_drains_and_no_longer_tells_where_the_evicted_are() -> None:
    aborting = noted(DRAINING, abort=AbortRecord("ann@host", build.NOW, "e"))
    drained_back = with_place(aborting, "green", 0, **draining_place(live=50))
    memory = seen(*BEGUN, at(drained_back, 2))
    assert memory.initial_back == {f"{build.GREEN_NAME}-0": 300}
    assert returned(memory) == 250
    before = seen(*BEGUN).ledger
    assert memory.ledger == Ledger(evicted=before.evicted, max_missing=before.max_missing)


# -- what was cut off ---------------------------------------------------------------------------------------------


DEAD = Place(live=None, is_joined=False, is_ready=False, containers_ready=False)


def killed(*scenes: Scene) -> int:
    return sum(death.clients for death in seen(*scenes).deaths)


def dead(scene: Scene, ordinal: int) -> Scene:
    return with_side(scene, "blue", places={**_places(scene), ordinal: DEAD})


def test_clients_of_a_node_that_died_are_counted_as_cut_off() -> None:
    gone = at(dead(DRAINING, 1), 1)
    assert killed(DRAINING, gone) == 300
    assert killed(DRAINING, gone, at(gone, 2), at(gone, 3)) == 300


@pytest.mark.parametrize("colour", ["blue", "green"])
def test_nobody_is_missing_while_a_set_that_was_built_again_has_no_pods_yet(colour: str) -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    memory = seen(*BEGUN, draining)
    gone = seen(with_side(at(draining, 3), colour, places={}), memory=memory)
    assert (gone.ledger, gone.evicted_track) == (memory.ledger, memory.evicted_track)
    assert seen(with_side(at(draining, 7), colour, places={}), memory=gone).ledger.on_their_way is None


def test_a_node_that_died_while_it_drained_has_evicted_those_that_were_gone_before() -> None:
    memory = seen(*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2), at(dead(DRAINING, 2), 3))
    assert [d.clients for d in memory.deaths] == [100]
    assert evicted(memory) == 200


def test_who_died_on_a_node_whose_drain_had_been_stopped_is_not_evicted_by_its_next_one() -> None:
    stopped = at(counted(DRAINING, b2=100, g0=200), 3)
    back = at(counted(DRAINING, b2=0, g0=200), 20)
    again = with_place(at(back, 2), "blue", 2, **draining_place("evicting_conns", 0) | {"initial": 0})
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    memory = seen(*BEGUN, draining, stopped, at(dead(stopped, 2), 10))
    assert ([d.clients for d in memory.deaths], evicted(memory)) == ([100], 200)
    assert evicted(seen(back, again, memory=memory)) == 200


def test_who_was_counted_last_on_a_node_that_died_in_its_drain_was_cut_off_whatever_the_fewest_were() -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    more = at(counted(evacuating(DRAINING, 2, live=110), g0=190), 3)
    memory = seen(*BEGUN, draining, more, at(dead(DRAINING, 2), 4))
    assert ([d.clients for d in memory.deaths], evicted(memory)) == ([110], 190)


@pytest.mark.parametrize(("is_stopped", "moved"), [(True, 180), (False, 170)], ids=["stopped", "it drains"])
def test_of_a_node_of_green_that_died_the_drain_back_has_moved_the_others(is_stopped: bool, moved: int) -> None:
    aborting = noted(DRAINING, abort=AbortRecord("ann@host", build.NOW, "e"))
    full, few, more = (
        at(with_place(aborting, "green", 0, **draining_place(live=live)), second)
        for second, live in ((1, 300), (2, 120), (3, 130))
    )
    stopped = at(counted(aborting, g0=120), 3)
    assert few.green
    gone = at(with_side(aborting, "green", places={**few.green.places, 0: DEAD}), 10)
    memory = seen(aborting, full, few, stopped if is_stopped else more, gone)
    assert returned(memory) == moved


def test_so_is_a_node_of_green_that_died_while_it_drained_back() -> None:
    aborting = noted(DRAINING, abort=AbortRecord("ann@host", build.NOW, "e"))
    back = with_place(at(aborting, 1), "green", 0, **draining_place(live=300))
    some = with_place(at(aborting, 2), "green", 0, **draining_place(live=120))
    assert some.green
    gone = at(with_side(aborting, "green", places={**some.green.places, 0: DEAD}), 3)
    memory = seen(aborting, back, some, gone)
    assert [d.clients for d in memory.deaths] == [120]
    assert (returned(memory), memory.initial_back, memory.left_back) == (
        180,
        {f"{build.GREEN_NAME}-0": 180},
        {f"{build.GREEN_NAME}-0": 0},
    )


def test_a_broker_that_drops_its_clients_before_it_is_seen_to_stop_has_cut_them_off() -> None:
    assert killed(DRAINING, at(counted(DRAINING, b1=0), 2), at(dead(DRAINING, 1), 4)) == 300
    emptied_long_ago = [at(counted(DRAINING, b1=0), 2.0 + n) for n in range(10)]
    assert killed(DRAINING, *emptied_long_ago, at(dead(DRAINING, 1), 13)) == 0
    vanished = with_side(DRAINING, "blue", places={n: p for n, p in _places(DRAINING).items() if n != 1})
    memory = seen(DRAINING, *emptied_long_ago, at(vanished, 13))
    assert [death.clients for death in memory.deaths] == [300], "nobody has seen it stop"
    assert memory.lowest_sum == 600, "they are cut off once"
    silent = (at(with_place(DRAINING, "blue", 1, live=None), 3.0 + n) for n in range(10))
    assert killed(DRAINING, at(counted(DRAINING, b1=0), 2), *silent, at(dead(DRAINING, 1), 13)) == 300, "a late watch"


def test_a_drained_node_of_blue_that_an_abort_has_filled_again_cuts_its_clients_off_when_it_dies() -> None:
    aborting = noted(DRAINING, drained=(f"{build.BLUE_NAME}-2",), abort=AbortRecord("ann@host", build.NOW, "e"))
    left_behind, filled = at(counted(aborting, b2=3), 1), at(counted(aborting, b2=50), 10)
    assert killed(left_behind, at(dead(aborting, 2), 2)) == 0
    assert killed(left_behind, filled, at(dead(aborting, 2), 11)) == 50


@pytest.mark.parametrize(("silent_s", "is_draining", "is_exact"), [(3, True, False), (3, False, True), (1, True, True)])
def test_how_many_a_silent_node_takes_with_it_is_a_lower_bound_while_a_drain_brings_it_clients(
    silent_s: int, is_draining: bool, is_exact: bool
) -> None:
    drained = evacuating(DRAINING, 2, live=100) if is_draining else DRAINING
    serving = with_place(drained, "green", 0, live=300)
    assert serving.green
    silent, gone = (
        with_side(serving, "green", places={**serving.green.places, 0: place}) for place in (Place(live=None), DEAD)
    )
    memory = seen(at(serving, 1), *(at(silent, 2 + n) for n in range(silent_s - 1)), at(gone, 1 + silent_s))
    assert [d.clients for d in memory.deaths] == [300]
    assert memory.is_uncountable is not is_exact


def test_a_broker_that_dies_soon_after_its_start_cuts_off_nobody_of_the_one_before_it() -> None:
    again = with_place(DRAINING, "blue", 1, restarts=1, live=0)
    assert killed(DRAINING, at(again, 2), at(dead(again, 1), 4)) == 300


def test_a_broker_that_was_started_again_unseen_has_cut_its_clients_off() -> None:
    again = at(with_place(DRAINING, "blue", 1, restarts=1, live=5), 30)
    assert killed(DRAINING, again) == 300


ENDED = Container(
    "emqx", "", True, 1, "", "", None, None, Termination("Error", 137, "", build.NOW + timedelta(seconds=3))
)


@pytest.mark.parametrize(
    "again",
    [
        {"restarts": 1, "containers": (ENDED,)},
        {"pod_uid": "another", "created_at": build.NOW + timedelta(seconds=3)},
    ],
    ids=["restarted", "another pod"],
)
def test_who_came_to_the_next_broker_before_a_late_watch_told_of_its_start_was_not_cut_off(
    again: Mapping[str, Any],
) -> None:
    """The watch on pods was silent for a minute, and the pod is asked by its name."""
    container = replace(ENDED, restarts=0, last=None)
    running = with_place(DRAINING, "blue", 1, containers=(container,))
    counts = [(0, 40), (1, 40), (2, 35), (5, 0), (20, 120), (60, 250)]
    late = [at(counted(running, b1=live, g0=260 - live), second) for second, live in counts]
    memory = seen(*late, at(with_place(counted(DRAINING, b1=250), "blue", 1, **again), 61))
    (death,) = memory.deaths
    assert (death.clients, death.at) == (40, build.NOW + timedelta(seconds=4))
    assert memory.lowest_sum == 820, "of 860 when it ended"


def test_an_uptime_of_before_a_restart_is_not_that_of_the_broker_that_runs_now() -> None:
    """A node is asked for it once a minute; its restart is told by Kubernetes at once."""
    before = with_place(DRAINING, "blue", 1, uptime_s=3600, containers=(replace(ENDED, restarts=0, last=None),))
    restarted = replace(ENDED, running_since=build.NOW + timedelta(seconds=3))
    stale = with_place(DRAINING, "blue", 1, uptime_s=3600, restarts=1, containers=(restarted,), live=5)
    asked = with_place(DRAINING, "blue", 1, uptime_s=40, restarts=1, containers=(restarted,), live=5)
    assert killed(before, at(stale, 4), at(stale, 5), at(asked, 45)) == 300


def test_a_broker_that_was_emptied_is_not_counted_with_the_clients_of_the_one_before_it() -> None:
    """Its pod is deleted; what Kubernetes tells of its container is how the broker before it ended."""
    first = with_place(DRAINING, "blue", 1, containers=(replace(ENDED, restarts=0, last=None),))
    second = with_place(DRAINING, "blue", 1, restarts=1, containers=(ENDED,), live=0)
    told = [at(second, 3.5 + n) for n in range(10)]
    gone = at(with_place(second, "blue", 1, is_deleting=True), 14)
    assert killed(first, *told, gone) == 300


def test_who_was_cut_off_long_before_a_late_watch_told_of_it_nobody_can_count() -> None:
    running = with_place(DRAINING, "blue", 1, containers=(replace(ENDED, restarts=0, last=None),))
    late = [at(counted(running, b1=250), 10.0 + second) for second in range(200)]
    memory = seen(
        at(running, -5),
        *late,
        at(with_place(counted(DRAINING, b1=250), "blue", 1, restarts=1, containers=(ENDED,)), 211),
    )
    assert (memory.deaths, memory.is_uncountable) == ((), True)


@pytest.mark.parametrize(
    ("later_s", "is_uncountable"),
    [(0.0, False), (2.0, True), (8.0, True), (12.0, False)],
    ids=["at the same time", "a moment after another", "once all may be back", "long after another"],
)
def test_who_landed_on_a_broker_just_before_it_ended_nobody_has_counted(later_s: float, is_uncountable: bool) -> None:
    serving = counted(DRAINING, g0=40)
    first = dead(serving, 1)
    second = with_place(first, "green", 0, is_ready=False, containers_ready=False, live=None)
    memory = seen(serving, *(at(first, 1.0 + n) for n in range(int(later_s))), at(second, 1.0 + later_s))
    assert sorted(death.clients for death in memory.deaths) == [40, 300]
    assert memory.is_uncountable is is_uncountable


def test_what_several_drivers_have_seen_is_counted_once() -> None:
    memory = seen(DRAINING, at(dead(DRAINING, 1), 1))
    (death,) = memory.deaths
    other = replace(death, pod=LOW, clients=40)
    assert all_deaths(Totals(), memory) == (death,)
    assert all_deaths(Totals(deaths=(replace(death, clients=299), other)), memory) == (
        replace(death, clients=299),
        other,
    )


@pytest.mark.parametrize(("after_s", "counted"), [(3, 1), (-3, 2)], ids=["as its successor told", "before it went"])
def test_a_restart_of_emqx_that_is_told_when_its_pod_is_gone_was_the_end_of_the_pod(after_s: int, counted: int) -> None:
    """One console has heard of the pod, the watch of the other is late. Whichever notes it first."""
    (gone,) = seen(DRAINING, at(dead(DRAINING, 1), 9)).deaths
    restart = replace(gone, instance=f"{gone.instance}/emqx", at=gone.at + timedelta(seconds=after_s))
    for first, second in ((gone, restart), (restart, gone)):
        memory = replace(seen(DRAINING), deaths=(second,))
        assert len(all_deaths(Totals(deaths=(first,)), memory)) == counted


def test_who_comes_back_to_a_node_whose_drain_was_stopped_is_evicted_a_second_time() -> None:
    stopped = at(with_place(counted(DRAINING, b2=180, g0=200), "blue", 2, own=0, own_enabled=False), 3)
    again = at(evacuating(counted(DRAINING, g0=200), 2, live=180), 4)
    begun = with_place(again, "blue", 2, **draining_place("evicting_conns", 180) | {"initial": 180})
    memory = seen(*BEGUN, at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2), stopped, begun)
    assert evicted(memory) == 200
    over = with_place(at(begun, 6), "blue", 2, live=0)
    assert evicted(seen(over, memory=memory)) == 380


def test_what_a_drain_has_evicted_before_it_begins_anew_at_another_rate_is_counted() -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    again = at(evacuating(DRAINING, 2, live=80), 3)
    begun = with_place(again, "blue", 2, **draining_place("evicting_conns", 80) | {"initial": 80})
    over = with_place(at(begun, 6), "blue", 2, live=0)
    assert evicted(seen(*BEGUN, draining, begun, over)) == 300


@pytest.mark.parametrize(
    ("is_late", "initial", "is_uncountable"), [(True, 80, True), (True, 300, False), (False, 80, False)]
)
def test_who_comes_to_a_node_between_two_drains_is_not_all_counted_while_the_service_has_it(
    is_late: bool, initial: int, is_uncountable: bool
) -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    begun = with_place(at(draining, 3), "blue", 2, **draining_place("evicting_conns", 80) | {"initial": initial})
    scenes = (noted(scene, late_removal=is_late) for scene in (*BEGUN, draining, begun))
    assert seen(*scenes).is_uncountable is is_uncountable


def test_what_a_stopped_drain_has_evicted_last_is_seen_after_the_abort() -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    aborted = noted(draining, abort=AbortRecord("ann@host", draining.now, "e"))
    memory = seen(*BEGUN, draining, at(with_place(aborted, "blue", 2, live=80), 3))
    assert evicted(memory) == 220
    assert memory.ledger.evicted == 220


@pytest.mark.parametrize(("after_s", "gone"), [(STOPPED_S, 220), (STOPPED_S + 0.5, 200)])
def test_an_abort_whose_stop_is_late_closes_the_books_all_the_same(after_s: float, gone: int) -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    aborted = noted(draining, abort=AbortRecord("ann@host", draining.now, "e"))
    memory = seen(*BEGUN, draining, at(with_place(aborted, "blue", 2, live=80), 2 + after_s))
    assert (evicted(memory), memory.ledger.evicted) == (gone, gone)


@pytest.mark.parametrize(("after_s", "counted_too"), [(1.0, True), (STOPPED_S, True), (STOPPED_S + 0.5, False)])
def test_what_a_frozen_drain_has_evicted_last_is_counted_and_who_leaves_later_is_not(
    after_s: float, counted_too: bool
) -> None:
    draining = at(counted(evacuating(DRAINING, 2, live=100), g0=200), 2)
    stopped = at(with_place(DRAINING, "blue", 2, live=80), 2 + after_s)
    assert evicted(seen(*BEGUN, draining, stopped)) == (220 if counted_too else 200)


@pytest.mark.parametrize(("uptime_s", "cut_off"), [(5, 300), (3600, 0)], ids=["restarted", "as before"])
def test_a_broker_that_emqx_restarts_in_its_container_has_cut_its_clients_off(uptime_s: int, cut_off: int) -> None:
    running = with_place(DRAINING, "blue", 1, uptime_s=3600)
    silent = at(with_place(DRAINING, "blue", 1, uptime_s=3600, own_problem="connection refused", live=None), 1)
    again = at(with_place(DRAINING, "blue", 1, uptime_s=uptime_s, own=None, live=0), 4)
    assert killed(running, silent, again, at(again, 5)) == cut_off


def test_a_broker_whose_end_its_successor_has_told_by_its_uptime_is_not_counted_again_when_the_watch_tells_of_it() -> (
    None
):
    running = with_place(DRAINING, "blue", 1, uptime_s=3600)
    again = at(with_place(DRAINING, "blue", 1, uptime_s=5, live=0), 9)
    created_at = build.NOW + timedelta(seconds=3)
    told = at(with_place(DRAINING, "blue", 1, pod_uid="another", created_at=created_at, uptime_s=5, live=0), 40)
    assert killed(running, again, at(again, 39), told) == 300


def test_a_broker_that_answers_while_its_readiness_probe_fails_has_cut_nobody_off() -> None:
    unready = with_place(DRAINING, "blue", 1, is_ready=False, containers_ready=False, own=300, own_enabled=False)
    assert killed(DRAINING, at(unready, 1), at(DRAINING, 2)) == 0


def test_a_broker_that_runs_while_its_readiness_probe_fails_is_not_over_for_one_bad_answer() -> None:
    runs = replace(ENDED, ended=None, restarts=0, running_since=ago(600))
    unready = with_place(DRAINING, "blue", 1, is_ready=False, containers_ready=False, containers=(runs,))
    garbled = with_place(unready, "blue", 1, own_problem="not JSON", live=None)
    assert killed(DRAINING, at(garbled, 1)) == 0
    assert killed(DRAINING, at(with_place(garbled, "blue", 1, containers=(replace(ENDED, restarts=0),)), 1)) == 300


def own_word(scene: Scene, live: int) -> Scene:
    """Node 2 evacuates by its own word: the cluster has not told of it."""
    return with_place(scene, "blue", 2, own=live, live=live)


def test_who_was_evicted_by_a_drain_that_the_cluster_never_told_of_is_counted() -> None:
    split_off = [at(own_word(DRAINING, 300 - 20 * n), 1.0 + n) for n in range(12)]
    assert evicted(seen(DRAINING, *split_off[:10])) == 180
    assert evicted(seen(DRAINING, *split_off)) == 220
    told = at(with_place(own_word(DRAINING, 60), "blue", 2, **draining_place(live=60)), 13)
    assert evicted(seen(DRAINING, *split_off, told)) == 240, "told late"


def split_off(scene: Scene) -> Snapshot:
    """Node 2 is split from the cluster, and answers for itself."""
    snapshot = with_place(scene, "blue", 2, uptime_s=60).snapshot()
    listed = tuple(node for node in snapshot.nodes.value or () if node.pod_name != TOP)
    return replace(snapshot, nodes=replace(snapshot.nodes, value=listed))


def test_a_node_that_is_split_from_the_cluster_counts_for_itself() -> None:
    sample = sample_of(split_off(DRAINING))
    assert sample is not None
    assert (sample.blue, sample.nodes[TOP]) == (900, 300)


@pytest.mark.parametrize(
    ("seen_before", "totals", "clients", "is_uncountable"),
    [
        (True, Totals(), 300, False),
        (False, Totals(), 260, True),
        (False, Totals(initial={TOP: 300}, baseline={TOP: 300}), 300, False),
    ],
    ids=["counted before", "a console that comes to the drain", "the journal has it"],
)
def test_with_whom_a_drain_of_a_split_node_began(
    seen_before: bool, totals: Totals, clients: int, is_uncountable: bool
) -> None:
    """The cluster never tells of it."""
    scene = noted(DRAINING, totals=totals)
    before = [at(scene, n) for n in range(2)] if seen_before else []
    memory = Observations()
    for snapshot in (*map(split_off, before), *(split_off(at(own_word(scene, 260 - n), 2 + n)) for n in range(12))):
        memory = observe(memory, snapshot, scene.journal)
    assert (memory.initial[TOP], memory.is_uncountable) == (clients, is_uncountable)


def test_who_landed_before_a_drain_was_told_of_is_not_missing_once_it_is() -> None:
    """A node hangs, so that the cluster is not asked; who comes then sees a drain that has emptied its node."""
    come = counted(own_word(DRAINING, 0), g0=300)
    asked_at = come.now
    unasked = [at(come, n) for n in range(40)]
    memory = Observations()
    for scene in unasked:
        snapshot = scene.snapshot()
        told = replace(snapshot.evacuations, value=GlobalStatus((), 0), read_at=asked_at)
        memory = observe(memory, replace(snapshot, evacuations=told), scene.journal)
    assert memory.ledger.missing is None
    over = at(counted(evacuating(DRAINING, 2, live=0), g0=300), 41)
    memory = seen(over, at(over, 42), memory=memory)
    assert (memory.ledger.evicted, memory.ledger.landed, memory.ledger.missing) == (300, 300, 0)


def test_who_was_evicted_before_a_drain_was_stopped_that_the_cluster_had_not_told_of_is_counted() -> None:
    begun, stopped = (
        at(own_word(DRAINING, 300), 1),
        at(with_place(DRAINING, "blue", 2, live=290, own=290, own_enabled=False), 2),
    )
    assert evicted(seen(DRAINING, begun, stopped)) == 10
    again = at(own_word(DRAINING, 280), 10)
    told = at(with_place(DRAINING, "blue", 2, **draining_place(live=270) | {"initial": 290}), 11)
    over = with_place(at(told, 14), "blue", 2, live=0)
    assert evicted(seen(DRAINING, begun, stopped, again, told, over)) == 300


@pytest.mark.parametrize("own", [{"own": 300, "own_enabled": False}, {"own_problem": "timed out"}])
def test_a_drain_that_begins_with_as_many_as_the_one_before_is_another(own: Mapping[str, object]) -> None:
    """Unless the node was merely silent."""
    emptied = at(evacuating(DRAINING, 2, live=0), 2)
    back = at(with_place(DRAINING, "blue", 2, live=300, **own), 20)
    again = at(evacuating(DRAINING, 2, live=0), 21)
    assert evicted(seen(*BEGUN, emptied, back, again)) == (300 if "own_problem" in own else 600)


def test_a_first_drain_that_another_console_has_noted_before_is_counted_once() -> None:
    known = Totals(initial={TOP: 300}, baseline={TOP: 300, MIDDLE: 300, LOW: 300})
    before = with_place(DRAINING, "blue", 2, live=300, own=300, own_enabled=False)
    begun = noted(at(own_word(DRAINING, 260), 1), totals=known)
    told = noted(at(with_place(DRAINING, "blue", 2, **draining_place(live=200)), 2), totals=known)
    assert evicted(seen(before, begun, told)) == 100


def test_a_drain_that_is_out_of_sight_for_a_moment_is_the_same() -> None:
    begun = at(own_word(DRAINING, 300), 1)
    falling = at(own_word(DRAINING, 260), 2)
    unseen = at(with_place(DRAINING, "blue", 2, live=220, own=220, own_enabled=False), 3)
    again = at(own_word(DRAINING, 180), 4)
    told = at(with_place(DRAINING, "blue", 2, **draining_place(live=140)), 5)
    assert evicted(seen(DRAINING, begun, falling, unseen, again, told)) == 160


def test_who_was_evicted_before_an_abort_that_came_before_the_cluster_told_of_the_drain_is_counted() -> None:
    begun = at(own_word(DRAINING, 300), 1)
    aborted = noted(DRAINING, abort=AbortRecord("ann@host", build.NOW + timedelta(seconds=2), "e"))
    stopped = at(with_place(aborted, "blue", 2, live=280, own=280, own_enabled=False), 3)
    memory = seen(DRAINING, begun, stopped, at(stopped, 4))
    assert (evicted(memory), returned(memory), memory.initial) == (20, 0, {TOP: 300})


def test_who_is_cut_off_when_a_broker_dies_in_a_drain_that_nobody_told_of_is_not_evicted_too() -> None:
    gone = at(dead(DRAINING, 2), 3)
    back = at(with_place(DRAINING, "blue", 2, live=0, own=0, own_enabled=False, restarts=1), 20)
    memory = seen(DRAINING, at(own_word(DRAINING, 300), 1), gone, back, at(back, 21))
    assert (evicted(memory), [death.clients for death in memory.deaths]) == (0, [300])


def test_a_drained_node_that_goes_cuts_nobody_off() -> None:
    empty = at(evacuating(DRAINING, 2, "prohibiting", 0), 1)
    gone = at(with_side(without_place(DRAINING, "blue", 2), "blue", replicas=2), 2)
    assert killed(DRAINING, empty, gone) == 0


def test_a_node_that_is_left_out_of_one_answer_was_not_cut_off() -> None:
    left_out = at(with_place(DRAINING, "blue", 1, is_joined=False, live=None), 1)
    assert killed(DRAINING, left_out, at(DRAINING, 2)) == 0
    gone = at(with_place(left_out, "blue", 1, containers_ready=False, is_ready=False), 3)
    assert killed(DRAINING, left_out, gone, at(gone, 4)) == 300


def _places(scene: Scene) -> dict[int, Place]:
    assert scene.blue
    return dict(scene.blue.places)


# -- since when ----------------------------------------------------------------------------------------------------


def test_gates_and_pods_are_timed_from_the_moment_they_were_seen_so() -> None:
    scene = with_place(build.ready(), "green", 1, is_ready=False, on_serving=False)
    memory = seen(scene, at(scene, 4))
    name = f"{build.GREEN_NAME}-1"
    assert memory.unready_since == {name: build.NOW}
    assert memory.gate_frozen_since == {name: build.NOW}
    assert seen(at(build.ready(), 5), memory=memory).unready_since == {}


def test_progress_is_a_state_or_a_count_that_moved() -> None:
    begun = evacuating(DRAINING, 2, live=200)
    memory = seen(begun, at(begun, 5))
    assert memory.progress[TOP] == Progress(EvacuationState.EVICTING_CONNS, 200, build.NOW)
    moved = seen(at(evacuating(DRAINING, 2, live=199), 6), memory=memory)
    assert (moved.progress[TOP].left, moved.progress[TOP].since) == (199, build.NOW + timedelta(seconds=6))
    grown = seen(at(begun, 7), memory=moved)
    assert grown.progress[TOP].since == build.NOW + timedelta(seconds=6)


def test_a_console_that_comes_later_counts_from_when_the_pod_became_unready() -> None:
    """Else it says of another console's hold that the check passes again while the pod is as it was."""
    condition = PodCondition("Ready", "False", "ContainersNotReady", "", ago(400))
    scene = with_place(DRAINING, "green", 1, is_ready=False, conditions=(condition,))
    assert seen(scene).unready_since == {f"{build.GREEN_NAME}-1": ago(400)}
    known = seen(with_place(DRAINING, "green", 1, is_ready=False), at(scene, 5))
    assert known.unready_since == {f"{build.GREEN_NAME}-1": build.NOW}
