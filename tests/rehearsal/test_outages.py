"""The API server goes and comes back: nothing is decided on what is known to be lost."""

from __future__ import annotations

import asyncio

import pytest

from emqx_tui.model.errors import Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.intents import Approve, Resume
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views.view import View
from tests.support.rehearsal.ports import Request
from tests.support.stage import TARGET, Console, Stage, begin

WATCHED = (Kind.EMQX_ENTERPRISE, Kind.POD, Kind.ENDPOINT_SLICE)


def no_api_server(request: Request) -> None:
    if not request.path.startswith("/api/v4"):
        raise Unreachable("connection refused")


def approvals(console: Console) -> int:
    view = console.view
    return len(view.journal.approvals) if view and view.journal else 0


def advancing(console: Console) -> list[str]:
    paths = [request.path for _, request in console.writes]
    return [path for path in paths if path.endswith("/scale") or "evacuation/start" in path]


@pytest.mark.parametrize("late", WATCHED, ids=[kind.info.plural for kind in WATCHED])
def test_nothing_is_approved_or_sent_before_everything_is_listed_anew(late: Kind) -> None:
    """The server is back and every request succeeds, but one watch is still broken: young, and known to be lost."""
    stage = Stage(scenario("smooth", clients=300, churn_per_s=0.2, seed=3))

    async def script(stage: Stage) -> None:
        console = stage.console()
        await begin(console, Approval.AUTO)
        await console.until(lambda view: view.decision.phase is Phase.DRAINING and _draining(view), 900.0)
        console.meddlers.append(no_api_server)
        console.kube.lose_watches()
        await asyncio.sleep(28.0)
        console.meddlers.clear()
        console.kube.list_anew(late)
        await asyncio.sleep(2.0)
        before = approvals(console), advancing(console)
        await asyncio.sleep(20.0)
        assert (approvals(console), advancing(console)) == before
        view = console.view
        assert view is not None
        gate = view.decision.gate
        assert gate is None or not gate.is_open
        if gate is not None:
            console.session.submit(Approve(gate.id, gate.revision, "person@host"))
            await asyncio.sleep(1.0)
            assert approvals(console) == before[0], "no gate for a person either"
        console.kube.list_anew()
        await console.until(lambda view: view.result == "done", 900.0)
        await asyncio.sleep(30.0)

    stage.play(script)
    assert stage.broken == stage.witness.broken == []
    stage.witness.check_ended(TARGET)
    truth = stage.world.cluster().truth.since_mark()
    assert (truth.killed, truth.lost) == (0, 0)


def _draining(view: View) -> bool:
    return any(m.evacuation for m in view.snapshot.members)


def test_an_operator_that_is_down_is_told_by_every_console_and_stops_the_policy() -> None:
    """Nothing fails at once without it: all the more it has to be said. A person may go on, and attempts back off."""
    stage = Stage(scenario("smooth", clients=300, churn_per_s=0.2, seed=3))

    async def script(stage: Stage) -> None:
        console, onlooker = stage.console(1), stage.console(2, drives=False)
        await begin(console, Approval.AUTO)
        await console.until(lambda view: view.decision.phase is Phase.WAITING_DELAY, 900.0)
        stage.world.operator.down = True
        for each in (console, onlooker):
            view = await each.until(lambda view: "operator-down" in alarms(view), 40.0)
            assert view.journal is not None
        view = await onlooker.until(lambda view: view.journal and view.journal.hold, 10.0)
        assert view.journal is not None
        assert view.journal.hold is not None
        assert view.journal.hold.check == "operator-down"
        before = approvals(console)
        await asyncio.sleep(60.0)
        assert approvals(console) == before, "a policy waits"
        gate = console.view.decision.gate  # type: ignore[union-attr]
        assert gate is not None
        check = next(check for check in gate.checks if check.name == "operator-answers")
        assert not gate.is_open
        assert "an abort waits" in check.evidence
        console.session.submit(Resume("person@host"))
        await console.until(lambda view: view.decision.phase is Phase.FINISHING, 900.0)
        began = stage.world.timeline.now
        await asyncio.sleep(120.0)
        patches = [at for at, request in console.writes if at > began and "/emqxenterprises/" in request.path]
        assert 1 <= len(patches) <= 14
        stage.world.operator.down = False
        await console.until(lambda view: view.result == "done", 900.0)
        await asyncio.sleep(60.0)

    stage.play(script)
    assert stage.broken == stage.witness.broken == []
    stage.witness.check_ended(TARGET)


def alarms(view: View) -> set[str]:
    return {alarm.check for alarm in view.decision.alarms}


def test_no_policy_approves_on_an_answer_of_before_the_operator_died() -> None:
    """It answered a moment before, and its alarm is half a minute away."""
    stage = Stage(scenario("smooth", clients=3_000, churn_per_s=0.2, seed=3))

    async def script(stage: Stage) -> None:
        console = stage.console()
        await begin(console, Approval.AUTO)
        await console.until(lambda view: _draining(view) and _has_just_answered(view), 900.0)
        before = approvals(console)
        stage.world.operator.down = True
        await console.until(lambda view: view.decision.gate is not None, 60.0)
        await asyncio.sleep(40.0)
        assert approvals(console) == before
        stage.world.operator.down = False
        await console.until(lambda view: not view.snapshot.operator_answers.problem, 30.0)
        console.session.submit(Resume("person@host"))
        await console.until(lambda view: view.result == "done", 900.0)

    stage.play(script)
    assert stage.broken == stage.witness.broken == []


def _has_just_answered(view: View) -> bool:
    return view.snapshot.operator_answers.is_fresh(view.now, 1.0)


def test_an_operator_that_restarts_holds_nothing() -> None:
    stage = Stage(scenario("smooth", clients=300, churn_per_s=0.2, seed=3))
    seen: set[str] = set()

    async def script(stage: Stage) -> None:
        console = stage.console()
        console.watchers.append(lambda view: seen.update(alarms(view)))
        await begin(console, Approval.AUTO)
        await console.until(lambda view: view.decision.phase is Phase.DRAINING, 900.0)
        stage.world.operator.down = True
        await asyncio.sleep(8.0)
        stage.world.operator.down = False
        await console.until(lambda view: view.result == "done", 900.0)

    stage.play(script)
    assert seen == set()
