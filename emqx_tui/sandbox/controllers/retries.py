"""A scheduler that logs and retries calls that fail, so that one controller's failure does not stop the others.

Owns client-go's rules for failed work: a backoff that doubles from 5 ms, and the end of trying after fifteen times.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from emqx_tui.sandbox.controllers.work_queue import backoff_s
from emqx_tui.sandbox.timeline import Scheduler, Timer

logger = logging.getLogger(__name__)

MAX_RETRIES = 15


class RetryingScheduler:
    """Calls later, like the timeline that it stands for; a call that raises is made again."""

    def __init__(self, timeline: Scheduler) -> None:
        self._timeline = timeline

    @property
    def now(self) -> float:
        return self._timeline.now

    def at(self, instant: float, call: Callable[[], None]) -> Timer:
        timer = self._timeline.at(instant, lambda: self._try(timer, call, 0))
        return timer

    def after(self, delay_s: float, call: Callable[[], None]) -> Timer:
        return self.at(self._timeline.now + delay_s, call)

    def _try(self, timer: Timer, call: Callable[[], None], failures: int) -> None:
        if timer.cancelled:
            return
        try:
            call()
        except Exception:
            logger.exception("a controller failed, try %d of %d", failures + 1, MAX_RETRIES + 1)
            if failures < MAX_RETRIES:
                self._timeline.after(backoff_s(failures), lambda: self._try(timer, call, failures + 1))
