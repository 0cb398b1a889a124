"""The composed world: settling, scenarios, determinism, and the operator's process."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from emqx_tui.sandbox.emqx.api import Unreachable
from emqx_tui.sandbox.kube.objects import Object, is_ready
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.world.scenario import SCENARIOS, manifest, scenario
from emqx_tui.sandbox.world.world import NOON, World, WorldConfig

KEY = ("default", "emqx-ee")
CR_PATH = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
OPERATOR_PATH = "/apis/apps/v1/namespaces/emqx-operator-system/deployments/emqx-operator-controller-manager"


def patch(world: World, body: Object, path: str = CR_PATH) -> Object:
    reply = world.api.request("PATCH", path, {}, body, "application/merge-patch+json")
    assert reply.status == 200, reply.body
    return reply.body


def release(world: World, version: str = "4.4.15") -> None:
    patch(world, {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": version}}}}}})


def run_while(world: World, condition: Callable[[], bool], *, limit_s: float) -> bool:
    """Step until `condition` is False or `limit_s` have passed; True when it became False."""
    deadline = world.now + limit_s
    while condition():
        upcoming = world.timeline.next_at()
        if upcoming is None or upcoming > deadline:
            world.run_until(deadline)
            return not condition()
        world.timeline.step()
    return True


def status(world: World) -> Object:
    return world.store.get("emqxenterprises", *KEY)["status"]


def sets(world: World) -> dict[str, int]:
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in world.store.list("statefulsets")}


def everything(world: World) -> str:
    """All objects and all counters as text."""
    objects = {
        plural: world.store.list(plural) for plural, resource in world.store.resources.items() if not resource.virtual
    }
    clusters = {
        "/".join(key): {name: (node.live, node.sessions, node.running) for name, node in cluster.nodes.items()}
        for key, cluster in world.clusters.items()
    }
    truths = [repr(cluster.truth) for cluster in world.clusters.values()]
    return json.dumps([world.now, objects, clusters, truths], sort_keys=True)


# -- settling


@pytest.mark.parametrize(("clients", "nodes"), [(100_000, 3), (1_000_000, 12), (10, 1)])
def test_a_scenario_starts_running_with_all_clients_connected(clients: int, nodes: int) -> None:
    world = scenario(clients=clients, nodes=nodes, churn_per_s=0.0)
    assert world.now == NOON
    assert world.cluster().truth.live == clients
    shares = [node.live for node in world.cluster().nodes.values()]
    assert len(shares) == nodes
    assert max(shares) - min(shares) <= 1
    front = status(world)["conditions"][0]
    assert (front["type"], front["status"]) == ("Running", "True")
    assert all(is_ready(pod) for pod in world.pods())
    assert world.operator.next_pass_at(KEY) == NOON + 10


@pytest.mark.parametrize("operator", ["G1", "G2", "G3", "2.1.0"])
def test_every_operator_line_settles(operator: str) -> None:
    world = scenario(clients=900, operator=operator)
    image = world.store.list("deployments")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith(":" + world.operator.line.release)
    gates = [pod["spec"].get("readinessGates") for pod in world.pods()]
    assert all(bool(gate) is (operator in ("G2", "G3")) for gate in gates)
    selector = world.store.get("services", *KEY)["spec"].get("selector")
    assert bool(selector) is (operator not in ("G2", "G3"))


def test_another_start_instant() -> None:
    world = scenario(clients=900, start=1_800_000_000.0)
    assert world.now == 1_800_000_000.0
    assert world.store.get("emqxenterprises", *KEY)["metadata"]["creationTimestamp"] == "2027-01-15T07:55:02Z"


def test_a_plain_world_is_empty_and_its_first_cluster_gets_the_clients() -> None:
    world = World(WorldConfig(clients=3000), seed=1)
    assert world.store.list("emqxenterprises") == []
    for name in ("one", "two"):
        world.store.create("emqxenterprises", manifest(name=name))
    world.advance(120)
    assert world.cluster("one").truth.live > 2900
    assert world.cluster("two").clients is None


def test_the_api_of_a_pod() -> None:
    world = scenario(clients=900)
    pod = next(world.pods())["metadata"]["name"]
    reply = world.emqx_request("default", pod, "GET", "/api/v4/nodes", b"", "Basic YWRtaW46cHVibGlj")
    assert len(json.loads(reply.body)["data"]) == 3
    world.kill_pod(pod)
    with pytest.raises(Unreachable):
        world.emqx_request("default", pod, "GET", "/api/v4/nodes")
    with pytest.raises(Unreachable, match="no such pod"):
        world.emqx_request("default", "other", "GET", "/api/v4/nodes")


def test_the_operators_own_credentials_work() -> None:
    world = scenario(clients=900)
    secret = world.store.get("secrets", "default", "emqx-ee-bootstrap-user")
    line = base64.b64decode(secret["data"]["bootstrap_user"]).decode().split("\n")[-1]
    user, _, password = line.partition(":")
    assert user == "emqx_operator_controller"
    assert len(password) == 64
    basic = "Basic " + base64.b64encode(line.encode()).decode()
    pod = next(world.pods())["metadata"]["name"]
    assert world.emqx_request("default", pod, "GET", "/api/v4/nodes", b"", basic).status == 200
    assert world.emqx_request("default", pod, "GET", "/api/v4/nodes", b"", None).status == 401


# -- determinism


def released(seed: int, name: str) -> str:
    world = scenario(name, clients=9000, seed=seed, operator="2.1.0" if name == "smooth" else "G3")
    world.advance(10)
    release(world)
    world.advance(400)
    return everything(world)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_seed_gives_the_same_world(name: str) -> None:
    assert released(7, name) == released(7, name)
    assert released(7, name) != released(8, name)


def test_looking_changes_nothing() -> None:
    """Reads and dry runs of an observer leave no trace in what follows."""

    def run(watched: bool) -> str:
        world = scenario(clients=9000, seed=3)
        release(world)
        for _ in range(30):
            if watched:
                names = (pod["metadata"]["name"] for pod in world.pods())
                pod = next(name for name in names if world.brokers.at_pod("default", name))
                world.emqx_request("default", pod, "GET", "/api/v4/nodes", b"", "Basic YWRtaW46cHVibGlj")
                dry = {"spec": {"replicas": 5}}
                world.api.request("PATCH", CR_PATH, {"dryRun": "All"}, dry, "application/merge-patch+json")
            world.advance(10)
        return everything(world)

    assert run(watched=False) == run(watched=True)


# -- scenarios


def test_green_never_ready_waits_for_ever() -> None:
    world = scenario("green-never-ready", clients=900)
    release(world)
    world.advance(3600)
    assert sorted(sets(world).values()) == [3, 3]
    assert "blueGreenUpdateStatus" not in status(world)
    assert world.cluster().truth.total.evicted == 0


def test_slow_drain_crawls_on_the_second_node() -> None:
    world = scenario("slow-drain", clients=30_000, churn_per_s=0.0, operator="G3-mended")
    cluster = world.cluster()
    slow = next(name for name, node in cluster.nodes.items() if node.tick_delay_s)
    release(world)
    began = ended = 0.0
    while not ended:
        world.advance(1)
        began = began or (world.now if cluster.nodes[slow].evacuation else 0.0)
        ended = world.now if began and cluster.nodes[slow].live == 0 else 0.0
    assert 250 < ended - began < 500, "50 s at the rate that was asked for"


def test_node_lost_takes_a_green_node_in_the_first_drain() -> None:
    world = scenario("node-lost", clients=30_000, churn_per_s=0.0)
    release(world)
    cluster = world.cluster()
    assert run_while(world, lambda: not any(node.evacuation for node in cluster.nodes.values()), limit_s=300)
    world.advance(25)
    green = [node for node in cluster.nodes.values() if node.version == "4.4.15"]
    assert [node.running for node in green].count(False) == 1
    assert cluster.truth.total.killed > 0
    world.advance(100)
    assert all(node.running for node in cluster.nodes.values() if node.version == "4.4.15")


def test_network_resets_cut_blue_off_when_it_leaves_the_service() -> None:
    world = scenario("network-resets", clients=30_000, churn_per_s=0.0, operator="G3-mended")
    release(world)
    world.advance(400)
    assert world.cluster().truth.total.reset > 5000


# -- hazards


def finished(**config: Any) -> World:
    world = scenario(clients=300, churn_per_s=0.0, cr=manifest(delay_s=5), **config)
    release(world)
    world.advance(300)
    assert sorted(sets(world).values()) == [0, 3]
    return world


def test_going_back_to_a_set_at_zero_makes_a_third_one() -> None:
    world = finished()
    before = set(sets(world))
    release(world, "4.4.14")
    world.advance(1)
    (third,) = set(sets(world)) - before
    assert sets(world)[third] == 3


def test_a_new_annotation_starts_a_release() -> None:
    world = scenario(clients=300)
    patch(world, {"metadata": {"annotations": {"team": "a"}}})
    world.advance(1)
    assert sorted(sets(world).values()) == [3, 3]
    patch(world, {"metadata": {"annotations": {"team": "b"}}})
    world.advance(1)
    assert len(sets(world)) == 2, "changing it does not"


def test_a_new_label_orphans_blue() -> None:
    world = scenario(clients=300, churn_per_s=0.0)
    (blue,) = sets(world)
    patch(world, {"metadata": {"labels": {"stage": "1"}}})
    world.advance(300)
    assert sets(world)[blue] == 3, "never drained"
    assert len(sets(world)) == 2
    assert "blueGreenUpdateStatus" not in status(world)
    route = world.cluster().route
    assert all(name is not None and blue not in name for name in route), "only new pods are listed"


@pytest.mark.parametrize("lag_s", [0.2, 1.5])
def test_nudges_make_the_operator_scale_down_twice_for_one_drained_node(lag_s: float) -> None:
    """Until the StatefulSet's status follows its spec, the drained pod is still the top one."""
    config = {"preset": "emqtt_bench-reconnect", "operator": "G3-mended"}
    world = scenario(clients=900, churn_per_s=0.0, cr=manifest(delay_s=5), **config)
    (blue,) = sets(world)
    release(world)
    world.stateful_sets.syncs.lag_s = lag_s
    assert run_while(world, lambda: sets(world)[blue] == 3, limit_s=200)
    world.advance(0.5)
    patch(world, {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 4}}})
    world.advance(0.1)
    assert sets(world)[blue] == (2 if lag_s < 0.5 else 1)


def test_one_failed_listener_call_takes_the_mqtt_port_away_until_the_next_pass() -> None:
    world = scenario(clients=300, churn_per_s=0.0)
    world.operator.context.faults.append(ApiFault("eof", path="/listeners"))
    world.advance(11)
    assert world.cluster().route == ()
    world.operator.context.faults.clear()
    world.advance(20)
    assert len(world.cluster().route) == 3


def test_wrong_credentials_close_every_gate() -> None:
    world = scenario(clients=300, churn_per_s=0.0)
    world.operator.context.faults.append(ApiFault("unauthorized"))
    world.advance(12)
    assert not any(is_ready(pod) for pod in world.pods())
    (event,) = [event for event in world.store.list("events") if event["reason"] == "ReconcileError"]
    assert "unexpected end of JSON input" in event["message"]
    assert event["count"] == 2, "both status steps of the one pass"
    world.advance(60)
    (subset,) = world.store.get("endpoints", *KEY)["subsets"]
    assert len(subset["addresses"]) == 3, "an empty Ready list skips the listener step"
    assert 1883 not in [port["port"] for port in subset["ports"]], "and so nobody repairs what the first pass broke"


def test_green_enters_the_listener_while_it_becomes_ready_one_by_one() -> None:
    """The valve holds nothing before startedAt: full passes list whatever is Ready."""
    world = scenario(clients=300, churn_per_s=0.0, cr=manifest(delay_s=1_000_000_000))
    rules = world.kubelet.durations.boot_rules
    for ordinal, boot_s in ((0, 12.0), (1, 30.0), (2, 55.0)):
        rules.append((lambda pod, n=ordinal: pod["metadata"]["name"].endswith(f"-{n}"), boot_s))
    (blue,) = sets(world)
    world.advance(10)
    release(world)
    seen = set()
    for _ in range(120):
        world.advance(1)
        seen.add(sum(1 for name in world.cluster().route if name is not None and blue not in name))
    assert seen == {0, 1, 2}, "the third becomes Ready in the pass that starts the hold"
    assert "startedAt" in status(world)["blueGreenUpdateStatus"]


def held(clients: int = 900) -> tuple[World, str, str]:
    """A release under a closed valve with green ready: the world, blue, green."""
    world = scenario(clients=clients, churn_per_s=0.0, cr=manifest(delay_s=1_000_000_000))
    (blue,) = sets(world)
    world.advance(10)
    release(world)
    world.advance(60)
    (green,) = set(sets(world)) - {blue}
    return world, blue, green


def test_a_green_pod_made_anew_under_hold_never_becomes_ready_and_a_release_kills_blue() -> None:
    world, blue, green = held()
    world.kill_pod(f"{green}-1")
    world.advance(600)
    assert not is_ready(world.store.get("pods", "default", f"{green}-1"))
    assert sets(world)[blue] == 3
    patch(world, {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 1}}})
    world.advance(6)
    assert sets(world)[blue] == 2
    assert world.cluster().truth.total.killed > 0


def test_a_nudge_while_the_green_pod_is_away_resets_and_repairs() -> None:
    world, _, green = held()
    world.kill_pod(f"{green}-1")
    world.advance(2)
    patch(world, {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 999_999_999}}})
    world.advance(1)
    assert "blueGreenUpdateStatus" not in status(world)
    world.advance(90)
    assert is_ready(world.store.get("pods", "default", f"{green}-1"))
    assert "startedAt" in status(world)["blueGreenUpdateStatus"]


@pytest.mark.parametrize(("left", "expected"), [(2, {"blue": 3, "sets": 2}), (0, {"blue": 0, "sets": 3})])
def test_restoring_the_template_restores_blue_unless_it_is_gone(left: int, expected: dict[str, int]) -> None:
    world, blue, _ = held()
    patch(world, {"spec": {"replicas": left}}, f"/apis/apps/v1/namespaces/default/statefulsets/{blue}/scale")
    world.advance(30)
    assert sets(world)[blue] == left, "nobody fights a console's scale"
    release(world, "4.4.14")
    world.advance(1)
    assert {"blue": sets(world)[blue], "sets": len(sets(world))} == expected


@pytest.mark.parametrize(("linger_s", "downs"), [(0.0, 2), (30.0, 1)])
def test_a_pod_that_outlives_its_broker_and_a_stale_list_cost_a_second_one(linger_s: float, downs: int) -> None:
    """The drained node's pod is still the top one 20 s later, and the list could not be refreshed meanwhile."""
    config = {"pod_linger_s": linger_s, "operator": "G3-mended"}
    world = scenario(clients=900, churn_per_s=0.0, cr=manifest(delay_s=5), **config)
    (blue,) = sets(world)
    release(world)
    assert run_while(world, lambda: sets(world)[blue] == 3, limit_s=200)
    world.operator.context.faults.append(ApiFault("refused", path="/load_rebalance/global_status"))
    world.advance(25)
    assert sets(world)[blue] == downs


def test_plugin_objects_are_loaded_and_their_settings_reach_the_config_map() -> None:
    world = scenario(clients=300)
    names = [each["spec"]["pluginName"] for each in world.store.list("emqxplugins")]
    assert "emqx_node_rebalance" in names
    assert all(each["status"] == {"phase": "loaded"} for each in world.store.list("emqxplugins"))
    spec = {"pluginName": "emqx_lwm2m", "selector": {"apps.emqx.io/instance": "emqx-ee"}, "config": {"a.b": "1s"}}
    world.store.create("emqxplugins", {"metadata": {"name": "emqx-lwm2m", "namespace": "default"}, "spec": spec})
    world.advance(2)
    files = world.store.get("configmaps", "default", "emqx-ee-plugins-config")["data"]
    assert files["emqx_lwm2m.conf"] == "a.b = 1s\n"


# -- the operator's process


def test_a_write_in_the_middle_of_a_pass_makes_its_status_write_conflict() -> None:
    world = scenario(clients=300, churn_per_s=0.0)
    world.operator.context.faults.append(ApiFault("slow", delay_s=0.5, path="/nodes"))
    world.advance(10.2)
    patch(world, {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 61}}})
    world.advance(1)
    conflicts = [each for each in world.operator.passes if "the object has been modified" in each.outcome]
    assert [round(each.ended_at - NOON, 3) for each in conflicts] == [10.5]


def test_one_hanging_call_stops_the_passes_of_all_resources() -> None:
    world = scenario(clients=300, churn_per_s=0.0)
    world.store.create("emqxenterprises", manifest(name="other"))
    world.advance(60)
    world.operator.context.faults.append(ApiFault("hang", path="/nodes"))
    world.advance(30)
    quiet_since = len(world.operator.passes)
    world.advance(120)
    assert len(world.operator.passes) == quiet_since
    world.operator.context.faults.clear()
    world.advance(30)
    assert {each.key for each in list(world.operator.passes)[quiet_since:]} == {KEY, ("default", "other")}


def test_a_hold_survives_a_restart_of_the_operator() -> None:
    world = scenario(clients=300, churn_per_s=0.0, cr=manifest(delay_s=1_000_000_000))
    release(world)
    world.advance(100)
    world.operator.restart()
    assert not world.operator.running
    world.advance(60)
    assert world.operator.running
    assert world.cluster().truth.total.evicted == 0


def test_scaling_the_operator_to_zero_stops_it_and_its_webhooks() -> None:
    world = scenario(clients=300, churn_per_s=0.0)
    patch(world, {"spec": {"replicas": 0}}, OPERATOR_PATH + "/scale")
    assert world.operator.down
    assert world.store.list("pods", "emqx-operator-system") == []
    reply = world.api.request("PATCH", CR_PATH, {}, {"spec": {"replicas": 4}}, "application/merge-patch+json")
    assert reply.status == 500
    before = len(world.operator.passes)
    world.advance(100)
    assert len(world.operator.passes) == before
    patch(world, {"spec": {"replicas": 1}}, OPERATOR_PATH + "/scale")
    world.advance(10)
    assert world.operator.running
    assert len(world.operator.passes) > before
    deployment = world.store.list("deployments")[0]
    assert deployment["status"]["readyReplicas"] == 1


def test_another_operator_line_starts_a_release_by_itself() -> None:
    world = scenario(clients=300, operator="G1", churn_per_s=0.0)
    world.upgrade_operator("G3")
    world.advance(30)
    assert sorted(sets(world).values()) == [3, 3]


def test_the_set_that_matches_is_written_on_every_pass_and_blue_is_not() -> None:
    world = scenario(clients=300, churn_per_s=0.0, cr=manifest(delay_s=1_000_000_000))
    (blue,) = sets(world)
    release(world)
    world.advance(80)
    (green,) = set(sets(world)) - {blue}

    def versions() -> tuple[str, ...]:
        return tuple(
            world.store.get("statefulsets", "default", name)["metadata"]["resourceVersion"] for name in (blue, green)
        )

    before = versions()
    patch(world, {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 999_999_999}}})
    world.advance(1)
    after = versions()
    assert after[0] == before[0]
    assert after[1] != before[1]
