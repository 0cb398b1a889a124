"""Requests to a Kubernetes API: what goes over the wire, and what failures become."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import Access, ClientCertificate, ExecLogin, NoLogin, Tls, TokenLogin
from emqx_tui.adapters.kubernetes.credentials import Credential
from emqx_tui.adapters.kubernetes.http_session import KubeLink, keepalive_socket
from emqx_tui.model.errors import (
    Conflict,
    Expired,
    Forbidden,
    MalformedAnswer,
    NotFound,
    Rejected,
    Unauthorized,
    Unreachable,
)
from emqx_tui.rollout.requests import JSON_PATCH, MERGE_PATCH, KubeRequest
from tests.support.stream_server import serving

GET = KubeRequest("GET", "/version")


def answering(value, **options):
    async def answer(request):
        return web.json_response(value, **options)

    return answer


async def test_a_merge_patch_as_it_goes_over_the_wire(api, client_of):
    path = "/apis/apps.emqx.io/v1beta4/namespaces/emqx/emqxenterprises/emqx-ee"
    api.routes["PATCH", path] = answering({"kind": "EmqxEnterprise"})
    body = {"metadata": {"resourceVersion": "7"}, "spec": {"blueGreenUpdate": {"initialDelaySeconds": None}}}
    request = KubeRequest("PATCH", path, body, MERGE_PATCH, {"fieldManager": "emqx-tui"}).as_dry_run()
    assert await client_of(api).request(request) == {"kind": "EmqxEnterprise"}
    sent = api.requests[0]
    assert sent.headers["Content-Type"] == MERGE_PATCH
    assert sent.headers["User-Agent"].startswith("emqx-tui/")
    assert dict(sent.query) == {"fieldManager": "emqx-tui", "dryRun": "All"}
    assert json.loads(api.bodies[0]) == body, "a null must survive: it deletes the field"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(JSON_PATCH, [{"op": "test", "path": "/a", "value": 1}]), (MERGE_PATCH, {"a": {}}), ("application/json", {})],
)
async def test_bodies_and_content_types_stay_as_given(api, client_of, content_type, body):
    api.routes["PATCH", "/x"] = answering({})
    await client_of(api).request(KubeRequest("PATCH", "/x", body, content_type))
    assert api.requests[0].headers["Content-Type"] == content_type
    assert json.loads(api.bodies[0]) == body


async def test_selectors_arrive_as_written(api, client_of):
    api.routes["GET", "/x"] = answering({})
    query = {"labelSelector": "app in (a, b),c!=d", "fieldSelector": "metadata.name=ü/&?"}
    await client_of(api).request(KubeRequest("GET", "/x", query=query))
    assert dict(api.requests[0].query) == query


async def test_impersonation_headers(api, client_of):
    api.routes["GET", "/version"] = answering({})
    access = Access(api.url, login=TokenLogin("good"), as_user="ann", as_groups=("ops", "dev"))
    await client_of(api, access=access).request(GET)
    assert api.requests[0].headers["Impersonate-User"] == "ann"
    assert api.requests[0].headers.getall("Impersonate-Group") == ["ops", "dev"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, Rejected),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, Rejected),
        (409, Conflict),
        (410, Expired),
        (415, Rejected),
        (422, Rejected),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
        (504, Unreachable),
    ],
)
async def test_statuses_become_kinds(api, client_of, status_answer, code, kind):
    async def refuse(request):
        return status_answer(code, "Word", "why\x1b[2J not")

    api.routes["GET", "/version"] = refuse
    with pytest.raises(kind) as told:
        await client_of(api).request(GET)
    assert type(told.value) is kind
    assert (told.value.status, told.value.reason) == (code, "Word")
    assert "why�[2J not" in told.value.message
    assert "\x1b" not in told.value.message


async def test_a_long_refusal_is_cut(api, client_of, status_answer):
    async def refuse(request):
        return status_answer(422, "Invalid", "x" * 100_000)

    api.routes["GET", "/version"] = refuse
    with pytest.raises(Rejected) as told:
        await client_of(api).request(GET)
    assert len(told.value.message) <= 400


@pytest.mark.parametrize("text", ["<html>hunter2</html>", "{", "[" * 5_000, "1" * 5_000, '{"data": hunter2}'])
async def test_an_answer_that_is_not_json(api, client_of, text):
    async def page(request):
        return web.Response(text=text, content_type="text/html")

    api.routes["GET", "/version"] = page
    with pytest.raises(MalformedAnswer, match=r"/version: the answer cannot be read: ") as told:
        await client_of(api).request(GET)
    assert "hunter2" not in told.value.message


async def test_a_mute_server_is_unreachable_in_time(api, client_of):
    async def wait(request):
        await asyncio.Event().wait()

    api.routes["GET", "/version"] = wait
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unreachable, match="did not answer in time"):
        await client_of(api).request(KubeRequest("GET", "/version", timeout_s=0.2))
    assert asyncio.get_running_loop().time() - began < 2

    access = Access(api.url, login=TokenLogin("good"), request_timeout_s=0.1)
    with pytest.raises(Unreachable, match="did not answer in time"):
        await client_of(api, access=access).request(GET)


async def test_a_body_that_never_ends_is_unreachable_in_time(api, client_of):
    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await asyncio.Event().wait()

    api.routes["GET", "/version"] = trickle
    with pytest.raises(Unreachable):
        await client_of(api).request(KubeRequest("GET", "/version", timeout_s=0.2))


async def test_nobody_listens(api, client_of):
    await api.stop()
    with pytest.raises(Unreachable) as told:
        await client_of(api).request(GET)
    assert told.value.message.startswith(f"cannot connect to {api.url}: ")


async def test_a_reset_before_the_answer(api, client_of):
    async def cut(request):
        request.transport.abort()
        return web.Response()

    api.routes["PATCH", "/x"] = cut
    with pytest.raises(Unreachable, match="the connection was lost"):
        await client_of(api).request(KubeRequest("PATCH", "/x", {}, MERGE_PATCH))
    assert len(api.requests) == 1, "a write is never sent twice"


async def test_tells_the_servers_date(api, client_of):
    told = []
    api.date = "Mon, 23 Nov 2026 06:40:41 GMT"
    api.routes["GET", "/version"] = answering({})
    await client_of(api, on_date=lambda *seen: told.append(seen)).request(GET)
    api.date = "nonsense"
    await client_of(api, on_date=lambda *seen: told.append(seen)).request(GET)
    (date, sent_at, received_at), *more = told
    assert date.isoformat() == "2026-11-23T06:40:41+00:00"
    assert sent_at <= received_at
    assert not more


async def test_a_closed_client_says_so(api, client_of):
    kube = client_of(api)
    await kube.close()
    with pytest.raises(Unreachable, match="is closed"):
        await kube.request(GET)
    assert not api.requests


class TestTls:
    @pytest.fixture
    async def secure(self, api, authority):
        """The server with a certificate for 127.0.0.1; asks for a client certificate, takes any of the authority."""
        await api.stop()
        api.tls = authority.server_context("127.0.0.1", asks_for_client=True)
        api.token = ""

        async def who(request):
            certificate = request.transport.get_extra_info("peercert") or {"subject": ()}
            return web.json_response({"name": dict(part[0] for part in certificate["subject"]).get("commonName")})

        api.routes["GET", "/version"] = who
        await api.start()
        return api

    async def test_a_client_certificate(self, secure, client_of, authority):
        certificate = ClientCertificate(*authority.issue("ann"))
        access = Access(secure.url, tls=Tls(authority.pem), certificate=certificate)
        assert await client_of(secure, access=access).request(GET) == {"name": "ann"}

    async def test_a_certificate_from_a_plugin_replaces_itself(self, secure, client_of, authority):
        class Rotating:
            name = "one"

            async def present(self) -> Credential:
                return Credential(certificate=self.issued[self.name])

            async def renew(self, refused: Credential) -> bool:
                return False

        rotating = Rotating()
        rotating.issued = {name: ClientCertificate(*authority.issue(name)) for name in ("one", "two", "three")}
        access = Access(secure.url, tls=Tls(authority.pem), login=ExecLogin("x", "v1"))
        kube = client_of(secure, access=access, credentials=rotating)
        for name in ("one", "one", "two", "three"):
            rotating.name = name
            assert await kube.request(GET) == {"name": name}

    async def test_an_unknown_authority(self, secure, client_of):
        with pytest.raises(Unreachable, match="its certificate is not trusted"):
            await client_of(secure, access=Access(secure.url)).request(GET)

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_the_context_of_the_library_reads_no_authority(self, scheme, monkeypatch, authority, tmp_path):
        (tmp_path / "system.pem").write_text(authority.pem)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
        link = KubeLink(Access(f"{scheme}://127.0.0.1:6443"))
        try:
            assert not link.rest.ssl_context.cert_store_stats()["x509"]
        finally:
            await link.close()

    async def test_verification_can_be_switched_off(self, secure, client_of):
        access = Access(secure.url, tls=Tls(is_unverified=True))
        assert await client_of(secure, access=access).request(GET) == {"name": None}

    async def test_the_certificate_is_for_another_name(self, api, client_of, authority):
        await api.stop()
        api.tls = authority.server_context("api.internal")
        await api.start()
        access = Access(api.url, tls=Tls(authority.pem), login=TokenLogin("good"))
        with pytest.raises(Unreachable, match="its certificate is not trusted"):
            await client_of(api, access=access).request(GET)

        api.routes["GET", "/version"] = answering({})
        named = Access(api.url, tls=Tls(authority.pem, server_name="api.internal"), login=TokenLogin("good"))
        assert await client_of(api, access=named).request(GET) == {}

    async def test_what_is_not_a_certificate_is_told(self, api, client_of):
        for broken in (
            Access("https://127.0.0.1:1", tls=Tls("no pem")),
            Access("https://127.0.0.1:1", certificate=ClientCertificate(b"no", b"pem"), login=NoLogin()),
        ):
            with pytest.raises(ConfigError, match="certificate"):
                await client_of(api, access=broken).request(GET)


async def test_a_proxy_gets_the_request(api, client_of):
    """The test's server plays an HTTP proxy: it is asked for the whole URL."""
    seen = []

    async def proxy(reader, writer):
        seen.append((await reader.readuntil(b"\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with serving(proxy) as (host, port):
        access = Access("http://k8s.invalid:6443", proxy_url=f"http://{host}:{port}")
        assert await client_of(api, access=access).request(GET) == {}
    assert seen == ["GET http://k8s.invalid:6443/version HTTP/1.1\r\n"]


def test_sockets_notice_a_dead_peer():
    import socket

    with keepalive_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
