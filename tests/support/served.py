"""A sandbox in a thread of the test process: real sockets outside, and inside a world that can be looked at.

Whatever touches the world goes through `call`, which runs it in the loop that advances the world.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from emqx_tui.sandbox.run.runner import Sandbox, prepare
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from tests.support.programs import wait_until

T = TypeVar("T")
NAME, NAMESPACE = "emqx-ee", "default"
CALL_S = 30.0


class ServedWorld:
    """A world behind a sandbox's sockets, run by a thread of its own; `make` builds it for the pods' subnet."""

    def __init__(self, make: Callable[[str], World], *, speed: float) -> None:
        self._subnet = claim_subnet(random.Random())
        self.world = make(self._subnet.cidr)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self.sandbox = Sandbox(self.world, speed=speed)

    def __enter__(self) -> Self:
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

    def _await(self, work: Awaitable[T]) -> T:
        async def wrapped() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(wrapped(), self._loop).result(CALL_S)


class Served(ServedWorld):
    """`with Served(clients=600, speed=20) as served:`; `served.kubeconfig` leads to it."""

    def __init__(self, name: str = "smooth", *, speed: float = 20.0, **config: Any) -> None:
        self.speed = speed
        config = {"clients": 600, "churn_per_s": 0.05, **config}

        def make(subnet: str) -> World:
            return scenario(name, start=time.time(), pod_subnet=subnet, prepare=prepare, **config)

        super().__init__(make, speed=speed)

    @property
    def kubeconfig(self) -> Path:
        return self.sandbox.kubeconfig_path

    @property
    def flags(self) -> list[str]:
        """How the program is told of it."""
        return ["--kubeconfig", str(self.kubeconfig), "--clock-rate", f"{self.speed:g}"]

    @property
    def mqtt_port(self) -> int:
        """Of the listener Service, on 127.0.0.1."""
        return self.sandbox.mqtt_port

    # -- what stands in the cluster

    def find(self, plural: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any] | None:
        return self.call(lambda: self.world.store.find(plural, namespace, name))

    def list(self, plural: str, namespace: str = NAMESPACE) -> list[dict[str, Any]]:
        return self.call(lambda: self.world.store.list(plural, namespace))

    def journal(self) -> dict[str, Any] | None:
        secret = self.find("secrets", f"emqx-tui-{NAME}")
        return json.loads(base64.b64decode(secret["data"]["journal"])) if secret else None

    def renewed_at(self) -> str:
        """When the driver's lease was renewed last; empty without one."""
        lease = self.find("leases", f"emqx-tui-{NAME}")
        return lease["spec"].get("renewTime", "") if lease else ""

    def live(self) -> dict[str, int]:
        """Live connections by EMQX node."""
        return self.call(lambda: {name: node.live for name, node in self.world.cluster().nodes.items()})

    def evacuating(self) -> list[str]:
        nodes = self.call(lambda: [n.name for n in self.world.cluster().nodes.values() if n.evacuation is not None])
        return sorted(nodes)

    def now(self) -> float:
        return self.call(lambda: self.world.timeline.now)

    def wait_until(self, condition: Callable[[], object], what: str, *, within_s: float = 30.0) -> None:
        wait_until(condition, what, within_s=within_s)
