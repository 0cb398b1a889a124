"""The life of a release: its phases, and the table of what leads from one to the next.

The table is the documentation: `emqx_tui/README.md` prints it, and a test holds both together. What a condition means
is in `lifecycle.py`, under the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Where a release stands."""

    IDLE = "idle"
    """No release of ours."""
    STARTING = "starting"
    """The journal stands; the patch of the template is not seen yet."""
    CREATING_GREEN = "creating green"
    """The operator builds the second StatefulSet."""
    WAITING_DELAY = "waiting for the delay"
    """Green is complete; the user's own initial delay runs."""
    READY_TO_CUT_OVER = "ready to cut over"
    CANARY = "canary"
    """One blue address is out of the Service; its node is watched."""
    CUTTING_OVER = "cutting over"
    DRAINING = "draining"
    """Blue nodes are drained and scaled away, one by one."""
    FINISHING = "finishing"
    """Blue is gone: reset, repair, restore the delay."""
    DONE = "done"
    ABORTING = "aborting"
    ABORTED = "aborted"
    LOST = "lost"
    """The object of this journal is gone or is another one, or there is no StatefulSet to go on with."""


class When(StrEnum):
    """The conditions of the table."""

    JOURNAL_WRITTEN = "a person starts a release: its journal is written"
    JOURNAL_REMOVED = "the journal is removed"
    OBJECT_GONE = "the EmqxEnterprise is gone or was re-created"
    SETS_GONE = "both StatefulSets are gone"
    BLUE_GONE = "the blue StatefulSet is gone"
    BLUE_REBUILT = "in an abort, the operator has built the same blue StatefulSet again"
    ABORT_ASKED = "a person aborts"
    TEMPLATE_APPLIED = "the object asks for the new template"
    CUT_OVER_SEEN = "the proxies were seen to follow the cut-over, or somebody removed blue"
    GREEN_COMPLETE = "green is Ready and Running in EMQX, and the operator has set startedAt"
    GREEN_INCOMPLETE = "green is no longer complete: a pod was lost"
    DELAY_OVER = "the user's own initial delay is over"
    DELAY_RUNNING = "the initial delay runs anew"
    CANARY_DUE = "the cut-over is approved and a canary comes first"
    CANARY_FAILED = "the canary lost clients: its address is put back"
    CUT_OVER_DUE = "the cut-over is approved, and the canary has passed or addresses are removed late"
    BLUE_EMPTY = "blue is scaled to 0"
    CLOSED_OUT = "blue's pods are gone, the delay is restored, every close-out check passes"
    RESTORED = "template, delay and blue are as before, green is gone, every close-out check passes"


P, W = Phase, When

FORWARD = (
    P.STARTING,
    P.CREATING_GREEN,
    P.WAITING_DELAY,
    P.READY_TO_CUT_OVER,
    P.CANARY,
    P.CUTTING_OVER,
    P.DRAINING,
    P.FINISHING,
)
"""The phases of a release that goes well, in order."""

BEFORE_CUT_OVER = FORWARD[: FORWARD.index(P.DRAINING)]
"""Until the proxies were seen on green, blue is whole."""

WITH_WAY_BACK = (*BEFORE_CUT_OVER, P.DRAINING)
"""Phases in which an abort is on offer, as long as one blue node is left."""

DRIVEN = (*FORWARD, P.ABORTING)

FINAL = frozenset(Phase) - frozenset(DRIVEN)
"""Phases in which no step is taken; an abort that has lost blue still keeps its clients on green."""


@dataclass(frozen=True)
class Row:
    """At phase `at`, `when` leads to `then`."""

    at: Phase
    when: When
    then: Phase


def _each(phases: Iterable[Phase], when: When, then: Phase) -> tuple[Row, ...]:
    return tuple(Row(phase, when, then) for phase in phases)


LIFE: tuple[Row, ...] = (
    Row(P.IDLE, W.JOURNAL_WRITTEN, P.STARTING),
    *_each(DRIVEN, W.OBJECT_GONE, P.LOST),
    *_each(FORWARD, W.SETS_GONE, P.LOST),
    # An abort can be asked for while the last blue scale is on its way.
    *_each(FORWARD, W.ABORT_ASKED, P.ABORTING),
    Row(P.STARTING, W.TEMPLATE_APPLIED, P.CREATING_GREEN),
    *_each(BEFORE_CUT_OVER[1:], W.CUT_OVER_SEEN, P.DRAINING),
    *_each(BEFORE_CUT_OVER[2:], W.GREEN_INCOMPLETE, P.CREATING_GREEN),
    *_each(BEFORE_CUT_OVER[3:], W.DELAY_RUNNING, P.WAITING_DELAY),
    Row(P.CREATING_GREEN, W.GREEN_COMPLETE, P.WAITING_DELAY),
    Row(P.WAITING_DELAY, W.DELAY_OVER, P.READY_TO_CUT_OVER),
    Row(P.READY_TO_CUT_OVER, W.CANARY_DUE, P.CANARY),
    Row(P.CANARY, W.CANARY_FAILED, P.READY_TO_CUT_OVER),
    *_each((P.READY_TO_CUT_OVER, P.CANARY), W.CUT_OVER_DUE, P.CUTTING_OVER),
    Row(P.DRAINING, W.BLUE_EMPTY, P.FINISHING),
    Row(P.FINISHING, W.CLOSED_OUT, P.DONE),
    Row(P.ABORTING, W.BLUE_GONE, P.LOST),
    Row(P.LOST, W.BLUE_REBUILT, P.ABORTING),
    Row(P.ABORTING, W.RESTORED, P.ABORTED),
    *_each((phase for phase in Phase if phase is not P.IDLE), W.JOURNAL_REMOVED, P.IDLE),
)
"""Of the rows of one phase the first whose condition holds is taken."""

_ROWS = {phase: tuple(row for row in LIFE if row.at is phase) for phase in Phase}


def settle(phase: Phase, holds: Callable[[When], bool]) -> Phase:
    """Follow the table from `phase` until no row holds. Opposite conditions never hold together, so it ends."""
    while (row := next((row for row in _ROWS[phase] if holds(row.when)), None)) is not None:
        phase = row.then
    return phase
