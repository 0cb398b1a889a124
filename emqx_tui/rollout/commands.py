"""The commands that a rollout sends. Each is exactly one request, and describes itself as a kubectl or curl line.

Advancing commands need an approval and stop at a hold; protective ones are always allowed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from emqx_tui.model.api_version import V4
from emqx_tui.model.claims import INSTANCE_LABEL
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import KubeObject
from emqx_tui.model.workloads import SERVICE_LABEL, Address, EndpointSlice, Pod, Port, StatefulSet
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.redaction import redact
from emqx_tui.rollout.requests import (
    FIELD_MANAGER,
    JSON_PATCH,
    MERGE_PATCH,
    EmqxRequest,
    KubeRequest,
    curl,
)

_QUERY = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
_PLAIN_QUERY = {"fieldManager": FIELD_MANAGER}


@dataclass(frozen=True)
class Target:
    """The object that a command changes."""

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    """Precondition: what was seen when the decision was made. Empty = none."""

    @classmethod
    def of(cls, found: KubeObject) -> Target:
        """The very object that was seen."""
        meta = found.meta
        return cls(meta.namespace, meta.name, meta.uid, meta.resource_version)

    def preconditions(self) -> dict[str, str]:
        given = {"uid": self.uid, "resourceVersion": self.resource_version}
        return {key: value for key, value in given.items() if value}


@dataclass(frozen=True)
class _Base:
    advancing: ClassVar[bool]
    """It needs an approval, and stops at a hold."""
    name: ClassVar[str]
    """The class's own name in lower case, such as `apply-template`."""

    def __init_subclass__(cls, *, advancing: bool = False) -> None:
        cls.advancing = advancing
        cls.name = re.sub(r"(?<=.)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def key(self) -> str:
        """Two commands of one key are never in flight together."""
        return self.name

    def request(self) -> KubeRequest | EmqxRequest:
        raise TypeError(f"{type(self).__name__} has no request")

    def describe(self) -> str:
        """The equivalent kubectl or curl command, redacted, on one line."""
        return describe_request(self.request())


def _patch_resource(target: Target, spec: Mapping[str, Any], subresource: str | None = None) -> KubeRequest:
    body: dict[str, Any] = {"status" if subresource == "status" else "spec": dict(spec)}
    if preconditions := target.preconditions():
        body["metadata"] = preconditions
    path = Kind.EMQX_ENTERPRISE.info.path(target.namespace, target.name, subresource)
    return KubeRequest("PATCH", path, body, MERGE_PATCH, _QUERY)


def _patch_delay(target: Target, seconds: int | None) -> KubeRequest:
    return _patch_resource(target, {"blueGreenUpdate": {"initialDelaySeconds": seconds}})


def _patch(kind: Kind, target: Target, body: Mapping[str, Any], subresource: str | None = None) -> KubeRequest:
    path = kind.info.path(target.namespace, target.name, subresource)
    return KubeRequest("PATCH", path, {"metadata": target.preconditions(), **body}, MERGE_PATCH, _PLAIN_QUERY)


@dataclass(frozen=True)
class ApplyTemplate(_Base, advancing=True):
    """Start the release: template, closed valve and rates in ONE patch, on the object that the person saw."""

    target: Target
    template_patch: Mapping[str, Any] = field(repr=False)
    valve_s: int = 0
    rates: Rates | None = None

    def request(self) -> KubeRequest:
        parameters: dict[str, Any] = {"initialDelaySeconds": self.valve_s}
        if self.rates:
            parameters["evacuationStrategy"] = {
                "waitTakeover": self.rates.wait_takeover_s,
                "connEvictRate": self.rates.conn_evict_rate_per_s,
                "sessEvictRate": self.rates.sess_evict_rate_per_s,
            }
        return _patch_resource(self.target, {"template": dict(self.template_patch), "blueGreenUpdate": parameters})


@dataclass(frozen=True)
class CloseValve(_Base):
    """Hold the operator again after somebody or something opened the valve.

    Bound to the object by its uid alone: the operator writes its status all the time, and this must lose no race.
    """

    target: Target
    valve_s: int

    def request(self) -> KubeRequest:
        return _patch_delay(replace(self.target, resource_version=""), self.valve_s)


@dataclass(frozen=True)
class Nudge(_Base):
    """Cause one pass of the operator: replace the closed value with another closed one."""

    target: Target
    valve_s: int
    reason: str = ""
    """For the log."""
    slowest_s: float | None = None
    """Too many for this reason: they come ever more seldom, at least every so many seconds."""

    def request(self) -> KubeRequest:
        return _patch_delay(self.target, self.valve_s)


@dataclass(frozen=True)
class ForgetReleaseStatus(_Base):
    """Null `status.blueGreenUpdateStatus`, so that the operator does full passes and updates frozen readiness gates."""

    target: Target
    reason: str = ""
    """For the log."""

    def request(self) -> KubeRequest:
        return _patch_resource(self.target, {"blueGreenUpdateStatus": None}, "status")


@dataclass(frozen=True)
class WriteEndpoints(_Base):
    """Replace the addresses of the listener Endpoints."""

    target: Target
    """The Endpoints object; its resourceVersion is always a precondition."""
    addresses: tuple[Address, ...]
    ports: tuple[Port, ...]
    purpose: str
    instance: str = ""
    """Label of the pods that the addresses belong to: the name of the cluster."""
    unready: frozenset[str] = frozenset()
    """Pods whose containers are known not to be ready, and which keep their address with their clients."""

    @property
    def key(self) -> str:
        return "write-endpoints"

    def pods_request(self) -> KubeRequest:
        """Lists the pods as they are now: a watch can be late, and the address of a pod that is gone another one's."""
        selected = {"labelSelector": f"{INSTANCE_LABEL}={self.instance}"} if self.instance else {}
        return KubeRequest("GET", Kind.POD.info.path(self.target.namespace), query=selected)

    def without_pod(self, found: Iterable[Pod]) -> tuple[str, ...]:
        """Names of the pods that do not have their address any more, or whose containers are not ready any more."""
        up = (pod for pod in found if not pod.meta.deleting and (pod.containers_ready or pod.meta.name in self.unready))
        standing = {(pod.meta.uid, pod.ip) for pod in up}
        return tuple(a.pod_name for a in self.addresses if (a.pod_uid, a.ip) not in standing)

    def request(self) -> KubeRequest:
        subset = {
            "addresses": [_address_json(address, self.target.namespace) for address in self.addresses],
            "ports": [{"name": p.name, "port": p.port, "protocol": p.protocol} for p in self.ports],
        }
        return _patch(Kind.ENDPOINTS, self.target, {"subsets": [subset]})


@dataclass(frozen=True)
class SwitchEndpoints(WriteEndpoints, advancing=True):
    """Move the Service: the canary, or the cut-over itself."""


@dataclass(frozen=True)
class RepairEndpoints(WriteEndpoints):
    """Restore the addresses that the phase asks for, after another writer or a pod change."""


@dataclass(frozen=True)
class RepairService(_Base):
    """Put back ports of the listener Service that an operator's pass took away just before it began to hold."""

    target: Target
    ports: tuple[Port, ...]
    """All ports that the Service is to have."""

    def request(self) -> KubeRequest:
        return _patch(Kind.SERVICE, self.target, {"spec": {"ports": [_port_json(p) for p in self.ports]}})


def _port_json(port: Port) -> dict[str, Any]:
    spelled: dict[str, Any] = {"name": port.name, "port": port.port, "protocol": port.protocol}
    if port.target:
        spelled["targetPort"] = int(port.target) if port.target.isdigit() else port.target
    if port.node_port:
        spelled["nodePort"] = port.node_port
    return spelled


def _address_json(address: Address, namespace: str) -> dict[str, Any]:
    spelled: dict[str, Any] = {"ip": address.ip}
    if address.node_name:
        spelled["nodeName"] = address.node_name
    if address.pod_name:
        reference = {"kind": "Pod", "namespace": namespace, "name": address.pod_name, "uid": address.pod_uid}
        spelled["targetRef"] = reference
    return spelled


def drain_key(pod: str) -> str:
    """The key of whatever is sent about the evacuation of one node."""
    return f"drain:{pod}"


@dataclass(frozen=True)
class _Drain(_Base):
    namespace: str
    pod: str
    """Also the pod that is asked: availability of the recipients is judged by the node that serves the request."""
    node: str

    @property
    def key(self) -> str:
        return drain_key(self.pod)

    def _post(self, path: str, body: Any = None) -> EmqxRequest:
        return EmqxRequest(self.namespace, self.pod, "POST", path, body, timeout_s=15.0)


@dataclass(frozen=True)
class StartDrain(_Drain, advancing=True):
    """Start the evacuation of one node. It disconnects clients, so it needs that node's approval.

    Who is evicted comes back through the Service: its addresses must be those that were judged.
    """

    recipients: tuple[str, ...]
    rates: Rates
    service: str
    addresses: frozenset[str]
    """Of the Service, as its watch has told them."""

    def slices_request(self) -> KubeRequest:
        """Lists the addresses that proxies use as they are now: a watch can be late."""
        query = {"labelSelector": f"{SERVICE_LABEL}={self.service}"}
        return KubeRequest("GET", Kind.ENDPOINT_SLICE.info.path(self.namespace), query=query)

    def is_same_service(self, found: Iterable[EndpointSlice]) -> bool:
        """Nobody has given the Service other addresses since they were seen."""
        return {ip for each in found if each.service == self.service for ip in each.ips} == self.addresses

    def request(self) -> EmqxRequest:
        body: dict[str, Any] = {
            "conn_evict_rate": self.rates.conn_evict_rate_per_s,
            "sess_evict_rate": self.rates.sess_evict_rate_per_s,
            "migrate_to": list(self.recipients),
        }
        if self.rates.wait_takeover_s > 0:
            body["wait_takeover"] = self.rates.wait_takeover_s
        return self._post(V4.start_path(self.node), body)


@dataclass(frozen=True)
class StopDrain(_Drain):
    """Stop the evacuation of one node: it keeps its remaining clients and accepts new ones again."""

    reason: str = ""
    """For the log."""

    def request(self) -> EmqxRequest:
        return self._post(V4.stop_path(self.node))


@dataclass(frozen=True)
class Scale(_Base, advancing=True):
    """Set the size of one StatefulSet, on the very object that was judged (UID and resourceVersion)."""

    target: Target
    before: int
    after: int
    purpose: str = ""
    """For the log."""

    @property
    def key(self) -> str:
        return f"scale:{self.target.name}"

    def request(self) -> KubeRequest:
        return _patch(Kind.STATEFUL_SET, self.target, {"spec": {"replicas": self.after}}, "scale")


@dataclass(frozen=True)
class RestoreTemplate(_Base):
    """Abort: put the original template back, word for word, if the spec and blue are still what we last saw.

    With its template back the operator gives blue the size that the object asks for, whoever is connected there.
    """

    target: Target
    generation: int
    """Of the object, as it was seen."""
    original: Mapping[str, Any] = field(repr=False)
    blue: Target
    blue_generation: int

    def blue_request(self) -> KubeRequest:
        """Lists blue as it is now: no patch of the resource can be bound to it, and a watch can be late."""
        path = Kind.STATEFUL_SET.info.path(self.blue.namespace)
        return KubeRequest("GET", path, query={"fieldSelector": f"metadata.name={self.blue.name}"})

    def is_same_blue(self, found: StatefulSet) -> bool:
        """Nobody has given blue another size, or anything else, since it was seen."""
        meta = found.meta
        return (meta.uid, meta.metadata_generation) == (self.blue.uid, self.blue_generation)

    def request(self) -> KubeRequest:
        return replace_template(self.target, self.generation, self.original)


def replace_template(target: Target, generation: int, template: Mapping[str, Any]) -> KubeRequest:
    """Another template, if the spec is still the one of this generation."""
    operations = [
        {"op": "test", "path": "/metadata/uid", "value": target.uid},
        {"op": "test", "path": "/metadata/generation", "value": generation},
        {"op": "replace", "path": "/spec/template", "value": dict(template)},
    ]
    path = Kind.EMQX_ENTERPRISE.info.path(target.namespace, target.name)
    return KubeRequest("PATCH", path, operations, JSON_PATCH, _QUERY)


@dataclass(frozen=True)
class RestoreDelay(_Base):
    """Give the operator back the user's own initialDelaySeconds: the last command of a release.

    From then on it drains by itself what it takes for the older of two sets.
    """

    target: Target
    delay_s: int | None
    """None: it was absent before."""
    staying_uid: str
    """Of the StatefulSet that is left."""

    def sets_request(self) -> KubeRequest:
        """Lists the StatefulSets as they are now: no patch of the resource can be bound to them."""
        query = {"labelSelector": f"{INSTANCE_LABEL}={self.target.name}"}
        return KubeRequest("GET", Kind.STATEFUL_SET.info.path(self.target.namespace), query=query)

    def is_alone(self, found: Iterable[StatefulSet]) -> bool:
        """No other set of this cluster wants pods."""
        wanting = {each.meta.uid for each in found if each.meta.owner_uid == self.target.uid and each.replicas}
        return wanting == {self.staying_uid}

    def request(self) -> KubeRequest:
        return _patch_delay(self.target, self.delay_s)


Command = (
    ApplyTemplate
    | CloseValve
    | Nudge
    | ForgetReleaseStatus
    | SwitchEndpoints
    | RepairEndpoints
    | RepairService
    | StartDrain
    | StopDrain
    | Scale
    | RestoreTemplate
    | RestoreDelay
)


def describe_request(request: KubeRequest | EmqxRequest) -> str:
    """A request as a kubectl or curl command line, redacted."""
    if isinstance(request, EmqxRequest):
        return curl(request)
    parts = request.path.strip("/").split("/")
    namespace, plural, name, *rest = parts[parts.index("namespaces") + 1 :]
    body = json.dumps(redact(request.body), separators=(",", ":"), ensure_ascii=False)
    kind = "json" if request.content_type == JSON_PATCH else "merge"
    sub = f" --subresource={rest[0]}" if rest else ""
    return f"kubectl -n {namespace} patch {plural} {name}{sub} --type={kind} -p {shlex.quote(body)}"


def in_context(command: str, context: str) -> str:
    """A kubectl or emqx-tui line with `--context`; as it is where `context` is empty, and for any other program."""
    program, _, rest = command.partition(" ")
    if not context or program not in ("kubectl", "emqx-tui"):
        return command
    return f"{program} --context {shlex.quote(context)} {rest}"
