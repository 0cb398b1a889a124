"""What the sandbox's API server answers to a write: refusals word for word, defaults, pruning, warnings."""

from __future__ import annotations

import random
from typing import Any

import pytest

from emqx_tui.sandbox.apiserver.schema_admission import install
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Timeline

Object = dict[str, Any]

_MANIFEST: Object = {
    "apiVersion": "apps.emqx.io/v1beta4",
    "kind": "EmqxEnterprise",
    "metadata": {"name": "emqx-ee"},
    "spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.14"}}}}},
}


@pytest.fixture
def store() -> Store:
    store = Store(Timeline(1_767_268_800.0), random.Random(1))
    for resource in standard_resources():
        store.register(resource)
    install(store)
    return store


@pytest.fixture
def cluster(store: Store) -> Store:
    store.create("emqxenterprises", _MANIFEST, manager="kubectl-create")
    return store


def _patch(store: Store, spec: Any, **how: Any) -> Object:
    return store.patch("emqxenterprises", "default", "emqx-ee", {"spec": spec}, "merge", manager="kubectl-patch", **how)


def _refused(store: Store, spec: Any, **how: Any) -> ApiError:
    before = store.version
    with pytest.raises(ApiError) as caught:
        _patch(store, spec, **how)
    assert store.version == before
    return caught.value


def _container(**fields: Any) -> Object:
    return {"template": {"spec": {"emqxContainer": fields}}}


def _rates(**fields: Any) -> Object:
    return {"blueGreenUpdate": {"evacuationStrategy": fields}}


# -- custom resources: refusals


_UNREAD = [
    (
        _container(emqxConfig={"image": {"version": "4.4.15"}}),
        "object into Go struct field EmqxContainer.spec.template.spec.emqxContainer.emqxConfig of type string",
    ),
    (
        _rates(waitTakeover="5s"),
        "string into Go struct field EvacuationStrategy.spec.blueGreenUpdate.evacuationStrategy.waitTakeover "
        "of type int32",
    ),
    (
        {"blueGreenUpdate": {"initialDelaySeconds": 3_000_000_000}},
        "number 3000000000 into Go struct field EmqxBlueGreenUpdate.spec.blueGreenUpdate.initialDelaySeconds "
        "of type int32",
    ),
    ({"template": "x"}, "string into Go struct field EmqxEnterpriseSpec.spec.template of type v1beta4.EmqxTemplate"),
    (
        _container(emqxACL="x"),
        "string into Go struct field EmqxContainer.spec.template.spec.emqxContainer.emqxACL of type []string",
    ),
    (
        _container(ports=[{"containerPort": "x"}]),
        "string into Go struct field ContainerPort.spec.template.spec.emqxContainer.ports.containerPort of type int32",
    ),
]


@pytest.mark.parametrize(("spec", "why"), _UNREAD)
def test_values_of_a_wrong_type_are_refused_by_the_webhook_that_cannot_read_them(
    cluster: Store, spec: Object, why: str
) -> None:
    """The texts are those of a real API server and the operator's real webhook."""
    refusal = _refused(cluster, spec)
    assert refusal.status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f'admission webhook "mutating.enterprise.emqx.io" denied the request: json: cannot unmarshal {why}',
        "code": 400,
    }


_STRATEGY = "spec.blueGreenUpdate.evacuationStrategy"
_CONTAINER = "spec.template.spec.emqxContainer"
_WORDS = [
    (
        _rates(connEvictRate=0),
        "FieldValueInvalid",
        f"{_STRATEGY}.connEvictRate: Invalid value: 0: {_STRATEGY}.connEvictRate in body should be greater than or "
        "equal to 1",
    ),
    (
        _container(image={"version": None}),
        "FieldValueRequired",
        f"{_CONTAINER}.image.version: Required value",
    ),
    (
        _container(image={"pullPolicy": "Sometimes"}),
        "FieldValueNotSupported",
        f'{_CONTAINER}.image.pullPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", '
        '"IfNotPresent"',
    ),
    (
        _container(ports=[{"containerPort": 1883}, {"containerPort": 1883}]),
        "FieldValueDuplicate",
        f'{_CONTAINER}.ports[1]: Duplicate value: {{"containerPort":1883,"protocol":"TCP"}}',
    ),
    (
        _container(bootstrapAPIKeys=[{"key": "a", "secret": "s" * 33}]),
        "FieldValueTooLong",
        f"{_CONTAINER}.bootstrapAPIKeys[0].secret: Too long: may not be more than 32 bytes",
    ),
    (
        _container(bootstrapAPIKeys=[{"key": "a", "secret": "s"}]),
        "FieldValueInvalid",
        f'{_CONTAINER}.bootstrapAPIKeys[0].secret: Invalid value: "s": {_CONTAINER}.bootstrapAPIKeys[0].secret in '
        "body should be at least 3 chars long",
    ),
    (
        _container(bootstrapAPIKeys=[{"key": "a-b", "secret": "sss"}]),
        "FieldValueInvalid",
        f'{_CONTAINER}.bootstrapAPIKeys[0].key: Invalid value: "a-b": {_CONTAINER}.bootstrapAPIKeys[0].key in body '
        r"should match '^[a-zA-Z\d_]+$'",
    ),
    (
        {"replicas": -1},
        "FieldValueInvalid",
        ".spec.replicas: Invalid value: -1: should be a non-negative integer",
    ),
]


@pytest.mark.parametrize(("spec", "reason", "text"), _WORDS, ids=[text.partition(":")[0] for _, _, text in _WORDS])
def test_refusals_are_worded_as_an_api_server_words_them(cluster: Store, spec: Object, reason: str, text: str) -> None:
    refusal = _refused(cluster, spec)
    assert (refusal.code, refusal.reason) == (422, "Invalid")
    assert refusal.message == f'EmqxEnterprise.apps.emqx.io "emqx-ee" is invalid: {text}'
    assert [cause["reason"] for cause in refusal.details["causes"]] == [reason]


def test_several_causes_are_told_in_brackets(cluster: Store) -> None:
    refusal = _refused(cluster, _rates(connEvictRate=0, sessEvictRate=0))
    assert len(refusal.details["causes"]) == 2
    assert '"emqx-ee" is invalid: [spec.' in refusal.message
    assert refusal.message.endswith("]")


def test_a_wrong_value_of_an_int_or_string_has_three_causes(cluster: Store) -> None:
    refusal = _refused(cluster, _container(resources={"limits": {"cpu": 1.5}}))
    path = f"{_CONTAINER}.resources.limits.cpu"
    assert [(cause["field"], cause["message"]) for cause in refusal.details["causes"]] == [
        (path, f'Invalid value: "number": {path} in body must be of type integer,string: "number"'),
        ("<nil>", f'Invalid value: "": "{path}" must validate at least one schema (anyOf)'),
        (path, f'Invalid value: "number": {path} in body must be of type integer: "number"'),
    ]


def test_what_an_update_leaves_alone_is_not_judged_again(store: Store) -> None:
    unchecked = store.validation.pop(0)
    bad = {**_MANIFEST, "spec": {**_MANIFEST["spec"], **_rates(connEvictRate=0)}}
    store.create("emqxenterprises", bad)
    store.validation.append(unchecked)
    assert _patch(store, {"replicas": 5})["spec"]["replicas"] == 5
    assert _refused(store, _rates(connEvictRate=-1)).code == 422


# -- custom resources: what is stored


def test_defaults_are_filled_in(cluster: Store) -> None:
    spec = cluster.get("emqxenterprises", "default", "emqx-ee")["spec"]
    assert (spec["replicas"], spec["clusterDomain"]) == (3, "cluster.local")
    pod = spec["template"]["spec"]
    assert pod["reloaderImage"] == "emqx/emqx-operator-reloader:0.0.2"
    assert pod["podSecurityContext"]["fsGroup"] == 1000
    assert pod["emqxContainer"]["securityContext"] == {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True}
    assert pod["emqxContainer"]["image"] == {"version": "4.4.14", "pullPolicy": "IfNotPresent"}


def test_a_null_goes_and_a_default_takes_its_place(store: Store) -> None:
    spec = {**_MANIFEST["spec"], "replicas": None, "license": None}
    stored = store.create("emqxenterprises", {**_MANIFEST, "spec": spec})
    assert stored["spec"]["replicas"] == 3
    assert "license" not in stored["spec"]


def test_unknown_fields_are_dropped(cluster: Store) -> None:
    stored = _patch(cluster, {"paused": True, "template": {"spec": {"emqxContainer": {"name": "emqx"}}}})
    assert "paused" not in stored["spec"]
    assert "name" not in stored["spec"]["template"]["spec"]["emqxContainer"]
    assert stored["metadata"]["generation"] == 2, "the webhook leaves a trace in every write"


def test_metadata_of_a_template_keeps_the_authors_labels(cluster: Store) -> None:
    stored = _patch(cluster, {"template": {"metadata": {"labels": {"team": "mqtt"}, "generateName": "x"}}})
    assert stored["spec"]["template"]["metadata"] == {"labels": {"team": "mqtt"}}


def test_strict_validation_refuses_unknown_fields_of_a_new_object(store: Store) -> None:
    manifest = {**_MANIFEST, "spec": {**_MANIFEST["spec"], "foo": 1, "bar": {"baz": 1}}}
    with pytest.raises(ApiError) as caught:
        store.create("emqxenterprises", manifest, field_validation="Strict")
    assert (caught.value.code, caught.value.reason) == (400, "BadRequest")
    assert caught.value.message == (
        'EmqxEnterprise in version "v1beta4" cannot be handled as a EmqxEnterprise: '
        'strict decoding error: unknown field "spec.bar", unknown field "spec.foo"'
    )


def test_strict_validation_refuses_unknown_fields_of_a_patch(cluster: Store) -> None:
    refusal = _refused(cluster, {"foo": 1}, field_validation="Strict")
    assert (refusal.code, refusal.reason) == (422, "Invalid")
    assert refusal.message.startswith(' "" is invalid: patch: Invalid value: "{')
    assert refusal.message.endswith('}": strict decoding error: unknown field "spec.foo"')


def test_warn_tells_unknown_fields_and_stores_the_rest(cluster: Store) -> None:
    warnings: list[str] = []
    stored = _patch(cluster, {"replicas": 5, "foo": 1}, field_validation="Warn", warnings=warnings)
    assert warnings == ['unknown field "spec.foo"']
    assert stored["spec"]["replicas"] == 5


def test_a_status_write_is_judged_by_the_same_schema(cluster: Store) -> None:
    stored = cluster.get("emqxenterprises", "default", "emqx-ee")
    good = {**stored, "status": {"replicas": 3, "unheardOf": 1}}
    written = cluster.update("emqxenterprises", good, subresource="status")
    assert written["status"] == {"replicas": 3}
    bad = {**stored, "status": {"conditions": [{"type": "Running"}]}}
    with pytest.raises(ApiError) as caught:
        cluster.update("emqxenterprises", {**bad, "metadata": written["metadata"]}, subresource="status")
    assert caught.value.message.endswith("status.conditions[0].status: Required value")


def test_a_label_that_is_no_text_cannot_be_read(cluster: Store) -> None:
    with pytest.raises(ApiError) as caught:
        cluster.patch("emqxenterprises", "default", "emqx-ee", {"metadata": {"labels": {"a": 1}}}, "merge")
    assert caught.value.code == 400
    assert "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels" in caught.value.message


# -- every kind: metadata


@pytest.mark.parametrize(
    ("plural", "kind", "name", "text"),
    [
        ("configmaps", "ConfigMap", "Upper", "a lowercase RFC 1123 subdomain must consist of"),
        ("configmaps", "ConfigMap", "a_b", "(e.g. 'example.com', regex used for validation is"),
        ("configmaps", "ConfigMap", "a" * 254, "must be no more than 253 bytes"),
        ("services", "Service", "9lives", "a DNS-1035 label must consist of"),
        ("namespaces", "Namespace", "a.b", "(e.g. 'my-name',  or '123-abc', regex used for validation is"),
    ],
)
def test_bad_names_are_refused(store: Store, plural: str, kind: str, name: str, text: str) -> None:
    obj = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": {"ports": [{"port": 1}]}}
    with pytest.raises(ApiError) as caught:
        store.create(plural, obj)
    assert caught.value.details["causes"][0]["field"] == "metadata.name"
    assert text in caught.value.message


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"labels": {"a b": "c"}}, "metadata.labels"),
        ({"labels": {"a": "b c"}}, "metadata.labels"),
        ({"labels": {"Not.A.Host/x": "c"}}, "metadata.labels"),
        ({"annotations": {"a/b/c": "x"}}, "metadata.annotations"),
        ({"annotations": {"a": "x" * 262_144}}, "metadata.annotations"),
        (
            {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]},
            "metadata.ownerReferences[0].uid",
        ),
        ({"finalizers": ["not a name"]}, "metadata.finalizers[0]"),
    ],
)
def test_bad_metadata_is_refused(store: Store, metadata: Object, field: str) -> None:
    with pytest.raises(ApiError) as caught:
        store.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}})
    assert caught.value.code == 422
    assert caught.value.details["causes"][0]["field"] == field


# -- built-in kinds


def _create(store: Store, plural: str, kind: str, api_version: str = "v1", **fields: Any) -> Object:
    return store.create(plural, {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, **fields})


_TEMPLATE: Object = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "emqx", "image": "emqx"}]},
}
_SET: Object = {"selector": {"matchLabels": {"app": "a"}}, "serviceName": "a", "template": _TEMPLATE}
_BUILTIN = [
    ("pods", "Pod", "v1", {"spec": {}}, "spec.containers"),
    ("pods", "Pod", "v1", {"spec": {"containers": [{"name": "a"}]}}, "spec.containers[0].image"),
    (
        "pods",
        "Pod",
        "v1",
        {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "y"}]}},
        "spec.containers[1].name",
    ),
    ("statefulsets", "StatefulSet", "apps/v1", {"spec": {**_SET, "replicas": -1}}, "spec.replicas"),
    ("statefulsets", "StatefulSet", "apps/v1", {"spec": {**_SET, "selector": None}}, "spec.selector"),
    (
        "statefulsets",
        "StatefulSet",
        "apps/v1",
        {"spec": {**_SET, "selector": {"matchLabels": {"app": "b"}}}},
        "spec.template.metadata.labels",
    ),
    ("services", "Service", "v1", {"spec": {"ports": [{"port": 0}]}}, "spec.ports[0].port"),
    ("services", "Service", "v1", {"spec": {"ports": [{"port": 1}, {"port": 2}]}}, "spec.ports[0].name"),
    ("services", "Service", "v1", {"spec": {"ports": [{"port": 1}], "type": "Magic"}}, "spec.type"),
    ("endpoints", "Endpoints", "v1", {"subsets": [{"addresses": [{"ip": "emqx-0"}]}]}, "subsets[0].addresses[0].ip"),
    ("endpoints", "Endpoints", "v1", {"subsets": [{"addresses": []}]}, "subsets[0]"),
    (
        "leases",
        "Lease",
        "coordination.k8s.io/v1",
        {"spec": {"leaseDurationSeconds": 0}},
        "spec.leaseDurationSeconds",
    ),
]


@pytest.mark.parametrize(
    ("plural", "kind", "api_version", "fields", "wrong"), _BUILTIN, ids=lambda each: str(each)[:30]
)
def test_built_in_objects_are_refused_for_essentials(
    store: Store, plural: str, kind: str, api_version: str, fields: Object, wrong: str
) -> None:
    with pytest.raises(ApiError) as caught:
        _create(store, plural, kind, api_version, **fields)
    assert caught.value.code == 422
    assert caught.value.details["causes"][0]["field"] == wrong


def test_endpoints_may_hold_loopback_addresses(store: Store) -> None:
    subsets = [{"addresses": [{"ip": "127.20.0.1"}], "ports": [{"port": 8081}]}]
    assert _create(store, "endpoints", "Endpoints", subsets=subsets)["subsets"] == subsets


def test_a_statefulset_cannot_change_its_selector(store: Store) -> None:
    stored = _create(store, "statefulsets", "StatefulSet", "apps/v1", spec=_SET)
    grown = store.patch("statefulsets", "default", "a", {"spec": {"replicas": 5}}, "merge")
    assert grown["spec"]["replicas"] == 5
    with pytest.raises(ApiError) as caught:
        store.update("statefulsets", {**stored, "metadata": grown["metadata"], "spec": {**_SET, "serviceName": "b"}})
    assert caught.value.details["causes"][0]["reason"] == "FieldValueForbidden"


def test_a_wrong_type_makes_a_built_in_object_unreadable(store: Store) -> None:
    with pytest.raises(ApiError) as caught:
        _create(store, "statefulsets", "StatefulSet", "apps/v1", spec={**_SET, "replicas": "3"})
    assert (caught.value.code, caught.value.message) == (
        400,
        'StatefulSet in version "v1" cannot be handled as a StatefulSet: '
        "json: cannot unmarshal string into Go struct field StatefulSet.spec.replicas of type int32",
    )


def test_a_secret_keeps_its_text_as_data(store: Store) -> None:
    stored = _create(store, "secrets", "Secret", stringData={"a": "b"}, data={"c": "ZA=="})
    assert stored["data"] == {"a": "Yg==", "c": "ZA=="}
    assert "stringData" not in stored
    assert stored["type"] == "Opaque"
    with pytest.raises(ApiError) as caught:
        store.patch("secrets", "default", "a", {"data": {"a": "?"}}, "merge")
    assert (
        caught.value.message
        == 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 0'
    )
    assert store.patch("secrets", "default", "a", {"data": {"a": ""}}, "merge")["data"]["a"] == ""


def test_unknown_fields_of_built_in_objects_are_told_when_asked(store: Store) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    service["spec"] = {"ports": [{"port": 1, "foo": 1}]}
    with pytest.raises(ApiError) as caught:
        store.create("services", service, field_validation="Strict")
    assert caught.value.message.endswith('strict decoding error: unknown field "spec.ports[0].foo"')
    warnings: list[str] = []
    stored = store.create("services", service, field_validation="Warn", warnings=warnings)
    assert warnings == ['unknown field "spec.ports[0].foo"']
    assert "foo" not in stored["spec"]["ports"][0]
