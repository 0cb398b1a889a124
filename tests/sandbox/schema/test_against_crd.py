"""The shipped EmqxEnterprise schema: its verdicts and field paths, and whether it is still the operator's own.

For the comparison with the operator's definition, point EMQX_TUI_CRD at `emqxenterprises-crd.yaml` of emqx-operator 2.2
(`config/crd/bases`), or keep it in `../shared/data`; without it those tests are skipped.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from emqx_tui.sandbox.kube.patches import merge_patch
from emqx_tui.sandbox.schema.catalog import Schema, custom_schema
from emqx_tui.sandbox.schema.pruning import fill, prune
from emqx_tui.sandbox.schema.validation import Violation, validate

_FOLDER = Path(__file__).parents[4] / "shared" / "data"


def _definition(name: str) -> Path:
    given = os.environ.get("EMQX_TUI_CRD")
    if given and name == "emqxenterprises":
        return Path(given)
    return _FOLDER / f"{name}-crd.yaml"


def _load(name: str) -> Schema:
    path = _definition(name)
    if not path.is_file():
        pytest.skip(f"emqx-operator's definition is not here: {path} is missing (EMQX_TUI_CRD can name it)")
    document = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    versions = {each["name"]: each for each in document["spec"]["versions"]}
    return versions["v1beta4"]["schema"]["openAPIV3Schema"]


@pytest.fixture(scope="module")
def real() -> Schema:
    return _load("emqxenterprises")


# -- the same fields


def without_help(schema: Schema) -> Schema:
    """The same schema without descriptions, for comparing."""
    bare: Schema = {key: value for key, value in schema.items() if key != "description"}
    for key in ("items", "additionalProperties"):
        if key in bare:
            bare[key] = without_help(bare[key])
    if "properties" in bare:
        bare["properties"] = {name: without_help(each) for name, each in bare["properties"].items()}
    return bare


def _fields(schema: Schema, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field with all that is said about it."""
    parts = ("properties", "items", "additionalProperties")
    about = {key: value for key, value in schema.items() if key not in parts}
    if "required" in about:
        about["required"] = sorted(about["required"])
    yield path or ".", about
    for name, child in schema.get("properties", {}).items():
        yield from _fields(child, f"{path}.{name}")
    for key, step in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            yield from _fields(schema[key], path + step)


@pytest.mark.parametrize(("kind", "name"), [("EmqxEnterprise", "emqxenterprises"), ("EmqxPlugin", "emqxplugins")])
def test_every_field_is_described_as_in_the_definition(kind: str, name: str) -> None:
    theirs = dict(_fields(without_help(_load(name))))
    ours = dict(_fields(without_help(custom_schema(kind))))
    assert set(ours) == set(theirs)
    assert {path: about for path, about in ours.items() if about != theirs[path]} == {}


# -- the same verdicts: a manifest, and the fields that are wrong with it

_GOOD: dict[str, Any] = {
    "apiVersion": "apps.emqx.io/v1beta4",
    "kind": "EmqxEnterprise",
    "metadata": {"name": "emqx-ee"},
    "spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}},
}


def _container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"emqxContainer": fields}}}}


def _pod(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": fields}}}


def _rollout(**fields: Any) -> dict[str, Any]:
    return {"spec": {"blueGreenUpdate": fields}}


def _rates(**fields: Any) -> dict[str, Any]:
    return _rollout(evacuationStrategy=fields)


_CONTAINER = "spec.template.spec.emqxContainer"
_POD = "spec.template.spec"
_STRATEGY = "spec.blueGreenUpdate.evacuationStrategy"

_CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    # good
    "minimal": ({}, set()),
    "no-spec": ({"spec": None}, set()),
    "no-template": ({"spec": {"template": None}}, set()),
    "replicas": ({"spec": {"replicas": 12}}, set()),
    "replicas-zero": ({"spec": {"replicas": 0}}, set()),
    "delay": (_rollout(initialDelaySeconds=60), set()),
    "delay-largest": (_rollout(initialDelaySeconds=2147483647), set()),
    "delay-negative": (_rollout(initialDelaySeconds=-1), set()),
    "delay-whole-float": (_rollout(initialDelaySeconds=5.0), set()),
    "delay-null": (_rollout(initialDelaySeconds=None), set()),
    "rates": (_rates(waitTakeover=5, connEvictRate=200, sessEvictRate=200), set()),
    "rates-smallest": (_rates(waitTakeover=0, connEvictRate=1, sessEvictRate=1), set()),
    "strategy-empty": (_rates(), set()),
    "config": (_container(emqxConfig={"listener.tcp.external": "1883"}), set()),
    "ports-by-protocol": (
        _container(ports=[{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]),
        set(),
    ),
    "memory-as-text": (_container(resources={"limits": {"memory": "2Gi", "cpu": "500m"}}), set()),
    "cpu-as-number": (_container(resources={"requests": {"cpu": 2}}), set()),
    "probe-port-name": (_container(livenessProbe={"httpGet": {"port": "http", "path": "/"}}), set()),
    "probe-port-number": (_container(readinessProbe={"tcpSocket": {"port": 1883}}), set()),
    "api-key": (_container(bootstrapAPIKeys=[{"key": "app_1", "secret": "s" * 32}]), set()),
    "licence": ({"spec": {"license": {"data": "bm90IGEgbGljZW5jZQo="}}}, set()),
    "pull-policy": (_container(image={"pullPolicy": "Always"}), set()),
    "persistent": (
        {"spec": {"persistent": {"spec": {"resources": {"requests": {"storage": "20Mi"}}, "accessModes": ["RWO"]}}}},
        set(),
    ),
    "service": ({"spec": {"serviceTemplate": {"spec": {"ports": [{"port": 8081, "targetPort": "http"}]}}}}, set()),
    "volumes": (_pod(volumes=[{"name": "a", "emptyDir": {"sizeLimit": "1Gi"}}, {"name": "a"}]), set()),
    "status-time": ({"status": {"blueGreenUpdateStatus": {"startedAt": "2026-01-01T12:00:00Z"}}}, set()),
    "unknown-field": ({"spec": {"paused": True}}, set()),
    "unknown-in-container": (_container(name="emqx"), set()),
    # wrong types
    "replicas-text": ({"spec": {"replicas": "3"}}, {"spec.replicas"}),
    "replicas-bool": ({"spec": {"replicas": True}}, {"spec.replicas"}),
    "replicas-float": ({"spec": {"replicas": 2.5}}, {"spec.replicas"}),
    "spec-text": ({"spec": "x"}, {"spec"}),
    "spec-list": ({"spec": []}, {"spec"}),
    "delay-text": (_rollout(initialDelaySeconds="60s"), {"spec.blueGreenUpdate.initialDelaySeconds"}),
    "delay-object": (_rollout(initialDelaySeconds={"a": 1}), {"spec.blueGreenUpdate.initialDelaySeconds"}),
    "delay-list": (_rollout(initialDelaySeconds=[1]), {"spec.blueGreenUpdate.initialDelaySeconds"}),
    "strategy-list": (_rollout(evacuationStrategy=[]), {_STRATEGY}),
    "image-as-text": (_container(image="emqx/emqx-ee:4.4.15"), {f"{_CONTAINER}.image"}),
    "version-number": (_container(image={"version": 4.4}), {f"{_CONTAINER}.image.version"}),
    "config-number": (
        _container(emqxConfig={"mqtt.max_packet_size": 1}),
        {f"{_CONTAINER}.emqxConfig.mqtt.max_packet_size"},
    ),
    "config-as-published": (
        _container(emqxConfig={"image": {"version": "4.4.15"}}),
        {f"{_CONTAINER}.emqxConfig.image"},
    ),
    "config-list": (_container(emqxConfig=["a=b"]), {f"{_CONTAINER}.emqxConfig"}),
    "acl-text": (_container(emqxACL="{allow, all}."), {f"{_CONTAINER}.emqxACL"}),
    "acl-null": (_container(emqxACL=[None]), {f"{_CONTAINER}.emqxACL[0]"}),
    "args-number": (_container(args=["a", 1]), {f"{_CONTAINER}.args[1]"}),
    "selector-number": (_pod(nodeSelector={"disk": 1}), {f"{_POD}.nodeSelector.disk"}),
    "user-text": (_pod(podSecurityContext={"runAsUser": "root"}), {f"{_POD}.podSecurityContext.runAsUser"}),
    "groups-text": (
        _pod(podSecurityContext={"supplementalGroups": ["wheel"]}),
        {f"{_POD}.podSecurityContext.supplementalGroups[0]"},
    ),
    "cpu-float": (_container(resources={"limits": {"cpu": 1.5}}), {f"{_CONTAINER}.resources.limits.cpu"}),
    "cpu-bool": (_container(resources={"limits": {"cpu": True}}), {f"{_CONTAINER}.resources.limits.cpu"}),
    "probe-port-object": (
        _container(livenessProbe={"tcpSocket": {"port": {"number": 1}}}),
        {f"{_CONTAINER}.livenessProbe.tcpSocket.port"},
    ),
    "ports-object": (_container(ports={"containerPort": 1883}), {f"{_CONTAINER}.ports"}),
    "status-count": (
        {"status": {"emqxNodes": [{"connections": "12"}]}},
        {"status.emqxNodes[0].connections"},
    ),
    # out of range
    "conn-rate-zero": (_rates(connEvictRate=0), {f"{_STRATEGY}.connEvictRate"}),
    "conn-rate-negative": (_rates(connEvictRate=-5), {f"{_STRATEGY}.connEvictRate"}),
    "sess-rate-zero": (_rates(sessEvictRate=0), {f"{_STRATEGY}.sessEvictRate"}),
    "wait-negative": (_rates(waitTakeover=-1), {f"{_STRATEGY}.waitTakeover"}),
    "all-rates": (
        _rates(waitTakeover=-1, connEvictRate=0, sessEvictRate="fast"),
        {f"{_STRATEGY}.waitTakeover", f"{_STRATEGY}.connEvictRate", f"{_STRATEGY}.sessEvictRate"},
    ),
    "delay-too-large": (_rollout(initialDelaySeconds=2147483648), {"spec.blueGreenUpdate.initialDelaySeconds"}),
    "delay-too-small": (_rollout(initialDelaySeconds=-2147483649), {"spec.blueGreenUpdate.initialDelaySeconds"}),
    "port-too-large": (_container(ports=[{"containerPort": 2**40}]), {f"{_CONTAINER}.ports[0].containerPort"}),
    "user-too-large": (_pod(podSecurityContext={"runAsUser": 2**63}), {f"{_POD}.podSecurityContext.runAsUser"}),
    # missing
    "no-version": (_container(image={"version": None}), {f"{_CONTAINER}.image.version"}),
    "key-without-secret": (_container(bootstrapAPIKeys=[{"key": "a"}]), {f"{_CONTAINER}.bootstrapAPIKeys[0].secret"}),
    "port-without-number": (_container(ports=[{"name": "mqtt"}]), {f"{_CONTAINER}.ports[0].containerPort"}),
    "env-without-name": (_container(env=[{"value": "x"}]), {f"{_CONTAINER}.env[0].name"}),
    "extra-without-name": (_pod(extraContainers=[{"image": "busybox"}]), {f"{_POD}.extraContainers[0].name"}),
    "persistent-without-spec": ({"spec": {"persistent": {}}}, {"spec.persistent.spec"}),
    "service-port-missing": (
        {"spec": {"serviceTemplate": {"spec": {"ports": [{}]}}}},
        {"spec.serviceTemplate.spec.ports[0].port"},
    ),
    "topology-missing": (
        _pod(affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}),
        {f"{_POD}.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey"},
    ),
    "condition-incomplete": (
        {"status": {"conditions": [{}]}},
        {"status.conditions[0].type", "status.conditions[0].status"},
    ),
    # forms and enumerations
    "pull-policy-unknown": (_container(image={"pullPolicy": "Sometimes"}), {f"{_CONTAINER}.image.pullPolicy"}),
    "pull-policy-case": (_container(image={"pullPolicy": "always"}), {f"{_CONTAINER}.image.pullPolicy"}),
    "pull-policy-number": (_container(image={"pullPolicy": 1}), {f"{_CONTAINER}.image.pullPolicy"}),
    "api-key-dash": (
        _container(bootstrapAPIKeys=[{"key": "a-b", "secret": "sss"}]),
        {f"{_CONTAINER}.bootstrapAPIKeys[0].key"},
    ),
    "api-key-newline": (
        _container(bootstrapAPIKeys=[{"key": "ab\n", "secret": "sss"}]),
        {f"{_CONTAINER}.bootstrapAPIKeys[0].key"},
    ),
    "secret-short": (
        _container(bootstrapAPIKeys=[{"key": "a", "secret": "s"}]),
        {f"{_CONTAINER}.bootstrapAPIKeys[0].secret"},
    ),
    "secret-long": (
        _container(bootstrapAPIKeys=[{"key": "a", "secret": "s" * 33}]),
        {f"{_CONTAINER}.bootstrapAPIKeys[0].secret"},
    ),
    "memory-nonsense": (
        _container(resources={"limits": {"memory": "lots"}}),
        {f"{_CONTAINER}.resources.limits.memory"},
    ),
    "memory-unit": (_container(resources={"limits": {"memory": "2GB"}}), {f"{_CONTAINER}.resources.limits.memory"}),
    "licence-not-base64": ({"spec": {"license": {"data": "not base64!"}}}, {"spec.license.data"}),
    "started-at": (
        {"status": {"blueGreenUpdateStatus": {"startedAt": "yesterday"}}},
        {"status.blueGreenUpdateStatus.startedAt"},
    ),
    # duplicate keys
    "ports-twice": (
        _container(ports=[{"containerPort": 1883}, {"containerPort": 8081}, {"containerPort": 1883}]),
        {f"{_CONTAINER}.ports[2]"},
    ),
    "service-ports-twice": (
        {"spec": {"serviceTemplate": {"spec": {"ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}]}}}},
        {"spec.serviceTemplate.spec.ports[1]"},
    ),
    "claims-twice": (
        _container(resources={"claims": [{"name": "a"}, {"name": "a"}]}),
        {f"{_CONTAINER}.resources.claims[1]"},
    ),
}


def test_the_table_is_long_enough() -> None:
    assert len(_CASES) >= 60
    assert len([fields for _, fields in _CASES.values() if not fields]) >= 20


def _judged(patch: dict[str, Any], schema: Schema) -> tuple[dict[str, Any], list[Violation]]:
    manifest = merge_patch(copy.deepcopy(_GOOD), patch)
    pruned, _ = prune(manifest, schema)
    stored = fill(pruned, schema)
    return stored, validate(stored, schema)


def _told_field(violation: Violation) -> str:
    """A range error names its field in the text only, an anyOf error in quotes."""
    if violation.field != "<nil>":
        return violation.field
    found = re.search(r" in (\S+)$", violation.message) or re.search(r': "(\S+)" must', violation.message)
    assert found, violation
    return found[1]


@pytest.mark.parametrize("name", _CASES)
def test_our_schema_tells_the_wrong_fields(name: str) -> None:
    patch, wrong = _CASES[name]
    _, violations = _judged(patch, custom_schema("EmqxEnterprise"))
    assert {_told_field(each) for each in violations} == wrong


@pytest.mark.parametrize("name", _CASES)
def test_the_real_definition_gives_the_same_answer(name: str, real: Schema) -> None:
    patch, wrong = _CASES[name]
    stored, violations = _judged(patch, real)
    ours, our_violations = _judged(patch, custom_schema("EmqxEnterprise"))
    assert violations == our_violations
    assert stored == ours
    assert {_told_field(each) for each in violations} == wrong


# -- a second opinion: the schema as JSON schema, judged by another implementation


def _json_schema(schema: Schema) -> dict[str, Any]:
    converted = {key: value for key, value in schema.items() if key in _KEPT}
    if schema.get("x-kubernetes-int-or-string"):
        converted["type"] = ["integer", "string"]
    converted.update(_FORMS.get(schema.get("format", ""), {}))
    if "pattern" in converted:
        # `$` of Go is the end of the text, of ECMA and Python also the last line's.
        converted["pattern"] = re.sub(r"\$$", r"\\Z", converted["pattern"])
    if "properties" in schema:
        converted["properties"] = {name: _json_schema(each) for name, each in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in schema:
            converted[key] = _json_schema(schema[key])
    return converted


_KEPT = ("type", "required", "enum", "pattern", "minimum", "minLength", "maxLength", "x-kubernetes-list-map-keys")
_FORMS: dict[str, dict[str, Any]] = {
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
    "int64": {"minimum": -(2**63), "maximum": 2**63 - 1},
    "byte": {"pattern": r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z"},
    "date-time": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z"},
}


def _limited(schema: Schema) -> dict[str, Any]:
    """A minimum of the schema is never below that of its format."""
    converted = _json_schema(schema)

    def tighten(theirs: Schema, mine: dict[str, Any]) -> None:
        if "minimum" in theirs:
            mine["minimum"] = theirs["minimum"]
        for name, child in theirs.get("properties", {}).items():
            tighten(child, mine["properties"][name])
        for key in ("items", "additionalProperties"):
            if key in theirs:
                tighten(theirs[key], mine[key])

    tighten(schema, converted)
    return converted


def _unique_keys(validator: Any, keys: list[str], items: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    seen: list[Any] = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        key = [item.get(each) for each in keys]
        if key in seen:
            yield jsonschema.ValidationError("duplicate key", path=[index])
        seen.append(key)


_Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"x-kubernetes-list-map-keys": _unique_keys})


def _wrong_fields(errors: list[jsonschema.ValidationError]) -> set[str]:
    fields: set[str] = set()
    for error in errors:
        steps = [f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.absolute_path]
        path = "".join(steps).lstrip(".")
        missing = error.validator == "required" and re.search(r"^'(.+)' is a required", error.message)
        fields.add(f"{path}.{missing[1]}" if missing else path)
    return fields


@pytest.fixture(scope="module")
def second_opinion() -> Any:
    return _Validator(_limited(custom_schema("EmqxEnterprise")))


@pytest.mark.parametrize("name", _CASES)
def test_another_implementation_agrees(name: str, second_opinion: Any) -> None:
    patch, wrong = _CASES[name]
    stored, _ = _judged(patch, custom_schema("EmqxEnterprise"))
    assert _wrong_fields(list(second_opinion.iter_errors(stored))) == wrong


# -- the operator's own samples


def _samples() -> list[Path]:
    return sorted((_FOLDER / "samples").glob("*.yaml"))


@pytest.mark.parametrize("path", _samples(), ids=lambda path: path.stem)
def test_the_operators_samples_are_good(path: Path) -> None:
    for manifest in yaml.safe_load_all(path.read_text()):
        schema = custom_schema(manifest["kind"])
        pruned, unknown = prune(manifest, schema)
        assert unknown == []
        assert validate(fill(pruned, schema), schema) == []
