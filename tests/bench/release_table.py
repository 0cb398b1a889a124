"""The README's table: the operator alone after a plain patch, beside emqx-tui with `--approve auto`.

Run by hand: `.venv/bin/python -m tests.bench.release_table [--clients 100000] [--seed 1]`. Prints Markdown. Same seed,
same world, in process; figures of both sides are what really happened to the simulated clients.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.emqx.evacuation_process import CALIBRATED, IDEAL
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from tests.support.rehearsal.rehearse import Script, rehearse

PRESETS = ("mqttx-default", "mqttx-persistent", "device", "emqtt_bench-reconnect", "emqtt_bench-default")
RATE_PER_S, WAIT_TAKEOVER_S = 200, 5
NODES = 3
"""That the scenario has if it is told no number."""
LIMIT_S = 4 * 3600.0
HEAD = (
    "| clients, pod stop | total s | drain s (x limit) | disconnects per client | lost | lowest sum | result |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass
class Row:
    """One release; seconds, counts, and ratios of all clients."""

    total_s: float | None
    drain_s: float | None
    disconnects: float
    lost: int
    lowest: float
    result: str


def limit_s(clients: int) -> float:
    """Seconds that a drain takes at the least if its rate were a stream."""
    return clients / RATE_PER_S + WAIT_TAKEOVER_S


def limit_in_rounds_s(clients: int, nodes: int) -> float:
    """The same as EMQX evicts: so many clients at once, then again a second later, on one node after the other."""
    return nodes * math.ceil(clients / nodes / RATE_PER_S) + WAIT_TAKEOVER_S


def _world(preset: str, clients: int, stop_s: float, calibrated: bool, seed: int) -> World:
    profile = CALIBRATED if calibrated else IDEAL
    return scenario("smooth", clients=clients, preset=preset, seed=seed, pod_stop_s=stop_s, profile=profile)


def operator_alone(world: World, clients: int) -> Row:
    """Patch the version, and look at the brokers every 0.25 s until the last blue pod is gone."""
    cluster = world.cluster()
    cluster.truth.mark()
    begin = world.now
    patch = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}
    path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
    world.api.request("PATCH", path, {}, patch, "application/merge-patch+json")
    blue = set(cluster.nodes)
    first = last = None
    while world.now - begin < LIMIT_S:
        world.advance(0.25)
        evacuating = [n for n in cluster.nodes.values() if n.name in blue and n.evacuation is not None]
        if evacuating and first is None:
            first = world.now
        left = [n for n in cluster.nodes.values() if n.name in blue and n.running]
        drained = [n for n in left if n.evacuation is not None and n.evacuation.state == "prohibiting" and not n.live]
        # The operator takes pods undrained: what counts as drained is what has no client any more.
        begun = first is not None or len(left) < len(blue)
        first = world.now if begun and first is None else first
        if begun and last is None and len(left) == len(drained) <= 1:
            last = world.now
        cr = world.store.get("emqxenterprises", "default", "emqx-ee")
        if last is not None and "blueGreenUpdateStatus" not in cr["status"] and not left:
            break
    truth = cluster.truth.since_mark()
    drain = last - first if first is not None and last is not None else None
    lowest = cluster.truth.lowest_live / clients
    return Row(world.now - begin, drain, truth.disconnects / clients, truth.lost, lowest, "done")


def supervised(world: World, clients: int) -> Row:
    """The same by emqx-tui. A person lifts what it holds by itself after 60 s; the result says so."""
    holds: set[str] = set()

    def look(session, view) -> None:
        if view.journal and view.journal.hold:
            holds.add(view.journal.hold.check)

    run = rehearse(world, Script(approval=Approval.AUTO, resume_after_s=60.0, act=look), limit_s=LIMIT_S)
    note = f"{run.result}, held once by {', '.join(sorted(holds))}" if holds else run.result
    lowest = run.lowest_live / clients
    return Row(run.duration_s, run.drain_s, run.disconnects_per_client, run.truth.lost, lowest, note)


def line_of(what: str, row: Row, limit: float) -> str:
    drain = "-" if row.drain_s is None else f"{row.drain_s:.0f} ({row.drain_s / limit:.2f} x)"
    total = "-" if row.total_s is None else f"{row.total_s:.0f}"
    cells = (what, total, drain, f"{row.disconnects:.2f}", f"{row.lost:,}", f"{row.lowest:.2%}", row.result)
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the README's table of releases.")
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    limit = limit_s(chosen.clients)
    print(f"limit {limit:.0f} s; in rounds {limit_in_rounds_s(chosen.clients, NODES):.0f} s\n\n{HEAD}")
    rows = [(preset, stop_s, False) for preset in PRESETS for stop_s in (5.0, 25.0)]
    rows += [("mqttx-default", stop_s, True) for stop_s in (5.0, 25.0)]
    for preset, stop_s, calibrated in rows:
        name = f"{preset}{' (calibrated)' if calibrated else ''}, {stop_s:.0f} s"
        given = (preset, chosen.clients, stop_s, calibrated, chosen.seed)
        print(line_of(f"{name}: operator alone", operator_alone(_world(*given), chosen.clients), limit), flush=True)
        print(line_of(f"{name}: emqx-tui auto", supervised(_world(*given), chosen.clients), limit), flush=True)


if __name__ == "__main__":
    main()
