"""PURE: what the card of a node's drain says: who is disconnected, where they go, and what follows."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.decision import Gate
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.advice import DOT
from emqx_tui.ui.text.spans import TIE, Line, Tone, line


def what_happens(gate: Gate, view: View) -> tuple[Line, ...]:
    about = f"about {units.span(gate.seconds)}" if gate.seconds is not None else "for a time that is not known"
    clients = f"{units.count(gate.clients)} clients" if gate.clients is not None else "an unknown number of clients"
    first = line((clients, Tone.STRONG), f" are disconnected at {units.per_s(gate.rate_per_s)}: {about}")
    return first, line("its pod is removed once the node itself says that it is empty")


def what_follows(gate: Gate, view: View) -> tuple[Line, ...]:
    """Only where nobody is asked for the nodes that are left."""
    journal = view.journal
    if journal is None or journal.approval is Approval.EVERY_NODE or gate.is_last_way_back:
        return ()
    return (line((f"the nodes that are left follow without asking (policy {journal.approval.value})", Tone.WARN)),)


def recipients(gate: Gate, view: View) -> tuple[Line, ...]:
    """Where disconnected clients go, and how those before them have fared."""
    if not gate.recipients:
        return (line(("no green node accepts clients", Tone.WARN)),)
    counts = [count for _, count in gate.recipients if count is not None]
    each = ""
    if counts:
        low, high = units.count(min(counts)), units.count(max(counts))
        each = f" ({low} each)" if low == high else f" ({low} to {high} each)"
    where = line(f"{units.plural(len(gate.recipients), 'green node')}{each}")
    ledger, evicted = view.ledger, view.ledger.evicted
    if not evicted:
        return (where,)
    if ledger.missing is None or ledger.landed is None:
        return where, line(f"{units.count(evicted)} evicted so far; how many are back is not known")
    landed = f"{units.count(ledger.landed)} of {units.count(evicted)} evicted are on green"
    share = units.percent(ledger.missing / evicted).replace(" ", TIE)
    return where, line(f"{landed}{DOT}missing {units.count(ledger.missing)} ({share})")
