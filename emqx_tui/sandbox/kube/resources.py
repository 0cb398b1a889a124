"""The kinds that the simulated API server serves, one row each.

Owns names, scope and subresources; columns, schemas and behaviour belong to others. Plural names are the keys
everywhere, so they must be unique here (in a real cluster the group is part of the key).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_STATUS = frozenset({"status"})
_SCALED = frozenset({"status", "scale"})


@dataclass(frozen=True)
class Resource:
    """One row of discovery, and how the store treats its objects."""

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    subresources: frozenset[str] = frozenset()
    graceful: bool = False
    """A delete only marks the object; the kubelet removes it."""
    generation: bool = True
    """A change outside metadata and status bumps metadata.generation."""
    initial_status: Mapping[str, Any] | None = field(default=None, hash=False)
    """With a status subresource a new object starts with this status; the client's is ignored."""
    custom: bool = False
    """Defined by a CustomResourceDefinition: no strategic merge, and items of lists name their own kind."""
    categories: tuple[str, ...] = ()
    virtual: bool = False
    """Only POST, answered on the spot and never stored (access reviews)."""
    changed_by_every_write: bool = False
    """Its webhook adds nulls that are dropped later, so every write counts as a change and raises the generation."""
    unconditional_update: bool = True
    """A PUT may leave out metadata.resourceVersion."""

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name used in error texts: `pods`, `statefulsets.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


def _kind(group_version: str, kind: str, *short_names: str, plural: str = "", **more: Any) -> Resource:
    group, _, version = group_version.rpartition("/")
    return Resource(group, version, plural or f"{kind.lower()}s", kind, kind.lower(), short_names, **more)


def _core(kind: str, *short_names: str, **more: Any) -> Resource:
    return _kind("v1", kind, *short_names, generation=False, **more)


_ALL = ("all",)
_PENDING = {"phase": "Pending"}
_POD_PENDING = {**_PENDING, "qosClass": "BestEffort"}
_CUSTOM: dict[str, Any] = {"custom": True, "unconditional_update": False}
_REVIEW: dict[str, Any] = {"namespaced": False, "virtual": True}

_RESOURCES = (
    _core("Namespace", "ns", namespaced=False, subresources=_STATUS, initial_status={"phase": "Active"}),
    _core("Pod", "po", subresources=_STATUS, graceful=True, initial_status=_POD_PENDING, categories=_ALL),
    _core("Service", "svc", subresources=_STATUS, initial_status={"loadBalancer": {}}, categories=_ALL),
    _core("Endpoints", "ep", plural="endpoints"),
    _core("Event", "ev"),
    _core("Secret"),
    _core("ConfigMap", "cm"),
    _core("Node", "no", namespaced=False),
    _core("PersistentVolumeClaim", "pvc", subresources=_STATUS, initial_status=_PENDING),
    _core("ServiceAccount", "sa"),
    _core("ResourceQuota", "quota", subresources=_STATUS),
    _kind("apps/v1", "StatefulSet", "sts", subresources=_SCALED, initial_status={"replicas": 0}, categories=_ALL),
    _kind("apps/v1", "Deployment", "deploy", subresources=_SCALED, categories=_ALL),
    _kind("discovery.k8s.io/v1", "EndpointSlice"),
    _kind("coordination.k8s.io/v1", "Lease", generation=False, unconditional_update=False),
    _kind(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "crd",
        "crds",
        namespaced=False,
        categories=("api-extensions",),
        unconditional_update=False,
    ),
    _kind("authorization.k8s.io/v1", "SelfSubjectAccessReview", **_REVIEW),
    _kind("authorization.k8s.io/v1", "SelfSubjectRulesReview", **_REVIEW),
    _kind("apps.emqx.io/v1beta4", "EmqxEnterprise", subresources=_SCALED, changed_by_every_write=True, **_CUSTOM),
    _kind("apps.emqx.io/v1beta4", "EmqxPlugin", subresources=_STATUS, **_CUSTOM),
)


def standard_resources() -> list[Resource]:
    """Every kind that the world and its clients need, core group first."""
    return list(_RESOURCES)
