"""What happened in a namespace: every change of every object, what was asked and what came back, and when.

Owns the watches, which run in a thread of their own. Times are seconds since the recording began.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp

from tests.cluster.case import Case, Cluster

Object = dict[str, Any]
KINDS = (
    "emqxenterprises",
    "emqxplugins",
    "statefulsets",
    "pods",
    "services",
    "endpoints",
    "endpointslices",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "leases",
    "events",
)


@dataclass
class Change:
    """One watch event."""

    at: float
    plural: str
    type: str
    object: Object


@dataclass
class Recording:
    """Everything that a session showed."""

    namespace: str
    changes: list[Change] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    """When each step began"""
    answers: dict[str, Any] = field(default_factory=dict)
    """What a step was told, by the step's name"""


class Recorder:
    """`with Recorder(case) as recorder:`; `recorder.recording` grows while it is open."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._began = time.monotonic()
        self.recording = Recording(case.namespace)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._watching: asyncio.Task[None] | None = None

    def __enter__(self) -> Recorder:
        self._thread.start()
        listed = threading.Event()
        asyncio.run_coroutine_threadsafe(self._begin(listed), self._loop).result(30)
        assert listed.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    @property
    def now(self) -> float:
        return time.monotonic() - self._began

    def mark(self, step: str) -> None:
        self.recording.marks[step] = self.now

    async def _begin(self, listed: threading.Event) -> None:
        self._watching = asyncio.create_task(self._watch_all(listed))

    async def _end(self) -> None:
        assert self._watching is not None
        self._watching.cancel()
        await asyncio.wait([self._watching])

    async def _watch_all(self, listed: threading.Event) -> None:
        http = self._case.cluster.http
        tls: ssl.SSLContext = self._case.cluster.tls()
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        headers = {"Authorization": http.headers["authorization"], "User-Agent": "recorder"}
        timeout = aiohttp.ClientTimeout(total=None)
        base = str(http.base_url).rstrip("/")
        async with aiohttp.ClientSession(base, connector=connector, headers=headers, timeout=timeout) as session:
            versions = [await self._list(session, plural) for plural in KINDS]
            listed.set()
            await asyncio.gather(
                *(self._watch(session, plural, version) for plural, version in zip(KINDS, versions, strict=True))
            )

    async def _list(self, session: aiohttp.ClientSession, plural: str) -> str:
        async with session.get(Cluster.path(plural, self._case.namespace)) as answer:
            return (await answer.json())["metadata"]["resourceVersion"]

    async def _watch(self, session: aiohttp.ClientSession, plural: str, version: str) -> None:
        while True:
            query = {"watch": "true", "resourceVersion": version}
            async with session.get(Cluster.path(plural, self._case.namespace), params=query) as answer:
                buffer = b""
                async for chunk in answer.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        told = json.loads(line)
                        assert told["type"] != "ERROR", told
                        version = told["object"]["metadata"]["resourceVersion"]
                        self.recording.changes.append(Change(self.now, plural, told["type"], told["object"]))
