"""The shape of a cluster holds what a rehearsal needs, and nothing that could be secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.headless.rehearsal.likeness import NotLike, default_shape, manifest, next_version, shape
from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.reading import Reading
from emqx_tui.rollout.policy import CLOSED_S
from emqx_tui.sandbox.world.shape import Shape, shaped
from tests.support import scenes

SECRET = "hunter2"


def resource(**spec: Any) -> EmqxEnterprise:
    container = {
        "image": {"repository": "emqx/emqx-ee", "version": "4.4.19"},
        "bootstrapAPIKeys": [{"key": "app", "secret": SECRET}],
        "emqxConfig": {
            "listener.tcp.external": "11883",
            "listener.ssl.external.keyfile": SECRET,
            "auth.mysql.password": SECRET,
        },
        "env": [{"name": "PASSWORD", "value": SECRET}],
    }
    given: dict[str, Any] = {
        "replicas": 5,
        "license": {"data": SECRET},
        "persistent": {
            "metadata": {"annotations": {"a": SECRET}},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        },
        "serviceTemplate": {"metadata": {"name": "mq", "annotations": {"a": SECRET}}, "spec": {"type": "LoadBalancer"}},
        "blueGreenUpdate": {"initialDelaySeconds": 30, "evacuationStrategy": {"connEvictRate": 50}},
        "template": {"metadata": {"annotations": {"a": SECRET}}, "spec": {"emqxContainer": container}},
        **spec,
    }
    metadata = {"name": "emqx-ee", "namespace": "prod", "uid": "u", "annotations": {"a": SECRET}}
    return EmqxEnterprise.from_json(
        {"apiVersion": "apps.emqx.io/v1beta4", "kind": "EmqxEnterprise", "metadata": metadata, "spec": given}
    )


def test_sizes_rates_ports_and_volumes_are_taken_over_and_secrets_are_not() -> None:
    made = manifest(resource())
    spec = made["spec"]
    assert SECRET not in json.dumps(made)
    assert (spec["replicas"], spec["template"]["spec"]["emqxContainer"]["image"]["version"]) == (5, "4.4.19")
    assert spec["template"]["spec"]["emqxContainer"]["emqxConfig"] == {"listener.tcp.external": "11883"}
    assert spec["persistent"] == {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    assert spec["serviceTemplate"] == {"metadata": {"name": "mq"}, "spec": {"type": "LoadBalancer"}}
    assert spec["blueGreenUpdate"] == {
        "initialDelaySeconds": 30,
        "evacuationStrategy": {"waitTakeover": 0, "connEvictRate": 50, "sessEvictRate": 200},
    }


def test_a_closed_valve_is_not_taken_for_a_delay() -> None:
    closed = resource(blueGreenUpdate={"initialDelaySeconds": CLOSED_S + 3})
    assert manifest(closed)["spec"]["blueGreenUpdate"]["initialDelaySeconds"] == 60


def test_a_cluster_without_blue_green_parameters_has_no_release_to_rehearse() -> None:
    with pytest.raises(NotLike, match="blueGreenUpdate"):
        manifest(EmqxEnterprise.from_json({**resource().raw, "spec": {"replicas": 3}}))


def test_the_shape_of_what_was_seen_makes_a_world() -> None:
    snapshot = scenes.idle().snapshot()
    seen = replace(snapshot, operator_image=Reading("emqx/emqx-operator-controller:2.2.21", snapshot.now))
    told = json.loads(json.dumps(shape(seen)))
    assert told["operator"] == "2.2.21"
    counts = [member.live_connections for member in snapshot.generations[0].members]
    assert told["clients"] == counts
    world = shaped(Shape(**{name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}))
    key = (told["manifest"]["metadata"]["name"], told["manifest"]["metadata"]["namespace"])
    assert world.cluster(*key).truth.live == pytest.approx(sum(counts), abs=5)


def test_the_default_shape_makes_a_world() -> None:
    told = default_shape()
    world = shaped(Shape(**{name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}))
    assert world.cluster().truth.live == pytest.approx(15_000, abs=20)


@pytest.mark.parametrize(
    ("version", "after"), [("4.4.14", "4.4.15"), ("4.4.9-rockylinux", "4.4.10"), ("latest", "4.4.15")]
)
def test_the_next_version(version: str, after: str) -> None:
    assert next_version(version) == after
