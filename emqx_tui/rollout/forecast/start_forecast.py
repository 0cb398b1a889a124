"""PURE: what was forecast of a release when it was started, as its plan and its journal keep it.

Whole seconds, so that it is read back as it was written. Later forecasts differ: counts, rates and the console's own
paces change; what came is compared with what the person who started it was told.
"""

from __future__ import annotations

from dataclasses import dataclass

CurveRow = tuple[int, int, int]
"""(seconds since the start, clients on blue, clients on green), straight lines between."""


@dataclass(frozen=True)
class DrainForecast:
    """One drain, in the order in which they were planned."""

    pod: str
    clients: int
    low_s: int
    high_s: int


@dataclass(frozen=True)
class StartForecast:
    """Bands of seconds; time that people take at gates is in none of them."""

    total_low_s: int
    total_high_s: int
    clients: int
    disconnects: int
    offline_at_once: int
    """Most clients without a connection at one moment: the dip of the sum."""
    conn_evict_rate_per_s: int
    """The rate that it was made for."""
    drains: tuple[DrainForecast, ...]
    curve: tuple[CurveRow, ...] = ()
    """In the middle of the band."""
