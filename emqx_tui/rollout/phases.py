"""The phases of a rollout and which may follow which.

The phase is derived from what is seen (`decide.py`); this table checks the derivation. A pair that is not in it never
happens; meeting one is a bug or a cluster that somebody else changed under us, and is told as such.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a rollout stands."""

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
    """The object of this journal is gone or is another one."""


P = Phase

_FORWARD = (
    P.STARTING,
    P.CREATING_GREEN,
    P.WAITING_DELAY,
    P.READY_TO_CUT_OVER,
    P.CANARY,
    P.CUTTING_OVER,
    P.DRAINING,
    P.FINISHING,
    P.DONE,
)

TRANSITIONS: frozenset[tuple[Phase, Phase]] = frozenset(
    {
        (P.IDLE, P.STARTING),
        (P.STARTING, P.IDLE),
        (P.DONE, P.IDLE),
        (P.DONE, P.STARTING),
        # One that looked away (cut off, asleep, a spectator) sees a later phase next; gates can be open already.
        *((before, after) for at, before in enumerate(_FORWARD) for after in _FORWARD[at + 1 :]),
        # The canary's address is put back when it fails.
        (P.CANARY, P.READY_TO_CUT_OVER),
        (P.CUTTING_OVER, P.CANARY),
        # A pod of green can go away before the cut-over: the operator drops its status and builds again.
        (P.WAITING_DELAY, P.CREATING_GREEN),
        (P.READY_TO_CUT_OVER, P.CREATING_GREEN),
        (P.READY_TO_CUT_OVER, P.WAITING_DELAY),
        (P.CANARY, P.CREATING_GREEN),
        (P.CANARY, P.WAITING_DELAY),
        (P.CUTTING_OVER, P.CREATING_GREEN),
        (P.CUTTING_OVER, P.WAITING_DELAY),
        # The way back is on offer until the last blue node is scaled away.
        (P.STARTING, P.ABORTING),
        (P.CREATING_GREEN, P.ABORTING),
        (P.WAITING_DELAY, P.ABORTING),
        (P.READY_TO_CUT_OVER, P.ABORTING),
        (P.CANARY, P.ABORTING),
        (P.CUTTING_OVER, P.ABORTING),
        (P.DRAINING, P.ABORTING),
        # Before the first patch there is nothing to take back; who looked away sees the end of an abort only.
        *((phase, P.ABORTED) for phase in _FORWARD[:-2]),
        (P.ABORTING, P.ABORTED),
        (P.ABORTED, P.IDLE),
        (P.ABORTED, P.STARTING),
        *((phase, P.LOST) for phase in Phase if phase not in (P.IDLE, P.LOST, P.DONE, P.ABORTED)),
        (P.LOST, P.IDLE),
    }
)

FINAL = frozenset({P.IDLE, P.DONE, P.ABORTED, P.LOST})
"""Phases in which nothing is driven."""

BEFORE_CUT_OVER = frozenset(
    {P.STARTING, P.CREATING_GREEN, P.WAITING_DELAY, P.READY_TO_CUT_OVER, P.CANARY, P.CUTTING_OVER}
)
"""Phases in which the abort before the cut-over is on offer: until the proxies were seen on green, blue is whole."""

WITH_WAY_BACK = BEFORE_CUT_OVER | {P.DRAINING}
"""Phases in which an abort is on offer, as long as one blue node is left."""


def is_allowed(before: Phase, after: Phase) -> bool:
    """True when `after` may follow `before`; staying is always allowed."""
    return before is after or (before, after) in TRANSITIONS
