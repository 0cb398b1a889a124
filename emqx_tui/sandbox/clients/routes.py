"""Where the clients' connections go: the data path of the listener Service.

Owns the route of each EMQX cluster. It is what the EndpointSlices say, whoever wrote them or the Endpoints behind them:
a real or a simulated controller, the operator, the console, a person. It writes nothing.

On a kube-proxy network a connection outlives the removal of its address. With `ebpf` the datapath resets what is still
connected to an address that left, within a few seconds, as Cilium's and Calico's eBPF modes do.
"""

from __future__ import annotations

from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.kube.objects import SERVICE_LABEL, Key, Object, Objects, key_of

RESET_WITHIN_S = 3.0
"""How long an eBPF-like network takes to break the connections of a removed address."""


class Routes:
    """Routes follow slices; the `on_` methods have to be called for each change of an object."""

    def __init__(self, objects: Objects, brokers: Brokers, *, ebpf: bool) -> None:
        self.ebpf = ebpf
        self._objects = objects
        self._brokers = brokers
        self._listed: dict[Key, frozenset[str]] = {}
        brokers.changed = self.update

    def on_service(self, event_type: str, service: Object) -> None:
        for key in list(self._brokers.clusters):
            if key[0] == service["metadata"]["namespace"]:
                self.update(key)

    def on_slice(self, event_type: str, endpoint_slice: Object) -> None:
        namespace = endpoint_slice["metadata"]["namespace"]
        service = (endpoint_slice["metadata"].get("labels") or {}).get(SERVICE_LABEL)
        for key in list(self._brokers.clusters):
            if key[0] == namespace and self._listener_of(key) == service:
                self.update(key)

    def on_enterprise(self, event_type: str, enterprise: Object) -> None:
        if event_type == "ADDED":
            self._brokers.cluster_of(key_of(enterprise))
        elif event_type == "DELETED":
            self._brokers.forget_cluster(key_of(enterprise))
            self._listed.pop(key_of(enterprise), None)

    def addresses(self, key: Key) -> list[str]:
        """The addresses that new connections to the listener Service of this EmqxEnterprise can get."""
        service = self._objects.find("services", key[0], self._listener_of(key))
        if service is None:
            return []
        port = self._client_port(key)
        dialled = next((each for each in service["spec"].get("ports") or () if each["port"] == port), None)
        if dialled is None:
            return []
        found: list[str] = []
        for each in self._objects.list("endpointslices", key[0], {SERVICE_LABEL: service["metadata"]["name"]}):
            # The Service's port and the slice's go by the same name; the broker listens at the port that clients dial.
            if (dialled.get("name") or "", port) not in _named_ports(each):
                continue
            for endpoint in each.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True):
                    found += endpoint["addresses"]
        return found

    def update(self, key: Key) -> None:
        """Follow what the slices say now."""
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
        enterprise = self._objects.find("emqxenterprises", *key)
        template = {} if enterprise is None else enterprise["spec"].get("serviceTemplate") or {}
        return (template.get("metadata") or {}).get("name") or key[1]

    def _client_port(self, key: Key) -> int:
        """The Service port that the clients dial: that of the external TCP listener."""
        enterprise = self._objects.find("emqxenterprises", *key)
        if enterprise is None:
            return 1883
        config = enterprise["spec"]["template"]["spec"]["emqxContainer"].get("emqxConfig") or {}
        text = config.get("listener.tcp.external", "1883").rpartition(":")[2]
        return int(text) if text.isdigit() else 1883


def _named_ports(endpoint_slice: Object) -> list[tuple[str, int | None]]:
    return [(each.get("name") or "", each.get("port")) for each in endpoint_slice.get("ports") or ()]
