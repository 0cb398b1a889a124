"""What the list of clusters is drawn from, on the screen and by `emqx-tui get`.

Loads nothing of a release: who looks at a list waits for this module, and not for `view.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import is_closed

if TYPE_CHECKING:
    from emqx_tui.rollout.gate_id import GateId
    from emqx_tui.rollout.ungated.ungated import UngatedRelease


class Role(StrEnum):
    """What this console is to this cluster."""

    DRIVER = "driver"
    """Holds the lease: sends commands."""
    SPECTATOR = "spectator"
    """Somebody else drives; intents go through the journal."""
    IDLE = "idle"
    """Nobody drives. TakeOver, and any other intent but a hold, makes this console the driver."""
    WATCH_ONLY = "watch only"
    """Rights or the operator's line do not allow driving; `role_reason` says which."""


@dataclass(frozen=True)
class SourceHealth:
    """How one source does: a watch or the EMQX polls."""

    kind: Kind | None
    """What is watched; None: EMQX, which is polled."""
    is_ok: bool
    read_at: datetime | None
    problem: str = ""
    is_forbidden: bool = False
    """Never read, for want of a right: nothing of it is old."""
    is_unreachable: bool = False
    """Never read, because the server does not answer."""

    @property
    def is_emqx(self) -> bool:
        return self.kind is None

    @property
    def name(self) -> str:
        """As people read it: the plural of the kind, or `EMQX`."""
        return "EMQX" if self.kind is None else self.kind.info.plural


@dataclass(frozen=True)
class ClusterRow:
    """One line of the list of clusters."""

    resource: EmqxEnterprise
    read_at: datetime
    phase: Phase
    """Of a release of ours, IDLE without one."""
    from_version: str = ""
    """What clients are moved off, where the journal of a release was read ..."""
    to_version: str = ""
    """... and what they are moved to: the object asks for it later, and no more during an abort."""
    live_connections: int | None = None
    live_at: datetime | None = None
    """When the connections were counted; None = taken from the status."""
    ready: int | None = None
    wanted: int | None = None
    gate: GateId | None = None
    """The gate that is open and waits for a person; None when none does."""
    is_held: bool = False
    driver: str = ""
    """Identity of whoever drives the release, as far as this console can see."""
    is_mine: bool = False
    """This console drives it."""
    is_undriven: bool = False
    """A release is under way and nobody drives it."""
    is_orphan: bool = False
    """A release stands half-way with the operator held, and it has no journal."""
    is_left: bool = False
    """No release stands, and the delay of one still holds the operator."""
    ungated: UngatedRelease | None = None
    """A release without a journal, where a session has looked at it."""
    why_unknown: str = ""
    """Why gate, hold and driver of a release are not known: which right is missing."""
    problem: str = ""
    unreadable: Unreadable | None = None
    """Why the object cannot be read now: `resource` is its last state, from `read_at`."""

    @property
    def is_known(self) -> bool:
        """The object was read once."""
        return bool(self.resource.meta.uid)

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return (self.resource.namespace, self.resource.name)

    @property
    def is_releasing(self) -> bool:
        """A release runs, a console's or the operator's own."""
        is_gated = self.is_gated and not self.is_left
        is_told = self.phase not in FINAL or self.resource.blue_green_status is not None or is_gated
        return is_told or self.ungated is not None

    @property
    def is_worth_a_session(self) -> bool:
        """A release runs, or may: EMQX has more nodes than the object asks for, or nodes of another version. The status
        says nothing of a release before the pods of green are there."""
        running = sum(node.status == "Running" for node in self.resource.status_nodes)
        return self.is_releasing or self.is_gated or running > self.resource.replicas or self.resource.has_other_version

    @property
    def needs_person(self) -> bool:
        """Nothing goes on until somebody acts: a gate waits, or the release is held, lost or has no driver."""
        return bool(self.gate) or self.is_held or self.is_undriven or self.phase is Phase.LOST or self.is_orphan

    @property
    def is_gated(self) -> bool:
        """The delay holds the operator: a release of a console's, also where its journal was not read."""
        parameters = self.resource.blue_green
        return parameters is not None and is_closed(parameters.effective_delay_s)


@dataclass(frozen=True)
class FleetView:
    """All clusters in reach."""

    context: str
    server: str
    namespace: str | None
    """None: all namespaces."""
    now: datetime
    rows: tuple[ClusterRow, ...] = ()
    health: tuple[SourceHealth, ...] = ()
    is_synced: bool = False
    """The first list has arrived."""
    problem: str = ""
    """Why nothing or not everything is shown: unreachable, unauthorized, which verb is missing."""
    is_driving: bool = False
    """This console drives a release, be it of a cluster that is not in the list."""
    sequence: int = 0
