"""PURE: what the card of the cut-over says: addresses change, and what the policy lets follow."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.decision import Gate
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.text.spans import Line, Tone, line


def what_happens(gate: Gate, view: View) -> tuple[Line, ...]:
    if view.journal is not None and view.journal.late_removal:
        first = line("green is added to the Service; a blue address leaves when its node has no client")
        return first, line("until then some new clients still come to blue and are moved once more")
    lines = [line("new connections go to green; clients that are connected stay where they are")]
    if early := facts.early_clients(view):
        lines.append(line(f"{units.plural(early, 'client')} on green already"))
    if gate.seconds:
        about = f"about {units.span(gate.seconds)}"
        lines.append(line(f"{about}: one blue address leaves first, its node is watched, and losses put it back"))
    return tuple(lines)


def what_follows(gate: Gate, view: View) -> tuple[Line, ...]:
    """What nobody is asked for any more once the cut-over is approved."""
    journal = view.journal
    if journal is None:
        return ()
    if journal.approval is Approval.EVERY_NODE:
        return (line("every node waits for you"),)
    blue = view.snapshot.blue
    clients = f"{units.count(blue.live_connections if blue else None)} clients are disconnected"
    rate = units.per_s(journal.rates.conn_evict_rate_per_s)
    return (line((f"nobody is asked again: {clients} at {rate}, node by node", Tone.WARN)),)
