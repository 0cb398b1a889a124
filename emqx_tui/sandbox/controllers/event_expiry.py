"""Events are kept for an hour after their last write, as etcd's lease on them does it.

Owns their removal, so that a long run does not pile them up.
"""

from __future__ import annotations

from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.kube.objects import Key, Object, key_of
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Scheduler, Timer

KEPT_S = 3600.0


class EventExpiry:
    """Deletes Events an hour after their last update."""

    def __init__(self, store: Store, timeline: Scheduler, informer: Informer) -> None:
        self._store = store
        self._timeline = timeline
        self._timers: dict[str, Timer] = {}
        informer.on("events", self._on_event)

    def _on_event(self, event_type: str, event: Object) -> None:
        uid = event["metadata"]["uid"]
        if uid in self._timers:
            self._timers.pop(uid).cancel()
        if event_type != "DELETED":
            self._timers[uid] = self._timeline.after(KEPT_S, lambda: self._remove(key_of(event)))

    def _remove(self, key: Key) -> None:
        self._store.delete("events", *key)
