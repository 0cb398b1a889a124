"""What a console has seen of a release so far, and what it compares its drains with; kept until another one begins."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.forecast.expected import Expected, with_expected
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.telling.stages import Stage, with_stage
from emqx_tui.session.views.lost_clients import clients_away
from emqx_tui.session.views.view import Away, View


class ReleaseHistory:
    """Of the release that was seen last."""

    def __init__(self) -> None:
        self._release_id = ""
        self.stages: tuple[Stage, ...] = ()
        self.expected: Expected | None = None
        self._away: Away | None = None

    def take(self, seen: Snapshot, decision: Decision, journal: Journal) -> None:
        """Take in one step of a session."""
        if journal.release_id != self._release_id:
            self._release_id, self.stages, self.expected = journal.release_id, (), None
        self.stages = with_stage(self.stages, seen, decision, journal)
        self.expected = with_expected(self.expected, seen, decision.phase, journal)

    def settled(self, view: View) -> View:
        """The view with the clients that a release has lost, once and for all when that can be known."""
        if not view.result or view.journal is None:
            self._away = None
        elif self._away is None and (away := clients_away(view, view.journal)) is not None and away.is_settled:
            self._away = away
        return view if self._away is None else replace(view, away=self._away)
