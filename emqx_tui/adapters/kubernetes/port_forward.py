"""Port-forward to pods as a transport of httpx.

Owns the channel protocol `v4.channel.k8s.io` (one websocket = one TCP connection: channel 0 data, channel 1 errors,
each opened by a frame with the port number) and wraps it as a network backend of httpcore, so that keep-alive, HTTP
framing and TLS inside the tunnel are httpcore's. The API server's pod proxy is no way in: it drops Authorization. Hosts
are spelled `POD.NAMESPACE`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

import anyio
import anyio.abc
import httpcore
import httpx
from anyio.streams.tls import TLSStream

from emqx_tui.adapters.errors import one_line
from emqx_tui.adapters.kubernetes.library import aiohttp

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_FRAMES_HELD = 64
"""Frames read ahead of the reader; further ones stay in the websocket and slow the sender."""
_LONGEST_FRAME = 1 << 16


class WebsocketOpener(Protocol):
    """The part of KubeClient that a tunnel uses."""

    async def websocket(
        self, path: str, query: Mapping[str, str], protocols: tuple[str, ...]
    ) -> aiohttp.ClientWebSocketResponse: ...


class PodStream(anyio.abc.ByteStream):
    """One forwarded TCP connection.

    A task reads ahead: it answers pings while nobody reads, and it sees the far end close at once, so that a
    dead connection is not taken for a kept-alive one.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(_FRAMES_HELD)
        self._rest = b""
        self._opened: set[int] = set()
        self._failure: httpcore.NetworkError | None = None
        self._reader = asyncio.create_task(self._read_ahead())

    @property
    def is_readable(self) -> bool:
        """Something can be read at once: data, or the end."""
        return bool(self._rest) or not self._frames.empty() or self._reader.done()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._rest:
            self._rest = await self._next_frame()
        found, self._rest = self._rest[:max_bytes], self._rest[max_bytes:]
        return found

    async def send(self, item: bytes) -> None:
        if self._failure:
            raise self._failure
        for start in range(0, len(item), _LONGEST_FRAME):
            await self._websocket.send_bytes(bytes([_DATA]) + item[start : start + _LONGEST_FRAME])

    async def send_eof(self) -> None:
        """The protocol cannot close one direction."""

    async def aclose(self) -> None:
        self._reader.cancel()
        # Not `await self._reader`: our own cancellation must not be taken for the reader's.
        await asyncio.wait((self._reader,))
        await self._websocket.close()

    async def _next_frame(self) -> bytes:
        waiting = asyncio.ensure_future(self._frames.get())
        try:
            await asyncio.wait((waiting, self._reader), return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
        finally:
            waiting.cancel()
        if not self._frames.empty():
            return self._frames.get_nowait()
        if self._failure:
            raise self._failure
        raise anyio.EndOfStream

    async def _read_ahead(self) -> None:
        try:
            async for message in self._websocket:
                if message.type is aiohttp.WSMsgType.BINARY and message.data:
                    await self._take(message.data[0], message.data[1:])
        except (aiohttp.ClientError, OSError) as error:
            self._failure = httpcore.ReadError(one_line(str(error)))
        except httpcore.ConnectError as error:
            self._failure = error
        else:
            if error := self._websocket.exception():
                self._failure = httpcore.ReadError(one_line(str(error)) or type(error).__name__)

    async def _take(self, channel: int, data: bytes) -> None:
        if channel not in self._opened:
            self._opened.add(channel)
        elif channel == _ERROR:
            raise httpcore.ConnectError(one_line(data))
        elif channel == _DATA and data:
            await self._frames.put(data)


class PodConnection(httpcore.AsyncNetworkStream):
    """A PodStream, with or without TLS, as a network stream of httpcore."""

    def __init__(self, pod: PodStream, outer: anyio.abc.ByteStream | None = None) -> None:
        self._pod = pod
        self._stream = outer or pod

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            with anyio.fail_after(timeout):
                return await self._stream.receive(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except anyio.EndOfStream:
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError) as error:
            raise httpcore.ReadError(one_line(str(error))) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            with anyio.fail_after(timeout):
                await self._stream.send(bytes(buffer))
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError, aiohttp.ClientError) as error:
            raise httpcore.WriteError(one_line(str(error))) from error

    async def aclose(self) -> None:
        await self._pod.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            with anyio.fail_after(timeout):
                wrapped = await TLSStream.wrap(
                    self._stream,
                    hostname=server_hostname,
                    ssl_context=ssl_context,
                    standard_compatible=False,
                    server_side=False,
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            raise httpcore.ConnectError(f"TLS failed ({one_line(str(error))})") from error
        return PodConnection(self._pod, wrapped)

    def get_extra_info(self, info: str) -> Any:
        return self._pod.is_readable if info == "is_readable" else None


class PodBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to `POD.NAMESPACE` through the API server."""

    def __init__(self, opener: WebsocketOpener) -> None:
        self._opener = opener

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises AdapterError for what the API server refuses, and httpcore's errors."""
        pod, _, namespace = host.rpartition(".")
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        try:
            with anyio.fail_after(timeout):
                websocket = await self._opener.websocket(path, {"ports": str(port)}, (PROTOCOL,))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no port-forward to pod {pod} in time") from error
        return PodConnection(PodStream(websocket))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class BackendTransport(httpx.AsyncBaseTransport):
    """An httpx transport on any backend of httpcore. Errors stay httpcore's or the backend's own."""

    def __init__(
        self,
        backend: httpcore.AsyncNetworkBackend,
        *,
        connections: int,
        keepalive_s: float,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=verify,
            max_connections=connections,
            max_keepalive_connections=connections if keepalive_s else 0,
            keepalive_expiry=keepalive_s,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                url,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()
