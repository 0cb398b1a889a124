"""Approval policies, thresholds and waits. Every number carries its unit in its name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from emqx_tui.rollout.gate_id import GateKind

if TYPE_CHECKING:
    from emqx_tui.model.series import Ledger


class Approval(StrEnum):
    """Which gates need a person."""

    EVERY_NODE = "every-node"
    """Start, cut-over, and every node."""
    CUT_OVER = "cut-over"
    """Start and cut-over; the nodes follow by themselves."""
    AUTO = "auto"
    """Start only."""


def needs_person(kind: GateKind, approval: Approval) -> bool:
    """The policy leaves gates of this kind to a person."""
    match kind:
        case GateKind.START:
            return True
        case GateKind.CUT_OVER:
            return approval is not Approval.AUTO
        case GateKind.NODE:
            return approval is Approval.EVERY_NODE


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
    suspect_s: float = 10.0
    """A node that has not answered for itself for so long while another drains into it: auto-hold."""
    start_may_land_s: float = 60.0
    """A start without an answer may still take effect for so long: EMQX drops a request that hangs after a minute."""
    quick_nudges: int = 10
    """Nudges for one reason before each next one waits twice as long ..."""
    slowest_nudge_s: float = 60.0
    """... but no longer than this."""
    max_membership_age_s: float = 30.0
    """Older views of the cluster (members, rebalances) open no gate; one is asked for every 5 s."""
    max_own_age_s: float = 5.0
    """Older own counts of a node allow no scale-down."""
    max_kube_age_s: float = 90.0
    """A watch that was not confirmed for longer opens no gate (a new watch window confirms it about every 50 s)."""
    max_operator_age_s: float = 3.0
    """An older answer of the operator lets the policy approve nothing: it is asked again as soon as a gate is open."""
    max_lease_age_s: float = 13.0
    """A driver that has not renewed its lease for longer may be gone: it does so every ten seconds of wall time."""
    nudge_every_s: float = 2.0
    listener_gap_s: float = 2.5
    """Between the reset and the second nudge: the operator's listener step runs before its gates."""
    operator_down_s: float = 15.0
    """The operator's webhook has not answered for this long: auto-hold. A restart takes less."""
    ack_timeout_s: float = 60.0
    """A patch that the operator has not answered with a status write by then raises an alarm."""
    ask_again_s: float = 10.0
    """A patch without an answer for this long is followed by a nudge: its pass may have failed before it wrote."""
    repair_every_s: float = 0.5
    """Between two writes of the Endpoints."""
    canary_s: float = 60.0
    """How long the canary node is watched after its address left the Service."""
    canary_min_loss: int = 10
    """Losses beyond natural churn that could be chance."""
    canary_fraction: float = 0.01
    """Part of the canary's clients that may be lost beyond natural churn."""
    green_ready_timeout_s: float = 300.0
    """A green pod not Ready for this long: auto-hold."""
    broker_gone_s: float = 60.0
    """A blue pod whose broker is not in the EMQX cluster for this long: auto-hold."""
    frozen_gate_s: float = 3.0
    """A pod whose broker serves but whose gate stays False for this long needs a full pass of the operator."""
    missing_budget: float = 0.01
    """Clients missing, as a part of those evicted, that raise an auto-hold ..."""
    missing_floor: int = 50
    """... when they are at least this many ..."""
    missing_for_s: float = 10.0
    """... for this long."""
    blue_loss_per_min: float = 0.05
    """Part of its clients that a blue node may lose in a minute without being drained."""
    stall_s: float = 60.0
    """A drain without any progress for this long: auto-hold."""
    no_progress_s: float = 300.0
    """Nothing has moved for this long although nobody holds and no gate waits for a person: auto-hold."""
    retry_s: float = 0.25
    """Before the second attempt of a command that lost a race or got no answer: what is seen may be late."""
    refused_retry_s: float = 1.0
    """Before the second attempt of a command that was refused."""
    max_retry_s: float = 15.0
    """Before each further one twice as long, up to this, unless anything in the command has changed ..."""
    max_close_retry_s: float = 2.0
    """... and closing the valve up to this long, unless the object is changed once more: then at once."""

    def missing_limit(self, evicted: int) -> int:
        """How many of the evicted may be missing, beyond those on their way."""
        return max(self.missing_floor, int(self.missing_budget * evicted))

    def is_over_limit(self, ledger: Ledger) -> bool:
        """More clients are missing than that; False while it cannot be known."""
        if ledger.overdue is None or ledger.evicted is None:
            return False
        return ledger.overdue > self.missing_limit(ledger.evicted)

    def at_rate(self, rate: float) -> Policy:
        """The policy for a clock that runs `rate` times faster.

        Figures cannot be read more often than every 50 ms of wall time, and a busy machine pauses for half a second:
        limits below a second of wall time would be about the machine, not about the cluster.
        """
        if rate <= 1:
            return self
        return replace(
            self,
            max_broker_age_s=max(self.max_broker_age_s, rate),
            suspect_s=max(self.suspect_s, rate),
            max_membership_age_s=max(self.max_membership_age_s, 3.0 * rate),
            max_own_age_s=max(self.max_own_age_s, rate),
            max_kube_age_s=self.max_kube_age_s * rate,
            max_lease_age_s=self.max_lease_age_s * rate,
            ack_timeout_s=max(self.ack_timeout_s, 5.0 * rate),
            ask_again_s=max(self.ask_again_s, rate),
            stall_s=max(self.stall_s, 3.0 * rate),
        )
