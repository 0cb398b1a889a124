"""Virtual time: a heap of scheduled calls.

Owns the only clock of the simulated world. Nothing here looks at a real clock, so the same schedule gives the same
history. Instants are seconds since the Unix epoch, as floats.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Protocol


class Timer:
    """A scheduled call that can be cancelled."""

    __slots__ = ("at", "call", "cancelled")

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Scheduler(Protocol):
    """Calls things later; instants are seconds since the Unix epoch."""

    @property
    def now(self) -> float: ...
    def at(self, instant: float, call: Callable[[], None]) -> Timer: ...
    def after(self, delay_s: float, call: Callable[[], None]) -> Timer: ...


class Timeline:
    """Runs scheduled calls in order of their instant; equal instants in the order they were scheduled."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def at(self, instant: float, call: Callable[[], None]) -> Timer:
        """Schedule `call` at `instant`; an instant in the past happens next."""
        timer = Timer(max(instant, self.now), call)
        heapq.heappush(self._heap, (timer.at, next(self._order), timer))
        return timer

    def after(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Schedule `call` `delay_s` seconds from now."""
        return self.at(self.now + delay_s, call)

    def next_at(self) -> float | None:
        """The instant of the next call, or None when nothing is scheduled."""
        heap = self._heap
        while heap and heap[0][2].cancelled:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def step(self) -> bool:
        """Run the next call and move the clock to it; False when there is none."""
        if self.next_at() is None:
            return False
        instant, _, timer = heapq.heappop(self._heap)
        self.now = instant
        timer.call()
        return True

    def run_until(self, instant: float) -> None:
        """Run every call up to and including `instant`, then set the clock to it."""
        while (upcoming := self.next_at()) is not None and upcoming <= instant:
            self.step()
        self.now = max(self.now, instant)
