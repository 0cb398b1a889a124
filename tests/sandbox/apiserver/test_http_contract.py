"""What clients rely on, asked by the official client over TLS."""

from __future__ import annotations

import json
import ssl
import stat
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from emqx_tui.sandbox.run.runner import Sandbox
from emqx_tui.sandbox.world.world import World, WorldConfig

MAPS = "/api/v1/namespaces/default/configmaps"
EMQX = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises"


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def raw(sandbox: Sandbox, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
    """A request as it is, without a client's own ideas about bodies and credentials."""
    context = ssl.create_default_context(cadata=sandbox.ca_pem.decode())
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, sandbox.url + path, ssl=context, headers=sent, data=body) as got,
    ):
        return got.status, await got.text()


@pytest.mark.parametrize(
    ("token", "health"),
    [({}, 200), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "Basic YTpi"}, 200)],
    ids=["none", "wrong", "not a token"],
)
async def test_without_a_valid_token_there_is_nothing(sandbox: Sandbox, token: dict[str, str], health: int) -> None:
    status, body = await raw(sandbox, "GET", "/api/v1/pods", **token)
    assert status == 401
    assert '"reason":"Unauthorized"' in body
    assert (await raw(sandbox, "GET", "/healthz", **token))[0] == health


async def test_the_certificate_is_only_good_for_its_own_authority(sandbox: Sandbox) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(sandbox.url + "/healthz")


async def test_the_kubeconfig_is_for_the_owner_only_and_goes_with_the_sandbox(sandbox: Sandbox) -> None:
    path = sandbox.kubeconfig_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await sandbox.__aexit__(None, None, None)
    assert not path.exists()


async def test_contexts_have_the_rights_of_their_names(sandbox: Sandbox, client_of: Any) -> None:
    async with client_of(sandbox, "namespace-only") as kube:
        assert (await kube.request("POST", MAPS, body=config_map("a"))).status == 201
        refused = await kube.request("GET", "/api/v1/configmaps")
        assert refused.status == 403
        assert refused.body["message"] == (
            'configmaps is forbidden: User "namespace-only" cannot list resource "configmaps" in API group "" '
            "at the cluster scope"
        )
    async with client_of(sandbox, "read-only") as kube:
        assert (await kube.request("GET", "/api/v1/configmaps")).status == 200
        assert (await kube.request("GET", "/api/v1/secrets")).status == 403
        assert (await kube.merge(f"{MAPS}/a", {"data": {"x": "y"}})).status == 403


async def test_the_admin_may_act_as_others(sandbox: Sandbox, kube: Any, client_of: Any) -> None:
    as_reader = await kube.request("DELETE", f"{MAPS}/a", Impersonate_User="read-only")
    assert 'User "read-only" cannot delete resource' in as_reader.body["message"]
    assert (await kube.request("GET", MAPS, Impersonate_User="nobody")).status == 403
    async with client_of(sandbox, "read-only") as reader:
        refused = await reader.request("GET", MAPS, Impersonate_User="admin")
        assert "cannot impersonate" in refused.body["message"]


async def test_the_date_header_tells_virtual_time(sandbox: Sandbox, kube: Any) -> None:
    before = sandbox.world.timeline.now
    answer = await kube.request("GET", "/version")
    shown = parsedate_to_datetime(answer.headers["Date"])
    assert int(before) <= shown.timestamp() <= sandbox.world.timeline.now
    assert abs((datetime.now(UTC) - shown).total_seconds()) > 3600


async def test_writes_end_to_end(kube: Any) -> None:
    created = await kube.request("POST", MAPS, body=config_map("a", x="1"))
    assert created.status == 201
    assert created.body["metadata"]["creationTimestamp"].endswith("Z")
    stale = created.body["metadata"]["resourceVersion"]
    patched = await kube.merge(f"{MAPS}/a", {"data": {"x": "2"}})
    assert patched.body["data"] == {"x": "2"}
    conflict = await kube.merge(f"{MAPS}/a", {"metadata": {"resourceVersion": stale}, "data": {"x": "3"}})
    assert (conflict.status, conflict.body["reason"]) == (409, "Conflict")
    dry = await kube.merge(f"{MAPS}/a", {"data": {"x": "4"}}, {"dryRun": "All"})
    assert dry.body["data"] == {"x": "4"}
    assert (await kube.request("GET", f"{MAPS}/a")).body["data"] == {"x": "2"}
    assert (await kube.request("DELETE", f"{MAPS}/a")).body["status"] == "Success"
    assert (await kube.request("GET", f"{MAPS}/a")).status == 404


async def test_pages_over_http(kube: Any) -> None:
    for name in "abcde":
        await kube.request("POST", MAPS, body=config_map(name))
    seen: list[str] = []
    token, pages = "", 0
    while True:
        page = (await kube.request("GET", MAPS, {"limit": "2", "continue": token})).body
        seen += [item["metadata"]["name"] for item in page["items"]]
        pages += 1
        if pages == 1:
            await kube.request("POST", MAPS, body=config_map("aa"))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert (seen, pages) == (list("abcde"), 3)


async def test_an_old_page_is_gone(sandbox: Sandbox, kube: Any) -> None:
    for name in "ab":
        await kube.request("POST", MAPS, body=config_map(name))
    first = (await kube.request("GET", MAPS, {"limit": "1"})).body
    await kube.request("POST", MAPS, body=config_map("c"))
    sandbox.world.store.trim(sandbox.world.store.version)
    gone = await kube.request("GET", MAPS, {"limit": "1", "continue": first["metadata"]["continue"]})
    assert (gone.status, gone.body["reason"]) == (410, "Expired")


async def test_unknown_fields_are_warned_about_or_refused(kube: Any) -> None:
    spec = {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}}, "nonsense": 1}
    body = {"apiVersion": "apps.emqx.io/v1beta4", "kind": "EmqxEnterprise", "metadata": {"name": "e"}, "spec": spec}
    warned = await kube.request("POST", EMQX, {"dryRun": "All", "fieldValidation": "Warn"}, body)
    assert warned.status == 201
    assert warned.headers["Warning"] == '299 - "unknown field \\"spec.nonsense\\""'
    assert "nonsense" not in warned.body["spec"]
    strict = await kube.request("POST", EMQX, {"dryRun": "All", "fieldValidation": "Strict"}, body)
    assert strict.status == 400
    assert 'unknown field "spec.nonsense"' in strict.body["message"]


async def test_yaml_bodies_are_read_for_apply_and_keep_timestamps_as_text(sandbox: Sandbox) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {at: 2026-01-01T00:00:00Z, yes: 'no'}\n"
    authorized = {"Authorization": f"Bearer {sandbox.token}", "Content_Type": "application/apply-patch+yaml"}
    status, answer = await raw(sandbox, "PATCH", f"{MAPS}/a?fieldManager=me", text, **authorized)
    assert (status, json.loads(answer)["data"]) == (201, {"at": "2026-01-01T00:00:00Z", "true": "no"})


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 400),
        ("application/yaml", 400),
        ("text/html", 415),
        ("application/vnd.kubernetes.protobuf", 415),
    ],
)
@pytest.mark.parametrize("body", ["{: [", "[" * 100_000], ids=["no text of its kind", "deep"])
async def test_bodies_that_nobody_can_read_are_refused(
    sandbox: Sandbox, content_type: str, status: int, body: str
) -> None:
    authorized = {"Authorization": f"Bearer {sandbox.token}", "Content_Type": content_type}
    got, answer = await raw(sandbox, "POST", MAPS, body, **authorized)
    assert (got, json.loads(answer)["status"]) == (status, "Failure")


async def test_an_answer_nobody_can_read_is_not_sent(kube: Any) -> None:
    assert (await kube.request("GET", MAPS, Accept="application/vnd.kubernetes.protobuf")).status == 406


async def test_metadata_only(kube: Any) -> None:
    await kube.request("POST", MAPS, body=config_map("a", x="1"))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = (await kube.request("GET", MAPS, Accept=accept)).body
    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_discovery_lists_what_is_served(kube: Any) -> None:
    groups = (await kube.request("GET", "/apis")).body["groups"]
    assert {"apps", "apps.emqx.io", "coordination.k8s.io"} <= {group["name"] for group in groups}
    listed = (await kube.request("GET", "/apis/apps.emqx.io/v1beta4")).body["resources"]
    by_name = {each["name"]: each for each in listed}
    assert by_name["emqxenterprises"]["kind"] == "EmqxEnterprise"
    assert by_name["emqxenterprises/scale"]["kind"] == "Scale"
    for group in groups:
        version = group["preferredVersion"]["groupVersion"]
        for each in (await kube.request("GET", f"/apis/{version}")).body["resources"]:
            if "list" in each["verbs"]:
                assert (await kube.request("GET", f"/apis/{version}/{each['name']}")).status == 200
    assert (await kube.request("GET", "/apis/nothing.io/v1")).status == 404


async def test_openapi_is_served_for_every_group_version(kube: Any) -> None:
    index = (await kube.request("GET", "/openapi/v3")).body["paths"]
    assert "apis/apps.emqx.io/v1beta4" in index
    for entry in index.values():
        assert (await kube.request("GET", entry["serverRelativeURL"])).body["openapi"].startswith("3.")
    assert (await kube.request("GET", "/openapi/v2")).body["swagger"] == "2.0"


async def test_openapi_hashes_follow_the_content(sandbox: Sandbox, kube: Any) -> None:
    first = (await kube.request("GET", "/openapi/v3")).body["paths"]
    hashes = [entry["serverRelativeURL"].split("hash=")[1] for entry in first.values()]
    assert len(set(hashes)) == len(hashes)
    async with Sandbox(World(WorldConfig(clients=0), seed=2)) as other:
        authorized = {"Authorization": f"Bearer {other.token}"}
        assert json.loads((await raw(other, "GET", "/openapi/v3", **authorized))[1])["paths"] == first


async def test_definitions_are_there_and_established(kube: Any) -> None:
    listed = (await kube.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")).body["items"]
    assert [each["metadata"]["name"] for each in listed] == ["emqxenterprises.apps.emqx.io", "emqxplugins.apps.emqx.io"]
    version = listed[0]["spec"]["versions"][0]
    assert set(version["subresources"]) == {"status", "scale"}
    assert version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["replicas"]["type"] == "integer"
    for each in listed:
        assert {"Established": "True"}.items() <= {c["type"]: c["status"] for c in each["status"]["conditions"]}.items()
