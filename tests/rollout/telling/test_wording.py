"""The sentences that the journal keeps and both front ends show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.model.reading import MISSING
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Limit
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.rollout.steps import finish
from emqx_tui.rollout.telling import progress, wording
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind
from emqx_tui.rollout.ungated.ungated import look
from tests.support import scenes

LEFT = Incident(IncidentKind.LEFT_EMQX, "a-0", Colour.BLUE, scenes.NOW, None)
KEPT = replace(LEFT, left=0)
LOST = replace(LEFT, kind=IncidentKind.POD_LOST)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (None, "a node is late"),
        (Limit(60.0), "a node is late (limit 60 s)"),
        (Limit(10.0, 1_395), "a node is late (limit 1,395 for 10 s)"),
        (Limit(share_per_min=0.1), "a node is late (limit 10% a minute)"),
    ],
)
def test_an_alarm_is_told_with_the_limit_that_it_passed(limit: Limit | None, words: str) -> None:
    assert wording.alarm(Alarm("late", "a node is late", limit)) == words


@pytest.mark.parametrize(
    ("unread", "strength", "stage"),
    [
        ((), "2/3 Ready, 2/3 Running in EMQX", "2/3 Ready"),
        (("nodes",), "2/3 Ready, not read in EMQX yet", "2/3 Ready"),
        (("nodes", "pods"), "pods not read yet", "pods not read yet"),
    ],
    ids=["read", "EMQX not read", "nothing read"],
)
def test_what_was_not_read_is_no_zero(unread: tuple[str, ...], strength: str, stage: str) -> None:
    scene = scenes.creating(joined=2)
    assert scene.journal is not None
    seen = replace(scene.snapshot(), **dict.fromkeys(unread, MISSING))
    context = RolloutContext(seen, scene.journal, scene.memory, scene.policy)
    assert seen.green is not None
    checks = {check.name: check.evidence for check in finish.before_delay(context, seen.green)}
    found = look(seen)
    assert found is not None
    assert wording.strength(seen.green, 3, seen) == strength
    assert progress.phase_text(context, Phase.CREATING_GREEN) == strength
    assert checks["generation-complete"] == strength
    assert wording.ungated(found) == f"green is being created: {stage}"


@pytest.mark.parametrize(
    ("incident", "words"),
    [
        (LEFT, "nobody counted the clients on it"),
        (replace(LEFT, clients=0), "no client was on it"),
        (replace(LEFT, clients=1), "1 client was on it"),
        (replace(LEFT, clients=2), "2 clients were on it"),
        (replace(KEPT, clients=1), "1 client stays connected to it"),
        (replace(KEPT, clients=2), "2 clients stay connected to it"),
        (replace(LEFT, clients=4, left=2), "4 clients stay connected to it"),
        (replace(LEFT, clients=4, left=3), "3 clients were cut off"),
        (replace(LOST, clients=1), "1 client was cut off"),
        (replace(LOST, clients=2), "2 clients were cut off"),
    ],
)
def test_what_a_failed_node_has_cost(incident: Incident, words: str) -> None:
    assert wording.cost(incident) == words


def test_a_failed_node_is_told_with_its_return() -> None:
    told = "blue a-0 left the EMQX cluster at 12:00:00Z, its pod runs: no client was on it"
    gone = replace(LEFT, clients=0)
    assert wording.incident_so_far(gone) == told
    assert wording.incident_so_far(replace(gone, back_at=scenes.NOW)) == f"{told}; back since 12:00:00Z"


@pytest.mark.parametrize(("freeze", "word"), [(False, "held"), (True, "frozen")])
def test_a_hold_is_told_with_who_since_when_and_why(freeze: bool, word: str) -> None:
    hold = HoldRecord("ann@host", scenes.NOW, "a look first", freeze)
    assert wording.held(hold) == f"{word} by ann@host since 12:00:00Z: a look first"


@pytest.mark.parametrize(
    ("gate", "word"),
    [
        (CUT_OVER, "cut-over"),
        (LATE_CUT_OVER, "cut-over with late removal"),
        (GateId.node(2), f"{scenes.BLUE_NAME}-2"),
    ],
)
def test_a_gate_is_told_by_what_it_opens(gate: GateId, word: str) -> None:
    assert wording.gate(gate, scenes.journal()) == word
