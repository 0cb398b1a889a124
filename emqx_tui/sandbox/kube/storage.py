"""The objects of the simulated cluster: by kind and name, with their versions and their history.

Owns every Kubernetes object and the one resourceVersion counter. Stored objects are immutable by convention: writers
pass new dicts, and unchanged parts are shared between versions. That makes history, consistent lists and no-op
detection cheap enough for thousands of operator passes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.history import Change, History
from emqx_tui.sandbox.kube.objects import Key, Object, key_of, matches
from emqx_tui.sandbox.kube.resources import Resource

Subscriber = Callable[[str, str, Object], None]


class Storage:
    """Kubernetes objects by plural, namespace and name."""

    def __init__(self, history_limit: int) -> None:
        self.resources: dict[str, Resource] = {}
        self.version = 1000
        self._history_limit = history_limit
        self._history: dict[str, History] = {}
        self._objects: dict[str, dict[Key, Object]] = {}
        self._sorted: dict[str, list[Key] | None] = {}
        self._subscribers: list[Subscriber] = []
        self._undelivered: deque[tuple[str, str, Object]] = deque()
        self._delivering = False

    def register(self, resource: Resource) -> None:
        """Make a kind known; its plural must not be taken."""
        if resource.plural in self.resources:
            raise ValueError(f"{resource.plural} is registered already")
        self.resources[resource.plural] = resource
        self._objects[resource.plural] = {}
        self._sorted[resource.plural] = None
        self._history[resource.plural] = History(self._history_limit)

    def find(self, plural: str, namespace: str | None, name: str) -> Object | None:
        """The object, or None."""
        return self._objects[plural].get((self._scope(plural, namespace), name))

    def get(self, plural: str, namespace: str | None, name: str) -> Object:
        """The object; ApiError 404."""
        found = self.find(plural, namespace, name)
        if found is None:
            raise api_error.not_found(self.resources[plural], name)
        return found

    def list(self, plural: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Object]:
        """Objects sorted by namespace and name; all namespaces when None."""
        objects = self._objects[plural]
        if not self.resources[plural].namespaced:
            namespace = None
        found = (objects[key] for key in self._keys(plural) if namespace is None or key[0] == namespace)
        return [each for each in found if not labels or matches(each["metadata"].get("labels"), labels)]

    def _keys(self, plural: str) -> list[Key]:
        keys = self._sorted[plural]
        if keys is None:
            keys = self._sorted[plural] = sorted(self._objects[plural])
        return keys

    def _scope(self, plural: str, namespace: str | None) -> str:
        return (namespace or "") if self.resources[plural].namespaced else ""

    def changes(self, plural: str, since: int) -> list[Change]:
        """Changes newer than resourceVersion `since`, oldest first; ApiError 410 when some are forgotten."""
        return self._history[plural].since(since)

    def snapshot(self, plural: str, version: int) -> list[Object]:
        """The objects as they were at `version`, sorted; ApiError 410 when that is forgotten."""
        return self._history[plural].undo(self._objects[plural].values(), version)

    def trim(self, before: int) -> None:
        """Forget history up to and including resourceVersion `before`."""
        for history in self._history.values():
            history.forget(before)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber(type, plural, object)` after each change, in order; returns how to end that."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def commit(self, event_type: str, resource: Resource, previous: Object | None, new: Object) -> Object:
        """The only place where objects change: assigns the version, records history, notifies subscribers."""
        self.version += 1
        new = {**new, "metadata": {**new["metadata"], "resourceVersion": str(self.version)}}
        plural, key = resource.plural, key_of(new)
        if event_type == "DELETED":
            del self._objects[plural][key]
        else:
            self._objects[plural][key] = new
        if event_type != "MODIFIED":
            self._sorted[plural] = None
        self._history[plural].remember(Change(self.version, event_type, new, previous))
        self._deliver(event_type, plural, new)
        return new

    def _deliver(self, event_type: str, plural: str, obj: Object) -> None:
        """A subscriber may write: its change waits its turn, so that all see one order."""
        self._undelivered.append((event_type, plural, obj))
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._undelivered:
                event = self._undelivered.popleft()
                for subscriber in tuple(self._subscribers):
                    subscriber(*event)
        finally:
            self._delivering = False
