"""The same case on a sandbox: its own sockets, its own kubeconfig, real time, the bed's durations.

What `Case` asks of the bed's control socket is answered from the world.
"""

from __future__ import annotations

import time
from pathlib import Path

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.run.runner import prepare
from emqx_tui.sandbox.world.world import World, WorldConfig
from tests.cluster.case import NAME, Case, Cluster, Object
from tests.support.served import ServedWorld

BOOT_S, STOP_S, KUBELET_LAG_S = 4.0, 2.0, 1.0


class Sandboxed(ServedWorld):
    """`with Sandboxed() as sandboxed: case = sandboxed.case(namespace, home)`"""

    def __init__(self) -> None:
        super().__init__(_empty_world, speed=1.0)

    def case(self, namespace: str, home: Path) -> Case:
        return _SandboxCase(self, namespace, home)


def _empty_world(subnet: str) -> World:
    config = WorldConfig(
        clients=0,
        pod_boot_s=BOOT_S,
        pod_stop_s=STOP_S,
        kubelet_lag_s=KUBELET_LAG_S,
        pod_subnet=subnet,
        start=time.time(),
    )
    world = World(config, seed=1, prepare=prepare)
    world.run_until(config.start)
    return world


class _SandboxCase(Case):
    """A namespace of the same name, so that everything in it can be named alike."""

    def __init__(self, sandboxed: Sandboxed, namespace: str, home: Path) -> None:
        self._sandboxed = sandboxed
        self.cluster = Cluster(sandboxed.sandbox.kubeconfig_path, None)
        self.home = home
        self.namespace = namespace
        self.name = NAME
        self.clients = 0
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        self.must(self.cluster.call("POST", Cluster.path("namespaces"), made))

    def connect(self, size: int, *, preset: str = "mqttx-default", churn_per_s: float = 0.0) -> None:
        def begin() -> None:
            cluster = self._sandboxed.world.cluster(self.name, self.namespace)
            clients = add_clients(cluster, preset, size, churn_per_s=churn_per_s)
            self._sandboxed.world.timeline.after(0.0, clients.connect_all_at_once)

        self.wait_until(lambda: len(self.truth()["route"]) == len(self.addresses()), "route")
        self._sandboxed.call(begin)
        self.clients = size

    def truth(self) -> Object:
        def look() -> Object:
            cluster = self._sandboxed.world.cluster(self.name, self.namespace)
            clients = cluster.clients
            nodes = {
                name: {"live": node.live, "evacuating": node.evacuation is not None, "version": node.version}
                for name, node in cluster.nodes.items()
            }
            return {
                "nodes": nodes,
                "route": list(cluster.route),
                "live": cluster.truth.live,
                "lost": 0 if clients is None else clients.dead,
            }

        return self._sandboxed.call(look)
