"""Endpoints, slices and the clients' route."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig

KEY = ("default", "emqx-ee")
SERVICE = "kubernetes.io/service-name"


def settled(**config: Any) -> World:
    settings: dict[str, Any] = {"clients": 3000, "preset": "emqtt_bench-reconnect", "churn_per_s": 0.0, **config}
    world = World(WorldConfig(**settings), seed=1)
    world.settle_cluster(manifest(delay_s=1_000_000_000))
    return world


def slices(world: World, service: str) -> list[Object]:
    return world.store.list("endpointslices", "default", {SERVICE: service})


def listed(world: World, service: str) -> list[str]:
    return [endpoint["targetRef"]["name"][-1] for each in slices(world, service) for endpoint in each["endpoints"]]


def write_addresses(world: World, keep: str) -> None:
    """As a console: replace the addresses of the listener's Endpoints."""
    endpoints = world.store.get("endpoints", *KEY)
    (subset,) = endpoints["subsets"]
    addresses = [address for address in subset["addresses"] if address["targetRef"]["name"][-1] in keep]
    patch = {
        "metadata": {"resourceVersion": endpoints["metadata"]["resourceVersion"]},
        "subsets": [{**subset, "addresses": addresses}],
    }
    path = "/api/v1/namespaces/default/endpoints/emqx-ee"
    assert world.api.request("PATCH", path, {}, patch, "application/merge-patch+json").status == 200


def test_hand_written_endpoints_are_mirrored_with_a_lag() -> None:
    world = settled(mirror_lag_s=0.5)
    assert listed(world, "emqx-ee") == ["0", "1", "2"]
    (mirrored,) = slices(world, "emqx-ee")
    managed_by = mirrored["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
    assert managed_by == "endpointslicemirroring-controller.k8s.io"
    assert mirrored["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"
    write_addresses(world, keep="01")
    world.advance(0.4)
    assert len(world.cluster().route) == 3
    world.advance(0.2)
    assert listed(world, "emqx-ee") == ["0", "1"]
    assert len(world.cluster().route) == 2


def test_the_headless_service_publishes_pods_that_are_not_ready() -> None:
    world = settled()
    name = slices(world, "emqx-ee-headless")[0]["endpoints"][0]["targetRef"]["name"]
    world.set_ready(name, ready=False)
    world.advance(1)
    (each,) = slices(world, "emqx-ee-headless")
    shown = next(endpoint for endpoint in each["endpoints"] if endpoint["targetRef"]["name"] == name)
    assert shown["conditions"] == {"ready": True, "serving": False, "terminating": False}
    (subset,) = world.store.get("endpoints", "default", "emqx-ee-headless")["subsets"]
    assert len(subset["addresses"]) == 3


def test_a_mirrored_address_outlives_its_pod() -> None:
    """Nobody but the operator's next full pass, or the console, takes a dead pod out."""
    world = settled()
    world.advance(11)
    name = slices(world, "emqx-ee")[0]["endpoints"][1]["targetRef"]["name"]
    world.kill_pod(name)
    world.advance(15)
    assert listed(world, "emqx-ee") == ["0", "1", "2"]
    assert world.cluster().route.count(None) == 1
    world.advance(5)
    assert listed(world, "emqx-ee") == ["0", "2"]


@pytest.mark.parametrize("reuse", [True, False])
def test_a_stale_address_may_become_another_pods(reuse: bool) -> None:
    world = settled(reuse_addresses=reuse)
    world.advance(11)
    name = slices(world, "emqx-ee")[0]["endpoints"][1]["targetRef"]["name"]
    old_ip = world.store.get("pods", "default", name)["status"]["podIP"]
    world.kill_pod(name)
    world.advance(1)
    assert (world.store.get("pods", "default", name)["status"]["podIP"] == old_ip) is reuse


@pytest.mark.parametrize(("network", "resets"), [("kube-proxy", False), ("ebpf", True)])
def test_whether_connections_outlive_their_address(network: str, resets: bool) -> None:
    world = settled(network=network)
    cluster = world.cluster()
    left = next(name for name in cluster.nodes if "-2.emqx-ee-headless" in name)
    assert cluster.nodes[left].live == 1000
    write_addresses(world, keep="01")
    world.advance(1.6)
    during = cluster.nodes[left].live
    world.advance(3)
    if resets:
        assert 0 < during < 1000
        assert cluster.nodes[left].live == 0
        assert cluster.truth.total.reset == 1000
    else:
        assert cluster.nodes[left].live == 1000
        assert cluster.truth.total.reset == 0


def test_without_the_mqtt_port_in_the_service_nobody_connects() -> None:
    world = settled()
    service = world.store.get("services", *KEY)
    ports = [port for port in service["spec"]["ports"] if port["port"] != 1883]
    world.store.update("services", {**service, "spec": {**service["spec"], "ports": ports}})
    assert world.cluster().route == ()
    world.advance(21)
    assert len(world.cluster().route) == 3, "the operator's next full pass repairs it"


def test_the_operator_repairs_endpoints_on_every_full_pass() -> None:
    world = settled()
    write_addresses(world, keep="0")
    world.advance(11)
    assert listed(world, "emqx-ee") == ["0", "1", "2"]


def test_under_hold_a_foreign_write_to_endpoints_sticks() -> None:
    world = settled()
    path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
    release = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}
    world.advance(10)
    world.api.request("PATCH", path, {}, release, "application/merge-patch+json")
    world.advance(60)
    assert "startedAt" in world.store.get("emqxenterprises", *KEY)["status"]["blueGreenUpdateStatus"]
    write_addresses(world, keep="0")
    world.advance(300)
    nudge = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 999_999_999}}}
    world.api.request("PATCH", path, {}, nudge, "application/merge-patch+json")
    world.advance(60)
    assert listed(world, "emqx-ee") == ["0"]


def test_node_ports_come_back_under_another_number() -> None:
    world = World(WorldConfig(clients=0), seed=1)
    cr = manifest()
    cr["spec"]["serviceTemplate"] = {"spec": {"type": "NodePort"}}
    world.settle_cluster(cr)

    def mqtt_port() -> int | None:
        ports = world.store.get("services", *KEY)["spec"]["ports"]
        return next((port["nodePort"] for port in ports if port["port"] == 1883), None)

    before = mqtt_port()
    world.advance(20)
    assert mqtt_port() == before, "kept from the stored Service"
    world.operator.context.faults.append(ApiFault("refused", path="/listeners"))
    world.advance(20)
    assert mqtt_port() is None
    world.operator.context.faults.clear()
    world.advance(20)
    assert mqtt_port() not in (None, before)


def test_addresses_that_are_not_ready_get_no_clients() -> None:
    world = settled()
    endpoints = world.store.get("endpoints", *KEY)
    (subset,) = endpoints["subsets"]
    first, *others = subset["addresses"]
    world.store.update(
        "endpoints", {**endpoints, "subsets": [{**subset, "addresses": others, "notReadyAddresses": [first]}]}
    )
    world.advance(1)
    assert len(listed(world, "emqx-ee")) == 3
    assert len(world.cluster().route) == 2


def test_the_skip_label_ends_the_mirroring() -> None:
    world = settled()
    endpoints = world.store.get("endpoints", *KEY)
    labels = {**endpoints["metadata"]["labels"], "endpointslice.kubernetes.io/skip-mirror": "true"}
    world.store.update("endpoints", {**endpoints, "metadata": {**endpoints["metadata"], "labels": labels}})
    world.advance(1)
    assert slices(world, "emqx-ee") == []
    assert world.cluster().route == ()


def test_an_annotation_on_the_endpoints_is_copied_to_the_service() -> None:
    """Where the Service's template has annotations, the operator keeps one map for both objects."""
    world = World(WorldConfig(clients=0), seed=1)
    cr = manifest()
    cr["spec"]["serviceTemplate"] = {"metadata": {"annotations": {"lb": "internal"}}}
    world.settle_cluster(cr)
    endpoints = world.store.get("endpoints", *KEY)
    annotations = {**endpoints["metadata"]["annotations"], "mine": "1"}
    world.store.update("endpoints", {**endpoints, "metadata": {**endpoints["metadata"], "annotations": annotations}})
    world.advance(20)
    assert world.store.get("services", *KEY)["metadata"]["annotations"]["mine"] == "1"
