"""A listener Service that the API server refuses: every front names it at once."""

from __future__ import annotations

import asyncio
from typing import Any

from emqx_tui.headless.looking.readiness import is_whole
from emqx_tui.headless.looking.status import document, lines
from emqx_tui.sandbox.apiserver.schema_admission import install
from emqx_tui.session.fleet import Fleet
from emqx_tui.session.views.fleet_view import FleetView
from emqx_tui.ui.rollout.checks import stale_lines
from tests.support.desk import Room, small_world
from tests.support.rehearsal.ports import SimClock, SimEmqx, SimKube, Wire
from tests.support.rehearsal.virtual_loop import run_in

CASE = {"type": "LoadBalancer", "ports": [{"port": 1883, "targetPort": 1883}]}
PROBLEM = (
    "Service emqx-ee does not exist: no client can connect; likely cause: port 1883 of spec.serviceTemplate has no name"
)


def broken_room() -> Room:
    room = Room(small_world(prepare=install))
    found = room.world.store.get("emqxenterprises", "default", "emqx-ee")
    spec = {**found["spec"], "serviceTemplate": {**found["spec"].get("serviceTemplate", {}), "spec": CASE}}
    room.world.store.update("emqxenterprises", {**found, "spec": spec})
    room.world.store.delete("services", "default", "emqx-ee")
    return room


def test_status_and_screen_name_the_service_and_the_likely_cause() -> None:
    room = broken_room()
    view = run_in(room.world, room.terminal().until(is_whole))
    assert PROBLEM in document(view)["problems"]
    assert f"problem  {PROBLEM}" in lines(view)
    assert any(PROBLEM in str(shown) for shown in stale_lines(view))


def test_a_rollout_is_refused_at_once() -> None:
    room = broken_room()
    desk = room.terminal()
    begun = room.world.now

    async def work() -> int:
        return await desk.rollout()

    assert run_in(room.world, work()) == 1
    assert room.world.now - begun < 10.0
    assert any(record["check"] == "listener" and record["evidence"] == PROBLEM for record in desk.events("check"))


def test_the_list_says_it_on_the_row() -> None:
    room = broken_room()
    told = asyncio.Event()
    problems: list[str] = []

    def take(fleet: FleetView) -> None:
        problems.extend(row.problem for row in fleet.rows if row.problem)
        if problems:
            told.set()

    wire = Wire()

    async def work() -> Any:
        fleet = Fleet(
            context="c",
            server="s",
            namespace="default",
            fallback_namespace="default",
            kube=SimKube(room.world, wire),
            emqx=lambda namespace, name: SimEmqx(room.world, wire),
            clock=SimClock(room.world),
            session_view=lambda key: None,
            publish=take,
        )
        running = asyncio.create_task(fleet.run())
        await asyncio.wait_for(told.wait(), 30.0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_in(room.world, work())
    assert problems[0] == PROBLEM
