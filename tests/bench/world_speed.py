"""How fast the simulated world runs, by hand: `.venv/bin/python -m tests.bench.world_speed [clients] [nodes]`.

Prints simulated seconds per real second, on one core, during a release that the operator drives alone. The aim is
2,000 for 100,000 clients on 3 + 3 nodes.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time

from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World

RELEASE_S = 830


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    clients, nodes = (*numbers, *(100_000, 3)[len(numbers) :])[:2]
    began = time.perf_counter()
    world = scenario("smooth", clients=clients, nodes=nodes)
    print(f"{clients:,} clients on {nodes} + {nodes} nodes; settled in {time.perf_counter() - began:.2f} s")
    if "--profile" in sys.argv:
        profiler = cProfile.Profile()
        profiler.runcall(release, world)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        return
    began = time.process_time()
    simulated_s = release(world)
    took_s = time.process_time() - began
    truth = world.cluster().truth
    print(f"{simulated_s:.0f} simulated seconds in {took_s:.2f} s: {simulated_s / took_s:,.0f} times real time")
    print(f"{truth.total.evicted:,} evictions, {truth.total.lost:,} lost, {truth.live:,} live")


def release(world: World) -> float:
    """A whole release; returns the simulated seconds."""
    world.advance(10)
    path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
    patch = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}
    world.api.request("PATCH", path, {}, patch, "application/merge-patch+json")
    world.advance(RELEASE_S)
    return RELEASE_S + 10.0


if __name__ == "__main__":
    main()
