"""Connections to pods: EMQX's management API, which is one HTTP server that the world answers, and MQTT.

Owns the servers: one in-process for port-forward (over a socket pair, so that keep-alive and flow control are the real
thing) and, where pods have loopback addresses, listeners per pod at the ports 8081 and 1883. A pod that does not answer
refuses connections; a broker that goes away breaks the ones it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from ipaddress import ip_address
from typing import Any, Protocol

from aiohttp import web

from emqx_tui.sandbox.emqx.api import DROPPED_AFTER_S, Unanswered, Unreachable
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.mqtt.server import BACKLOG, MqttServer, Refused
from emqx_tui.sandbox.mqtt.server import PORT as MQTT_PORT

logger = logging.getLogger(__name__)

EMQX_PORT = 8081
IDLE_S = 5.0
"""EMQX closes a connection on which nothing was asked for so long."""
ASK_AGAIN_S = 0.2


class PodWorld(Protocol):
    """The part of the world that pods' connections need."""

    store: Store

    def emqx_request(
        self, namespace: str, pod: str, method: str, raw_path: str, body: bytes, authorization: str | None
    ) -> Any:
        """The answer (status, content_type, body, headers); raises Unreachable."""
        ...


class PodServer:
    """Serves the management API of one pod."""

    def __init__(self, world: PodWorld, namespace: str, pod: str) -> None:
        self.pod = namespace, pod
        self._world = world
        self.server = web.Server(self._answer, access_log=None, keepalive_timeout=IDLE_S, lingering_time=0)

    def why_unreachable(self) -> str | None:
        """The reason why a connection would be refused now, or None."""
        try:
            self._world.emqx_request(*self.pod, "GET", "/status", b"", None)
        except Unanswered:
            return None
        except Unreachable as reason:
            return str(reason) or "connection refused"
        return None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        # The raw path: EMQX looks node names up as they came, and "@" may stand in them unescaped.
        try:
            reply = await self._reply(request, body)
        except (Unreachable, TimeoutError):
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError(errno.ECONNRESET, "the broker is gone") from None
        headers = {"Content-Type": reply.content_type, "server": "Cowboy", **dict(reply.headers)}
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    async def _reply(self, request: web.BaseRequest, body: bytes) -> Any:
        """The world's answer; in a hang none comes until the node goes on, and the connection is dropped at last."""
        authorization = request.headers.get("Authorization")
        async with asyncio.timeout(DROPPED_AFTER_S):
            is_taken = False
            while True:
                try:
                    if not (is_taken and request.method != "GET"):
                        return self._world.emqx_request(
                            *self.pod, request.method, request.raw_path, body, authorization
                        )
                except Unanswered:
                    is_taken = True
                await asyncio.sleep(ASK_AGAIN_S)

    def protocol(self) -> asyncio.BaseProtocol:
        """The protocol for a new connection; it is aborted when nothing listens."""
        return Refused() if self.why_unreachable() else self.server()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the pod from within the sandbox; ConnectionRefusedError."""
        if reason := self.why_unreachable():
            raise ConnectionRefusedError(errno.ECONNREFUSED, reason)
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(self.server, theirs)
            return await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise

    async def close(self) -> None:
        await self.server.shutdown(0.1)


class PodNetwork:
    """The pods' servers, kept in step with the pods: a server while the pod exists, a listener while it runs."""

    def __init__(self, world: PodWorld, mqtt: MqttServer) -> None:
        self._world = world
        self._mqtt = mqtt
        self._servers: dict[str, PodServer] = {}
        self._listeners: dict[str, list[asyncio.Server]] = {}
        self._wanted: dict[str, tuple[str, PodServer]] = {}
        self._changed = asyncio.Event()
        self._is_closing = False
        self._unsubscribe = world.store.subscribe(self._on_change)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen for the pods that run, and for those that come."""
        for pod in self._world.store.list("pods"):
            self._on_change("ADDED", "pods", pod)
        await self._catch_up()
        self._task = asyncio.create_task(self._keep_listening())

    async def close(self) -> None:
        self._unsubscribe()
        if self._task:
            # Not cancelled: asyncio forgets the socket of a listener that is cancelled while it opens.
            self._is_closing = True
            self._changed.set()
            await self._task
        for uid in list(self._listeners):
            self._stop_listening(uid)
        for server in list(self._servers.values()):
            await server.close()

    @property
    def addresses(self) -> list[str]:
        """Addresses that are listened on now."""
        return sorted(ip for uid, (ip, _) in self._wanted.items() if self._listeners.get(uid))

    def server_of(self, pod: Object) -> PodServer:
        uid = pod["metadata"]["uid"]
        if uid not in self._servers:
            self._servers[uid] = PodServer(self._world, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return self._servers[uid]

    def _on_change(self, event_type: str, plural: str, pod: Object) -> None:
        if plural != "pods":
            return
        uid = pod["metadata"]["uid"]
        address = _loopback_address(pod)
        if event_type == "DELETED" or not _is_running(pod):
            self._wanted.pop(uid, None)
        elif address:
            self._wanted[uid] = (address, self.server_of(pod))
        self._changed.set()
        if event_type == "DELETED" and uid in self._servers:
            self._drop(uid)

    def _drop(self, uid: str) -> None:
        server = self._servers.pop(uid)
        with contextlib.suppress(RuntimeError):
            closing = asyncio.get_running_loop().create_task(server.close())
            closing.add_done_callback(lambda _: None)

    async def _keep_listening(self) -> None:
        while not self._is_closing:
            await self._changed.wait()
            self._changed.clear()
            await self._catch_up()

    async def _catch_up(self) -> None:
        for uid in self._listeners.keys() - self._wanted.keys():
            self._stop_listening(uid)
        for uid in self._wanted.keys() - self._listeners.keys():
            if (wanted := self._wanted.get(uid)) and not self._is_closing:
                await self._listen(uid, *wanted)

    async def _listen(self, uid: str, address: str, server: PodServer) -> None:
        loop = asyncio.get_running_loop()
        opened: list[asyncio.Server] = []
        for port, protocol in ((EMQX_PORT, server.protocol), (MQTT_PORT, lambda: self._mqtt.at_pod(*server.pod))):
            try:
                opened.append(await loop.create_server(protocol, address, port, reuse_address=True, backlog=BACKLOG))
            except OSError as refused:
                logger.warning("no listener at %s:%d, port-forward only: %s", address, port, refused)
        self._listeners[uid] = opened
        if uid not in self._wanted:
            self._stop_listening(uid)

    def _stop_listening(self, uid: str) -> None:
        for listener in self._listeners.pop(uid):
            listener.close()


def _loopback_address(pod: Object) -> str | None:
    """The pod's address if this machine may listen on it; never anything but loopback."""
    text = (pod.get("status") or {}).get("podIP")
    return text if text and ip_address(text).is_loopback else None


def _is_running(pod: Object) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return any("running" in (each.get("state") or {}) for each in statuses)
