"""Runs a world in real time: so many virtual seconds per real second.

Advances the world in slices that never block the event loop for long. When the machine cannot keep up, it drops the
virtual time that it is behind, and logs that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger(__name__)

_TICK_S = 0.01
_SLICE_S = 0.02
_DEBT_LIMIT_S = 2.0
_LEAST_STEP_S = 0.05
_TOO_LITTLE_S = 1e-6


class Advancing(Protocol):
    """The part of a world that keeps time."""

    def advance(self, seconds: float) -> None: ...


class RealTimeClock:
    """Advances `world` by `speed` virtual seconds per real second."""

    def __init__(self, world: Advancing, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not 1 <= speed <= 600:
            raise ValueError("speed is from 1 to 600 virtual seconds per second")
        self.speed = speed
        self.dropped_s = 0.0
        """Virtual seconds given up because the machine could not keep up."""
        self._world = world
        self._clock = clock
        self._reached_at = clock()
        self._step_s = _LEAST_STEP_S
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._reached_at = self._clock()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            # broken() raises what the world raised.
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def broken(self) -> None:
        """Never returns; raises what the world raised, after which time stands still."""
        if self._task:
            await asyncio.shield(self._task)

    def catch_up(self, budget_s: float = _SLICE_S) -> None:
        """Advance the world to now, or as far as `budget_s` of real time takes it."""
        goal_at = began_at = self._clock()
        while (behind_s := goal_at - self._reached_at) > _TOO_LITTLE_S and began_at < goal_at + budget_s:
            step_s = min(behind_s * self.speed, self._step_s)
            self._world.advance(step_s)
            self._reached_at += step_s / self.speed
            took_s = self._clock() - began_at
            began_at += took_s
            self._fit_step(took_s)

    def _fit_step(self, took_s: float) -> None:
        """Steps small enough to fit a slice, large enough not to be many."""
        if took_s > _SLICE_S / 2:
            self._step_s = max(self._step_s / 2, _LEAST_STEP_S)
        elif took_s < _SLICE_S / 10:
            self._step_s = min(self._step_s * 2, self.speed)

    async def _run(self) -> None:
        while True:
            debt_s = self.tick()
            await asyncio.sleep(0 if debt_s > _TICK_S else _TICK_S)

    def tick(self) -> float:
        """One slice; returns the real seconds still owed."""
        self.catch_up()
        debt_s = self._clock() - self._reached_at
        if debt_s > _DEBT_LIMIT_S:
            self._give_up(debt_s)
            return 0.0
        return debt_s

    def _give_up(self, debt_s: float) -> None:
        self.dropped_s += debt_s * self.speed
        self._reached_at += debt_s
        logger.warning("the simulation cannot keep up with speed %g: %.1f s dropped", self.speed, debt_s * self.speed)
