"""What the witness lays to a console's charge, and what to others: the operator does as the object asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from emqx_tui.sandbox.world.world import World
from tests.support.desk import small_world
from tests.support.witness import CLOSED, Witness

OBJECT = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
OPEN = {"blueGreenUpdate": {"initialDelaySeconds": 0}}
RELEASE = {
    "template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}},
    "blueGreenUpdate": {"initialDelaySeconds": CLOSED},
}
SMALLER = {"replicas": 2}


def patch(world: World, spec: dict[str, Any]) -> None:
    reply = world.api.request("PATCH", OBJECT, {}, {"spec": spec}, "application/merge-patch+json")
    assert reply.status == 200, reply.body


def by_others(world: World, witness: Witness, spec: dict[str, Any]) -> None:
    witness.note_edit(spec)
    patch(world, spec)


def by_console(world: World, witness: Witness, spec: dict[str, Any]) -> None:
    witness.note_write(OBJECT, {"spec": spec})
    patch(world, spec)


def half_way() -> tuple[World, Witness]:
    """Green is complete, and the operator is held."""
    world = small_world()
    witness = Witness(world)
    patch(world, RELEASE)
    world.advance(60.0)
    patch(world, {"blueGreenUpdate": {"initialDelaySeconds": CLOSED + 1}})
    world.advance(5.0)
    status = world.store.get("emqxenterprises", "default", "emqx-ee")["status"]
    assert "startedAt" in status["blueGreenUpdateStatus"]
    assert witness.broken == []
    return world, witness


Hand = Callable[[World, Witness, dict[str, Any]], None]


@pytest.mark.parametrize("spec", [OPEN, SMALLER], ids=["opens the valve", "asks for fewer nodes"])
@pytest.mark.parametrize("hand", [by_others, by_console], ids=["somebody", "a console"])
def test_what_the_operator_does_is_laid_to_whoever_made_it_do_so(hand: Hand, spec: dict[str, Any]) -> None:
    world, witness = half_way()
    hand(world, witness, spec)
    world.advance(30.0)
    assert witness.scales or witness.starts
    if hand is by_others:
        assert witness.broken == []
    else:
        assert any("a console" in line for line in witness.broken)
        # Green has no clients yet: that it becomes smaller cuts nobody off.
        assert spec is SMALLER or any("was scaled to" in line or "was drained" in line for line in witness.broken)


def test_what_a_console_does_is_its_own_although_others_have_opened_the_valve() -> None:
    world, witness = half_way()
    by_others(world, witness, {**OPEN, **SMALLER})
    blue = witness.blue_name
    witness.note_write(f"/apis/apps/v1/namespaces/default/statefulsets/{blue}/scale", {"spec": {"replicas": 2}})
    assert "a console scaled" in witness.broken[-1]
    assert "clients on" in witness.broken[0]


def test_the_operator_is_no_excuse_once_the_valve_is_closed_again() -> None:
    world, witness = half_way()
    by_others(world, witness, OPEN)
    by_console(world, witness, {"blueGreenUpdate": {"initialDelaySeconds": CLOSED}})
    world.advance(5.0)
    before = len(witness.broken)
    node = max(name for name in world.cluster().nodes if witness.blue_name in name)
    world.store.patch("statefulsets", "default", witness.blue_name, {"spec": {"replicas": 1}}, "merge")
    assert len(witness.broken) > before, node


JOURNAL = {"release_id": "r", "approvals": [], "starts": {}, "abort": None, "hold": None, "late_removal": False}


def starting(world: World, witness: Witness, **journal: Any) -> list[str]:
    """What is said when a console starts the evacuation of blue's last node under this journal."""
    pod = f"{witness.blue_name}-2"
    text = json.dumps({**JOURNAL, "approvals": [{"gate": "node:2"}], "starts": {pod: ""}, **journal})
    secret = {
        "metadata": {"name": "emqx-tui-emqx-ee", "namespace": "default"},
        "data": {"journal": base64.b64encode(text.encode()).decode()},
    }
    world.store.create("secrets", secret)
    return again(world, witness)


def again(world: World, witness: Witness) -> list[str]:
    """And when it starts it once more, under the same one."""
    node = next(name for name in world.cluster().nodes if f"{witness.blue_name}-2" in name)
    witness.note_write(f"/api/v4/load_rebalance/{node}/evacuation/start", {})
    return [line.partition(": ")[2] for line in witness.broken]


def on_green(world: World, witness: Witness) -> None:
    ips = [{"ip": p["status"]["podIP"]} for p in world.pods() if witness.blue_name not in p["metadata"]["name"]]
    ports = world.store.get("endpoints", "default", "emqx-ee")["subsets"][0]["ports"]
    world.store.patch("endpoints", "default", "emqx-ee", {"subsets": [{"addresses": ips, "ports": ports}]}, "merge")
    world.advance(2.0)


def test_a_console_may_evacuate_blue_once_the_service_is_on_green() -> None:
    world, witness = half_way()
    on_green(world, witness)
    assert starting(world, witness) == []


@pytest.mark.parametrize(
    ("journal", "word"),
    [
        ({"approvals": []}, "without approval"),
        ({"starts": {}}, "before it was noted"),
        ({"approvals": [], "abort": {"by": "somebody"}}, "without approval"),
    ],
    ids=["nobody has approved it", "it is not noted", "nobody has approved it, in an abort"],
)
def test_a_console_evacuates_no_node_of_blue_by_itself(journal: dict[str, Any], word: str) -> None:
    world, witness = half_way()
    on_green(world, witness)
    (said,) = starting(world, witness, **journal)
    assert said.startswith("a console")
    assert word in said


def test_a_console_does_not_evacuate_blue_while_the_service_sends_clients_there() -> None:
    world, witness = half_way()
    (said,) = starting(world, witness)
    assert "while the Service had" in said


def test_a_console_does_not_evacuate_blue_while_nobody_is_listed() -> None:
    world, witness = half_way()
    world.store.patch("endpoints", "default", "emqx-ee", {"subsets": []}, "merge")
    world.advance(0.5)
    assert starting(world, witness) == [], "that is not known yet"
    world.advance(5.0)
    (said,) = again(world, witness)
    assert "while the Service had no address" in said


def test_a_console_may_mean_that_blue_is_listed_where_addresses_leave_late() -> None:
    world, witness = half_way()
    assert starting(world, witness, late_removal=True) == []


@pytest.mark.parametrize(("after_s", "is_known"), [(1.2, False), (2.0, True)], ids=["not asked since", "asked since"])
def test_a_console_knows_of_a_broker_that_stops_in_its_pod_when_it_has_asked_again(
    after_s: float, is_known: bool
) -> None:
    world, witness = half_way()
    name = f"{witness.blue_name}-0"
    ip = world.store.get("pods", "default", name)["status"]["podIP"]
    next(node for found, node in world.cluster().nodes.items() if f"@{name}." in found).running = False
    world.advance(after_s)
    witness.note_write("/api/v1/namespaces/default/endpoints/emqx-ee", {"subsets": [{"addresses": [{"ip": ip}]}]})
    assert [line.partition(": ")[2] for line in witness.broken] == [
        f"a console wrote the addresses ['{ip}'], none of which accepts clients"
    ] * is_known


def test_a_console_that_writes_without_end_is_caught() -> None:
    """The small world has three nodes."""
    world, witness = half_way()
    for _ in range(62):
        world.advance(0.5)
        witness.note_write("/somewhere")
    assert witness.broken == []
    witness.note_write("/somewhere")
    (line,) = witness.broken
    assert "63 writes within a minute, the last to /somewhere" in line
