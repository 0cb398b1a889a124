"""The table of phases: what may follow what, and that it is closed under what `decide` derives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.rollout import forward
from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.journal import AbortRecord
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, FINAL, TRANSITIONS, Phase, is_allowed
from tests.support import scenes as build
from tests.support.scenes import Scene, approved, noted, remembered, with_place

P = Phase
ALONG: dict[Phase, Scene] = {
    P.STARTING: build.starting(),
    P.CREATING_GREEN: build.creating(),
    P.WAITING_DELAY: build.waiting(),
    P.READY_TO_CUT_OVER: build.ready(),
    P.CANARY: build.canary(watched_s=5.0),
    P.CUTTING_OVER: build.cutting_over(),
    P.DRAINING: build.draining(),
    P.FINISHING: build.finishing(),
    P.DONE: build.done(),
}


def seen_from(before: Phase, scene: Scene) -> Scene:
    return remembered(scene, phase=before)


def impossible(scene: Scene) -> bool:
    return any(a.check == "impossible-phase" for a in scene.decide().alarms)


@pytest.mark.parametrize("phase", Phase)
def test_staying_is_always_allowed(phase: Phase) -> None:
    assert is_allowed(phase, phase)


@pytest.mark.parametrize("before", ALONG)
@pytest.mark.parametrize("after", ALONG)
def test_whoever_looked_away_may_see_any_later_phase(before: Phase, after: Phase) -> None:
    """A laptop that slept, a spectator, a console cut off from the API server."""
    order = list(ALONG)
    if order.index(after) < order.index(before):
        return
    assert ALONG[after].decide().phase is after
    assert not impossible(seen_from(before, ALONG[after]))


@pytest.mark.parametrize(
    ("before", "scene"),
    [
        (P.WAITING_DELAY, with_place(build.waiting(), "green", 1, is_ready=False)),
        (P.READY_TO_CUT_OVER, with_place(build.ready(), "green", 1, is_joined=False)),
        (P.READY_TO_CUT_OVER, build.waiting()),
        (P.CANARY, with_place(build.canary(watched_s=5.0), "green", 1, is_joined=False)),
        (P.CANARY, approved(build.waiting(), "cut-over")),
        (P.CANARY, noted(approved(build.ready(), "cut-over"), canary_failed="lost 30")),
        (P.CUTTING_OVER, with_place(build.cutting_over(), "green", 1, is_joined=False)),
        (P.CUTTING_OVER, noted(approved(build.waiting(), "cut-over"), canary_passed_at=build.ago(9))),
    ],
    ids=[
        "green lost in the delay",
        "green lost at the gate",
        "the delay begins anew",
        "green lost in the canary",
        "the delay begins anew in the canary",
        "the canary failed",
        "green lost while cutting over",
        "the delay begins anew while cutting over",
    ],
)
def test_ways_back_before_the_cut_over_are_known(before: Phase, scene: Scene) -> None:
    assert scene.decide().phase is not before
    assert not impossible(seen_from(before, scene))


@pytest.mark.parametrize("before", [p for p in ALONG if p not in FINAL])
def test_an_object_that_is_gone_is_lost_from_anywhere(before: Phase) -> None:
    scene = seen_from(before, replace(ALONG[before], uid="another"))
    assert scene.decide().phase is P.LOST
    assert not impossible(scene)


@pytest.mark.parametrize("before", sorted(BEFORE_CUT_OVER))
def test_an_abort_follows_from_every_phase_that_offers_it(before: Phase) -> None:
    scene = seen_from(before, ALONG[before])
    decision = scene.decide(Abort("ann@host", scene.decide().abort.revision))
    assert decision.phase in (P.ABORTING, P.ABORTED)
    assert decision.alarms == ()
    assert is_allowed(before, decision.phase)


def test_an_abort_that_ended_while_one_looked_away_is_no_wonder() -> None:
    scene = noted(build.starting(), abort=AbortRecord("ann@host", build.ago(60), "e"))
    for before in (*BEFORE_CUT_OVER, P.ABORTING):
        assert seen_from(before, scene).decide().alarms == ()


IMPOSSIBLE: dict[str, tuple[Phase, Scene]] = {
    "the template of a drained cluster is the old one and green is gone": (
        P.DRAINING,
        replace(build.draining(), green=None, template="old"),
    ),
    "green vanishes and the template is put back by hand": (
        P.CREATING_GREEN,
        replace(build.creating(), green=None, template="old"),
    ),
    "blue grew again": (P.FINISHING, build.draining()),
}


@pytest.mark.parametrize(("before", "scene"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_step_that_no_release_takes_is_told_and_holds(before: Phase, scene: Scene) -> None:
    decision = seen_from(before, scene).decide()
    assert "impossible-phase" in {a.check for a in decision.alarms}
    assert decision.journal is not None
    assert decision.journal.hold is not None
    assert not [c for c in decision.commands if c.advancing]


def test_the_table_names_no_step_backward_over_the_cut_over() -> None:
    after_it = {P.DRAINING, P.FINISHING, P.DONE}
    assert not [pair for pair in TRANSITIONS if pair[0] in after_it and pair[1] in BEFORE_CUT_OVER - {P.STARTING}]
    assert not is_allowed(P.DRAINING, P.STARTING)
    assert not is_allowed(P.ABORTING, P.DRAINING)
    assert not is_allowed(P.IDLE, P.DRAINING)


def test_every_phase_can_be_reached() -> None:
    reached, fresh = {P.IDLE}, {P.IDLE}
    while fresh:
        fresh = {after for before, after in TRANSITIONS if before in fresh} - reached
        reached |= fresh
    assert reached == set(Phase)


def test_while_the_sources_are_silent_the_phase_stays_what_it_was() -> None:
    for phase, scene in ALONG.items():
        seen = scene.snapshot()
        blank = type(seen)(seen.now, seen.namespace, seen.name, blue_uid=seen.blue_uid)
        context = replace(seen_from(phase, scene).context(), snapshot=blank)
        assert forward.derive(context) is phase
