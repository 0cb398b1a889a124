"""The work queue of one controller (client-go `util/workqueue`).

Owns client-go's rules: a key is never worked on twice at a time, a change during a pass makes one more pass, a delayed
key keeps its *earliest* deadline, and an immediate addition does not remove a deadline that is already set. The last
rule is why a nudge never delays the pass that was due anyway.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from emqx_tui.sandbox.kube.objects import Key
from emqx_tui.sandbox.timeline import Scheduler, Timer

_FIRST_BACK_OFF_S = 0.005
_LONGEST_BACK_OFF_S = 1000.0


def backoff_s(failures: int) -> float:
    """How long a key waits after having failed `failures` times before: 5 ms, doubled each time."""
    return min(_FIRST_BACK_OFF_S * 2.0 ** min(failures, 30), _LONGEST_BACK_OFF_S)


class WorkQueue:
    """Calls `ready()` on the timeline whenever there may be something to take."""

    def __init__(self, timeline: Scheduler, ready: Callable[[], None]) -> None:
        self._timeline = timeline
        self._ready = ready
        self._queue: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._processing: set[Key] = set()
        self._delayed: dict[Key, Timer] = {}
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """Work on it as soon as possible."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._queue.append(key)
            self._timeline.after(0.0, self._ready)

    def add_after(self, key: Key, delay_s: float) -> None:
        """Work on it later; an earlier deadline that is set already stays."""
        due_at = self._timeline.now + delay_s
        waiting = self._delayed.get(key)
        if waiting is not None:
            if waiting.at <= due_at:
                return
            waiting.cancel()
        self._delayed[key] = self._timeline.at(due_at, lambda: self._due(key))

    def add_failed(self, key: Key) -> None:
        """Exponential back-off, from 5 ms."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, backoff_s(failures))

    def forget(self, key: Key) -> None:
        """After a success: the next failure starts from the shortest back-off."""
        self._failures.pop(key, None)

    def take(self) -> Key | None:
        """The next key; `done` ends the work on it."""
        if not self._queue:
            return None
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: Key) -> None:
        self._processing.discard(key)
        if key in self._dirty:
            self._queue.append(key)
            self._timeline.after(0.0, self._ready)

    def next_due_at(self, key: Key) -> float | None:
        """The deadline of a delayed key."""
        waiting = self._delayed.get(key)
        return None if waiting is None else waiting.at

    def close(self) -> None:
        """Drop everything, as the end of the process does."""
        for timer in self._delayed.values():
            timer.cancel()
        self._delayed.clear()
        self._queue.clear()
        self._dirty.clear()
        self._processing.clear()
        self._failures.clear()

    def _due(self, key: Key) -> None:
        del self._delayed[key]
        self.add(key)
