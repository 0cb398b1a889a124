"""List and watch one collection, as client-go's Reflector does.

Owns the copy of the collection by which deletions are found, and the back-off. Works in windows of about a minute: each
new window proves that the link is alive, and a window that outlives its end proves that it is not. The copy survives a
lost link; a 410 or a failed retry asks for a new list. Retries back off, but the first request of this client that
succeeds after an outage ends every pause. An object that cannot be parsed is left out and reported; the others stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from emqx_tui.adapters.errors import one_line
from emqx_tui.adapters.kubernetes.errors import LIBRARY_ERRORS, from_library, from_status_object
from emqx_tui.adapters.kubernetes.library import aiohttp
from emqx_tui.model.errors import AdapterError, Expired, Forbidden, MalformedAnswer, NotFound, Unauthorized, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Malformed, Unparsable, Unreadable, read_json
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed, Scope, WatchSink

logger = logging.getLogger(__name__)

PAGE = 250
SLICE = 50
"""Objects of a page that are read at a stretch."""
LIST_TIMEOUT_S = 20.0
BACKLOG_S = 0.25
"""What was missed over a lost link comes first: only this long after it opened does a window confirm what is known."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Pace:
    """Wall times of a watch."""

    window_s: float = 55.0
    grace_s: float = 10.0
    """How long past its end a window may stay open before the link counts as dead."""
    backoff_s: tuple[float, float] = (0.5, 30.0)
    """First and longest pause between retries."""
    forbidden_s: float = 60.0
    """Between two tries while a right is missing."""


class Contact:
    """Whether the API server answers, as the requests of one client have shown."""

    def __init__(self) -> None:
        self._is_lost = False
        self._back = asyncio.Event()

    def lost(self) -> None:
        """A request or a watch got no answer."""
        self._is_lost = True

    def answered(self) -> None:
        """A request succeeded: after an outage everybody who waits tries again at once."""
        if self._is_lost:
            self._is_lost = False
            self._back.set()
            self._back = asyncio.Event()

    async def pause(self, seconds: float, at_least_s: float) -> None:
        """Wait `seconds`, or until contact is back, but no less than `at_least_s`."""
        back = self._back
        await asyncio.sleep(min(seconds, at_least_s))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - at_least_s)):
                await back.wait()


class Sender(Protocol):
    """The part of KubeClient that a watch uses."""

    @property
    def server(self) -> str: ...

    @property
    def contact(self) -> Contact: ...

    async def request(self, request: KubeRequest) -> Any: ...

    async def send(self, request: KubeRequest, *, total_s: float, answer_s: float) -> aiohttp.ClientResponse: ...


class Reflector:
    """One watch: runs until it is cancelled."""

    def __init__(
        self, sender: Sender, kind: Kind, scope: Scope, sink: WatchSink, pace: Pace, chance: random.Random
    ) -> None:
        self._sender = sender
        self._kind = kind
        self._scope = scope
        self._sink = sink
        self._pace = pace
        self._chance = chance
        self._path = kind.info.path(scope.namespace)
        self._objects: dict[Key, Any] = {}
        self._unreadable: dict[Key, Unreadable] = {}
        self._version = ""
        """resourceVersion to watch from; empty = list first."""
        self._failures = 0

    async def run(self) -> None:
        """List, watch, retry: never returns."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._window()
            except Expired:
                self._version = ""
                await self._pause_after_expiry()
            except AdapterError as error:
                await self._lost(error)
            except LIBRARY_ERRORS as error:
                await self._lost(from_library(error, self._sender.server))

    async def _list(self) -> None:
        found: dict[Key, Any] = {}
        unreadable: dict[Key, Unreadable] = {}
        meta: dict[str, Any] = {}
        asking: asyncio.Task[Any] | None = self._page()
        try:
            while asking is not None:
                page = await asking
                meta = self._metadata(page)
                # The server makes the next page while this one is read.
                asking = self._page(more) if (more := _text(meta, "continue")) else None
                for number, value in enumerate(page.get("items") or []):
                    if number % SLICE == 0:
                        await asyncio.sleep(0)
                    self._read(value, found, unreadable)
        finally:
            if asking is not None:
                asking.cancel()
        gone = [(key, value.meta.uid) for key, value in self._objects.items() if key not in found]
        self._objects, self._unreadable = found, unreadable
        self._version = _text(meta, "resourceVersion")
        for key, uid in gone:
            self._sink(Removed(self._kind, key, uid))
        self._tell_all()
        self._failures = 0

    def _page(self, token: str = "") -> asyncio.Task[Any]:
        """Ask for the first page, or for the one that a `continue` token stands for."""
        query = {**self._selectors(), "limit": str(PAGE)} | ({"continue": token} if token else {})
        request = KubeRequest("GET", self._path, query=query, timeout_s=LIST_TIMEOUT_S)
        return asyncio.create_task(self._sender.request(request), name=f"list {self._path}")

    def _metadata(self, page: Any) -> dict[str, Any]:
        meta = page.get("metadata") if isinstance(page, dict) else None
        if not isinstance(meta, dict) or not isinstance(page.get("items", []), list | None):
            raise MalformedAnswer(f"{self._sender.server}{self._path}: the answer is not a list of objects")
        return meta

    async def _window(self) -> None:
        """Watch until the server ends the window; raises when it ends otherwise."""
        window_s = max(1, math.ceil(self._pace.window_s))
        query = {
            **self._selectors(),
            "watch": "true",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(window_s),
        }
        began = time.monotonic()
        response = await self._sender.send(
            KubeRequest("GET", self._path, query=query),
            total_s=window_s + self._pace.grace_s,
            answer_s=LIST_TIMEOUT_S,
        )
        confirming = self._confirm(BACKLOG_S if self._failures else 0.0)
        try:
            async for event in self._events(response):
                self._failures = 0
                self._take(event)
        finally:
            confirming.cancel()
            response.close()
        self._failures = 0
        if time.monotonic() - began < 0.5:
            # A server that ends windows at once must not be asked in a loop.
            await asyncio.sleep(0.5)

    def _confirm(self, after_s: float) -> asyncio.TimerHandle:
        """What is known is confirmed by a window that stays open."""
        return asyncio.get_running_loop().call_later(after_s, self._sink, Alive(self._kind))

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
        while True:
            try:
                line = await response.content.readline()
            except ValueError as error:
                raise MalformedAnswer(f"{self._sender.server}{self._path}: a watch line is too long") from error
            if not line:
                return
            if not line.strip():
                continue
            yield self._event(line)

    def _event(self, line: bytes) -> dict[str, Any]:
        try:
            event = read_json(line)
        except Unparsable as error:
            self._version = ""
            raise MalformedAnswer(
                f"{self._sender.server}{self._path}: a watch event cannot be read: {error}"
            ) from error
        if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
            self._version = ""
            raise MalformedAnswer(f"{self._sender.server}{self._path}: a watch event without an object")
        return event

    def _take(self, event: dict[str, Any]) -> None:
        word, value = event.get("type"), event["object"]
        if word == "ERROR":
            raise from_status_object(value, self._sender.server)
        self._version = _text(_meta(value), "resourceVersion") or self._version
        match word:
            case "BOOKMARK":
                self._sink(Alive(self._kind))
            case "DELETED":
                self._remove(_key(value), _text(_meta(value), "uid"))
            case "ADDED" | "MODIFIED":
                self._change(value)
            case _:
                logger.warning("%s: unknown watch event %s", self._path, one_line(str(word), 40))

    def _change(self, value: dict[str, Any]) -> None:
        key = _key(value)
        was_unreadable = self._unreadable.pop(key, None) is not None
        self._objects.pop(key, None)
        if not self._read(value, self._objects, self._unreadable) or was_unreadable:
            self._tell_all()
        else:
            self._sink(Changed(self._kind, key, self._objects[key]))

    def _remove(self, key: Key, uid: str) -> None:
        self._objects.pop(key, None)
        self._sink(Removed(self._kind, key, uid))
        if self._unreadable.pop(key, None) is not None:
            self._tell_all()

    def _read(self, value: Any, objects: dict[Key, Any], unreadable: dict[Key, Unreadable]) -> bool:
        key = _key(value)
        try:
            objects[key] = self._kind.parse(value)
        except Malformed as error:
            unreadable[key] = Unreadable.of(error)
            logger.warning("unreadable: %s", one_line(f"{self._kind.info.plural} {key[0]}/{key[1]}: {error}"))
            return False
        return True

    def _tell_all(self) -> None:
        self._sink(Listed(self._kind, dict(self._objects), dict(self._unreadable)))

    async def _lost(self, error: AdapterError) -> None:
        """Tell the failure, then wait.

        After a lost connection the version stays, and what was missed comes with the next window. A server that was
        away longer, or answered with an error, gets a new list: its versions may have begun again.
        """
        is_final = isinstance(error, Forbidden)
        has_answered_error = error.status is not None and not isinstance(error, Unauthorized)
        if has_answered_error or self._failures:
            self._version = ""
        if isinstance(error, NotFound):
            error = self._not_served(error)
        self._failures += 1
        self._sink(Lost(self._kind, error, is_final))
        logger.info("watch %s: %s", self._path, error.message)
        contact, pause_s = self._sender.contact, self._pace.forbidden_s if is_final else self._backoff_s()
        if isinstance(error, Unreachable):
            contact.lost()
        await contact.pause(pause_s, at_least_s=self._pace.backoff_s[0] / 2)

    async def _pause_after_expiry(self) -> None:
        """List again at once; only a server whose lists expire too is given time."""
        self._failures += 1
        if self._failures > 1:
            await asyncio.sleep(self._backoff_s())

    def _backoff_s(self) -> float:
        first, longest = self._pace.backoff_s
        return min(longest, first * 2 ** min(self._failures - 1, 16)) * self._chance.uniform(0.5, 1.0)

    def _not_served(self, error: NotFound) -> NotFound:
        info = self._kind.info
        kind = f"{info.plural}.{info.group}" if info.group else info.plural
        hint = "; is the EMQX operator installed?" if self._kind is Kind.EMQX_ENTERPRISE else ""
        return NotFound(f"{self._sender.server} does not serve {kind}{hint}", status=error.status, reason=error.reason)

    def _selectors(self) -> dict[str, str]:
        spelled = {"labelSelector": self._scope.label_selector, "fieldSelector": self._scope.field_selector}
        return {name: value for name, value in spelled.items() if value}


def _key(value: Any) -> Key:
    meta = _meta(value)
    return _text(meta, "namespace"), _text(meta, "name")


def _meta(value: Any) -> dict[str, Any]:
    meta = value.get("metadata") if isinstance(value, dict) else None
    return meta if isinstance(meta, dict) else {}


def _text(fields: dict[str, Any], key: str) -> str:
    """A text, empty where there is something else."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def scaled(pace: Pace, rate: float) -> Pace:
    """The pace for a cluster whose time runs `rate` times faster: windows shrink, but not under the API's second."""
    return replace(pace, window_s=max(1.0, pace.window_s / rate)) if rate > 1 else pace
