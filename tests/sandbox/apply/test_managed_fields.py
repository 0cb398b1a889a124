"""Who owns which field: examples as real clusters show them, and what must hold for any history of writes."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.sandbox.apply.field_sets import difference, intersection, paths, union
from emqx_tui.sandbox.apply.managed_fields import ManagedFields
from emqx_tui.sandbox.apply.typed_objects import compare, field_set, merge, remove, without_nulls
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.schema.catalog import object_schema

Object = dict[str, Any]

_T1, _T2, _T3 = "2026-01-01T12:00:00Z", "2026-01-01T12:00:10Z", "2026-01-01T12:00:20Z"
_FIELDS = ManagedFields()


def _enterprise(**spec: Any) -> Object:
    return {
        "apiVersion": "apps.emqx.io/v1beta4",
        "kind": "EmqxEnterprise",
        "metadata": {"name": "emqx-ee", "namespace": "default"},
        "spec": spec,
    }


def _pod(*containers: Object, **metadata: Any) -> Object:
    named = {"name": "p", "namespace": "default", **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": {"containers": list(containers)}}


def _created(obj: Object, manager: str = "kubectl-create", now: str = _T1) -> Object:
    return _FIELDS.track(None, obj, manager, "Update", None, now)


def _updated(old: Object, new: Object, manager: str, subresource: str | None = None, now: str = _T2) -> Object:
    owners = {"managedFields": old["metadata"].get("managedFields")}
    return _FIELDS.track(old, {**new, "metadata": {**new["metadata"], **owners}}, manager, "Update", subresource, now)


def _apply(old: Object | None, patch: Object, manager: str, *, force: bool = False, now: str = _T2) -> Object:
    return _FIELDS.apply(old, patch, manager, force, None, now)


def _owned(obj: Object, manager: str, operation: str = "Update") -> list[str]:
    for entry in obj["metadata"].get("managedFields", []):
        if (entry["manager"], entry["operation"]) == (manager, operation):
            return list(paths(entry["fieldsV1"]))
    return []


# -- plain writes


def test_the_creator_owns_what_it_wrote() -> None:
    created = _created(_enterprise(replicas=3, blueGreenUpdate={"initialDelaySeconds": 60}))
    assert created["metadata"]["managedFields"] == [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "apps.emqx.io/v1beta4",
            "time": _T1,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {".": {}, "f:replicas": {}, "f:blueGreenUpdate": {".": {}, "f:initialDelaySeconds": {}}}
            },
        }
    ]


def test_an_updater_takes_what_it_changed_and_nothing_else() -> None:
    created = _created(_enterprise(replicas=3, blueGreenUpdate={"initialDelaySeconds": 60}))
    held = _updated(created, _enterprise(replicas=3, blueGreenUpdate={"initialDelaySeconds": 5}), "emqx-tui")
    assert _owned(held, "emqx-tui") == [".spec.blueGreenUpdate.initialDelaySeconds"]
    assert _owned(held, "kubectl-create") == [".spec", ".spec.blueGreenUpdate", ".spec.replicas"]


def test_two_updates_of_one_manager_are_one_entry_with_the_later_time() -> None:
    created = _created(_enterprise(replicas=3))
    once = _updated(created, _enterprise(replicas=4), "a", now=_T2)
    twice = _updated(once, _enterprise(replicas=4, clusterDomain="x"), "a", now=_T3)
    assert _owned(twice, "a") == [".spec.clusterDomain", ".spec.replicas"]
    assert [entry["time"] for entry in twice["metadata"]["managedFields"]] == [_T1, _T3]


def test_a_write_without_a_change_keeps_owners_and_times() -> None:
    created = _created(_enterprise(replicas=3))
    again = _updated(created, _enterprise(replicas=3), "b")
    assert again["metadata"]["managedFields"] == created["metadata"]["managedFields"]


def test_a_removed_field_belongs_to_nobody() -> None:
    created = _created(_enterprise(replicas=3, clusterDomain="x"))
    without = _updated(created, _enterprise(replicas=3), "b")
    assert _owned(without, "kubectl-create") == [".spec", ".spec.replicas"]
    assert _owned(without, "b") == []


def test_the_status_belongs_to_who_writes_it_through_its_door() -> None:
    created = _created({**_enterprise(replicas=3), "status": {"replicas": 0}})
    assert not [path for path in _owned(created, "kubectl-create") if path.startswith(".status")]
    running = _updated(created, {**created, "status": {"replicas": 3}}, "emqx-operator", "status")
    entry = running["metadata"]["managedFields"][-1]
    assert (entry["manager"], entry["subresource"]) == ("emqx-operator", "status")
    assert entry["fieldsV1"] == {"f:status": {"f:replicas": {}}}


def test_lists_with_keys_are_owned_by_item_and_others_as_a_whole() -> None:
    ports = [{"containerPort": 1883, "protocol": "TCP"}, {"containerPort": 8081, "protocol": "TCP"}]
    pod = _pod({"name": "emqx", "image": "a", "args": ["x"], "ports": ports, "env": [{"name": "A", "value": "1"}]})
    owned = _owned(_created(pod), "kubectl-create")
    base = '.spec.containers[name="emqx"]'
    assert f"{base}.args" in owned
    assert f'{base}.ports[containerPort=1883,protocol="TCP"].containerPort' in owned
    assert f'{base}.env[name="A"].value' in owned
    # A new pod has a list of containers before anybody fills it; a list of ports it has not.
    assert ".spec.containers" not in owned
    assert f"{base}.ports" in owned


def test_conditions_of_a_pod_have_an_owner_each() -> None:
    pod = _created(_pod({"name": "emqx", "image": "a"}))
    ready = {"type": "Ready", "status": "True"}
    gate = {"type": "apps.emqx.io/on-serving", "status": "True"}
    kubelet = _updated(pod, {**pod, "status": {"conditions": [ready]}}, "kubelet", "status")
    both = _updated(kubelet, {**pod, "status": {"conditions": [ready, gate]}}, "emqx-operator", "status", _T3)
    assert '.status.conditions[type="Ready"].status' in _owned(both, "kubelet")
    assert _owned(both, "emqx-operator") == [
        '.status.conditions[type="apps.emqx.io/on-serving"]',
        '.status.conditions[type="apps.emqx.io/on-serving"].status',
        '.status.conditions[type="apps.emqx.io/on-serving"].type',
    ]


def test_a_custom_resources_conditions_are_one_field() -> None:
    created = _created(_enterprise(replicas=3))
    status = {"conditions": [{"type": "ClusterRunning", "status": "True"}]}
    running = _updated(created, {**created, "status": status}, "emqx-operator", "status")
    assert _owned(running, "emqx-operator") == [".status", ".status.conditions"]


def test_nobody_owns_what_the_server_fills_in() -> None:
    filled = _pod({"name": "a", "image": "b"}, uid="u", generation=1, creationTimestamp=_T1, labels={"a": "b"})
    assert [path for path in _owned(_created(filled), "kubectl-create") if path.startswith(".metadata")] == [
        ".metadata.labels",
        ".metadata.labels.a",
    ]


def test_owners_can_be_forgotten_and_then_stay_forgotten() -> None:
    created = _created(_enterprise(replicas=3))
    forgotten = {**created, "metadata": {**created["metadata"], "managedFields": []}}
    bare = _FIELDS.track(created, forgotten, "b", "Update", None, _T2)
    assert "managedFields" not in bare["metadata"]
    assert "managedFields" not in _FIELDS.track(bare, _enterprise(replicas=5), "c", "Update", None, _T3)["metadata"]


def test_the_oldest_updaters_are_lumped_together_beyond_ten() -> None:
    obj = _created(_enterprise(replicas=0), "m0")
    for index in range(1, 12):
        labels = {f"l{each}": "x" for each in range(1, index + 1)}
        new = {**obj, "metadata": {**obj["metadata"], "labels": labels}}
        obj = _FIELDS.track(obj, new, f"m{index}", "Update", None, f"2026-01-01T12:00:{index:02}Z")
    managers = [entry["manager"] for entry in obj["metadata"]["managedFields"]]
    assert len(managers) == 10
    assert managers[0] == "ancient-changes"
    assert ".spec.replicas" in _owned(obj, "ancient-changes")
    assert ".metadata.labels.l1" in _owned(obj, "ancient-changes")


# -- server-side apply


def test_an_applier_owns_what_its_configuration_names() -> None:
    applied = _apply(_created(_enterprise(replicas=3)), _enterprise(clusterDomain="x"), "argo")
    assert applied["spec"] == {"replicas": 3, "clusterDomain": "x"}
    entry = applied["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("argo", "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:clusterDomain": {}}}


def test_a_new_object_can_be_applied() -> None:
    applied = _apply(None, _enterprise(replicas=3), "argo")
    assert applied["spec"] == {"replicas": 3}
    assert _owned(applied, "argo", "Apply") == [".spec.replicas"]


def test_what_is_no_longer_applied_goes() -> None:
    first = _apply(
        _created(_enterprise(replicas=3)), _enterprise(clusterDomain="x", license={"secretName": "s"}), "argo"
    )
    second = _apply(first, _enterprise(clusterDomain="x"), "argo", now=_T3)
    assert second["spec"] == {"replicas": 3, "clusterDomain": "x"}
    assert _owned(second, "argo", "Apply") == [".spec.clusterDomain"]


def test_what_somebody_else_owns_too_stays_when_no_longer_applied() -> None:
    shared = _apply(_apply(None, _enterprise(replicas=3, clusterDomain="x"), "a"), _enterprise(replicas=3), "b")
    dropped = _apply(shared, _enterprise(clusterDomain="x"), "a", now=_T3)
    assert dropped["spec"] == {"replicas": 3, "clusterDomain": "x"}
    assert _owned(dropped, "b", "Apply") == [".spec.replicas"]


def test_an_item_that_is_no_longer_applied_goes() -> None:
    live = _created(_pod({"name": "emqx", "image": "a", "env": [{"name": "MINE", "value": "1"}]}))
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    first = _apply(live, _pod({"name": "emqx", "env": env}), "argo")
    assert [each["name"] for each in first["spec"]["containers"][0]["env"]] == ["MINE", "A", "B"]
    second = _apply(first, _pod({"name": "emqx", "env": env[1:]}), "argo", now=_T3)
    assert [each["name"] for each in second["spec"]["containers"][0]["env"]] == ["MINE", "B"]


def test_taking_somebody_elses_value_is_a_conflict() -> None:
    live = _created(_enterprise(replicas=3))
    with pytest.raises(ApiError) as caught:
        _apply(live, _enterprise(replicas=5), "argo")
    refusal = caught.value
    who = '"kubectl-create" using apps.emqx.io/v1beta4'
    assert (refusal.code, refusal.reason) == (409, "Conflict")
    assert refusal.message == f"Apply failed with 1 conflict: conflict with {who}: .spec.replicas"
    assert refusal.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": ".spec.replicas"}
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    live = _apply(_created(_enterprise(replicas=3)), _enterprise(clusterDomain="x"), "argo")
    with pytest.raises(ApiError) as caught:
        _apply(live, _enterprise(replicas=5, clusterDomain="y"), "me", now=_T3)
    assert caught.value.message == (
        "Apply failed with 2 conflicts: "
        'conflicts with "argo":\n- .spec.clusterDomain\n'
        'conflicts with "kubectl-create" using apps.emqx.io/v1beta4:\n- .spec.replicas'
    )


def test_force_takes_the_field() -> None:
    live = _created(_enterprise(replicas=3))
    forced = _apply(live, _enterprise(replicas=5), "argo", force=True)
    assert forced["spec"]["replicas"] == 5
    assert _owned(forced, "argo", "Apply") == [".spec.replicas"]
    assert ".spec.replicas" not in _owned(forced, "kubectl-create")


def test_the_same_value_is_shared() -> None:
    shared = _apply(_created(_enterprise(replicas=3)), _enterprise(replicas=3), "argo")
    assert _owned(shared, "argo", "Apply") == [".spec.replicas"]
    assert ".spec.replicas" in _owned(shared, "kubectl-create")


def test_an_object_that_nobody_tracked_was_written_before_the_first_apply() -> None:
    applied = _apply(_enterprise(replicas=3), _enterprise(clusterDomain="x"), "argo")
    assert ".spec.replicas" in _owned(applied, "before-first-apply")
    with pytest.raises(ApiError):
        _apply(_enterprise(replicas=3), _enterprise(replicas=4), "argo")


def test_kubectl_may_go_from_client_side_to_server_side_apply() -> None:
    manifest = _enterprise(replicas=3)
    text = json.dumps({**manifest, "metadata": {"name": "emqx-ee"}})
    annotated = {**manifest["metadata"], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": text}}
    live = _created({**manifest, "metadata": annotated}, "kubectl-client-side-apply")
    moved = _apply(live, _enterprise(replicas=5), "kubectl")
    assert moved["spec"]["replicas"] == 5
    assert '"replicas":5' in moved["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    with pytest.raises(ApiError):
        _apply(live, _enterprise(replicas=5), "argo")


@pytest.mark.parametrize(
    ("patch", "code", "text"),
    [
        ({**_enterprise(), "metadata": {"name": "emqx-ee", "managedFields": []}}, 400, "managedFields must be nil"),
        ({**_enterprise(), "apiVersion": "apps.emqx.io/v1beta3"}, 400, "Incorrect version specified in apply patch"),
        (_enterprise(paused=True), 500, ".spec.paused: field not declared in schema"),
    ],
)
def test_configurations_that_cannot_be_applied(patch: Object, code: int, text: str) -> None:
    with pytest.raises(ApiError) as caught:
        _apply(_created(_enterprise(replicas=3)), patch, "argo")
    assert caught.value.code == code
    assert text in caught.value.message


def test_a_key_twice_in_a_configuration_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        _apply(_created(_pod({"name": "a", "image": "x"})), _pod({"name": "a"}, {"name": "a"}), "argo")
    assert 'duplicate entries for key {"name":"a"}' in caught.value.message


# -- what must always hold

_SCHEMA = object_schema("v1", "Pod")
_names = st.sampled_from(["a", "b", "c"])
_containers = st.lists(
    st.fixed_dictionaries(
        {"name": _names},
        optional={
            "image": _names,
            "args": st.lists(_names, max_size=2),
            "env": st.lists(
                st.fixed_dictionaries({"name": _names}, optional={"value": _names}), unique_by=lambda env: env["name"]
            ),
        },
    ),
    unique_by=lambda container: container["name"],
    max_size=3,
)
_labels = st.dictionaries(_names, _names, max_size=3)


@st.composite
def _pods(draw: st.DrawFn) -> Object:
    pod = _pod(*draw(_containers))
    labels = draw(_labels)
    if labels:
        pod["metadata"]["labels"] = labels
    return pod


def _everything_owned(obj: Object) -> set[str]:
    found: set[str] = set()
    for entry in obj["metadata"].get("managedFields", []):
        found |= set(paths(entry["fieldsV1"]))
    return found


def _values(pod: Object) -> dict[str, Any]:
    """The pod's values by path, told without the code under test."""
    found = {f".metadata.labels.{key}": value for key, value in pod["metadata"].get("labels", {}).items()}
    for container in pod["spec"].get("containers") or []:
        base = f'.spec.containers[name="{container["name"]}"]'
        found |= {f"{base}.{key}": container[key] for key in ("name", "image", "args") if key in container}
        for env in container.get("env", []):
            found |= {f'{base}.env[name="{env["name"]}"].{key}': value for key, value in env.items()}
    return found


@given(st.lists(st.tuples(_pods(), _names), min_size=1, max_size=6))
def test_updates_leave_each_value_with_exactly_one_owner(history: list[tuple[Object, str]]) -> None:
    # Something stays owned throughout: an object that lost its last owner is not tracked any more.
    for pod, _ in history:
        pod["metadata"]["annotations"] = {"stays": "here"}
    (first, creator), *later = history
    obj = _created(first, creator)
    for new, manager in later:
        obj = _updated(obj, new, manager)
    owners = [set(paths(entry["fieldsV1"])) for entry in obj["metadata"].get("managedFields", [])]
    assert sum(map(len, owners)) == len(set().union(*owners))
    assert set(_values(obj)) <= set().union(*owners)


@given(_pods(), _pods())
def test_an_update_is_its_comparison(old: Object, new: Object) -> None:
    created = _created(old, "a")
    removed, modified, added = compare(old, new, _SCHEMA)
    assert not intersection(removed, added)
    assert not intersection(modified, union(removed, added))
    updated = _updated(created, new, "b")
    assert set(_owned(updated, "b")) == set(paths(union(modified, added)))


@given(_pods(), _pods())
def test_applying_twice_is_applying_once(live: Object, patch: Object) -> None:
    once = _apply(_created(live), patch, "argo", force=True, now=_T2)
    twice = _apply(once, patch, "argo", now=_T3)
    assert twice == once


@given(_pods(), _pods())
def test_an_applied_configuration_is_in_the_object(live: Object, patch: Object) -> None:
    applied = _apply(_created(live), patch, "argo", force=True)
    again = merge(applied, patch, _SCHEMA)
    assert {**again, "metadata": applied["metadata"]} == applied
    assert set(_owned(applied, "argo", "Apply")) <= _everything_owned(applied)


@given(_pods(), _pods(), _pods())
def test_nothing_of_an_old_configuration_stays_that_nobody_else_wants(
    live: Object, first: Object, second: Object
) -> None:
    created = _created(live)
    applied = _apply(_apply(created, first, "argo", force=True), second, "argo", force=True, now=_T3)
    assert set(_values(applied)) <= set(_values(live)) | set(_values(second))
    assert {**_values(applied), **_values(second)} == _values(applied)


@given(_pods(), _pods())
def test_arguments_are_never_changed(live: Object, patch: Object) -> None:
    created = _created(live)
    before = copy.deepcopy((created, patch))
    _apply(created, patch, "argo", force=True)
    _updated(created, patch, "b")
    assert (created, patch) == before


@given(_pods(), _pods())
def test_sets_obey_their_algebra(left_pod: Object, right_pod: Object) -> None:
    left, right = field_set(left_pod, _SCHEMA), field_set(right_pod, _SCHEMA)
    as_sets = set(paths(left)), set(paths(right))
    assert set(paths(union(left, right))) == as_sets[0] | as_sets[1]
    assert set(paths(intersection(left, right))) == as_sets[0] & as_sets[1]
    assert set(paths(difference(left, right))) == as_sets[0] - as_sets[1]


@given(_pods())
def test_removing_all_fields_leaves_no_values(pod: Object) -> None:
    left = remove(pod, field_set(pod, _SCHEMA), _SCHEMA)
    assert left is None or _values({"metadata": {}, "spec": {}, **without_nulls(left, pod)}) == {}
