"""What the counts at the begin of a drain are, where the cluster does not tell them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.series import Ledger
from emqx_tui.rollout.state.drains import evicted, returned
from emqx_tui.rollout.state.journal import AbortRecord
from emqx_tui.rollout.state.observations import observe
from emqx_tui.rollout.state.observed import Observations
from tests.support import scenes as build
from tests.support.scenes import Scene, ago, approved, draining_place, noted, with_place, without_place

DEAD = {"live": None, "is_joined": False, "is_ready": False, "containers_ready": False}
"""Knobs of a node whose broker is gone."""


def seen(*scenes: Scene) -> Observations:
    """What is known after these, a second apart."""
    known = Observations()
    for second, scene in enumerate(scenes):
        now = replace(scene, now=build.NOW + timedelta(seconds=second))
        known = observe(known, now.snapshot(), now.journal)
    return known


def test_nobody_is_evicted_by_a_drain_of_an_empty_node_that_the_cluster_never_told_of() -> None:
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=0)
    known = seen(before, *[with_place(before, "blue", 2, own=0)] * 12)
    assert (evicted(known), known.initial) == (0, {f"{build.BLUE_NAME}-2": 0})


def test_a_drain_that_the_cluster_never_told_of_is_counted_once_when_it_ends() -> None:
    """As when it is frozen while its broker hangs, and the broker's own word comes back first."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    left = [max(0, 300 - 30 * second) for second in range(12)]
    drained = [with_place(before, "blue", 2, own=300, live=live) for live in left]
    over = [with_place(before, "blue", 2, live=0)] * 3
    known = seen(before, *drained, *over)
    assert (evicted(known), known.initial) == (300, {f"{build.BLUE_NAME}-2": 300})


@pytest.mark.parametrize("is_removed", [True, False], ids=["its pod is gone", "its pod stands"])
def test_a_node_that_dies_before_the_cluster_has_told_of_its_drain_has_evicted_those_that_had_left(
    is_removed: bool,
) -> None:
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    dead = without_place(before, "blue", 2) if is_removed else with_place(before, "blue", 2, **DEAD)
    drained = [with_place(before, "blue", 2, own=live, live=live) for live in (300, 100)]
    known = seen(before, *drained, *[dead] * 12)
    assert ([death.clients for death in known.deaths], evicted(known)) == ([100], 200)


@pytest.mark.parametrize("colour", ["blue", "green"])
def test_so_has_one_that_dies_in_an_abort(colour: str) -> None:
    abort = AbortRecord("ann@host", build.NOW, "e")
    before = with_place(noted(build.draining(), abort=abort), colour, 2, live=300)
    drained = [with_place(before, colour, 2, own=live, live=live) for live in (300, 100)]
    known = seen(before, *drained, *[without_place(before, colour, 2)] * 12)
    moved = {"blue": evicted(known), "green": returned(known)}
    assert moved == {"blue": 0, "green": 0, colour: 200}


def test_a_node_that_dies_while_another_hangs_is_counted_by_its_own_last_answer() -> None:
    """No sum is made until the one that hangs is given up: the counts of all are as old as its last."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    known = seen(before)
    for second, live in enumerate((200, 80), start=1):
        drained = with_place(before, "blue", 2, **draining_place(live=live))
        hangs = replace(drained, now=build.NOW + timedelta(seconds=second), broker_age_s=before.broker_age_s + second)
        known = observe(known, hangs.snapshot(), hangs.journal)
    assert len(known.recent) == 1
    gone = replace(without_place(before, "blue", 2), now=build.NOW + timedelta(seconds=3))
    known = observe(known, gone.snapshot(), gone.journal)
    assert ([death.clients for death in known.deaths], evicted(known)) == ([80], 220)


@pytest.mark.parametrize("colour", ["blue", "green"])
def test_whom_a_drain_has_not_had_the_time_to_evict_a_broker_has_cut_off_that_stops(colour: str) -> None:
    """As where somebody's evacuation of a node is followed by its removal at once."""
    abort = AbortRecord("ann@host", build.NOW, "e")
    scene = approved(build.draining(), "node:2") if colour == "blue" else noted(build.draining(), abort=abort)
    before = with_place(scene, colour, 2, live=3000)
    drain = [with_place(before, colour, 2, **draining_place(live=live, initial=3000)) for live in (3000, 2800, 0)]
    stopping, gone = seen(before, *drain), seen(before, *drain, without_place(before, colour, 2))
    moved = {"blue": evicted, "green": returned}[colour]
    # 200 a second; the count of 2,800 is a second old when none is left, and was two old when it was read.
    assert moved(stopping) == 1000
    assert ([death.clients for death in gone.deaths], moved(gone)) == ([2000], 1000)
    assert moved(seen(before, *drain, *drain[-1:] * 8)) == 3000, (
        "it answers: they have left by themselves, or a network"
    )


def test_a_drain_whose_rate_was_raised_is_not_taken_for_a_broker_that_stops() -> None:
    """The object asks for 200 a second, and the cluster still tells of the rate before."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=3000)
    lives = [3000, *range(2800, 1800, -200)]
    drain = [draining_place(live=live, initial=3000, rates=(20, 20)) for live in lives]
    assert evicted(seen(before, *[with_place(before, "blue", 2, **place) for place in drain])) == 1000


def test_a_drain_that_was_never_told_and_whose_node_is_gone_is_counted() -> None:
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    gone = noted(without_place(before, "blue", 2), drained=(f"{build.BLUE_NAME}-2",))
    drained = [with_place(before, "blue", 2, own=live, live=live) for live in (300, 100, 0)]
    assert evicted(seen(before, *drained, *[gone] * 12)) == 300


def test_what_the_cluster_told_before_a_drain_was_stopped_is_not_what_the_next_one_began_with() -> None:
    """It is asked every five seconds, and not while a peer is silent."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    first = with_place(before, "blue", 2, **draining_place(live=200))
    stopped = with_place(before, "blue", 2, live=200, own=0, own_enabled=False)
    again = [with_place(before, "blue", 2, **draining_place(live=live)) for live in (200, 100, 0)]
    told = [with_place(before, "blue", 2, **draining_place(live=0) | {"initial": 200})] * 2
    known, old = Observations(), ago(0)
    for second, scene in enumerate([before, first, stopped, *again, *told]):
        now = replace(scene, now=build.NOW + timedelta(seconds=1.0 + second)).snapshot()
        if scene in again:
            now = replace(now, evacuations=replace(now.evacuations, read_at=old))
        known = observe(known, now, scene.journal)
    assert (evicted(known), known.initial) == (300, {f"{build.BLUE_NAME}-2": 300})


def test_a_drain_that_the_cluster_sees_no_longer_is_the_one_that_it_told_of() -> None:
    """As when the nodes do not hear each other: each sees itself alone."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    told = [with_place(before, "blue", 2, **draining_place(live=live)) for live in (300, 100)]
    unseen = [with_place(before, "blue", 2, own=live, live=live) for live in (40, *[0] * 12)]
    known = seen(before, *told, *unseen, with_place(before, "blue", 2, own=0, own_enabled=False, live=25))
    assert (evicted(known), known.initial) == (300, {f"{build.BLUE_NAME}-2": 300})


def test_a_drain_that_is_told_after_the_end_of_its_broker_has_evicted_nobody() -> None:
    """The operator had begun it: the pod is being removed when EMQX tells of it, and an abort builds it again."""
    before = with_place(build.draining(), "blue", 2, live=300)
    going = with_place(before, "blue", 2, **draining_place(live=300, is_deleting=True))
    aborting = noted(without_place(before, "blue", 2), abort=AbortRecord("ann@host", build.NOW, "e"))
    again = with_place(aborting, "blue", 2, pod_uid="another", **draining_place(live=0) | {"initial": 0})
    known = seen(before, going, going, aborting, again, again)
    assert ([death.clients for death in known.deaths], evicted(known)) == ([300], 0)


def test_a_drain_at_another_rate_that_is_over_before_it_is_told_evicts_nobody_twice() -> None:
    """EMQX takes rates when a drain starts: it is stopped and started again."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=310)
    first = [with_place(before, "blue", 2, **draining_place(live=live) | {"initial": 310}) for live in (310, 210, 110)]
    stopped = with_place(before, "blue", 2, live=110, own=0, own_enabled=False)
    empty = with_place(before, "blue", 2, own=0, live=0)
    told = with_place(before, "blue", 2, **draining_place(live=0) | {"initial": 130})
    assert evicted(seen(before, *first, stopped, empty, empty, told)) == 330, "20 came, or were counted late"


def test_who_was_evicted_before_a_console_came_has_landed() -> None:
    """It sees a drain of which EMQX tells some seconds later, and whose clients are on green by then."""
    begun = approved(build.draining(), "node:2")
    landed = with_place(with_place(begun, "green", 0, live=250), "blue", 2, own=50, live=50)
    told = with_place(landed, "blue", 2, **draining_place(live=50) | {"initial": 300})
    assert seen(landed, landed, landed, told).ledger == Ledger(
        evicted=250, landed=250, bounced=0, missing=0, max_missing=0, on_their_way=0, unasked=0
    )


@pytest.mark.parametrize(("is_silent", "clients"), [(False, 310), (True, 390)])
def test_who_stays_on_a_node_that_is_drained_at_another_rate_at_once_was_there_before(
    is_silent: bool, clients: int
) -> None:
    """Where the node was silent between, it may have been idle, and clients may have come."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=310)
    first = [with_place(before, "blue", 2, **draining_place(live=live) | {"initial": 310}) for live in (310, 210, 110)]
    silent = [replace(with_place(first[-1], "blue", 2, live=None, own_problem="timed out"))] * 3 if is_silent else []
    again = [with_place(before, "blue", 2, **draining_place(live=live) | {"initial": 190}) for live in (50, 0)]
    assert evicted(seen(before, *first, *silent, *again)) == clients


def test_who_bounces_to_a_node_that_was_booting_when_the_first_drain_began_is_not_missing() -> None:
    begun = approved(build.draining(), "node:2")
    booting = with_place(with_place(begun, "blue", 2, live=300), "blue", 0, **DEAD)
    first, then = (with_place(booting, "blue", 2, **draining_place(live=live)) for live in (300, 200))
    up = with_place(then, "blue", 0, live=100, is_joined=True, is_ready=True, containers_ready=True)
    ledger = seen(booting, first, then, up).ledger
    assert (ledger.evicted, ledger.landed, ledger.bounced, ledger.missing) == (100, 0, 100, 0)


def test_what_the_cluster_tells_late_of_a_drain_is_no_second_one_while_the_service_has_the_node() -> None:
    """Somebody left by himself between the count and the start."""
    before = noted(with_place(approved(build.draining(), "node:2"), "blue", 2, live=301), late_removal=True)
    untold = with_place(before, "blue", 2, own=301, live=301)
    told = with_place(before, "blue", 2, **draining_place(live=200) | {"initial": 300})
    known = seen(before, before, untold, told)
    assert (evicted(known), known.is_uncountable) == (100, False)
