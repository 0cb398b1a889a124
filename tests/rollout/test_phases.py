"""The table of phases: what leads where, that it always settles, and that it agrees with what `decide` sees."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emqx_tui.rollout import lifecycle
from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, FINAL, FORWARD, LIFE, Phase, When, settle
from emqx_tui.rollout.state.journal import AbortRecord
from emqx_tui.rollout.telling.advice import Advice, Verb
from tests.support import phase_table
from tests.support import scenes as build
from tests.support.any_scene import scenes
from tests.support.scenes import Scene, approved, noted, remembered, with_place

P, W = Phase, When
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
    assert decision.phase in reached_from(before)


def test_an_abort_that_ended_while_one_looked_away_is_no_wonder() -> None:
    scene = noted(build.starting(), abort=AbortRecord("ann@host", build.ago(60), "e"))
    for before in (*BEFORE_CUT_OVER, P.ABORTING):
        assert seen_from(before, scene).decide().alarms == ()


def test_drains_whose_template_is_put_back_and_whose_green_is_gone_have_not_become_a_start() -> None:
    decision = seen_from(P.DRAINING, replace(build.draining(), green=None, template="old")).decide()
    assert decision.phase is P.DRAINING
    assert "object-changed" in {alarm.check for alarm in decision.alarms}


IMPOSSIBLE: dict[str, tuple[Phase, Scene]] = {
    "blue grew again": (P.FINISHING, build.draining()),
}


@pytest.mark.parametrize(("before", "scene"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_nothing_is_impossible_while_a_watch_is_broken_and_what_is_shows_when_it_is_back(
    before: Phase, scene: Scene
) -> None:
    """As an API server dies its watches end one by one: half of what is seen is from before the other half."""
    broken = replace(seen_from(before, scene), kube_problem="connection refused")
    decision, memory = broken.decided()
    assert "impossible-phase" not in {a.check for a in decision.alarms}
    back = replace(broken, kube_problem="", memory=memory)
    assert impossible(back)


@pytest.mark.parametrize("before", [P.CREATING_GREEN, P.WAITING_DELAY, P.READY_TO_CUT_OVER])
def test_a_release_that_others_have_undone_cannot_start(before: Phase) -> None:
    """Green vanishes, or the operator never made it, and somebody has put the template back."""
    undone = replace(build.creating(), green=None, template="old", metadata_generation=4)
    decision = seen_from(before, undone).decide()
    (alarm,) = decision.alarms
    assert (alarm.check, alarm.evidence) == ("cannot-start", "the object was changed since the plan was made")
    assert decision.journal is not None
    assert decision.journal.hold is not None
    assert decision.commands == ()


def test_a_failed_canary_that_somebody_has_resumed_already_is_no_step_that_no_release_takes() -> None:
    """Another console wrote `resume`, which means late removal, before the driver saw its own verdict stand."""
    resumed = noted(approved(build.ready(), "cut-over"), canary_failed="lost 30", late_removal=True)
    decision = seen_from(P.CANARY, resumed).decide()
    assert (decision.phase, decision.alarms) == (P.READY_TO_CUT_OVER, ())


def test_who_scales_blue_up_again_is_told_its_size() -> None:
    alarms = {alarm.check: alarm for alarm in seen_from(P.FINISHING, build.draining()).decide().alarms}
    alarm = alarms["impossible-phase"]
    assert alarm.evidence.endswith(f": somebody scaled {build.BLUE_NAME} to 3 again")
    assert alarm.advice == (Advice(Verb.FIX, "scale it back to 0 while it has no clients"),)


@pytest.mark.parametrize(("before", "scene"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_step_that_no_release_takes_is_told_and_holds(before: Phase, scene: Scene) -> None:
    decision = seen_from(before, scene).decide()
    assert "impossible-phase" in {a.check for a in decision.alarms}
    assert decision.journal is not None
    assert decision.journal.hold is not None
    assert not [c for c in decision.commands if c.advancing]


def reached_from(phase: Phase) -> set[Phase]:
    """Every phase to which the table leads from `phase`, in this release."""
    found: set[Phase] = set()
    fresh = {phase}
    while fresh:
        fresh = {row.then for row in LIFE if row.at in fresh and row.then is not P.IDLE} - found
        found |= fresh
    return found


def test_no_way_leads_back_over_the_cut_over() -> None:
    assert reached_from(P.DRAINING) == {P.FINISHING, P.DONE, P.ABORTING, P.ABORTED, P.LOST}
    assert reached_from(P.FINISHING) == {P.DONE, P.ABORTING, P.ABORTED, P.LOST}
    assert reached_from(P.ABORTING) == {P.ABORTING, P.ABORTED, P.LOST}
    assert reached_from(P.LOST) == reached_from(P.ABORTING)
    assert all(reached_from(phase) == set() for phase in FINAL - {P.IDLE, P.LOST})
    assert {row.then for row in LIFE if row.at is P.IDLE} == {P.STARTING}


def test_every_phase_and_every_condition_has_its_place_in_the_table() -> None:
    assert reached_from(P.IDLE) == set(Phase) - {P.IDLE}
    assert {row.when for row in LIFE} == set(When) == set(lifecycle.CONDITIONS)
    assert len({(row.at, row.when) for row in LIFE}) == len(LIFE)


OPPOSITES = (
    (W.GREEN_COMPLETE, W.GREEN_INCOMPLETE),
    (W.DELAY_OVER, W.DELAY_RUNNING),
    (W.CANARY_DUE, W.CANARY_FAILED),
    (W.CANARY_DUE, W.CUT_OVER_DUE),
    (W.JOURNAL_WRITTEN, W.JOURNAL_REMOVED),
    (W.BLUE_REBUILT, W.BLUE_GONE),
    (W.BLUE_REBUILT, W.OBJECT_GONE),
)


@given(st.sampled_from(Phase), st.frozensets(st.sampled_from(When)))
def test_whatever_holds_the_table_settles(start: Phase, true: frozenset[When]) -> None:
    holding = true - {second for first, second in OPPOSITES if first in true}
    asked: list[When] = []

    def holds(when: When) -> bool:
        asked.append(when)
        assert len(asked) < 500, "it runs in a circle"
        return when in holding

    phase = settle(start, holds)
    assert not [row for row in LIFE if row.at is phase and row.when in holding]


@settings(max_examples=200)
@given(scenes())
def test_opposite_conditions_never_hold_together(scene: Scene) -> None:
    if scene.journal is None:
        return
    context = scene.context()
    for first, second in OPPOSITES:
        assert not (lifecycle.CONDITIONS[first](context) and lifecycle.CONDITIONS[second](context))


@settings(max_examples=300)
@given(scenes(), st.sampled_from(FORWARD))
def test_a_release_that_was_known_earlier_is_never_impossible(scene: Scene, before: Phase) -> None:
    """From any phase before it, and from where it is, the table leads to what is seen."""
    if scene.journal is None:
        return
    seen, _ = lifecycle.locate(remembered(scene, phase=P.IDLE).context())
    if seen not in FORWARD or FORWARD.index(before) <= FORWARD.index(seen):
        assert lifecycle.locate(remembered(scene, phase=before).context()) == (seen, ())


LOST_WRITES: dict[str, tuple[Scene, dict[str, Any]]] = {
    "the cut-over": (build.cutting_over(), {"cut_over_at": build.NOW}),
    "the canary's verdict": (build.canary(watched_s=5.0), {"canary_passed_at": build.NOW}),
    "an abort": (build.draining(), {"abort": AbortRecord("ann@host", build.NOW, "e")}),
    "late removal": (
        approved(noted(build.ready(), canary_failed="lost 30"), "cut-over:late"),
        {"late_removal": True},
    ),
}


@pytest.mark.parametrize("kube_problem", ["", "connection refused"], ids=["watches answer", "a watch is broken"])
@pytest.mark.parametrize(("scene", "fields"), LOST_WRITES.values(), ids=LOST_WRITES)
def test_a_step_whose_write_lost_its_race_is_taken_back_without_an_alarm(
    scene: Scene, fields: dict[str, Any], kube_problem: str
) -> None:
    """A spectator writes nothing either: what it has seen come true may stand in the journal later."""
    ahead, memory = noted(scene, **fields).decided()
    decision, memory = replace(scene, memory=memory, kube_problem=kube_problem).decided()
    assert ahead.phase is not decision.phase
    later = replace(scene, memory=memory).decide()
    assert later.phase is decision.phase
    assert "impossible-phase" not in {a.check for a in (*decision.alarms, *later.alarms)}


def test_without_a_journal_every_phase_ends() -> None:
    for phase in Phase:
        decision, memory = seen_from(phase, build.idle()).decided()
        assert settle(phase, lambda when: when is W.JOURNAL_REMOVED) is P.IDLE
        assert (decision.phase, memory.phase) == (P.IDLE, P.IDLE)


def test_while_the_sources_are_silent_the_phase_stays_what_it_was() -> None:
    for phase, scene in ALONG.items():
        seen = scene.snapshot()
        blank = type(seen)(seen.now, seen.namespace, seen.name, blue_uid=seen.blue_uid)
        context = replace(seen_from(phase, scene).context(), snapshot=blank)
        assert lifecycle.locate(context) == (phase, ())


def test_the_architecture_page_prints_the_table() -> None:
    page = phase_table.PAGE.read_text(encoding="utf-8")
    assert phase_table.on_page(page) == phase_table.markdown(), "python -m tests.support.phase_table writes it"
