"""PURE: what a release was forecast to take when it was started, against what it took.

A forecast has no time in it that people take: of the duration, what passed at gates and in holds is left out, except
while a drain went on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Measured:
    """One figure of the forecast: its band, and what came. Seconds or clients."""

    low: int
    high: int
    came: float | None
    """None where it is not known."""

    @property
    def deviation(self) -> float | None:
        """How far what came lies outside of the band: negative below it, 0 inside."""
        if self.came is None:
            return None
        return max(0.0, self.came - self.high) - max(0.0, self.low - self.came)

    def to_json(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "came": _rounded(self.came), "deviation": _rounded(self.deviation)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


@dataclass(frozen=True)
class Deviation:
    """The whole comparison."""

    total_s: Measured
    """Without `waited_s`."""
    waited_s: float | None
    drains_s: tuple[tuple[str, Measured], ...]
    """By node, in the order of the forecast; without the time in which a drain was frozen."""
    disconnects: Measured
    offline_at_once: Measured
    forecast_rate_per_s: int
    """Evictions a second and node that it was made for; the release may have been given others."""

    def to_json(self) -> dict[str, Any]:
        return {
            "total_s": self.total_s.to_json(),
            "waited_s": _rounded(self.waited_s),
            "drains_s": [{"node": node, **drain.to_json()} for node, drain in self.drains_s],
            "disconnects": self.disconnects.to_json(),
            "offline_at_once": self.offline_at_once.to_json(),
            "conn_evict_rate": self.forecast_rate_per_s,
        }


def waited_s(waits: Iterable[Span], frozen: Iterable[Span], drains: Sequence[Span]) -> float:
    """Seconds in which nothing went on but for want of a person: `waits` outside of `drains`, and all of `frozen`."""
    spans = [*frozen]
    for begin, end in waits:
        spans += _outside(begin, end, drains)
    return sum((end - begin).total_seconds() for begin, end in joined(spans))


def seconds_within(spans: Iterable[Span], begin: datetime, end: datetime) -> float:
    """How much of the time from `begin` to `end` lies in `spans`."""
    cut = ((max(begin, one), min(end, other)) for one, other in spans)
    return round(sum((other - one).total_seconds() for one, other in joined(cut)), 1)


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same stretches of time, in order and without overlap; empty ones are left out."""
    found: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _outside(begin: datetime, end: datetime, others: Iterable[Span]) -> Iterable[Span]:
    for other_begin, other_end in joined(others):
        if other_begin < end and other_end > begin:
            yield begin, max(begin, other_begin)
            begin = min(end, other_end)
    yield begin, end
