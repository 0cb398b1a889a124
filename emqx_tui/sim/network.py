"""Endpoints, EndpointSlices and where the clients' connections go.

Owns three controllers of a real cluster: endpoints and slices of Services with a selector, the mirror of hand-written
Endpoints of Services without one, and the data path that follows the slices. Who writes the listener's Endpoints (the
operator, the console, a person) makes no difference here; the route is what the slices say, a mirror lag later.

On a kube-proxy network a connection outlives the removal of its address. With `ebpf` the datapath resets what is
still connected to an address that left, within a few seconds, as Cilium's and Calico's eBPF modes do.
"""

from __future__ import annotations

from collections.abc import Iterator

from emqx_tui.sim.brokers import Brokers
from emqx_tui.sim.hub import Debounced, Hub
from emqx_tui.sim.objects import Key, Object, is_ready, is_terminating, key_of, matches, owner_reference
from emqx_tui.sim.store import Store
from emqx_tui.sim.timeline import Timeline

MANAGER = "kube-controller-manager"
SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
RESET_WITHIN_S = 3.0
"""How long an eBPF-like network takes to break the connections of a removed address."""


class Network:
    """Slices follow Endpoints and pods; routes follow slices."""

    def __init__(
        self, store: Store, timeline: Timeline, hub: Hub, brokers: Brokers, *, mirror_lag_s: float, ebpf: bool
    ) -> None:
        self.ebpf = ebpf
        self._store = store
        self._brokers = brokers
        self._mirrors = Debounced(timeline, mirror_lag_s, self._mirror)
        self._selected = Debounced(timeline, mirror_lag_s, self._select)
        self._pod_states: dict[str, tuple[object, ...]] = {}
        self._listed: dict[Key, frozenset[str]] = {}
        brokers.changed = self._update_route
        hub.on("endpoints", self._on_endpoints)
        hub.on("services", self._on_service)
        hub.on("pods", self._on_pod)
        hub.on("endpointslices", self._on_slice)
        hub.on("emqxenterprises", self._on_enterprise)

    # -- what changed

    def _on_endpoints(self, event_type: str, endpoints: Object) -> None:
        self._mirrors.request(key_of(endpoints))

    def _on_service(self, event_type: str, service: Object) -> None:
        if event_type == "DELETED" and self._store.find("endpoints", *key_of(service)):
            self._store.delete("endpoints", *key_of(service))
        if service["spec"].get("selector"):
            self._selected.request(key_of(service))
        else:
            self._mirrors.request(key_of(service))
        for key in list(self._brokers.clusters):
            if key[0] == service["metadata"]["namespace"]:
                self._update_route(key)

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
            selector = service["spec"].get("selector")
            if selector and matches(pod["metadata"].get("labels"), selector):
                self._selected.request(key_of(service))

    def _on_slice(self, event_type: str, endpoint_slice: Object) -> None:
        namespace = endpoint_slice["metadata"]["namespace"]
        service = endpoint_slice["metadata"]["labels"].get(SERVICE_LABEL)
        for key in list(self._brokers.clusters):
            if key[0] == namespace and self._listener_of(key) == service:
                self._update_route(key)

    def _on_enterprise(self, event_type: str, enterprise: Object) -> None:
        if event_type == "ADDED":
            self._brokers.cluster_of(key_of(enterprise))
        elif event_type == "DELETED":
            self._brokers.forget_cluster(key_of(enterprise))
            self._listed.pop(key_of(enterprise), None)

    # -- mirrored slices: Services without a selector

    def _mirror(self, key: Key) -> None:
        endpoints = self._store.find("endpoints", *key)
        service = self._store.find("services", *key)
        if service is not None and service["spec"].get("selector"):
            return
        labels = {} if endpoints is None else endpoints["metadata"].get("labels") or {}
        if endpoints is None or service is None or labels.get(SKIP_MIRROR) == "true":
            self._drop_slices(key, "endpointslicemirroring-controller.k8s.io")
            return
        subsets = endpoints.get("subsets") or []
        wanted = [_mirrored(endpoints, subset) for subset in subsets]
        self._write_slices(key, endpoints, wanted, "endpointslicemirroring-controller.k8s.io")

    # -- selected slices and Endpoints: Services with a selector

    def _select(self, key: Key) -> None:
        service = self._store.find("services", *key)
        selector = None if service is None else service["spec"].get("selector")
        if service is None or not selector:
            self._drop_slices(key, "endpointslice-controller.k8s.io")
            return
        labels = service["metadata"].get("labels") or {}
        pods = [
            pod
            for pod in self._store.list("pods", key[0])
            if pod["status"].get("podIP") and matches(pod["metadata"].get("labels"), selector)
        ]
        not_ready_too = bool(service["spec"].get("publishNotReadyAddresses"))
        self._write_endpoints(service, pods, not_ready_too)
        ports = [{"name": p["name"], "port": p["port"], "protocol": p["protocol"]} for p in service["spec"]["ports"]]
        body: Object = {
            "addressType": "IPv4",
            "endpoints": [_selected(pod, not_ready_too) for pod in pods],
            "ports": ports,
        }
        made = {"metadata": {"labels": labels}, **body}
        self._write_slices(key, service, [made], "endpointslice-controller.k8s.io")

    def _write_endpoints(self, service: Object, pods: list[Object], not_ready_too: bool) -> None:
        namespace, name = key_of(service)
        alive = [pod for pod in pods if not is_terminating(pod)]
        ready = [_address(pod) for pod in alive if not_ready_too or is_ready(pod)]
        waiting = [_address(pod) for pod in alive if not (not_ready_too or is_ready(pod))]
        ports = [{"name": p["name"], "port": p["port"], "protocol": p["protocol"]} for p in service["spec"]["ports"]]
        subset: Object = {"ports": ports}
        if ready:
            subset["addresses"] = ready
        if waiting:
            subset["notReadyAddresses"] = waiting
        labels = {
            **(service["metadata"].get("labels") or {}),
            "endpoints.kubernetes.io/managed-by": "endpoint-controller",
        }
        made: Object = {"metadata": {"name": name, "namespace": namespace, "labels": labels}}
        if ready or waiting:
            made["subsets"] = [subset]
        old = self._store.find("endpoints", namespace, name)
        if old is None:
            self._store.create("endpoints", made, manager=MANAGER)
        elif old.get("subsets") != made.get("subsets"):
            self._store.update(
                "endpoints", {**made, "metadata": {**old["metadata"], "labels": labels}}, manager=MANAGER
            )

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
            if any(stored.get(part) != made.get(part) for part in ("endpoints", "ports")):
                self._store.update(
                    "endpointslices", {**stored, **made, "metadata": stored["metadata"]}, manager=MANAGER
                )
        for made in wanted[len(old) :]:
            labels = {**made["metadata"]["labels"], SERVICE_LABEL: key[1], MANAGED_BY: managed_by}
            metadata = {
                "generateName": f"{key[1]}-",
                "namespace": key[0],
                "labels": labels,
                "ownerReferences": [owner_reference(owner)],
            }
            self._store.create("endpointslices", {**made, "metadata": metadata}, manager=MANAGER)
        for stored in old[len(wanted) :]:
            self._store.delete("endpointslices", *key_of(stored))

    # -- the data path

    def addresses(self, key: Key) -> list[str]:
        """The addresses that new connections to the listener Service of this EmqxEnterprise can get."""
        service = self._store.find("services", key[0], self._listener_of(key))
        if service is None:
            return []
        port = self._client_port(key)
        if all(each["port"] != port for each in service["spec"].get("ports") or ()):
            return []
        found = []
        for each in self._slices(key_of(service)):
            if all(named["port"] != port for named in each.get("ports") or ()):
                continue
            for endpoint in each["endpoints"]:
                if endpoint.get("conditions", {}).get("ready", True):
                    found += endpoint["addresses"]
        return found

    def _update_route(self, key: Key) -> None:
        cluster = self._brokers.clusters.get(key)
        if cluster is None:
            return
        addresses = self.addresses(key)
        targets: list[str | None] = []
        for ip in addresses:
            broker = self._brokers.at_ip(ip)
            ours = broker is not None and broker.cluster is cluster and broker.listening
            targets.append(broker.name if broker is not None and ours else None)
        if tuple(targets) != cluster.route:
            cluster.set_route(targets)
        before, now = self._listed.get(key, frozenset()), frozenset(addresses)
        self._listed[key] = now
        if self.ebpf:
            for ip in sorted(before - now):
                self._reset(key, ip)

    def _reset(self, key: Key, ip: str) -> None:
        broker = self._brokers.at_ip(ip)
        if broker is not None and broker.listening and broker.cluster is self._brokers.clusters.get(key):
            broker.cluster.reset_connections(broker.name, RESET_WITHIN_S)

    def _listener_of(self, key: Key) -> str:
        enterprise = self._store.find("emqxenterprises", *key)
        template = {} if enterprise is None else enterprise["spec"].get("serviceTemplate") or {}
        return (template.get("metadata") or {}).get("name") or key[1]

    def _client_port(self, key: Key) -> int:
        """The Service port that the clients dial: that of the external TCP listener."""
        enterprise = self._store.find("emqxenterprises", *key)
        if enterprise is None:
            return 1883
        config = enterprise["spec"]["template"]["spec"]["emqxContainer"].get("emqxConfig") or {}
        text = config.get("listener.tcp.external", "1883").rpartition(":")[2]
        return int(text) if text.isdigit() else 1883


_CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")


def _target(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def _address(pod: Object) -> Object:
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"].get("nodeName"), "targetRef": _target(pod)}


def _selected(pod: Object, not_ready_too: bool) -> Object:
    serving, terminating = is_ready(pod), is_terminating(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": not_ready_too or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": _target(pod),
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
    # The mirror controller keeps its own order; equal sets in another order are no change.
    listed.sort(key=lambda each: each["addresses"])
    return {
        "metadata": {"labels": dict(endpoints["metadata"].get("labels") or {})},
        "addressType": "IPv4",
        "endpoints": listed,
        "ports": ports,
    }
