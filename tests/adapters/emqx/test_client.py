"""The management API as a node serves it: raw paths, refusals, stale connections, pods that go away."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys

import pytest

from emqx_tui.adapters.emqx import client as client_module
from emqx_tui.adapters.emqx.client import ByUrl, Direct, EmqxClient, PortForward
from emqx_tui.adapters.tls import client_context
from emqx_tui.model.errors import MalformedAnswer, NotFound, Rejected, Unauthorized, Unreachable
from emqx_tui.rollout.requests import EmqxRequest
from tests.support.stream_server import serving

START = "/api/v4/load_rebalance/emqx@pod-0.headless.ns.svc.cluster.local/evacuation/start"


class Node:
    """One EMQX node on a socket: keeps what came over the wire, answers what it is told."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self._server = contextlib.AsyncExitStack()
        self.connections = 0
        self.open = 0
        self.answer = (200, "application/json", b'{"code":0,"data":[]}')
        self.closes_after_answer = False
        self.is_mute = False
        self.resets = 0
        """So many requests are met by a reset."""

    async def start(self) -> None:
        _, self.port = await self._server.enter_async_context(serving(self._serve))

    async def stop(self) -> None:
        await self._server.aclose()

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._answer_all(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer_all(self, reader, writer) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0)
            self.heads.append(head)
            self.bodies.append(await reader.readexactly(length))
            if self.resets:
                self.resets -= 1
                writer.transport.abort()
                return
            if self.is_mute:
                await reader.read()
                return
            status, kind, body = self.answer
            writer.write(b"HTTP/1.1 %d X\r\nContent-Type: %s\r\n" % (status, kind.encode()))
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
            if self.closes_after_answer:
                return


@pytest.fixture
async def node():
    node = Node()
    await node.start()
    yield node
    await node.stop()


@pytest.fixture(params=["url", "direct", "port-forward"])
async def emqx(request, node, api, client_of):
    """The same node by each way in."""
    api.pods["pod-0"] = ("127.0.0.1", node.port)

    async def address_of(namespace: str, pod: str) -> str:
        assert (namespace, pod) == ("emqx", "pod-0")
        return "127.0.0.1"

    route = {
        "url": lambda: ByUrl(f"http://127.0.0.1:{node.port}"),
        "direct": lambda: Direct(address_of, node.port),
        "port-forward": lambda: PortForward(client_of(api)),
    }[request.param]()
    client = EmqxClient(route)
    client.set_credentials("app", "s3cret")
    yield client
    await client.close()


def get(path: str = "/api/v4/nodes", **options) -> EmqxRequest:
    return EmqxRequest("emqx", "pod-0", "GET", path, **options)


async def test_an_at_sign_stays_raw_on_the_wire(emqx, node):
    reply = await emqx.request(EmqxRequest("emqx", "pod-0", "POST", START, {"conn_evict_rate": 200}))
    assert reply.status == 200
    assert reply.body == {"code": 0, "data": []}
    assert node.heads[0].startswith(f"POST {START} HTTP/1.1\r\n".encode())
    assert json.loads(node.bodies[0]) == {"conn_evict_rate": 200}


async def test_a_question_has_no_header_that_nobody_needs(emqx, node):
    await emqx.request(get())
    fields = [line.partition(b":")[0].lower() for line in node.heads[0].splitlines()[1:-1]]
    assert sorted(fields) == [b"accept", b"authorization", b"host", b"user-agent"]


async def test_sends_basic_credentials_and_takes_new_ones(emqx, node):
    await emqx.request(get())
    emqx.set_credentials("other", "p:w")
    await emqx.request(get())
    for head, pair in zip(node.heads, (b"app:s3cret", b"other:p:w"), strict=True):
        assert b"\r\nAuthorization: Basic " + base64.b64encode(pair) + b"\r\n" in head


async def test_reading_keeps_its_connection_and_writing_takes_a_new_one(emqx, node):
    for _ in range(5):
        await emqx.request(get())
    assert node.connections == 1
    for _ in range(2):
        await emqx.request(EmqxRequest("emqx", "pod-0", "POST", START))
    assert node.connections == 3


async def test_a_request_searches_for_no_module(emqx, node, monkeypatch):
    await emqx.request(get())
    sought: list[str] = []

    class Search:
        @staticmethod
        def find_spec(name, path=None, target=None):
            sought.append(name)

    monkeypatch.setattr(sys, "meta_path", [Search, *sys.meta_path])
    await emqx.request(get())
    assert sought == []


async def test_a_kept_connection_that_was_reset_is_retried_once_for_reads(emqx, node):
    await emqx.request(get())
    node.resets = 1
    assert (await emqx.request(get())).status == 200
    node.resets = 2
    with pytest.raises(Unreachable):
        await emqx.request(get())


async def test_a_write_is_never_sent_twice(emqx, node):
    node.resets = 1
    with pytest.raises(Unreachable):
        await emqx.request(EmqxRequest("emqx", "pod-0", "POST", START))
    assert len(node.heads) == 1


async def test_a_connection_closed_after_its_answer_does_no_harm(emqx, node):
    node.closes_after_answer = True
    for _ in range(4):
        assert (await emqx.request(get())).status == 200


async def test_never_more_than_two_connections_for_reading(emqx, node, until):
    await asyncio.gather(*(emqx.request(get()) for _ in range(12)))
    assert node.connections <= 2
    assert len(node.heads) == 12


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"UNAUTHORIZED", Unauthorized, "EMQX in pod pod-0 does not accept the API key"),
        (404, b"Not found.", NotFound, "EMQX in pod pod-0: Not found."),
        (404, b'{"message":"no \\u001b[31msuch node"}', NotFound, "EMQX in pod pod-0: no \ufffd[31msuch node"),
    ],
)
async def test_refusals(emqx, node, status, body, kind, words):
    node.answer = (status, "text/plain", body)
    with pytest.raises(kind) as told:
        await emqx.request(get())
    assert type(told.value) is kind
    assert told.value.message == words
    assert told.value.status == status


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"code": 400, "message": "already_started"}), (200, {"message": "nodedown"}), (500, {"code": 102})],
)
async def test_an_answer_with_a_code_is_the_sessions_to_judge(emqx, node, status, body):
    node.answer = (status, "application/json", json.dumps(body).encode())
    reply = await emqx.request(get())
    assert (reply.status, reply.body) == (status, body)


async def test_plain_text_is_kept_as_text(emqx, node):
    node.answer = (503, "text/plain", "Node é is not running".encode())
    reply = await emqx.request(get("/api/v4/nodes"))
    assert (reply.status, reply.body, reply.text) == (503, None, "Node é is not running")


@pytest.mark.parametrize("text", ["[" * 5_000 + "]" * 5_000, "1" * 5_000, '{"data": NaN}'], ids=["deep", "long", "NaN"])
async def test_what_is_no_value_is_kept_as_text(emqx, node, text):
    node.answer = (200, "application/json", text.encode())
    reply = await emqx.request(get())
    assert (reply.body, reply.text) == (None, text)


async def test_a_mute_node_is_unreachable_in_time(emqx, node):
    node.is_mute = True
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unreachable, match="did not answer in time"):
        await emqx.request(get(timeout_s=0.2))
    assert asyncio.get_running_loop().time() - began < 2


async def test_a_question_that_is_not_answered_leaves_the_other_connection_open(emqx, node):
    await emqx.request(get())
    assert node.open == 1
    node.is_mute = True
    with pytest.raises(Unreachable, match="did not answer in time"):
        await asyncio.gather(emqx.request(get(timeout_s=0.2)), emqx.request(get("/api/v4/stats", timeout_s=0.2)))
    node.is_mute = False
    assert (await emqx.request(get())).status == 200


async def test_closes_the_connections_to_a_pod_that_is_forgotten(emqx, node, until):
    await emqx.request(get())
    assert node.open == 1
    emqx.forget("emqx", "pod-0")
    await until(lambda: node.open == 0)
    assert (await emqx.request(get())).status == 200


async def test_close_ends_every_connection(emqx, node, until):
    await emqx.request(get())
    await emqx.close()
    await until(lambda: node.open == 0)
    with pytest.raises(Unreachable, match="is closed"):
        await emqx.request(get())


async def test_an_endless_answer_is_given_up(emqx, node, monkeypatch):
    monkeypatch.setattr("emqx_tui.adapters.emqx.client._BODY_LIMIT", 1000)
    node.answer = (200, "application/json", b"[" + b"1," * 2000 + b"1]")
    with pytest.raises(MalformedAnswer):
        await emqx.request(get())


async def test_nobody_listens(emqx, node):
    await node.stop()
    with pytest.raises(Unreachable) as told:
        await emqx.request(get())
    assert "\n" not in told.value.message


@pytest.mark.parametrize("path", ["/status", "/api/v4/node_eviction/status", "/api/v4/load_rebalance/status"])
async def test_one_address_for_all_nodes_is_not_asked_about_one_of_them(node, path):
    client = EmqxClient(ByUrl(f"http://127.0.0.1:{node.port}"))
    with pytest.raises(Rejected, match=r"\{pod\}"):
        await client.request(get(path))
    assert not node.heads
    assert (await client.request(get("/api/v4/stats"))).status == 200
    await client.close()


async def test_a_url_with_placeholders_and_a_base_path(node):
    client = EmqxClient(ByUrl(f"http://127.0.0.1:{node.port}/{{namespace}}/{{pod}}/"))
    await client.request(get("/api/v4/node_eviction/status"))
    assert node.heads[0].startswith(b"GET /emqx/pod-0/api/v4/node_eviction/status HTTP/1.1")
    await client.close()


@pytest.mark.parametrize(("url", "times"), [("", 0), ("http://{pod}:8081", 0), ("https://{pod}:8443", 1)])
async def test_the_authorities_of_the_machine_are_read_once_for_all_nodes_and_only_for_tls(monkeypatch, url, times):
    async def address_of(namespace: str, pod: str) -> str:
        return "127.0.0.1"

    read = []
    monkeypatch.setattr(client_module, "client_context", lambda: read.append(url) or client_context())
    route = ByUrl(url) if url else Direct(address_of)
    for _ in range(4):
        await route.transport(connections=1, keepalive_s=0.0).aclose()
    assert len(read) == times


async def test_a_pod_without_an_address_is_unreachable_until_it_has_one(node):
    addresses = ["", "127.0.0.1"]

    async def address_of(namespace: str, pod: str) -> str:
        return addresses.pop(0)

    client = EmqxClient(Direct(address_of, node.port))
    with pytest.raises(Unreachable, match="no address yet"):
        await client.request(get())
    assert (await client.request(get())).status == 200
    await client.close()


async def test_an_address_is_looked_up_again_after_a_while(node):
    now, asked = 0.0, []

    async def address_of(namespace: str, pod: str) -> str:
        asked.append(now)
        return "127.0.0.1"

    client = EmqxClient(Direct(address_of, node.port, monotonic=lambda: now))
    for at in (0.0, 1.0, 4.9, 5.1, 6.0):
        now = at
        await client.request(get())
    assert asked == [0.0, 5.1]
    await client.close()


async def test_connections_to_a_pod_that_nobody_asks_any_more_are_closed(node, until):
    now = 0.0
    client = EmqxClient(ByUrl(f"http://127.0.0.1:{node.port}"), monotonic=lambda: now)
    for at, pod in ((0.0, "old"), (10.0, "kept"), (30.5, "new")):
        now = at
        await client.request(EmqxRequest("emqx", pod, "GET", "/api/v4/stats"))
    await until(lambda: node.open == 2)
    await client.close()
