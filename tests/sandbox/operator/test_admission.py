"""The operator's webhooks: what they fill in, what they refuse, and that they fail closed."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.patches import merge_patch
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig

CRS = "emqxenterprises"
CONTAINER = "template.spec.emqxContainer"


def nested(path: str, value: Any) -> dict[str, Any]:
    """`a.b.c` and a value as {"a": {"b": {"c": value}}}."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def made(**more: Any) -> dict[str, Any]:
    return merge_patch(manifest(), {"spec": more})


@pytest.fixture
def world() -> World:
    return World(WorldConfig(clients=0), seed=1)


def created(world: World, cr: dict[str, Any] | None = None) -> dict[str, Any]:
    return world.store.create(CRS, cr or manifest())


def patched(world: World, patch: dict[str, Any], **options: Any) -> dict[str, Any]:
    return world.store.patch(CRS, "default", "emqx-ee", patch, "merge", **options)


def test_defaults_of_a_slim_resource(world: World) -> None:
    cr = created(world)
    own = {"apps.emqx.io/managed-by": "emqx-operator", "apps.emqx.io/instance": "emqx-ee"}
    assert cr["metadata"]["labels"] == own
    spec = cr["spec"]
    assert spec["replicas"] == 3
    assert spec["template"]["metadata"]["labels"] == own
    assert "annotations" not in spec["template"]["metadata"]
    container = spec["template"]["spec"]["emqxContainer"]
    assert container["emqxConfig"]["cluster.dns.name"] == "emqx-ee-headless.default.svc.cluster.local"
    assert container["emqxConfig"]["name"] == "emqx-ee"
    assert len(container["emqxACL"]) == 4
    assert [port["containerPort"] for port in container["ports"]] == [8081, 18083]
    assert [port["port"] for port in spec["serviceTemplate"]["spec"]["ports"]] == [8081, 18083]
    assert spec["serviceTemplate"]["metadata"]["name"] == "emqx-ee"


def test_what_is_given_is_not_overwritten(world: World) -> None:
    config = {"cluster.dns.type": "a", "listener.tcp.external": "11883"}
    cr = created(world, made(**nested(f"{CONTAINER}.emqxConfig", config)))
    kept = cr["spec"]["template"]["spec"]["emqxContainer"]["emqxConfig"]
    assert kept["cluster.dns.type"] == "a"
    assert kept["listener.tcp.external"] == "11883"


def test_labels_and_annotations_are_copied_once_and_never_corrected(world: World) -> None:
    created(world)
    cr = patched(world, {"metadata": {"annotations": {"team": "a"}, "labels": {"stage": "1"}}})
    template = cr["spec"]["template"]["metadata"]
    assert template["annotations"] == {"team": "a"}
    assert template["labels"]["stage"] == "1"
    cr = patched(world, {"metadata": {"annotations": {"team": "b"}, "labels": {"stage": None}}})
    template = cr["spec"]["template"]["metadata"]
    assert template["annotations"] == {"team": "a"}
    assert template["labels"]["stage"] == "1"


def test_kubectls_own_annotation_is_not_copied(world: World) -> None:
    created(world)
    cr = patched(world, {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}})
    assert "annotations" not in cr["spec"]["template"]["metadata"]


def test_zero_comes_back_as_absent(world: World) -> None:
    cr = created(world, made(blueGreenUpdate={"initialDelaySeconds": 0, "evacuationStrategy": {"waitTakeover": 0}}))
    update = cr["spec"]["blueGreenUpdate"]
    assert "initialDelaySeconds" not in update
    assert "waitTakeover" not in update["evacuationStrategy"]
    assert update["evacuationStrategy"]["connEvictRate"] == 200


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("4.4.13", "too old"),
        ("4.4.14-rc.1", "too old"),
        ("4.4.14", None),
        ("v4.4.15", None),
        ("4.4.19-otp24", None),
        ("5.0.0-rc.1", None),
        ("5.0.0", "too new"),
        ("5.1", "too new"),
        ("latest", "can not be latest"),
        ("stable", "invalid image version"),
        ("", "invalid image version"),
    ],
)
@pytest.mark.parametrize("when", ["create", "update"])
def test_image_versions(world: World, version: str, why: str | None, when: str) -> None:
    patch = nested(f"{CONTAINER}.image.version", version)

    def write() -> None:
        if when == "create":
            created(world, made(**patch))
        else:
            created(world)
            patched(world, {"spec": patch})

    if why is None:
        write()
        return
    with pytest.raises(ApiError, match=why) as refused:
        write()
    assert refused.value.code == 403
    assert "denied the request" in refused.value.message


KEYS = [{"key": "console", "secret": "abc"}]


@pytest.mark.parametrize(
    ("before", "patch", "why"),
    [
        ({}, nested(f"{CONTAINER}.bootstrapAPIKeys", KEYS), "bootstrap APIKey cannot be updated"),
        (nested(f"{CONTAINER}.bootstrapAPIKeys", KEYS), nested(f"{CONTAINER}.bootstrapAPIKeys", None), "bootstrap"),
        ({}, nested(f"{CONTAINER}.emqxConfig", {"name": "other"}), 'refuse to update the "name" field'),
        ({}, nested(f"{CONTAINER}.emqxConfig", {"cluster.dns.type": "a"}), "cluster"),
        ({}, nested(f"{CONTAINER}.emqxConfig", {"log.level": "debug"}), None),
        ({}, nested(f"{CONTAINER}.emqxConfig", {"log.to": "file"}), None),
        ({}, {"persistent": {"spec": {"accessModes": ["ReadWriteOnce"]}}}, "refuse to update Persistent"),
        ({"persistent": {"spec": {"accessModes": ["ReadWriteOnce"]}}}, {"persistent": None}, "Persistent"),
        ({}, {"blueGreenUpdate": None}, None),
        ({}, {"replicas": 0}, None),
    ],
)
def test_updates(world: World, before: dict[str, Any], patch: dict[str, Any], why: str | None) -> None:
    created(world, made(**before))
    if why is None:
        patched(world, {"spec": patch})
        return
    with pytest.raises(ApiError, match=why):
        patched(world, {"spec": patch})


def test_removed_cluster_settings_come_back_as_defaults(world: World) -> None:
    created(world)
    cr = patched(world, {"spec": nested(f"{CONTAINER}.emqxConfig", {"cluster.dns.type": None})})
    assert cr["spec"]["template"]["spec"]["emqxContainer"]["emqxConfig"]["cluster.dns.type"] == "srv"


def test_a_new_label_is_refused_where_there_is_a_volume(world: World) -> None:
    created(world, made(persistent={"spec": {"accessModes": ["ReadWriteOnce"]}}))
    with pytest.raises(ApiError, match="refuse to update Persistent"):
        patched(world, {"metadata": {"labels": {"stage": "1"}}})


def test_they_fail_closed_but_not_for_status_and_scale(world: World) -> None:
    created(world)
    world.advance(60)
    world.operator.down = True
    with pytest.raises(ApiError, match="failed calling webhook") as refused:
        patched(world, {"spec": {"replicas": 4}})
    assert refused.value.code == 500
    with pytest.raises(ApiError):
        patched(world, {"spec": {"replicas": 4}}, dry_run=True)
    patched(world, {"status": {"replicas": 7}}, subresource="status")
    patched(world, {"spec": {"replicas": 4}}, subresource="scale")
    world.operator.down = False
    assert patched(world, {"spec": {"replicas": 5}})["spec"]["replicas"] == 5


def test_a_dry_run_is_admitted_and_changes_nothing(world: World) -> None:
    created(world)
    before = world.store.get(CRS, "default", "emqx-ee")
    shown = patched(world, {"metadata": {"annotations": {"team": "a"}}}, dry_run=True)
    assert shown["spec"]["template"]["metadata"]["annotations"] == {"team": "a"}
    assert world.store.get(CRS, "default", "emqx-ee") is before


def test_negative_replicas_are_invalid(world: World) -> None:
    created(world)
    world.advance(60)
    (blue,) = world.store.list("statefulsets")
    patch = {"spec": {"replicas": -1}}
    with pytest.raises(ApiError, match="greater than or equal to 0") as refused:
        world.store.patch("statefulsets", "default", blue["metadata"]["name"], patch, "merge")
    assert refused.value.code == 422
