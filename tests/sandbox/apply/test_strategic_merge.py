"""Strategic merge patches as kubectl sends them, and what they leave alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.sandbox.apply.strategic_merge import strategic_merge
from emqx_tui.sandbox.kube.api_error import ApiError

Object = dict[str, Any]


def _pod(**spec: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "1"}}, "spec": spec}


def _merged(old: Object, patch: Object, plural: str = "pods") -> Object:
    before = copy.deepcopy((old, patch))
    merged = strategic_merge(old, patch)
    assert (old, patch) == before
    return merged


def _containers(*names: str) -> list[Object]:
    return [{"name": name, "image": name} for name in names]


def test_maps_merge_and_null_removes() -> None:
    merged = _merged(_pod(nodeName="x", hostname="y"), {"metadata": {"labels": {"b": "2"}}, "spec": {"hostname": None}})
    assert merged["metadata"]["labels"] == {"a": "1", "b": "2"}
    assert merged["spec"] == {"nodeName": "x"}


def test_containers_merge_by_name() -> None:
    old = _pod(
        containers=[{"name": "emqx", "image": "a", "env": [{"name": "A", "value": "1"}]}, *_containers("reloader")]
    )
    patch = {"spec": {"containers": [{"name": "emqx", "image": "b", "env": [{"name": "B", "value": "2"}]}]}}
    emqx, reloader = _merged(old, patch)["spec"]["containers"]
    assert emqx["image"] == "b"
    assert [env["name"] for env in emqx["env"]] == ["A", "B"]
    assert reloader == {"name": "reloader", "image": "reloader"}


def test_an_unknown_item_is_appended() -> None:
    merged = _merged(_pod(containers=_containers("a")), {"spec": {"containers": _containers("b")}})
    assert [each["name"] for each in merged["spec"]["containers"]] == ["a", "b"]


def test_an_item_can_be_deleted() -> None:
    patch = {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}
    assert _merged(_pod(containers=_containers("a", "b")), patch)["spec"]["containers"] == _containers("b")


def test_a_list_can_be_replaced() -> None:
    patch = {"spec": {"containers": [*_containers("c"), {"$patch": "replace"}]}}
    assert _merged(_pod(containers=_containers("a", "b")), patch)["spec"]["containers"] == _containers("c")


def test_a_map_can_be_replaced_or_deleted() -> None:
    old = _pod(securityContext={"runAsUser": 1, "fsGroup": 2})
    replaced = _merged(old, {"spec": {"securityContext": {"$patch": "replace", "runAsUser": 5}}})
    assert replaced["spec"]["securityContext"] == {"runAsUser": 5}
    assert _merged(old, {"spec": {"securityContext": {"$patch": "delete"}}})["spec"]["securityContext"] == {}


def test_lists_without_keys_are_replaced() -> None:
    old = _pod(containers=[{"name": "a", "args": ["x", "y"]}], tolerations=[{"key": "a"}])
    patch = {"spec": {"tolerations": [{"key": "b"}], "containers": [{"name": "a", "args": ["z"]}]}}
    merged = _merged(old, patch)["spec"]
    assert merged["tolerations"] == [{"key": "b"}]
    assert merged["containers"][0]["args"] == ["z"]


def test_the_order_can_be_set() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}],
            "containers": [{"name": "c", "image": "new"}],
        }
    }
    merged = _merged(_pod(containers=_containers("a", "b")), patch)
    assert [each["name"] for each in merged["spec"]["containers"]] == ["c", "a", "b"]


def test_the_order_alone_moves_items_and_keeps_strangers_near_their_neighbour() -> None:
    patch = {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}}
    merged = _merged(_pod(containers=_containers("a", "b", "c")), patch)
    assert [each["name"] for each in merged["spec"]["containers"]] == ["c", "a", "b"]


def test_finalizers_merge_as_a_set() -> None:
    old = _pod()
    old["metadata"]["finalizers"] = ["a/x", "b/y"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"], "finalizers": ["c/z", "b/y"]}}
    assert _merged(old, patch)["metadata"]["finalizers"] == ["b/y", "c/z"]
    only_delete = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}}
    assert _merged(old, only_delete)["metadata"]["finalizers"] == ["b/y"]


def test_a_volume_keeps_only_the_source_that_is_retained() -> None:
    old = _pod(volumes=[{"name": "data", "emptyDir": {}}])
    volume = {"name": "data", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}
    merged = _merged(old, {"spec": {"volumes": [volume]}})
    assert merged["spec"]["volumes"] == [{"name": "data", "hostPath": {"path": "/x"}}]


def test_service_ports_merge_by_port() -> None:
    ports = [{"name": "mqtt", "port": 1883, "targetPort": 1883}, {"name": "ws", "port": 8083}]
    old = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}}
    merged = _merged(old, {"spec": {"ports": [{"port": 1883, "targetPort": 11883}]}}, "services")
    assert merged["spec"]["ports"] == [
        {"name": "mqtt", "port": 1883, "targetPort": 11883},
        {"name": "ws", "port": 8083},
    ]


def test_a_statefulsets_template_merges_too() -> None:
    template = {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": _containers("emqx")}}
    old = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {"template": template}}
    restart = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
    merged = _merged(old, restart, "statefulsets")["spec"]["template"]
    assert merged["metadata"] == {"labels": {"a": "1"}, "annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    assert merged["spec"] == template["spec"]


def test_what_is_new_comes_without_directives() -> None:
    patch = {"spec": {"affinity": {"$patch": "merge", "nodeAffinity": {"$retainKeys": ["x"]}, "podAffinity": None}}}
    assert _merged(_pod(), {"spec": {"overhead": {"cpu": None, "memory": "1Gi"}}})["spec"]["overhead"] == {
        "memory": "1Gi"
    }
    assert _merged(_pod(), patch)["spec"]["affinity"] == {"nodeAffinity": {}}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ({"spec": {"containers": [{"image": "x"}]}}, 400),
        ({"spec": {"$patch": "destroy"}}, 400),
        ({"spec": {"$retainKeys": ["hostname"], "nodeName": "x"}}, 400),
    ],
)
def test_malformed_patches_are_refused(patch: Object, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        strategic_merge(_pod(containers=_containers("a")), patch)
    assert caught.value.code == code


_names = st.sampled_from("abc")
_items = st.lists(
    st.fixed_dictionaries({"name": _names}, optional={"image": _names}), unique_by=lambda item: item["name"]
)


@given(_items, _items)
def test_merging_is_idempotent_and_keeps_every_item(old: list[Object], new: list[Object]) -> None:
    patch = {"spec": {"containers": new}}
    once = strategic_merge(_pod(containers=old), patch)
    assert strategic_merge(once, patch) == once
    names = [each["name"] for each in once["spec"]["containers"]]
    assert names == [each["name"] for each in old] + [
        each["name"] for each in new if each not in old and each["name"] not in {o["name"] for o in old}
    ]
