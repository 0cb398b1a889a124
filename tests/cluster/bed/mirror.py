"""What the API server holds, as last told: objects by kind, for those who only read.

Owns the watches of the kinds that the stand-ins need. Listeners are called for each change, after it shows in `find`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from emqx_tui.sandbox.kube.objects import Key, key_of, matches
from tests.cluster.bed.kube import Kube

Object = dict[str, Any]
Listener = Callable[[str, Object], None]


class Mirror:
    """Implements `Objects` of the simulated world over a real API server."""

    def __init__(self, kube: Kube, plurals: tuple[str, ...]) -> None:
        self._kube = kube
        self._objects: dict[str, dict[Key, Object]] = {plural: {} for plural in plurals}
        self._listeners: dict[str, list[Listener]] = {plural: [] for plural in plurals}

    def on(self, plural: str, listener: Listener) -> None:
        self._listeners[plural].append(listener)

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        return self._objects[plural].get((namespace, name))

    def list(self, plural: str, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[Object]:
        return [
            found
            for (inside, _), found in sorted(self._objects[plural].items(), key=lambda item: item[0])
            if namespace in (None, inside) and (not labels or matches(found["metadata"].get("labels"), labels))
        ]

    async def run(self) -> None:
        await asyncio.gather(*(self._follow(plural) for plural in self._objects))

    async def _follow(self, plural: str) -> None:
        held = self._objects[plural]
        async for event, obj in self._kube.changes(plural):
            if event == "LISTED":
                listed = {key_of(each): each for each in obj["items"]}
                for key in held.keys() - listed.keys():
                    self._tell(plural, "DELETED", held.pop(key))
                for key, each in listed.items():
                    self._note(plural, key, each)
            elif event == "DELETED":
                held.pop(key_of(obj), None)
                self._tell(plural, event, obj)
            else:
                self._note(plural, key_of(obj), obj)

    def _note(self, plural: str, key: Key, obj: Object) -> None:
        """A new uid under an old name is another object."""
        held = self._objects[plural]
        old = held.get(key)
        if old is not None and old["metadata"]["uid"] != obj["metadata"]["uid"]:
            del held[key]
            self._tell(plural, "DELETED", old)
            old = None
        held[key] = obj
        if old is None or old["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            self._tell(plural, "ADDED" if old is None else "MODIFIED", obj)

    def _tell(self, plural: str, event: str, obj: Object) -> None:
        for listener in self._listeners[plural]:
            listener(event, obj)
