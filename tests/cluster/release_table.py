"""The table of the operator alone beside emqx-tui, on the bed with the real operator.

Run by hand: `EMQX_TUI_BED=FOLDER .venv/bin/python -m tests.cluster.release_table`. Prints Markdown, then the same
releases in the simulated world. All figures are what really happened to the simulated clients.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emqx_tui.sandbox.world.scenario import manifest, scenario
from tests.bench import release_table
from tests.cluster.bed.outside import Control
from tests.cluster.case import Case, Cluster

PRESETS = ("mqttx-default", "mqttx-persistent", "device", "emqtt_bench-reconnect")
RATE_PER_S, WAIT_TAKEOVER_S, DELAY_S = 20, 5, 5
BOOT_S, STOP_S = 4.0, 2.0
LOOK_EVERY_S = 0.25
LIMIT_S = 900.0
RESUMED_AFTER_S = 60.0
AT_ONCE = 2
"""presets; each makes two clusters"""


class Watch(threading.Thread):
    """Looks at the brokers of a case until told to stop."""

    def __init__(self, case: Case) -> None:
        super().__init__(daemon=True)
        self._case = case
        self._over = threading.Event()
        self.began = time.monotonic()
        self.first: float | None = None
        self.last: float | None = None
        self.blue = set(case.truth()["nodes"])

    def run(self) -> None:
        while not self._over.is_set():
            nodes = self._case.truth()["nodes"]
            left = [nodes[name] for name in self.blue if name in nodes and nodes[name]["running"]]
            now = time.monotonic()
            if self.first is None and (len(left) < len(self.blue) or any(node["evacuating"] for node in left)):
                self.first = now
            if self.first is not None and self.last is None and not any(node["live"] for node in left):
                self.last = now
            self._over.wait(LOOK_EVERY_S)

    def stop(self) -> None:
        self._over.set()
        self.join()

    @property
    def drain_s(self) -> float | None:
        return None if self.first is None or self.last is None else self.last - self.first


def _row(case: Case, watch: Watch, result: str) -> Any:
    watch.stop()
    truth = case.truth()
    counts = truth["since_mark"]
    disconnects = counts["evicted"] + counts["killed"] + counts["reset"]
    lowest = truth["lowest_live"] / case.clients
    total_s = time.monotonic() - watch.began
    return release_table.Row(total_s, watch.drain_s, disconnects / case.clients, truth["lost"], lowest, result)


def _begin(case: Case, preset: str, clients: int) -> Watch:
    case.times(boot_s=BOOT_S, stop_s=STOP_S)
    case.start_cluster(delay_s=DELAY_S, rate=RATE_PER_S, take_over_s=WAIT_TAKEOVER_S, clients=clients, preset=preset)
    case.wait_until(lambda: case.truth()["live"] == clients, "all clients")
    case.cluster.control.post(f"/clusters/{case.namespace}/{case.name}/mark")
    watch = Watch(case)
    watch.start()
    return watch


def operator_alone(case: Case, preset: str, clients: int) -> Any:
    watch = _begin(case, preset, clients)
    case.set_version("4.4.15")
    case.wait_for_green()
    case.wait_until(
        lambda: case.replicas() == [0, 3] and not case.blue_green and len(case.list("pods")) == 3,
        "end of the release",
        within_s=LIMIT_S,
    )
    return _row(case, watch, "done")


def supervised(case: Case, preset: str, clients: int) -> Any:
    """A person lifts what it holds by itself after 60 s; the result says so."""
    watch = _begin(case, preset, clients)
    holds: set[str] = set()
    with case.release("4.4.15", "--approve", "auto") as driver:
        while True:
            told = driver.until(lambda line: line["event"] in ("hold", "finished"), "end", within_s=LIMIT_S)
            if told["event"] == "finished":
                break
            holds.add(str(told.get("check") or told.get("reason") or "something"))
            time.sleep(RESUMED_AFTER_S)
            case.console("resume", case.name)
        result = str(told.get("result", "done"))
    return _row(case, watch, f"{result}, held once by {', '.join(sorted(holds))}" if holds else result)


def on_the_bed(cluster: Cluster, presets: Iterable[str], clients: int) -> dict[str, Any]:
    """Both sides of some presets, all at once, each in a namespace of its own."""
    rows: dict[str, Any] = {}

    def run(preset: str, who: str, work: Any, home: Path) -> None:
        case = Case(cluster, home)
        try:
            rows[f"{preset}: {who}"] = work(case, preset, clients)
        finally:
            case.close()

    with tempfile.TemporaryDirectory() as folder:
        threads = []
        for preset in presets:
            for who, work in (("operator alone", operator_alone), ("emqx-tui auto", supervised)):
                home = Path(folder, f"{preset}-{work.__name__}")
                home.mkdir()
                threads.append(threading.Thread(target=run, args=(preset, who, work, home)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return rows


def in_process(preset: str, clients: int) -> dict[str, Any]:
    """The same two releases in the simulated world."""
    cr = manifest(
        delay_s=DELAY_S,
        wait_takeover_s=WAIT_TAKEOVER_S,
        conn_evict_rate_per_s=RATE_PER_S,
        sess_evict_rate_per_s=RATE_PER_S,
    )

    def world() -> Any:
        return scenario(clients=clients, preset=preset, cr=cr, pod_boot_s=BOOT_S, pod_stop_s=STOP_S, churn_per_s=0.0)

    return {
        f"{preset}: operator alone": release_table.operator_alone(world(), clients),
        f"{preset}: emqx-tui auto": release_table.supervised(world(), clients),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the table of releases on the bed, and in process.")
    parser.add_argument("--clients", type=int, default=600)
    chosen = parser.parse_args()
    folder = Path(os.environ["EMQX_TUI_BED"])
    cluster = Cluster(folder / "kubeconfig", Control(folder))
    limit_s = chosen.clients / RATE_PER_S + WAIT_TAKEOVER_S
    print(release_table.HEAD, flush=True)
    for index in range(0, len(PRESETS), AT_ONCE):
        rows = on_the_bed(cluster, PRESETS[index : index + AT_ONCE], chosen.clients)
        for what in sorted(rows, reverse=True):
            print(release_table.line_of(what, rows[what], limit_s), flush=True)
    print("\nThe same in process:\n")
    print(release_table.HEAD, flush=True)
    for preset in PRESETS:
        for what, row in in_process(preset, chosen.clients).items():
            print(release_table.line_of(what, row, limit_s), flush=True)


if __name__ == "__main__":
    main()
