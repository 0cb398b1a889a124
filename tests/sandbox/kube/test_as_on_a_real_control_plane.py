"""What the controllers write as they do on a real control plane, beyond what the product needs."""

from __future__ import annotations

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.world.scenario import manifest, scenario
from emqx_tui.sandbox.world.world import World, WorldConfig

SPACE = "default"


def _by_name(world: World, plural: str, name: str) -> Object:
    return world.store.get(plural, SPACE, name)


def test_headless_addresses_have_the_names_of_their_pods() -> None:
    world = scenario(clients=0)
    endpoints = _by_name(world, "endpoints", "emqx-ee-headless")
    addresses = endpoints["subsets"][0]["addresses"]
    assert [each["hostname"] for each in addresses] == [each["targetRef"]["name"] for each in addresses]
    assert endpoints["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert "endpoints.kubernetes.io/last-change-trigger-time" in endpoints["metadata"]["annotations"]
    slices = world.store.list("endpointslices", SPACE, {"kubernetes.io/service-name": "emqx-ee-headless"})
    assert [each["hostname"] for one in slices for each in one["endpoints"]]


def test_mirrored_slices_carry_the_annotations_of_their_endpoints() -> None:
    world = scenario(clients=0)
    (mirrored,) = world.store.list("endpointslices", SPACE, {"kubernetes.io/service-name": "emqx-ee"})
    assert mirrored["metadata"]["annotations"] == _by_name(world, "endpoints", "emqx-ee")["metadata"]["annotations"]


def test_pods_come_and_go_with_events_of_their_set() -> None:
    world = World(WorldConfig(clients=0), seed=1)
    world.store.create("emqxenterprises", manifest(replicas=2))
    world.advance(120)
    (stateful_set,) = world.store.list("statefulsets", SPACE)
    world.store.patch("emqxenterprises", SPACE, "emqx-ee", {"spec": {"replicas": 1}}, "merge")
    world.advance(60)
    name = stateful_set["metadata"]["name"]
    told = {
        each["message"] for each in world.store.list("events", SPACE) if each["involvedObject"]["kind"] == "StatefulSet"
    }
    assert told == {
        f"create Pod {name}-0 in StatefulSet {name} successful",
        f"create Pod {name}-1 in StatefulSet {name} successful",
        f"delete Pod {name}-1 in StatefulSet {name} successful",
    }


def test_plugins_are_held_by_a_finalizer_until_the_operator_lets_go() -> None:
    world = scenario(clients=0)
    plugins = world.store.list("emqxplugins", SPACE)
    assert all(each["metadata"]["finalizers"] == ["apps.emqx.io/finalizer"] for each in plugins)
    world.store.delete("emqxplugins", SPACE, plugins[0]["metadata"]["name"])
    world.advance(1)
    left = world.store.find("emqxplugins", SPACE, plugins[0]["metadata"]["name"])
    assert left is None or left["metadata"]["uid"] != plugins[0]["metadata"]["uid"]


def test_every_write_of_an_enterprise_counts_up_its_generation() -> None:
    world = scenario(clients=0)
    before = _by_name(world, "emqxenterprises", "emqx-ee")["metadata"]["generation"]
    world.store.patch("emqxenterprises", SPACE, "emqx-ee", {"spec": {}}, "merge")
    assert _by_name(world, "emqxenterprises", "emqx-ee")["metadata"]["generation"] == before + 1
