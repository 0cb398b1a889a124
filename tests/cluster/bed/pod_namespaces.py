"""A network namespace for each pod of a broker that is a program: what listens there listens on 0.0.0.0, as in a pod.

Owns a bridge that has the pods' subnet, and for each pod a process that only holds its namespace, with one end of a
cable in it. The namespaces have no names, so that nothing of the machine is changed and all of them end with the bed.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess

BRIDGE = "pods"
_HOLD = ("unshare", "--net", "sh", "-c", "echo; exec sleep infinity")


def make_bridge(network: str) -> None:
    """`network` is the bridge's own address with the length of the pods' subnet."""
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", network, "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")


class PodNamespaces:
    """By pod uid; every pod reaches the bed and every other pod."""

    def __init__(self, network: str) -> None:
        self._gateway, _, self._length = network.partition("/")
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._numbers = itertools.count(1)

    async def make(self, uid: str, address: str) -> None:
        if uid not in self._holders:
            await asyncio.to_thread(self._make, uid, address)

    def _make(self, uid: str, address: str) -> None:
        holder = subprocess.Popen(_HOLD, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert holder.stdout is not None
        holder.stdout.readline()
        self._holders[uid] = holder
        ours = f"pod{next(self._numbers)}"
        _ip("link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        _ip("link", "set", ours, "master", BRIDGE, "up")
        inside = [
            "link set lo up",
            f"address add {address}/{self._length} dev eth0",
            "link set eth0 up",
            f"route add default via {self._gateway}",
        ]
        batch = [*self.entered(uid), "ip", "-batch", "-"]
        subprocess.run(batch, input="\n".join(inside), text=True, check=True)

    def entered(self, uid: str) -> list[str]:
        """The beginning of a command that runs inside; the process stays the one that is started."""
        return ["nsenter", f"--net=/proc/{self._holders[uid].pid}/ns/net", "--"]

    def remove(self, uid: str) -> None:
        holder = self._holders.pop(uid, None)
        if holder is not None:
            holder.kill()
            holder.wait()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
