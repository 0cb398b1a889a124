"""PURE: the card of an abort: back to blue, and what that costs."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.intents import Abort
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Asked, Card, driver_row, filled, since
from emqx_tui.ui.rollout.advice import DOT
from emqx_tui.ui.rollout.names import blocked_words
from emqx_tui.ui.text.spans import line


def abort_card(view: View) -> Card:
    """The card that goes back to blue."""
    cost, name = view.decision.abort, view.snapshot.name
    price = f"{units.count(cost.disconnects)} disconnects{DOT}about {units.span(cost.seconds)}"
    rows = (
        ("Next", (line(_what_happens(cost.disconnects)),)),
        ("Costs", (line(price),)),
        ("Since", since(view)),
        ("Driver", driver_row(view)),
        ("Way back", (line("an abort is not undone: another release has to be started"),)),
    )
    blocked = blocked_words(facts.why_no_intent(view))
    return Card(
        title=f"Abort: back to {view.journal.originals.blue_name if view.journal else 'blue'}",
        rows=filled(rows),
        warning=_warning(view),
        asked=(Asked(name, f"Type the cluster's name ({name}) to go back"),),
        revision=f"abort@{cost.revision}",
        blocked=blocked or ("" if cost.possible else cost.why_not or "no way back"),
        intent=lambda by: Abort(by, cost.revision),
    )


def _warning(view: View) -> str:
    is_down = view.snapshot.operator_answers.value is False
    return "The operator is down: green is emptied and removed once it is back." if is_down else ""


def _what_happens(disconnects: int | None) -> str:
    if disconnects == 0:
        return "green is removed; every client stays where it is"
    return "clients that are on green go back to blue; then green is removed"


def renew_abort(view: View | None, _: EditPreview | None) -> Card | None:
    """The abort card as long as a release runs."""
    return abort_card(view) if view and facts.is_under_way(view) else None
