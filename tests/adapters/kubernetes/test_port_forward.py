"""Port-forward: the channel protocol, its failures, TLS inside it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import httpx
import pytest

from emqx_tui.adapters.emqx.client import EmqxClient, PortForward
from emqx_tui.adapters.kubernetes.access import Access, TokenLogin
from emqx_tui.adapters.kubernetes.port_forward import PROTOCOL, BackendTransport, PodBackend, PodStream
from emqx_tui.adapters.tls import client_context
from emqx_tui.model.errors import Forbidden, NotFound, Unauthorized, Unreachable
from emqx_tui.rollout.requests import EmqxRequest
from tests.support.stream_server import serving

QUESTION = EmqxRequest("emqx", "pod-0", "GET", "/api/v4/nodes")


@pytest.fixture
async def broker():
    """Answers every request with the number of bytes that its query asks for."""

    async def serve(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.split(b" ")[1].partition(b"?")[2] or 2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"1" * size)
            await writer.drain()

    async with contextlib.AsyncExitStack() as servers:

        async def start(context: ssl.SSLContext | None = None) -> tuple[str, int]:
            return await servers.enter_async_context(serving(serve, tls=context))

        yield start


async def test_carries_large_answers_and_many_requests(api, client_of, broker):
    api.pods["pod-0"] = await broker()
    transport = BackendTransport(PodBackend(client_of(api)), connections=2, keepalive_s=4)
    async with httpx.AsyncClient(transport=transport) as client:
        answers = await asyncio.gather(*(client.get("http://pod-0.emqx:8081/?300000") for _ in range(6)))
    assert [len(answer.content) for answer in answers] == [300_000] * 6
    assert len(api.tunnels) <= 2
    await api.stop()


async def test_tls_inside_the_tunnel(api, client_of, broker, authority):
    api.pods["pod-0"] = await broker(authority.server_context("pod-0.emqx"))
    context = client_context(authority.pem)
    transport = BackendTransport(PodBackend(client_of(api)), connections=1, keepalive_s=4, verify=context)
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get("https://pod-0.emqx:8081/?70000")).content == b"1" * 70_000


async def test_a_pod_that_is_not_there(api, client_of):
    with pytest.raises(NotFound, match='pods "pod-0" not found'):
        await EmqxClient(PortForward(client_of(api))).request(QUESTION)


async def test_nothing_listens_in_the_pod(api, client_of):
    api.pods["pod-0"] = ("127.0.0.1", 1)
    with pytest.raises(Unreachable, match="error forwarding port 8081 to pod pod-0: refused"):
        await EmqxClient(PortForward(client_of(api))).request(QUESTION)


async def test_a_missing_right_is_told_in_the_servers_words(api, client_of, status_answer):
    words = 'pods "pod-0" is forbidden: User "u" cannot get resource "pods/portforward"'

    async def refuse(request):
        return status_answer(403, "Forbidden", words)

    api.routes["GET", "/api/v1/namespaces/emqx/pods/pod-0/portforward"] = refuse
    with pytest.raises(Forbidden) as told:
        await EmqxClient(PortForward(client_of(api))).request(QUESTION)
    assert told.value.message == words


async def test_the_api_server_refuses_the_token(api, client_of):
    kube = client_of(api, access=Access(api.url, login=TokenLogin("bad")))
    with pytest.raises(Unauthorized, match="does not accept these credentials"):
        await EmqxClient(PortForward(kube)).request(QUESTION)


async def test_a_tunnel_that_the_server_closes_is_replaced(api, client_of, broker, until):
    api.pods["pod-0"] = await broker()
    emqx = EmqxClient(PortForward(client_of(api)))
    await emqx.request(QUESTION)
    await api.tunnels[0].close()
    assert (await emqx.request(QUESTION)).status == 200
    assert len(api.tunnels) == 2
    await emqx.close()
    await until(lambda: api.open_tunnels == 0)


async def test_the_api_server_is_gone(api, client_of):
    emqx = EmqxClient(PortForward(client_of(api)))
    await api.stop()
    with pytest.raises(Unreachable, match="cannot connect to http://127"):
        await emqx.request(QUESTION)


async def test_a_flood_that_nobody_reads_does_not_hold_up_the_end(api, client_of, broker, until):
    """Frames read ahead are bounded; and a server too busy to say farewell is not waited for."""
    api.pods["pod-0"] = await broker()
    path = "/api/v1/namespaces/emqx/pods/pod-0/portforward"
    stream = PodStream(await client_of(api).websocket(path, {"ports": "8081"}, (PROTOCOL,)))
    await stream.send(b"GET /?9000000 HTTP/1.1\r\n\r\n")
    await until(lambda: stream._frames.full())
    api.requests[-1].transport.set_protocol(asyncio.Protocol())
    began = asyncio.get_running_loop().time()
    await stream.aclose()
    assert asyncio.get_running_loop().time() - began < 2.5


async def test_a_request_that_is_cancelled_at_any_moment_leaves_nothing_behind(api, client_of, until):
    """httpcore keeps a connection whose opening was cut short at its very end as one that is in use."""

    async def silent(reader, writer):
        await reader.read()

    async with serving(silent) as api.pods["pod-0"]:
        emqx = EmqxClient(PortForward(client_of(api)))
        for turns in range(30):
            task = asyncio.create_task(emqx.request(QUESTION))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(lambda: api.open_tunnels == 0)
        await emqx.close()
        await until(lambda: api.open_tunnels == 0)


async def test_a_cancelled_request_leaves_nothing_behind(api, client_of, until):
    async def silent(reader, writer):
        await reader.read()

    async with serving(silent) as api.pods["pod-0"]:
        emqx = EmqxClient(PortForward(client_of(api)))
        task = asyncio.create_task(emqx.request(QUESTION))
        await until(lambda: api.tunnels)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: api.open_tunnels == 0)
