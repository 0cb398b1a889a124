"""The operator documentation's chart of a release with 100,000 clients, reproduced by the simulated operator alone.

Read off the picture, by eye to some 15 s: each of three old nodes (33.3 k clients) drains in about 200 s, gaps of 3 to
28 s between them, about 630 s from the first drain to the end of the last, a sum between 99.3 k and 100.7 k, and an
even split at the end.

Assumed, because the picture does not say it:
- rates 200/s and waitTakeover 5 as printed beside it; EMQX's ticks cost 0.2 s at 33 k connections (`calibrated`),
  which is what turns 167 s into 200 s;
- operator line G1. With 2.1.0, where every status write causes another pass about a second later, and the delay of
  5 s that its page prints, gaps are 18 to 36 s. The delay matters between nodes too: a terminating pod takes blue out
  of the cluster, the status is reset, and the delay starts again. With the 60 s of later pages the gaps would be
  some 75 to 90 s;
- with 2.1.2 (a pass every 20 s) the delay is paid once, since a pass seldom meets a terminating pod, and gaps are
  about 41 s: 5 s takeover wait, up to 20 s until the drain is noticed, 20 s until the next start;
- a gap under 5 s is impossible with waitTakeover 5 and one node at a time: the chart's 3 s is taken as a reading error.
- no natural churn: the picture shows load generators.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from emqx_tui.sandbox.emqx.evacuation_process import CALIBRATED
from emqx_tui.sandbox.world.scenario import manifest, scenario
from emqx_tui.sandbox.world.world import World


@dataclass
class Drain:
    """When a node began to lose clients and when it had none."""

    began_at: float
    ended_at: float


@dataclass
class Chart:
    drains: list[Drain]
    sums: list[int]
    final: list[int]

    @property
    def gaps_s(self) -> list[float]:
        return [later.began_at - earlier.ended_at for earlier, later in zip(self.drains, self.drains[1:], strict=False)]

    @property
    def total_s(self) -> float:
        return self.drains[-1].ended_at - self.drains[0].began_at


def release(world: World) -> None:
    path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
    patch = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}
    reply = world.api.request("PATCH", path, {}, patch, "application/merge-patch+json")
    assert reply.status == 200


def drawn(world: World, *, for_s: int) -> Chart:
    """Live connections once a second, as the picture's scraper sees them."""
    cluster = world.cluster()
    blue = list(cluster.nodes)
    before = {name: cluster.nodes[name].live for name in blue}
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    sums = []
    for _ in range(for_s):
        world.advance(1.0)
        for name in blue:
            live = cluster.nodes[name].live
            if live < before[name]:
                began.setdefault(name, world.now - 1.0)
            if live == 0:
                ended.setdefault(name, world.now)
        sums.append(sum(node.live for node in cluster.nodes.values()))
    drains = sorted((Drain(began[name], ended[name]) for name in blue), key=lambda drain: drain.began_at)
    final = [node.live for name, node in cluster.nodes.items() if name not in blue]
    return Chart(drains, sums, final)


@pytest.mark.parametrize(("operator", "delay_s"), [("2.1.0", 5), ("2.1.2", 60)])
@pytest.mark.parametrize("seed", [1, 5])
def test_published_chart(operator: str, delay_s: int, seed: int) -> None:
    world = scenario(
        "smooth",
        clients=100_000,
        operator=operator,
        profile=CALIBRATED,
        churn_per_s=0.0,
        seed=seed,
        cr=manifest(delay_s=delay_s, conn_evict_rate_per_s=200, wait_takeover_s=5),
    )
    world.advance(10)
    release(world)
    chart = drawn(world, for_s=1000)
    for drain in chart.drains:
        assert drain.ended_at - drain.began_at == pytest.approx(200, rel=0.02)
    assert chart.total_s == pytest.approx(630, rel=0.10)
    assert min(chart.sums) >= 99_300
    assert max(chart.sums) <= 100_700
    assert all(share == pytest.approx(33_333, rel=0.03) for share in chart.final)
    reading_error_s = 15
    assert all(5 < gap_s < 28 + reading_error_s for gap_s in chart.gaps_s)
    truth = world.cluster().truth.total
    assert truth.lost == 0, "the selector flips to green before the first drain: nobody meets a node that refuses"
    assert truth.evicted == 100_000
