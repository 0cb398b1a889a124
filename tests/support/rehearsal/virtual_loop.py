"""An asyncio loop whose clock is the simulated world's: waiting means letting the world go on.

Nothing sleeps. A coroutine that waits for an instant gets it as soon as the world has done everything before it, so an
hour passes in a moment and the same seed gives the same history.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from emqx_tui.sandbox.world.world import World

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Nobody waits for an instant and nothing will ever happen."""


class _WorldSelector(selectors.SelectSelector):
    """Where a loop would wait for sockets, the world takes its steps."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return []
        self.loop.let_world_go(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module."""

    def __init__(self, world: World) -> None:
        selector = _WorldSelector()
        selector.loop = self
        super().__init__(selector)
        self._world = world
        self._origin = world.timeline.now
        # Seconds since the epoch have steps of a quarter of a microsecond as floats: a timer may be that early.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._world.timeline.now - self._origin

    def let_world_go(self, timeout: float | None) -> None:
        """Step the world until something becomes ready here, for at most `timeout` seconds of its time."""
        timeline = self._world.timeline
        until = None if timeout is None else timeline.now + timeout
        ready: Any = self._ready  # type: ignore[attr-defined]
        while not ready:
            upcoming = timeline.next_at()
            if upcoming is None and until is None:
                raise Deadlock("everybody waits and nothing is scheduled")
            if upcoming is None or (until is not None and upcoming > until):
                assert until is not None
                timeline.run_until(until)
                return
            timeline.run_until(upcoming)


def run_in(world: World, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end in the world's time."""
    loop = VirtualLoop(world)
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            asyncio.set_event_loop(None)
            loop.close()
