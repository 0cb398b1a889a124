"""Reading Kubernetes objects as dicts: owners, conditions, labels.

Owns the few questions that every simulated controller asks of an object. Nothing here changes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


class Objects(Protocol):
    """Lookup of objects by the plural name of their kind; never change one."""

    def find(self, plural: str, namespace: str, name: str) -> Object | None: ...

    def list(
        self, plural: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Object]: ...


SERVICE_LABEL = "kubernetes.io/service-name"
"""On an EndpointSlice: the Service that it belongs to."""
ON_SERVING = "apps.emqx.io/on-serving"
"""The readiness gate that the operator sets (operator lines G2 and G3)."""


def key_of(obj: Object) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def controller_uid(obj: Object) -> str | None:
    """The uid of the owner that controls this object."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return owner["uid"]
    return None


def owner_reference(owner: Object) -> Object:
    """A controller reference to `owner`, as controllerutil.SetControllerReference writes it."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_reference(pod: Object) -> Object:
    """The `targetRef` of an address."""
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def condition(obj: Object, kind: str) -> Object | None:
    for each in (obj.get("status") or {}).get("conditions") or ():
        if each["type"] == kind:
            return each
    return None


def is_condition_true(obj: Object, kind: str) -> bool:
    found = condition(obj, kind)
    return found is not None and found["status"] == "True"


def is_ready(pod: Object) -> bool:
    return is_condition_true(pod, "Ready")


def is_terminating(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def matches(labels: Mapping[str, str] | None, selector: Mapping[str, str]) -> bool:
    has = labels or {}
    return all(has.get(key) == value for key, value in selector.items())


def ordinal_of(pod_name: str) -> int:
    """The number behind the last dash of a StatefulSet's pod; -1 when there is none."""
    _, _, tail = pod_name.rpartition("-")
    return int(tail) if tail.isdigit() else -1
