"""The object store against the rules of a real API server."""

from __future__ import annotations

import random

import pytest

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.resources import Resource, standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.writes import AdmissionRequest
from emqx_tui.sandbox.timeline import Timeline


def history(store: Store, plural: str, since: int) -> list[tuple[int, str, Object]]:
    """Events newer than `since`, oldest first."""
    return [(change.version, change.type, change.object) for change in store.changes(plural, since)]


@pytest.fixture
def store() -> Store:
    store = Store(Timeline(1_700_000_000.0), random.Random(7))
    for resource in standard_resources():
        store.register(resource)
    return store


def config_map(name: str = "a", **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


def stateful_set(replicas: int = 3) -> dict:
    return {"metadata": {"name": "emqx", "namespace": "default"}, "spec": {"replicas": replicas}}


def test_create_fills_in_what_the_server_owns(store: Store) -> None:
    stored = store.create("statefulsets", stateful_set())
    assert stored["apiVersion"] == "apps/v1"
    assert stored["kind"] == "StatefulSet"
    metadata = stored["metadata"]
    assert metadata["creationTimestamp"] == "2023-11-14T22:13:20Z"
    assert metadata["generation"] == 1
    assert metadata["resourceVersion"] == str(store.version)
    assert len(metadata["uid"]) == 36
    assert store.get("statefulsets", "default", "emqx") is stored


def test_the_same_seed_gives_the_same_uids() -> None:
    def uid() -> str:
        store = Store(Timeline(0), random.Random(3))
        store.register(Resource("", "v1", "configmaps", "ConfigMap", "configmap"))
        return store.create("configmaps", config_map())["metadata"]["uid"]

    assert uid() == uid()


def test_a_dry_run_does_not_move_the_random_numbers_of_the_world(store: Store) -> None:
    other = Store(Timeline(0), random.Random(7))
    other.register(Resource("", "v1", "configmaps", "ConfigMap", "configmap"))
    store.create("configmaps", config_map("probe"), dry_run=True)
    assert store.find("configmaps", "default", "probe") is None
    assert (
        store.create("configmaps", config_map())["metadata"]["uid"]
        == (other.create("configmaps", config_map())["metadata"]["uid"])
    )


def test_generate_name_appends_five_characters(store: Store) -> None:
    stored = store.create("events", {"metadata": {"generateName": "emqx-ee.", "namespace": "default"}})
    assert stored["metadata"]["name"].startswith("emqx-ee.")
    assert len(stored["metadata"]["name"]) == len("emqx-ee.") + 5


def test_a_taken_name_is_refused(store: Store) -> None:
    store.create("configmaps", config_map())
    with pytest.raises(ApiError) as refused:
        store.create("configmaps", config_map())
    assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")
    assert refused.value.message == 'configmaps "a" already exists'


def test_not_found_says_resource_and_group(store: Store) -> None:
    with pytest.raises(ApiError, match=r'emqxenterprises.apps.emqx.io "x" not found') as refused:
        store.get("emqxenterprises", "default", "x")
    assert refused.value.status()["details"] == {"name": "x", "group": "apps.emqx.io", "kind": "emqxenterprises"}


def test_a_stale_resource_version_is_a_conflict(store: Store) -> None:
    first = store.create("configmaps", config_map(a="1"))
    store.update("configmaps", {**first, "data": {"a": "2"}})
    with pytest.raises(ApiError, match="the object has been modified") as refused:
        store.update("configmaps", {**first, "data": {"a": "3"}})
    assert refused.value.code == 409
    assert store.get("configmaps", "default", "a")["data"] == {"a": "2"}


def test_a_write_without_version_is_unconditional(store: Store) -> None:
    store.create("configmaps", config_map(a="1"))
    assert store.update("configmaps", config_map(a="2"))["data"] == {"a": "2"}


def test_another_uid_is_a_conflict(store: Store) -> None:
    store.create("configmaps", config_map())
    stored = store.get("configmaps", "default", "a")
    with pytest.raises(ApiError, match="UID in precondition: other") as refused:
        store.update("configmaps", {**stored, "metadata": {**stored["metadata"], "uid": "other"}})
    assert refused.value.code == 409


def test_a_patch_to_another_uid_is_invalid(store: Store) -> None:
    store.create("configmaps", config_map())
    with pytest.raises(ApiError, match="field is immutable") as refused:
        store.patch("configmaps", "default", "a", {"metadata": {"uid": "other"}}, "merge")
    assert refused.value.code == 422


def test_a_write_that_changes_nothing_keeps_the_version(store: Store) -> None:
    seen: list[str] = []
    stored = store.create("configmaps", config_map(a="1"))
    store.subscribe(lambda kind, plural, obj: seen.append(kind))
    assert store.patch("configmaps", "default", "a", {"data": {"a": "1"}}, "merge") is stored
    assert seen == []


def test_only_the_spec_bumps_the_generation(store: Store) -> None:
    store.create("statefulsets", stateful_set())
    labelled = store.patch("statefulsets", "default", "emqx", {"metadata": {"labels": {"x": "y"}}}, "merge")
    assert labelled["metadata"]["generation"] == 1
    scaled = store.patch("statefulsets", "default", "emqx", {"spec": {"replicas": 4}}, "merge")
    assert scaled["metadata"]["generation"] == 2


def test_status_and_main_resource_keep_out_of_each_other(store: Store) -> None:
    created = store.create("statefulsets", {**stateful_set(), "status": {"replicas": 9}})
    assert created["status"] == {"replicas": 0}
    patch = {"status": {"replicas": 3}, "spec": {"replicas": 7}, "metadata": {"labels": {"a": "b"}}}
    by_status = store.patch("statefulsets", "default", "emqx", patch, "merge", subresource="status")
    assert by_status["status"] == {"replicas": 3}
    assert by_status["spec"] == {"replicas": 3}
    assert "labels" not in by_status["metadata"]
    assert by_status["metadata"]["generation"] == 1
    by_main = store.patch("statefulsets", "default", "emqx", {"status": {"replicas": 8}, "spec": {"x": 1}}, "merge")
    assert by_main["status"] == {"replicas": 3}
    assert by_main["spec"] == {"replicas": 3, "x": 1}


def test_the_server_keeps_its_own_metadata(store: Store) -> None:
    stored = store.create("statefulsets", stateful_set())
    forged = {"uid": None, "creationTimestamp": "1999-01-01T00:00:00Z", "generation": 99, "deletionTimestamp": "x"}
    patched = store.patch("statefulsets", "default", "emqx", {"metadata": {**forged, "labels": {"a": "b"}}}, "merge")
    for key in ("uid", "creationTimestamp", "generation"):
        assert patched["metadata"][key] == stored["metadata"][key]
    assert "deletionTimestamp" not in patched["metadata"]


def test_renaming_by_patch_is_refused(store: Store) -> None:
    store.create("configmaps", config_map())
    with pytest.raises(ApiError, match=r"the name of the object \(b\) does not match the name on the URL \(a\)"):
        store.patch("configmaps", "default", "a", {"metadata": {"name": "b"}}, "merge")


def test_a_failed_json_patch_test_is_422(store: Store) -> None:
    store.create("configmaps", config_map(a="1"))
    failing = [{"op": "test", "path": "/data/a", "value": "2"}, {"op": "replace", "path": "/data/a", "value": "3"}]
    with pytest.raises(ApiError) as refused:
        store.patch("configmaps", "default", "a", failing, "json")
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")
    assert store.get("configmaps", "default", "a")["data"] == {"a": "1"}


def test_a_pod_is_only_marked_and_then_removed(store: Store) -> None:
    pod = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"terminationGracePeriodSeconds": 60}}
    store.create("pods", pod)
    marked = store.delete("pods", "default", "p")
    assert marked["metadata"]["deletionTimestamp"] == "2023-11-14T22:14:20Z"
    assert store.delete("pods", "default", "p") is marked
    store.delete("pods", "default", "p", now=True)
    assert store.find("pods", "default", "p") is None


def test_a_finalizer_holds_the_object_until_it_goes(store: Store) -> None:
    seen: list[str] = []
    store.subscribe(lambda kind, plural, obj: seen.append(kind))
    store.create("configmaps", {"metadata": {"name": "a", "namespace": "default", "finalizers": ["x/y"]}})
    assert "deletionTimestamp" in store.delete("configmaps", "default", "a")["metadata"]
    store.patch("configmaps", "default", "a", {"metadata": {"finalizers": None}}, "merge")
    assert store.find("configmaps", "default", "a") is None
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


@pytest.mark.parametrize("precondition", [{"uid": "other"}, {"resourceVersion": "1"}])
def test_a_delete_checks_its_preconditions(store: Store, precondition: dict[str, str]) -> None:
    store.create("configmaps", config_map())
    with pytest.raises(ApiError) as refused:
        store.delete("configmaps", "default", "a", preconditions=precondition)
    assert refused.value.code == 409
    assert store.find("configmaps", "default", "a")


def test_admission_sees_both_objects_and_may_change_the_new_one(store: Store) -> None:
    requests: list[AdmissionRequest] = []

    def label(request: AdmissionRequest) -> dict:
        requests.append(request)
        assert request.new is not None
        return {**request.new, "data": {**request.new.get("data", {}), "seen": "yes"}}

    store.admission.append(label)
    created = store.create("configmaps", config_map(a="1"), manager="kubectl", dry_run=True)
    assert created["data"] == {"a": "1", "seen": "yes"}
    assert (requests[0].operation, requests[0].manager, requests[0].dry_run) == ("CREATE", "kubectl", True)


def test_admission_can_refuse_a_delete(store: Store) -> None:
    def refuse(request: AdmissionRequest) -> dict:
        if request.operation == "DELETE":
            raise ApiError(403, "Forbidden", "no")
        return request.new or {}

    store.create("configmaps", config_map())
    store.admission.append(refuse)
    with pytest.raises(ApiError, match="no"):
        store.delete("configmaps", "default", "a")
    assert store.find("configmaps", "default", "a")


def test_subscribers_that_write_do_not_reorder_events(store: Store) -> None:
    seen: list[int] = []

    def echo(kind: str, plural: str, obj: dict) -> None:
        if plural == "configmaps" and kind == "ADDED":
            store.create("secrets", {"metadata": {"name": obj["metadata"]["name"], "namespace": "default"}})

    store.subscribe(echo)
    unsubscribe = store.subscribe(lambda kind, plural, obj: seen.append(int(obj["metadata"]["resourceVersion"])))
    store.create("configmaps", config_map())
    assert len(seen) == 2
    assert seen == sorted(seen)
    unsubscribe()
    store.create("configmaps", config_map("b"))
    assert len(seen) == 2


def test_history_is_complete_or_expired(store: Store) -> None:
    start = store.version
    first = store.create("configmaps", config_map(a="1"))
    second = store.patch("configmaps", "default", "a", {"data": {"a": "2"}}, "merge")
    assert [kind for _, kind, _ in history(store, "configmaps", start)] == ["ADDED", "MODIFIED"]
    assert history(store, "configmaps", int(first["metadata"]["resourceVersion"])) == [
        (store.version, "MODIFIED", second)
    ]
    store.trim(before=start + 1)
    with pytest.raises(ApiError, match="too old resource version") as refused:
        history(store, "configmaps", start)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")
    assert len(history(store, "configmaps", start + 1)) == 1


def test_a_full_history_forgets_the_oldest() -> None:
    store = Store(Timeline(0), random.Random(0), history_limit=3)
    store.register(Resource("", "v1", "configmaps", "ConfigMap", "configmap", generation=False))
    start = store.version
    for number in range(4):
        store.create("configmaps", config_map(f"n{number}"))
    with pytest.raises(ApiError):
        history(store, "configmaps", start)
    assert len(history(store, "configmaps", start + 1)) == 3


def test_a_snapshot_is_the_collection_of_that_version(store: Store) -> None:
    store.create("configmaps", config_map("a", x="1"))
    store.create("configmaps", config_map("b"))
    then, version = store.list("configmaps"), store.version
    store.patch("configmaps", "default", "a", {"data": {"x": "2"}}, "merge")
    store.delete("configmaps", "default", "b")
    store.create("configmaps", config_map("c"))
    assert store.snapshot("configmaps", version) == then


def test_lists_are_sorted_and_filtered(store: Store) -> None:
    for namespace, name in (("z", "a"), ("default", "b"), ("default", "a")):
        labels = {"app": name}
        store.create("configmaps", {"metadata": {"name": name, "namespace": namespace, "labels": labels}})

    def names(**how: object) -> list[str]:
        found = store.list("configmaps", **how)  # pyright: ignore[reportArgumentType]
        return [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found]

    assert names() == ["default/a", "default/b", "z/a"]
    assert names(namespace="default") == ["default/a", "default/b"]
    assert names(labels={"app": "a"}) == ["default/a", "z/a"]


def test_untouched_parts_are_shared_between_versions(store: Store) -> None:
    first = store.create("statefulsets", {**stateful_set(), "spec": {"template": {"big": ["x"]}, "replicas": 1}})
    second = store.patch("statefulsets", "default", "emqx", {"spec": {"replicas": 2}}, "merge")
    assert second["spec"]["template"] is first["spec"]["template"]
