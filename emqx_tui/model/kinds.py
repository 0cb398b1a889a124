"""The Kubernetes kinds that are read: their place in the API, and the parser of each.

What reads pods and their like is loaded with the first of them: a list of clusters has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

from emqx_tui.model.api_version import V4
from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.secret import Secret


@dataclass(frozen=True)
class KindInfo:
    """One collection of the API."""

    base: str
    """`api/v1` or `apis/<group>/<version>`."""
    plural: str
    group: str

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

    EMQX_ENTERPRISE = KindInfo(V4.resource_base, V4.resource_plural, "apps.emqx.io")
    STATEFUL_SET = KindInfo("apis/apps/v1", "statefulsets", "apps")
    POD = KindInfo("api/v1", "pods", "")
    SERVICE = KindInfo("api/v1", "services", "")
    ENDPOINTS = KindInfo("api/v1", "endpoints", "")
    ENDPOINT_SLICE = KindInfo("apis/discovery.k8s.io/v1", "endpointslices", "discovery.k8s.io")
    EVENT = KindInfo("api/v1", "events", "")

    SECRET = KindInfo("api/v1", "secrets", "")
    CLAIM = KindInfo("api/v1", "persistentvolumeclaims", "")
    LEASE = KindInfo("apis/coordination.k8s.io/v1", "leases", "coordination.k8s.io")

    __hash__ = object.__hash__
    """Each kind is one object: Enum's own hash of the name is a call in Python."""

    @property
    def info(self) -> KindInfo:
        return self.value

    @property
    def parse(self) -> Callable[[Any], Any]:
        """Reads an object of this kind. Raises Malformed."""
        return _parser(self)


@cache
def _parser(kind: Kind) -> Callable[[Any], Any]:
    if kind is Kind.EMQX_ENTERPRISE:
        return EmqxEnterprise.from_json
    if kind is Kind.SECRET:
        return Secret.from_json
    from emqx_tui.model.claims import Claim
    from emqx_tui.model.workloads import ClusterEvent, Endpoints, EndpointSlice, Lease, Pod, Service, StatefulSet

    return {
        Kind.STATEFUL_SET: StatefulSet.from_json,
        Kind.POD: Pod.from_json,
        Kind.SERVICE: Service.from_json,
        Kind.ENDPOINTS: Endpoints.from_json,
        Kind.ENDPOINT_SLICE: EndpointSlice.from_json,
        Kind.EVENT: ClusterEvent.from_json,
        Kind.CLAIM: Claim.from_json,
        Kind.LEASE: Lease.from_json,
    }[kind]


WATCHED = tuple(kind for kind in Kind if kind is not Kind.CLAIM)
"""The kinds that a session watches; claims are read when somebody looks."""
