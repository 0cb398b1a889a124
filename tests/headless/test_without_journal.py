"""A release without a journal: the operator's own, or one whose journal is gone. Every front end tells the same."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.headless.looking import status
from emqx_tui.headless.looking.readiness import is_whole
from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.release.release_options import Edit
from emqx_tui.headless.verbs.verb_answer import Verb
from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import Forbidden
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.checks import preflight
from emqx_tui.rollout.policy import CLOSED_S, Approval, Policy, is_closed
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.ungated import Stage
from emqx_tui.session.ports import Lost, Scope, WatchSink
from emqx_tui.session.views import facts
from emqx_tui.session.views.cluster_facts import ClusterState, cluster_state, with_view
from emqx_tui.session.views.facts import Unjournaled
from emqx_tui.session.views.view import View
from emqx_tui.ui.clusters.states import driver_words
from emqx_tui.ui.rollout.headline import headline
from emqx_tui.ui.rollout.rail import rail
from emqx_tui.ui.text.spans import plain
from tests.headless.looking.test_looking import first_look
from tests.support.desk import TO_15, Room
from tests.support.rehearsal.ports import SimKube
from tests.support.rehearsal.virtual_loop import run_in

PATH = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"


def play(room: Room, work: Coroutine[Any, Any, Any]) -> Any:
    return run_in(room.world, work)


def patch(room: Room, **spec: Any) -> None:
    reply = room.world.api.request("PATCH", PATH, {}, {"spec": spec}, "application/merge-patch+json", manager="kubectl")
    assert reply.status == 200, reply.body


async def begun_by_kubectl(room: Room) -> None:
    patch(room, template={"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}})
    await room.terminal().until(lambda view: view.snapshot.resource.value.blue_green_status)  # type: ignore[union-attr]


async def without_its_journal(room: Room) -> None:
    """Nobody drives, two StatefulSets have pods, the operator is held, and somebody removes the journal."""
    code = await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
    assert code == 3
    room.world.store.delete("secrets", "default", "emqx-tui-emqx-ee")


def first_line(view: View) -> str:
    return plain(headline(view).first)


def test_a_release_that_kubectl_began_is_told_alike_and_can_be_stopped() -> None:
    room = Room()

    async def work() -> None:
        await begun_by_kubectl(room)
        view = await room.terminal().until(is_whole)
        assert facts.unjournaled(view) is Unjournaled.OPERATOR
        lines = status.lines(view)
        assert lines[0].startswith("default/emqx-ee  4.4.14 to 4.4.15  ")
        assert lines[0].endswith("a release is under way that has no journal")
        told = wording.ungated(facts.ungated(view))
        assert "of the initial delay left, " in told
        assert f"ungated: {told}; to stop it before its next step: emqx-tui hold emqx-ee -n default" in lines[1]
        document = status.document(view)
        assert document["without_journal"] == "operator"
        assert (document["ungated"]["stage"], document["ungated"]["text"]) == ("waiting-delay", told)
        assert document["ungated"]["next"] in told
        bar = headline(view)
        assert "UNGATED: THE OPERATOR RELEASES BY ITSELF" in plain(bar.first)
        assert "of the initial delay left" in plain(bar.first)
        assert "h stops it before its next step" in plain(bar.second)
        fleet = await first_look(room.terminal())
        (row,) = fleet.rows
        assert cluster_state(row) is ClusterState.UNGATED
        assert row.ungated is not None
        assert row.ungated.stage is facts.ungated(view).stage
        assert "of the initial delay left" in driver_words(row)
        for verb in (Verb.APPROVE, Verb.FREEZE, Verb.RESUME):
            answer = await room.terminal().verb(verb)
            assert answer.code == 3
            assert "the operator releases by itself, ungated: " in answer.message
        # What it advises: not one node is evacuated or taken from then on.
        answer = await room.terminal().verb(Verb.HOLD)
        assert answer.code == 0
        assert "no further node is taken" in answer.message
        assert "emqx-tui adopt emqx-ee -n default --confirm emqx-ee" in answer.message
        assert "emqx-tui abort emqx-ee -n default --confirm emqx-ee" in answer.message
        await asyncio.sleep(40.0)
        before = sizes(room)
        await asyncio.sleep(120.0)
        assert sizes(room) == before
        assert not any(node.evacuation for node in room.world.cluster().nodes.values())
        again = await room.terminal().verb(Verb.HOLD)
        assert (again.code, again.message.partition(";")[0]) == (0, "the operator is held already")

    play(room, work())


@pytest.mark.parametrize("edit", [Edit(), TO_15], ids=["to carry on", "to start"])
def test_a_rollout_says_that_it_is_there_and_what_to_do(edit: Edit) -> None:
    room = Room()

    async def refused() -> str:
        desk = room.terminal()
        assert await desk.rollout(edit) == 1
        assert (desk.last["result"], desk.last["from"], desk.last["to"]) == ("failed", None, None)
        (problem,) = desk.events("problem")
        return problem["text"]

    async def work() -> None:
        await begun_by_kubectl(room)
        assert "releases by itself, ungated: " in (told := await refused())
        assert told.endswith("emqx-tui hold emqx-ee -n default")
        assert (await room.terminal().verb(Verb.HOLD)).code == 0
        assert "stands half-way without a journal: " in (told := await refused())
        assert "emqx-tui adopt emqx-ee -n default --confirm emqx-ee" in told

    play(room, work())


def test_an_adopted_release_has_an_id_of_its_own() -> None:
    room = Room()

    async def work() -> None:
        await begun_by_kubectl(room)
        assert (await room.terminal().verb(Verb.HOLD)).code == 0
        answer = await room.terminal().verb(Verb.ADOPT)
        assert answer.code == 0
        view = await room.terminal().until(is_whole)
        assert view.journal is not None
        assert re.fullmatch("[0-9a-f]{12}", view.journal.release_id)
        assert answer.release_id == view.journal.release_id

    play(room, work())


def test_it_is_called_ungated_before_the_operator_writes_a_word_of_it() -> None:
    room = Room()

    async def work() -> None:
        patch(room, template={"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}})
        view = await room.terminal().until(lambda view: len([s for s in view.snapshot.sets if s.replicas]) == 2)
        resource = view.snapshot.resource.value
        assert resource is not None
        assert resource.blue_green_status is None
        (row,) = (await first_look(room.terminal())).rows
        assert cluster_state(row) is ClusterState.UNGATED
        assert row.ungated is not None
        assert row.ungated.stage is Stage.CREATING_GREEN

    play(room, work())


def sizes(room: Room) -> list[int]:
    return sorted(s["spec"]["replicas"] for s in room.world.store.list("statefulsets", "default"))


def test_a_release_whose_journal_is_gone_is_said_loudly_and_nobody_is_told_to_set_the_delay() -> None:
    room = Room()

    async def work() -> None:
        await without_its_journal(room)
        view = await room.terminal().until(is_whole)
        assert facts.unjournaled(view) is Unjournaled.ORPHAN
        lines = status.lines(view)
        assert lines[0].startswith("default/emqx-ee  4.4.14 to 4.4.15  ")
        assert lines[0].endswith("a release is under way that has no journal")
        assert "the operator is held and must stay so" in lines[1]
        assert "STOPPED, AND WITHOUT A JOURNAL" in first_line(view)
        fleet = await first_look(room.terminal())
        (row,) = fleet.rows
        assert cluster_state(row) is ClusterState.STOPPED
        assert row.needs_person
        assert cluster_state(with_view(row, view)) is ClusterState.STOPPED
        answer = await room.terminal().verb(Verb.RESUME)
        assert answer.code == 3
        assert "a release stands half-way without a journal" in answer.message
        assert "your own initialDelaySeconds is not known" in answer.message, "nobody has noted it"
        refused = await room.terminal().verb(Verb.ADOPT)
        assert (refused.code, refused.message) == (1, "your own initialDelaySeconds is not known: it has to be given")
        check = valve(view.snapshot)
        assert "leave it" in check
        assert "set the delay" not in check

    play(room, work())


def test_a_delay_that_a_finished_release_left_closed_is_told_and_not_taken_for_a_release() -> None:
    room = Room()

    async def work() -> None:
        patch(room, blueGreenUpdate={"initialDelaySeconds": CLOSED_S})
        view = await room.terminal().until(is_whole)
        assert facts.unjournaled(view) is Unjournaled.LEFT
        assert status.document(view)["without_journal"] == "left"
        told = "no release stands, but the delay still holds the operator: a release ended before it was set back"
        assert status.lines(view)[1] == (
            f"release  {told}; kubectl patch emqxenterprise emqx-ee -n default --type merge -p "
            '\'{"spec":{"blueGreenUpdate":{"initialDelaySeconds":SECONDS}}}\' sets yours'
        )
        bar = headline(view)
        assert "RUNNING" in plain(bar.first)
        assert plain(bar.second) == f"▲ {told} · e sets yours"
        assert "next release: delay closed" in plain(rail(view)[0])
        fleet = await first_look(room.terminal())
        (row,) = fleet.rows
        assert (cluster_state(row), driver_words(row)) == (ClusterState.RUNNING, "delay still closed")
        assert row.is_worth_a_session, "without a session nobody knows that it is no release"
        patch(room, blueGreenUpdate={"initialDelaySeconds": 60})
        view = await room.terminal().until(is_whole)
        assert facts.unjournaled(view) is None

    play(room, work())


def test_a_release_that_has_just_begun_is_not_taken_for_one_that_is_over() -> None:
    """Its object is read here before its journal: the template is new, and green is not there yet."""
    room = Room()

    async def work() -> None:
        view = await room.terminal().until(is_whole)
        patch(room, blueGreenUpdate={"initialDelaySeconds": CLOSED_S})
        left = await room.terminal().until(is_whole)
        resource = left.snapshot.resource.value
        assert resource is not None
        assert facts.unjournaled(left) is Unjournaled.LEFT
        raw = copy.deepcopy(resource.raw)
        raw["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"] = "4.4.15"
        begun = replace(left.snapshot, resource=replace(left.snapshot.resource, value=EmqxEnterprise.from_json(raw)))
        assert facts.unjournaled(replace(left, snapshot=begun)) is None
        assert facts.unjournaled(view) is None

    play(room, work())


def test_a_console_that_saw_the_journal_go_offers_to_take_the_release_over_too() -> None:
    room = Room()

    async def work() -> None:
        await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
        watching = asyncio.create_task(room.terminal().until(lambda view: bool(view.result)))
        await asyncio.sleep(5.0)
        room.world.store.delete("secrets", "default", "emqx-tui-emqx-ee")
        view = await watching
        assert (view.result, facts.unjournaled(view)) == ("failed", Unjournaled.ORPHAN)
        assert "STOPPED, AND WITHOUT A JOURNAL" in first_line(view)

    play(room, work())


def valve(snapshot: Snapshot) -> str:
    question = preflight.Question(snapshot, None, Policy())
    (found,) = (check for check in preflight.run(question) if check.name == "valve")
    return f"{found.evidence} {found.hint}"


def test_a_journal_that_is_there_is_no_release_without_one() -> None:
    room = Room()

    async def work() -> None:
        await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
        view = await room.terminal().until(is_whole)
        assert view.journal is not None
        assert facts.unjournaled(view) is None
        resource = view.snapshot.resource.value
        assert resource is not None
        assert resource.blue_green is not None
        assert is_closed(resource.blue_green.effective_delay_s)

    play(room, work())


class ReadOnlyKube(SimKube):
    """An account that may read no Secret."""

    async def request(self, request: KubeRequest) -> Any:
        if "/secrets" in request.path:
            raise Forbidden('User "u" cannot get resource "secrets" in API group ""', status=403)
        return await super().request(request)

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        if kind is Kind.SECRET:
            sink(Lost(kind, Forbidden('User "u" cannot list resource "secrets" in API group ""', status=403), True))
            await asyncio.Event().wait()
        await super().watch(kind, scope, sink)


def test_an_account_that_may_read_no_secret_is_not_kept_waiting_for_figures_that_will_not_come() -> None:
    room = Room()

    async def work() -> None:
        begun = room.world.timeline.now
        view = await room.terminal(ReadOnlyKube).until(is_whole)
        assert room.world.timeline.now - begun < 3.0
        assert facts.unjournaled(view) is None, "nobody knows"
        assert "its journal cannot be read" in status.lines(view)[0]

    play(room, work())
