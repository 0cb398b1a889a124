"""One-shot commands beside kubectl, and the first useful screen beside an empty Textual app."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from emqx_tui.sandbox.world.scenario import manifest
from tests.bench.console import Console, cpu_s
from tests.bench.figures import RUNS, Figure
from tests.bench.programs import (
    K9S,
    WITHOUT_K9S,
    Took,
    emqx_tui,
    fill,
    k9s,
    kubectl,
    median_of_each,
    median_run,
    run_of,
)
from tests.support.programs import Headless, command, environment
from tests.support.served import Served
from tests.support.terminal import Terminal

CLUSTERS = (1, 100, 1000)
GATES = 4
EMPTY_APP = "from textual.app import App\nfrom textual.widgets import Static\n" + (
    "class Empty(App):\n    def compose(self):\n        yield Static('emqx-ee')\nEmpty().run()\n"
)


def commands() -> Iterator[Figure]:
    """`get`, `status` and `approve`: seconds, CPU and memory."""
    home = Path(tempfile.mkdtemp())
    with Served(speed=1, clients=100_000) as served:
        for clusters in CLUSTERS:
            fill(served, clusters)
            theirs = kubectl(served, "get", "emqxenterprises", "-A")
            other = median_run(theirs, home) if theirs else None
            aim = {1: "<= 0.35 s", 1000: "<= 1.0 x kubectl"}.get(clusters, "")
            ours = median_run(emqx_tui(served, "get", "-A"), home)
            yield from _took(f"get -A, {clusters} clusters", ours, other, aim)
    with Served(speed=1, clients=100_000) as served:
        theirs = kubectl(served, "get", "emqxenterprise", "emqx-ee", "-o", "yaml")
        other = median_run(theirs, home) if theirs else None
        yield from _took("status", median_run(emqx_tui(served, "status", "emqx-ee"), home), other)
    yield from _approvals(home)


def _approvals(home: Path) -> Iterator[Figure]:
    """Of every gate of one release: the cut-over and three nodes. Beside a write by kubectl: an annotation."""
    words = ["rollout", "emqx-ee", "--set", "image.version=4.4.15", "--approve", "every-node", "-o", "jsonl"]
    took: list[Took] = []
    with (
        Served(speed=1, clients=300, pod_boot_s=1.0, pod_stop_s=1.0, cr=manifest(delay_s=2)) as served,
        Headless([*served.flags, *words], home) as driver,
    ):
        while len(took) < GATES:
            driver.until_event("gate", within_s=120.0, waits_for="person")
            took.append(run_of(emqx_tui(served, "approve", "emqx-ee"), home))
        theirs = kubectl(served, "annotate", "--overwrite", "emqxenterprise", "emqx-ee", "example.com/bench=1")
        other = median_run(theirs, home) if theirs else None
    yield from _took("approve", median_of_each(took), other)


def _took(what: str, ours: Took, theirs: Took | None, aim: str = "") -> Iterator[Figure]:
    def against(value: float, unit: str) -> str:
        return f"kubectl {value:.2f} {unit}"

    yield Figure("commands", what, ours.wall_s, "s", aim, against(theirs.wall_s, "s") if theirs else "")
    yield Figure("commands", what, ours.cpu_s, "s of CPU", "", against(theirs.cpu_s, "s") if theirs else "")
    yield Figure("commands", what, ours.memory_mib, "MiB", "", against(theirs.memory_mib, "MiB") if theirs else "")


def start() -> Iterator[Figure]:
    """From exec to the first cluster on the screen, in CPU and on the clock, of the console and of an empty app."""
    home = Path(tempfile.mkdtemp())
    with Served(speed=1, clients=100_000) as served:
        for clusters in CLUSTERS:
            fill(served, clusters)
            shown = "emqx-ee" if clusters == 1 else "cluster-0001"

            def console(shown: str = shown) -> tuple[float, float]:
                with Console(command(*served.flags), home, columns=120, rows=40) as terminal:
                    return _until(terminal, shown)

            def empty() -> tuple[float, float]:
                with Terminal(
                    [sys.executable, "-c", EMPTY_APP], columns=120, rows=40, environment=environment(home)
                ) as terminal:
                    return _until(terminal, "emqx-ee")

            ours, theirs = [console() for _ in range(RUNS)], [empty() for _ in range(RUNS)]
            aim = "<= 1.8 x" if clusters == 1 else ""
            for index, unit in enumerate(("s", "s of CPU")):
                mine, other = (statistics.median(run[index] for run in runs) for runs in (ours, theirs))
                against = f"empty app {other:.2f} ({mine / other:.1f} x)"
                yield Figure("start", f"first cluster of {clusters} on the screen", mine, unit, aim, against)
            yield from _k9s_start(k9s(served), home, clusters, shown)
    if not K9S:
        print(WITHOUT_K9S, flush=True)


def _k9s_start(words: Sequence[str], home: Path, clusters: int, shown: str) -> Iterator[Figure]:
    if not words:
        return
    runs = []
    for _ in range(RUNS):
        with Terminal(words, columns=120, rows=40, environment=environment(home)) as terminal:
            runs.append(_until(terminal, shown))
    for index, unit in enumerate(("s", "s of CPU")):
        value = statistics.median(run[index] for run in runs)
        yield Figure("start", f"k9s: first cluster of {clusters} on the screen", value, unit)


def _until(terminal: Terminal, shown: str) -> tuple[float, float]:
    terminal.until_shown(shown, within_s=60.0)
    return terminal.age_s, cpu_s(terminal.pid)
