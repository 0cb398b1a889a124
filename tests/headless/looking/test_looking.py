"""`get` and `status`: tables, documents, changes, and that looking changes nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Coroutine
from typing import Any

import pytest
import yaml

from emqx_tui.headless.looking import status
from emqx_tui.headless.looking.jsonpath import Template
from emqx_tui.headless.looking.listing import FIRST_LOOK_S, Listing, Place
from emqx_tui.headless.looking.readiness import is_whole
from emqx_tui.headless.looking.rows import Printer
from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.verbs.verb_answer import Verb
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.session.fleet import MAX_COUNTED
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.views.fleet_view import FleetView
from emqx_tui.session.views.view import View
from tests.support.desk import CLIENTS, Room, Terminal
from tests.support.rehearsal.ports import SimClock, SimEmqx, SimKube, Wire
from tests.support.rehearsal.virtual_loop import run_in


def play(room: Room, work: Coroutine[Any, Any, Any]) -> Any:
    return run_in(room.world, work)


def place_of(terminal: Terminal, namespace: str | None = "default") -> Place:
    world, wire = terminal.room.world, Wire()
    clock = SimClock(world)

    def ports(namespace: str, name: str) -> Ports:
        return Ports(SimKube(world, wire), SimEmqx(world, wire), clock, terminal.host)

    return Place(
        context="sim",
        server="https://sim",
        namespace=namespace,
        fallback_namespace="default",
        kube=SimKube(world, wire),
        emqx=lambda namespace, name: SimEmqx(world, wire),
        clock=clock,
        ports=ports,
        options=Options(drives=False),
    )


async def first_look(terminal: Terminal, name: str = "", namespace: str | None = "default") -> FleetView:
    async with Listing(place_of(terminal, namespace), name) as listing:
        fleet = await listing.first()
        assert fleet is not None
        return fleet


def printed(fleet: FleetView, form: str, *, all_namespaces: bool = False) -> list[str]:
    lines: list[str] = []
    Printer(form, all_namespaces=all_namespaces, write=lines.append).all(fleet)
    return lines


async def whole_view(terminal: Terminal) -> View:
    return await terminal.until(is_whole)


def test_an_object_is_printed_as_it_is_stored_but_for_secrets() -> None:
    room = Room()
    stored = room.world.store.get("emqxenterprises", "default", "emqx-ee")
    env = [{"name": "EMQX_LOADED_COOKIE", "value": "planted"}]
    spec = dict(stored["spec"])
    template = json.loads(json.dumps(spec["template"]))
    template["spec"]["emqxContainer"]["env"] = env
    room.world.store.update("emqxenterprises", {**stored, "spec": {**spec, "template": template}})
    fleet = play(room, first_look(room.terminal(), "emqx-ee"))
    lines: list[str] = []
    Printer("yaml", all_namespaces=False, write=lines.append, is_one=True).all(fleet)
    (text,) = lines
    assert "planted" not in text
    found = yaml.safe_load(text)
    assert found["kind"] == "EmqxEnterprise"
    assert found["metadata"]["name"] == "emqx-ee"
    assert "managedFields" not in found["metadata"]
    assert found["spec"]["blueGreenUpdate"] == spec["blueGreenUpdate"]
    lines.clear()
    template = Template.parse("{.items[*].metadata.name}")
    Printer(template, all_namespaces=False, write=lines.append).all(fleet)
    assert lines == ["emqx-ee"]


def test_an_object_that_is_not_there_is_known_at_once() -> None:
    room = Room(name="nope")
    begun = room.world.timeline.now
    view = play(room, asyncio.wait_for(whole_view(room.terminal()), 10.0))
    assert view.snapshot.resource.value is None
    assert room.world.timeline.now - begun < 3.0


def test_a_look_at_all_waits_for_answers_only() -> None:
    """No poll stands between what is known and the question that follows from it."""
    room = Room()
    begun = room.world.timeline.now
    play(room, asyncio.wait_for(whole_view(room.terminal()), 10.0))
    assert room.world.timeline.now - begun < 0.3


def test_a_cluster_at_rest() -> None:
    room = Room()
    fleet = play(room, first_look(room.terminal()))
    heading, row = printed(fleet, "table")
    assert heading.split() == ["NAME", "PHASE", "VERSION", "READY", "CONNECTIONS", "STEP", "AGE"]
    assert row.split()[:6] == ["emqx-ee", "Running", "4.4.14", "3/3", f"{CLIENTS:,}", "-"]
    assert heading.index("PHASE") == row.index("Running")
    wide = printed(fleet, "wide", all_namespaces=True)[1].split()
    assert wide[0] == "default"
    assert wide[-4:] == ["emqx/emqx-ee:4.4.14", "60s", "200/200", "-"]
    assert printed(fleet, "name") == ["emqxenterprise.apps.emqx.io/emqx-ee"]


def test_the_document() -> None:
    room = Room()
    (line,) = printed(play(room, first_look(room.terminal())), "json")
    told = json.loads(line)
    assert (told["schema"], told["context"]) == (1, "sim")
    (item,) = told["items"]
    assert item | {"age_s": 0} == {
        "namespace": "default",
        "name": "emqx-ee",
        "phase": "Running",
        "version": "4.4.14",
        "from": None,
        "image": "emqx/emqx-ee:4.4.14",
        "ready": 3,
        "wanted": 3,
        "connections": CLIENTS,
        "release_phase": None,
        "gate": None,
        "held": False,
        "ungated": None,
        "age_s": 0,
        "problem": None,
    }


def test_a_name_leaves_the_others_out() -> None:
    room = Room()
    room.world.store.create("emqxenterprises", manifest(name="other"))
    assert [row.resource.name for row in play(room, first_look(room.terminal(), "emqx-ee")).rows] == ["emqx-ee"]
    assert play(room, first_look(room.terminal(), "nobody")).rows == ()


def test_a_long_list_is_not_kept_waiting_by_clusters_that_nobody_counts() -> None:
    room = Room()
    for number in range(MAX_COUNTED + 10):
        room.world.store.create("emqxenterprises", manifest(name=f"more-{number:02}"))
    begun = room.world.timeline.now
    assert len(play(room, first_look(room.terminal())).rows) == MAX_COUNTED + 11
    assert room.world.timeline.now - begun < FIRST_LOOK_S / 2


@pytest.mark.parametrize("hold", [False, True], ids=["waiting", "held"])
def test_a_release_shows_its_gate_or_its_hold(hold: bool) -> None:
    room = Room()

    async def work() -> FleetView:
        await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
        if hold:
            await room.terminal().verb(Verb.HOLD)
        return await first_look(room.terminal())

    row = printed(play(room, work()), "table")[1].split()
    assert row[:2] == ["emqx-ee", "Held" if hold else "Waiting"]
    assert row[2:4] == ["4.4.14->4.4.15", "6/6"]
    assert row[5] == "cut-over"


def test_watching_prints_a_cluster_again_when_something_of_it_changes() -> None:
    room = Room()
    lines: list[str] = []

    async def work() -> None:
        desk = room.terminal()
        printer = Printer("json", all_namespaces=False, write=lines.append)
        async with Listing(place_of(desk)) as listing:
            fleet = await listing.first()
            assert fleet is not None
            printer.all(fleet)
            running = asyncio.create_task(room.terminal().rollout())
            async for changed in listing.changes():
                printer.changed(changed)
                if running.done() and changed.rows[0].resource.is_running:
                    break

    play(room, work())
    told = [json.loads(line) for line in lines[1:]]
    phases = [item["release_phase"] for item in told]
    for phase in ("creating green", "waiting for the delay", "draining", "finishing"):
        assert phase in phases
    assert all(one | {"age_s": 0} != other | {"age_s": 0} for one, other in itertools.pairwise(told))


def test_the_status_of_a_cluster_at_rest() -> None:
    room = Room()
    view = play(room, whole_view(room.terminal()))
    lines = status.lines(view)
    assert lines[0] == "default/emqx-ee  4.4.14  running, no release is under way"
    assert len([line for line in lines if "4.4.14    serving" in line]) == 3
    told = status.document(view)
    assert (told["phase"], told["release_id"], told["gate"], told["hold"]) == ("idle", None, None, None)
    assert [node["generation"] for node in told["nodes"]] == ["none"] * 3


def test_the_status_of_a_release_at_its_gate_and_on_hold() -> None:
    room = Room()

    async def work() -> View:
        await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
        await room.terminal().verb(Verb.HOLD, reason="lunch")
        return await room.terminal().until(
            lambda view: is_whole(view) and view.decision.gate is not None and view.decision.gate.is_open
        )

    view = play(room, work())
    text = "\n".join(status.lines(view))
    assert "4.4.14 to 4.4.15" in text
    assert "nobody: emqx-tui rollout emqx-ee -n default" in text
    assert "held by sim@host: lunch" in text
    assert "cut-over" in text
    told = json.loads(json.dumps(status.document(view)))
    assert told["gate"]["gate"] == "cut-over"
    assert told["gate"]["token"] == "green"
    assert told["hold"]["reason"] == "lunch"
    assert [node["generation"] for node in told["nodes"]] == ["blue"] * 3 + ["green"] * 3
    assert told["connections"]["sum"] == pytest.approx(CLIENTS, abs=5)
    assert told["abort"]["possible"] is True
    assert [approval["gate"] for approval in told["approvals"]] == ["start"]


def test_looking_writes_nothing() -> None:
    room = Room()
    wrote: list[str] = []

    async def work() -> None:
        await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
        room.world.store.subscribe(
            lambda event, plural, obj: wrote.append(f"{event} {plural}") if plural in ("secrets", "leases") else None
        )
        looker = room.terminal()
        await asyncio.wait_for(looker.until(lambda view: is_whole(view) and view.sequence > 60), 120)
        await first_look(looker)

    play(room, work())
    assert wrote == []
