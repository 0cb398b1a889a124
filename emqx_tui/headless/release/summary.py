"""PURE: the last line of a run: what became of the release, in figures.

Owns the definitions. Instants and counts come from the journal, which every driver carried on, so that the figures of
a release that changed hands are those of the whole release. What is not known is null, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.view_diff import uncounted_fields
from emqx_tui.headless.release.exit_status import Result
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views import facts
from emqx_tui.session.views.lost_clients import clients_lost
from emqx_tui.session.views.view import View


def summary(
    view: View | None, result: Result, at: datetime, *, versions: tuple[str | None, str | None] = (None, None)
) -> Record:
    """The finished record. `versions` = (from, to) where no release began."""
    journal = view.journal if view else None
    if view is None or journal is None:
        return Record(Event.FINISHED, at, None, {"result": str(result), "from": versions[0], "to": versions[1]})
    return Record(Event.FINISHED, at, journal.release_id, {"result": str(result), **figures(view, journal)})


def figures(view: View, journal: Journal) -> Mapping[str, Any]:
    """Everything that the last line says of a release, by field name."""
    totals, lowest = journal.totals, facts.lowest_sum(view)
    return {
        "from": facts.versions(journal).before,
        "to": facts.versions(journal).after,
        "duration_s": facts.seconds_between(journal.created_at, totals.finished_at),
        "drain_s": facts.drain_duration_s(journal),
        "limit_s": facts.drain_limit_s(journal),
        "disconnects_per_client": facts.disconnects_per_client(journal),
        "disconnects_at_least": facts.is_disconnects_lower_bound(view),
        "cut_by_canary": totals.cut_by_canary,
        "clients_lost": clients_lost(view, journal),
        "lowest_sum_ratio": round(lowest.ratio, 5) if lowest and lowest.ratio is not None else None,
        "uncounted": uncounted_fields(journal),
        "sessions_left": sum(totals.sessions_left.values()),
        "early_clients": facts.early_clients(view),
    }
