"""What a screen or a stream of lines is drawn from: the cluster, and what we think of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.phases import FINAL
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.views.fleet_view import Role, SourceHealth

if TYPE_CHECKING:
    # A list of clusters loads nothing of a release.
    from emqx_tui.model.snapshot import Snapshot
    from emqx_tui.rollout.change import Change, Difference, Plan
    from emqx_tui.rollout.decision import CheckResult, Decision
    from emqx_tui.rollout.forecast.expected import Expected
    from emqx_tui.rollout.forecast.forecast import Forecast
    from emqx_tui.rollout.state.journal import Journal
    from emqx_tui.rollout.telling.stages import Stage
    from emqx_tui.session.views.notice import Notice


@dataclass(frozen=True)
class Away:
    """Clients of the start that are not seen after the end of a release."""

    clients: int
    is_settled: bool
    """Who is on the way is back by now: the others are lost."""


class LogSource(StrEnum):
    OPERATOR = "operator"
    KUBERNETES = "kubernetes"
    EMQX = "emqx"
    YOU = "you"
    """What the person at this console asked for, and what was sent for it."""
    CONSOLE = "console"
    JOURNAL = "journal"
    """What is written of the time before this console looked, and of what others have approved since."""


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
    away: Away | None = None
    """As it was settled after that end; until then the samples tell."""
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
    stored: Journal | None = None
    """Then, the one that stood in the cluster last, as far as is known."""
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
