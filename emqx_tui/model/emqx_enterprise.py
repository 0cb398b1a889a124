"""The custom resource EmqxEnterprise (apps.emqx.io/v1beta4).

Traps settled here: `status.conditions[0]` alone is the present condition, older ones stay behind it with status True;
an absent `initialDelaySeconds` means 0; an empty evacuation list is stored as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from emqx_tui.model.evacuation import Evacuation
from emqx_tui.model.kube_object import KubeObject, Meta, fingerprint
from emqx_tui.model.owners import Owners
from emqx_tui.model.wire import Fields


@dataclass(frozen=True)
class BlueGreenUpdate:
    """`spec.blueGreenUpdate`: the operator's parameters of a release. None = not given."""

    initial_delay_s: int | None
    wait_takeover_s: int | None
    conn_evict_rate_per_s: int | None
    sess_evict_rate_per_s: int | None

    @property
    def effective_delay_s(self) -> int:
        """What the operator works with: absent means 0."""
        return self.initial_delay_s or 0


@dataclass(frozen=True)
class Image:
    """`spec.template.spec.emqxContainer.image`."""

    registry: str
    repository: str
    version: str

    def __str__(self) -> str:
        prefix = f"{self.registry.rstrip('/')}/" if self.registry else ""
        return f"{prefix}{self.repository}:{self.version}"


@dataclass(frozen=True)
class Condition:
    """One entry of `status.conditions`."""

    type: str
    status: bool
    reason: str
    message: str
    last_update_at: datetime | None


_RELEASE = re.compile(r"\d+\.\d+\.\d+")
"""What a tag and what a node says are compared by: `4.4.15-rockylinux` runs as `4.4.15`."""


@dataclass(frozen=True)
class BlueGreenStatus:
    """`status.blueGreenUpdateStatus`, without its StatefulSet names: they flip with the sizes of the sets."""

    started_at: datetime | None
    evacuations: tuple[Evacuation, ...]


@dataclass(frozen=True)
class StatusNode:
    """One entry of `status.emqxNodes`; `connections` counts kept sessions too and is as old as the status."""

    node: str
    status: str
    version: str
    connections: int


@dataclass(frozen=True)
class EmqxEnterprise(KubeObject):
    """One EMQX Enterprise cluster as its owner asked for it and as the operator last described it."""

    replicas: int
    image: Image
    blue_green: BlueGreenUpdate | None
    """None: the operator would do a rolling update."""
    service_name: str
    persistent: bool
    conditions: tuple[Condition, ...]
    status_nodes: tuple[StatusNode, ...]
    ready_replicas: int
    blue_green_status: BlueGreenStatus | None
    status_mark: str
    """Fingerprint of `status`: it changes with every status write that changes anything."""
    owners: Owners = field(default=Owners(), repr=False, compare=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The object as read, for editing and for restoring. It can hold secrets: never printed, never logged."""

    @property
    def condition(self) -> Condition | None:
        """The present condition: the first one, and only it."""
        return self.conditions[0] if self.conditions else None

    @property
    def no_service(self) -> str:
        """What to say where the listener Service does not exist, with the likely cause.

        The operator adds ports of its own, and the API server takes no unnamed port beside others.
        """
        said = f"Service {self.service_name} does not exist: no client can connect; "
        spec = Fields(self.raw).child("spec").child("serviceTemplate").child("spec")
        unnamed = [str(port.raw("port", "?")) for port in spec.children("ports") if "name" not in port]
        if unnamed:
            return f"{said}likely cause: port {unnamed[0]} of spec.serviceTemplate has no name"
        return f"{said}the operator's log says why"

    @property
    def is_running(self) -> bool:
        """The operator says Running, and says it now."""
        return bool(self.condition and self.condition.type == "Running" and self.condition.status)

    @property
    def has_other_version(self) -> bool:
        """A node runs another version than the object asks for; False where its tag is no version."""
        wanted = _RELEASE.match(self.image.version)
        found = (_RELEASE.match(node.version) for node in self.status_nodes)
        return wanted is not None and any(each is not None and each[0] != wanted[0] for each in found)

    @property
    def template(self) -> Mapping[str, Any]:
        """`spec.template` as stored."""
        return (self.raw.get("spec") or {}).get("template") or {}

    @cached_property
    def template_mark(self) -> str:
        """Fingerprint of `spec.template`, made when a release asks for it: a list of a thousand clusters does not."""
        return fingerprint(self.template)

    @classmethod
    def from_json(cls, value: Any) -> EmqxEnterprise:
        """Read an EmqxEnterprise. Raises Malformed."""
        fields = Fields(value)
        meta = Meta.from_fields(fields)
        spec, status = fields.child("spec"), fields.child("status")
        image = spec.child("template").child("spec").child("emqxContainer").child("image")
        return cls(
            meta=meta,
            replicas=spec.integer("replicas", 3),
            image=Image(
                registry=image.text("registry", ""),
                repository=image.text("repository", "emqx/emqx-ee"),
                version=image.text("version", ""),
            ),
            blue_green=_blue_green(spec.child("blueGreenUpdate")) if "blueGreenUpdate" in spec else None,
            service_name=spec.child("serviceTemplate").child("metadata").text("name", meta.name),
            persistent="persistent" in spec,
            conditions=tuple(_condition(c) for c in status.children("conditions")),
            status_nodes=tuple(_status_node(n) for n in status.children("emqxNodes")),
            ready_replicas=status.integer("readyReplicas", 0),
            blue_green_status=_status(status.child("blueGreenUpdateStatus"))
            if "blueGreenUpdateStatus" in status
            else None,
            status_mark=fingerprint(fields.raw("status", {})),
            owners=Owners.from_fields(fields.child("metadata")),
            raw=value,
        )


def _blue_green(fields: Fields) -> BlueGreenUpdate:
    strategy = fields.child("evacuationStrategy")
    return BlueGreenUpdate(
        initial_delay_s=fields.optional_integer("initialDelaySeconds"),
        wait_takeover_s=strategy.optional_integer("waitTakeover"),
        conn_evict_rate_per_s=strategy.optional_integer("connEvictRate"),
        sess_evict_rate_per_s=strategy.optional_integer("sessEvictRate"),
    )


def _condition(fields: Fields) -> Condition:
    return Condition(
        type=fields.text("type", ""),
        status=fields.text("status", "") == "True",
        reason=fields.text("reason", ""),
        message=fields.text("message", ""),
        last_update_at=fields.instant("lastUpdateTime"),
    )


def _status_node(fields: Fields) -> StatusNode:
    return StatusNode(
        node=fields.text("node", ""),
        status=fields.text("node_status", ""),
        version=fields.text("version", ""),
        connections=fields.integer("connections", 0),
    )


def _status(fields: Fields) -> BlueGreenStatus:
    return BlueGreenStatus(
        started_at=fields.instant("startedAt"),
        evacuations=tuple(Evacuation.from_fields(e) for e in fields.children("evacuationsStatus")),
    )
