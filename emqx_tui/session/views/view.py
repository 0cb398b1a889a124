"""What a screen or a stream of lines is drawn from: the cluster, and what we think of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.kinds import Kind
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import Policy, is_closed

if TYPE_CHECKING:
    # A list of clusters loads nothing of a release.
    from emqx_tui.model.snapshot import Snapshot
    from emqx_tui.rollout.change import Change, Difference, Plan
    from emqx_tui.rollout.decision import CheckResult, Decision, RefusalReason
    from emqx_tui.rollout.forecast.expected import Expected
    from emqx_tui.rollout.forecast.forecast import Forecast
    from emqx_tui.rollout.state.journal import Journal
    from emqx_tui.rollout.telling.stages import Stage
    from emqx_tui.rollout.ungated.ungated import UngatedRelease


class NoticeKind(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    PROBLEM = "problem"
    """Nobody asked, but a person has to know."""


@dataclass(frozen=True)
class Notice:
    """The answer to an intent or to an edit."""

    kind: NoticeKind
    text: str
    """One sentence for a person."""
    reason: RefusalReason | None = None
    """Of a refusal."""

    @classmethod
    def refused(cls, text: str, reason: RefusalReason | None = None) -> Notice:
        """`reason`: NOT_NOW unless it is given."""
        from emqx_tui.rollout.decision import RefusalReason

        return cls(NoticeKind.REFUSED, text, reason or RefusalReason.NOT_NOW)

    @property
    def is_refusal(self) -> bool:
        return self.kind is NoticeKind.REFUSED

    def __str__(self) -> str:
        return f"refused: {self.text}" if self.is_refusal else self.text


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


class LogSource(StrEnum):
    OPERATOR = "operator"
    KUBERNETES = "kubernetes"
    EMQX = "emqx"
    YOU = "you"
    CONSOLE = "console"
    JOURNAL = "journal"
    """What is written of the time before this console looked."""


@dataclass(frozen=True)
class LogLine:
    """One line of the merged log: cluster events and our own actions, by time; what repeats is one line."""

    at: datetime
    """The last time."""
    source: LogSource
    text: str
    command: str = ""
    """The equivalent kubectl or curl command, for our own actions."""
    is_alarm: bool = False
    count: int = 1
    """How often this was told."""
    first_at: datetime | None = None
    """The first time; None when it was told once."""
    earlier: tuple[datetime, ...] = ()
    """Instants of the last few repeats before `at`, for those that tell each of them."""

    @property
    def began_at(self) -> datetime:
        return self.first_at or self.at


@dataclass(frozen=True)
class Arrival:
    """This console came to a release that was under way."""

    at: datetime
    """When it was first seen here: what the journal dates before happened unwatched."""
    driven_until: datetime | None = None
    """The last renewal of the lease by anybody else; None while none was seen."""


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
class View:
    """Everything about one cluster. Published when something in it is new, and now and then for the ages in it."""

    snapshot: Snapshot
    decision: Decision
    journal: Journal | None = None
    role: Role = Role.IDLE
    role_reason: str = ""
    driver: str = ""
    """Identity of the living driver, ours or another's; empty when nobody drives."""
    samples: tuple[Sample, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    log: tuple[LogLine, ...] = ()
    """Oldest first, bounded."""
    in_flight: tuple[str, ...] = ()
    """Descriptions of commands sent and not answered yet."""
    notice: Notice | None = None
    """The last one."""
    notice_number: int = 0
    """Grows with each notice, so that the same words twice are two notices."""
    health: tuple[SourceHealth, ...] = ()
    drain_initial: tuple[tuple[str, int], ...] = ()
    """(pod name, live connections when its drain began or, before, when the cut-over was done)."""
    rates: tuple[tuple[str, float], ...] = ()
    """(pod name, clients per second leaving it, measured over the last samples)."""
    result: str = ""
    """`done`, `failed` or `aborted` once the release has ended in this session's sight."""
    stages: tuple[Stage, ...] = ()
    """Of the release that is shown, since this console first saw it."""
    expected: Expected | None = None
    """What its drains are compared with; None before the first one."""
    is_undriven: bool = False
    """A release is under way, nobody drives it, and this console was not asked to."""
    arrival: Arrival | None = None
    """None without a release, and for one that was begun here."""
    journal_problem: str = ""
    """Why what stands there is no journal that can be acted on; empty when it is one, or there is none."""
    is_unwritten: bool = False
    """The journal shown is on its way to the cluster, or lost a race: what an intent did is not settled yet."""
    driver_seen_s: float | None = None
    """Wall seconds since another driver was last seen to renew its lease; None without one."""
    driver_renewed_at: datetime | None = None
    """When another driver renewed its lease last, as the lease says; None without one."""
    policy: Policy = field(default_factory=Policy)
    """The thresholds that the checks go by: what the screen calls old or too much is the same."""
    context: str = ""
    """As in the session's options."""
    sequence: int = 0

    @property
    def now(self) -> datetime:
        return self.snapshot.now

    @property
    def unreadable(self) -> Unreadable | None:
        """Why the custom resource cannot be read now; None when it can."""
        return self.snapshot.resource.unreadable

    @property
    def has_duties(self) -> bool:
        """Its driver still acts, and a hold has an effect: a release under way, or an abort that waits for blue."""
        return not self.result and (self.decision.phase not in FINAL or self.decision.waits_for_blue)


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
        is_told = self.phase not in FINAL or self.resource.blue_green_status is not None or self.is_gated
        return is_told or self.ungated is not None

    @property
    def is_worth_a_session(self) -> bool:
        """A release runs, or may: EMQX has more nodes than the object asks for, or nodes of another version. The status
        says nothing of a release before the pods of green are there."""
        running = sum(node.status == "Running" for node in self.resource.status_nodes)
        return self.is_releasing or running > self.resource.replicas or self.resource.has_other_version

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


@dataclass(frozen=True)
class EditPreview:
    """What an edit would do: verdict, server dry-run, pre-flight checks, forecast. Figures are None while unknown."""

    number: int
    """Of the draft it answers, so that an old answer is not shown for a newer draft."""
    change: Change
    checks: tuple[CheckResult, ...] = ()
    """Pre-flight."""
    plan: Plan | None = None
    """When the edit can start a release."""
    dry_run_ok: bool | None = None
    """What the server said of the patch; None while it was not asked."""
    dry_run: str = ""
    """Why the server refused it, or what it warned of."""
    server_differences: tuple[Difference, ...] = ()
    """What the server would change by itself (defaults, webhooks), beyond the edit."""
    forecast: Forecast | None = None
