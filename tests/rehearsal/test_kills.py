"""The console dies before and after each request that it sends, and is started again half a minute later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emqx_tui.rollout.policy import Approval
from tests.rehearsal.test_releases import play, small_world
from tests.support.checkpoint import Checkpoint
from tests.support.rehearsal.rehearse import Script

LAST_WRITE = 32
"""So often does a release of three nodes write under every-node."""


class Death:
    """Stops before each write until it is told at which one, and whether before or after it, the console dies."""

    def __init__(self, stop: Callable[[], tuple[int, str] | None]) -> None:
        self._stop = stop
        self._chosen: tuple[int, str] | None = None

    def __contains__(self, moment: object) -> bool:
        assert isinstance(moment, tuple)
        if self._chosen is None and moment[1] == "before":
            self._chosen = self._stop()
        return moment == self._chosen


def survive(stop: Callable[[], Any]) -> None:
    world = small_world(clients=300)
    script = Script(approval=Approval.EVERY_NODE)
    run, witness = play(world, script, limit_s=1500, kill_at=Death(stop), dead_for_s=30.0)
    assert run.result == "done", run.view and run.view.log[-5:]
    assert witness.broken == []
    witness.check_ended("4.4.15")
    assert (run.truth.killed, run.truth.lost) == (0, 0)
    assert run.consoles == 2


@pytest.fixture(scope="module")
def release() -> Iterator[Checkpoint]:
    """One release, stopped before the write that is next; the tests take its writes in their order."""
    checkpoint = Checkpoint(survive)
    yield checkpoint
    checkpoint.close()


@pytest.mark.xdist_group("kills")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, LAST_WRITE + 1))
def test_nothing_unapproved_happens_and_the_release_ends_well(release: Checkpoint, number: int, when: str) -> None:
    while release.stops < number - 1:
        release.go_on()
    release.resume((number, when))


def test_every_write_of_a_release_is_tried() -> None:
    run, _ = play(small_world(clients=300), Script(approval=Approval.EVERY_NODE), limit_s=1500)
    assert len(run.writes) == LAST_WRITE
    assert run.consoles == 1
