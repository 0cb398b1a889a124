"""PURE: what happened in a release before this console came to it, in one to three lines above the log.

The journal has who approved what and when, what it was held for, and which nodes are drained; the lease, since when
nobody drove. Shown until the first intent of this console: from then on the log tells all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from emqx_tui.model import units
from emqx_tui.rollout.gate_id import START
from emqx_tui.rollout.state.journal import ApprovalRecord, Journal
from emqx_tui.session.views.view import Arrival, View
from emqx_tui.ui.rollout.names import begun_word, check_words
from emqx_tui.ui.text.gates import gate_name
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Span, Tone, crop, line, wrap

MOST_ROWS = 3
JUST_NOW_S = 10.0
"""A release that was seen so soon was seen from its beginning."""
UNDRIVEN_LEASES = 2.0
"""So many times the age at which a lease is told to be old: this long a gap is told."""
LABEL = "earlier: "


def missed_lines(view: View, cells: int, rows: int) -> list[Line]:
    """In at most so many rows; a cut is marked. Empty when nothing was missed, or when it is history by now."""
    parts = list(_parts(view))
    if not parts or rows < 1:
        return []
    told = line((f" {LABEL}", Tone.STRONG), clean(" · ".join(parts)))
    wrapped = wrap(told, cells - 1)
    rows = min(rows, MOST_ROWS)
    if len(wrapped) > rows:
        rest = [span for spans in wrapped[rows - 1 :] for span in (Span(" "), *spans)]
        wrapped = [*wrapped[: rows - 1], crop(tuple(rest[1:]), cells - 2)]
    return [(Span(" "), *spans) for spans in wrapped]


def _parts(view: View) -> Iterator[str]:
    """The most pressing first: there may be room for little."""
    arrival, journal = view.arrival, view.journal
    if arrival is None or journal is None or (arrival.at - journal.created_at).total_seconds() < JUST_NOW_S:
        return
    if any(at >= arrival.at for at in _ordered_at(journal)):
        return
    yield from _stopped(journal)
    yield from _undriven(view, arrival)
    if journal.drained:
        yield f"{len(journal.drained)} of {units.plural(journal.originals.replicas, 'node')} drained"
    yield from _approved([record for record in journal.approvals if record.gate != START])
    if journal.totals.killed:
        yield f"{units.count(journal.totals.killed)} clients cut off without a drain"
    if journal.acknowledged:
        yield f"accepted: {', '.join(_accepted(journal, name) for name in journal.acknowledged)}"
    warnings = sum(entry.is_alarm and journal.created_at <= entry.began_at < arrival.at for entry in view.log)
    if warnings:
        yield f"{units.plural(warnings, 'warning')} (l)"
    yield f"{begun_word(journal)} {units.clock_minute(journal.created_at)} by {journal.created_by}"


def _accepted(journal: Journal, check: str) -> str:
    by = journal.acknowledged_by.get(check, "")
    return check_words(check) + (f" by {by}" if by else "")


def _ordered_at(journal: Journal) -> Iterator[datetime]:
    yield from (record.at for record in journal.approvals)
    yield from (record.at for record in (journal.hold, journal.abort) if record is not None)


def _stopped(journal: Journal) -> Iterator[str]:
    if journal.abort is not None:
        yield f"abort {units.clock_minute(journal.abort.at)} by {journal.abort.by}"
    if (hold := journal.hold) is not None:
        who = f"check {check_words(hold.check)}" if hold.auto else hold.by
        yield f"{'frozen' if hold.freeze else 'held'} {units.clock_minute(hold.at)} by {who}"
    if journal.canary_failed:
        yield "canary failed"


def _undriven(view: View, arrival: Arrival) -> Iterator[str]:
    since, least_s = arrival.driven_until, UNDRIVEN_LEASES * view.policy.max_lease_age_s
    if since is not None and (arrival.at - since).total_seconds() >= least_s:
        yield f"nobody drove from {units.clock_minute(since)} to {units.clock_minute(arrival.at)}"


def _approved(records: list[ApprovalRecord]) -> Iterator[str]:
    """`cut-over 02:14, node 2 02:16 by ann@bastion; node 1 02:31 by bob@laptop`."""
    told: list[tuple[str, list[str]]] = []
    for record in records:
        if not told or told[-1][0] != record.by:
            told.append((record.by, []))
        told[-1][1].append(f"{gate_name(record.gate)} {units.clock_minute(record.at)}")
    if told:
        yield "approved: " + "; ".join(f"{', '.join(gates)} by {by}" for by, gates in told)
