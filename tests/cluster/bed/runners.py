"""What runs in the bed's pods: simulated EMQX nodes in this process, or programs that somebody brings (`brought`).

Owns the one shape in which the kubelet sees either.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.kube.objects import key_of
from tests.cluster.bed.pod_servers import PodServers

Object = dict[str, Any]


class Runner(Protocol):
    """Runs one broker in each pod."""

    async def start(self, pod: Object, boot_s: float) -> None:
        """Returns when the broker has joined its cluster; `boot_s` is how long that takes where it is simulated."""
        ...

    async def stop(self, pod: Object, stop_s: float, grace_s: float) -> None:
        """As by SIGTERM; returns when it has ended. `stop_s` is meant as `boot_s` is, `grace_s` is the longest."""
        ...

    def kill(self, pod: Object) -> None:
        """At once, whatever state it is in; nothing if there is none."""
        ...

    def pause(self, pod: Object, paused: bool) -> None:
        """As by SIGSTOP and SIGCONT."""
        ...

    def forget(self, pod: Object) -> None:
        """The pod is gone."""
        ...


class SimulatedRunner:
    """The sandbox's brokers, each behind a listener of its own."""

    def __init__(self, brokers: Brokers, servers: PodServers) -> None:
        self._brokers, self._servers = brokers, servers

    async def start(self, pod: Object, boot_s: float) -> None:
        await asyncio.sleep(max(0.0, boot_s))
        self._brokers.start(pod)
        await self._servers.listen(pod)

    async def stop(self, pod: Object, stop_s: float, grace_s: float) -> None:
        self._brokers.close(pod)
        await asyncio.sleep(min(stop_s, grace_s))
        self.kill(pod)

    def kill(self, pod: Object) -> None:
        self._servers.deafen(pod)
        self._brokers.stop(pod)

    def pause(self, pod: Object, paused: bool) -> None:
        broker = self._brokers.at_pod(*key_of(pod))
        if broker is None:
            raise LookupError(f"no broker in {'/'.join(key_of(pod))}")
        (broker.cluster.hang if paused else broker.cluster.go_on)(broker.name)

    def forget(self, pod: Object) -> None:
        self._servers.forget(pod)
        self._brokers.forget(pod)
