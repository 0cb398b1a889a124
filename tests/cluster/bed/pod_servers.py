"""EMQX's management API in pods: at each pod's own address, and behind the kubelet's port-forward.

Owns the listeners, the log of what was asked, and the answers that a test spoils. Who came by the pod's address is told
from who came by a port-forward: in the bed the first is the operator, the second a console.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from emqx_tui.sandbox.apiserver.pod_network import EMQX_PORT, PodServer
from emqx_tui.sandbox.emqx.api import HttpReply
from emqx_tui.sandbox.emqx.brokers import Broker, Brokers
from emqx_tui.sandbox.kube.objects import key_of
from tests.cluster.bed.http_tap import Tape

logger = logging.getLogger(__name__)
Object = dict[str, Any]


class Asked:
    """What a `PodServer` asks; every request is noted."""

    store: Any = None

    def __init__(self, brokers: Brokers, way: str, tape: Tape) -> None:
        self.spoiled: dict[str, dict[str, HttpReply]] = {}
        """answers that nobody's broker gave, by namespace and a part of the path"""
        self._brokers = brokers
        self._way = way
        self._tape = tape

    def emqx_request(
        self, namespace: str, pod: str, method: str, raw_path: str, body: bytes, authorization: str | None
    ) -> HttpReply:
        reply = self._instead(namespace, raw_path) or self._brokers.request(
            namespace, pod, method, raw_path, body, authorization
        )
        self._tape.note(
            {
                "at": time.time(),
                "namespace": namespace,
                "pod": pod,
                "way": self._way,
                "method": method,
                "path": raw_path,
                "body": body.decode(errors="replace"),
                "status": reply.status,
                "answer": reply.body.decode(errors="replace"),
            }
        )
        return reply

    def _instead(self, namespace: str, raw_path: str) -> HttpReply | None:
        spoiled = self.spoiled.get(namespace, {})
        return next((reply for word, reply in spoiled.items() if word in raw_path), None)


class _Silent(asyncio.Protocol):
    def __init__(self, held: set[asyncio.Transport]) -> None:
        self._held = held

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._held.add(transport)


class PodServers:
    """A server per pod and way; a listener per pod whose broker is up."""

    def __init__(self, brokers: Brokers) -> None:
        self.tape = Tape()
        self.by_hand = Asked(brokers, "by hand", self.tape)
        self._direct = Asked(brokers, "direct", self.tape)
        self._forwarded = Asked(brokers, "forwarded", self.tape)
        self._listeners: dict[str, asyncio.Server] = {}
        self._servers: dict[tuple[str, str], PodServer] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._hung: dict[str, set[asyncio.Transport]] = {}
        """connections that wait for an answer of a hanging pod"""

    def asked_directly(
        self, namespace: str, pod: str, method: str, raw_path: str, body: bytes, authorization: str | None
    ) -> HttpReply:
        """What a pod answers at its own address, without the way there."""
        return self._direct.emqx_request(namespace, pod, method, raw_path, body, authorization)

    def server_of(self, pod: Object) -> PodServer:
        """What a port-forward reaches."""
        return self._server(pod, "forwarded", self._forwarded)

    def spoil(self, namespace: str, word: str, reply: HttpReply | None) -> None:
        """What the operator is told instead of the truth wherever `word` is in the path; None: the truth again."""
        spoiled = self._direct.spoiled.setdefault(namespace, {})
        spoiled.pop(word, None)
        if reply is not None:
            spoiled[word] = reply

    async def listen(self, pod: Object) -> None:
        server = self._server(pod, "direct", self._direct)
        address = pod["status"]["podIP"]
        loop = asyncio.get_running_loop()
        self._listeners[pod["metadata"]["uid"]] = await loop.create_server(server.protocol, address, EMQX_PORT)

    async def hang(self, pod: Object, hanging: bool) -> None:
        """Take connections to the pod's address and never answer; or answer again, and break those that wait."""
        uid = pod["metadata"]["uid"]
        self.deafen(pod)
        if not hanging:
            await self.listen(pod)
            return
        # Connections that are open already would still be answered.
        await self._server(pod, "direct", self._direct).close()
        del self._servers[uid, "direct"]
        self._hung[uid] = set()
        loop = asyncio.get_running_loop()
        address = pod["status"]["podIP"]
        self._listeners[uid] = await loop.create_server(lambda: _Silent(self._hung[uid]), address, EMQX_PORT)

    def deafen(self, pod: Object) -> None:
        listener = self._listeners.pop(pod["metadata"]["uid"], None)
        if listener is not None:
            listener.close()
        for transport in self._hung.pop(pod["metadata"]["uid"], ()):
            transport.abort()

    def forget(self, pod: Object) -> None:
        self.deafen(pod)
        for way in ("direct", "forwarded"):
            server = self._servers.pop((pod["metadata"]["uid"], way), None)
            if server is not None:
                task = asyncio.create_task(server.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def _server(self, pod: Object, way: str, asked: Asked) -> PodServer:
        key = (pod["metadata"]["uid"], way)
        if key not in self._servers:
            self._servers[key] = PodServer(asked, pod["metadata"]["namespace"], pod["metadata"]["name"])
        return self._servers[key]


class DirectBrokers:
    """Brokers as the simulated operator asks them: its questions are logged as if they came by the network."""

    def __init__(self, brokers: Brokers, servers: PodServers) -> None:
        self._brokers, self._servers = brokers, servers

    @property
    def running(self) -> dict[str, Broker]:
        return self._brokers.running

    def ask(self, broker: Broker, method: str, raw_path: str, body: bytes, authorization: str | None) -> HttpReply:
        return self._servers.asked_directly(*key_of(broker.pod), method, raw_path, body, authorization)
