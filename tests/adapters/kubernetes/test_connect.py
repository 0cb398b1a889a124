"""The whole connection against the sandbox: the same doors as a real cluster's."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import random

import pytest

from emqx_tui.adapters.connect import connect
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import Access, AccessRequest, Tls
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.model.api_version import credentials
from emqx_tui.model.errors import Conflict, Expired, Forbidden, NotFound, Rejected, Unauthorized, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.requests import MERGE_PATCH, EmqxRequest, KubeRequest
from emqx_tui.sandbox.run.runner import Sandbox
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Scope

RESOURCE = Kind.EMQX_ENTERPRISE.info.path("default", "emqx-ee")


@pytest.fixture
def subnet():
    """Loopback addresses for the pods."""
    claimed = claim_subnet(random.Random())
    if claimed.claim is None:
        pytest.skip("this machine has no second loopback address")
    yield claimed.cidr
    claimed.release()


@pytest.fixture
async def sandbox(subnet):
    """A cluster of three nodes with a hundred clients."""
    async with Sandbox(scenario("smooth", clients=100, pod_subnet=subnet)) as running:
        yield running


@pytest.fixture
async def connected():
    """Connect as kubectl would with the sandbox's kubeconfig; closed at the end."""
    made = []

    async def connecting(sandbox, *, context: str = "", **options):
        access = load_access(AccessRequest(kubeconfig=str(sandbox.kubeconfig_path), context=context))
        made.append(await connect(access, **options))
        return made[-1]

    yield connecting
    for connection in made:
        await connection.close()


async def log_in(connection, emqx) -> None:
    path = Kind.SECRET.info.path("default", "emqx-ee-bootstrap-user")
    secret = await connection.kube.request(KubeRequest("GET", path))
    found = credentials(base64.b64decode(secret["data"]["bootstrap_user"]).decode())
    assert found
    emqx.set_credentials(*found)


def pods(sandbox) -> list[str]:
    return [pod["metadata"]["name"] for pod in sandbox.world.store.list("pods", "default") if "emqx-ee" in str(pod)]


async def test_the_first_request_synchronises_the_clock(sandbox, connected):
    connection = await connected(sandbox)
    assert connection.problem is None
    assert connection.server_version.startswith("v1.")
    assert connection.clock.is_synchronised
    assert abs(connection.clock.now().timestamp() - sandbox.world.timeline.now) < 1.5


async def test_an_unreachable_server_is_a_problem_and_not_an_end():
    connection = await connect(Access("https://127.0.0.1:1"))
    assert isinstance(connection.problem, Unreachable)
    assert not connection.clock.is_synchronised
    await connection.close()


async def test_an_unusable_configuration_is_an_end():
    authority = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigError, match="holds no PEM certificate"):
        await connect(Access("https://127.0.0.1:1", tls=Tls(authority)))


@pytest.mark.parametrize("way", ["port-forward", "direct"])
async def test_asks_every_node_by_both_ways(sandbox, connected, way):
    connection = await connected(sandbox, emqx_access=way)
    emqx = connection.emqx("default", "emqx-ee")
    names = pods(sandbox)
    assert len(names) == 3
    with pytest.raises(Unauthorized):
        await emqx.request(EmqxRequest("default", names[0], "GET", "/api/v4/nodes"))
    await log_in(connection, emqx)
    for pod in names:
        nodes = (await emqx.request(EmqxRequest("default", pod, "GET", "/api/v4/nodes"))).body["data"]
        assert len(nodes) == 3
        (own,) = [node["node"] for node in nodes if f"@{pod}." in node["node"]]
        start = EmqxRequest("default", pod, "POST", f"/api/v4/load_rebalance/{own}/evacuation/start", {})
        assert (await emqx.request(start)).body["code"] == 0, "a raw @ names the node"
        status = await emqx.request(EmqxRequest("default", pod, "GET", "/api/v4/node_eviction/status"))
        assert status.body["status"] == "enabled"
    with pytest.raises(NotFound):
        await emqx.request(EmqxRequest("default", names[0], "GET", "/api/v4/no-such-path"))


@pytest.mark.parametrize("way", ["port-forward", "direct"])
async def test_a_pod_that_does_not_exist(sandbox, connected, way):
    emqx = (await connected(sandbox, emqx_access=way)).emqx("default", "emqx-ee")
    with pytest.raises(NotFound, match="no-such-pod"):
        await emqx.request(EmqxRequest("default", "no-such-pod", "GET", "/api/v4/nodes"))


async def test_reads_and_writes_the_resource(sandbox, connected):
    kube = (await connected(sandbox)).kube
    seen = await kube.request(KubeRequest("GET", RESOURCE))
    body = {"metadata": {"resourceVersion": seen["metadata"]["resourceVersion"]}, "spec": {"replicas": "three"}}
    with pytest.raises(Rejected, match=r"spec\.replicas"):
        await kube.request(KubeRequest("PATCH", RESOURCE, body, MERGE_PATCH))
    body["spec"] = {"blueGreenUpdate": {"initialDelaySeconds": 77}}
    patch = KubeRequest("PATCH", RESOURCE, body, MERGE_PATCH, {"fieldManager": "emqx-tui", "fieldValidation": "Strict"})
    rehearsed = await kube.request(patch.as_dry_run())
    assert rehearsed["spec"]["blueGreenUpdate"]["initialDelaySeconds"] == 77
    assert (await kube.request(patch))["metadata"]["resourceVersion"] != seen["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        await kube.request(patch)
    with pytest.raises(NotFound):
        await kube.request(KubeRequest("GET", RESOURCE + "-2"))
    sandbox.watches.gone = "status"
    sandbox.world.store.trim(sandbox.world.store.version)
    old = KubeRequest("GET", Kind.POD.info.path("default"), query={"watch": "1", "resourceVersion": "1"})
    with pytest.raises(Expired):
        await kube.request(old)


async def watch_for(connection, scope, until, kind=Kind.EMQX_ENTERPRISE):
    found = []
    task = asyncio.create_task(connection.kube.watch(kind, scope, found.append))
    try:
        await until(lambda: found)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return found


async def test_rights_on_one_namespace_only(sandbox, connected, until):
    connection = await connected(sandbox, context="namespace-only")
    assert isinstance((await watch_for(connection, Scope("default"), until))[0], Listed)
    lost = (await watch_for(connection, Scope(None), until))[0]
    assert isinstance(lost, Lost)
    assert lost.is_final
    assert 'cannot list resource "emqxenterprises" in API group "apps.emqx.io"' in lost.error.message


async def test_reading_only(sandbox, connected):
    connection = await connected(sandbox, context="read-only")
    await connection.kube.request(KubeRequest("GET", RESOURCE))
    with pytest.raises(Forbidden, match='cannot patch resource "emqxenterprises"'):
        await connection.kube.request(KubeRequest("PATCH", RESOURCE, {}, MERGE_PATCH))
    with pytest.raises(Forbidden, match="pods/portforward"):
        await connection.emqx("default", "emqx-ee").request(
            EmqxRequest("default", pods(sandbox)[0], "GET", "/api/v4/nodes")
        )


async def test_watches_every_kind_and_sees_a_change(sandbox, connected, until):
    connection = await connected(sandbox)
    found = []
    tasks = [asyncio.create_task(connection.kube.watch(kind, Scope("default"), found.append)) for kind in Kind]
    await until(lambda: len([one for one in found if isinstance(one, Alive)]) >= len(Kind))
    assert not [one for one in found if isinstance(one, Lost)]
    assert not [line for one in found if isinstance(one, Listed) for line in one.unreadable]
    patch = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 99}}}
    await connection.kube.request(KubeRequest("PATCH", RESOURCE, patch, MERGE_PATCH))

    def is_changed(one) -> bool:
        return isinstance(one, Changed) and getattr(one.object, "blue_green", None) is not None

    change = (await until(lambda: [one for one in found if is_changed(one)]))[0]
    assert change.object.blue_green.initial_delay_s == 99
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_fast_cluster_keeps_its_time_and_its_watches_fresh(connected, until):
    async with Sandbox(scenario("smooth", clients=100), speed=60) as sandbox:
        connection = await connected(sandbox, clock_rate=60)
        found, clock = [], connection.clock
        task = asyncio.create_task(
            connection.kube.watch(Kind.SERVICE, Scope("default"), lambda one: found.append(clock.now()))
        )
        start = clock.now()
        await until(lambda: (clock.now() - start).total_seconds() > 240)
        sandbox.clock.catch_up(1.0)
        assert abs(clock.now().timestamp() - sandbox.world.timeline.now) < 30
        gaps = sorted((b - a).total_seconds() for a, b in itertools.pairwise(found))
        assert gaps[-3] < 50, "well within the minute of the policy; two stalls of a busy machine are forgiven"
        assert clock.skew_s is None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
