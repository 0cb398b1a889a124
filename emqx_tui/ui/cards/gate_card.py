"""PURE: the card of the gate that waits: the cut-over, or the drain of one node."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.commands import in_context
from emqx_tui.rollout.decision import Gate
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.intents import Approve
from emqx_tui.runbook import SILENT, Runbook
from emqx_tui.runbook import Gate as RunbookGate
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards import cut_over, drain
from emqx_tui.ui.cards.card import Asked, Card, Renew, check_rows, driver_row, filled, runbook_row, since
from emqx_tui.ui.rollout.advice import DOT
from emqx_tui.ui.rollout.names import blocked_words
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, line


def gate_card(gate: Gate, view: View, runbook: Runbook = SILENT) -> Card:
    """The card of the gate that waits."""
    is_cut_over = gate.kind is GateKind.CUT_OVER
    kind = cut_over if is_cut_over else drain
    rows: list[tuple[str, tuple[Line, ...]]] = [
        ("Next", kind.what_happens(gate, view)),
        ("Then", kind.what_follows(gate, view)),
        ("Go to", drain.recipients(gate, view)),
        ("Checks", check_rows(gate.checks)),
        ("Since", since(view)),
        ("Driver", driver_row(view)),
        ("Way back", _way_back(gate, view)),
        ("Runbook", runbook_row(runbook, RunbookGate.CUT_OVER if is_cut_over else RunbookGate.DRAIN)),
        ("Command", tuple(line(clean(in_context(command, view.context))) for command in gate.commands)),
    ]
    meaning = "cut over" if is_cut_over else "drain and remove it"
    what = "the word green" if is_cut_over else f"the node's number ({gate.token})"
    return Card(
        title="Approve: cut over to green" if is_cut_over else f"Approve: drain {gate.target}",
        rows=filled(rows),
        warning="Last way back: after this node is gone, going back is a new release." if gate.is_last_way_back else "",
        asked=(Asked(gate.token, f"Type {what} to {meaning}"),),
        revision=f"{gate.id}@{gate.revision}",
        blocked=blocked_words(facts.why_not_approved(view)),
        intent=lambda by: Approve(gate.id, gate.revision, by),
    )


def renew_gate(gate_id: GateId, runbook: Runbook = SILENT) -> Renew:
    """The card of this gate as long as it waits."""

    def renew(view: View | None, _: EditPreview | None) -> Card | None:
        gate = view.decision.gate if view else None
        return gate_card(gate, view, runbook) if view and gate and gate.id == gate_id else None

    return renew


def _way_back(gate: Gate, view: View) -> tuple[Line, ...]:
    cost = view.decision.abort
    if not cost.possible:
        return (line(f"{cost.why_not or 'going back is a new release'}"),)
    price = f"{units.count(cost.disconnects)} disconnects, {units.span(cost.seconds)}"
    now = f"now, {spelled(Area.ROLLOUT, 'abort')}: {price}"
    return (line(DOT.join(part for part in (now, _way_back_after(gate, cost.disconnects)) if part)),)


def _way_back_after(gate: Gate, now: int | None) -> str:
    """What an abort would cost once the step of this gate is done."""
    if gate.is_last_way_back:
        return "afterwards: only by a new release"
    if gate.kind is not GateKind.NODE or now is None or gate.clients is None:
        return ""
    return f"afterwards: about {units.count(now + gate.clients)} disconnects"
