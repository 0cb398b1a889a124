"""An estimate of a release from counts and rates: its duration, and how many clients are offline at once."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass

from emqx_tui.rollout.change import Rates

GREEN_UP_S = 60.0
"""Assumed until green is up: boot, gates, two passes of the operator. Image pulls can make it longer."""
FINISH_S = 30.0
"""Assumed for the reset and the close-out."""
SCALE_S = 10.0
"""Assumed for the last pod to go away."""


@dataclass(frozen=True)
class Forecast:
    """What to expect. Seconds; clients as counts. `offline_at_once` assumes a reconnect delay of 1 s."""

    green_s: float
    delay_s: float
    canary_s: float
    nodes: tuple[tuple[str, int | None, float | None], ...]
    """(pod name, clients, seconds of its drain)."""
    finish_s: float
    total_s: float | None
    disconnects: int | None
    offline_at_once: int | None
    lowest_ratio: float | None


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


def forecast(
    nodes: list[tuple[str, int | None]],
    rates: Rates,
    *,
    delay_s: float,
    canary_s: float,
    parallel_drains: int = 1,
    reconnect_s: float = 1.0,
) -> Forecast:
    """Estimate a release of `nodes` = (pod name, live clients or None). Drains overlap their takeover wait."""
    rows = [(name, clients, None if clients is None else drain_s(clients, 0, rates)) for name, clients in nodes]
    finish = FINISH_S + SCALE_S
    if any(clients is None for _, clients in nodes):
        return Forecast(GREEN_UP_S, delay_s, canary_s, tuple(rows), finish, None, None, None, None)
    counts = [clients or 0 for _, clients in nodes]
    at_once = drains_at_once(parallel_drains, len(counts))
    evicting = side_by_side_s((math.ceil(count / rates.conn_evict_rate_per_s) for count in counts), at_once)
    total = GREEN_UP_S + delay_s + canary_s + evicting + rates.effective_wait_takeover_s + finish
    clients = sum(counts)
    offline = min(clients, math.ceil(rates.conn_evict_rate_per_s * at_once * max(reconnect_s, 1.0)))
    lowest = 1.0 - offline / clients if clients else None
    return Forecast(GREEN_UP_S, delay_s, canary_s, tuple(rows), finish, total, clients, offline, lowest)
