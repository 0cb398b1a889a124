"""PURE: where the disconnected clients are, on one line. What is not known is told as not known."""

from __future__ import annotations

from rich.cells import cell_len

from emqx_tui.model import units
from emqx_tui.rollout.phases import BEFORE_CUT_OVER
from emqx_tui.rollout.state.journal import Journal, Uncounted
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.text.spans import TIE, Line, Tone, line, width


def ledger_line(view: View, cells: int = 200, *, is_broken: bool = False) -> Line:
    """Evicted = landed + bounced + missing; missing in percent of the evicted, and never counted while unknown.

    `is_broken`: it is for `wrap`, and the number of the missing stays beside its word.
    """
    title = (" CLIENTS ", Tone.STRONG)
    ledger, journal = view.ledger, view.journal
    if journal is None:
        seen = view.snapshot
        kept = f" · {units.count(seen.total_sessions)} sessions" if seen.total_sessions is not None else ""
        return line(title, f"{units.count(seen.total_live)} connected{kept}")
    if not ledger.evicted and journal.totals.evicted and facts.has_ended(view):
        return line(title, f"{units.count(journal.totals.evicted)} evicted{_lowest(view)}")
    if journal.abort is not None and (gone := max(ledger.evicted or 0, journal.totals.evicted)):
        return line(title, f"{units.count(gone)} evicted before the abort{_lowest(view)}")
    if not ledger.evicted:
        is_known = ledger.evicted == 0 or journal.totals.clients is None
        none = "none evicted before the abort" if journal.abort else "none evicted yet"
        return line(title, f"{none if is_known else units.UNKNOWN}{_early(view)}{_lowest(view)}")
    return _balance(view, journal, title, cells, is_broken=is_broken)


def counts_line(view: View) -> Line:
    """Connected clients of blue, of green and of both, as the plot's curves end."""
    seen, is_old = view.snapshot, not facts.is_live(view)
    shown = [
        (name, tone, generation.live_connections)
        for name, tone, generation in (("blue", Tone.BLUE, seen.blue), ("green", Tone.GREEN, seen.green))
        if generation is not None
    ]
    parts: list[tuple[str, Tone] | str] = []
    for name, tone, count in [*shown, ("sum", Tone.SUM, seen.total_live)]:
        old = units.UNKNOWN if is_old and count is not None else ""
        parts += [(f" {name} ", tone), (f"{units.count(count)}{old}", Tone.WAIT if is_old else Tone.STRONG), "  "]
    return line(*parts[:-1])


def _balance(view: View, journal: Journal, title: tuple[str, Tone], cells: int, *, is_broken: bool) -> Line:
    ledger, on_way = view.ledger, view.ledger.on_their_way
    figures = f"evicted {units.count(ledger.evicted)} = green {units.count(ledger.landed)} + "
    is_only_on_way = bool(ledger.missing) and on_way is not None and on_way >= (ledger.missing or 0)
    share = "on their way" if is_only_on_way else units.percent(_ratio(ledger.missing, ledger.evicted))
    if ledger.missing is not None and any(member.is_suspect for member in view.snapshot.members):
        # Nobody counts on while a node is silent: the figures beside it are younger.
        share = "when last counted"
    tone = Tone.WARN if view.policy.is_over_limit(view.ledger) else Tone.PLAIN
    missing_words = (f"missing{TIE if is_broken else ' '}{units.count(ledger.missing)} ({share})", tone)
    bounced = f"{units.count(ledger.bounced)} + "
    shown = line(title, figures, f"back on blue {bounced}", missing_words)
    if width(shown) > cells:
        shown = line(title, figures, f"back {bounced}", missing_words)
    most = facts.max_missing(view)
    more_or = " or more" if most and most.is_at_least else ""
    worst = f" · most missing at once {units.count(most.clients)}{more_or}" if most else ""
    way = f" · {units.count(on_way)} on their way" if on_way and on_way < (ledger.missing or 0) else ""
    more = f" · {units.count(ledger.unasked)} came by themselves" if ledger.unasked else ""
    for extra in (f"{way}{worst}{more}{_lowest(view)}", f"{way}{worst}", worst, way):
        if width(shown) + cell_len(extra) <= cells:
            return line(*shown, (extra, Tone.DIM))
    return shown


def _early(view: View) -> str:
    early = facts.early_clients(view)
    when = "already" if view.decision.phase in BEFORE_CUT_OVER else "by the cut-over"
    return f" · {units.count(early)} on green {when}" if early else ""


def _ratio(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _lowest(view: View) -> str:
    lowest = facts.lowest_sum(view)
    if lowest is None:
        return ""
    return f" · lowest sum {units.count(lowest.clients)}{uncounted_words(lowest.uncounted)}"


def uncounted_words(gaps: tuple[Uncounted, ...]) -> str:
    """`, not counted 02:14:10 to 02:31:05`: the longest time, and how many more there are."""
    if not gaps:
        return ""
    longest = max(gaps, key=lambda gap: gap.until - gap.since)
    more = f" and {units.plural(len(gaps) - 1, 'shorter time')}" if len(gaps) > 1 else ""
    return f", not counted {units.clock(longest.since)} to {units.clock(longest.until)}{more}"
