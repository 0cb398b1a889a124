"""Watches: the store's changes as a stream of events, from a version on.

A watch reads from history when it is woken, so a slow client loses nothing until its version is dropped from history;
then it gets 410 and has to list again, as with a real API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.sandbox.apiserver.representations import TABLE, Form
from emqx_tui.sandbox.kube.api_error import ApiError, bad_request
from emqx_tui.sandbox.kube.history import Change
from emqx_tui.sandbox.kube.listing import wanted_version
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.selectors import Predicate, selection
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.targets import Target

Event = dict[str, Any]

_LONGEST_S = 3600.0


class Wakeups:
    """Wakes the watchers of a kind when one of its objects changes."""

    def __init__(self, store: Store) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self.close = store.subscribe(self._changed)

    def _changed(self, _type: str, plural: str, _obj: Object) -> None:
        for each in self._waiting.get(plural, ()):
            each.set()

    def join(self, plural: str) -> asyncio.Event:
        woken = asyncio.Event()
        self._waiting.setdefault(plural, set()).add(woken)
        return woken

    def leave(self, plural: str, woken: asyncio.Event) -> None:
        self._waiting[plural].discard(woken)


@dataclass
class Watch:
    """One client's watch of one collection or object."""

    store: Store
    target: Target
    form: Form
    selected: Predicate | None
    cursor: int
    """The resourceVersion up to which the client knows everything."""
    replay: list[Object] = field(default_factory=list)
    """Objects to begin with, as ADDED."""
    initial_bookmark: bool = False
    bookmarks: bool = False
    timeout_s: float = _LONGEST_S
    bookmark_every_s: float = 60.0
    _headed: bool = False

    async def events(self, wakeups: Wakeups, now: Callable[[], float]) -> AsyncIterator[list[Event]]:
        """Batches of events until the timeout; the last one may be an ERROR."""
        woken = wakeups.join(self.target.plural)
        try:
            yield self._opening(now())
            loop = asyncio.get_running_loop()
            ends_at = loop.time() + self.timeout_s
            bookmark_at = loop.time() + self.bookmark_every_s
            while (left_s := ends_at - loop.time()) > 0:
                try:
                    batch = self._batch(now())
                except ApiError as gone:
                    yield [{"type": "ERROR", "object": gone.status()}]
                    return
                if batch:
                    yield batch
                    continue
                if self.bookmarks and loop.time() >= bookmark_at:
                    bookmark_at = loop.time() + self.bookmark_every_s
                    yield [self._bookmark()]
                await _wait(woken, min(left_s, bookmark_at - loop.time() if self.bookmarks else left_s))
            if self.bookmarks:
                yield [self._bookmark()]
        finally:
            wakeups.leave(self.target.plural, woken)

    def _opening(self, now: float) -> list[Event]:
        events = [self._event("ADDED", each, now) for each in self.replay]
        if self.initial_bookmark:
            events.append(self._bookmark(initial=True))
        self.replay = []
        return events

    def _batch(self, now: float) -> list[Event]:
        changes = self.store.changes(self.target.plural, self.cursor)
        # Versions are counted over all kinds: having seen nothing newer of this kind is knowing all up to now.
        self.cursor = self.store.version
        seen = ((change, self._type(change)) for change in changes)
        return [self._change_event(change, kind, now) for change, kind in seen if kind]

    def _type(self, change: Change) -> str | None:
        """The change as this watch sees it: objects come into and go out of a selection."""
        was = change.previous is not None and self._shows(change.previous)
        is_now = change.type != "DELETED" and self._shows(change.object)
        if was:
            return "MODIFIED" if is_now else "DELETED"
        return "ADDED" if is_now else None

    def _shows(self, obj: Object) -> bool:
        metadata = obj["metadata"]
        if self.target.namespace is not None and metadata.get("namespace") != self.target.namespace:
            return False
        if self.target.name is not None and metadata["name"] != self.target.name:
            return False
        return self.selected is None or self.selected(obj)

    def _change_event(self, change: Change, kind: str, now: float) -> Event:
        obj = change.object
        if kind == "DELETED" and change.type != "DELETED" and change.previous is not None:
            version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            obj = {**change.previous, "metadata": {**change.previous["metadata"], **version}}
        return self._event(kind, obj, now)

    def _event(self, kind: str, obj: Object, now: float) -> Event:
        if self.form.kind == TABLE:
            version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            shown = self.form.table(self.target.resource, [obj], now, version, header=not self._headed)
            self._headed = True
        else:
            shown = self.form.one(self.target.resource, obj, now)
        return {"type": kind, "object": shown}

    def _bookmark(self, *, initial: bool = False) -> Event:
        resource = self.target.resource
        metadata: Object = {"resourceVersion": str(self.cursor)}
        if initial:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self.form.kind == TABLE:
            return {"type": "BOOKMARK", "object": self.form.table(resource, [], 0.0, metadata)}
        shown = {"kind": resource.kind, "apiVersion": resource.group_version, "metadata": metadata}
        return {"type": "BOOKMARK", "object": shown}


def open_watch(store: Store, target: Target, query: Mapping[str, str], form: Form, bookmark_every_s: float) -> Watch:
    """The watch that a request asks for; ApiError 400, 410 or 504."""
    watch = Watch(
        store,
        target,
        form,
        selection(target.plural, query.get("labelSelector"), query.get("fieldSelector")),
        cursor=store.version,
        bookmarks=is_true(query.get("allowWatchBookmarks")),
        timeout_s=_timeout_s(query),
        bookmark_every_s=bookmark_every_s,
    )
    version = wanted_version(store, query.get("resourceVersion"))
    wants_initial = query.get("sendInitialEvents")
    if version is None and wants_initial != "false":
        watch.replay = [each for each in store.list(target.plural, target.namespace) if watch._shows(each)]
    elif version is not None and not is_true(wants_initial):
        store.changes(target.plural, version)
        watch.cursor = version
    if is_true(wants_initial):
        if query.get("resourceVersionMatch") != "NotOlderThan":
            raise bad_request("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        watch.replay = [each for each in store.list(target.plural, target.namespace) if watch._shows(each)]
        watch.initial_bookmark = watch.bookmarks
    return watch


def is_true(text: str | None) -> bool:
    return text in ("1", "true", "True")


def _timeout_s(query: Mapping[str, str]) -> float:
    text = query.get("timeoutSeconds") or ""
    return min(float(text), _LONGEST_S) if text.isdecimal() and text != "0" else _LONGEST_S


async def _wait(woken: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(max(timeout_s, 0)):
            await woken.wait()
    except TimeoutError:
        return
    woken.clear()
