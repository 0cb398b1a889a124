"""Who hears of which change: one subscription to the store, sorted by kind.

Owns the fan-out of store events to the simulated controllers, so that a pod write costs nothing for those who only
watch Services. Delivery is synchronous and in the order of registration; a controller that has work to do puts it on
the timeline instead of doing it inside somebody else's write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Timeline

Listener = Callable[[str, dict[str, Any]], None]


class Informer:
    """Calls `listener(event_type, object)` for each change of a kind."""

    def __init__(self, store: Store) -> None:
        self._listeners: dict[str, list[Listener]] = {}
        self._any: list[Callable[[str, str, dict[str, Any]], None]] = []
        store.subscribe(self._dispatch)

    def on(self, plural: str, listener: Listener) -> None:
        self._listeners.setdefault(plural, []).append(listener)

    def on_any(self, listener: Callable[[str, str, dict[str, Any]], None]) -> None:
        """Calls `listener(event_type, plural, object)` for every change."""
        self._any.append(listener)

    def _dispatch(self, event_type: str, plural: str, obj: dict[str, Any]) -> None:
        for listener in self._listeners.get(plural, ()):
            listener(event_type, obj)
        for listener in self._any:
            listener(event_type, plural, obj)


class Debounced:
    """Runs a call per key once, `lag_s` after the first request of a burst."""

    def __init__(self, timeline: Timeline, lag_s: float, call: Callable[[Any], None]) -> None:
        self.lag_s = lag_s
        self._timeline = timeline
        self._call = call
        self._pending: set[Any] = set()

    def request(self, key: Any) -> None:
        if key in self._pending:
            return
        self._pending.add(key)
        self._timeline.after(self.lag_s, lambda: self._run(key))

    def _run(self, key: Any) -> None:
        self._pending.discard(key)
        self._call(key)
