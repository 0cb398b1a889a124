"""What the console costs while somebody looks on: bytes to the terminal, CPU, memory, and the time to answer a key."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from emqx_tui.sandbox.world.scenario import manifest
from tests.bench.console import Console, Cost, cpu_s
from tests.bench.figures import Figure
from tests.bench.programs import WITHOUT_K9S, k9s
from tests.bench.serve import serving
from tests.support.programs import command, environment
from tests.support.served import Served

SIZES = ((80, 24), (120, 40), (200, 50))
SETTLE_S, LOOK_S = 12.0, 30.0
PRESSES = 100
BYTES_AIM = {80: "< 2 kB/s", 200: "< 6 kB/s"}


@contextlib.contextmanager
def consoles(served: Served, home: Path, sizes: Sequence[tuple[int, int]] = SIZES, *, opens: bool = True):
    """One console of each size, all on the same cluster."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(Console(command(*served.flags), home, columns=c, rows=r)) for c, r in sizes]
        for console in found:
            console.until_shown("emqx-ee", within_s=60.0)
            if opens:
                open_cluster(console)
        yield found


def open_cluster(console: Console) -> None:
    console.until_shown("emqx-ee", within_s=60.0)
    console.press("enter")
    console.until_shown("NODE", "CLIENTS", within_s=60.0)


def settle(found: Sequence[Console]) -> None:
    begun = time.monotonic()
    read_all(found, lambda: time.monotonic() - begun > SETTLE_S, SETTLE_S + 1)


def read_all(found: Sequence[Console], until: Callable[[], object], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not until() and time.monotonic() < end:
        for console in found:
            console.read(0.1)


def costs(found: Sequence[Console], seconds: float = LOOK_S) -> list[Cost]:
    """All at the same time."""
    costs: dict[int, Cost] = {}

    def look(number: int) -> None:
        costs[number] = found[number].cost_of(seconds)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [costs[number] for number in range(len(found))]


def figures(what: str, found: Sequence[Cost], cpu_aim: str) -> Iterator[Figure]:
    for (columns, rows), cost in zip(SIZES, found, strict=True):
        size = f"{what}, {columns}x{rows}"
        yield Figure("screens", size, cost.bytes_per_s / 1000, "kB/s", BYTES_AIM.get(columns, ""))
        yield Figure("screens", size, cost.cpu * 100, "% of a core", cpu_aim)
        yield Figure("screens", size, cost.memory_mib, "MiB", "< 120")


def screens() -> Iterator[Figure]:
    """List, cluster at rest, and a release in its drain, at real speed: 3 nodes, 100,000 clients."""
    home = Path(tempfile.mkdtemp())
    with Served(speed=1, clients=100_000, pod_boot_s=2.0, cr=manifest(delay_s=5)) as served:
        for what, opens in (("list", False), ("cluster at rest", True)):
            with consoles(served, home, opens=opens) as found:
                settle(found)
                yield from figures(what, costs(found), "< 1")
        yield from _k9s_list(served, home)
        driver = subprocess.Popen(
            command(*served.flags, "rollout", "emqx-ee", "--set", "image.version=4.4.15", "--approve", "auto"),
            env=environment(home),
            stdout=subprocess.DEVNULL,
        )
        try:
            with consoles(served, home) as found:
                read_all(found, served.evacuating, 200.0)
                cpu, begun = cpu_s(driver.pid), time.monotonic()
                yield from figures("release", costs(found), "< 5")
                driven = (cpu_s(driver.pid) - cpu) / (time.monotonic() - begun)
                yield Figure("screens", "driver without a screen", driven * 100, "% of a core", "< 2")
        finally:
            driver.terminate()
            driver.wait()


def _k9s_list(served: Served, home: Path) -> Iterator[Figure]:
    words = k9s(served)
    if not words:
        print(WITHOUT_K9S, flush=True)
        return
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(Console(words, home, columns=c, rows=r)) for c, r in SIZES]
        for console in found:
            console.until_shown("emqx-ee", within_s=60.0)
        settle(found)
        yield from figures("k9s: list", costs(found), "")


def keys() -> Iterator[Figure]:
    """From a key to the bytes of its answer, on the screen of a cluster of 3 nodes at rest, and of 100 that change."""
    home = Path(tempfile.mkdtemp())
    for what, nodes, churn_per_s in (("3 nodes at rest", 3, 0.0), ("100 nodes that change each second", 100, 1.0)):
        with serving(nodes, churn_per_s) as flags:
            took_ms = sorted(_answers_ms(flags, home))
        yield Figure("keys", f"key to paint, {what}, median", statistics.median(took_ms), "ms", "< 16")
        yield Figure("keys", f"key to paint, {what}, 99th percentile", took_ms[-2], "ms", "< 50")


def _answers_ms(flags: Sequence[str], home: Path) -> Iterator[float]:
    with Console(command(*flags), home, columns=200, rows=50) as console:
        open_cluster(console)
        settle([console])
        for _ in range(PRESSES):
            yield console.answer_ms("n")
