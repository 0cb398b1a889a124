"""What has been observed over time, as values; `observations.py` folds them.

The journal keeps what a later driver needs (`Totals`). Safety does not depend on the rest: a console that was restarted
decides the same or waits longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.rollout.state.journal import NodeDeath, Uncounted
from emqx_tui.rollout.telling.incidents import NodeWatch


@dataclass(frozen=True)
class Canary:
    """The blue node whose address was taken out first."""

    pod: str
    since: datetime
    """When the proxies were first seen without its address."""
    clients: int
    green: int
    """Live connections on green at that instant."""
    total: int


@dataclass(frozen=True)
class Progress:
    """How far one drain is, and since when it has been there."""

    state: EvacuationState
    left: int
    """Clients and sessions."""
    since: datetime


@dataclass(frozen=True)
class Untold:
    """An evacuation of which the cluster has not told what it began with."""

    clients: int
    """On the node when its evacuation was first seen, by its own counts."""
    since: datetime
    is_at_least: bool
    """Nobody had counted it before: it may have evicted some by then."""
    before: int | None
    """What the drain before it began with; None for the first."""
    left: int
    """Whom that had left."""

    def came(self, clients: int) -> int:
        """Of `clients` at its begin those who came after the drain before: the others are counted with that one."""
        return clients - min(self.left, clients)


@dataclass(frozen=True)
class Still:
    """What should move, as it was, and since when it is so."""

    mark: tuple[object, ...]
    since: datetime


@dataclass(frozen=True)
class Broker:
    """A broker as it was when it was last counted."""

    instance: str
    clients: int
    since: datetime
    """When it was first counted; what was counted before in its pod was on another."""
    counted_at: datetime
    is_evacuated: bool
    uptime_s: int | None = None
    """As it said last, which may be a minute ago; shorter afterwards, EMQX was restarted in its container."""
    evict_rate_per_s: int | None = None
    """Connections that its drain evicts at most; None without one, and while EMQX has not told."""


@dataclass(frozen=True)
class Observations:
    """See the module. Every change gives a new value."""

    reset_seen_at: datetime | None = None
    """Since when the operator's release status is absent (while a release of ours is there)."""
    canary: Canary | None = None
    canary_apart_at: datetime | None = None
    """When the canary's broker was last seen to be silent, no member of EMQX, or going, or others moved clients."""
    canary_lost: int = 0
    """Losses of the canary beyond natural churn, less what chance explains."""
    canary_cut: int = 0
    """Losses of the canary beyond natural churn, as estimated."""
    canary_over_since: datetime | None = None
    """Since when `canary_lost` is over the limit."""
    churn_per_min: float = 0.0
    """Part of all clients that leaves by itself and comes back in a minute, as the canary's watch showed it."""
    unready_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when a pod of green is not Ready or not there."""
    away_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when a blue pod stands whose broker is no Running member of the EMQX cluster."""
    suspect_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when it does not answer for itself while its containers run."""
    unaddressed_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when the proxies send no new client to it."""
    gate_frozen_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when its broker serves while its readiness gate is False."""
    baseline: Mapping[str, int] = field(default_factory=dict)
    """By pod: live connections when the first drain began."""
    initial: Mapping[str, int] = field(default_factory=dict)
    """By pod: live connections when its own drain began; where it was drained again, with those who came between."""
    left: Mapping[str, int] = field(default_factory=dict)
    """By pod of `initial`: fewest clients on it since. They may come back when its drain is stopped."""
    drained_from: Mapping[str, int] = field(default_factory=dict)
    """By pod: `initial_connected` of its newest evacuation, ENDED when that is over."""
    untold: Mapping[str, Untold] = field(default_factory=dict)
    """By pod: evacuations that run and whose `initial_connected` has not been told."""
    denied_at: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: when it last answered that it is not evacuated."""
    evacuated_at: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: when its evacuation was last seen."""
    initial_back: Mapping[str, int] = field(default_factory=dict)
    """By green pod: live connections when its drain back began, in an abort."""
    left_back: Mapping[str, int] = field(default_factory=dict)
    """By pod of `initial_back`: fewest clients on it since."""
    green_baseline: int = 0
    recent: tuple[Sample, ...] = ()
    """Samples of about the last two minutes."""
    before_gap: Sample | None = None
    """The last count of all before the newest time in which nobody counted them."""
    evicted_track: tuple[tuple[datetime, int], ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    missing_since: datetime | None = None
    deaths: tuple[NodeDeath, ...] = ()
    """Brokers that went away with clients on them, since these observations began."""
    is_uncountable: bool = False
    """Clients were cut off, or evicted, whom this console could not count."""
    standing: Mapping[str, Broker] = field(default_factory=dict)
    """By pod: brokers that were counted and are not known to be gone."""
    progress: Mapping[str, Progress] = field(default_factory=dict)
    """By pod that is drained."""
    lowest_sum: int | None = None
    start_sum: int | None = None
    operator_down_since: datetime | None = None
    """Since when the operator's webhook does not answer; None while it does, or nobody knows."""
    still: Still | None = None
    """None while nothing has to move."""
    nodes: NodeWatch = field(default_factory=NodeWatch)
    counted_from: datetime | None = None
    """Instants of the first and of the last sample in which every client was counted."""
    counted_at: datetime | None = None
    uncounted: tuple[Uncounted, ...] = ()
    """Between two such samples of this console."""
    driven_since: datetime | None = None
    """When this console took over: the last that was heard of the driver before. None while it does not drive."""
    first_blue_size: int | None = None
    """Size of blue when it was first seen, to notice a scale-down that was not ours."""
