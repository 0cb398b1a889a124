"""What a person asks for. Approvals and aborts name the revision that the person saw; a stale one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.model.workloads import OwnDelay
from emqx_tui.rollout.change import Plan
from emqx_tui.rollout.gate_id import GateId


@dataclass(frozen=True)
class Start:
    """Begin the release that `plan` describes. Overrides are names of failed checks that the person accepts."""

    plan: Plan
    by: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class TakeOver:
    """Drive the release that nobody drives: changes nothing in the journal, the lease is taken for it."""

    by: str


@dataclass(frozen=True)
class Approve:
    """Open one gate. `count` > 1 approves this node and the next ones, up to that many."""

    gate: GateId
    revision: str
    by: str
    count: int = 1


@dataclass(frozen=True)
class Hold:
    """No further advancing command; a running drain goes on."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class Freeze:
    """Hold, and stop the running drain too."""

    by: str
    reason: str = ""


@dataclass(frozen=True)
class Resume:
    """Lift a hold or a freeze."""

    by: str


@dataclass(frozen=True)
class SetRates:
    """Use other rates: the running drain is stopped and started anew with them."""

    by: str
    conn_evict_rate_per_s: int
    sess_evict_rate_per_s: int


@dataclass(frozen=True)
class SetPolicy:
    """Use another approval policy from here on."""

    by: str
    policy: str


@dataclass(frozen=True)
class Abort:
    """Go back to blue. Offered until the last blue node is scaled away."""

    by: str
    revision: str


@dataclass(frozen=True)
class Brake:
    """Close the valve of a release that the operator runs without a journal: it begins no further step."""

    by: str


@dataclass(frozen=True)
class Adopt:
    """Take over a release that has no journal: write one, and drive it with gates or back to blue."""

    by: str
    revision: str
    goes_back: bool = False
    """Abort it: the journal begins with the abort."""
    delay: OwnDelay | None = None
    """The user's own delay, where a person has to say it."""
    template: Mapping[str, Any] | None = field(default=None, repr=False)
    """`spec.template` before the release, where a person has to say it."""


Intent = Start | TakeOver | Approve | Hold | Freeze | Resume | SetRates | SetPolicy | Abort | Brake | Adopt
