"""PURE: clients that a release which has ended has lost, or that are still on their way.

This compares sums, because EMQX does not tell clients apart: the sum of the start less the highest sum of the
last QUIET_S, if that is after the last client was cut off. At any moment some clients are away by themselves: as many
as left and were back before anybody was cut off are no loss. Those that are missing may still be on their way: they are
away at first, and told as lost SETTLED_S later, once the sum falls no more. New clients that joined during the release
can hide lost ones, which no count can tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from emqx_tui.rollout.gate_id import CUT_OVER
from emqx_tui.rollout.state.broker_ends import DROPS_BEFORE_S
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views.view import Away, View

SETTLED_S = 60.0
"""Firmware that waits ever longer between its attempts is back by then."""
LEFT_SETTLED_S = 180.0
"""Where the sum still falls by then, clients leave by themselves."""
QUIET_S = 30.0
"""So long the sum is looked at: before the first client is cut off for how much it moves by itself, and at the end."""
MOST_MOVES = 0.25
"""Where more of all clients came and went before anybody was cut off, those that are away may be lost or not."""
FEW = 5
"""Fewer samples do not tell that."""


def clients_lost(view: View, journal: Journal) -> int | None:
    """Clients of the start that were not seen again; None while the release runs, and while that is not known."""
    away = clients_away(view, journal)
    return away.clients if away is not None and (away.is_settled or not away.clients) else None


def clients_away(view: View, journal: Journal) -> Away | None:
    """How many are not seen after the end; None while the release runs, and where no count tells.

    Once it is settled the session keeps it in its views: what clients do later is no doing of the release.
    """
    if view.away is not None:
        return view.away
    totals = journal.totals
    if totals.finished_at is None or totals.start_sum is None:
        return None
    since = _last_cut_off(view, journal, totals.finished_at)
    after = [sample for sample in view.samples if sample.sum is not None and sample.at > since]
    if not after:
        return None
    late = max(sample.sum or 0 for sample in after if (after[-1].at - sample.at).total_seconds() <= QUIET_S)
    away, (dip, spread) = totals.start_sum - late, _moves_by_itself(view, journal, since)
    if away > 0 and (spread > MOST_MOVES * totals.start_sum or (dip is None and away <= spread)):
        return None
    away -= spread if dip is None else dip
    # A broker may have cut them off just now, and Kubernetes or EMQX not have told yet that it ended.
    is_falling, waited_s = late - (after[-1].sum or 0) > spread, (after[-1].at - since).total_seconds()
    return Away(max(0, away), waited_s >= (LEFT_SETTLED_S if is_falling else SETTLED_S))


def _last_cut_off(view: View, journal: Journal, finished_at: datetime) -> datetime:
    """When the last client can have been cut off by the release: the generation that went away had one until then."""
    totals, abort = journal.totals, journal.abort
    found = [death.at for death in totals.deaths]
    if abort is None and totals.drained_at is not None:
        return max([*found, totals.drained_at])
    leaving = ((sample.at, sample.green if abort else sample.blue) for sample in view.samples)
    begun = abort.at if abort else totals.first_drain_at or journal.created_at
    return max([begun, *found, *(at for at, clients in leaving if clients and at <= finished_at)])


def _moves_by_itself(view: View, journal: Journal, since: datetime) -> tuple[int | None, int]:
    """How many were away and came back before anybody was cut off, and how far apart the sums were then.

    Too few sums do not tell who came back: None.
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
    return None, max(few) - min(few)


def _deepest_dip(counts: Sequence[int]) -> int:
    """How far the sum fell and rose again: who does not come back is no dip."""
    before = itertools.accumulate(counts, max)
    after = [*itertools.accumulate(reversed(counts), max)][::-1]
    return max(min(b, a) - count for b, a, count in zip(before, after, counts, strict=True))
