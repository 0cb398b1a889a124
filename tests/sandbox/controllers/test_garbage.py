"""What goes with its owner, and what expires."""

from __future__ import annotations

import pytest

from emqx_tui.sandbox.controllers.event_expiry import KEPT_S
from emqx_tui.sandbox.world.world import World, WorldConfig


def world_with_family() -> World:
    """A StatefulSet of somebody else with nothing in it, a ConfigMap that it owns, and one that nobody owns."""
    world = World(WorldConfig(clients=0), seed=1)
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "x", "image": "x:1"}]}}
    selector = {"matchLabels": {"app": "x"}}
    spec = {"replicas": 0, "serviceName": "x", "selector": selector, "template": template}
    owner = world.store.create("statefulsets", {"metadata": {"name": "owner"}, "spec": spec})
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "owner", "uid": owner["metadata"]["uid"]}
    world.store.create("configmaps", {"metadata": {"name": "child", "ownerReferences": [reference]}})
    world.store.create("configmaps", {"metadata": {"name": "stranger"}})
    world.advance(1)
    return world


def names(world: World, plural: str) -> list[str]:
    return [each["metadata"]["name"] for each in world.store.list(plural, "default")]


@pytest.mark.parametrize(
    ("propagation", "left"),
    [("Background", ["stranger"]), ("Foreground", ["stranger"]), ("Orphan", ["child", "stranger"])],
)
def test_propagation(propagation: str, left: list[str]) -> None:
    world = world_with_family()
    path = "/apis/apps/v1/namespaces/default/statefulsets/owner"
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
    assert world.api.request("DELETE", path, {}, options).status == 200
    if propagation == "Foreground":
        assert names(world, "statefulsets") == ["owner"], "it goes last"
    world.advance(2)
    assert names(world, "configmaps") == left
    assert names(world, "statefulsets") == []


def test_events_are_kept_for_an_hour_after_their_last_write() -> None:
    world = World(WorldConfig(clients=0), seed=1)
    event = world.store.create("events", {"metadata": {"name": "e", "namespace": "default"}, "count": 1})
    world.advance(KEPT_S - 1)
    world.store.update("events", {**event, "count": 2})
    world.advance(KEPT_S - 1)
    assert names(world, "events") == ["e"]
    world.advance(2)
    assert names(world, "events") == []
