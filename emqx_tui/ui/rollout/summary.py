"""PURE: the figures of a release that has ended."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views import facts
from emqx_tui.session.views.lost_clients import Away, clients_away
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.ledger import uncounted_words
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line, pad


def summary(view: View) -> tuple[tuple[str, str], ...]:
    """The figures as (name, value), the first ones first where not all have room; empty while a release runs.

    Six rows are what the least screen has beside its plot.
    """
    journal = view.journal
    if journal is None or not facts.has_ended(view):
        return ()
    approvals = f"{units.plural(len(journal.approvals), 'approval')}, policy {journal.approval.value}"
    total = ("total", f"{units.span(facts.duration_s(view))} · {approvals}")
    return (total, *_drain(journal), *_clients(view, journal))


def _drain(journal: Journal) -> list[tuple[str, str]]:
    drain_s, limit_s = facts.drain_duration_s(journal), facts.drain_limit_s(journal)
    if drain_s is None:
        return []
    waits = " with waits for you" if journal.approval is Approval.EVERY_NODE else ""
    beside = f" ({drain_s / limit_s:.2f} x the limit of {units.span(limit_s)})" if limit_s else ""
    return [("drain", f"{units.span(drain_s)}{waits}{beside}")]


def _clients(view: View, journal: Journal) -> list[tuple[str, str]]:
    totals, missing = journal.totals, view.ledger.missing
    away = clients_away(view, journal)
    rows = _disconnects(view, journal, is_nobody_lost=away is not None and not away.clients)
    if away is not None:
        rows += _away(away, totals.start_sum)
    elif missing is not None and view.ledger.evicted:
        share = units.percent(missing / view.ledger.evicted)
        rows.append(("missing", f"{units.count(missing)} of {units.count(view.ledger.evicted)} evicted ({share})"))
    lowest = facts.lowest_sum(view)
    if lowest is not None and lowest.ratio is not None:
        words = f"{units.count(lowest.clients)} ({units.percent(lowest.ratio, 1)} of the start)"
        rows.append(("lowest sum", words + uncounted_words(lowest.uncounted)))
    if early := facts.early_clients(view):
        rows.append(("early", f"{units.plural(early, 'client')} on green by the cut-over"))
    return rows


def _disconnects(view: View, journal: Journal, *, is_nobody_lost: bool) -> list[tuple[str, str]]:
    """How many were cut off; that all of them are back needs no row of its own."""
    totals, nobody = journal.totals, ", no client lost" if is_nobody_lost else ""
    if (per_client := facts.disconnects_per_client(journal)) is not None:
        least = "at least " if facts.is_disconnects_lower_bound(view) else ""
        words = f"{least}{units.count(totals.disconnects)} = {per_client:.2f} per client{nobody}"
        words += f", {units.count(totals.killed)} without a drain" if totals.killed else ""
        words += f", {units.count(totals.cut_by_canary)} by the network in the canary" if totals.cut_by_canary else ""
    elif totals.disconnects:
        words = f"{units.count(totals.disconnects)}, before any node of blue was drained{nobody}"
    else:
        return []
    return [("disconnects", words)]


def _away(away: Away, start_sum: int | None) -> list[tuple[str, str]]:
    """Who is not seen after the end: on the way back for a while, then lost."""
    if not away.clients:
        return []
    counted = f"{units.count(away.clients)} of {units.count(start_sum)} clients of the start"
    return [("lost", counted)] if away.is_settled else [("away", f"{counted}: on their way, or lost")]


def summary_lines(view: View, cells: int) -> list[Line]:
    """The summary in lines: two figures beside each other where there is room."""
    rows = summary(view)
    found = [line((f" {name} ".ljust(13), Tone.DIM), (value, Tone.STRONG)) for name, value in rows]
    if cells < 130:
        return found
    half = cells // 2
    pairs = [found[at : at + 2] for at in range(0, len(found), 2)]
    return [pad(pair[0], half) + (pair[1] if len(pair) > 1 else EMPTY) for pair in pairs]
