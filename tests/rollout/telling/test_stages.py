"""What a console has seen of a release: phase, waiting gate and hold, and how long each lasted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.telling.stages import MOST, Stage, lasting, stage_at, waiting_gate, with_stage
from emqx_tui.session.views.view import View
from tests.support import releases


def after(known: tuple[Stage, ...], view: View, seconds: float = 0.0) -> tuple[Stage, ...]:
    assert view.journal is not None
    snapshot = view.snapshot.at(view.now + timedelta(seconds=seconds))
    return with_stage(known, snapshot, view.decision, view.journal)


def test_a_stage_lasts_until_something_of_it_changes() -> None:
    stages = after((), releases.draining())
    assert after(stages, releases.draining(), 5) is stages
    stages = after(after(stages, releases.held(), 10), releases.at_gate(), 20)
    assert [(s.gate, s.hold is not None, s.is_draining, s.is_waiting) for s in stages] == [
        (None, False, True, False),
        (None, True, True, False),
        (GateId.node(0), False, False, True),
    ]
    now = releases.NOW
    ends = [(end - now).total_seconds() for _, end in lasting(stages, now + timedelta(seconds=60))]
    assert ends == [10, 20, 60]
    assert stage_at(stages, now + timedelta(seconds=19)) is stages[1]
    assert stage_at(stages, now - timedelta(seconds=1)) is None
    assert list(lasting((), now)) == []


def test_a_hold_stops_a_release_once_no_drain_runs() -> None:
    held = releases.held()
    still = replace(held, snapshot=releases.at_gate().snapshot)
    assert [stage.is_waiting for stage in after(after((), held), still, 5)] == [False, True]


@pytest.mark.parametrize(
    ("approval", "waits"), [(Approval.EVERY_NODE, GateId.node(0)), (Approval.CUT_OVER, None), (Approval.AUTO, None)]
)
def test_only_a_gate_that_a_person_opens_is_waited_for(approval: Approval, waits: GateId | None) -> None:
    view = releases.at_gate()
    assert waiting_gate(view.decision, releases.journal(approval=approval)) == waits


def test_a_gate_that_a_check_keeps_shut_is_not_waited_for_nor_one_that_is_held() -> None:
    assert waiting_gate(releases.draining().decision, releases.journal()) is None
    assert waiting_gate(releases.at_gate().decision, releases.held().journal) is None
    assert waiting_gate(releases.at_gate().decision, None) is None


def test_only_the_newest_stages_are_kept() -> None:
    stages: tuple[Stage, ...] = ()
    for second in range(MOST + 20):
        stages = after(stages, releases.held() if second % 2 else releases.draining(), second)
    assert len(stages) == MOST
    assert stages[-1].since == releases.NOW + timedelta(seconds=MOST + 19)
