"""The changes of one kind, for watches and consistent lists.

Owns a bounded list of changes, oldest first. A change keeps the object before it too, so that any version since `floor`
can be restored by undoing changes: a snapshot copies nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.objects import Object, key_of


class Change(NamedTuple):
    """One change; `previous` is the object before it, None for ADDED."""

    version: int
    type: str
    """ADDED, MODIFIED or DELETED."""
    object: Object
    previous: Object | None


class History:
    """The changes of one kind; `floor` is the oldest resourceVersion from which a watch loses nothing."""

    def __init__(self, limit: int) -> None:
        self.floor = 0
        self._limit = limit
        self._changes: deque[Change] = deque()

    def remember(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > self._limit:
            self.floor = self._changes.popleft().version

    def forget(self, before: int) -> None:
        """Drop what is not newer than resourceVersion `before`."""
        while self._changes and self._changes[0].version <= before:
            self._changes.popleft()
        self.floor = max(self.floor, before)

    def since(self, version: int) -> list[Change]:
        """Changes newer than `version`, oldest first; ApiError 410 when some are forgotten."""
        if version < self.floor:
            raise api_error.expired(f"too old resource version: {version} ({self.floor})")
        newer: list[Change] = []
        for change in reversed(self._changes):
            if change.version <= version:
                break
            newer.append(change)
        return newer[::-1]

    def undo(self, objects: Iterable[Object], version: int) -> list[Object]:
        """`objects`, which are the newest, as they were at `version`, sorted by namespace and name."""
        then = {key_of(each): each for each in objects}
        for change in reversed(self.since(version)):
            if change.previous is None:
                then.pop(key_of(change.object), None)
            else:
                then[key_of(change.object)] = change.previous
        return [then[key] for key in sorted(then)]
