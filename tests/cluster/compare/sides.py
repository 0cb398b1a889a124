"""The same case on a sandbox: its own sockets, its own kubeconfig, real time, the bed's durations.

Owns the sandbox and its thread. What `Case` asks of the bed's control socket is answered from the world.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.run.runner import Sandbox, prepare
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.world import World, WorldConfig
from tests.cluster.case import NAME, Case, Cluster, Object

T = TypeVar("T")
CALL_S = 30.0
BOOT_S, STOP_S, KUBELET_LAG_S = 4.0, 2.0, 1.0


class Sandboxed:
    """`with Sandboxed() as sandboxed: case = sandboxed.case(namespace, home)`"""

    def __init__(self) -> None:
        self._subnet = claim_subnet(random.Random())
        config = WorldConfig(
            clients=0,
            pod_boot_s=BOOT_S,
            pod_stop_s=STOP_S,
            kubelet_lag_s=KUBELET_LAG_S,
            pod_subnet=self._subnet.cidr,
            start=time.time(),
        )
        self.world = World(config, seed=1, prepare=prepare)
        self.world.run_until(config.start)
        self.sandbox = Sandbox(self.world, speed=1.0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Sandboxed:
        self._thread.start()
        self._await(self.sandbox.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._await(self.sandbox.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)
        self._loop.close()
        self._subnet.release()

    def call(self, work: Callable[[], T]) -> T:
        """Run something where the world is run, and wait for it."""

        async def once() -> T:
            return work()

        return self._await(once())

    def _await(self, work: Any) -> Any:
        async def wrapped() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(CALL_S)

    def case(self, namespace: str, home: Path) -> Case:
        return _SandboxCase(self, namespace, home)


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
