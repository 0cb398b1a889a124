"""Cluster time: the API server's, not this machine's.

Owns the one estimate of how far the two are apart. The server tells whole seconds in each `Date` header; every answer
narrows the interval in which its clock must lie, until it is as short as a round trip. Time told never runs backwards:
after a correction to the past it runs at half speed until the estimate has caught up. With a rate other than one the
cluster is a simulation whose time runs that much faster.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

_DRIFT = 200e-6
"""How much two clocks may drift apart: the known interval widens by this part of the time since it was known."""
MIN_SLEEP_S = 0.05
"""Wall time under which a scaled sleep never goes."""


class ClusterClock:
    """Implements `session.ports.Clock`. Used from the engine's loop only."""

    def __init__(
        self,
        rate: float = 1.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if rate <= 0:
            raise ValueError("the rate of a clock is positive")
        self.rate = rate
        self._monotonic = monotonic
        self._wall = wall
        self._low = self._high = 0.0
        """Bounds of (cluster time - rate x monotonic), epoch seconds."""
        self._bounded_at: float | None = None
        self._first: tuple[float, float] | None = None
        """The first `Date`, and the monotonic instant before it was asked for."""
        self.pace: float | None = None
        """Seconds of the server's time in one of this machine's since the first answer: so many, or more."""
        self._told: tuple[float, float] | None = None
        """The last answer of `now` and the monotonic instant of it."""

    @property
    def is_synchronised(self) -> bool:
        """The server has told its time at least once."""
        return self._bounded_at is not None

    @property
    def uncertainty_s(self) -> float | None:
        """Half the width of what is known, in cluster seconds; None before the first answer."""
        return (self._high - self._low) / 2 if self.is_synchronised else None

    @property
    def skew_s(self) -> float | None:
        """This machine's clock minus the cluster's; None before the first answer and for a scaled cluster."""
        if not self.is_synchronised or self.rate != 1:
            return None
        return self._wall() - self._estimate(self._monotonic())

    def observe(self, date: datetime, sent_at: float, received_at: float) -> None:
        """Take a `Date` header: the server wrote it, cut to the second, between these two monotonic instants."""
        told = date.timestamp()
        self._measure(told, sent_at, received_at)
        low, high = told - self.rate * received_at, told + 1.0 - self.rate * sent_at
        if self._bounded_at is not None:
            widened = self.rate * _DRIFT * max(0.0, received_at - self._bounded_at)
            both = max(low, self._low - widened), min(high, self._high + widened)
            # Nothing in common: the server's clock was set, or another server answers. Believe the newest.
            low, high = both if both[0] <= both[1] else (low, high)
        else:
            self._told = None
        self._low, self._high, self._bounded_at = low, high, received_at

    def _measure(self, told: float, sent_at: float, received_at: float) -> None:
        if self._first is None:
            self._first = told, sent_at
            return
        first, since = self._first
        if received_at > since:
            # Both are cut to the second: the first may have been nearly one later.
            self.pace = max(self.pace or 0.0, (told - first - 1.0) / (received_at - since))

    def now(self) -> datetime:
        """The present instant as the API server sees it; this machine's own until the server has answered once."""
        at = self._monotonic()
        instant = self._estimate(at)
        if self._told is not None:
            last, last_at = self._told
            instant = max(instant, last + 0.5 * self.rate * (at - last_at))
        self._told = instant, at
        return datetime.fromtimestamp(instant, UTC)

    async def sleep(self, seconds: float) -> None:
        """Sleep `seconds` of cluster time; a scaled clock never sleeps under 50 ms of wall time."""
        wall_s = seconds / self.rate
        await asyncio.sleep(max(wall_s, MIN_SLEEP_S) if self.rate > 1 else wall_s)

    async def sleep_wall(self, seconds: float) -> None:
        """Sleep `seconds` of wall time, whatever the rate."""
        await asyncio.sleep(seconds)

    def monotonic(self) -> float:
        """Seconds of wall time from an arbitrary origin."""
        return self._monotonic()

    def _estimate(self, at: float) -> float:
        if not self.is_synchronised:
            return self._wall()
        return (self._low + self._high) / 2 + self.rate * at
