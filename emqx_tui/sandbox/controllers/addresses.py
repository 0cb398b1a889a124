"""IP addresses: of pods, of nodes, of Services.

Owns which address belongs to whom. Pod addresses come from one subnet; with `reuse` an address that a dead pod left is
given to the next pod at once, so a stale address list can point at another set's pod.
"""

from __future__ import annotations

import heapq
from ipaddress import IPv4Network


class PodAddresses:
    """Pod IPs by pod uid, and the machines that pods are put on in turn."""

    def __init__(self, subnet: str, *, machines: int, reuse: bool) -> None:
        self._network = IPv4Network(subnet)
        self._machines = [f"worker-{number}" for number in range(1, machines + 1)]
        self._reuse = reuse
        self._next_host = 10
        self._turn = 0
        self._free: list[int] = []
        self._held: dict[str, int] = {}

    @property
    def machines(self) -> list[str]:
        return list(self._machines)

    def next_node(self) -> str:
        """Round robin: pods of one set end up on different machines."""
        self._turn += 1
        return self._machines[(self._turn - 1) % len(self._machines)]

    def host_ip(self, node: str) -> str:
        return f"172.18.0.{2 + self._machines.index(node)}"

    def allocate(self, uid: str) -> str:
        if self._reuse and self._free:
            host = heapq.heappop(self._free)
        else:
            host = self._next_host
            self._next_host += 1
        self._held[uid] = host
        return str(self._network[host])

    def release(self, uid: str) -> None:
        host = self._held.pop(uid, None)
        if host is not None:
            heapq.heappush(self._free, host)
