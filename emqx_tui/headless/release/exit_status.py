"""PURE: when a headless run is over, with which result, and which exit code that is.

A release goes on in the cluster whether somebody follows it or not; this decides only when following ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View

LOST_CONTACT_S = 120.0
"""Wall seconds without any watch of Kubernetes after which contact counts as lost."""


class Result(StrEnum):
    """The `result` of the last line."""

    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"
    """Unfinished and not held: it waits for an approval, or for a console to drive it."""
    HELD = "held"
    ABORTED = "aborted"
    LOST_CONTACT = "lost_contact"


EXIT_CODES = {
    Result.DONE: 0,
    Result.FAILED: 1,
    Result.WAITING: 3,
    Result.HELD: 4,
    Result.ABORTED: 5,
    Result.LOST_CONTACT: 6,
}
USAGE = 2
"""The exit code of a command that cannot be understood."""


@dataclass(frozen=True)
class Leaving:
    """When to stop following an unfinished release."""

    at_gate: bool = False
    """--exit-at-gate."""
    on_hold: bool | None = None
    """--exit-on-hold, or --wait-on-hold; None = leave on a hold that no person placed, under policy auto only."""


def ending(view: View, leaving: Leaving) -> Result | None:
    """The result, None while there is something to follow."""
    if view.result in set(Result):
        return Result(view.result)
    if view.decision.phase is Phase.LOST and not view.decision.waits_for_blue:
        return Result.FAILED
    journal = view.journal
    if journal is None or view.is_unwritten or view.in_flight:
        return None
    if journal.hold is not None:
        return Result.HELD if _leaves_hold(view, leaving) else None
    return Result.WAITING if leaving.at_gate and is_waiting_at_gate(view) else None


def unfinished(view: View | None) -> Result:
    """The result of leaving before the end."""
    if view is None or view.journal is None:
        return Result.FAILED
    if view.result in set(Result):
        return Result(view.result)
    return Result.HELD if view.journal.hold else Result.WAITING


def _leaves_hold(view: View, leaving: Leaving) -> bool:
    journal = view.journal
    if journal is None or journal.hold is None:
        return False
    wanted = leaving.on_hold
    if wanted is None:
        # A person who holds by hand is there to resume; in a pipeline nobody lifts what a check raised.
        wanted = journal.approval is Approval.AUTO and journal.hold.auto
    # Whether the drain of a silent node has begun may never be known.
    starts = any(not member.is_suspect for member in facts.starting(view))
    return wanted and not starts and not facts.draining(view)


def is_waiting_at_gate(view: View) -> bool:
    """A gate that only a person opens is open to be approved, and everything approved before has been done."""
    if not facts.waits_for_person(view):
        return False
    is_busy = view.role is Role.DRIVER and bool(view.decision.commands)
    return not is_busy and not any(m.evacuation for m in view.snapshot.members)


def all_watches_lost(view: View) -> bool:
    """No watch of Kubernetes answers."""
    watches = [source for source in view.health if not source.is_emqx]
    return bool(watches) and not any(source.is_ok for source in watches)
