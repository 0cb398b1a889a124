"""The table of what one release asks of EMQX and of the API server, per minute.

Run by hand, on a bed that was started with `--audit-reads`: `EMQX_TUI_BED=FOLDER .venv/bin/python -m
tests.cluster.request_table`. One console drives by policy auto and nobody else looks on. EMQX's side is what passed
through the port-forwards of the bed, the API server's is its audit log.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.cluster.bed.brought import BROKERS, versions
from tests.cluster.bed.outside import Control
from tests.cluster.case import Case, Cluster, received_at
from tests.cluster.promises import CONSOLE


def asked_of_emqx(case: Case) -> Counter[str]:
    return Counter(case.cluster.control.get(f"/counts/{case.namespace}"))


def asked_of_the_api_server(cluster: Cluster, since: float) -> Counter[str]:
    """Every request of a console since then, whatever its namespace; a watch counts once."""
    found: Counter[str] = Counter()
    seen: set[str] = set()
    for line in cluster.audit_lines():
        entry = json.loads(line)
        if not entry.get("userAgent", "").startswith(CONSOLE) or entry["auditID"] in seen or received_at(entry) < since:
            continue
        seen.add(entry["auditID"])
        where = entry.get("objectRef") or {"resource": entry["requestURI"].partition("?")[0]}
        sub = f"/{where['subresource']}" if where.get("subresource") else ""
        found[f"{entry['verb']} {where.get('resource', 'version')}{sub}"] += 1
    return found


def release(cluster: Cluster, clients: int, nodes: int, home: Path) -> None:
    case = Case(cluster, home)
    blue, green, *_ = versions(BROKERS)
    try:
        case.start_cluster(clients=clients, version=blue, replicas=nodes, rate=5)
        began, before = time.time(), asked_of_emqx(case)
        with case.release(green, "--approve", "auto") as driver:
            code = driver.end(within_s=900)
        minutes = (time.time() - began) / 60
        print(f"{nodes} + {nodes} nodes, {clients} clients: exit code {code}, {minutes * 60:.0f} s\n")
        print("| asked of | what | times | per minute |\n|---|---|---|---|")
        sides = {"EMQX": asked_of_emqx(case) - before, "API server": asked_of_the_api_server(cluster, began)}
        for side, counts in sides.items():
            for what, times in [*counts.most_common(), ("all", counts.total())]:
                print(f"| {side} | {what} | {times} | {times / minutes:.0f} |")
    finally:
        case.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what a release asks of EMQX and of the API server.")
    parser.add_argument("--clients", type=int, default=244)
    parser.add_argument("--nodes", type=int, default=3)
    chosen = parser.parse_args()
    folder = Path(os.environ["EMQX_TUI_BED"])
    with tempfile.TemporaryDirectory() as home:
        release(Cluster(folder / "kubeconfig", Control(folder)), chosen.clients, chosen.nodes, Path(home))


if __name__ == "__main__":
    main()
