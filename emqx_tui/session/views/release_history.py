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

LATE_S = 300.0
"""After that a client that comes may be any."""


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
        """The view with the clients that a release has lost, kept once that can be known.

        Who comes back late, as firmware does that was refused meanwhile, was not lost; who leaves later is no doing of
        the release.
        """
        known = self._away
        if not view.result or view.journal is None:
            self._away = None
        elif known is None or (known.clients and _may_be_late(view, view.journal)):
            away = clients_away(view, view.journal)
            if away is not None and away.is_settled and (known is None or away.clients < known.clients):
                self._away = away
        return view if self._away is None else replace(view, away=self._away)


def _may_be_late(view: View, journal: Journal) -> bool:
    end = journal.totals.finished_at
    return end is not None and (view.now - end).total_seconds() <= LATE_S
