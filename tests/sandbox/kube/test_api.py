"""Requests and replies of the pure API handler."""

from __future__ import annotations

import random
from typing import Any

import pytest

from emqx_tui.sandbox.kube.api import KubeApi, Reply
from emqx_tui.sandbox.kube.rbac import Rule, User
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.writes import AdmissionRequest
from emqx_tui.sandbox.timeline import Timeline

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
SETS = "/apis/apps/v1/namespaces/default/statefulsets"
EMQX = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises"
MERGE = "application/merge-patch+json"


@pytest.fixture
def api() -> KubeApi:
    store = Store(Timeline(1_700_000_000.0), random.Random(7))
    for resource in standard_resources():
        store.register(resource)
    return KubeApi(store)


def fill(api: KubeApi, *names: str, **labels: str) -> None:
    for name in names:
        assert api.request("POST", MAPS, body={"metadata": {"name": name, "labels": labels}}).status == 201


def names(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.body
    return [item["metadata"]["name"] for item in reply.body["items"]]


def refusal(reply: Reply) -> tuple[int, str, str]:
    assert reply.body["status"] == "Failure"
    assert reply.body["code"] == reply.status
    return reply.status, reply.body["reason"], reply.body["message"]


def test_a_list_names_its_kind_and_version(api: KubeApi) -> None:
    fill(api, "b", "a")
    reply = api.request("GET", MAPS)
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert reply.body["metadata"] == {"resourceVersion": str(api.store.version)}
    assert names(reply) == ["a", "b"]
    assert "kind" not in reply.body["items"][0]


def test_items_of_custom_resources_name_their_kind(api: KubeApi) -> None:
    api.request("POST", EMQX, body={"metadata": {"name": "emqx-ee"}, "spec": {}})
    assert api.request("GET", EMQX).body["items"][0]["kind"] == "EmqxEnterprise"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/nothing",
        "/apis/apps/v1beta1/namespaces/default/statefulsets",
        "/api/v1/pods/p",
        "/x",
    ],
)
def test_unknown_paths_are_not_found(api: KubeApi, path: str) -> None:
    assert refusal(api.request("GET", path)) == (404, "NotFound", "the server could not find the requested resource")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=emqx", ["a"]),
        ("app==emqx", ["a"]),
        ("app!=emqx", ["b", "c"]),
        ("app in (emqx, other)", ["a", "b"]),
        ("app notin (emqx)", ["b", "c"]),
        ("app", ["a", "b"]),
        ("!app", ["c"]),
        ("app,app!=other", ["a"]),
    ],
)
def test_label_selectors(api: KubeApi, selector: str, expected: list[str]) -> None:
    fill(api, "a", app="emqx")
    fill(api, "b", app="other")
    fill(api, "c")
    assert names(api.request("GET", MAPS, {"labelSelector": selector})) == expected


def test_field_selectors_and_their_limits(api: KubeApi) -> None:
    fill(api, "a", "b")
    assert names(api.request("GET", MAPS, {"fieldSelector": "metadata.name=b"})) == ["b"]
    assert names(api.request("GET", MAPS, {"fieldSelector": "metadata.name!=b"})) == ["a"]
    refused = refusal(api.request("GET", MAPS, {"fieldSelector": "data.x=1"}))
    assert refused == (400, "BadRequest", "field label not supported: data.x")


def test_pages_show_one_version_of_the_collection(api: KubeApi) -> None:
    fill(api, "a", "b", "c", "d")
    first = api.request("GET", MAPS, {"limit": "2"})
    assert names(first) == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 2
    fill(api, "bb")
    api.request("DELETE", f"{MAPS}/d")
    rest = api.request("GET", MAPS, {"limit": "2", "continue": first.body["metadata"]["continue"]})
    assert names(rest) == ["c", "d"]
    assert rest.body["metadata"] == {"resourceVersion": first.body["metadata"]["resourceVersion"]}


def test_an_expired_page_says_so_and_offers_to_go_on(api: KubeApi) -> None:
    fill(api, "a", "b", "c")
    first = api.request("GET", MAPS, {"limit": "1"})
    fill(api, "bb")
    api.store.trim(api.store.version)
    gone = api.request("GET", MAPS, {"limit": "1", "continue": first.body["metadata"]["continue"]})
    assert refusal(gone)[:2] == (410, "Expired")
    assert names(api.request("GET", MAPS, {"continue": gone.body["metadata"]["continue"]})) == ["b", "bb", "c"]


def test_a_version_from_the_future_is_refused(api: KubeApi) -> None:
    reply = api.request("GET", MAPS, {"resourceVersion": "999999"})
    assert refusal(reply)[:2] == (504, "Timeout")
    assert reply.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_an_exact_version_is_the_past(api: KubeApi) -> None:
    fill(api, "a")
    then = str(api.store.version)
    fill(api, "b")
    query = {"resourceVersion": then, "resourceVersionMatch": "Exact"}
    assert names(api.request("GET", MAPS, query)) == ["a"]
    assert names(api.request("GET", MAPS, {"resourceVersion": then})) == ["a", "b"]


def test_patch_types_are_told_apart(api: KubeApi) -> None:
    fill(api, "a")
    api.request("PATCH", f"{MAPS}/a", body={"data": {"x": "1", "y": "2"}}, content_type=MERGE)
    merged = api.request("PATCH", f"{MAPS}/a", body={"data": {"x": None}}, content_type=MERGE)
    assert merged.body["data"] == {"y": "2"}
    operations = [{"op": "add", "path": "/data/z", "value": "3"}]
    by_json = api.request("PATCH", f"{MAPS}/a", body=operations, content_type="application/json-patch+json")
    assert by_json.body["data"] == {"y": "2", "z": "3"}
    unknown = api.request("PATCH", f"{MAPS}/a", body={}, content_type="application/json")
    assert refusal(unknown)[:2] == (415, "UnsupportedMediaType")


def test_custom_resources_take_no_strategic_merge(api: KubeApi) -> None:
    api.request("POST", EMQX, body={"metadata": {"name": "emqx-ee"}})
    strategic = "application/strategic-merge-patch+json"
    assert api.request("PATCH", f"{EMQX}/emqx-ee", body={}, content_type=strategic).status == 415


def test_apply_needs_a_manager_and_creates(api: KubeApi) -> None:
    apply = "application/apply-patch+yaml"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
    assert refusal(api.request("PATCH", f"{MAPS}/a", body=body, content_type=apply))[0] == 422
    query = {"fieldManager": "me", "force": "true"}
    assert api.request("PATCH", f"{MAPS}/a", query, body, apply).status == 201
    assert api.request("PATCH", f"{MAPS}/a", query, body, apply).status == 200


def test_a_put_of_a_custom_resource_needs_its_version(api: KubeApi) -> None:
    api.request("POST", EMQX, body={"metadata": {"name": "emqx-ee"}})
    refused = refusal(api.request("PUT", f"{EMQX}/emqx-ee", body={"metadata": {"name": "emqx-ee"}}))
    assert refused[0] == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused[2]


def test_a_put_under_another_name_is_refused(api: KubeApi) -> None:
    fill(api, "a")
    refused = refusal(api.request("PUT", f"{MAPS}/a", body={"metadata": {"name": "b"}}))
    assert refused == (400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)")


@pytest.mark.parametrize(
    "body",
    [{"kind": "Pod", "metadata": {"name": "a"}}, {"metadata": {"name": "a", "namespace": "other"}}, [], None],
)
def test_bodies_that_do_not_fit_the_url_are_bad_requests(api: KubeApi, body: Any) -> None:
    assert api.request("POST", MAPS, body=body).status == 400


def test_a_new_object_has_no_version_yet(api: KubeApi) -> None:
    refused = refusal(api.request("POST", MAPS, body={"metadata": {"name": "a", "resourceVersion": "5"}}))
    assert refused == (400, "BadRequest", "resourceVersion should not be set on objects to be created")


def test_a_missing_namespace_is_not_found_once_there_are_any(api: KubeApi) -> None:
    api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": "default"}})
    fill(api, "a")
    refused = refusal(api.request("POST", "/api/v1/namespaces/other/configmaps", body={"metadata": {"name": "a"}}))
    assert refused == (404, "NotFound", 'namespaces "other" not found')


def test_dry_run_answers_like_the_real_thing_and_stores_nothing(api: KubeApi) -> None:
    fill(api, "a")
    version = api.store.version
    dry = {"dryRun": "All"}
    created = api.request("POST", MAPS, dry, {"metadata": {"name": "b"}})
    patched = api.request("PATCH", f"{MAPS}/a", dry, {"data": {"x": "1"}}, MERGE)
    deleted = api.request("DELETE", f"{MAPS}/a", dry)
    assert (created.status, patched.body["data"], deleted.status) == (201, {"x": "1"}, 200)
    assert api.store.version == version
    assert names(api.request("GET", MAPS)) == ["a"]
    assert refusal(api.request("DELETE", f"{MAPS}/a", {"dryRun": "some"}))[0] == 422


def test_scale_reads_and_writes_replicas(api: KubeApi) -> None:
    body = {"metadata": {"name": "s"}, "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}}}
    api.request("POST", SETS, body=body)
    scale = api.request("GET", f"{SETS}/s/scale").body
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 3},
        {"replicas": 0, "selector": "a=b"},
    )
    scale["spec"]["replicas"] = 5
    assert api.request("PUT", f"{SETS}/s/scale", body=scale).body["spec"] == {"replicas": 5}
    assert refusal(api.request("PUT", f"{SETS}/s/scale", body=scale))[:2] == (409, "Conflict")
    patched = api.request("PATCH", f"{SETS}/s/scale", body={"spec": {"replicas": 2}}, content_type=MERGE)
    assert patched.body["spec"] == {"replicas": 2}
    stored = api.store.get("statefulsets", "default", "s")
    assert stored["spec"]["replicas"] == 2
    assert stored["metadata"]["generation"] == 3


def test_a_negative_scale_is_invalid(api: KubeApi) -> None:
    api.request("POST", SETS, body={"metadata": {"name": "s"}, "spec": {"replicas": 3}})
    reply = api.request("PATCH", f"{SETS}/s/scale", body={"spec": {"replicas": -1}}, content_type=MERGE)
    assert refusal(reply)[:2] == (422, "Invalid")
    assert reply.body["details"]["causes"][0]["field"] == "spec.replicas"


def test_delete_answers_a_status_or_the_object(api: KubeApi) -> None:
    fill(api, "a")
    gone = api.request("DELETE", f"{MAPS}/a").body
    assert (gone["status"], gone["details"]["kind"]) == ("Success", "configmaps")
    api.request("POST", PODS, body={"metadata": {"name": "p"}, "spec": {}})
    terminating = api.request("DELETE", f"{PODS}/p").body
    assert (terminating["kind"], "deletionTimestamp" in terminating["metadata"]) == ("Pod", True)
    api.request("DELETE", f"{PODS}/p", body={"gracePeriodSeconds": 0})
    assert api.request("GET", f"{PODS}/p").status == 404


def test_orphan_cuts_dependents_loose_and_foreground_waits_for_them(api: KubeApi) -> None:
    def owner_with_dependent(name: str) -> str:
        uid = api.request("POST", MAPS, body={"metadata": {"name": name}}).body["metadata"]["uid"]
        owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}]
        api.request("POST", MAPS, body={"metadata": {"name": f"{name}-child", "ownerReferences": owners}})
        return uid

    owner_with_dependent("orphan")
    api.request("DELETE", f"{MAPS}/orphan", body={"propagationPolicy": "Orphan"})
    assert "ownerReferences" not in api.store.get("configmaps", "default", "orphan-child")["metadata"]
    owner_with_dependent("foreground")
    held = api.request("DELETE", f"{MAPS}/foreground", body={"propagationPolicy": "Foreground"}).body
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_delete_collection_honours_selectors(api: KubeApi) -> None:
    fill(api, "a", "b", app="x")
    fill(api, "c")
    assert names(api.request("DELETE", MAPS, {"labelSelector": "app=x"})) == ["a", "b"]
    assert names(api.request("GET", MAPS)) == ["c"]


def test_deleting_a_namespace_deletes_what_is_in_it(api: KubeApi) -> None:
    for name in ("default", "other"):
        api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    api.request("POST", "/api/v1/namespaces/other/configmaps", body={"metadata": {"name": "a"}})
    assert api.request("DELETE", "/api/v1/namespaces/default").status == 403
    assert api.request("DELETE", "/api/v1/namespaces/other").status == 200
    assert api.store.list("configmaps") == []


def test_managers_and_validation_reach_admission_and_warnings_come_back(api: KubeApi) -> None:
    seen: list[AdmissionRequest] = []

    def warn(request: AdmissionRequest) -> dict[str, Any]:
        seen.append(request)
        request.warnings.append('unknown field "spec.foo"')
        return request.new or {}

    api.store.admission.append(warn)
    reply = api.request("POST", MAPS, {"fieldManager": "me"}, {"metadata": {"name": "a"}})
    api.request("PATCH", f"{MAPS}/a", {"fieldValidation": "Strict"}, {}, MERGE, manager="kubectl")
    assert reply.warnings == ('unknown field "spec.foo"',)
    assert [(each.manager, each.field_validation) for each in seen] == [("me", "Warn"), ("kubectl", "Strict")]


READER = User(
    "reader", (Rule(frozenset({"get", "list"}), frozenset({""}), frozenset({"pods"}), frozenset({"default"})),)
)


def test_a_missing_right_is_named(api: KubeApi) -> None:
    assert api.request("GET", PODS, user=READER).status == 200
    refused = api.request("DELETE", f"{PODS}/p", user=READER)
    assert refusal(refused) == (
        403,
        "Forbidden",
        'pods "p" is forbidden: User "reader" cannot delete resource "pods" in API group "" in the namespace "default"',
    )
    everywhere = refusal(api.request("GET", "/api/v1/pods", user=READER))[2]
    assert everywhere == (
        'pods is forbidden: User "reader" cannot list resource "pods" in API group "" at the cluster scope'
    )
    scale = refusal(api.request("PATCH", f"{SETS}/s/scale", user=READER, content_type=MERGE))[2]
    assert 'cannot patch resource "statefulsets/scale" in API group "apps"' in scale


@pytest.mark.parametrize(
    ("attributes", "allowed"),
    [
        ({"namespace": "default", "verb": "get", "resource": "pods"}, True),
        ({"namespace": "default", "verb": "create", "resource": "pods"}, False),
        ({"namespace": "default", "verb": "get", "resource": "pods", "subresource": "log"}, False),
        ({"namespace": "other", "verb": "get", "resource": "pods"}, False),
        ({"verb": "get", "resource": "pods"}, False),
    ],
)
def test_access_reviews_agree_with_what_is_enforced(api: KubeApi, attributes: dict[str, str], allowed: bool) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    reply = api.request("POST", path, body={"spec": {"resourceAttributes": attributes}}, user=READER)
    assert (reply.status, reply.body["status"]["allowed"]) == (201, allowed)


KEEPER = User(
    "keeper",
    (Rule(frozenset({"get", "list", "create"}), frozenset({""}), frozenset({"pods"}), names=frozenset({"p"})),),
)


@pytest.mark.parametrize(
    ("method", "path", "fields", "allowed"),
    [
        ("GET", f"{PODS}/p", "", True),
        ("GET", f"{PODS}/q", "", False),
        ("GET", PODS, "", False),
        ("GET", PODS, "metadata.name=p", True),
        ("GET", PODS, "metadata.name==p,metadata.namespace=default", True),
        ("GET", PODS, "metadata.name=q", False),
        ("GET", PODS, "metadata.name!=p", False),
        ("POST", PODS, "metadata.name=p", False),
    ],
)
def test_a_right_can_be_limited_to_names(api: KubeApi, method: str, path: str, fields: str, allowed: bool) -> None:
    query = {"fieldSelector": fields} if fields else {}
    reply = api.request(method, path, query, {"metadata": {"name": "p"}}, user=KEEPER)
    assert (reply.status == 403) is not allowed


def test_reviews_know_names(api: KubeApi) -> None:
    base = "/apis/authorization.k8s.io/v1"
    attributes = {"namespace": "default", "verb": "get", "resource": "pods"}
    for asked, allowed in ((attributes, False), ({**attributes, "name": "p"}, True)):
        review = {"spec": {"resourceAttributes": asked}}
        reply = api.request("POST", f"{base}/selfsubjectaccessreviews", body=review, user=KEEPER)
        assert reply.body["status"]["allowed"] is allowed
    rules = api.request("POST", f"{base}/selfsubjectrulesreviews", body={"spec": {"namespace": "default"}}, user=KEEPER)
    assert rules.body["status"]["resourceRules"][0]["resourceNames"] == ["p"]


def test_rules_reviews_list_the_rules_of_the_namespace(api: KubeApi) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"

    def rules(namespace: str) -> list[list[str]]:
        reply = api.request("POST", path, body={"spec": {"namespace": namespace}}, user=READER)
        return [rule["resources"] for rule in reply.body["status"]["resourceRules"]]

    assert ["pods"] in rules("default")
    assert ["pods"] not in rules("other")
