"""StatefulSets and their pods: status with a lag, ordinals, restarts, volumes, ownership."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.kube.objects import Object, condition, is_ready, ordinal_of
from emqx_tui.sandbox.kube.patches import merge_patch
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig


def settled(*, replicas: int = 3, spec: dict[str, Any] | None = None, **config: Any) -> World:
    world = World(WorldConfig(**{"clients": 0, **config}), seed=1)
    world.settle_cluster(merge_patch(manifest(replicas=replicas), {"spec": spec or {}}))
    return world


def the_set(world: World) -> Object:
    return world.store.list("statefulsets")[0]


def scale(world: World, replicas: int) -> None:
    """As a console does it, so that the operator's next pass restores it."""
    name = the_set(world)["metadata"]["name"]
    path = f"/apis/apps/v1/namespaces/default/statefulsets/{name}/scale"
    reply = world.api.request(
        "PATCH", path, {}, {"spec": {"replicas": replicas}}, "application/merge-patch+json", manager="test"
    )
    assert reply.status == 200


def ordinals(world: World) -> list[int]:
    return sorted(ordinal_of(pod["metadata"]["name"]) for pod in world.pods())


def test_a_settled_set() -> None:
    world = settled()
    status = the_set(world)["status"]
    assert status["replicas"] == status["readyReplicas"] == status["currentReplicas"] == 3
    assert status["currentRevision"] == status["updateRevision"]
    assert status["observedGeneration"] == the_set(world)["metadata"]["generation"]
    pods = list(world.pods())
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3
    for pod in pods:
        labels = pod["metadata"]["labels"]
        assert labels["controller-revision-hash"] == status["currentRevision"]
        assert labels["statefulset.kubernetes.io/pod-name"] == pod["metadata"]["name"]
        assert labels["apps.emqx.io/instance"] == "emqx-ee"
        assert pod["metadata"]["annotations"]["apps.emqx.io/manage-containers"] == "emqx,reloader"
        env = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
        assert env["EMQX_CLUSTER__DNS__NAME"] == "emqx-ee-headless.default.svc.cluster.local"


def test_the_name_is_the_hash_of_the_template() -> None:
    name = the_set(settled())["metadata"]["name"]
    suffix = name.removeprefix("emqx-ee-")
    assert 1 <= len(suffix) <= 10
    assert set(suffix) <= set("456789bcdf")
    assert the_set(settled(replicas=2))["metadata"]["name"] == name, "replicas are no part of it"
    other = settled(spec={"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}})
    assert the_set(other)["metadata"]["name"] != name


def test_the_status_lags_behind_the_spec() -> None:
    world = settled(statefulset_lag_s=1.0)
    scale(world, 2)
    world.advance(0.9)
    assert the_set(world)["status"]["currentReplicas"] == 3
    assert the_set(world)["status"]["observedGeneration"] < the_set(world)["metadata"]["generation"]
    world.advance(0.2)
    status = the_set(world)["status"]
    assert status["currentReplicas"] == 2
    assert status["replicas"] == 3, "the terminating pod still exists"
    assert status["observedGeneration"] == the_set(world)["metadata"]["generation"]


def test_the_highest_number_goes_not_the_highest_text() -> None:
    world = settled(replicas=12)
    scale(world, 9)
    world.advance(6)
    assert ordinals(world) == list(range(9))


def test_a_deleted_pod_runs_on_for_its_stop_time() -> None:
    world = settled(pod_stop_s=5.0)
    name = f"{the_set(world)['metadata']['name']}-2"
    world.store.delete("pods", "default", name)
    world.advance(4.9)
    pod = world.store.get("pods", "default", name)
    assert "deletionTimestamp" in pod["metadata"]
    assert pod["status"]["phase"] == "Running"
    node = next(node for key, node in world.cluster().nodes.items() if name in key)
    assert node.running
    world.advance(0.2)
    assert not node.running
    assert world.store.find("pods", "default", name) is None
    world.advance(1)
    assert world.store.get("pods", "default", name)["metadata"]["uid"] != pod["metadata"]["uid"]


def test_the_grace_period_cuts_a_slow_stop_off() -> None:
    world = settled(pod_stop_s=300.0)
    scale(world, 2)
    world.advance(29.9)
    assert ordinals(world) == [0, 1, 2]
    world.advance(0.5)
    assert ordinals(world) == [0, 1] or the_set(world)["spec"]["replicas"] == 3


def test_a_new_pod_boots_and_waits_for_its_gate() -> None:
    world = settled(pod_boot_s=15.0, kubelet_lag_s=1.0)
    world.advance(11)
    name = f"{the_set(world)['metadata']['name']}-0"
    world.kill_pod(name)
    world.advance(1)
    pod = world.store.get("pods", "default", name)
    assert pod["status"]["phase"] == "Pending"
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    world.advance(14)
    pod = world.store.get("pods", "default", name)
    assert pod["status"]["phase"] == "Running"
    assert condition(pod, "ContainersReady") == {**(condition(pod, "ContainersReady") or {}), "status": "False"}
    world.advance(1)
    pod = world.store.get("pods", "default", name)
    ready = condition(pod, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("False", "ReadinessGatesNotReady")
    gate_set_at = world.operator.next_pass_at(("default", "emqx-ee"))
    assert gate_set_at is not None
    world.run_until(gate_set_at + 0.5)
    assert condition(world.store.get("pods", "default", name), "apps.emqx.io/on-serving") is not None
    assert not is_ready(world.store.get("pods", "default", name)), "the kubelet has not looked yet"
    world.advance(0.6)
    assert is_ready(world.store.get("pods", "default", name))


@pytest.mark.parametrize("how", ["tag", "rule"])
def test_an_image_that_is_not_there(how: str) -> None:
    version = "4.4.15-nopull" if how == "tag" else "4.4.15"
    world = settled(green_pull_fails=(1,) if how == "rule" else ())
    world.api.request(
        "PATCH",
        "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee",
        {},
        {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": version}}}}}},
        "application/merge-patch+json",
    )
    world.advance(100)
    waiting = [
        ordinal_of(pod["metadata"]["name"])
        for pod in world.pods()
        if "waiting" in pod["status"]["containerStatuses"][0]["state"]
    ]
    assert waiting == ([0, 1, 2] if how == "tag" else [1])
    status = world.store.get("emqxenterprises", "default", "emqx-ee")["status"]
    assert "blueGreenUpdateStatus" not in status


def test_no_room_for_a_pod() -> None:
    world = settled()
    world.kubelet.unschedulable.append(lambda pod: True)
    name = f"{the_set(world)['metadata']['name']}-0"
    world.kill_pod(name)
    world.advance(30)
    scheduled = condition(world.store.get("pods", "default", name), "PodScheduled")
    assert scheduled is not None
    assert scheduled["reason"] == "Unschedulable"
    world.kubelet.unschedulable.clear()
    world.advance(60)
    assert is_ready(world.store.get("pods", "default", name))


def test_a_container_restart_keeps_pod_and_address() -> None:
    world = settled()
    name = f"{the_set(world)['metadata']['name']}-0"
    before = world.store.get("pods", "default", name)
    world.restart_broker(name)
    world.advance(1)
    assert not is_ready(world.store.get("pods", "default", name))
    world.advance(60)
    after = world.store.get("pods", "default", name)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert after["status"]["containerStatuses"][0]["restartCount"] == 1
    assert is_ready(after)


PERSISTENT = {"persistent": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}


@pytest.mark.parametrize(("spec", "survives"), [({}, False), (PERSISTENT, True)])
def test_a_volume_keeps_the_evacuation_and_an_empty_dir_does_not(spec: dict[str, Any], survives: bool) -> None:
    world = settled(spec=spec)
    name = f"{the_set(world)['metadata']['name']}-2"
    cluster = world.cluster()
    node = next(key for key in cluster.nodes if name in key)
    path = f"/api/v4/load_rebalance/{node}/evacuation/start"
    reply = world.emqx_request("default", name, "POST", path, b"{}", "Basic YWRtaW46cHVibGlj")
    assert reply.status == 200
    assert cluster.nodes[node].evacuation is not None
    world.kill_pod(name)
    world.advance(60)
    assert cluster.nodes[node].running
    assert (cluster.nodes[node].evacuation is not None) is survives
    assert is_ready(world.store.get("pods", "default", name)) is not survives


def test_claims_outlive_the_set() -> None:
    world = settled(spec=PERSISTENT)
    name = the_set(world)["metadata"]["name"]
    assert [claim["metadata"]["name"] for claim in world.store.list("persistentvolumeclaims")] == [
        f"emqx-ee-data-{name}-{ordinal}" for ordinal in range(3)
    ]
    world.store.delete("emqxenterprises", "default", "emqx-ee")
    world.advance(60)
    for plural in ("statefulsets", "pods", "services", "endpoints", "endpointslices", "secrets", "configmaps"):
        assert world.store.list(plural, "default") == [], plural
    assert len(world.store.list("persistentvolumeclaims")) == 3


def test_without_blue_green_pods_restart_one_by_one() -> None:
    world = settled(spec={"blueGreenUpdate": None})
    assert the_set(world)["metadata"]["name"] == "emqx-ee"
    world.api.request(
        "PATCH",
        "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee",
        {},
        {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}},
        "application/merge-patch+json",
    )
    new_first: list[int] = []
    fewest = 3
    for _ in range(400):
        world.advance(1)
        pods = list(world.pods())
        for pod in pods:
            ordinal = ordinal_of(pod["metadata"]["name"])
            if pod["spec"]["containers"][0]["image"].endswith("4.4.15") and ordinal not in new_first:
                new_first.append(ordinal)
        fewest = min(fewest, sum(1 for node in world.cluster().nodes.values() if node.running))
    assert new_first == [2, 1, 0]
    assert fewest == 2
    status = the_set(world)["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert status["readyReplicas"] == 3
