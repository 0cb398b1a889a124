"""Many releases, each with its own seed: sizes, clients, timings, policies, networks, deaths and faults by chance.

Every one must keep every promise; those in which nothing broke for good must also end as they should. The number of
seeds comes from EMQX_TUI_SEEDS (default: what fits a plain test run).
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

import pytest

from emqx_tui.rollout.intents import Hold, Resume
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from tests.support.rehearsal.rehearse import Run, Script, rehearse
from tests.support.witness import Witness

SEEDS = int(os.environ.get("EMQX_TUI_SEEDS", "200"))
PER_TEST = 20


@dataclass
class Chance:
    """What one seed draws."""

    seed: int

    def __post_init__(self) -> None:
        rng = self.rng = random.Random(self.seed)
        self.nodes = rng.choice([1, 2, 3, 3, 3, 4, 5])
        self.clients = rng.randint(30, 400) * self.nodes
        self.preset = rng.choice(["mqttx-default", "mqttx-persistent", "device"])
        self.approval = rng.choice(list(Approval))
        self.network = rng.choice(["kube-proxy"] * 4 + ["ebpf"])
        self.stop_s = rng.choice([0.5, 5.0, 25.0])
        self.boot_s = rng.uniform(2.0, 40.0)
        self.lag_s = rng.choice([0.05, 0.2, 1.0, 3.0])
        self.late = rng.random() < 0.15
        self.parallel = rng.choice([1, 1, 1, 2, self.nodes])
        self.kills = tuple(
            (rng.randint(1, 12 + 8 * self.nodes), rng.choice(["before", "after"]))
            for _ in range(rng.choice([0, 0, 1, 2, 3]))
        )
        self.dead_for_s = rng.choice([0.5, 3.0, 20.0, 90.0])
        self.fault = rng.choice(["", "", "kill green", "kill blue", "restart operator", "silent broker"])
        self.fault_after_s = rng.uniform(5.0, 260.0)
        self.hold_after_s = rng.uniform(5.0, 200.0) if rng.random() < 0.3 else None

    def world(self) -> World:
        return scenario(
            "smooth",
            clients=self.clients,
            nodes=self.nodes,
            preset=self.preset,
            seed=self.seed,
            churn_per_s=self.rng.choice([0.0, 0.1, 1.0]),
            network=self.network,
            pod_stop_s=self.stop_s,
            pod_boot_s=self.boot_s,
            statefulset_lag_s=self.lag_s,
            reuse_addresses=self.rng.random() < 0.3,
        )

    def arrange(self, world: World) -> None:
        """Let the fault happen at its time."""
        world.timeline.after(self.fault_after_s, lambda: self._strike(world))

    def _strike(self, world: World) -> None:
        pods = sorted(p["metadata"]["name"] for p in world.pods() if "deletionTimestamp" not in p["metadata"])
        green = [p["metadata"]["name"] for p in world.pods() if world.is_green(p)]
        blue = [name for name in pods if name not in green]
        match self.fault:
            case "kill green" if green:
                world.kill_pod(self.rng.choice(sorted(green)))
            case "kill blue" if blue:
                world.kill_pod(self.rng.choice(blue))
            case "restart operator":
                world.operator.restart()
            case "silent broker":
                for node in world.cluster().nodes.values():
                    node.faults.api_down = True
                world.timeline.after(25.0, lambda: self._speak(world))

    @staticmethod
    def _speak(world: World) -> None:
        for node in world.cluster().nodes.values():
            node.faults.api_down = False

    def person(self):
        """Holds once, if drawn, and resumes a minute later."""
        begin: list[float] = []
        held: list[float] = []

        def act(session: Session, view: View) -> None:
            now = view.now.timestamp()
            begin.append(now) if not begin else None
            hold = view.journal.hold if view.journal else None
            if self.hold_after_s is not None and not held and now - begin[0] > self.hold_after_s and view.journal:
                held.append(now)
                session.submit(Hold("person"))
            elif hold is not None and not hold.auto and (view.now - hold.at).total_seconds() > 60:
                session.submit(Resume("person"))

        return act


def play(seed: int) -> tuple[Chance, Run, Witness]:
    chance = Chance(seed)
    world = chance.world()
    witness = Witness(world)
    chance.arrange(world)
    script = Script(
        approval=chance.approval,
        late_removal=chance.late,
        parallel_drains=chance.parallel,
        resume_after_s=45.0,
        act=chance.person(),
    )
    run = rehearse(world, script, limit_s=3600.0, kill_at=chance.kills, dead_for_s=chance.dead_for_s)
    return chance, run, witness


def judge(chance: Chance, run: Run, witness: Witness) -> list[str]:
    """Every broken promise of one seed."""
    broken = list(witness.broken)
    if run.result != "done":
        broken.append(f"ended as {run.result}")
    else:
        try:
            witness.check_ended("4.4.15")
        except AssertionError as error:
            broken.append(f"not as it should be at the end: {error}")
    if run.truth.killed and chance.fault not in ("kill green", "kill blue"):
        broken.append(f"{run.truth.killed} clients killed")
    return [
        f"seed {chance.seed} ({chance.fault or 'no fault'}, {chance.approval}, {chance.nodes} nodes): {b}"
        for b in broken
    ]


@pytest.mark.parametrize("first", range(0, SEEDS, PER_TEST))
def test_promises_hold_for_every_seed(first: int) -> None:
    broken = [line for seed in range(first, min(first + PER_TEST, SEEDS)) for line in judge(*play(seed))]
    assert broken == []
