"""StatefulSets, pods, Services and the other Kubernetes objects, reduced to the fields that a release needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from emqx_tui.model.containers import Container, PodCondition
from emqx_tui.model.kube_object import KubeObject, Meta
from emqx_tui.model.wire import Fields, clean

ON_SERVING = "apps.emqx.io/on-serving"
"""The readiness gate that the operator sets from EMQX's availability check (operator 2.1.3 and later)."""


@dataclass(frozen=True)
class StatefulSet(KubeObject):
    """One generation's StatefulSet."""

    replicas: int
    """`spec.replicas`: what is wanted."""
    status_replicas: int
    current_replicas: int
    ready_replicas: int
    observed_generation: int
    current_revision: str
    update_revision: str
    image: str
    """Image of the `emqx` container."""
    pod_template: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """`spec.template`; it can hold secrets."""

    @property
    def is_settled(self) -> bool:
        """The controller has seen the newest spec and its status counts agree with it."""
        return (
            self.observed_generation >= self.meta.metadata_generation
            and self.status_replicas == self.replicas
            and self.current_replicas == self.replicas
        )

    @property
    def version(self) -> str:
        """Version part of the image, empty when the image has none."""
        _, _, tag = self.image.rpartition(":")
        return tag if "/" not in tag else ""

    @classmethod
    def from_json(cls, value: Any) -> StatefulSet:
        """Read an `apps/v1` StatefulSet. Raises Malformed."""
        fields = Fields(value)
        spec, status = fields.child("spec"), fields.child("status")
        containers = list(spec.child("template").child("spec").children("containers"))
        emqx = next((c for c in containers if c.text("name", "") == "emqx"), containers[0] if containers else None)
        return cls(
            meta=Meta.from_fields(fields),
            replicas=spec.integer("replicas", 1),
            status_replicas=status.integer("replicas", 0),
            current_replicas=status.integer("currentReplicas", 0),
            ready_replicas=status.integer("readyReplicas", 0),
            observed_generation=status.integer("observedGeneration", 0),
            current_revision=status.text("currentRevision", ""),
            update_revision=status.text("updateRevision", ""),
            image=emqx.text("image", "") if emqx else "",
            pod_template=spec.raw("template", {}),
        )


@dataclass(frozen=True)
class Pod(KubeObject):
    """One pod of a generation."""

    phase: str
    ip: str
    node_name: str
    """The Kubernetes node it runs on."""
    is_ready: bool
    containers_ready: bool
    on_serving: bool | None
    """The operator's readiness gate; None where the pod has none."""
    trouble: str
    """The container's waiting or terminated reason, such as ImagePullBackOff; empty when all is well."""
    restarts: int
    containers: tuple[Container, ...] = ()
    conditions: tuple[PodCondition, ...] = ()
    readiness_gates: tuple[str, ...] = ()

    @cached_property
    def broker(self) -> Container | None:
        """The container that EMQX runs in."""
        return next((container for container in self.containers if container.name == "emqx"), None)

    @property
    def blocked(self) -> Container | None:
        """The container that keeps the pod from running, with its reason, message and image."""
        return next((c for c in self.containers if self.trouble and self.trouble in (c.waiting, _ended(c))), None)

    @cached_property
    def ordinal(self) -> int:
        """Number after the last dash of the name, -1 where there is none."""
        tail = self.name.rpartition("-")[2]
        return int(tail) if tail.isdigit() else -1

    @property
    def boot_s(self) -> float | None:
        """Seconds from its creation until its containers were ready; None unless it is ready and never was restarted.

        A probe that has failed since makes it too long.
        """
        ready = next((c for c in self.conditions if c.type == "ContainersReady" and c.status == "True"), None)
        if self.restarts or ready is None or ready.since is None or self.meta.created_at is None:
            return None
        return max(0.0, (ready.since - self.meta.created_at).total_seconds())

    @classmethod
    def from_json(cls, value: Any) -> Pod:
        """Read a `v1` Pod. Raises Malformed."""
        fields = Fields(value)
        spec, status = fields.child("spec"), fields.child("status")
        conditions = {c.text("type", ""): c.text("status", "") == "True" for c in status.children("conditions")}
        gates = {g.text("conditionType", "") for g in spec.children("readinessGates")}
        containers = list(status.children("containerStatuses"))
        return cls(
            meta=Meta.from_fields(fields),
            phase=status.text("phase", "Unknown"),
            ip=status.text("podIP", ""),
            node_name=spec.text("nodeName", ""),
            is_ready=conditions.get("Ready", False),
            containers_ready=conditions.get("ContainersReady", False),
            on_serving=conditions.get(ON_SERVING, False) if ON_SERVING in gates else None,
            trouble=_trouble(containers, status),
            restarts=sum(c.integer("restartCount", 0) for c in containers),
            containers=tuple(Container.from_fields(c) for c in containers),
            conditions=tuple(PodCondition.from_fields(c) for c in status.children("conditions")),
            readiness_gates=tuple(sorted(gates)),
        )


def _ended(container: Container) -> str:
    return container.ended.reason if container.ended else ""


def _trouble(containers: list[Fields], status: Fields) -> str:
    ordinary = {"", "ContainerCreating", "PodInitializing"}
    for container in containers:
        for kind in ("waiting", "terminated"):
            reason = container.child("state").child(kind).text("reason", "")
            if reason not in ordinary:
                return reason
    unscheduled = [c for c in status.children("conditions") if c.text("type", "") == "PodScheduled"]
    if unscheduled and unscheduled[0].text("status", "") == "False":
        return unscheduled[0].text("reason", "Unschedulable")
    return ""


@dataclass(frozen=True)
class Port:
    """A named port of a Service or of its addresses; `target` and `node_port` are empty on addresses."""

    name: str
    port: int
    protocol: str
    target: str = ""
    node_port: int = 0

    @classmethod
    def from_fields(cls, fields: Fields) -> Port:
        return cls(
            name=fields.text("name", ""),
            port=fields.integer("port", 0),
            protocol=fields.text("protocol", "TCP"),
            target=clean(str(fields.raw("targetPort", ""))),
            node_port=fields.integer("nodePort", 0),
        )


def port_row(port: Port) -> tuple[str, int, str, str, int]:
    """A Service port as a plain row: (name, port, protocol, target, nodePort)."""
    return (port.name, port.port, port.protocol, port.target, port.node_port)


@dataclass(frozen=True)
class Service(KubeObject):
    """A Service: its selector and its ports."""

    type: str
    selector: tuple[tuple[str, str], ...]
    ports: tuple[Port, ...]
    external_traffic_policy: str

    @classmethod
    def from_json(cls, value: Any) -> Service:
        """Read a `v1` Service. Raises Malformed."""
        fields = Fields(value)
        spec = fields.child("spec")
        return cls(
            meta=Meta.from_fields(fields),
            type=spec.text("type", "ClusterIP"),
            selector=tuple(sorted(spec.text_map("selector").items())),
            ports=tuple(Port.from_fields(p) for p in spec.children("ports")),
            external_traffic_policy=spec.text("externalTrafficPolicy", "Cluster"),
        )


@dataclass(frozen=True)
class Address:
    """One address behind a Service."""

    ip: str
    node_name: str = ""
    pod_name: str = ""
    pod_uid: str = ""


@dataclass(frozen=True)
class Endpoints(KubeObject):
    """The addresses behind a Service, as the operator or this console wrote them."""

    addresses: tuple[Address, ...]
    ports: tuple[Port, ...]

    @classmethod
    def from_json(cls, value: Any) -> Endpoints:
        """Read a `v1` Endpoints. Raises Malformed."""
        fields = Fields(value)
        subsets = list(fields.children("subsets"))
        return cls(
            meta=Meta.from_fields(fields),
            addresses=tuple(_address(a) for s in subsets for a in s.children("addresses")),
            ports=tuple(Port.from_fields(p) for s in subsets[:1] for p in s.children("ports")),
        )


def _address(fields: Fields) -> Address:
    target = fields.child("targetRef")
    return Address(
        ip=fields.text("ip", ""),
        node_name=fields.text("nodeName", ""),
        pod_name=target.text("name", ""),
        pod_uid=target.text("uid", ""),
    )


SERVICE_LABEL = "kubernetes.io/service-name"
"""Label of an EndpointSlice: the name of its Service."""


@dataclass(frozen=True)
class EndpointSlice(KubeObject):
    """A slice of a Service's addresses: the ones that proxies use."""

    service: str
    ips: tuple[str, ...]

    @classmethod
    def from_json(cls, value: Any) -> EndpointSlice:
        """Read a `discovery.k8s.io/v1` EndpointSlice; only ready endpoints count. Raises Malformed."""
        fields = Fields(value)
        meta = Meta.from_fields(fields)
        ready = [e for e in fields.children("endpoints") if e.child("conditions").raw("ready", True)]
        return cls(
            meta=meta,
            service=dict(meta.labels).get(SERVICE_LABEL, ""),
            ips=tuple(ip for endpoint in ready for ip in endpoint.texts("addresses")),
        )


REPLACED_DELAY = "emqx-tui/replaced-initial-delay-seconds"
"""Annotation of such an Event, and never of an EmqxEnterprise."""


class DelaySource(StrEnum):
    """Where a user's own delay is known from."""

    OBJECT = "object"
    """The object has it."""
    EVENT = "event"
    """The Event of the console that replaced it."""
    APPLIED = "applied"
    """What `kubectl apply` sent last: it may have been changed since."""
    GIVEN = "given"
    """A person says so."""


@dataclass(frozen=True)
class OwnDelay:
    """A user's own `initialDelaySeconds`."""

    seconds: int | None
    """None: absent."""
    source: DelaySource = DelaySource.OBJECT

    @property
    def note(self) -> str:
        """As an annotation has it."""
        return "absent" if self.seconds is None else str(self.seconds)

    @classmethod
    def from_note(cls, note: str) -> Self | None:
        """None for what is no such note."""
        if note == "absent":
            return cls(None, DelaySource.EVENT)
        is_number = note.isascii() and note.isdigit() and len(note) <= 10
        return cls(int(note), DelaySource.EVENT) if is_number else None


@dataclass(frozen=True)
class ClusterEvent(KubeObject):
    """A Kubernetes Event: shown to people. No decision rests on one; a person who takes a release over is offered the
    delay that one of this console's names."""

    type: str
    reason: str
    message: str
    component: str
    count: int
    last_at: datetime | None
    about: str = ""
    """`Pod/emqx-ee-0`: the object that it is about."""
    about_uid: str = ""
    replaced_delay: OwnDelay | None = None
    """Of the Event that is left when a console closes the valve of a release that it did not start."""

    @classmethod
    def from_json(cls, value: Any) -> ClusterEvent:
        """Read a `v1` Event. Raises Malformed."""
        fields = Fields(value)
        about = fields.child("involvedObject")
        noted = fields.child("metadata").text_map("annotations").get(REPLACED_DELAY)
        return cls(
            meta=Meta.from_fields(fields),
            type=fields.text("type", "Normal"),
            reason=fields.text("reason", ""),
            message=fields.text("message", ""),
            component=fields.child("source").text("component", "") or fields.text("reportingComponent", ""),
            count=fields.integer("count", 1),
            last_at=fields.instant("lastTimestamp") or fields.instant("eventTime") or fields.instant("firstTimestamp"),
            about="/".join(part for part in (about.text("kind", ""), about.text("name", "")) if part),
            about_uid=about.text("uid", ""),
            replaced_delay=None if noted is None else OwnDelay.from_note(noted),
        )


@dataclass(frozen=True)
class Lease(KubeObject):
    """The driver lease. Its times are by the holder's clock, so expiry is judged by the renewals that are seen."""

    holder: str
    """Empty = nobody."""
    duration_s: int
    transitions: int
    renewed_at: datetime | None = None
    """By the holder's clock: for people, never for a decision."""

    @classmethod
    def from_json(cls, value: Any) -> Lease:
        """Read a `coordination.k8s.io/v1` Lease. Raises Malformed."""
        fields = Fields(value)
        spec = fields.child("spec")
        return cls(
            meta=Meta.from_fields(fields),
            holder=spec.text("holderIdentity", ""),
            duration_s=spec.integer("leaseDurationSeconds", 15),
            transitions=spec.integer("leaseTransitions", 0),
            renewed_at=spec.instant("renewTime"),
        )
