"""A random release on a simulated cluster, with the forecast that its person saw and the time that it really took.

Nobody waits at a gate: time that people take is no part of a forecast. What a forecast cannot know is random too: how
long green's pods boot beside blue's, how long a drained pod takes to stop, delays of the kubelet and the proxies, how
many clients come and go.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from emqx_tui.rollout.forecast.forecast import Forecast
from emqx_tui.sandbox.emqx.evacuation_process import Profile
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import World, WorldConfig
from tests.support.rehearsal.rehearse import Run, Script, rehearse

PRESETS = ("mqttx-default", "mqttx-persistent", "device", "emqtt_bench-reconnect")
OPERATORS = ("G3", "2.1.4", "2.2.29")


@dataclass(frozen=True)
class Measured:
    """One release: what was promised, what came."""

    seed: int
    run: Run
    forecast: Forecast
    took_s: float | None
    """From the start to the end; None when it did not come to its end by itself."""

    @property
    def is_inside(self) -> bool:
        total = self.forecast.total_s
        return self.took_s is not None and total is not None and total.holds(self.took_s)

    @property
    def deviation(self) -> float:
        """Half the width of the band, as a part of its middle."""
        return self.forecast.total_s.deviation if self.forecast.total_s else 1.0


def random_release(seed: int, *, longest_drain_s: float = 90.0) -> Measured:
    """Run the release of this seed; the same seed is the same release."""
    rng = random.Random(seed)
    world, script = _world(rng, seed, longest_drain_s)
    run = rehearse(world, script, limit_s=3600.0)
    assert run.forecast is not None, run.refusals
    journal = run.view.journal if run.view else None
    ended_at = journal.totals.finished_at if journal and run.result == "done" else None
    took_s = (ended_at - journal.created_at).total_seconds() if journal and ended_at else None
    return Measured(seed, run, run.forecast, took_s)


def _world(rng: random.Random, seed: int, longest_drain_s: float) -> tuple[World, Script]:
    nodes = rng.choices(range(1, 7), weights=(1, 3, 4, 3, 2, 2))[0]
    clients = min(round(10 ** rng.uniform(3.0, 5.0)), 33_000 * nodes)
    parallel = rng.choice((1, 1, 1, 2, 3))
    # More than half of what green's listeners accept is refused before the start.
    drain_s = max(rng.uniform(25.0, longest_drain_s), clients / nodes / (450.0 * nodes / min(parallel, nodes)))
    boot_s = rng.uniform(10.0, 60.0)
    config = WorldConfig(
        clients=clients,
        preset=rng.choice(PRESETS),
        churn_per_s=clients * rng.uniform(0.0, 1e-4),
        operator=rng.choice(OPERATORS),
        profile=Profile(
            work_s_per_connection=rng.uniform(0.0, 0.2) / 33_000, takeover_s=0.002, plugins_s=0.1, join_s=1.0
        ),
        pod_boot_s=boot_s,
        pod_stop_s=rng.uniform(3.0, 10.0),
        kubelet_lag_s=rng.uniform(0.3, 1.5),
        mirror_lag_s=rng.uniform(0.1, 1.0),
    )
    world = World(config, seed=seed)
    world.settle_cluster(
        manifest(
            replicas=nodes,
            delay_s=rng.choice((5, 10, 30, 60, 120)),
            wait_takeover_s=rng.choice((1, 5, 10, 30)),
            conn_evict_rate_per_s=max(1, round(clients / nodes / drain_s)),
            sess_evict_rate_per_s=rng.choice((50, 200, 500)),
        )
    )
    green_boot_s = boot_s * rng.uniform(0.92, 1.08)
    world.kubelet.durations.boot_rules.insert(0, (world.is_green, green_boot_s))
    return world, Script(parallel_drains=parallel, late_removal=rng.random() < 0.1)
