"""Endpoints and EndpointSlices.

Owns two controllers of a real cluster: endpoints and slices of Services with a selector, and the mirror of hand-written
Endpoints of Services without one. Who writes the listener's Endpoints (the operator, the console, a person) makes no
difference here; the routes in `routes` follow what the slices say, a mirror lag later.
"""

from __future__ import annotations

from collections.abc import Iterator

from emqx_tui.sandbox.controllers.informer import Debounced, Informer
from emqx_tui.sandbox.kube.objects import (
    SERVICE_LABEL,
    Key,
    Object,
    is_ready,
    is_terminating,
    key_of,
    matches,
    owner_reference,
    pod_reference,
)
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.timeline import Scheduler

MANAGER = "kube-controller-manager"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
HEADLESS = "service.kubernetes.io/headless"
CHANGED_AT = "endpoints.kubernetes.io/last-change-trigger-time"
Ports = list[Object]
_NOT_MIRRORED = (CHANGED_AT, "kubectl.kubernetes.io/last-applied-configuration")


class EndpointsController:
    """Endpoints and slices follow Services and pods; slices follow hand-written Endpoints."""

    def __init__(self, store: Store, timeline: Scheduler, informer: Informer, *, mirror_lag_s: float) -> None:
        self._store = store
        self._timeline = timeline
        self._syncs = Debounced(timeline, mirror_lag_s, self._sync)
        self._pod_states: dict[str, tuple[object, ...]] = {}
        informer.on("endpoints", lambda event_type, endpoints: self._syncs.request(key_of(endpoints)))
        informer.on("services", self._on_service)
        informer.on("pods", self._on_pod)

    # -- what changed

    def _on_service(self, event_type: str, service: Object) -> None:
        if event_type == "DELETED" and self._store.find("endpoints", *key_of(service)):
            self._store.delete("endpoints", *key_of(service))
        self._syncs.request(key_of(service))

    def _on_pod(self, event_type: str, pod: Object) -> None:
        """Only what a Service's address list is made of makes the endpoints controller work."""
        uid = pod["metadata"]["uid"]
        state = (is_ready(pod), pod["status"].get("podIP"), is_terminating(pod), pod["metadata"].get("labels"))
        if event_type == "DELETED":
            self._pod_states.pop(uid, None)
        elif self._pod_states.get(uid) == state:
            return
        else:
            self._pod_states[uid] = state
        for service in self._store.list("services", pod["metadata"]["namespace"]):
            if (selector := _selector(service)) and matches(pod["metadata"].get("labels"), selector):
                self._syncs.request(key_of(service))

    def _sync(self, key: Key) -> None:
        service = self._store.find("services", *key)
        if service is not None and _is_external_name(service):
            return
        if service is not None and _selector(service):
            self._select(key, service)
        else:
            self._mirror(key, service)

    # -- mirrored slices: Services without a selector

    def _mirror(self, key: Key, service: Object | None) -> None:
        endpoints = self._store.find("endpoints", *key)
        labels = {} if endpoints is None else endpoints["metadata"].get("labels") or {}
        if endpoints is None or service is None or labels.get(SKIP_MIRROR) == "true":
            self._drop_slices(key, _MIRRORING)
            return
        wanted = [_mirrored(endpoints, subset) for subset in endpoints.get("subsets") or []]
        self._write_slices(key, endpoints, wanted, _MIRRORING)

    # -- selected slices and Endpoints: Services with a selector

    def _select(self, key: Key, service: Object) -> None:
        pods = [
            pod
            for pod in self._store.list("pods", key[0])
            if pod["status"].get("podIP") and matches(pod["metadata"].get("labels"), _selector(service))
        ]
        groups = _by_ports(service, pods)
        not_ready_too = bool(service["spec"].get("publishNotReadyAddresses"))
        self._write_endpoints(service, groups, not_ready_too)
        labels = {**(service["metadata"].get("labels") or {}), **_headless(service)}
        wanted: list[Object] = [
            {
                "metadata": {"labels": labels, "annotations": self._changed_now()},
                "addressType": "IPv4",
                "endpoints": [_selected(pod, service, not_ready_too) for pod in serving],
                "ports": ports,
            }
            for ports, serving in groups
        ]
        self._write_slices(key, service, wanted, _SELECTING)

    def _changed_now(self) -> dict[str, str]:
        return {CHANGED_AT: rfc3339(self._timeline.now)}

    def _write_endpoints(self, service: Object, groups: list[tuple[Ports, list[Object]]], not_ready_too: bool) -> None:
        namespace, name = key_of(service)
        subsets = [_subset(service, ports, pods, not_ready_too) for ports, pods in groups]
        subsets = [subset for subset in subsets if len(subset) > 1]
        labels = {
            **(service["metadata"].get("labels") or {}),
            "endpoints.kubernetes.io/managed-by": "endpoint-controller",
            **_headless(service),
        }
        own = {"labels": labels, "annotations": self._changed_now()}
        made: Object = {"metadata": {"name": name, "namespace": namespace, **own}}
        if subsets:
            made["subsets"] = subsets
        old = self._store.find("endpoints", namespace, name)
        if old is None:
            self._store.create("endpoints", made, manager=MANAGER)
        elif old.get("subsets") != made.get("subsets"):
            self._store.update("endpoints", {**made, "metadata": {**old["metadata"], **own}}, manager=MANAGER)

    # -- slices in the store

    def _slices(self, key: Key, managed_by: str | None = None) -> Iterator[Object]:
        labels = {SERVICE_LABEL: key[1]}
        if managed_by:
            labels[MANAGED_BY] = managed_by
        yield from self._store.list("endpointslices", key[0], labels)

    def _drop_slices(self, key: Key, managed_by: str) -> None:
        for old in list(self._slices(key, managed_by)):
            self._store.delete("endpointslices", *key_of(old))

    def _write_slices(self, key: Key, owner: Object, wanted: list[Object], managed_by: str) -> None:
        other = next(name for name in _CONTROLLERS if name != managed_by)
        self._drop_slices(key, other)
        old = list(self._slices(key, managed_by))
        for made, stored in zip(wanted, old, strict=False):
            annotations = stored["metadata"].get("annotations") or {}
            copies = managed_by == _MIRRORING and annotations != (made["metadata"].get("annotations") or {})
            if copies or any(stored.get(part) != made.get(part) for part in ("endpoints", "ports")):
                metadata = {**stored["metadata"], "annotations": made["metadata"].get("annotations") or {}}
                if managed_by == _MIRRORING:
                    metadata.pop("generateName", None)
                self._store.update("endpointslices", {**stored, **made, "metadata": metadata}, manager=MANAGER)
        for made in wanted[len(old) :]:
            labels = {**made["metadata"]["labels"], SERVICE_LABEL: key[1], MANAGED_BY: managed_by}
            metadata = {
                "generateName": f"{key[1]}-",
                "namespace": key[0],
                "labels": labels,
                "annotations": made["metadata"].get("annotations") or {},
                "ownerReferences": [owner_reference(owner)],
            }
            self._store.create("endpointslices", {**made, "metadata": metadata}, manager=MANAGER)
        for stored in old[len(wanted) :]:
            self._store.delete("endpointslices", *key_of(stored))


_MIRRORING = "endpointslicemirroring-controller.k8s.io"
_SELECTING = "endpointslice-controller.k8s.io"
_CONTROLLERS = (_SELECTING, _MIRRORING)


def _selector(service: Object) -> dict[str, str]:
    return service["spec"].get("selector") or {}


def _is_external_name(service: Object) -> bool:
    """A name in DNS: nothing is selected, and nothing is mirrored."""
    return service["spec"].get("type") == "ExternalName"


def _by_ports(service: Object, pods: list[Object]) -> list[tuple[Ports, list[Object]]]:
    """Pods that serve the Service at the same ports, together; one empty group when there is no pod."""
    groups: list[tuple[Ports, list[Object]]] = []
    for pod in pods:
        ports = [
            {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
            for port in service["spec"].get("ports") or ()
            if (number := _target_port(port, pod)) is not None
        ]
        serving = next((together for same, together in groups if same == ports), None)
        if serving is None:
            groups.append((ports, [pod]))
        else:
            serving.append(pod)
    return groups or [([], [])]


def _target_port(port: Object, pod: Object) -> int | None:
    """The number of a Service's port in a pod; a name is looked up in its containers, None when none has it."""
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    protocol = port.get("protocol", "TCP")
    offered = (each for container in pod["spec"]["containers"] for each in container.get("ports") or ())
    return next(
        (
            each["containerPort"]
            for each in offered
            if each.get("name") == target and each.get("protocol", "TCP") == protocol
        ),
        None,
    )


def _subset(service: Object, ports: Ports, pods: list[Object], not_ready_too: bool) -> Object:
    """Of an Endpoints object, where a port without a name has none."""
    alive = [pod for pod in pods if not is_terminating(pod)]
    ready = [_address(pod, service) for pod in alive if not_ready_too or is_ready(pod)]
    waiting = [_address(pod, service) for pod in alive if not (not_ready_too or is_ready(pod))]
    named = [{key: value for key, value in port.items() if value != ""} for port in ports]
    subset: Object = {"ports": named}
    if ready:
        subset["addresses"] = ready
    if waiting:
        subset["notReadyAddresses"] = waiting
    return subset


def _headless(service: Object) -> dict[str, str]:
    return {HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}


def _hostname(pod: Object, service: Object) -> dict[str, str]:
    """Pods have a name of their own behind the Service that they call their subdomain."""
    spec = pod["spec"]
    return {"hostname": spec["hostname"]} if spec.get("subdomain") == service["metadata"]["name"] else {}


def _address(pod: Object, service: Object) -> Object:
    where = {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": pod_reference(pod)}
    return {**where, **_hostname(pod, service)}


def _selected(pod: Object, service: Object, not_ready_too: bool) -> Object:
    serving, terminating = is_ready(pod), is_terminating(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": not_ready_too or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": pod_reference(pod),
        **_hostname(pod, service),
    }


def _mirrored(endpoints: Object, subset: Object) -> Object:
    """One slice per subset; ready addresses are ready whatever their pods are (EndpointSliceMirroring)."""

    def endpoint(address: Object, ready: bool) -> Object:
        made: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
        if address.get("nodeName"):
            made["nodeName"] = address["nodeName"]
        if address.get("targetRef"):
            made["targetRef"] = address["targetRef"]
        return made

    listed = [endpoint(each, True) for each in subset.get("addresses") or ()]
    listed += [endpoint(each, False) for each in subset.get("notReadyAddresses") or ()]
    ports = [
        {key: port[key] for key in ("name", "port", "protocol") if key in port} for port in subset.get("ports") or ()
    ]
    annotations = endpoints["metadata"].get("annotations") or {}
    # The mirror controller keeps its own order; equal sets in another order are no change.
    listed.sort(key=lambda each: each["addresses"])
    return {
        "metadata": {
            "labels": dict(endpoints["metadata"].get("labels") or {}),
            "annotations": {key: value for key, value in annotations.items() if key not in _NOT_MIRRORED},
        },
        "addressType": "IPv4",
        "endpoints": listed,
        "ports": ports,
    }
