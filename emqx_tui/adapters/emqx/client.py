"""The management API v4 of the EMQX nodes of one cluster, over httpx.

Owns the connections to the nodes: at most two kept alive for reading (one for what a node is asked about itself, one
for what it may take long to answer) and one at a time for writing. Writes never reuse a connection, because EMQX
closes idle ones after five seconds and whether a start of an evacuation that met a closed one took effect would not be
known. Paths go out exactly as given: EMQX 4.4 matches node names before decoding, so `@` must not become `%40`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

from emqx_tui import __version__
from emqx_tui.adapters.emqx.errors import LIBRARY_ERRORS, STALE_CONNECTION, from_library, from_reply
from emqx_tui.adapters.emqx.library import httpx
from emqx_tui.adapters.tls import client_context
from emqx_tui.model.errors import AdapterError, MalformedAnswer, Rejected, Unreachable
from emqx_tui.model.wire import Unparsable, read_json
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest

logger = logging.getLogger(__name__)

API_PORT = 8081
READ_CONNECTIONS = 2
KEEPALIVE_S = 4.0
"""Under EMQX's own five seconds."""
IDLE_S = 30.0
"""A node that nobody asked for so long loses its connections: it may be gone."""
ADDRESS_KEPT_S = 5.0
"""A pod that is built anew gets another address, and its old one can become another pod's."""
_BODY_LIMIT = 16 << 20
_NODE_LOCAL = re.compile(r"/status$|/api/v4/load_rebalance/availability_check$")
"""Questions whose answer is about the node that serves them."""


class Route(Protocol):
    """A way to the nodes."""

    async def base_url(self, namespace: str, pod: str) -> str:
        """Scheme, host and port for one pod. Raises AdapterError."""
        ...

    def transport(self, *, connections: int, keepalive_s: float) -> httpx.AsyncBaseTransport: ...

    def forget(self, namespace: str, pod: str) -> None:
        """The pod did not answer: drop what is cached of its address."""
        ...

    @property
    def tells_nodes_apart(self) -> bool:
        """False: one address serves all nodes, and which one answers is not known."""
        ...


@dataclass
class PortForward:
    """Through the API server, with a right on pods/portforward. The default."""

    opener: Any
    """A KubeClient."""
    port: int = API_PORT
    tells_nodes_apart: bool = True

    async def base_url(self, namespace: str, pod: str) -> str:
        return f"http://{pod}.{namespace}:{self.port}"

    def transport(self, *, connections: int, keepalive_s: float) -> httpx.AsyncBaseTransport:
        from emqx_tui.adapters.kubernetes.port_forward import BackendTransport, PodBackend

        return BackendTransport(PodBackend(self.opener), connections=connections, keepalive_s=keepalive_s)

    def forget(self, namespace: str, pod: str) -> None:
        """Every connection is looked up anew."""


class Direct:
    """To the pod's own address: inside the cluster, or where pod networks are routed."""

    tells_nodes_apart = True

    def __init__(
        self,
        address_of: Callable[[str, str], Awaitable[str]],
        port: int = API_PORT,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address_of = address_of
        self._port = port
        self._monotonic = monotonic
        self._known: dict[tuple[str, str], tuple[str, float]] = {}

    async def base_url(self, namespace: str, pod: str) -> str:
        address, known_at = self._known.get((namespace, pod), ("", 0.0))
        if not address or self._monotonic() - known_at > ADDRESS_KEPT_S:
            address = await self._address_of(namespace, pod)
            if not address:
                raise Unreachable(f"pod {pod} has no address yet")
            self._known[namespace, pod] = address, self._monotonic()
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self._port}"

    def transport(self, *, connections: int, keepalive_s: float) -> httpx.AsyncBaseTransport:
        return _plain_transport(connections, keepalive_s, _trusts_nobody())

    def forget(self, namespace: str, pod: str) -> None:
        self._known.pop((namespace, pod), None)


class ByUrl:
    """To a given URL; `{pod}` and `{namespace}` in it tell the nodes apart."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self.tells_nodes_apart = "{pod}" in url

    async def base_url(self, namespace: str, pod: str) -> str:
        return self._url.replace("{pod}", pod).replace("{namespace}", namespace)

    def transport(self, *, connections: int, keepalive_s: float) -> httpx.AsyncBaseTransport:
        return _plain_transport(connections, keepalive_s, self._tls)

    def forget(self, namespace: str, pod: str) -> None:
        """The address is given, not found."""

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """One for all nodes: it takes 20 ms to read the authorities of this machine."""
        return client_context() if self._url.lower().startswith("https:") else _trusts_nobody()


def _trusts_nobody() -> ssl.SSLContext:
    """For addresses without TLS: httpx wants a context all the same."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _plain_transport(connections: int, keepalive_s: float, tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(
        max_connections=connections,
        max_keepalive_connections=connections if keepalive_s else 0,
        keepalive_expiry=keepalive_s,
    )
    return httpx.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False)


class NodeLink:
    """The connections to one node."""

    def __init__(self, route: Route) -> None:
        self.reading = route.transport(connections=READ_CONNECTIONS, keepalive_s=KEEPALIVE_S)
        self.writing = route.transport(connections=1, keepalive_s=0.0)
        self.users = 0
        self.used_at = 0.0
        self.is_dropped = False

    async def aclose(self) -> None:
        await self.reading.aclose()
        await self.writing.aclose()


class EmqxClient:
    """Implements `session.ports.Emqx`."""

    def __init__(self, route: Route, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._route = route
        self._monotonic = monotonic
        self._links: dict[tuple[str, str], NodeLink] = {}
        self._authorization = ""
        self._is_closed = False
        self._closing: set[asyncio.Task[None]] = set()

    def set_credentials(self, key: str, secret: str) -> None:
        """Use this AppID and AppSecret from now on."""
        self._authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()

    async def request(self, request: EmqxRequest) -> EmqxReply:
        """Send one request to the node in a pod. Raises AdapterError; refusals in a body are the caller's to judge."""
        where = f"EMQX in pod {request.pod}"
        if not self._route.tells_nodes_apart and _NODE_LOCAL.search(request.path):
            raise Rejected(f"{where}: cannot be asked by itself; write {{pod}} into the --emqx-access URL")
        try:
            async with asyncio.timeout(request.timeout_s), self._link(request) as link:
                reply = await self._exchange(link, request)
        except (AdapterError, asyncio.CancelledError):
            self.forget(request.namespace, request.pod)
            raise
        except LIBRARY_ERRORS as error:
            # Also where only a time-out was over: httpcore keeps a connection that was being opened then as one in use,
            # for ever. Another request on this link is answered before it is closed.
            self.forget(request.namespace, request.pod)
            failure = from_library(error, where)
            logger.info("%s %s: %s", request.method, request.path, failure.message)
            raise failure from error
        if failure := from_reply(reply, where):
            logger.info("%s %s: %s", request.method, request.path, failure.message)
            raise failure
        return reply

    def forget(self, namespace: str, pod: str) -> None:
        """Close the connections to a pod: it is gone, or does not answer."""
        self._route.forget(namespace, pod)
        if link := self._links.pop((namespace, pod), None):
            link.is_dropped = True
            if not link.users:
                self._close(link)

    def _close(self, link: NodeLink) -> None:
        """Nobody waits for it: where the network is gone, it takes seconds."""
        task = asyncio.create_task(link.aclose(), name="close connections to a node")
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.info("closing connections: %s", type(error).__name__)

    async def close(self) -> None:
        """Close every connection; later requests fail as Unreachable."""
        self._is_closed = True
        for namespace, pod in list(self._links):
            self.forget(namespace, pod)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _forget_idle(self) -> None:
        before = self._monotonic() - IDLE_S
        for key in [key for key, link in self._links.items() if not link.users and link.used_at < before]:
            self.forget(*key)

    @asynccontextmanager
    async def _link(self, request: EmqxRequest) -> AsyncIterator[NodeLink]:
        """The node's connections, kept open for as long as somebody uses them."""
        if self._is_closed:
            raise Unreachable("the connection to EMQX is closed")
        key = request.namespace, request.pod
        link = self._links.get(key)
        if link is None:
            self._forget_idle()
            link = self._links[key] = NodeLink(self._route)
        link.users += 1
        try:
            yield link
        finally:
            link.users -= 1
            link.used_at = self._monotonic()
            if link.is_dropped and not link.users:
                self._close(link)

    async def _exchange(self, link: NodeLink, request: EmqxRequest) -> EmqxReply:
        if request.method != "GET":
            return await self._send(link.writing, request)
        try:
            return await self._send(link.reading, request)
        except STALE_CONNECTION:
            return await self._send(link.reading, request)

    async def _send(self, transport: httpx.AsyncBaseTransport, request: EmqxRequest) -> EmqxReply:
        """Without httpx's client: no cookies, redirects and credentials of its own, which take a third of the time.

        The time-out is one for the whole request, set around it: httpx's are for each read.
        """
        base = _url(await self._route.base_url(request.namespace, request.pod))
        headers = {"Accept": "application/json", "User-Agent": f"emqx-tui/{__version__}"}
        if self._authorization:
            headers["Authorization"] = self._authorization
        content = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(request.body, separators=(",", ":")).encode()
        exact = {"target": base.raw_path.rstrip(b"/") + request.path.encode("ascii")}
        sent = httpx.Request(request.method, base, headers=headers, content=content, extensions=exact)
        answer = await transport.handle_async_request(sent)
        try:
            return _reply(answer.status_code, await _read(answer))
        finally:
            await answer.aclose()


_url = lru_cache(maxsize=1024)(httpx.URL)
"""A node's address is the same in each request."""


async def _read(answer: httpx.Response) -> bytes:
    raw = bytearray()
    async for part in answer.aiter_bytes():
        raw += part
        if len(raw) > _BODY_LIMIT:
            raise MalformedAnswer("the answer of EMQX is longer than 16 MiB")
    return bytes(raw)


def _reply(status: int, raw: bytes) -> EmqxReply:
    try:
        return EmqxReply(status, read_json(raw))
    except Unparsable:
        return EmqxReply(status, None, raw.decode("utf-8", "replace"))
