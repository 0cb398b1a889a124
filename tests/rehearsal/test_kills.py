"""The console dies before and after each request that it sends, and is started again half a minute later."""

from __future__ import annotations

import pytest

from emqx_tui.rehearsal.rehearse import Script
from emqx_tui.rollout.policy import Approval
from tests.rehearsal.test_releases import play, small_world

LAST_WRITE = 40
"""A release of three nodes under every-node writes about thirty times; points beyond the last do not fire."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, LAST_WRITE + 1))
def test_nothing_unapproved_happens_and_the_release_ends_well(number: int, when: str) -> None:
    world = small_world(clients=300)
    script = Script(approval=Approval.EVERY_NODE)
    run, witness = play(world, script, limit_s=1500, kill_at=((number, when),), dead_for_s=30.0)
    assert run.result == "done", run.view and run.view.log[-5:]
    assert witness.broken == []
    witness.check_ended("4.4.15")
    assert (run.truth.killed, run.truth.lost) == (0, 0)
    if len(run.writes) < number:
        assert run.consoles == 1
    else:
        assert run.consoles == 2


def test_a_release_of_three_nodes_writes_less_often_than_the_kill_points_reach() -> None:
    """Else the last writes would never be tried."""
    run, _ = play(small_world(clients=300), Script(approval=Approval.EVERY_NODE), limit_s=1500)
    assert 20 <= len(run.writes) < LAST_WRITE
