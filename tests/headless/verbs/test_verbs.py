"""Approve, hold, freeze, resume and abort from a second terminal: with a driver, and with nobody driving."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from emqx_tui.cli.parsing.flags import gate as read_gate
from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.release.release_options import Edit
from emqx_tui.headless.verbs.verb_answer import Answer, Verb
from emqx_tui.rollout.gate_id import CUT_OVER, GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.views.view import View
from tests.support.desk import Room, Terminal, killed
from tests.support.rehearsal.virtual_loop import run_in

AT_GATE = Leaving(at_gate=True)


def play(room: Room, work: Coroutine[Any, Any, Any]) -> Any:
    return run_in(room.world, work)


async def at_the_first_gate(room: Room) -> None:
    """A release that waits for the cut-over's approval, with nobody driving."""
    assert await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=AT_GATE) == 3


async def approve_to(room: Room, *gates: str) -> None:
    for gate in gates:
        answer = await room.terminal().verb(Verb.APPROVE, gate=read_gate(gate))
        assert answer.code == 0, answer.message


def is_draining(view: View) -> bool:
    return any(member.evacuation for member in view.snapshot.members)


@pytest.mark.parametrize("verb", list(Verb))
def test_without_a_release_nothing_waits(verb: Verb) -> None:
    room = Room()
    answer: Answer = play(room, room.terminal().verb(verb))
    assert (answer.code, answer.message, answer.release_id) == (3, "no release is under way", None)
    assert room.world.store.find("leases", "default", "emqx-tui-emqx-ee") is None


def test_an_approval_names_the_gate_that_waits() -> None:
    room = Room()

    async def work() -> None:
        await at_the_first_gate(room)
        other = await room.terminal().verb(Verb.APPROVE, gate=GateId.node(2))
        assert (other.code, other.message) == (1, "gate cut-over waits, not node:2")
        wrong = await room.terminal().verb(Verb.APPROVE, token="blue")
        assert wrong.code == 1
        assert "token" in wrong.message
        several = await room.terminal().verb(Verb.APPROVE, count=2)
        assert (several.code, several.gate) == (1, CUT_OVER)
        assert several.message == "gate cut-over waits, and --count counts nodes: approve it without"
        right = await room.terminal().verb(Verb.APPROVE, gate=CUT_OVER, token="green")
        assert (right.code, right.gate) == (0, CUT_OVER)
        again = await room.terminal().verb(Verb.APPROVE, gate=CUT_OVER)
        assert (again.code, again.message) == (0, "cut-over is approved already")

    play(room, work())


def test_with_nobody_driving_the_sender_acts_until_it_took_effect_and_says_so() -> None:
    room = Room()

    async def work() -> tuple[Terminal, Answer, Terminal, Answer]:
        await at_the_first_gate(room)
        one, two = room.terminal(), room.terminal()
        cut_over = await one.verb(Verb.APPROVE)
        view = await two.until(lambda view: view.decision.phase is Phase.DRAINING)
        assert view.role == "idle"
        assert not is_draining(view)
        node = await two.verb(Verb.APPROVE)
        assert room.world.store.get("leases", "default", "emqx-tui-emqx-ee")["spec"]["holderIdentity"] == ""
        return one, cut_over, two, node

    one, cut_over, two, node = play(room, work())
    assert "nobody drives this release: this console acts on it" in one.lines
    assert cut_over.driver is None
    assert "nobody drives from here on: emqx-tui rollout emqx-ee -n default" in cut_over.message
    assert any("cutting over" in line for line in one.lines)
    told = [*one.lines, cut_over.sentence]
    assert len([line for line in told if "approved: cut-over" in line]) == 1, "what was done is told once"
    assert "the drain goes on inside EMQX" in node.message
    assert any("curl" in line for line in two.lines)


def test_with_a_driver_the_sender_leaves_and_the_driver_acts() -> None:
    room = Room()

    async def work() -> tuple[Answer, Terminal]:
        driver, other = room.terminal(), room.terminal()
        running = asyncio.create_task(driver.rollout(approval=Approval.EVERY_NODE))
        await other.until(lambda view: view.decision.gate is not None and view.decision.gate.is_open)
        answer = await other.verb(Verb.APPROVE)
        await other.until(lambda view: view.decision.phase is Phase.DRAINING)
        for _ in range(3):
            assert (await room.terminal().verb(Verb.APPROVE)).code == 0
            await asyncio.sleep(30)
        assert await running == 0
        return answer, driver

    answer, driver = play(room, work())
    assert answer.driver == driver.host.identity
    assert [a["by"] for a in driver.events("approved")] == ["sim@host"] * 4


def test_approving_several_nodes_at_once() -> None:
    room = Room()

    async def work() -> Terminal:
        await at_the_first_gate(room)
        await approve_to(room, "cut-over")
        assert (await room.terminal().verb(Verb.APPROVE, gate=GateId.node(2), count=3)).code == 0
        desk = room.terminal()
        assert await desk.rollout(Edit(), None, leaving=AT_GATE) == 0
        return desk

    assert play(room, work()).last["result"] == "done"


def test_a_dead_driver_is_not_waited_for_for_ever() -> None:
    """The lease of a process on this host that is gone is taken over, and the sender acts."""
    room = Room()

    async def work() -> Answer:
        driver, other = room.terminal(), room.terminal()
        running = asyncio.create_task(driver.rollout(approval=Approval.EVERY_NODE))
        await other.until(lambda view: view.decision.gate is not None and view.decision.gate.is_open)
        await killed(driver, running)
        return await other.verb(Verb.APPROVE)

    answer = play(room, work())
    assert answer.code == 0
    assert "nobody drives from here on" in answer.message


def test_freeze_stops_the_drain_even_when_nobody_drives_and_resume_starts_it_again() -> None:
    room = Room()

    def evacuating() -> list[str]:
        return [name for name, node in room.world.cluster().nodes.items() if node.evacuation is not None]

    async def work() -> None:
        await at_the_first_gate(room)
        await approve_to(room, "cut-over", "2")
        assert len(evacuating()) == 1
        frozen = await room.terminal().verb(Verb.FREEZE, reason="pager")
        assert frozen.code == 0, frozen.message
        assert evacuating() == []
        again = await room.terminal().verb(Verb.FREEZE)
        assert (again.code, again.message) == (0, "frozen already, by sim@host: pager")
        resumed = await room.terminal().verb(Verb.RESUME)
        assert resumed.code == 0, resumed.message
        assert len(evacuating()) == 1

    play(room, work())


def test_hold_and_resume_are_said_once() -> None:
    room = Room()

    async def work() -> None:
        await at_the_first_gate(room)
        assert (await room.terminal().verb(Verb.RESUME)).message == "nothing is held"
        assert (await room.terminal().verb(Verb.HOLD)).code == 0
        assert (await room.terminal().verb(Verb.HOLD)).message.startswith("held already, by sim@host")
        run = room.terminal()
        assert await run.rollout(Edit(), None, leaving=Leaving(on_hold=True)) == 4
        assert (await room.terminal().verb(Verb.RESUME)).code == 0

    play(room, work())


@pytest.mark.parametrize(
    ("silent_s", "said"),
    [(2.0, r"\(bob@elsewhere/9 drives\)"), (40.0, r"; driver bob@elsewhere/9 was last seen 4\d s ago")],
)
def test_a_hold_says_when_the_driver_was_last_seen_where_its_renewals_have_stopped(silent_s: float, said: str) -> None:
    """Of a driver on another host nobody knows at once that it is dead."""
    room = Room()

    async def work() -> Answer:
        await at_the_first_gate(room)
        found = room.world.store.get("leases", "default", "emqx-tui-emqx-ee")
        renewed = datetime.fromtimestamp(room.world.now - silent_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {**found["spec"], "holderIdentity": "bob@elsewhere/9", "renewTime": renewed}
        room.world.store.update("leases", {**found, "spec": spec})
        return await room.terminal().verb(Verb.HOLD)

    answer = play(room, work())
    assert answer.code == 0
    assert re.search(f"{said}$", answer.sentence), answer.sentence


def test_abort_with_nobody_driving_stays_until_all_is_as_before() -> None:
    room = Room()

    async def work() -> Answer:
        await at_the_first_gate(room)
        return await room.terminal().verb(Verb.ABORT)

    answer = play(room, work())
    assert answer.code == 0, answer.message
    assert "the release is aborted" in answer.message
    world = room.world
    assert world.store.find("secrets", "default", "emqx-tui-emqx-ee") is None
    assert [s["spec"]["replicas"] for s in world.store.list("statefulsets") if s["spec"]["replicas"]] == [3]
    spec = world.store.get("emqxenterprises", "default", "emqx-ee")["spec"]
    assert spec["blueGreenUpdate"]["initialDelaySeconds"] == 60


def test_an_abort_that_is_not_on_offer_is_refused() -> None:
    room = Room()

    async def work() -> Answer:
        driver, other = room.terminal(), room.terminal()
        running = asyncio.create_task(driver.rollout())
        await other.until(lambda view: view.decision.phase is Phase.FINISHING)
        answer = await other.verb(Verb.ABORT)
        assert await running == 0
        return answer

    answer = play(room, work())
    assert answer.code == 1
    assert "blue is gone" in answer.message


def test_a_hold_is_not_lost_in_a_race_for_the_journal() -> None:
    """Several intents at the same moment: the losers of the race decide anew, and all of them count."""
    room = Room()

    async def work() -> list[Answer]:
        await at_the_first_gate(room)
        verbs: list[Callable[[], Coroutine[Any, Any, Answer]]] = [
            lambda: room.terminal().verb(Verb.HOLD),
            lambda: room.terminal().verb(Verb.APPROVE),
        ]
        return list(await asyncio.gather(*(verb() for verb in verbs)))

    held, approved = play(room, work())
    assert held.code == 0, held.message
    journal = Journal.loads(journal_text(room))
    assert journal.hold is not None
    assert approved.code == (4 if "held by" in approved.message else 0), approved.message
    assert journal.is_approved(CUT_OVER) == approved.message.startswith("approved: cut-over")


def test_approving_in_a_hold_is_refused_naming_it_and_the_resume_begins_nothing() -> None:
    room = Room()

    async def work() -> tuple[Answer, Answer]:
        await at_the_first_gate(room)
        await room.terminal().verb(Verb.HOLD, reason="dashboards")
        refused = await room.terminal().verb(Verb.APPROVE)
        assert not Journal.loads(journal_text(room)).is_approved(CUT_OVER)
        resumed = await room.terminal().verb(Verb.RESUME)
        seen = await room.terminal().until(lambda view: view.decision.gate is not None)
        assert seen.decision.phase is Phase.READY_TO_CUT_OVER
        return refused, resumed

    refused, resumed = play(room, work())
    assert (refused.code, refused.gate) == (4, CUT_OVER)
    assert re.fullmatch(r"held by sim@host since \d\d:\d\d:\d\dZ: dashboards", refused.message)
    assert resumed.code == 0


def third_set(room: Room, replicas: int) -> None:
    """Somebody scales a StatefulSet of this cluster that is neither blue nor green."""
    store = room.world.store
    blue = store.list("statefulsets")[0]
    if store.find("statefulsets", "default", "emqx-ee-third") is None:
        named = {**blue["metadata"], "name": "emqx-ee-third"}
        for field in ("uid", "resourceVersion", "creationTimestamp", "generation"):
            named.pop(field, None)
        store.create("statefulsets", {**blue, "metadata": named, "spec": {**blue["spec"], "replicas": replicas}})
    else:
        found = store.get("statefulsets", "default", "emqx-ee-third")
        store.update("statefulsets", {**found, "spec": {**found["spec"], "replicas": replicas}})


def test_resume_says_what_still_holds_and_lifts_nothing() -> None:
    room = Room()

    async def work() -> tuple[Answer, Answer]:
        await at_the_first_gate(room)
        third_set(room, 1)
        assert await room.terminal().rollout(Edit(), None, leaving=Leaving(on_hold=True)) == 4
        standing = await room.terminal().verb(Verb.RESUME)
        hold = Journal.loads(journal_text(room)).hold
        assert hold is not None
        assert hold.check == "third-set"
        third_set(room, 0)
        await asyncio.sleep(30)
        return standing, await room.terminal().verb(Verb.RESUME)

    standing, lifted = play(room, work())
    assert standing.code == 4
    assert standing.message.startswith("third-set still holds: a third StatefulSet wants pods: emqx-ee-third")
    assert standing.message.endswith("nobody drives: emqx-tui rollout emqx-ee -n default")
    assert (lifted.code, lifted.message.partition(";")[0]) == (0, "resumed: third-set passes again")


def test_resume_of_an_approved_cut_over_stays_through_the_canary() -> None:
    """An address that is out of the Service is not left unwatched."""
    room = Room()

    async def work() -> Answer:
        driver, other = room.terminal(), room.terminal()
        running = asyncio.create_task(driver.rollout(approval=Approval.EVERY_NODE))
        await other.until(lambda view: view.decision.gate is not None and view.decision.gate.is_open)
        await room.terminal().verb(Verb.APPROVE)
        await other.until(lambda view: view.decision.phase is Phase.CANARY)
        await room.terminal().verb(Verb.HOLD)
        await killed(driver, running)
        return await room.terminal().verb(Verb.RESUME)

    answer = play(room, work())
    assert answer.code == 0, answer.message
    addresses = room.world.store.get("endpoints", "default", "emqx-ee")["subsets"][0]["addresses"]
    pods = {pod["status"]["podIP"]: pod["metadata"]["name"] for pod in room.world.store.list("pods")}
    blue = Journal.loads(journal_text(room)).originals.blue_name
    assert not [a for a in addresses if pods[a["ip"]].startswith(blue)]


@pytest.mark.parametrize("is_seen_dead", [True, False], ids=["process is gone", "lease runs out"])
def test_what_a_dead_driver_left_undone_is_taken_up(is_seen_dead: bool) -> None:
    """An abort, or an approval, that was written down and nobody acts on: the same verb again acts on it."""
    room = Room()

    async def work() -> tuple[Answer, Answer]:
        driver, other = room.terminal(), room.terminal()
        running = asyncio.create_task(driver.rollout(approval=Approval.EVERY_NODE))
        await other.until(lambda view: view.decision.gate is not None and view.decision.gate.is_open)
        await killed(driver, running)
        held = await room.terminal().verb(Verb.HOLD)
        if not is_seen_dead:
            room.dead.clear()
        sender = room.terminal()
        unfinished = asyncio.create_task(sender.verb(Verb.ABORT))
        await other.until(lambda view: view.journal is not None and view.journal.abort is not None)
        await killed(sender, unfinished)
        if not is_seen_dead:
            room.dead.clear()
        return held, await room.terminal().verb(Verb.ABORT)

    held, aborted = play(room, work())
    assert (held.code, held.driver) == (0, None)
    assert (aborted.code, aborted.driver) == (0, None)
    assert aborted.message.startswith("an abort is under way already, by sim@host")
    assert "the release is aborted" in aborted.message


def test_an_abort_that_somebody_holds_says_so_and_does_not_wait_for_ever() -> None:
    room = Room()

    async def work() -> Answer:
        await at_the_first_gate(room)
        sender, other = room.terminal(), room.terminal()
        aborting = asyncio.create_task(sender.verb(Verb.ABORT))
        await other.until(lambda view: view.journal is not None and view.journal.abort is not None)
        await other.verb(Verb.HOLD, reason="wait")
        first = await aborting
        assert first.code == 4, first.message
        return await room.terminal().verb(Verb.ABORT)

    answer = play(room, work())
    assert answer.code == 4
    assert re.match(r"an abort is under way already, by sim@host; held by sim@host since .*: wait", answer.message)


def test_an_approval_that_nobody_acted_on_is_acted_on_when_it_is_given_again() -> None:
    room = Room()

    async def work() -> Answer:
        await at_the_first_gate(room)
        sender = room.terminal()
        unfinished = asyncio.create_task(sender.verb(Verb.APPROVE))
        await room.terminal().until(lambda view: view.journal is not None and view.journal.is_approved(CUT_OVER))
        await killed(sender, unfinished)
        return await room.terminal().verb(Verb.APPROVE, gate=CUT_OVER)

    answer = play(room, work())
    assert (answer.code, answer.driver) == (0, None)
    seen = play(room, room.terminal().until(lambda view: view.decision.phase is Phase.DRAINING))
    assert seen.driver == ""


def journal_text(room: Room) -> str:
    secret = room.world.store.get("secrets", "default", "emqx-tui-emqx-ee")
    return base64.b64decode(secret["data"]["journal"]).decode()


def test_the_answer_for_programs() -> None:
    room = Room()
    answer = play(room, room.terminal().verb(Verb.HOLD)).to_json(Verb.HOLD)
    assert list(answer) == ["schema", "at", "release_id", "verb", "gate", "code", "message", "driver"]
    assert (answer["schema"], answer["verb"], answer["code"]) == (1, "hold", 3)


def test_approving_what_ends_meanwhile_says_how_it_ended() -> None:
    room = Room()
    desk, other, third = room.terminal(), room.terminal(), room.terminal()

    async def work() -> Answer:
        running = asyncio.create_task(desk.rollout(approval=Approval.EVERY_NODE))
        await other.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
        await other.verb(Verb.ABORT)
        while (answer := await third.verb(Verb.APPROVE)).message == "no gate waits: aborting":
            assert not running.done()
        await running
        return answer

    answer = run_in(room.world, work())
    assert (answer.code, answer.message) == (3, "the release is aborted")
