"""The session's ports, answered by the simulated world in process.

The requests are the very ones that the real adapters would send; only the transport is left out. A `Wire` can be cut:
then nothing that this console sends arrives any more, as after `kill -9`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from emqx_tui.model.errors import (
    AdapterError,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    Unreachable,
)
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest, KubeRequest
from emqx_tui.sandbox.controllers.pod_log import container_log, selected
from emqx_tui.sandbox.emqx import api
from emqx_tui.sandbox.emqx.api import HttpReply
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.selectors import selection
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.ports import Alive, Changed, LineSink, Listed, Removed, Scope, WatchSink

LATENCY_S = 0.02
ALIVE_EVERY_S = 50.0
ASK_AGAIN_S = 0.2

_ERRORS: dict[int, type[AdapterError]] = {
    400: Rejected,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
    422: Rejected,
}

Request = KubeRequest | EmqxRequest


@dataclass
class Wire:
    """What lies between one console and the world."""

    is_cut: bool = False
    before: Callable[[Request], None] = field(default=lambda request: None)
    """Called before a request leaves; may cut the wire, which loses the request."""
    after: Callable[[Request], None] = field(default=lambda request: None)
    """Called after a request took effect; may cut the wire, which loses the answer."""

    async def out(self, request: Request) -> None:
        await asyncio.sleep(LATENCY_S)
        self.before(request)
        self._refuse_if_cut()

    def back(self, request: Request) -> None:
        self.after(request)
        self._refuse_if_cut()

    def _refuse_if_cut(self) -> None:
        if self.is_cut:
            raise Unreachable("this console is dead")


def is_write(request: Request) -> bool:
    """True for a request that changes something."""
    if isinstance(request, KubeRequest):
        return request.method != "GET" and "dryRun" not in request.query
    return request.method != "GET"


class SimKube:
    """`session.ports.Kube` over the world's API."""

    _read: ClassVar[dict[Kind, tuple[Any, Any]]] = {}
    """By kind: the object that was parsed last, and its value. All consoles hear of one, each after the other."""

    def __init__(self, world: World, wire: Wire) -> None:
        self._world = world
        self._wire = wire

    async def request(self, request: KubeRequest) -> Any:
        await self._wire.out(request)
        body = json.loads(json.dumps(request.body)) if request.body is not None else None
        reply = self._world.api.request(
            request.method, request.path, dict(request.query), body, request.content_type, manager="emqx-tui"
        )
        self._wire.back(request)
        if reply.status >= 400:
            kind = _ERRORS.get(reply.status, Unreachable)
            raise kind(reply.body["message"], status=reply.status, reason=reply.body.get("reason", ""))
        return reply.body

    async def text(self, request: KubeRequest) -> str:
        """The log of a pod: nothing else is asked for as text."""
        await self._wire.out(request)
        *_, namespace, _, name, _ = request.path.split("/")
        try:
            lines = container_log(self._world.store.get("pods", namespace, name), request.query.get("container", ""))
            return "".join(selected(lines, request.query, self._world.timeline.now))
        except ApiError as refused:
            raise _ERRORS.get(refused.code, Unreachable)(refused.message, status=refused.code) from refused

    async def lines(self, request: KubeRequest, sink: LineSink) -> None:
        """The log of a pod, as it is now: it is not followed."""
        for line in (await self.text(request)).splitlines():
            sink(line)

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        info = kind.info
        selected = selection(info.plural, scope.label_selector, scope.field_selector)

        def is_in(obj: dict[str, Any]) -> bool:
            inside = scope.namespace in (None, obj["metadata"].get("namespace"))
            return inside and (selected is None or selected(obj))

        def found(event: str, plural: str, obj: dict[str, Any]) -> None:
            if plural != info.plural or self._wire.is_cut or not is_in(obj):
                return
            key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            uid = obj["metadata"].get("uid", "")
            sink(Removed(kind, key, uid) if event == "DELETED" else Changed(kind, key, self._parsed(kind, obj)))

        await asyncio.sleep(LATENCY_S)
        listed = [obj for obj in self._world.store.list(info.plural, scope.namespace) if is_in(obj)]
        sink(Listed(kind, {(o["metadata"].get("namespace", ""), o["metadata"]["name"]): kind.parse(o) for o in listed}))
        unsubscribe = self._world.store.subscribe(found)
        try:
            while True:
                await asyncio.sleep(ALIVE_EVERY_S)
                sink(Alive(kind))
        finally:
            unsubscribe()

    def _parsed(self, kind: Kind, obj: dict[str, Any]) -> Any:
        found = self._read.get(kind)
        if found is None or found[0] is not obj:
            found = self._read[kind] = (obj, kind.parse(obj))
        return found[1]


class SimEmqx:
    """`session.ports.Emqx` over the world's brokers."""

    def __init__(self, world: World, wire: Wire) -> None:
        self._world = world
        self._wire = wire
        self._authorization = ""

    def set_credentials(self, key: str, secret: str) -> None:
        self._authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()

    async def request(self, request: EmqxRequest) -> EmqxReply:
        await self._wire.out(request)
        try:
            reply = self._ask(request)
        except api.Unanswered:
            reply = await self._wait_for(request)
        except api.Unreachable as error:
            raise Unreachable(str(error)) from error
        self._wire.back(request)
        return _reply(reply)

    def _ask(self, request: EmqxRequest) -> HttpReply:
        body = b"" if request.body is None else json.dumps(request.body).encode()
        authorization = self._authorization or None
        return self._world.emqx_request(
            request.namespace, request.pod, request.method, request.path, body, authorization
        )

    async def _wait_for(self, request: EmqxRequest) -> HttpReply:
        """In a hang no answer comes before the node goes on; a write is taken once."""
        try:
            async with asyncio.timeout(request.timeout_s):
                while True:
                    await asyncio.sleep(ASK_AGAIN_S)
                    with contextlib.suppress(api.Unanswered):
                        if request.method == "GET":
                            return self._ask(request)
        except TimeoutError as error:
            raise Unreachable(f"EMQX in pod {request.pod} did not answer in time") from error
        except api.Unreachable as error:
            raise Unreachable(str(error)) from error


def _reply(reply: HttpReply) -> EmqxReply:
    if reply.status == 401:
        raise Unauthorized("the management API refused the credentials", status=401)
    if isinstance(reply.content, bytes):
        return EmqxReply(reply.status, None, reply.content.decode())
    return EmqxReply(reply.status, reply.content)


class SimClock:
    """`session.ports.Clock`: the world's time, which is also its wall time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: tuple[float, datetime] = (-1.0, datetime.fromtimestamp(0, UTC))
        """The instant that was asked for last: a step asks for it a dozen times."""

    def now(self) -> datetime:
        now = self._world.timeline.now
        if self._told[0] != now:
            self._told = now, datetime.fromtimestamp(now, UTC)
        return self._told[1]

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def sleep_wall(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def monotonic(self) -> float:
        return self._world.timeline.now


class SimHost:
    """`session.ports.Host`: processes of one simulated machine; `dead` holds those that were killed."""

    def __init__(self, number: int, dead: set[str]) -> None:
        self._identity = f"sim@host/{number}"
        self._dead = dead

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def person(self) -> str:
        return "sim@host"

    def is_dead(self, identity: str) -> bool:
        return identity in self._dead
