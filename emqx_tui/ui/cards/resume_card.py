"""PURE: the card that lifts a check's hold: what was found, and what resuming accepts."""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.checks.auto_hold import LIFTABLE
from emqx_tui.rollout.intents import Resume
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.card import Asked, Card, driver_row, filled, since
from emqx_tui.ui.rollout.names import blocked_words, check_words
from emqx_tui.ui.text.spans import Tone, line

TOKEN = "resume"


def renew_resume(view: View | None, _: EditPreview | None) -> Card | None:
    """The card as long as a check's hold stands."""
    hold = view.journal.hold if view and view.journal and view.has_duties else None
    return _card(view, hold) if view is not None and hold is not None and hold.check else None


def _card(view: View, hold: HoldRecord) -> Card:
    check = check_words(hold.check)
    alarm = next((alarm for alarm in view.decision.alarms if alarm.check == hold.check), None)
    still = alarm is not None and hold.check not in LIFTABLE
    rows = (
        ("Found", (line(hold.reason),)),
        ("Now", (line(alarm.evidence if alarm else "the check raises no alarm"),)),
        ("Then", (line((_then(hold, is_alarmed=alarm is not None), Tone.STRONG)),)),
        ("Held", (line(f"since {units.clock(hold.at)} by {hold.by}"),)),
        ("Since", since(view)),
        ("Driver", driver_row(view)),
    )
    return Card(
        title=f"Resume: {check}",
        rows=filled(rows),
        warning="What was approved before goes on at once.",
        asked=(Asked(TOKEN, f"Type {TOKEN} to go on"),),
        revision=f"resume@{hold.check}@{hold.at.isoformat()}",
        blocked=blocked_words(facts.why_no_intent(view)) or (f"{check} still holds" if still else ""),
        intent=Resume,
    )


def _then(hold: HoldRecord, *, is_alarmed: bool) -> str:
    if hold.check == "canary":
        return "goes on with late removal: a blue address leaves when its node is empty"
    if hold.check not in LIFTABLE:
        return "goes on: the check passes again"
    found = "accepts what the check has found" if is_alarmed else "goes on"
    return f"{found}; it does not hold this release again"
