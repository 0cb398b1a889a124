"""Kubernetes Events as client-go's recorder sends them.

Owns the correlator: similar events are merged after ten different messages in ten minutes, and each object has a budget
of 25 events that refills by one in five minutes. No client sees what the correlator drops, so nothing may depend on
Events. A restart of the operator resets the correlator. (k8s.io/client-go/tools/record/events_cache.go)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.timeline import Scheduler

MERGED_PREFIX = "(combined from similar events): "
_SIMILAR_MAX = 10
_SIMILAR_WITHIN_S = 600.0
_BURST = 25.0
_REFILL_PER_S = 1.0 / 300.0


@dataclass
class _Similar:
    messages: set[str] = field(default_factory=set)
    last_at: float = 0.0


@dataclass
class _Seen:
    name: str
    count: int
    first_at: float


@dataclass
class _Budget:
    tokens: float = _BURST
    at: float = 0.0


class Report(NamedTuple):
    """What was reported, before correlation."""

    at: float
    name: str
    """of the object"""
    reason: str
    message: str


class EventRecorder:
    """Writes Events about objects, on behalf of `component`."""

    def __init__(
        self, store: Store, timeline: Scheduler, component: str, reports: deque[Report], *, manager: str = "manager"
    ) -> None:
        self._reports = reports
        self._store = store
        self._timeline = timeline
        self._component = component
        self._manager = manager
        self._similar: dict[Any, _Similar] = {}
        self._seen: dict[Any, _Seen] = {}
        self._budgets: dict[str, _Budget] = {}
        self._made = 0

    def event(self, obj: Object, kind: str, reason: str, message: str) -> None:
        """Report; merged, counted or dropped as the correlator decides. `kind` is Normal or Warning."""
        uid = obj["metadata"]["uid"]
        self._reports.append(Report(self._timeline.now, obj["metadata"]["name"], reason, message))
        key, message = self._aggregated((uid, kind, reason), message)
        seen = self._seen.get(key)
        if seen is not None:
            seen.count += 1
        else:
            self._made += 1
            nanoseconds = int(self._timeline.now * 1e9) + self._made
            seen = self._seen[key] = _Seen(f"{obj['metadata']['name']}.{nanoseconds:x}", 1, self._timeline.now)
        if self._has_budget(uid):
            self._write(obj, kind, reason, message, seen)

    def _aggregated(self, similarity: tuple[str, ...], message: str) -> tuple[tuple[str, ...], str]:
        now = self._timeline.now
        similar = self._similar.setdefault(similarity, _Similar())
        if now - similar.last_at > _SIMILAR_WITHIN_S:
            similar.messages.clear()
        similar.messages.add(message)
        similar.last_at = now
        if len(similar.messages) < _SIMILAR_MAX:
            return (*similarity, message), message
        similar.messages.pop()
        return similarity, MERGED_PREFIX + message

    def _has_budget(self, uid: str) -> bool:
        now = self._timeline.now
        budget = self._budgets.setdefault(uid, _Budget(at=now))
        budget.tokens = min(_BURST, budget.tokens + (now - budget.at) * _REFILL_PER_S)
        budget.at = now
        if budget.tokens < 1.0:
            return False
        budget.tokens -= 1.0
        return True

    def _write(self, obj: Object, kind: str, reason: str, message: str, seen: _Seen) -> None:
        metadata = obj["metadata"]
        namespace = metadata["namespace"]
        event = {
            "metadata": {"name": seen.name, "namespace": namespace},
            "involvedObject": {
                "kind": obj["kind"],
                "namespace": namespace,
                "name": metadata["name"],
                "uid": metadata["uid"],
                "apiVersion": obj["apiVersion"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "firstTimestamp": rfc3339(seen.first_at),
            "lastTimestamp": rfc3339(self._timeline.now),
            "count": seen.count,
            "type": kind,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
        old = self._store.find("events", namespace, seen.name)
        if old is None:
            self._store.create("events", event, manager=self._manager)
        else:
            self._store.update("events", {**event, "metadata": old["metadata"]}, manager=self._manager)
