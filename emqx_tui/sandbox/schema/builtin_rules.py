"""Validation of built-in kinds.

Owns a few checks of Pods, StatefulSets, Services, Endpoints, Leases, Secrets and ConfigMaps, with an API server's
messages (kubernetes, `pkg/apis/*/validation`). Unlike there, Endpoints may have loopback addresses: those of the pods.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.schema.metadata_rules import DNS_LABEL
from emqx_tui.sandbox.schema.validation import Violation, invalid, required

_PORT_RULE = "must be between 1 and 65535, inclusive"
_FILE_NAME = re.compile(r"[-._a-zA-Z0-9]+")
_FILE_NAME_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_STATEFULSET_MAY_CHANGE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def builtin_violations(plural: str, new: Object, old: Object | None) -> list[Violation]:
    """Violations of an object of a built-in kind, without those of its metadata."""
    rule = _RULES.get(plural)
    return list(rule(new, old)) if rule else []


def normalized(plural: str, obj: Object) -> Object:
    """The object as it is stored: a Secret's `stringData` becomes `data`."""
    if plural != "secrets":
        return obj
    plain = obj.get("stringData") or {}
    encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in plain.items()}
    stored = {key: value for key, value in obj.items() if key != "stringData"}
    if encoded:
        stored["data"] = {**(obj.get("data") or {}), **encoded}
    return {**stored, "type": obj.get("type") or "Opaque"}


# -- pods


def _pod(new: Object, old: Object | None) -> Iterator[Violation]:
    if old is None or new.get("spec") != old.get("spec"):
        yield from _pod_spec(new.get("spec") or {}, "spec")


def _pod_spec(spec: Object, path: str) -> Iterator[Violation]:
    containers = spec.get("containers") or []
    if not containers:
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for index, container in enumerate(containers):
        where, name = f"{path}.containers[{index}]", container.get("name", "")
        if not name:
            yield required(f"{where}.name")
        elif name in seen:
            yield Violation("FieldValueDuplicate", f"{where}.name", f'Duplicate value: "{name}"')
        else:
            for why in DNS_LABEL.complaints(name):
                yield invalid(f"{where}.name", name, why)
        seen.add(name)
        if not container.get("image"):
            yield required(f"{where}.image")


# -- stateful sets


def _statefulset(new: Object, old: Object | None) -> Iterator[Violation]:
    spec = new.get("spec") or {}
    if old is not None and spec == old.get("spec"):
        return
    replicas = spec.get("replicas", 1)
    if replicas is not None and replicas < 0:
        yield invalid("spec.replicas", replicas, "must be greater than or equal to 0")
    yield from _selected(spec)
    if old is None or spec.get("template") != (old.get("spec") or {}).get("template"):
        yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")
    if old is not None:
        before, after = _frozen(old.get("spec") or {}), _frozen(spec)
        if before != after:
            named = ", ".join(f"'{each}'" for each in _STATEFULSET_MAY_CHANGE[:-1])
            rule = f"fields other than {named} and '{_STATEFULSET_MAY_CHANGE[-1]}' are forbidden"
            yield Violation("FieldValueForbidden", "spec", f"Forbidden: updates to statefulset spec for {rule}")


def _selected(spec: Object) -> Iterator[Violation]:
    selector = spec.get("selector")
    if not selector:
        yield required("spec.selector")
        return
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        yield invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")


def _frozen(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if key not in _STATEFULSET_MAY_CHANGE}


# -- services and endpoints


def _service(new: Object, old: Object | None) -> Iterator[Violation]:
    spec = new.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    if kind not in _SERVICE_TYPES:
        supported = ", ".join(f'"{each}"' for each in _SERVICE_TYPES)
        text = f'Unsupported value: "{kind}": supported values: {supported}'
        yield Violation("FieldValueNotSupported", "spec.type", text)
    ports = spec.get("ports") or []
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    yield from _named_ports(ports, "spec.ports")
    address = ((old or {}).get("spec") or {}).get("clusterIP")
    if address and spec.get("clusterIP") not in (None, address) and kind != "ExternalName":
        yield invalid("spec.clusterIPs[0]", [spec["clusterIP"]], "may not change once set")


def _named_ports(ports: list[Object], path: str) -> Iterator[Violation]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"{path}[{index}]", port.get("name", "")
        if not name and len(ports) > 1:
            yield required(f"{where}.name")
        elif name and name in seen:
            yield Violation("FieldValueDuplicate", f"{where}.name", f'Duplicate value: "{name}"')
        seen.add(name)
        if not 1 <= (port.get("port") or 0) <= 65535:
            yield invalid(f"{where}.port", port.get("port") or 0, _PORT_RULE)


def _endpoints(new: Object, old: Object | None) -> Iterator[Violation]:
    for index, subset in enumerate(new.get("subsets") or []):
        path = f"subsets[{index}]"
        if not (subset.get("addresses") or subset.get("notReadyAddresses")):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for key in ("addresses", "notReadyAddresses"):
            for position, address in enumerate(subset.get(key) or []):
                yield from _address(address.get("ip"), f"{path}.{key}[{position}].ip")
        yield from _named_ports(subset.get("ports") or [], f"{path}.ports")


def _address(text: Any, path: str) -> Iterator[Violation]:
    try:
        address = ipaddress.ip_address(str(text))
    except ValueError:
        yield invalid(path, text or "", "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        yield invalid(path, text or "", "must be a valid IP address")
        return
    if address.is_unspecified:
        yield invalid(path, text, f"may not be unspecified ({text})")
    elif address.is_link_local:
        yield invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")


# -- leases and secrets


def _lease(new: Object, old: Object | None) -> Iterator[Violation]:
    spec = new.get("spec") or {}
    for name, least, rule in (("leaseDurationSeconds", 1, "0"), ("leaseTransitions", 0, "or equal to 0")):
        value = spec.get(name)
        if value is not None and value < least:
            yield invalid(f"spec.{name}", value, f"must be greater than {rule}")


def _files(new: Object, old: Object | None) -> Iterator[Violation]:
    for key in new.get("data") or {}:
        if not _FILE_NAME.fullmatch(key):
            yield invalid(f"data[{key}]", key, _FILE_NAME_RULE)


def _secret(new: Object, old: Object | None) -> Iterator[Violation]:
    yield from _files(new, old)
    if old is None:
        return
    if new.get("type") != old.get("type", "Opaque"):
        yield invalid("type", new.get("type"), "field is immutable")
    if old.get("immutable") and new.get("data") != old.get("data"):
        text = "Forbidden: field is immutable when `immutable` is set"
        yield Violation("FieldValueForbidden", "data", text)


_RULES: dict[str, Callable[[Object, Object | None], Iterator[Violation]]] = {
    "pods": _pod,
    "statefulsets": _statefulset,
    "services": _service,
    "endpoints": _endpoints,
    "leases": _lease,
    "secrets": _secret,
    "configmaps": _files,
}
