"""PURE: the last line of a run: what became of the release, in figures.

Owns the definitions. Instants and counts come from the journal, which every driver carried on, so that the figures of
a release that changed hands are those of the whole release. What is not known is null, never 0.

`clients_lost` compares sums, because EMQX does not tell clients apart: the sum of the start less the highest sum of the
last QUIET_S, if that is after the last client was cut off. At any moment some clients are away by themselves: as many
as left and were back before anybody was cut off are no loss. Those that are missing may still be on their way: they are
told as lost SETTLED_S later, and are null before. New clients that joined during the release can hide lost ones, which
no count can tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.view_diff import uncounted_fields
from emqx_tui.headless.release.exit_status import Result
from emqx_tui.rollout.gate_id import CUT_OVER
from emqx_tui.rollout.state.deaths import DROPS_BEFORE_S
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View

SETTLED_S = 60.0
"""Firmware that waits ever longer between its attempts is back by then."""
QUIET_S = 30.0
"""So long the sum is looked at: before the first client is cut off for how much it moves by itself, and at the end."""
MOST_MOVES = 0.25
"""Where more of all clients came and went before anybody was cut off, those that are away may be lost or not."""
FEW = 5
"""Fewer samples do not tell that."""


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


def clients_lost(view: View, journal: Journal) -> int | None:
    """Clients of the start that were not seen again; None while the release runs, and while that is not known."""
    totals = journal.totals
    if totals.finished_at is None or totals.start_sum is None:
        return None
    since = _last_cut_off(view, journal, totals.finished_at)
    after = [sample for sample in view.samples if sample.sum is not None and sample.at > since]
    if not after:
        return None
    late = max(sample.sum or 0 for sample in after if (after[-1].at - sample.at).total_seconds() <= QUIET_S)
    away, (moves, spread) = totals.start_sum - late, _moves_by_itself(view, journal, since)
    if away > 0 and spread > MOST_MOVES * totals.start_sum:
        return None
    is_settled = (after[-1].at - since).total_seconds() >= SETTLED_S
    return 0 if away <= moves else away - moves if is_settled else None


def _last_cut_off(view: View, journal: Journal, finished_at: datetime) -> datetime:
    """When the last client can have been cut off by the release: the generation that went away had one until then."""
    totals, abort = journal.totals, journal.abort
    found = [death.at for death in totals.deaths]
    if abort is None and totals.drained_at is not None:
        return max([*found, totals.drained_at])
    leaving = ((sample.at, sample.green if abort else sample.blue) for sample in view.samples)
    begun = abort.at if abort else totals.first_drain_at or journal.created_at
    return max([begun, *found, *(at for at, clients in leaving if clients and at <= finished_at)])


def _moves_by_itself(view: View, journal: Journal, since: datetime) -> tuple[int, int]:
    """How many were away and came back before anybody was cut off, and how far apart the sums were then.

    Too few sums do not tell who came back.
    """
    totals = journal.totals
    cuts = [since, *(death.at - timedelta(seconds=DROPS_BEFORE_S) for death in totals.deaths)]
    cuts += [gap.since for gap in totals.uncounted]
    cuts += [totals.evicted_at - timedelta(seconds=DROPS_BEFORE_S)] if totals.evicted_at else []
    cuts += [at for at in (totals.first_drain_at, journal.abort.at if journal.abort else None) if at is not None]
    # From here on a network may reset connections: the canary passes when they are few.
    cuts += [record.at for record in journal.approvals if record.gate == CUT_OVER]
    until = min(cuts)
    counted = [(s.at, s.sum) for s in view.samples if s.sum is not None and journal.created_at <= s.at < until]
    quiet = [count for at, count in counted if (until - at).total_seconds() <= QUIET_S]
    if len(quiet) >= FEW:
        return _deepest_dip(quiet), max(quiet) - min(quiet)
    few = [totals.start_sum or 0, *(count for _, count in counted)]
    return max(few) - min(few), max(few) - min(few)


def _deepest_dip(counts: Sequence[int]) -> int:
    """How far the sum fell and rose again: who does not come back is no dip."""
    before = itertools.accumulate(counts, max)
    after = [*itertools.accumulate(reversed(counts), max)][::-1]
    return max(min(b, a) - count for b, a, count in zip(before, after, counts, strict=True))
