"""What the sandbox's API server fills in, who owns it, and in which order a write is looked at."""

from __future__ import annotations

import random
from typing import Any

import pytest

from emqx_tui.sandbox.apiserver.schema_admission import install
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Timeline
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig

Object = dict[str, Any]


@pytest.fixture
def store() -> Store:
    store = Store(Timeline(1_767_268_800.0), random.Random(1))
    for resource in standard_resources():
        store.register(resource)
    install(store)
    return store


@pytest.fixture
def world() -> World:
    return World(WorldConfig(clients=0), seed=1, prepare=install)


def _stateful_set() -> Object:
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    pod = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i:1"}], "volumes": volumes},
    }
    selector = {"matchLabels": {"a": "b"}}
    return {"metadata": {"name": "s"}, "spec": {"serviceName": "s", "selector": selector, "template": pod}}


def test_a_stateful_set_has_the_defaults_of_its_kind_and_of_its_pods(store: Store) -> None:
    spec = store.create("statefulsets", _stateful_set(), manager="m")["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["revisionHistoryLimit"] == 10
    (container,) = spec["template"]["spec"]["containers"]
    assert (container["imagePullPolicy"], container["terminationMessagePolicy"]) == ("IfNotPresent", "File")
    assert spec["template"]["spec"]["volumes"][0]["configMap"]["defaultMode"] == 420


def test_whoever_wrote_an_object_owns_its_defaults(store: Store) -> None:
    (entry,) = store.create("statefulsets", _stateful_set(), manager="m")["metadata"]["managedFields"]
    assert "f:revisionHistoryLimit" in entry["fieldsV1"]["f:spec"]


def test_nobody_owns_what_a_webhook_adds(world: World) -> None:
    created = world.store.create("emqxenterprises", manifest(), manager="kubectl")
    assert created["spec"]["serviceTemplate"]["spec"]["ports"]
    (entry,) = created["metadata"]["managedFields"]
    assert "f:serviceTemplate" not in entry["fieldsV1"]["f:spec"]


def test_the_schema_judges_what_the_mutating_webhook_made(world: World) -> None:
    """A rate of 0 is left out by the webhook before the schema could refuse it; a missing version is not made up."""
    world.store.create("emqxenterprises", manifest(), manager="kubectl")
    rates = {"blueGreenUpdate": {"evacuationStrategy": {"connEvictRate": 0}}}
    patched = world.store.patch("emqxenterprises", "default", "emqx-ee", {"spec": rates}, "merge")
    assert "connEvictRate" not in patched["spec"]["blueGreenUpdate"]["evacuationStrategy"]
    no_container = {"template": {"spec": {"emqxContainer": None}}}
    with pytest.raises(ApiError, match="Required value") as refused:
        world.store.patch("emqxenterprises", "default", "emqx-ee", {"spec": no_container}, "merge")
    assert refused.value.code == 422


def test_keys_of_secrets_are_file_names(store: Store) -> None:
    with pytest.raises(ApiError, match="a valid config key must consist of") as refused:
        store.create("secrets", {"metadata": {"name": "s"}, "data": {"a b": "Yg=="}})
    assert refused.value.code == 422
