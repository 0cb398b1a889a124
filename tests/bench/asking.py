"""What looking at a cluster costs: `.venv/bin/python -m tests.bench.asking [NODES ...] [--direct] [--seconds S]`.

Starts a sandbox of so many nodes as a process of its own, lets a session look at its idle cluster by port-forward (or
by the pods' own addresses), and prints requests a second to EMQX, and the CPU that this side took.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from emqx_tui.adapters.connect import Connection, connect
from emqx_tui.adapters.kubernetes.access import AccessRequest
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.session import Session
from tests.support.programs import wait_until

SETTLE_S = 8.0


class Counted:
    """Passes requests on and counts them by kind."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.count: Counter[str] = Counter()

    async def request(self, request: Any) -> Any:
        self.count[request.path.rpartition("/")[2] if "/nodes/" not in request.path else "nodes/{itself}..."] += 1
        return await self._port.request(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


async def look(connection: Connection, seconds: float) -> tuple[float, float, Counter[str]]:
    """CPU share, views a second, and requests to EMQX, of a session that looks on for so long."""
    views = 0

    def publish(view: Any) -> None:
        nonlocal views
        views += 1

    emqx = Counted(connection.emqx("default", "emqx-ee"))
    port: Any = emqx
    ports = Ports(connection.kube, port, connection.clock, connection.host)
    session = Session("default", "emqx-ee", ports, Options(drives=False), publish)
    running = asyncio.create_task(session.run())
    await asyncio.sleep(SETTLE_S)
    emqx.count.clear()
    views, began, cpu = 0, time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return cpu_s / wall_s, views / wall_s, Counter({what: n / wall_s for what, n in emqx.count.items()})


async def measure(kubeconfig: Path, seconds: float, way: str) -> str:
    connection = await connect(load_access(AccessRequest(kubeconfig=str(kubeconfig))), emqx_access=way)
    try:
        cpu, views, requests = await look(connection, seconds)
    finally:
        await connection.close()
    kinds = ", ".join(f"{what} {n:.1f}" for what, n in sorted(requests.items()))
    return f"{sum(requests.values()):.1f} requests/s ({kinds}), {cpu:.0%} of a core, {views:.1f} views/s"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nodes", type=int, nargs="*", default=[6, 24, 100])
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    way = "direct" if given.direct else "port-forward"
    for nodes in given.nodes:
        kubeconfig = Path(tempfile.mkdtemp()) / "sandbox.yaml"
        words = ["sandbox", "--scenario", "smooth", "--nodes", str(nodes), "--kubeconfig", str(kubeconfig)]
        sandbox = subprocess.Popen([sys.executable, "-m", "emqx_tui", *words], stdout=subprocess.DEVNULL)
        try:
            wait_until(kubeconfig.exists, "kubeconfig of the sandbox")
            print(f"{nodes} nodes, {way}: {asyncio.run(measure(kubeconfig, given.seconds, way))}", flush=True)
        finally:
            sandbox.terminate()
            sandbox.wait()


if __name__ == "__main__":
    main()
