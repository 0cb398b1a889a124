"""The simulated world: API server, controllers, operator, brokers, clients and network on one timeline.

Owns the composition and the knobs that scenarios and fault campaigns turn. The same configuration, seed and requests
give the same history, to the byte. Nothing happens unless the clock is moved.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emqx_tui.sandbox.clients.cohorts import Population, add_clients
from emqx_tui.sandbox.clients.presets import Preset
from emqx_tui.sandbox.clients.routes import Routes
from emqx_tui.sandbox.controllers.addresses import PodAddresses
from emqx_tui.sandbox.controllers.endpoints import EndpointsController
from emqx_tui.sandbox.controllers.event_expiry import EventExpiry
from emqx_tui.sandbox.controllers.garbage import GarbageCollector
from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.controllers.kubelet import Durations, Kubelet
from emqx_tui.sandbox.controllers.retries import RetryingScheduler
from emqx_tui.sandbox.controllers.statefulsets import StatefulSetController
from emqx_tui.sandbox.emqx.api import HttpReply
from emqx_tui.sandbox.emqx.brokers import Brokers, image_version
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation_process import IDEAL, Profile
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.kube.api import KubeApi
from emqx_tui.sandbox.kube.builtin_admission import ReplicaRule, ServiceDefaults
from emqx_tui.sandbox.kube.objects import Key, Object, controller_uid, key_of, ordinal_of
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.admission import EnterpriseWebhooks
from emqx_tui.sandbox.operator.controller import Operator
from emqx_tui.sandbox.operator.deployment import NAMESPACE as OPERATOR_NAMESPACE
from emqx_tui.sandbox.operator.deployment import OperatorDeployment
from emqx_tui.sandbox.operator.lines import LINES
from emqx_tui.sandbox.operator.plugins import PluginController
from emqx_tui.sandbox.timeline import Timeline

NOON = 1767268800.0
"""2026-01-01T12:00:00Z"""
SETTLING_S = 600.0
"""How long before `start` the clock of a world begins, so that a cluster can be made and settle."""
_FIRST_FULL_PASS_BEFORE_START_S = 290.0
"""When a settled cluster got its StatefulSet. The operator's passes then fall 10 s after `start`, and every 20 s."""
_MACHINES = 6
_PASSES_OF_ONE_SECOND = 2
"""The Secret and the plugins' ConfigMap cost a pass of one second each when a cluster is made, as each plugin does."""


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Parameters of a world; durations in seconds."""

    clients: int = 100_000
    """MQTT clients of the first cluster that is created"""
    preset: str | Preset = "mqttx-default"
    churn_per_s: float = 5.0
    """natural disconnects, all clients together"""
    operator: str = "G3"
    """operator line: G1, G2, G3, or a release among them (2.1.0, 2.1.2, 2.1.4, 2.2.29)"""
    profile: Profile = IDEAL
    pod_boot_s: float = 15.0
    pod_stop_s: float = 5.0
    pod_linger_s: float = 0.0
    """from the end of a pod's broker to the end of its other containers"""
    kubelet_lag_s: float = 1.0
    statefulset_lag_s: float = 0.2
    mirror_lag_s: float = 0.5
    network: str = "kube-proxy"
    """or "ebpf": established connections are reset when their address leaves the slices"""
    start: float = NOON
    """seconds since the epoch: the instant at which a settled world's clock stands"""
    pod_subnet: str = "10.244.0.0/16"
    reuse_addresses: bool = False
    """the address of a dead pod goes to the next new one"""
    spread: tuple[int, ...] = ()
    """how the clients are spread over the nodes, in the order of their names; empty: evenly"""
    kept_sessions: tuple[int, ...] = ()
    """sessions of clients that are away for good, by node"""
    green_pull_fails: tuple[int, ...] = ()
    """ordinals whose pods never get their image, if it is another than the first one"""


class World:
    """The simulated parts and their common clock."""

    def __init__(self, config: WorldConfig, *, seed: int, prepare: Callable[[Store], None] | None = None) -> None:
        """`prepare` gives the empty store what only its servers know: schemas, field ownership, strategic merge."""
        self.config = config
        self.seed = seed
        rng = random.Random(seed)

        def own() -> random.Random:
            return random.Random(rng.getrandbits(64))

        self.timeline = Timeline(config.start - SETTLING_S)
        scheduler = self._scheduler = RetryingScheduler(self.timeline)
        self.store = Store(self.timeline, own())
        for resource in standard_resources():
            self.store.register(resource)
        if prepare is not None:
            prepare(self.store)
        self.api = KubeApi(self.store)
        self.informer = Informer(self.store)
        self.brokers = Brokers(self.store, self.timeline, own(), config.profile)
        self.clusters: dict[Key, EmqxCluster] = self.brokers.clusters
        self.addresses = PodAddresses(config.pod_subnet, machines=_MACHINES, reuse=config.reuse_addresses)
        self.kubelet = self._make_kubelet(config)
        self.stateful_sets = StatefulSetController(
            self.store, self.timeline, self.informer, lag_s=config.statefulset_lag_s
        )
        self.endpoints = EndpointsController(self.store, scheduler, self.informer, mirror_lag_s=config.mirror_lag_s)
        self.routes = Routes(self.store, self.brokers, ebpf=config.network == "ebpf")
        self.informer.on("services", self.routes.on_service)
        self.informer.on("endpointslices", self.routes.on_slice)
        self.informer.on("emqxenterprises", self.routes.on_enterprise)
        self.garbage = GarbageCollector(self.store, scheduler, self.informer)
        self.event_expiry = EventExpiry(self.store, scheduler, self.informer)
        line = LINES[config.operator]
        self.operator = Operator(self.store, self.timeline, self.informer, own(), self.brokers, line)
        self.plugins = PluginController(self.store, scheduler, self.informer, lambda: self.operator.running)
        webhooks = EnterpriseWebhooks(lambda: self.operator.running)
        self.store.admission += [webhooks.mutate, ReplicaRule(self.store.resources), ServiceDefaults(own())]
        self.store.reviews.append(webhooks.validate)
        self._first_image: str | None = None
        self._clients_given = False
        self.api_down = False
        """what is served of the API refuses every connection"""
        self.on_api_down: list[Callable[[], None]] = []
        self._make_surroundings()
        self.operator_deployment = OperatorDeployment(self.store, scheduler, self.informer, self.operator)
        self.informer.on("emqxenterprises", self._on_enterprise)
        self.informer.on("persistentvolumeclaims", self._on_claim)
        self.operator.start()

    # -- time

    @property
    def now(self) -> float:
        return self.timeline.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; 0 runs what is due at this very instant."""
        self.timeline.run_until(self.timeline.now + seconds)

    def run_until(self, instant: float) -> None:
        self.timeline.run_until(instant)

    # -- requests and lookups

    def emqx_request(
        self, namespace: str, pod: str, method: str, raw_path: str, body: bytes = b"", authorization: str | None = None
    ) -> HttpReply:
        """The answer of a pod's management API; raises Unreachable when pod or broker is not up."""
        return self.brokers.request(namespace, pod, method, raw_path, body, authorization)

    def broker_log(self, pod: Object, previous: bool) -> Sequence[tuple[float, str]]:
        """What the broker in a pod, or the one before its restart, wrote behind its first lines."""
        return self.brokers.log_of(pod, previous)

    def cluster(self, name: str = "emqx-ee", namespace: str = "default") -> EmqxCluster:
        return self.clusters[namespace, name]

    def broker(self, pod: str, namespace: str = "default") -> EmqxNode:
        """The EMQX node that runs in a pod; KeyError when none does."""
        found = self.brokers.at_pod(namespace, pod)
        if found is None:
            raise KeyError(pod)
        return found.cluster.nodes[found.name]

    def pods(self, namespace: str = "default") -> Iterator[Object]:
        """Pods that hold brokers."""
        return (pod for pod in self.store.list("pods", namespace) if controller_uid(pod))

    # -- settling

    def settle_cluster(self, manifest: Object) -> None:
        """Create the resource, let it become Running with all clients connected, and stand at `config.start`.

        Events of its creation are deleted, as they would have expired in a cluster that has run for hours.
        The cluster is as old at `start` as the operator's rhythm needs: its passes fall 10 s later and every 20 s.
        """
        made_in_s = _PASSES_OF_ONE_SECOND + len(self.operator.line.plugins)
        self.run_until(self.config.start - _FIRST_FULL_PASS_BEFORE_START_S - made_in_s)
        created = self.store.create("emqxenterprises", manifest, manager="kubectl-client-side-apply")
        key = key_of(created)
        self.run_until(self.config.start)
        cluster = self.clusters[key]
        if not self._is_settled(key):
            raise RuntimeError(f"{key[1]} did not settle: {self.store.get('emqxenterprises', *key).get('status')}")
        cluster.truth.mark()
        self.operator.forget_events()
        for event in self.store.list("events", key[0]):
            self.store.delete("events", *key_of(event))

    def _is_settled(self, key: Key) -> bool:
        cluster = self.clusters[key]
        return self._is_running(key) and (cluster.clients is None or cluster.truth.live > 0)

    def _is_running(self, key: Key) -> bool:
        cr = self.store.get("emqxenterprises", *key)
        conditions = (cr.get("status") or {}).get("conditions") or [{}]
        return conditions[0].get("type") == "Running" and conditions[0].get("status") == "True"

    def _on_enterprise(self, event_type: str, cr: Object) -> None:
        """The first cluster gets the clients, as soon as all its nodes can be reached."""
        if self._first_image is None:
            self._first_image = cr["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"]
        if event_type == "DELETED" or self._clients_given or not self.config.clients:
            return
        key = key_of(cr)
        cluster = self.clusters.get(key)
        if cluster is None or cluster.route.count(None) or len(cluster.route) < cr["spec"]["replicas"]:
            return
        if self._is_running(key):
            self._clients_given = True
            config = self.config
            clients = add_clients(cluster, config.preset, config.clients, churn_per_s=config.churn_per_s)
            self.timeline.after(0.0, lambda: self._connect(cluster, clients))

    def _connect(self, cluster: EmqxCluster, clients: Population) -> None:
        clients.connect_all_at_once(self.config.spread)
        for (_, node), count in zip(sorted(cluster.nodes.items()), self.config.kept_sessions, strict=False):
            if count:
                clients.park(node, count, math.inf)

    def _on_claim(self, event_type: str, claim: Object) -> None:
        if event_type == "DELETED":
            self.brokers.forget_claim(claim)

    # -- faults

    def kill_pod(self, name: str, namespace: str = "default") -> None:
        """Remove a pod and its broker immediately; its StatefulSet creates a new one."""
        self.kubelet.kill(namespace, name)

    def restart_broker(self, name: str, namespace: str = "default") -> None:
        """The containers of a pod restart in place; its volumes stay."""
        self.kubelet.restart_containers(namespace, name)

    def set_ready(self, name: str, ready: bool, namespace: str = "default") -> None:
        """Make a pod fail (or pass) its readiness probe while its broker works."""
        self.kubelet.set_ready(namespace, name, ready)

    def set_api_down(self, is_down: bool) -> None:
        """The API server is away, or back; connections to it break."""
        self.api_down = is_down
        for tell in self.on_api_down if is_down else ():
            tell()

    def upgrade_operator(self, line: str) -> None:
        """Another operator release takes over; what it generates differs, so it may start a release by itself."""
        self.operator.upgrade(LINES[line])
        self.operator_deployment.show_release()

    # -- composition

    def _make_kubelet(self, config: WorldConfig) -> Kubelet:
        durations = Durations(config.pod_boot_s, config.pod_stop_s, config.kubelet_lag_s, config.pod_linger_s)
        kubelet = Kubelet(self.store, self._scheduler, self.informer, self.brokers, self.addresses, durations)
        if config.green_pull_fails:
            ordinals = config.green_pull_fails
            kubelet.pull_failures.append(
                lambda pod: self.is_green(pod) and ordinal_of(pod["metadata"]["name"]) in ordinals
            )
        return kubelet

    def is_green(self, pod: Object) -> bool:
        return self._first_image is not None and image_version(pod) != self._first_image

    def _make_surroundings(self) -> None:
        for name in ("default", "kube-system", "kube-public", "kube-node-lease", OPERATOR_NAMESPACE):
            labels = {"kubernetes.io/metadata.name": name}
            self.store.create("namespaces", {"metadata": {"name": name, "labels": labels}, "spec": {}})
        for machine in self.addresses.machines:
            status: dict[str, Any] = {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": self.addresses.host_ip(machine)}],
                "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            }
            labels = {"kubernetes.io/hostname": machine}
            node = {"metadata": {"name": machine, "labels": labels}, "spec": {}, "status": status}
            self.store.create("nodes", node)
