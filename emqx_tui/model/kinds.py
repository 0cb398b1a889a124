"""The Kubernetes kinds that are read: their place in the API, and the parser of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from emqx_tui.model.api_version import V4
from emqx_tui.model.claims import Claim
from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.workloads import ClusterEvent, Endpoints, EndpointSlice, Lease, Pod, Secret, Service, StatefulSet


@dataclass(frozen=True)
class KindInfo:
    """One collection of the API."""

    base: str
    """`api/v1` or `apis/<group>/<version>`."""
    plural: str
    group: str
    parse: Callable[[Any], Any]

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of the collection (all namespaces with None), of one object, or of its subresource."""
        parts = ["", self.base]
        if namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


class Kind(Enum):
    """The kinds that are watched or read."""

    EMQX_ENTERPRISE = KindInfo(V4.resource_base, V4.resource_plural, "apps.emqx.io", EmqxEnterprise.from_json)
    STATEFUL_SET = KindInfo("apis/apps/v1", "statefulsets", "apps", StatefulSet.from_json)
    POD = KindInfo("api/v1", "pods", "", Pod.from_json)
    SERVICE = KindInfo("api/v1", "services", "", Service.from_json)
    ENDPOINTS = KindInfo("api/v1", "endpoints", "", Endpoints.from_json)
    ENDPOINT_SLICE = KindInfo("apis/discovery.k8s.io/v1", "endpointslices", "discovery.k8s.io", EndpointSlice.from_json)
    EVENT = KindInfo("api/v1", "events", "", ClusterEvent.from_json)

    SECRET = KindInfo("api/v1", "secrets", "", Secret.from_json)
    CLAIM = KindInfo("api/v1", "persistentvolumeclaims", "", Claim.from_json)
    LEASE = KindInfo("apis/coordination.k8s.io/v1", "leases", "coordination.k8s.io", Lease.from_json)

    __hash__ = object.__hash__
    """Each kind is one object: Enum's own hash of the name is a call in Python."""

    @property
    def info(self) -> KindInfo:
        return self.value


WATCHED = tuple(kind for kind in Kind if kind is not Kind.CLAIM)
"""The kinds that a session watches; claims are read when somebody looks."""
