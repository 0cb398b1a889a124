"""What the flight log costs: eight hours at one view a second, of a drain with 24 nodes on each side.

Run by hand: `.venv/bin/python -m tests.bench.flight_log [--hours 8] [--nodes 24]`. The first view is one of the real
session on a simulated cluster; from there the counts of every node walk at random, which packs worse than a real drain.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.adapters.machine.flight_reading import read_views
from emqx_tui.model.series import PLOTTED, Sample, Series
from emqx_tui.rollout.phases import Phase
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.replay import Replay
from emqx_tui.session.views.view import View
from tests.bench.figures import machine
from tests.support.rehearsal.rehearse import Script, rehearse

SEEKS = 100


def draining(nodes: int) -> View:
    """A view of a drain that runs."""
    world = scenario("smooth", nodes=nodes, clients=100_000)
    run = rehearse(world, Script(ends=lambda view: view.decision.phase is Phase.DRAINING and bool(view.rates)))
    assert run.view is not None
    return run.view


def hours_of(view: View, hours: float, seed: int = 1) -> Iterator[View]:
    """A view each second, with other counts, as the session would publish them."""
    rng, series = random.Random(seed), Series(PLOTTED)
    for sample in view.samples:
        series.add(sample)
    seen = view.snapshot
    stats = dict(seen.stats.value or {})
    for second in range(round(hours * 3600)):
        now = view.now + timedelta(seconds=second + 1)
        for name, found in stats.items():
            live = max(0, found.live_connections + rng.randint(-40, 40))
            stats[name] = replace(found, live_connections=live, sessions=max(live, found.sessions))
        live = {name: found.live_connections for name, found in stats.items()}
        series.add(Sample(now, sum(live.values()) // 2, sum(live.values()) // 2, live))
        own = {pod: replace(reading, read_at=now) for pod, reading in seen.own.items()}
        snapshot = replace(seen, now=now, stats=replace(seen.stats, value=dict(stats), read_at=now), own=own)
        health = tuple(replace(source, read_at=now) for source in view.health)
        rates = tuple((pod, rng.uniform(150.0, 210.0)) for pod, _ in view.rates)
        yield replace(view, snapshot=snapshot, samples=series.frozen(), health=health, rates=rates, sequence=second + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the flight log.")
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--nodes", type=int, default=24)
    chosen = parser.parse_args()
    first = draining(chosen.nodes)
    with tempfile.TemporaryDirectory() as folder:
        log = FlightLog(Path(folder), "default", "emqx-ee")
        on_loop, cpu = [], time.process_time()
        for view in hours_of(first, chosen.hours):
            begun = time.perf_counter()
            log.saw(view)
            on_loop.append(time.perf_counter() - begun)
            # As in life the thread has a second for each view: here it is waited for.
            while not log.is_idle:
                time.sleep(0.0002)
        log.close(60.0)
        cpu = time.process_time() - cpu
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(f"{len(on_loop):,} views, {size / 1e6:.1f} MB, {size / len(on_loop):.0f} bytes a view")
        print(f"on the loop: {statistics.median(on_loop) * 1e3:.3f} ms in the middle, {max(on_loop) * 1e3:.1f} at most")
        print(
            f"processor time of all of it, the making of the views included: {cpu / len(on_loop) * 1e3:.1f} ms a view"
        )
        begun = time.perf_counter()
        replay = Replay(*read_views(log.path))
        print(f"opened in {time.perf_counter() - begun:.2f} s")
        told("the first seek to the end, nothing prepared", [_seek(replay, 1.0)])
        rng = random.Random(2)
        told("a seek after that", [_seek(replay, rng.random()) for _ in range(SEEKS)])
    print(machine())


def _seek(replay: Replay, part: float) -> tuple[float, float]:
    """(wall, processor) seconds."""
    begun, cpu = time.perf_counter(), time.process_time()
    replay.seek(replay.begin + (replay.end - replay.begin) * part)
    replay.view()
    return time.perf_counter() - begun, time.process_time() - cpu


def told(what: str, seeks: Sequence[tuple[float, float]]) -> None:
    parts = []
    for name, found in zip(("", " of processor time"), zip(*seeks, strict=True), strict=True):
        parts.append(f"{statistics.median(found) * 1e3:.0f} ms{name} in the middle, {max(found) * 1e3:.0f} ms at most")
    print(f"{what}: {'; '.join(parts)}")


if __name__ == "__main__":
    main()
