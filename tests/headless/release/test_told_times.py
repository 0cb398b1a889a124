"""When the lines of a run say that something was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.release.release_options import Edit
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.rollout.policy import Approval
from tests.support.desk import Room, Terminal
from tests.support.rehearsal.virtual_loop import run_in


def test_what_a_run_says_of_a_release_is_of_the_moment_that_it_sees() -> None:
    """On a busy machine views wait their turn: what is told of them comes after, and bears their time."""
    room = Room()

    class Later:
        """The clock has gone on since the view was made."""

        def __init__(self, runner: SessionRunner) -> None:
            self._clock = runner.clock
            runner.clock = self

        def now(self) -> datetime:
            return self._clock.now() + timedelta(seconds=60)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._clock, name)

    async def work() -> Terminal:
        first, second = room.terminal(), room.terminal()
        assert await first.rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True)) == 3
        leaving = Leaving(at_gate=True)
        assert await second.rollout(Edit(), None, leaving=leaving, on_runner=Later) == 3
        return second

    desk = run_in(room.world, work())
    (carried_on,), (progress, *_) = desk.events("carried_on"), desk.events("progress")
    assert carried_on["at"] == progress["at"]
