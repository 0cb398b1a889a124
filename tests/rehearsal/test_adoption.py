"""A release that `kubectl patch` began: stopped at each stage of the operator's, then adopted or aborted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emqx_tui.headless.looking.readiness import is_whole
from emqx_tui.headless.release.release_options import Edit
from emqx_tui.headless.verbs.verb_answer import Verb
from emqx_tui.model.errors import Forbidden
from emqx_tui.model.workloads import DelaySource, OwnDelay
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.rollout.ungated.ungated import Stage
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from tests.rehearsal.test_without_a_journal import JOURNAL, ByHand, stands_half_way
from tests.support.desk import Room, small_world
from tests.support.rehearsal.ports import SimKube
from tests.support.rehearsal.virtual_loop import run_in

PATH = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
TO_15 = {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}


def patch(room: Room, **spec: Any) -> None:
    reply = room.world.api.request("PATCH", PATH, {}, {"spec": spec}, "application/merge-patch+json", manager="kubectl")
    assert reply.status == 200, reply.body


def is_at(stage: Stage) -> Callable[[View], bool]:
    def is_there(view: View) -> bool:
        found = facts.ungated(view)
        return is_whole(view) and found is not None and found.stage is stage

    return is_there


def sizes(room: Room) -> list[int]:
    return [s["spec"]["replicas"] for s in room.world.store.list("statefulsets", "default")]


def evacuated(room: Room) -> set[str]:
    return {name for name, node in room.world.cluster().nodes.items() if node.evacuation}


STAGES = [Stage.CREATING_GREEN, Stage.WAITING_DELAY, Stage.EVACUATING, Stage.TAKING_BLUE]


async def stopped_at(room: Room, stage: Stage) -> None:
    """Begun by kubectl, and held by one command when the operator is at this stage."""
    patch(room, **TO_15)
    await room.terminal().until(is_at(stage))
    answer = await room.terminal().verb(Verb.HOLD)
    assert answer.code == 0, answer.message
    await asyncio.sleep(25.0)
    room.world.cluster().truth.mark()


async def is_well(room: Room, version: str) -> None:
    await asyncio.sleep(120.0)
    view = await room.terminal().until(is_whole)
    resource, truth = view.snapshot.resource.value, room.world.cluster().truth
    assert resource is not None
    assert (resource.image.version, resource.is_running, resource.blue_green_status) == (version, True, None)
    assert resource.blue_green is not None
    assert resource.blue_green.initial_delay_s == 60
    assert [s.replicas for s in view.snapshot.sets if s.replicas] == [3]
    assert view.snapshot.slice_ips == {member.pod.ip for member in view.snapshot.members}
    assert truth.since_mark().killed == 0
    assert room.world.store.find("secrets", "default", JOURNAL) is None
    assert room.world.store.find("leases", "default", JOURNAL) is None


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_and_adopted_it_goes_on_with_gates_and_cuts_nobody_off(stage: Stage) -> None:
    room = Room()

    async def work() -> None:
        await stopped_at(room, stage)
        before, running = sizes(room), evacuated(room)
        await asyncio.sleep(120.0)
        assert sizes(room) == before, "nothing is taken while the operator is held"
        assert evacuated(room) <= running, "no other evacuation begins"
        answer = await room.terminal().verb(Verb.ADOPT)
        assert answer.code == 0, answer.message
        await asyncio.sleep(60.0)
        assert evacuated(room) <= running
        since = room.world.cluster().truth.since_mark()
        assert (since.killed, since.evicted) == (0, 0), "nobody has approved a cut"
        terminal = room.terminal()
        code = await terminal.rollout(edit=Edit(), approval=Approval.AUTO)
        assert code == 0, terminal.lines[-12:]
        await is_well(room, "4.4.15")

    run_in(room.world, work())


@pytest.mark.parametrize("stage", STAGES)
def test_stopped_and_aborted_it_goes_back_to_blue(stage: Stage) -> None:
    room = Room()

    async def work() -> None:
        await stopped_at(room, stage)
        answer = await room.terminal().verb(Verb.ABORT)
        assert answer.code == 0, answer.message
        await is_well(room, "4.4.14")

    run_in(room.world, work())


async def with_a_running_evacuation(room: Room) -> str:
    """Held in the middle of it. The operator's list is not empty then, so that it drains before it takes."""
    patch(room, **TO_15)
    view = await room.terminal().until(is_at(Stage.WAITING_DELAY))
    pod = facts.ungated(view).next_pod  # type: ignore[union-attr]
    node = room.world.broker(pod).name
    green = [m.node.name for m in view.snapshot.green.members if m.node]  # type: ignore[union-attr]
    body = {"conn_evict_rate": 200, "sess_evict_rate": 200, "wait_takeover": 5, "migrate_to": green}
    await ByHand(room).ask(pod, "POST", f"/load_rebalance/{node}/evacuation/start", body)
    await room.terminal().until(is_at(Stage.EVACUATING))
    answer = await room.terminal().verb(Verb.HOLD)
    assert answer.code == 0
    assert f"it stops the next node, not the running one: {pod} is evacuated to its end" in answer.message
    room.world.cluster().truth.mark()
    return pod


def test_the_evacuation_that_runs_goes_on_and_adopting_scales_its_node_away_when_it_is_empty() -> None:
    room = Room(small_world(preset="device"))

    async def work() -> None:
        pod = await with_a_running_evacuation(room)
        answer = await room.terminal().verb(Verb.ADOPT)
        assert answer.code == 0, answer.message
        await asyncio.sleep(120.0)
        assert pod not in room.world.cluster().nodes or not evacuated(room) - {room.world.broker(pod).name}
        assert max(sizes(room)) == 3
        terminal = room.terminal()
        code = await terminal.rollout(edit=Edit(), approval=Approval.AUTO)
        assert code == 0, terminal.lines[-8:]
        assert terminal.last["disconnects_per_client"] is None, "nobody knows how many it was before"
        assert terminal.last["disconnects_at_least"]
        assert terminal.last["uncounted"]
        await is_well(room, "4.4.15")

    run_in(room.world, work())


def test_aborting_stops_the_evacuation_that_runs() -> None:
    room = Room()

    async def work() -> None:
        await with_a_running_evacuation(room)
        answer = await room.terminal().verb(Verb.ABORT)
        assert answer.code == 0, answer.message
        await is_well(room, "4.4.14")

    run_in(room.world, work())


@pytest.mark.parametrize(("verb", "version"), [(Verb.ADOPT, "4.4.15"), (Verb.ABORT, "4.4.14")])
def test_one_command_stops_and_takes_over(verb: Verb, version: str) -> None:
    room = Room()

    async def work() -> None:
        patch(room, **TO_15)
        await room.terminal().until(is_at(Stage.WAITING_DELAY))
        room.world.cluster().truth.mark()
        answer = await room.terminal().verb(verb)
        assert answer.code == 0, answer.message
        if verb is Verb.ADOPT:
            assert await room.terminal().rollout(edit=Edit(), approval=Approval.AUTO) == 0
        await is_well(room, version)

    run_in(room.world, work())


@pytest.mark.parametrize(("verb", "version"), [(Verb.ADOPT, "4.4.15"), (Verb.ABORT, "4.4.14")])
@pytest.mark.parametrize("drained", [0, 1])
def test_a_release_whose_journal_is_gone_is_taken_over_with_the_delay_that_a_person_gives(
    verb: Verb, version: str, drained: int
) -> None:
    room = Room()
    room.world.cluster().truth.mark()

    async def work() -> None:
        await stands_half_way(room, drained)
        room.world.store.delete("secrets", "default", JOURNAL)
        refused = await room.terminal().verb(verb)
        assert (refused.code, refused.message) == (1, "your own initialDelaySeconds is not known: it has to be given")
        answer = await room.terminal().verb(verb, delay=OwnDelay(60, DelaySource.GIVEN))
        assert answer.code == 0, answer.message
        if verb is Verb.ADOPT:
            assert await room.terminal().rollout(edit=Edit(), approval=Approval.AUTO) == 0
        await is_well(room, version)

    run_in(room.world, work())


def test_without_the_right_to_drive_nothing_is_begun() -> None:
    room = Room()

    async def work() -> None:
        await stopped_at(room, Stage.WAITING_DELAY)
        answer = await room.terminal(WithoutScale).verb(Verb.ADOPT)
        assert answer.code == 1
        assert answer.message == "this console cannot drive: no right to patch statefulsets/scale"
        assert room.world.store.find("secrets", "default", JOURNAL) is None
        assert room.world.store.find("leases", "default", JOURNAL) is None

    run_in(room.world, work())


class WithoutScale(SimKube):
    async def request(self, request: KubeRequest) -> Any:
        if request.path.endswith("/scale"):
            raise Forbidden('User "u" cannot patch resource "statefulsets/scale" in API group "apps"', status=403)
        return await super().request(request)


def test_a_brake_that_the_server_refuses_is_told_and_fails() -> None:
    room = Room()

    async def work() -> None:
        patch(room, **TO_15)
        await room.terminal().until(is_at(Stage.WAITING_DELAY))
        answer = await room.terminal(WithoutPatch).verb(Verb.HOLD)
        assert answer.code == 1
        assert "the valve was not closed: " in answer.message

    run_in(room.world, work())


class WithoutPatch(SimKube):
    async def request(self, request: KubeRequest) -> Any:
        if request.method == "PATCH" and request.path.endswith("/emqxenterprises/emqx-ee"):
            raise Forbidden('User "u" cannot patch resource "emqxenterprises" in API group "apps.emqx.io"', status=403)
        return await super().request(request)


def test_nothing_is_written_on_the_emqxenterprise_but_its_spec() -> None:
    room = Room()

    async def work() -> None:
        before = room.world.store.get("emqxenterprises", "default", "emqx-ee")["metadata"]
        await stopped_at(room, Stage.WAITING_DELAY)
        answer = await room.terminal().verb(Verb.ABORT)
        assert answer.code == 0
        after = room.world.store.get("emqxenterprises", "default", "emqx-ee")["metadata"]
        assert (after.get("labels"), after.get("annotations")) == (before.get("labels"), before.get("annotations"))

    run_in(room.world, work())
