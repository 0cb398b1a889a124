"""PURE: a forecast of a release from counts and rates: how long, how many disconnects, and whom it can lose.

Two courses of the same release, a quick and a slow one, make the band of each time. What they differ in (`QUICK`,
`SLOW`) was fitted to releases of the real session on simulated clusters, and tests/bench/forecast_coverage.py measures
how often the truth lies inside. Time that people take at gates is in none of these figures.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from emqx_tui.model.snapshot import Member
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.forecast.start_forecast import DrainForecast, StartForecast


@dataclass(frozen=True)
class Band:
    """The least and the most that is expected."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def deviation(self) -> float:
        """How far the ends lie from the middle, as a part of it."""
        return (self.high - self.low) / 2 / self.middle if self.middle else 0.0

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class NodeLoad(NamedTuple):
    """What a node has to give away."""

    pod: str
    clients: int | None
    kept_sessions: int = 0
    """Sessions of clients that are not connected: moved by EMQX itself."""


def load_of(member: Member) -> NodeLoad:
    """What a node has to give away, as it was counted last."""
    live, sessions = member.live_connections, member.sessions
    return NodeLoad(member.name, live, max(0, (sessions or 0) - (live or 0)))


@dataclass(frozen=True)
class Pace:
    """How quickly everything goes that no rate says. Seconds."""

    unknown_boot_s: float
    """From a pod's creation until its broker has joined, where no pod of the cluster tells."""
    boot_factor: float
    """To the time that the pods of blue took."""
    passes_s: float
    """Passes of the operator and probes, until green is known to be complete."""
    step_s: float
    """Until the next step is seen to be due, and is begun."""
    work_s_per_client: float
    """What a batch of evictions takes beyond its second, for each client that the node began with: of a large node
    a published chart shows 0.2 s at 33,000, of small ones nothing was measured."""
    takeover_s: float
    """Of one session that EMQX moves; a batch moves them one after the other."""
    stop_s: float
    """Until a drained pod that was scaled away is gone."""
    finish_s: float
    """Reset of the release status, a second pass, close-out."""
    churn_per_s: float
    """Part of the clients on blue that leaves by itself each second after the cut-over."""


QUICK = Pace(15.0, 0.93, 3.0, 0.2, 0.0, 0.0, 3.6, 2.3, 1 / 10_000)
SLOW = Pace(95.0, 1.06, 5.0, 0.95, 0.185 / 33_000, 0.003, 8.6, 3.0, 0.0)

GREEN_UP_S = (QUICK.unknown_boot_s + QUICK.passes_s + SLOW.unknown_boot_s + SLOW.passes_s) / 2
"""Assumed until green is up: boot, gates, two passes of the operator. Image pulls can make it longer."""
FINISH_S = (QUICK.finish_s + SLOW.finish_s) / 2
"""Assumed for the reset and the close-out."""


@dataclass(frozen=True)
class NodeForecast:
    """One drain."""

    load: NodeLoad
    drain_s: Band | None
    """From its start to the last session; None while its clients are not counted."""


class CurvePoint(NamedTuple):
    """Live connections at one moment; straight lines between."""

    at_s: float
    """Since the start."""
    blue: int
    green: int


@dataclass(frozen=True)
class Behaviour:
    """How a kind of client takes the loss of its connection."""

    name: str
    reconnect_s: float
    """Shortest delay before it comes back."""
    gives_up_when_refused: bool = False
    comes_back: bool = True


BEHAVIOURS = (
    Behaviour("retries until it is back (most SDKs and devices)", 1.0),
    Behaviour("retries after 5 s (emqtt_bench with reconnect)", 5.0),
    Behaviour("gives up when refused (mqttx)", 1.0, gives_up_when_refused=True),
    Behaviour("never comes back (emqtt_bench without reconnect)", math.inf, comes_back=False),
)


@dataclass(frozen=True)
class Risk:
    """What a release means for clients of one kind, were all of this kind."""

    behaviour: Behaviour
    at_risk: int
    """Clients that may be lost for good."""
    offline_at_once: int


@dataclass(frozen=True)
class ReleaseShape:
    """What the times of a release depend on, besides its nodes."""

    rates: Rates
    delay_s: float
    canary_s: float
    """0 with late removal."""
    parallel_drains: int = 1
    late_removal: bool = False
    boot_s: float | None = None
    """What blue's pods took to boot; None where it is not known."""


@dataclass(frozen=True)
class Forecast:
    """What to expect. Clients as counts; None while a node is not counted."""

    shape: ReleaseShape
    green_s: Band
    nodes: tuple[NodeForecast, ...]
    """In the order of the drains."""
    finish_s: Band
    total_s: Band | None
    disconnects: int | None
    offline_at_once: int | None
    """For clients that come back after 1 s; with late removal those who are refused come on top."""
    lowest_ratio: float | None
    accept_per_s: int | None
    """Most connections that all of green has to accept in a second ..."""
    accept_per_node_s: int | None
    """... and the green node that chance gives most of them."""
    risks: tuple[Risk, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    """What the plot should show, in the middle of the band ..."""
    quick: tuple[CurvePoint, ...] = ()
    slow: tuple[CurvePoint, ...] = ()
    """... and at its two ends."""

    @property
    def clients(self) -> int:
        return sum(node.load.clients or 0 for node in self.nodes)

    @property
    def loads(self) -> tuple[NodeLoad, ...]:
        return tuple(node.load for node in self.nodes)


def drain_s(clients: int, sessions: int, rates: Rates) -> float:
    """Seconds to drain one node: one batch of connections a second, the takeover wait, then sessions left over."""
    return (
        math.ceil(clients / rates.conn_evict_rate_per_s)
        + rates.effective_wait_takeover_s
        + math.ceil(sessions / rates.sess_evict_rate_per_s)
    )


def drains_at_once(parallel_drains: int, nodes: int) -> int:
    """How many of `nodes` are really drained side by side."""
    return max(1, min(parallel_drains, nodes))


def side_by_side_s(durations_s: Iterable[float], at_once: int) -> float:
    """Seconds until the last one has ended, when each begins as soon as one of `at_once` places is free."""
    ends = [0.0] * max(1, at_once)
    for duration_s in durations_s:
        heapq.heapreplace(ends, ends[0] + duration_s)
    return max(ends)


def forecast(nodes: Sequence[NodeLoad], shape: ReleaseShape) -> Forecast:
    """Forecast a release that drains `nodes`, in this order."""
    counts = [node.clients or 0 for node in nodes]
    evicted = _evictions(counts, shape)
    kept = [node.kept_sessions for node in nodes]
    quick, slow = (_course(list(zip(evicted.by_node, kept, strict=True)), shape, pace) for pace in (QUICK, SLOW))
    told = tuple(
        NodeForecast(node, None if node.clients is None else Band(one.length_s, other.length_s))
        for node, one, other in zip(nodes, quick.drains, slow.drains, strict=True)
    )
    green, finish = Band(quick.green_s, slow.green_s), Band(quick.finish_s, slow.finish_s)
    if any(node.clients is None for node in nodes):
        return Forecast(shape, green, told, finish, None, None, None, None, None, None)
    clients = sum(counts)
    at_once = shape.rates.conn_evict_rate_per_s * drains_at_once(shape.parallel_drains, len(counts))
    offline = min(clients, at_once)
    return Forecast(
        shape=shape,
        green_s=green,
        nodes=told,
        finish_s=finish,
        total_s=Band(quick.end_s, slow.end_s),
        disconnects=evicted.disconnects,
        offline_at_once=offline,
        lowest_ratio=1.0 - offline / clients if clients else None,
        accept_per_s=offline,
        accept_per_node_s=_most_by_chance(offline, len(counts)),
        risks=tuple(_risk(behaviour, clients, evicted, at_once) for behaviour in BEHAVIOURS),
        curve=_curve(counts, quick, slow),
        quick=_curve(counts, quick, quick),
        slow=_curve(counts, slow, slow),
    )


def at_start(found: Forecast) -> StartForecast | None:
    """The forecast as a release keeps it; None while a node is not counted."""
    if found.total_s is None or found.disconnects is None:
        return None
    drains = [(node.load, node.drain_s) for node in found.nodes if node.drain_s is not None]
    return StartForecast(
        total_low_s=math.floor(found.total_s.low),
        total_high_s=math.ceil(found.total_s.high),
        clients=found.clients,
        disconnects=found.disconnects,
        offline_at_once=found.offline_at_once or 0,
        conn_evict_rate_per_s=found.shape.rates.conn_evict_rate_per_s,
        drains=tuple(
            DrainForecast(load.pod, load.clients or 0, math.floor(drain.low), math.ceil(drain.high))
            for load, drain in drains
        ),
        curve=tuple((round(point.at_s), point.blue, point.green) for point in found.curve),
    )


# -- the course of a release ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drain:
    begin_s: float
    empty_s: float
    """No client is left ..."""
    over_s: float
    """... and no session."""

    @property
    def length_s(self) -> float:
        return self.over_s - self.begin_s


@dataclass(frozen=True)
class _Course:
    """Instants since the start."""

    green_s: float
    drains: tuple[_Drain, ...]
    end_s: float

    @property
    def finish_s(self) -> float:
        return self.end_s - max((drain.over_s for drain in self.drains), default=0.0)


def _course(nodes: Sequence[tuple[float, int]], shape: ReleaseShape, pace: Pace) -> _Course:
    """Of `nodes` = (clients, kept sessions).

    Drains overlap the takeover waits of those before them; pods are scaled away one after the other.
    """
    rates = shape.rates
    boot_s = pace.unknown_boot_s if shape.boot_s is None else shape.boot_s * pace.boot_factor
    green_s = boot_s + pace.passes_s
    on_green_s = green_s + shape.delay_s
    places = [on_green_s + shape.canary_s] * drains_at_once(shape.parallel_drains, len(nodes))
    drains: list[_Drain] = []
    gone_s = places[0]
    for evicted, kept_sessions in nodes:
        begin_s = places[0] + pace.step_s
        clients = evicted * math.exp(-pace.churn_per_s * (begin_s - on_green_s))
        empty_s = begin_s + _evicting_s(clients, rates.conn_evict_rate_per_s, pace)
        over_s = empty_s + rates.effective_wait_takeover_s + _moving_s(kept_sessions, rates, pace)
        heapq.heapreplace(places, empty_s)
        drains.append(_Drain(begin_s, empty_s, over_s))
        gone_s = max(gone_s, over_s) + pace.step_s + pace.stop_s
    return _Course(green_s, tuple(drains), gone_s + pace.finish_s)


def _evicting_s(clients: float, rate_per_s: int, pace: Pace) -> float:
    """One batch after the other, while clients leave by themselves, too: over hours more of them than are evicted."""
    batch_s = 1.0 + pace.work_s_per_client * clients
    batches = clients / rate_per_s
    if pace.churn_per_s:
        per_batch = pace.churn_per_s * batch_s
        batches = math.log1p(per_batch * batches) / per_batch
    return math.ceil(batches) * batch_s


def _moving_s(sessions: int, rates: Rates, pace: Pace) -> float:
    return math.ceil(sessions / rates.sess_evict_rate_per_s) + sessions * pace.takeover_s


def _curve(counts: Sequence[int], quick: _Course, slow: _Course) -> tuple[CurvePoint, ...]:
    """In the middle between the two courses."""
    drains = [
        (count, (one.begin_s + other.begin_s) / 2, (one.empty_s + other.empty_s) / 2)
        for count, one, other in zip(counts, quick.drains, slow.drains, strict=True)
    ]
    end_s, clients = (quick.end_s + slow.end_s) / 2, sum(counts)
    instants = sorted({0.0, end_s, *(at for _, *ends in drains for at in ends)})
    points = []
    for at_s in instants:
        blue = clients - round(sum(count * drained_part(at_s, begin, empty) for count, begin, empty in drains))
        points.append(CurvePoint(at_s, blue, clients - blue))
    return tuple(points)


def drained_part(at: float, begin: float, empty: float) -> float:
    """How much of a node is drained at an instant, 0 to 1."""
    if at >= empty:
        return 1.0
    return 0.0 if at <= begin else (at - begin) / (empty - begin)


# -- the clients ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Evictions:
    by_node: Sequence[float]
    refused: int
    """Connection attempts that an evacuated node refuses."""

    @property
    def disconnects(self) -> int:
        return round(sum(self.by_node))


def _evictions(counts: Sequence[int], shape: ReleaseShape) -> _Evictions:
    """Once per client where green alone has addresses.

    With late removal a blue address stays until its node is empty: of those who come back through the Service some
    get to a blue node again, and are evicted a second time, or to the evacuated one, and are refused.
    """
    if not shape.late_removal:
        return _Evictions(counts, 0)
    nodes, at_once = len(counts), drains_at_once(shape.parallel_drains, len(counts))
    left, refused = [float(count) for count in counts], 0.0
    for number in range(nodes):
        evacuated = min(at_once, nodes - number)
        accepting = nodes + nodes - number - evacuated
        # Who is refused tries again: what counts is where the accepted attempts go.
        refused += left[number] * evacuated / accepting
        for other in range(number + evacuated, nodes):
            left[other] += left[number] / accepting
    return _Evictions(left, round(refused))


def _risk(behaviour: Behaviour, clients: int, evicted: _Evictions, at_once: int) -> Risk:
    if not behaviour.comes_back:
        return Risk(behaviour, clients, clients)
    at_risk = evicted.refused if behaviour.gives_up_when_refused else 0
    return Risk(behaviour, min(clients, at_risk), min(clients, math.ceil(at_once * behaviour.reconnect_s)))


def _most_by_chance(arrivals: int, nodes: int) -> int:
    """The most of `arrivals` that one of `nodes` gets when each goes to any of them."""
    mean = arrivals / nodes
    return min(arrivals, math.ceil(mean + 3.5 * math.sqrt(mean * (1 - 1 / nodes))))


# -- the other way round --------------------------------------------------------------------------------------------

MOST_PER_S = 1_000_000


def at_rate(found: Forecast, conn_evict_rate_per_s: int) -> Forecast:
    """The same release at another rate."""
    rates = replace(found.shape.rates, conn_evict_rate_per_s=conn_evict_rate_per_s)
    return forecast(found.loads, replace(found.shape, rates=rates))


def rate_to_finish_within(found: Forecast, seconds: float) -> int | None:
    """The lowest eviction rate that ends the release within `seconds` even at a slow pace; None where none does."""

    def ends_in_time(rate: int) -> bool:
        total = at_rate(found, rate).total_s
        return total is not None and total.high <= seconds

    if not ends_in_time(MOST_PER_S):
        return None
    low, high = 0, MOST_PER_S
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ends_in_time(middle) else (middle, high)
    return high


def rate_for_reconnects(found: Forecast, most_per_s: int) -> int | None:
    """The highest eviction rate with no more than `most_per_s` reconnects; None where even 1 a node is more."""
    return most_per_s // drains_at_once(found.shape.parallel_drains, len(found.nodes)) or None
