"""PURE: why a key of the rollout screen does nothing now."""

from __future__ import annotations

from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.names import blocked_words, driver_words
from emqx_tui.ui.shell.help_screen import MissingRight, unread
from emqx_tui.ui.shell.keymap import Area, spelled

SENDING = ("take_over", "approve", "hold", "freeze", "resume", "abort", "speed", "policy")
"""Actions that ask the cluster for something."""
READ_ONLY = "started with --read-only"


def key_reasons(view: View | None, is_read_only: bool = False) -> dict[str, str]:
    """For each action, why it does nothing now; empty = it works."""
    has_ended = view is not None and facts.has_ended(view)
    return {**_of_sending(view, is_read_only), "report": "" if has_ended else "no release has ended here"}


def _of_sending(view: View | None, is_read_only: bool) -> dict[str, str]:
    reason = READ_ONLY if is_read_only else blocked_words(facts.why_no_intent(view))
    if view is None or reason:
        return dict.fromkeys(SENDING, reason)
    hold = view.journal.hold if view.journal else None
    is_draining = facts.is_draining(view) or bool(view.in_flight)
    running = "" if facts.is_under_way(view) else "no release is running"
    driven = "" if view.has_duties else "no release is running"
    if (found := facts.ungated(view)) is not None:
        return _of_ungated(is_stopped=found.is_stopped)
    late = {Phase.ABORTING: "going back already", Phase.FINISHING: "every node is drained"}.get(view.decision.phase, "")
    return {
        "take_over": driven or ("" if view.is_undriven else driver_words(view) or "a driver is looked for"),
        "approve": blocked_words(facts.why_not_approved(view)),
        "hold": driven or ("held already" if hold else ""),
        "freeze": driven or _why_not_freeze(hold, is_draining=is_draining),
        "resume": driven or ("" if hold else "nothing is held"),
        "abort": driven or ("" if view.decision.abort.possible else view.decision.abort.why_not or "no way back"),
        "speed": running or late,
        "policy": running or late,
        "change": "" if driven else "a release is running",
    }


def _of_ungated(*, is_stopped: bool) -> dict[str, str]:
    """The operator runs it by itself: it can be stopped, and taken over."""
    take_over, hold = spelled(Area.ROLLOUT, "take_over"), spelled(Area.ROLLOUT, "hold")
    first = f"this release has no journal: {take_over} adopts or aborts it"
    first = first if is_stopped else f"ungated: {hold} stops the operator"
    return {
        **dict.fromkeys(SENDING, first),
        "hold": "the operator is held already" if is_stopped else "",
        "take_over": "" if is_stopped else first,
        "abort": "" if is_stopped else first,
        "change": "a release is running",
    }


def _why_not_freeze(hold: HoldRecord | None, *, is_draining: bool) -> str:
    if hold is None:
        return ""
    if hold.freeze:
        return "frozen already"
    return "" if is_draining else "held already, and no drain runs"


def rights_of(view: View) -> tuple[MissingRight, ...]:
    """What this console may not do or read of the cluster."""
    blocked = facts.why_no_intent(view)
    driving = (MissingRight(blocked_words(blocked), SENDING),) if blocked else ()
    if not blocked and view.role_reason:
        driving = (MissingRight(f"this console cannot drive: {view.role_reason}"),)
    return (*driving, *unread(view.health))
