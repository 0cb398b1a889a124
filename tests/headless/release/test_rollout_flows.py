"""Whole releases from a script, in virtual time: how each of them ends, and what the lines say on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from emqx_tui.headless.lines.events import FIELDS, SCHEMA, Event
from emqx_tui.headless.lines.output import Format
from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.release.release_options import Edit, parse_sets
from emqx_tui.headless.verbs.verb_answer import Verb
from emqx_tui.model.errors import Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.ports import Lost, Scope, WatchSink
from emqx_tui.session.views.view import LogSource, View
from tests.support.desk import CLIENTS, TO_15, Room, Terminal, killed, small_world, without_rates
from tests.support.rehearsal.ports import SimKube, Wire
from tests.support.rehearsal.virtual_loop import run_in


def play(room: Room, work: Coroutine[Any, Any, Any]) -> Any:
    return run_in(room.world, work)


def check_lines(terminal: Terminal) -> None:
    """Every line is of the documented kind, and the last one is the only finish."""
    for record in terminal.records:
        assert record["schema"] == SCHEMA
        assert record["at"].endswith("Z")
        assert list(record)[:4] == ["schema", "at", "release_id", "event"]
        assert list(record)[4:] == list(FIELDS[Event(record["event"])])
    times = [record["at"] for record in terminal.records]
    assert times == sorted(times)
    assert [r["event"] for r in terminal.records].index("finished") == len(terminal.records) - 1


def test_auto_runs_to_the_end_and_says_so_in_figures() -> None:
    room = Room()
    desk = room.terminal()
    assert play(room, desk.rollout()) == 0
    check_lines(desk)
    last = desk.last
    assert (last["result"], last["from"], last["to"]) == ("done", "4.4.14", "4.4.15")
    assert last["clients_lost"] == 0
    assert last["limit_s"] == pytest.approx(CLIENTS / 200 + 5, abs=0.5)
    assert last["limit_s"] <= last["drain_s"] < last["limit_s"] + 15
    assert last["drain_s"] < last["duration_s"] < 600
    assert last["disconnects_per_client"] == pytest.approx(1.0, abs=0.02)
    # Each node counts at an instant of its own: up to three seconds of evictions are on neither side.
    assert 1 - 3 * 200 / CLIENTS < last["lowest_sum_ratio"] < 1.0
    told = {record["event"] for record in desk.records}
    assert {"plan", "started", "role", "phase", "step", "approved", "command", "cluster", "progress"} <= told
    phases = [record["phase"] for record in desk.events("phase")]
    assert phases[0] == Phase.STARTING
    assert phases[-1] == Phase.DONE
    assert [a["gate"] for a in desk.events("approved")] == ["cut-over", "node:2", "node:1", "node:0"]
    assert len({record["release_id"] for record in desk.records if record["release_id"]}) == 1


def test_text_ends_with_a_sentence_and_the_same_json() -> None:
    room = Room()
    desk = room.terminal()
    assert play(room, desk.rollout(form=Format.TEXT)) == 0
    assert "finished" in desk.lines[-2]
    assert "done: 4.4.14 to 4.4.15" in desk.lines[-2]
    assert desk.last["event"] == "finished"
    assert sum(line.startswith("{") for line in desk.lines) == 1
    assert any("image.version: 4.4.14 -> 4.4.15" in line for line in desk.lines)


def test_exit_at_gate_leaves_with_three_and_each_run_carries_on() -> None:
    room = Room()
    leaving = Leaving(at_gate=True)

    async def work() -> list[str]:
        first = room.terminal()
        assert await first.rollout(approval=Approval.EVERY_NODE, leaving=leaving) == 3
        gates = [first.events("gate")[-1]["gate"]]
        assert first.last["result"] == "waiting"
        assert first.last["duration_s"] is None
        for _ in range(5):
            answer = await room.terminal().verb(Verb.APPROVE)
            assert answer.code == 0, answer.message
            desk = room.terminal()
            code = await desk.rollout(Edit(), None, leaving=leaving)
            check_lines(desk)
            if code == 0:
                break
            assert code == 3
            gates.append(desk.events("gate")[-1]["gate"])
        return gates

    assert play(room, work()) == ["cut-over", "node:2", "node:1", "node:0"]
    assert room.world.cluster().truth.since_mark().killed == 0


@pytest.mark.parametrize(
    ("name", "value"), [("late_removal", True), ("parallel_drains", 2), ("freeze_on_silence", False)]
)
def test_each_way_to_go_starts_and_stands_in_the_journal(name: str, value: Any) -> None:
    room = Room()

    async def work() -> tuple[int, Any]:
        desk = room.terminal()
        code = await desk.rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True), **{name: value})
        assert desk.events("plan")[0][name] == value
        view = await room.terminal().until(lambda view: view.journal is not None)
        return code, getattr(view.journal, name)

    assert play(room, work()) == (3, value)


@pytest.mark.parametrize("gap_s", [0.0, 0.05, 0.2, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("target", ["image.version=4.4.15", "image.repository=registry.example/emqx-ee"])
def test_of_two_rollouts_at_once_one_starts_and_the_other_says_what_is_under_way(gap_s: float, target: str) -> None:
    room = Room()
    first, second = room.terminal(), room.terminal()

    async def later() -> int:
        await asyncio.sleep(gap_s)
        return await second.rollout(parse_sets([target]))

    async def work() -> list[int]:
        return await asyncio.gather(first.rollout(), later())

    codes = play(room, work())
    check_lines(first)
    check_lines(second)
    loser = next(desk for desk in (first, second) if not desk.events("started"))
    (winner,) = (desk for desk in (first, second) if desk.events("started"))
    assert winner.last["result"] == "done"
    if target == "image.version=4.4.15":
        assert codes == [0, 0]
        assert len(loser.events("carried_on")) == 1
        assert loser.last["release_id"] == winner.last["release_id"]
    else:
        assert sorted(codes) == [0, 1]
        (problem,) = loser.events("problem")
        assert problem["text"].startswith("another change is under way: emqx/emqx-ee:4.4.14 to ")


def test_hold_from_a_second_terminal_ends_a_run_that_leaves_on_holds() -> None:
    room = Room()

    async def work() -> Terminal:
        desk, other = room.terminal(), room.terminal()
        running = asyncio.create_task(desk.rollout(leaving=Leaving(on_hold=True)))
        await other.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
        answer = await other.verb(Verb.HOLD, reason="lunch")
        assert answer.code == 0
        assert answer.driver == desk.host.identity
        assert await running == 4
        return desk

    desk = play(room, work())
    assert desk.last["result"] == "held"
    assert desk.events("hold")[-1] | {"at": "", "release_id": ""} == {
        "schema": SCHEMA,
        "at": "",
        "release_id": "",
        "event": "hold",
        "by": "sim@host",
        "reason": "lunch",
        "freeze": False,
        "auto": False,
        "check": None,
    }


def test_auto_waits_for_a_person_who_holds_and_goes_on_when_resumed() -> None:
    room = Room()

    async def work() -> Terminal:
        desk, other = room.terminal(), room.terminal()
        running = asyncio.create_task(desk.rollout())
        await other.until(lambda view: view.decision.phase is Phase.DRAINING)
        assert (await other.verb(Verb.HOLD)).code == 0
        await asyncio.sleep(120)
        assert not running.done()
        assert (await other.verb(Verb.RESUME)).code == 0
        assert await running == 0
        return desk

    desk = play(room, work())
    assert [desk.last["result"], len(desk.events("hold")), len(desk.events("resumed"))] == ["done", 1, 1]


def test_auto_leaves_a_hold_that_a_check_raised_once_no_drain_runs() -> None:
    room = Room(small_world("network-resets"))
    desk = room.terminal()
    assert play(room, desk.rollout()) == 4
    assert desk.last["result"] == "held"
    assert desk.events("hold")[-1]["check"] == "canary"
    assert desk.events("hold")[-1]["auto"] is True


def test_abort_from_a_second_terminal() -> None:
    room = Room()

    async def work() -> Terminal:
        desk, other = room.terminal(), room.terminal()
        running = asyncio.create_task(desk.rollout())
        await other.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
        assert (await other.verb(Verb.ABORT)).code == 0
        assert await running == 5
        return desk

    desk = play(room, work())
    assert desk.last["result"] == "aborted"
    assert desk.last["drain_s"] is None
    assert desk.last["duration_s"] > 0
    image = room.world.store.get("emqxenterprises", "default", "emqx-ee")["spec"]["template"]["spec"]["emqxContainer"]
    assert image["image"]["version"] == "4.4.14"


def test_an_abort_that_waits_for_blue_is_driven_on() -> None:
    room = Room()
    blue = room.world.store.list("statefulsets", "default")[0]["metadata"]["name"]

    async def work() -> Terminal:
        desk, other = room.terminal(), room.terminal()
        running = asyncio.create_task(desk.rollout())
        await other.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
        assert (await other.verb(Verb.ABORT)).code == 0
        room.world.store.delete("statefulsets", "default", blue)
        await other.until(lambda view: view.decision.waits_for_blue)
        await asyncio.sleep(60)
        assert not running.done()
        await killed(desk, running)
        return desk

    desk = play(room, work())
    assert [desk.events("phase")[-1]["phase"], desk.events("finished")] == ["lost", []]


def test_a_second_run_carries_on_after_kill() -> None:
    room = Room()

    async def work() -> Terminal:
        first, second = room.terminal(), room.terminal()
        running = asyncio.create_task(first.rollout())
        await second.until(lambda view: any(m.evacuation for m in view.snapshot.members))
        await killed(first, running)
        assert await second.rollout(Edit(), None) == 0
        return second

    desk = play(room, work())
    check_lines(desk)
    (carried_on,) = desk.events("carried_on")
    assert (carried_on["from"], carried_on["phase"]) == ("4.4.14", "draining")
    assert desk.events("progress")[0]["sum"] is not None
    assert not desk.events("started")
    assert desk.last["disconnects_per_client"] == pytest.approx(1.0, abs=0.02)
    assert desk.last["limit_s"] == pytest.approx(CLIENTS / 200 + 5, abs=0.5)


def test_the_same_edit_carries_on_and_another_is_refused() -> None:
    room = Room()
    leaving = Leaving(at_gate=True)

    async def work() -> None:
        assert await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=leaving) == 3
        same = room.terminal()
        assert await same.rollout(TO_15, None, leaving=leaving) == 3
        assert same.events("carried_on")
        for sets in (["image.version=4.4.16"], ["image.version=4.4.15", "connEvictRate=500"]):
            other = room.terminal()
            assert await other.rollout(parse_sets(sets), None) == 1
            assert other.last["result"] == "failed"
            assert "without --set" in other.events("problem")[0]["text"]

    play(room, work())


def test_another_policy_on_the_command_line_is_taken_over() -> None:
    room = Room()

    async def work() -> Terminal:
        leaving = Leaving(at_gate=True)
        assert await room.terminal().rollout(approval=Approval.EVERY_NODE, leaving=leaving) == 3
        desk = room.terminal()
        assert await desk.rollout(Edit(), Approval.AUTO) == 0
        return desk

    desk = play(room, work())
    assert desk.events("policy")[0]["approval"] == "auto"


def test_a_follower_learns_the_result_that_the_driver_reached() -> None:
    room = Room()

    async def work() -> tuple[Terminal, Terminal]:
        driver, follower = room.terminal(), room.terminal()
        running = asyncio.create_task(driver.rollout())
        await follower.until(lambda view: view.decision.phase is Phase.CREATING_GREEN)
        assert await follower.rollout(Edit(), None) == 0
        assert await running == 0
        return driver, follower

    driver, follower = play(room, work())
    assert follower.events("role")[0]["role"] == "spectator"
    assert {**follower.last, "at": ""} == {**driver.last, "at": ""}


def test_a_signal_leaves_the_release_where_it_is() -> None:
    room = Room()

    async def work() -> Terminal:
        desk, other = room.terminal(), room.terminal()
        seats = []
        running = asyncio.create_task(desk.rollout(on_runner=seats.append))
        await other.until(lambda view: any(m.evacuation for m in view.snapshot.members))
        seats[0].stop("SIGINT", 130)
        assert await running == 130
        lease = room.world.store.get("leases", "default", "emqx-tui-emqx-ee")
        assert lease["spec"]["holderIdentity"] == ""
        return desk

    desk = play(room, work())
    assert desk.last["result"] == "waiting"
    stopping = desk.events("stopping")[0]
    assert stopping["reason"] == "SIGINT"
    assert "goes on" in stopping["text"]
    assert any(node.evacuation for node in room.world.cluster().nodes.values())


def test_nothing_to_do_is_done() -> None:
    room = Room()
    desk = room.terminal()
    assert play(room, desk.rollout(parse_sets(["image.version=4.4.14"]))) == 0
    assert desk.last["result"] == "done"
    assert [desk.last["from"], desk.last["to"], desk.last["duration_s"]] == ["4.4.14", "4.4.14", None]
    assert room.world.store.find("secrets", "default", "emqx-tui-emqx-ee") is None


def template_of(version: str) -> dict[str, Any]:
    return {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": version}}}}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (Edit(), "say what to change"),
        (parse_sets(["connEvictRate=500"]), "starts no release"),
        (Edit(template=template_of("5.1.0")), "out of range"),
        (Edit(template=template_of("latest")), "no semantic version"),
    ],
    ids=["nothing asked", "parameters alone", "version too new", "no version"],
)
def test_what_cannot_be_started_fails_and_says_why(edit: Edit, words: str) -> None:
    room = Room()
    desk = room.terminal()
    assert play(room, desk.rollout(edit)) == 1
    check_lines(desk)
    assert desk.last["result"] == "failed"
    assert words in desk.events("problem")[-1]["text"]
    assert room.world.store.find("secrets", "default", "emqx-tui-emqx-ee") is None


def test_failing_checks_keep_it_from_starting() -> None:
    room = Room()
    without_rates(room.world)
    desk = room.terminal()
    edit = parse_sets(["image.version=4.4.15", "connEvictRate=200", "sessEvictRate=200"])
    assert play(room, desk.rollout(edit)) == 1
    assert desk.events("plan")[0]["to"] == "4.4.15"
    checks = {check["check"]: check for check in desk.events("check")}
    assert checks["blue-green"]["outcome"] == "fail"
    assert checks["blue-green"]["hint"]
    assert "blue-green" in desk.events("problem")[-1]["text"]


@pytest.mark.parametrize("form", list(Format))
def test_secrets_of_the_template_are_never_told(form: Format) -> None:
    room = Room()
    found = room.world.store.get("emqxenterprises", "default", "emqx-ee")["spec"]["template"]
    container = {**found["spec"]["emqxContainer"], "env": [{"name": "EMQX_NODE__COOKIE", "value": "s3cr3t-cookie"}]}
    template = {**found, "spec": {**found["spec"], "emqxContainer": container}}
    desk = room.terminal()
    edit = Edit({"version": "4.4.15"}, {}, template)
    assert play(room, desk.rollout(edit, form=form)) == 0
    text = "\n".join(desk.lines)
    assert "EMQX_NODE__COOKIE" in text
    assert "s3cr3t" not in text


def test_an_object_that_is_not_there() -> None:
    room = Room(name="nobody")
    desk = room.terminal()
    assert play(room, desk.rollout()) == 1
    assert "no EmqxEnterprise 'nobody'" in desk.events("problem")[-1]["text"]


class GoneKube(SimKube):
    """Answers for half a minute, and then nothing any more."""

    def __init__(self, world: World, wire: Wire) -> None:
        super().__init__(world, wire)
        self._timeline = world.timeline
        self._gone_at = world.timeline.now + 30

    async def request(self, request: KubeRequest) -> Any:
        if self._timeline.now >= self._gone_at:
            raise Unreachable("no route to host")
        return await super().request(request)

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._gone_at - self._timeline.now):
                await super().watch(kind, scope, sink)
        sink(Lost(kind, Unreachable("no route to host")))
        await asyncio.Event().wait()


def test_losing_every_watch_for_long_is_lost_contact() -> None:
    room = Room()
    desk = room.terminal(GoneKube)
    assert play(room, desk.rollout()) == 6
    assert desk.last["result"] == "lost_contact"
    assert desk.last["release_id"]
    lost = [record for record in desk.events("source") if record["source"] != "EMQX"]
    assert {record["source"] for record in lost} >= {"emqxenterprises", "pods", "statefulsets"}
    assert json.loads(desk.lines[-2])["event"] == "problem"


def test_what_to_do_is_said_in_commands_because_no_key_does_anything_here() -> None:
    room = Room(small_world("green-never-ready"))
    desk = room.terminal()
    assert play(room, desk.rollout()) == 4
    (alarm,) = desk.events("alarm")
    pod = alarm["evidence"].split()[0]
    look, abort = alarm["suggestion"].split("; ")
    assert look == f"kubectl describe pod {pod} -n default"
    assert abort == "emqx-tui abort emqx-ee -n default --confirm emqx-ee"


def test_who_comes_to_a_release_under_way_is_told_since_when_it_stands_alone() -> None:
    room = Room()
    first, second = room.terminal(), room.terminal()
    seen: list[Any] = []

    async def work() -> None:
        await first.rollout(
            approval=Approval.EVERY_NODE,
            leaving=Leaving(at_gate=True),
            on_runner=lambda runner: seen.append(runner),
        )
        await asyncio.sleep(600)
        seen.append(await second.until(lambda view: view.arrival is not None and view.arrival.driven_until is not None))

    play(room, work())
    runner, view = seen
    assert runner.view.arrival is None, "it was begun there"
    assert 590 < (view.arrival.at - view.arrival.driven_until).total_seconds() < 620
    told = [entry.text for entry in view.log if entry.source is LogSource.JOURNAL]
    assert told
    assert told[0].startswith("release emqx/emqx-ee:4.4.15 begun by ")


def test_the_log_of_who_comes_late_begins_with_the_phase_that_the_release_is_in() -> None:
    room = Room()
    first, second = room.terminal(), room.terminal()

    def phases_in(view: View) -> list[str]:
        return [line.text for line in view.log if line.source is LogSource.CONSOLE and line.text in set(Phase)]

    async def work() -> list[str]:
        await first.rollout(approval=Approval.EVERY_NODE, leaving=Leaving(at_gate=True))
        return phases_in(await second.until(lambda view: bool(phases_in(view))))

    assert play(room, work()) == [Phase.READY_TO_CUT_OVER]
