"""PURE: the last line of a run: what became of the release, in figures.

Owns the definitions. Instants and counts come from the journal, which every driver carried on, so that the figures of
a release that changed hands are those of the whole release. What is not known is null, never 0.

`clients_lost` compares sums, because EMQX does not tell clients apart: the sum of the start less the highest sum seen
after the last drain. At any moment some clients are away by themselves; so many are no loss, and the lowest sum before
the first drain counts as the start where it was seen. New clients that joined during the release can hide lost ones,
which no count can tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.headless.events import Event, Record
from emqx_tui.headless.exit_status import Result
from emqx_tui.headless.view_diff import uncounted_fields
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View

SETTLED_S = 60.0
"""An aborted release has no last drain: its end is judged by the samples of this long before it."""


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
    totals, lowest = journal.totals, facts.lowest_sum(journal)
    return {
        "from": facts.versions(journal).before,
        "to": facts.versions(journal).after,
        "duration_s": facts.seconds_between(journal.created_at, totals.finished_at),
        "drain_s": facts.drain_duration_s(journal),
        "limit_s": facts.drain_limit_s(journal),
        "disconnects_per_client": _per_client(journal),
        "clients_lost": clients_lost(view, journal),
        "lowest_sum_ratio": round(lowest.ratio, 5) if lowest and lowest.ratio is not None else None,
        "uncounted": uncounted_fields(journal),
        "sessions_left": sum(totals.sessions_left.values()),
        "early_clients": facts.early_clients(view),
    }


def clients_lost(view: View, journal: Journal) -> int | None:
    """Clients of the start that were not seen again; None while the release runs or nothing was counted."""
    totals = journal.totals
    if totals.finished_at is None or totals.start_sum is None:
        return None
    since = totals.drained_at or totals.finished_at - timedelta(seconds=SETTLED_S)
    until = totals.first_drain_at or (journal.abort.at if journal.abort else since)
    counted = [(sample.at, sample.sum) for sample in view.samples if sample.sum is not None]
    before = [totals.start_sum, *(count for at, count in counted if journal.created_at <= at < until)]
    after = [count for at, count in counted if at >= since]
    return max(0, min(before) - max(after)) if after else None


def _per_client(journal: Journal) -> float | None:
    totals = journal.totals
    if not totals.clients:
        return None
    return round(totals.disconnects / totals.clients, 4)
