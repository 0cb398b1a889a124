"""What a console has seen of a release so far, and what it compares its drains with; kept until another one begins."""

from __future__ import annotations

from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.forecast.expected import Expected, with_expected
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.telling.stages import Stage, with_stage


class ReleaseHistory:
    """Of the release that was seen last."""

    def __init__(self) -> None:
        self._release_id = ""
        self.stages: tuple[Stage, ...] = ()
        self.expected: Expected | None = None

    def take(self, seen: Snapshot, decision: Decision, journal: Journal) -> None:
        """Take in one step of a session."""
        if journal.release_id != self._release_id:
            self._release_id, self.stages, self.expected = journal.release_id, (), None
        self.stages = with_stage(self.stages, seen, decision, journal)
        self.expected = with_expected(self.expected, seen, decision.phase, journal)
