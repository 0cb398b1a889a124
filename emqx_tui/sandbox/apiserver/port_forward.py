"""`pods/<pod>/portforward` over a websocket, channel protocol v4.

Owns the framing: the first byte of a frame is a channel; port number i has data on channel 2i and errors on 2i+1, and
the first frame on each holds the port, little endian. One websocket carries one connection per port
(`kubelet/pkg/cri/streaming/portforward/websocket.go`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from aiohttp import WSMsgType, web

from emqx_tui.sandbox.apiserver.pod_network import EMQX_PORT, PodServer
from emqx_tui.sandbox.kube.api_error import bad_request
from emqx_tui.sandbox.kube.objects import Object

PROTOCOL = "v4.channel.k8s.io"
_CHUNK = 64 * 1024


class PodServers(Protocol):
    """Access to the servers in pods."""

    def server_of(self, pod: Object) -> PodServer: ...


def _wanted_ports(values: list[str]) -> list[int]:
    """The requested ports; ApiError 400."""
    texts = [text for value in values for text in value.split(",") if text]
    if not texts:
        raise bad_request('query parameter "ports" is required')
    for text in texts:
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise bad_request(f'invalid port "{text}"')
    return [int(text) for text in texts]


async def forward(
    request: web.Request, servers: PodServers, pod: Object, *, parameter: str = "ports"
) -> web.WebSocketResponse:
    """Carry bytes between the websocket and the pod until one side ends; ApiError 400 before the upgrade.

    An API server is asked for `ports`, and asks its kubelet for `port`.
    """
    if not (pod.get("spec") or {}).get("nodeName"):
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if PROTOCOL not in offered:
        raise bad_request(f"unable to upgrade: ports are forwarded by websocket protocol {PROTOCOL} only")
    ports = _wanted_ports(request.query.getall(parameter, []))
    websocket = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0, autoping=True)
    try:
        await websocket.prepare(request)
    except ConnectionResetError:
        # The client has left before it was answered.
        return websocket
    writers: dict[int, asyncio.StreamWriter] = {}
    pumps: list[asyncio.Task[None]] = []
    try:
        for index, port in enumerate(ports):
            for channel in (2 * index, 2 * index + 1):
                await websocket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
            try:
                reader, writer = await _connect(servers, pod, port)
            except ConnectionRefusedError as refused:
                await websocket.send_bytes(bytes([2 * index + 1]) + _refusal(pod, port, refused).encode())
                continue
            writers[2 * index] = writer
            pumps.append(asyncio.create_task(_pump(reader, websocket, 2 * index)))
        if writers:
            await _feed(websocket, writers)
    finally:
        for pump in pumps:
            pump.cancel()
        for writer in writers.values():
            writer.close()
        with contextlib.suppress(ConnectionError):
            await websocket.close()
    return websocket


async def _connect(servers: PodServers, pod: Object, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if port != EMQX_PORT:
        raise ConnectionRefusedError("connection refused")
    return await servers.server_of(pod).connect()


def _refusal(pod: Object, port: int, refused: ConnectionRefusedError) -> str:
    """The kubelet's error message; clients show it as it is."""
    return (
        f"error forwarding port {port} to pod {pod['metadata']['uid']}, uid : failed to execute portforward in network "
        f"namespace: failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}: "
        f"connect: {refused.strerror or 'connection refused'}"
    )


async def _pump(reader: asyncio.StreamReader, websocket: web.WebSocketResponse, channel: int) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            await websocket.send_bytes(bytes([channel]) + data)
    with contextlib.suppress(ConnectionError):
        await websocket.close()


async def _feed(websocket: web.WebSocketResponse, writers: dict[int, asyncio.StreamWriter]) -> None:
    async for message in websocket:
        if message.type is not WSMsgType.BINARY or len(message.data) < 2:
            continue
        writer = writers.get(message.data[0])
        if writer is None:
            continue
        writer.write(message.data[1:])
        try:
            await writer.drain()
        except ConnectionError:
            return
