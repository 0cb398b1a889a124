"""The kinds that the simulated API server knows: one row of discovery each.

Owns names, scope and subresources; columns, schemas and behaviour belong to others. Plural names are the keys
everywhere, so they must be unique here (in a real cluster the group is part of the key).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

STATUS = frozenset({"status"})
STATUS_AND_SCALE = frozenset({"status", "scale"})


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
    """A delete only marks the object; whoever runs it (the kubelet) removes it."""
    generation: bool = True
    """A change outside metadata and status bumps metadata.generation."""
    initial_status: Mapping[str, Any] | None = field(default=None, hash=False)
    """With a status subresource a new object starts with this status, whatever its author wrote."""
    custom: bool = False
    """Defined by a CustomResourceDefinition: no strategic merge, and items of lists name their own kind."""
    categories: tuple[str, ...] = ()
    virtual: bool = False
    """Only POST, answered on the spot and never stored (access reviews)."""
    restless: bool = False
    """Its webhook leaves traces (nulls that are dropped later) that count as a change in every write of the object."""
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


def _core(plural: str, kind: str, *short_names: str, **more: Any) -> Resource:
    more.setdefault("generation", False)
    return Resource("", "v1", plural, kind, kind.lower(), short_names, **more)


def _core_resources() -> list[Resource]:
    return [
        _core(
            "namespaces", "Namespace", "ns", namespaced=False, subresources=STATUS, initial_status={"phase": "Active"}
        ),
        _core(
            "pods",
            "Pod",
            "po",
            subresources=STATUS,
            graceful=True,
            initial_status={"phase": "Pending", "qosClass": "BestEffort"},
            categories=("all",),
        ),
        _core(
            "services", "Service", "svc", subresources=STATUS, initial_status={"loadBalancer": {}}, categories=("all",)
        ),
        _core("endpoints", "Endpoints", "ep"),
        _core("events", "Event", "ev"),
        _core("secrets", "Secret"),
        _core("configmaps", "ConfigMap", "cm"),
        _core("nodes", "Node", "no", namespaced=False),
        _core(
            "persistentvolumeclaims",
            "PersistentVolumeClaim",
            "pvc",
            subresources=STATUS,
            initial_status={"phase": "Pending"},
        ),
        _core("serviceaccounts", "ServiceAccount", "sa"),
        _core("resourcequotas", "ResourceQuota", "quota", subresources=STATUS),
    ]


def _apps_resources() -> list[Resource]:
    starting = {"replicas": 0}
    return [
        Resource(
            "apps",
            "v1",
            "statefulsets",
            "StatefulSet",
            "statefulset",
            ("sts",),
            subresources=STATUS_AND_SCALE,
            initial_status=starting,
            categories=("all",),
        ),
        Resource(
            "apps",
            "v1",
            "deployments",
            "Deployment",
            "deployment",
            ("deploy",),
            subresources=STATUS_AND_SCALE,
            categories=("all",),
        ),
        Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "endpointslice"),
        Resource("coordination.k8s.io", "v1", "leases", "Lease", "lease", generation=False, unconditional_update=False),
        Resource(
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "CustomResourceDefinition",
            "customresourcedefinition",
            ("crd", "crds"),
            namespaced=False,
            categories=("api-extensions",),
            unconditional_update=False,
        ),
    ]


def _review_resources() -> list[Resource]:
    group = "authorization.k8s.io"
    return [
        Resource(group, "v1", f"{kind.lower()}s", kind, kind.lower(), namespaced=False, virtual=True)
        for kind in ("SelfSubjectAccessReview", "SelfSubjectRulesReview")
    ]


def _emqx_resources() -> list[Resource]:
    group, version = "apps.emqx.io", "v1beta4"
    return [
        Resource(
            group,
            version,
            "emqxenterprises",
            "EmqxEnterprise",
            "emqxenterprise",
            subresources=STATUS_AND_SCALE,
            custom=True,
            restless=True,
            unconditional_update=False,
        ),
        Resource(
            group,
            version,
            "emqxplugins",
            "EmqxPlugin",
            "emqxplugin",
            subresources=STATUS,
            custom=True,
            unconditional_update=False,
        ),
    ]


def standard_resources() -> list[Resource]:
    """Every kind that the world and its clients need, core group first."""
    return [*_core_resources(), *_apps_resources(), *_review_resources(), *_emqx_resources()]
