"""A small API server: real sockets, one collection of pods, port-forward, and faults on request."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


def pod(name: str, version: int, **status: Any) -> dict[str, Any]:
    meta = {"namespace": "emqx", "name": name, "uid": f"u-{name}", "resourceVersion": str(version)}
    return {"metadata": meta, "spec": {}, "status": {"phase": "Running", **status}}


@dataclass
class ApiServer:
    """Lists and watches one collection of pods; everything else is in `routes`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    version: int = 10
    token: str = "good"
    date: str | None = None
    lists: list[dict[str, str]] = field(default_factory=list)
    watches: list[dict[str, str]] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    list_answers: list[web.Response] = field(default_factory=list)
    """Taken one by one instead of a list."""
    watch_answers: list[web.Response] = field(default_factory=list)
    after_list: Callable[[], None] | None = None
    """Called once, when the first list has been answered."""
    first_events: list[bytes] = field(default_factory=list)
    """Raw lines that each new window begins with; taken by the first."""
    is_mute: bool = False
    """Watches are accepted, never answered further and never ended: a half-open link."""
    routes: dict[tuple[str, str], Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    pods: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Where port-forward leads to."""
    tunnels: list[web.WebSocketResponse] = field(default_factory=list)
    """Every one that was ever opened."""
    open_tunnels: int = 0
    port: int = 0
    history: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    _open: list[web.Request] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.05, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            self.reset()
            await self._runner.cleanup()
            self._runner = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def put(self, name: str, word: str = "MODIFIED", **status: Any) -> None:
        self.version += 1
        value = pod(name, self.version, **status)
        if word == "DELETED":
            self.objects.pop(name)
        else:
            self.objects[name] = value
        self.say(word, value)

    def say(self, word: str, value: dict[str, Any]) -> None:
        self.history.append((self.version, word, value))
        self._wake.set()
        self._wake = asyncio.Event()

    def bookmark(self) -> None:
        self.version += 1
        self.say("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def reset(self) -> None:
        """Cut every open watch off without a farewell."""
        for request in self._open:
            if request.transport:
                request.transport.abort()
        self._open.clear()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return failure(401, "Unauthorized", "Unauthorized")
        answer = await self._answer(request)
        if self.date:
            answer.headers["Date"] = self.date
        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if route := self.routes.get((request.method, path)):
            return await route(request)
        if path.endswith("/portforward"):
            self.open_tunnels += 1
            try:
                return await self._forward(request)
            finally:
                self.open_tunnels -= 1
        if path not in ("/api/v1/pods", "/api/v1/namespaces/emqx/pods"):
            return failure(404, "NotFound", "the server could not find the requested resource")
        return await (self._watch(request) if "watch" in request.query else self._list(request))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.lists.append(dict(request.query))
        if self.list_answers:
            return self.list_answers.pop(0)
        names = sorted(self.objects)
        start, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        meta: dict[str, Any] = {"resourceVersion": str(self.version)}
        if start + limit < len(names):
            meta["continue"] = str(start + limit)
        items = [self.objects[name] for name in names[start : start + limit]]
        if self.after_list:
            self.after_list()
            self.after_list = None
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        self.watches.append(dict(request.query))
        if self.watch_answers:
            return self.watch_answers.pop(0)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self._open.append(request)
        if self.is_mute:
            await asyncio.Event().wait()
        lines, self.first_events = self.first_events, []
        for line in lines:
            await response.write(line + b"\n")
        await self._stream(request, response)
        return response

    async def _stream(self, request: web.Request, response: web.StreamResponse) -> None:
        seen = int(request.query["resourceVersion"])
        loop = asyncio.get_running_loop()
        end = loop.time() + int(request.query["timeoutSeconds"])
        while (left := end - loop.time()) > 0:
            wake = self._wake
            for version, word, value in self.history:
                if version > seen:
                    seen = version
                    await response.write(json.dumps({"type": word, "object": value}).encode() + b"\n")
            try:
                async with asyncio.timeout(left):
                    await wake.wait()
            except TimeoutError:
                return

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        name = request.path.split("/")[-2]
        if name not in self.pods:
            return failure(404, "NotFound", f'pods "{name}" not found')
        websocket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        if not websocket.can_prepare(request):
            return failure(400, "BadRequest", "Upgrade request required")
        await websocket.prepare(request)
        self.tunnels.append(websocket)
        port = int(request.query["ports"])
        for channel in (0, 1):
            await websocket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
        try:
            reader, writer = await asyncio.open_connection(*self.pods[name])
        except OSError:
            await websocket.send_bytes(b"\1" + f"error forwarding port {port} to pod {name}: refused".encode())
            await websocket.close()
            return websocket
        pump = asyncio.create_task(self._pump(reader, websocket))
        try:
            async for message in websocket:
                if message.type is WSMsgType.BINARY and message.data[0] == 0:
                    writer.write(message.data[1:])
                    await writer.drain()
        finally:
            pump.cancel()
            writer.close()
        return websocket

    async def _pump(self, reader: asyncio.StreamReader, websocket: web.WebSocketResponse) -> None:
        while data := await reader.read(4096):
            await websocket.send_bytes(b"\0" + data)
        await websocket.close()


def failure(code: int, reason: str, message: str) -> web.Response:
    """A metav1.Status as the API server spells it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return web.json_response({**body, "message": message}, status=code)
