"""One subscription to the store, dispatched to handlers by kind.

Owns the fan-out of store events to the simulated controllers, so that a pod write costs nothing to handlers of
Services. Delivery is synchronous and in the order of registration. A handler that fails is logged and never fails the
writer; a controller that has work to do puts it on the timeline, where it is retried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.storage import Subscriber
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Scheduler

logger = logging.getLogger(__name__)

Handler = Callable[[str, Object], None]


class Informer:
    """Calls `handler(event_type, object)` for each change of a kind."""

    def __init__(self, store: Store) -> None:
        self._handlers: dict[str, list[Subscriber]] = {}
        self._any: list[Subscriber] = []
        store.subscribe(self._dispatch)

    def on(self, plural: str, handler: Handler) -> None:
        self._handlers.setdefault(plural, []).append(lambda event_type, _plural, obj: handler(event_type, obj))

    def on_any(self, handler: Subscriber) -> None:
        """Calls `handler(event_type, plural, object)` for every change."""
        self._any.append(handler)

    def _dispatch(self, event_type: str, plural: str, obj: Object) -> None:
        for handler in (*self._handlers.get(plural, ()), *self._any):
            try:
                handler(event_type, plural, obj)
            except Exception:
                logger.exception("a handler failed on %s of %s %s", event_type, plural, obj["metadata"]["name"])


class Debounced:
    """Calls `sync(key)` once, `lag_s` after the first request of a burst."""

    def __init__(self, timeline: Scheduler, lag_s: float, sync: Callable[[Any], None]) -> None:
        self.lag_s = lag_s
        self._timeline = timeline
        self._sync = sync
        self._pending: set[Any] = set()

    def request(self, key: Any) -> None:
        if key in self._pending:
            return
        self._pending.add(key)
        self._timeline.after(self.lag_s, lambda: self._run(key))

    def _run(self, key: Any) -> None:
        self._pending.discard(key)
        self._sync(key)
