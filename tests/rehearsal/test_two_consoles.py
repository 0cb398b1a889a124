"""Two consoles on one cluster: one drives, the other looks on, may hold, and takes over. Never both.

The stage notes every change that a console makes while the lease is not its own.
"""

from __future__ import annotations

import asyncio

import pytest

from emqx_tui.model.errors import Unreachable
from emqx_tui.rollout.decision import RefusalReason
from emqx_tui.rollout.gate_id import CUT_OVER, GateId
from emqx_tui.rollout.intents import Abort, Approve, Freeze, Hold, Resume, TakeOver
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views.fleet_view import Role
from tests.support.rehearsal.ports import Request
from tests.support.stage import TARGET, Person, Stage, begin, lose, refuse

LIMIT_S = 1200.0


def make_stage(clients: int = 300) -> Stage:
    return Stage(scenario("smooth", clients=clients, churn_per_s=0.2, seed=3))


def judge(stage: Stage, version: str = TARGET) -> None:
    assert stage.broken == []
    assert stage.witness.broken == []
    stage.witness.check_ended(version)
    truth = stage.world.cluster().truth.since_mark()
    assert (truth.killed, truth.lost) == (0, 0)


def drains(count: int = 1):
    """True while drains are under way and `count` of them have begun."""
    return lambda view: view.decision.phase is Phase.DRAINING and len(view.drain_initial) >= count


@pytest.mark.parametrize(
    "phase", ["creating green", "waiting for the delay", "canary", "draining", "finishing", "aborting"]
)
@pytest.mark.parametrize("away_s", [8.0, 40.0])
def test_a_driver_that_is_cut_off_leaves_the_release_to_the_other(phase: str, away_s: float) -> None:
    """After 40 s somebody else has the lease, after 8 s nobody: both times exactly one console drives."""
    stage = make_stage(600)

    async def script(stage: Stage) -> str:
        first = stage.console(1)
        await begin(first)
        second = stage.console(2)
        await first.until(lambda view: view.role is Role.DRIVER)
        if phase == "aborting":
            seen = await first.until(drains())
            first.session.submit(Abort("person", seen.decision.abort.revision))
        await first.until(lambda view: str(view.decision.phase) == phase, LIMIT_S)
        await asyncio.sleep(0.7)
        first.cut()
        await asyncio.sleep(away_s)
        first.heal()
        seen = await second.until(lambda view: view.result, LIMIT_S)
        await first.until(lambda view: view.result, 120.0)
        await asyncio.sleep(30.0)
        return seen.result

    result = stage.play(script)
    assert result == ("aborted" if phase == "aborting" else "done")
    judge(stage, "4.4.14" if phase == "aborting" else TARGET)


def test_a_hold_by_a_spectator_counts_although_the_drivers_watches_are_silent() -> None:
    """The driver reads the journal itself before each step: no node is drained after the hold has been stored."""
    stage = make_stage(900)
    starts: list[int] = []

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver)
        spectator = stage.console(2)
        await driver.until(drains(1))
        driver.kube.is_silent = True
        spectator.session.submit(Hold("spectator"))
        await spectator.until(lambda view: view.journal and view.journal.hold and not view.is_unwritten)
        starts.append(len(stage.witness.starts))
        scaled = len(stage.witness.scales)
        await asyncio.sleep(45.0)
        starts.append(len(stage.witness.starts))
        assert len(stage.witness.scales) == scaled, "a hold stops the scaling too"
        driver.kube.is_silent = False
        spectator.session.submit(Resume("spectator"))
        await driver.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    assert starts[0] == starts[1]
    judge(stage)


def test_an_abort_by_a_spectator_counts_although_the_drivers_watches_are_silent() -> None:
    stage = make_stage(900)

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver)
        spectator = stage.console(2)
        await driver.until(drains(1))
        driver.kube.is_silent = True
        seen = await spectator.until(lambda view: view.decision.abort.possible)
        spectator.session.submit(Abort("spectator", seen.decision.abort.revision))
        await spectator.until(lambda view: view.journal and view.journal.abort and not view.is_unwritten)
        starts = len(stage.witness.starts)
        await asyncio.sleep(40.0)
        assert len(stage.witness.starts) == starts
        driver.kube.is_silent = False
        await driver.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    judge(stage, "4.4.14")


def test_two_people_who_start_at_once_begin_one_release() -> None:
    stage = make_stage()

    async def script(stage: Stage) -> None:
        first, second = stage.console(1), stage.console(2)
        await asyncio.gather(begin(first), begin(second))
        await first.until(lambda view: view.result, LIMIT_S)
        await second.until(lambda view: view.result, 60.0)

    stage.play(script)
    judge(stage)


def test_both_hold_resume_and_approve_all_the_time_and_the_release_ends() -> None:
    """Everybody writes the journal: lost races are decided on anew, nothing is sent twice."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        consoles = [stage.console(1), stage.console(2)]
        await begin(consoles[0], Approval.EVERY_NODE)
        people = [Person(console) for console in consoles]
        for number in range(60):
            console = consoles[number % 2]
            console.session.submit(Hold("both") if number % 4 < 2 else Resume("both"))
            await asyncio.sleep(2.0)
        for console in consoles:
            console.session.submit(Resume("both"))
        for person in people:
            await person.console.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    judge(stage)
    assert [pod.rpartition("-")[2] for pod in stage.witness.starts] == ["2", "1", "0"]


@pytest.mark.parametrize("answered", [True, False], ids=["refused", "no answer"])
def test_an_approval_that_could_not_be_written_is_told_and_does_not_linger(answered: bool) -> None:
    """A refused write was never an approval. One without an answer may be: the journal is read, and shows it."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        console = stage.console(1)
        await begin(console, Approval.EVERY_NODE)
        seen = await console.until(lambda view: view.decision.gate and view.decision.gate.is_open)
        gate = seen.decision.gate
        assert gate is not None
        denied = refuse("/secrets")
        console.meddlers.append(denied) if answered else console.takers.append(lose_secrets)
        console.session.submit(Approve(gate.id, gate.revision, "person"))
        seen = await console.until(lambda view: view.notice is not None and view.notice.is_refusal)
        expected = "cannot be written" if answered else "whether it counts shows"
        assert expected in seen.notice.text
        console.meddlers.clear()
        console.takers.clear()
        await asyncio.sleep(10.0)
        assert stage.witness.is_approved(str(gate.id)) is not answered
        assert console.view is not None
        assert console.view.journal is not None
        assert console.view.journal.is_approved(gate.id) is not answered
        Person(console)
        await console.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    judge(stage)


def lose_secrets(request: Request) -> None:
    if "/secrets" in request.path:
        lose(request)


def test_a_journal_that_may_not_be_written_is_not_asked_for_in_a_loop() -> None:
    stage = make_stage()
    tries: list[float] = []

    async def script(stage: Stage) -> None:
        console = stage.console(1)
        await begin(console)
        await console.until(drains(1))
        console.session.submit(Hold("person"))
        await console.until(lambda view: view.journal and view.journal.hold and not view.is_unwritten)
        denied = refuse("/secrets")

        def count(request: Request) -> None:
            if "/secrets" in request.path and request.method == "PATCH":
                tries.append(stage.world.timeline.now)
            denied(request)

        console.meddlers.append(count)
        await asyncio.sleep(30.0)
        console.meddlers.clear()
        console.session.submit(Resume("person"))
        await console.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    assert len(tries) <= 31
    judge(stage)


def test_the_valve_is_closed_although_the_journal_may_not_be_written() -> None:
    """The auto-hold cannot be noted down; the operator is stopped all the same."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        console = stage.console(1)
        await begin(console)
        await console.until(lambda view: view.decision.phase is Phase.WAITING_DELAY)
        console.meddlers.append(refuse("/secrets"))
        path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
        opened = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 120}}}
        stage.world.api.request("PATCH", path, {}, opened, "application/merge-patch+json", manager="somebody")
        await asyncio.sleep(2.0)
        cr = stage.world.store.get("emqxenterprises", "default", "emqx-ee")
        assert cr["spec"]["blueGreenUpdate"]["initialDelaySeconds"] >= 1_000_000_000

    stage.play(script)
    assert stage.broken == []


def test_a_person_at_the_other_console_stops_the_running_drain() -> None:
    stage = make_stage(3000)

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver)
        spectator = stage.console(2, drives=False)
        await driver.until(drains(1))
        spectator.session.submit(Freeze("spectator"))
        await asyncio.sleep(3.0)
        assert not [node for node in stage.world.cluster().nodes.values() if node.evacuation]
        spectator.session.submit(Resume("spectator"))
        await driver.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    judge(stage)


def test_a_release_that_nobody_drives_is_left_alone_until_somebody_takes_over() -> None:
    """Opening it, and holding it, take no lease and send nothing: a person says so first."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver)
        await driver.until(drains(1))
        driver.cut()
        stage.dead.add(driver.host.identity)
        onlooker = stage.console(2, drives=False)
        seen = await onlooker.until(lambda view: view.journal and view.role is Role.IDLE)
        assert seen.driver == "", "a dead one drives nothing"
        onlooker.session.submit(Hold("onlooker"))
        await onlooker.until(lambda view: view.journal.hold and not view.is_unwritten)
        await asyncio.sleep(120.0)
        assert stage.lease_holder() == driver.host.identity
        assert onlooker.writes == []
        onlooker.session.submit(TakeOver("onlooker"))
        await onlooker.until(lambda view: view.role is Role.DRIVER, 5.0)
        onlooker.session.submit(Resume("onlooker"))
        await onlooker.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    judge(stage)


def test_nobody_takes_over_from_a_driver_that_is_alive() -> None:
    stage = make_stage()

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver)
        onlooker = stage.console(2, drives=False)
        await driver.until(drains(1))
        onlooker.session.submit(TakeOver("onlooker"))
        seen = await onlooker.until(lambda view: view.notice is not None)
        assert (seen.notice.reason, seen.role) == (RefusalReason.UNDER_WAY, Role.SPECTATOR)
        assert driver.host.identity in seen.notice.text
        await driver.until(lambda view: view.result, LIMIT_S)
        assert stage.lease_holder() == ""

    stage.play(script)
    judge(stage)


def test_a_lease_that_a_killed_console_left_without_a_journal_is_removed() -> None:
    """The next console removes it, one that only looks on too; a command that only reads writes nothing."""
    stage = make_stage()
    leases = []

    def lease() -> object:
        return stage.world.store.find("leases", "default", "emqx-tui-emqx-ee")

    def dies_after_the_journal(request: Request) -> None:
        if request.method == "DELETE" and "/leases" in request.path:
            raise Unreachable("killed")

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        driver.meddlers.append(dies_after_the_journal)
        await begin(driver)
        await driver.until(lambda view: view.decision.phase is Phase.DONE, LIMIT_S)
        await asyncio.sleep(1.0)
        driver.cut()
        await stage.console(2, drives=False, removes_leases=False).until(lambda view: view.snapshot.pods.value)
        await asyncio.sleep(60.0)
        leases.append(lease())
        await stage.console(3, drives=False).until(lambda view: view.snapshot.pods.value)
        await asyncio.sleep(20.0)
        leases.append(lease())

    stage.play(script)
    assert leases[0] is not None
    assert leases[1] is None
    judge(stage)


def test_a_console_that_looked_away_does_not_take_the_drivers_scaling_for_somebody_elses() -> None:
    """Whoever approves from a second terminal has not seen why blue was scaled: that is no reason to hold."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver, Approval.EVERY_NODE)
        spectator = stage.console(2)

        def looks_away(request: Request) -> None:
            """Between the gates it is not told who is evacuated."""
            waits = driver.view and driver.view.decision.gate
            if "node_eviction" in request.path and not (waits and waits.is_open):
                raise Unreachable("no answer")

        spectator.meddlers.append(looks_away)
        for gate in (CUT_OVER, *map(GateId.node, (2, 1, 0))):
            seen = await spectator.until(
                lambda view, gate=gate: (
                    view.decision.gate and view.decision.gate.id == gate and view.decision.gate.is_open
                ),
                LIMIT_S,
            )
            # Long enough for the node before to be scaled away.
            await asyncio.sleep(40.0)
            seen = spectator.view or seen
            assert seen.decision.gate is not None
            spectator.session.submit(Approve(gate, seen.decision.gate.revision, "second terminal"))
            await spectator.until(lambda view, gate=gate: view.journal and view.journal.is_approved(gate))
            assert spectator.view is not None
            assert spectator.view.journal is not None
            assert spectator.view.journal.hold is None
        await driver.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    judge(stage)


def test_each_console_logs_what_was_approved_at_another_one() -> None:
    stage = make_stage()
    logs: list[set[str]] = []

    async def script(stage: Stage) -> None:
        driver = stage.console(1)
        await begin(driver, Approval.EVERY_NODE)
        spectator = stage.console(2)
        await spectator.until(lambda view: view.journal)
        for by, name, gate in ((driver, "ann@host", CUT_OVER), (spectator, "bob@host", GateId.node(2))):
            seen = await by.until(
                lambda view, gate=gate: (
                    view.decision.gate and view.decision.gate.id == gate and view.decision.gate.is_open
                ),
                LIMIT_S,
            )
            assert seen.decision.gate is not None
            by.session.submit(Approve(gate, seen.decision.gate.revision, name))
        for console in (driver, spectator):
            seen = await console.until(drains(), LIMIT_S)
            pod = f"{seen.journal.originals.blue_name}-2" if seen.journal else ""
            logs.append({line.text.replace(pod, "node") for line in seen.log if "approved" in line.text})

    stage.play(script)
    of_driver, of_spectator = logs
    assert of_driver == {"approved: cut-over", "node approved by bob@host"}
    assert of_spectator == {"cut-over approved by ann@host", "approved: node"}


@pytest.mark.parametrize("path", ["/endpoints", "/scale", "/emqxenterprises"])
def test_a_console_without_a_right_that_a_release_needs_takes_no_lease(path: str) -> None:
    """It would drain all of blue and stand there; it says which right is missing, and may still hold."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        first = stage.console(1)
        await begin(first, Approval.EVERY_NODE)
        await first.until(lambda view: view.decision.phase is Phase.READY_TO_CUT_OVER, LIMIT_S)
        second = stage.console(2, drives=False)
        second.meddlers.append(refuse(path))
        await second.until(lambda view: view.journal)
        first.cut()
        stage.dead.add(first.host.identity)
        second.session.submit(TakeOver("bob@host"))
        view = await second.until(lambda view: path.strip("/") in view.role_reason, 30.0)
        assert view.role is Role.IDLE
        await asyncio.sleep(40.0)
        assert second.view is not None
        assert second.view.role is Role.IDLE
        assert second.view.is_undriven
        assert second.writes == []
        second.session.submit(Hold("bob@host"))
        view = await second.until(lambda view: view.journal and view.journal.hold, 10.0)
        second.meddlers.clear()
        await second.until(lambda view: view.role is Role.DRIVER, 60.0)

    stage.play(script)
    assert stage.broken == []
    assert stage.witness.broken == []


def test_a_journal_that_is_written_again_at_once_is_no_failed_release_to_an_onlooker() -> None:
    stage = make_stage()
    results: set[str] = set()

    async def script(stage: Stage) -> None:
        first, second = stage.console(1), stage.console(2, drives=False)
        second.watchers.append(lambda view: results.add(view.result))
        await begin(first, Approval.AUTO)
        await first.until(drains(), LIMIT_S)
        stage.world.store.delete("secrets", "default", "emqx-tui-emqx-ee")
        await first.until(lambda view: view.result == "done", LIMIT_S)
        await second.until(lambda view: view.result == "done", 30.0)

    stage.play(script)
    assert results == {"", "done"}


def test_a_journal_that_does_not_come_back_is_a_failed_release() -> None:
    stage = make_stage()

    async def script(stage: Stage) -> None:
        first, second = stage.console(1), stage.console(2, drives=False)
        await begin(first, Approval.AUTO)
        await second.until(drains(), LIMIT_S)
        first.cut()
        stage.world.store.delete("secrets", "default", "emqx-tui-emqx-ee")
        await asyncio.sleep(14.0)
        assert second.view is not None
        assert second.view.result == ""
        await second.until(lambda view: view.result == "failed", 10.0)

    stage.play(script)


@pytest.mark.parametrize("lag_s", [3.0, 10.0])
def test_a_journal_of_before_the_end_that_a_late_watch_tells_takes_no_result_back(lag_s: float) -> None:
    stage = make_stage()
    results: list[str] = []

    async def script(stage: Stage) -> None:
        console = stage.console(1)
        await begin(console, Approval.AUTO)
        await console.until(lambda view: view.decision.phase is Phase.FINISHING, LIMIT_S)
        console.kube.lag_s = lambda: lag_s
        console.watchers.append(lambda view: results.append(view.result))
        await console.until(lambda view: view.result, LIMIT_S)
        await asyncio.sleep(3 * lag_s)

    stage.play(script)
    ended = results[results.index("done") :]
    assert set(ended) == {"done"}
    judge(stage)
