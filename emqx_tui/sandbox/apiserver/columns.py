"""Columns of `kubectl get`, by kind.

Server-side printing after `pkg/printers/internalversion/printers.go` and the additional printer columns of the
EmqxEnterprise definition. Pure: ages are relative to the `now` that is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emqx_tui.sandbox.apiserver.pod_printer import pod_readiness, pod_readiness_gates, pod_restarts, pod_status
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.timestamps import parse_rfc3339

_SHOWN_ENDPOINTS = 3
_DAY = 24 * 3600
_YEAR = 365 * _DAY


@dataclass(frozen=True)
class Column:
    """One column; `cell(object, now)` with `now` in seconds since the epoch."""

    name: str
    cell: Callable[[Object, float], Any]
    type: str = "string"
    format: str = ""
    wide: bool = False
    """Only with `-o wide`."""

    def definition(self) -> Object:
        priority = 1 if self.wide else 0
        return {"name": self.name, "type": self.type, "format": self.format, "description": "", "priority": priority}


_DURATIONS = (
    (120, 1, "s", 0, ""),
    (600, 60, "m", 1, "s"),
    (180 * 60, 60, "m", 0, ""),
    (8 * 3600, 3600, "h", 60, "m"),
    (48 * 3600, 3600, "h", 0, ""),
    (8 * _DAY, _DAY, "d", 3600, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    (math.inf, _YEAR, "y", 0, ""),
)
"""Below so many seconds: the large unit, and the small one if it is shown too."""


def human_duration(seconds: float) -> str:
    """A duration as kubectl prints it (apimachinery `duration.HumanDuration`)."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    _, size, unit, small_size, small_unit = next(row for row in _DURATIONS if whole < row[0])
    small = whole % size // small_size if small_size else 0
    return f"{whole // size}{unit}" + (f"{small}{small_unit}" if small else "")


def since(text: str | None, now: float) -> str:
    """The age of an RFC 3339 instant."""
    return human_duration(now - parse_rfc3339(text)) if text else "<unknown>"


def at(path: str, missing: Any = "<none>") -> Callable[[Object, float], Any]:
    """A cell that shows the value at a dotted path."""
    parts = path.split(".")

    def cell(obj: Object, _now: float) -> Any:
        value: Any = obj
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return missing if value is None else value

    return cell


def _true_condition(obj: Object, _now: float) -> str:
    """`.status.conditions[?(@.status=="True")].type`: the first one, which is the newest of the operator's."""
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True":
            return condition["type"]
    return ""


def _count(path: str) -> Callable[[Object, float], Any]:
    return lambda obj, _now: len(obj.get(path) or ())


def _ready_replicas(obj: Object, now: float) -> str:
    return f"{at('status.readyReplicas', 0)(obj, now)}/{at('spec.replicas', 1)(obj, now)}"


def _of_containers(field: str) -> Callable[[Object, float], Any]:
    def cell(obj: Object, _now: float) -> str:
        pod = ((obj.get("spec") or {}).get("template") or {}).get("spec") or {}
        return ",".join(each.get(field, "") for each in pod.get("containers") or ())

    return cell


def _selector(path: str) -> Callable[[Object, float], Any]:
    pick = at(path, "")

    def cell(obj: Object, now: float) -> str:
        labels = pick(obj, now)
        return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) if labels else "<none>"

    return cell


def _service_ports(obj: Object, _now: float) -> str:
    shown = []
    for port in (obj.get("spec") or {}).get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _external_ip(obj: Object, _now: float) -> str:
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses = [each.get("ip") or each.get("hostname") or "" for each in ingress]
    if addresses:
        return ",".join(addresses)
    return "<pending>" if (obj.get("spec") or {}).get("type") == "LoadBalancer" else "<none>"


def _shortened(addresses: list[str]) -> str:
    more = len(addresses) - _SHOWN_ENDPOINTS
    shown = ",".join(addresses[:_SHOWN_ENDPOINTS]) or "<none>"
    return f"{shown} + {more} more..." if more > 0 else shown


def _endpoint_addresses(obj: Object, _now: float) -> str:
    found = []
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            found += [f"{each['ip']}:{port['port']}" for each in subset.get("addresses") or ()]
    return _shortened(found)


def _slice_ports(obj: Object, _now: float) -> str:
    return _shortened([str(port.get("port", "*")) for port in obj.get("ports") or ()]).replace("<none>", "<unset>")


def _slice_endpoints(obj: Object, _now: float) -> str:
    return _shortened([address for each in obj.get("endpoints") or () for address in each.get("addresses") or ()])


def _last_seen(obj: Object, now: float) -> str:
    return since(obj.get("lastTimestamp") or obj.get("eventTime") or obj.get("firstTimestamp"), now)


def _event_object(obj: Object, _now: float) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{(involved.get('kind') or '').lower()}/{involved.get('name') or ''}"


def _event_source(obj: Object, _now: float) -> str:
    source = obj.get("source") or {}
    parts = [source.get("component") or obj.get("reportingComponent"), source.get("host")]
    return ", ".join(part for part in parts if part)


def _node_status(obj: Object, _now: float) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    cordoned = ",SchedulingDisabled" if (obj.get("spec") or {}).get("unschedulable") else ""
    return ("Ready" if ready else "NotReady") + cordoned


def _node_roles(obj: Object, _now: float) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


def _node_address(kind: str) -> Callable[[Object, float], Any]:
    def cell(obj: Object, _now: float) -> str:
        addresses = (obj.get("status") or {}).get("addresses") or ()
        return next((each["address"] for each in addresses if each["type"] == kind), "<none>")

    return cell


NAME = Column("Name", at("metadata.name"), format="name")
AGE = Column("Age", lambda obj, now: since(obj["metadata"].get("creationTimestamp"), now))
_IMAGES = (
    Column("Containers", _of_containers("name"), wide=True),
    Column("Images", _of_containers("image"), wide=True),
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "emqxenterprises": (NAME, Column("Status", _true_condition), AGE),
    "namespaces": (NAME, Column("Status", at("status.phase")), AGE),
    "pods": (
        NAME,
        Column("Ready", lambda pod, _now: pod_readiness(pod)),
        Column("Status", lambda pod, _now: pod_status(pod)),
        Column("Restarts", lambda pod, _now: pod_restarts(pod)),
        AGE,
        Column("IP", at("status.podIP"), wide=True),
        Column("Node", at("spec.nodeName"), wide=True),
        Column("Nominated Node", at("status.nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda pod, _now: pod_readiness_gates(pod), wide=True),
    ),
    "services": (
        NAME,
        Column("Type", at("spec.type", "ClusterIP")),
        Column("Cluster-IP", at("spec.clusterIP")),
        Column("External-IP", _external_ip),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", _selector("spec.selector"), wide=True),
    ),
    "endpoints": (NAME, Column("Endpoints", _endpoint_addresses), AGE),
    "endpointslices": (
        NAME,
        Column("AddressType", at("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "events": (
        Column("Last Seen", _last_seen),
        Column("Type", at("type", "")),
        Column("Reason", at("reason", "")),
        Column("Object", _event_object),
        Column("Subobject", at("involvedObject.fieldPath", ""), wide=True),
        Column("Source", _event_source, wide=True),
        Column("Message", at("message", "")),
        Column("First Seen", lambda obj, now: since(obj.get("firstTimestamp") or obj.get("eventTime"), now), wide=True),
        Column("Count", lambda obj, _now: str(obj.get("count") or 1), wide=True),
        Column("Name", at("metadata.name"), format="name", wide=True),
    ),
    "secrets": (NAME, Column("Type", at("type", "Opaque")), Column("Data", _count("data"), "integer"), AGE),
    "configmaps": (NAME, Column("Data", _count("data"), "integer"), AGE),
    "serviceaccounts": (NAME, Column("Secrets", _count("secrets"), "integer"), AGE),
    "leases": (NAME, Column("Holder", at("spec.holderIdentity", "")), AGE),
    "nodes": (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        AGE,
        Column("Version", at("status.nodeInfo.kubeletVersion", "")),
        Column("Internal-IP", _node_address("InternalIP"), wide=True),
        Column("External-IP", _node_address("ExternalIP"), wide=True),
    ),
    "persistentvolumeclaims": (
        NAME,
        Column("Status", at("status.phase", "")),
        Column("Volume", at("spec.volumeName", "")),
        Column("Capacity", at("status.capacity.storage", "")),
        AGE,
    ),
    "statefulsets": (NAME, Column("Ready", _ready_replicas), AGE, *_IMAGES),
    "deployments": (
        NAME,
        Column("Ready", _ready_replicas),
        Column("Up-to-date", at("status.updatedReplicas", 0), "integer"),
        Column("Available", at("status.availableReplicas", 0), "integer"),
        AGE,
        *_IMAGES,
        Column("Selector", _selector("spec.selector.matchLabels"), wide=True),
    ),
    "customresourcedefinitions": (NAME, Column("Created At", at("metadata.creationTimestamp"), "date")),
}
DEFAULT_COLUMNS = (NAME, AGE)
