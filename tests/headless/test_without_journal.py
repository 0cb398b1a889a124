"""A release without a journal: the operator's own, or one whose journal is gone. Every front end tells the same."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from emqx_tui.headless import status
from emqx_tui.headless.advice import BRAKE_S
from emqx_tui.headless.exit_status import Leaving
from emqx_tui.headless.readiness import is_whole
from emqx_tui.headless.verb_answer import Verb
from emqx_tui.model.errors import Forbidden
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.checks import preflight
from emqx_tui.rollout.policy import Approval, Policy, is_closed
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.ports import Lost, Scope, WatchSink
from emqx_tui.session.views import facts
from emqx_tui.session.views.cluster_facts import ClusterState, cluster_state, with_view
from emqx_tui.session.views.facts import Unjournaled
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.headline import headline
from emqx_tui.ui.text.spans import plain
from tests.headless.test_looking import first_look
from tests.support.desk import Room
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
        assert lines[0].endswith("a release is under way that has no journal")
        assert f'"initialDelaySeconds":{BRAKE_S}' in lines[1]
        assert status.document(view)["without_journal"] == "operator"
        assert "A RELEASE RUNS THAT THIS CONSOLE DID NOT START" in first_line(view)
        fleet = await first_look(room.terminal())
        assert cluster_state(fleet.rows[0]) is ClusterState.OPERATOR_ALONE
        for verb in Verb:
            answer = await room.terminal().verb(verb)
            assert answer.code == 3
            assert "the operator releases by itself, no console can hold it" in answer.message
        # What it advises: not one node is evacuated or taken from then on.
        patch(room, blueGreenUpdate={"initialDelaySeconds": BRAKE_S})
        await asyncio.sleep(40.0)
        before = sizes(room)
        await asyncio.sleep(120.0)
        assert sizes(room) == before
        assert not any(node.evacuation for node in room.world.cluster().nodes.values())

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
        assert lines[0].endswith("a release is under way that has no journal")
        assert "the operator is held and must stay so" in lines[1]
        assert "A RELEASE STANDS HALF-WAY AND ITS JOURNAL IS GONE" in first_line(view)
        fleet = await first_look(room.terminal())
        (row,) = fleet.rows
        assert cluster_state(row) is ClusterState.LOST
        assert row.needs_person
        assert cluster_state(with_view(row, view)) is ClusterState.LOST
        answer = await room.terminal().verb(Verb.HOLD)
        assert answer.code == 3
        assert "its journal is gone" in answer.message
        check = valve(view.snapshot)
        assert "leave it" in check
        assert "set the delay" not in check

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
