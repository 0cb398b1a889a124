"""Approval policies, thresholds and waits. Every number carries its unit in its name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Approval(StrEnum):
    """Which gates need a person."""

    EVERY_NODE = "every-node"
    """Start, cut-over, and every node."""
    CUT_OVER = "cut-over"
    """Start and cut-over; the nodes follow by themselves."""
    AUTO = "auto"
    """Start only."""


CLOSED_S = 1_000_000_000
"""Valve closed: about 31 years. Never the largest int32: a startedAt in the future would wrap it (operator, int32)."""
CLOSED_SPAN_S = 1_000
"""Closed values lie in [CLOSED_S, CLOSED_S + CLOSED_SPAN_S); each nudge takes another one."""


def is_closed(initial_delay_s: int) -> bool:
    """True for a value that this console writes to hold the operator."""
    return CLOSED_S <= initial_delay_s < CLOSED_S + CLOSED_SPAN_S


def next_closed(initial_delay_s: int) -> int:
    """A closed value other than `initial_delay_s`, so that writing it causes one pass of the operator."""
    if not is_closed(initial_delay_s):
        return CLOSED_S
    return CLOSED_S + (initial_delay_s - CLOSED_S + 1) % CLOSED_SPAN_S


@dataclass(frozen=True)
class Policy:
    """Thresholds of one rollout."""

    max_broker_age_s: float = 10.0
    """Older broker figures open no gate."""
    max_own_age_s: float = 5.0
    """Older own counts of a node allow no scale-down."""
    max_kube_age_s: float = 60.0
    """A watch that has been silent or broken longer than this opens no gate (bookmarks come about every minute)."""
    nudge_every_s: float = 2.0
    listener_gap_s: float = 2.5
    """Between the reset and the second nudge: the operator's listener step runs before its gates."""
    ack_timeout_s: float = 30.0
    """A patch that the operator has not answered with a status write by then raises an alarm."""
    canary_s: float = 60.0
    """How long the canary node is watched after its address left the Service."""
    canary_min_loss: int = 10
    """Losses that could be chance: a canary with fewer than this is not judged as failing."""
    canary_factor: float = 3.0
    """How many times faster than before the canary may lose clients."""
    canary_fraction: float = 0.01
    """... and at least this part of its clients has to be gone for a verdict."""
    green_ready_timeout_s: float = 300.0
    """A green pod not Ready for this long: auto-hold."""
    missing_budget: float = 0.01
    """Clients missing, as a part of those evicted, that raise an auto-hold ..."""
    missing_floor: int = 50
    """... when they are also at least this many beyond those expected to be on their way ..."""
    missing_for_s: float = 30.0
    """... for this long. It covers the reconnect delay of ordinary clients."""
    stall_s: float = 60.0
    """A drain without any progress for this long: auto-hold."""
    start_retry_s: float = 1.0
    """Between two attempts to start a refused evacuation."""
    parallel_drains: int = 1
    """How many blue nodes may evict at the same time; the total rate is the sum."""
