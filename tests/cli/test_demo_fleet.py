"""The fleet of the demo: every state that the list knows is there when the clock is let go."""

from __future__ import annotations

import pytest

from emqx_tui.cli.commands.demo import run
from emqx_tui.cli.demo_fleet import FLEET, fleet_world
from emqx_tui.cli.parsing.arguments import parse
from emqx_tui.cli.parsing.flags import UsageError
from emqx_tui.config import Settings
from emqx_tui.rollout.phases import Phase
from emqx_tui.sandbox.run.command import SandboxOptions
from emqx_tui.sandbox.world.world import NOON
from emqx_tui.session.views.cluster_facts import ClusterState, cluster_state
from tests.headless.looking.test_looking import first_look
from tests.support.desk import Room
from tests.support.rehearsal.virtual_loop import run_in


def test_twelve_clusters_stand_in_their_states_at_the_first_look() -> None:
    world = fleet_world(12)(SandboxOptions(clients=2_000), "10.244.0.0/16", NOON)
    assert world.now == NOON
    fleet = run_in(world, first_look(Room(world).terminal(), namespace=None))
    found = {row.key: (cluster_state(row), row.phase, row.resource.image.version) for row in fleet.rows}
    at_rest, moved = (ClusterState.RUNNING, Phase.IDLE, "4.4.14"), (ClusterState.RUNNING, Phase.IDLE, "4.4.15")
    assert found == {
        ("default", "emqx-ee"): at_rest,
        ("default", "lab"): at_rest,
        ("iot", "cameras"): moved,
        ("iot", "meters"): (ClusterState.STOPPED, Phase.IDLE, "4.4.15"),
        ("iot", "tracking"): moved,
        ("iot", "vehicles"): moved,
        ("mqtt-eu", "orders"): (ClusterState.WAITING, Phase.READY_TO_CUT_OVER, "4.4.15"),
        ("mqtt-eu", "payments"): (ClusterState.RELEASING, Phase.DRAINING, "4.4.15"),
        ("mqtt-eu", "telemetry"): (ClusterState.UNGATED, Phase.IDLE, "4.4.15"),
        ("mqtt-us", "orders"): (ClusterState.HELD, Phase.DRAINING, "4.4.15"),
        ("mqtt-us", "payments"): (ClusterState.WAITING, Phase.DRAINING, "4.4.15"),
        ("mqtt-us", "telemetry"): (ClusterState.NEW, Phase.IDLE, "4.4.15"),
    }
    assert not any(row.problem for row in fleet.rows if row.key != ("mqtt-us", "telemetry"))


def test_fewer_are_the_first_of_them() -> None:
    world = fleet_world(3)(SandboxOptions(clients=300), "10.244.0.0/16", NOON)
    assert len(world.store.list("emqxenterprises")) == 3
    assert {each.name for each in FLEET[:3]} == {
        found["metadata"]["name"] for found in world.store.list("emqxenterprises")
    }


def test_a_fleet_takes_no_scenario() -> None:
    arguments = parse(["demo", "--clusters", "4", "--scenario", "node-lost"])
    with pytest.raises(UsageError, match="exclude each other"):
        run(arguments, Settings())
