"""Ports of the session that do what a test tells them. Nothing here waits for a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from emqx_tui.model.errors import NotFound
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest, KubeRequest
from emqx_tui.session.ports import LineSink, Scope, WatchSink

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@dataclass
class FakeClock:
    """A clock that stands still until `tick`. A sleeper sleeps until then, too."""

    elapsed_s: float = 0.0
    _sleepers: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        return self.elapsed_s

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.elapsed_s + seconds, woken))
        await woken.wait()

    async def sleep_wall(self, seconds: float) -> None:
        await self.sleep(seconds)

    @property
    def is_slept_on(self) -> bool:
        """Somebody waits for `tick`."""
        return any(not woken.is_set() for _, woken in self._sleepers)

    def tick(self, seconds: float) -> None:
        self.elapsed_s += seconds
        for until, woken in self._sleepers:
            if until <= self.elapsed_s:
                woken.set()


@dataclass
class FakeHost:
    identity: str = "ann@host/1"
    person: str = "ann@host"
    dead: set[str] = field(default_factory=set)

    def is_dead(self, identity: str) -> bool:
        return identity in self.dead


Answer = Callable[[KubeRequest], Awaitable[Any]]


@dataclass
class FakeKube:
    """Answers by path: a value, an error to raise, or a coroutine function. Watches are held open and can be fed."""

    answers: dict[str, Any] = field(default_factory=dict)
    sent: list[KubeRequest] = field(default_factory=list)
    sinks: dict[Kind, WatchSink] = field(default_factory=dict)
    scopes: list[tuple[Kind, Scope]] = field(default_factory=list)
    on_watch: Callable[[Kind, Scope, WatchSink], None] = lambda kind, scope, sink: None

    async def request(self, request: KubeRequest) -> Any:
        self.sent.append(request)
        found = self.answers.get(request.path, NotFound(f"{request.path} not found", status=404))
        if callable(found):
            found = await found(request)
        if isinstance(found, Exception):
            raise found
        return found

    async def text(self, request: KubeRequest) -> str:
        return str(await self.request(request))

    async def lines(self, request: KubeRequest, sink: LineSink) -> None:
        for line in str(await self.request(request)).splitlines():
            sink(line)

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        self.sinks[kind] = sink
        self.scopes.append((kind, scope))
        self.on_watch(kind, scope, sink)
        await asyncio.Event().wait()


@dataclass
class FakeEmqx:
    """Answers by (pod, path) or by path."""

    answers: dict[Any, Any] = field(default_factory=dict)
    sent: list[EmqxRequest] = field(default_factory=list)
    credentials: list[tuple[str, str]] = field(default_factory=list)

    def set_credentials(self, key: str, secret: str) -> None:
        self.credentials.append((key, secret))

    async def request(self, request: EmqxRequest) -> EmqxReply:
        self.sent.append(request)
        found = self.answers.get((request.pod, request.path), self.answers.get(request.path))
        if found is None:
            found = NotFound(f"{request.path} not found", status=404)
        if callable(found):
            found = await found(request)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, EmqxReply) else EmqxReply(200, found)


async def until(condition: Callable[[], Any], *, rounds: int = 2000, within_s: float = 1.0) -> None:
    """Let the other tasks run until `condition` is true; fails when they have all come to rest before.

    What waits a few milliseconds of wall time has `within_s` for it.
    """
    end = time.monotonic() + within_s
    while rounds > 0 or time.monotonic() < end:
        if condition():
            return
        rounds -= 1
        await asyncio.sleep(0)
    raise AssertionError("it never came true")
