"""EMQX's management API on real connections: port-forward, and a loopback address per pod."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from emqx_tui.sandbox.run.runner import Sandbox

DEADLINE_S = 10
Credentials = str


def pods(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.world.store.list("pods", "default")


def basic_auth(sandbox: Sandbox) -> str:
    """The first application of the bootstrap Secret, as a client reads it."""
    import base64

    secret = sandbox.world.store.get("secrets", "default", "emqx-ee-bootstrap-user")
    (content,) = secret["data"].values()
    first = base64.b64decode(content).decode().splitlines()[0]
    return "Basic " + base64.b64encode(first.encode()).decode()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition that the loop's other tasks bring about."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not condition() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert condition()


class Forwarded:
    """One forwarded connection: channel 0 is data, channel 1 is errors."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._buffer = b""

    async def hello(self) -> list[bytes]:
        return [await self._websocket.receive_bytes(timeout=DEADLINE_S) for _ in range(2)]

    async def error(self) -> str:
        frame = await self._websocket.receive_bytes(timeout=DEADLINE_S)
        assert frame[0] == 1
        return frame[1:].decode()

    async def get(self, path: str, authorization: str) -> tuple[int, bytes]:
        request = f"GET {path} HTTP/1.1\r\nHost: pod\r\nAuthorization: {authorization}\r\n\r\n"
        await self._websocket.send_bytes(b"\x00" + request.encode())
        while b"\r\n\r\n" not in self._buffer:
            await self._more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        assert b"chunked" not in head.lower()
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        length = int(lengths[0].split(b":")[1])
        while len(self._buffer) < length:
            await self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return int(head.split()[1]), body

    async def _more(self) -> None:
        frame = await self._websocket.receive_bytes(timeout=DEADLINE_S)
        assert frame[0] == 0
        self._buffer += frame[1:]

    async def closed(self) -> bool:
        message = await self._websocket.receive(timeout=DEADLINE_S)
        return message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)


Opener = Callable[..., Any]


@asynccontextmanager
async def forwarding(
    sandbox: Sandbox, pod: str, ports: str = "8081", protocol: str = "v4.channel.k8s.io"
) -> AsyncIterator[Forwarded]:
    url = f"{sandbox.url}/api/v1/namespaces/default/pods/{pod}/portforward?ports={ports}"
    context = ssl.create_default_context(cadata=sandbox.ca_pem.decode())
    headers = {"Authorization": f"Bearer {sandbox.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers, protocols=(protocol,), ssl=context) as websocket,
    ):
        yield Forwarded(websocket)


async def refused_upgrade(opening: Any) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with opening:
            pass
    return refused.value.status


async def test_port_forward_keeps_one_connection_alive(running: Sandbox) -> None:
    name = pods(running)[0]["metadata"]["name"]
    async with forwarding(running, name) as forwarded:
        assert await forwarded.hello() == [b"\x00\x91\x1f", b"\x01\x91\x1f"]
        for _ in range(3):
            status, body = await forwarded.get("/api/v4/nodes", basic_auth(running))
            assert status == 200
            assert len(json.loads(body)["data"]) == 3
        assert (await forwarded.get("/api/v4/nodes", "Basic bm86bm8="))[0] == 401


async def test_node_names_travel_undecoded(running: Sandbox) -> None:
    name = pods(running)[0]["metadata"]["name"]
    async with forwarding(running, name) as forwarded:
        await forwarded.hello()
        nodes = json.loads((await forwarded.get("/api/v4/nodes", basic_auth(running)))[1])["data"]
        node = nodes[0]["node"]
        assert "@" in node
        assert (await forwarded.get(f"/api/v4/nodes/{node}/stats", basic_auth(running)))[0] == 200
        quoted = node.replace("@", "%40")
        assert (await forwarded.get(f"/api/v4/nodes/{quoted}/stats", basic_auth(running)))[0] == 404


async def test_a_port_without_listener_answers_on_the_error_channel(running: Sandbox) -> None:
    name = pods(running)[0]["metadata"]["name"]
    async with forwarding(running, name, ports="9999") as forwarded:
        await forwarded.hello()
        text = await forwarded.error()
        assert "error forwarding port 9999 to pod" in text
        assert "connect: connection refused" in text
        assert await forwarded.closed()


async def test_a_broker_that_stops_breaks_the_connection_and_refuses_new_ones(running: Sandbox) -> None:
    name = pods(running)[0]["metadata"]["name"]
    async with forwarding(running, name) as forwarded:
        await forwarded.hello()
        assert (await forwarded.get("/api/v4/nodes", basic_auth(running)))[0] == 200
        running.world.restart_broker(name)
        with pytest.raises(TypeError):
            await forwarded.get("/api/v4/nodes", basic_auth(running))
    async with forwarding(running, name) as forwarded:
        await forwarded.hello()
        assert "connection refused" in await forwarded.error()


async def test_upgrades_that_make_no_sense_are_refused(running: Sandbox) -> None:
    name = pods(running)[0]["metadata"]["name"]
    assert await refused_upgrade(forwarding(running, "nobody")) == 404
    assert await refused_upgrade(forwarding(running, name, protocol="v1.channel.k8s.io")) == 400
    assert await refused_upgrade(forwarding(running, name, ports="http")) == 400
    pod = {"metadata": {"name": "unscheduled"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    running.world.kubelet.unschedulable.append(lambda each: each["metadata"]["name"] == "unscheduled")
    running.world.store.create("pods", {**pod, "metadata": {"name": "unscheduled", "namespace": "default"}})
    assert await refused_upgrade(forwarding(running, "unscheduled")) == 400


async def test_port_forward_needs_its_right(running: Sandbox, running_kube: Any) -> None:
    name = pods(running)[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/default/pods/{name}/portforward"
    refused = await running_kube.request("GET", path, {"ports": "8081"}, Impersonate_User="read-only")
    assert refused.status == 403
    assert 'cannot get resource "pods/portforward"' in refused.body["message"]


async def get(url: str, authorization: str) -> tuple[int, Any]:
    headers = {"Authorization": authorization}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as got:
        return got.status, await got.json()


async def test_each_pod_listens_at_its_own_address(running: Sandbox) -> None:
    addresses = sorted(pod["status"]["podIP"] for pod in pods(running))
    if not addresses[0].startswith("127."):
        pytest.skip("this machine has no loopback addresses but 127.0.0.1")
    await eventually(lambda: running.network.addresses == addresses)
    for address in addresses:
        status, body = await get(f"http://{address}:8081/api/v4/nodes", basic_auth(running))
        assert (status, len(body["data"])) == (200, 3)


async def test_a_pod_that_goes_takes_its_listener_along(running: Sandbox) -> None:
    victim = pods(running)[0]
    address = victim["status"]["podIP"]
    if not address.startswith("127."):
        pytest.skip("this machine has no loopback addresses but 127.0.0.1")
    await eventually(lambda: address in running.network.addresses)
    running.world.kill_pod(victim["metadata"]["name"])
    await eventually(lambda: address not in running.network.addresses)
    await expect_refusal(lambda: get(f"http://{address}:8081/api/v4/nodes", ""))


async def expect_refusal(call: Callable[[], Awaitable[Any]]) -> None:
    with pytest.raises(aiohttp.ClientConnectorError):
        await call()
