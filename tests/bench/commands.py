"""One-shot commands beside kubectl, and the first useful screen beside an empty Textual app."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.console import Console, cpu_s
from tests.bench.figures import RUNS, Figure
from tests.bench.programs import Took, emqx_tui, fill, kubectl, median_run
from tests.support.programs import environment
from tests.support.served import Served
from tests.support.terminal import Terminal

CLUSTERS = (1, 100, 1000)
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
        yield from _took("status", median_run(emqx_tui(served, "status", "emqx-ee"), home), None)


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
                with Console(served.flags, home, columns=120, rows=40) as terminal:
                    return _until(terminal, shown)

            def empty() -> tuple[float, float]:
                command = [sys.executable, "-c", EMPTY_APP]
                with Terminal(command, columns=120, rows=40, environment=environment(home)) as terminal:
                    return _until(terminal, "emqx-ee")

            ours, theirs = [console() for _ in range(RUNS)], [empty() for _ in range(RUNS)]
            aim = "<= 1.8 x" if clusters == 1 else ""
            for index, unit in enumerate(("s", "s of CPU")):
                mine, other = (statistics.median(run[index] for run in runs) for runs in (ours, theirs))
                against = f"empty app {other:.2f} ({mine / other:.1f} x)"
                yield Figure("start", f"first cluster of {clusters} on the screen", mine, unit, aim, against)


def _until(terminal: Terminal, shown: str) -> tuple[float, float]:
    terminal.until_shown(shown, within_s=60.0)
    return terminal.age_s, cpu_s(terminal.pid)
