"""Aborts, from every phase that has one: everything as it was, nobody killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emqx_tui.rollout.decision import Step
from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from tests.rehearsal.test_releases import Once, play, small_world
from tests.support.rehearsal.rehearse import Script


def abort_at(phase: Phase) -> Once:
    return Once(
        lambda view: view.journal and view.decision.phase is phase and view.decision.abort.possible,
        lambda view: Abort("person", view.decision.abort.revision),
    )


@pytest.mark.parametrize(
    "phase", [Phase.STARTING, Phase.CREATING_GREEN, Phase.WAITING_DELAY, Phase.READY_TO_CUT_OVER, Phase.CANARY]
)
def test_abort_restores_everything(phase: Phase) -> None:
    world = small_world()
    run, witness = play(world, Script(approval=Approval.EVERY_NODE, act=abort_at(phase)), limit_s=900)
    assert run.result == "aborted", run.view and run.view.log[-5:]
    assert witness.broken == []
    witness.check_ended("4.4.14")
    assert (run.truth.killed, run.truth.reset, run.truth.lost) == (0, 0, 0)
    assert len(world.store.list("statefulsets", "default")) <= 2, "no third set"


def test_abort_with_clients_on_green_drains_them_back() -> None:
    """In the canary new connections land on green: they are evacuated to blue, not killed."""
    world = small_world(clients=3000)
    on_green = Once(
        lambda view: (
            view.decision.phase is Phase.CANARY
            and view.snapshot.green
            and (view.snapshot.green.live_connections or 0) > 5
        ),
        lambda view: Abort("person", view.decision.abort.revision),
    )
    world.cluster().clients.churn_per_s = 5.0
    run, witness = play(world, Script(approval=Approval.EVERY_NODE, act=on_green), limit_s=900)
    assert run.result == "aborted"
    assert witness.broken == []
    witness.check_ended("4.4.14")
    assert run.truth.evicted > 0
    assert run.truth.killed == 0


def test_abort_out_of_a_green_that_never_comes_up() -> None:
    world = small_world("green-never-ready", clients=900)
    held = Once(
        lambda view: view.journal and view.journal.hold, lambda view: Abort("person", view.decision.abort.revision)
    )
    run, witness = play(world, Script(approval=Approval.AUTO, act=held), limit_s=900)
    assert run.result == "aborted"
    assert witness.broken == []
    witness.check_ended("4.4.14")
    assert run.truth.killed == 0


def test_abort_after_a_failed_canary_cuts_nobody_else() -> None:
    world = small_world("network-resets", clients=900, preset="device")
    failed = Once(
        lambda view: view.journal and view.journal.hold and view.journal.hold.check == "canary",
        lambda view: Abort("person", view.decision.abort.revision),
    )
    run, witness = play(world, Script(approval=Approval.EVERY_NODE, act=failed), limit_s=900)
    assert run.result == "aborted"
    assert witness.broken == []
    witness.check_ended("4.4.14")
    assert run.truth.reset <= 300
    assert run.truth.killed == 0


def _gone(count: int):
    """True once `count` blue nodes are scaled away and another one drains."""

    def when(view: View) -> bool:
        blue = view.snapshot.blue
        drains = view.snapshot.evacuations.value
        going = view.decision.phase is Phase.DRAINING and bool(drains and drains.evacuations)
        return bool(going and blue and blue.replicas == 3 - count)

    return when


@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("persistent", [False, True], ids=["emptyDir", "volume"])
def test_abort_in_the_middle_of_the_drains_brings_everybody_back(gone: int, persistent: bool) -> None:
    """Blue is made whole first; a node that comes back with its volume boots evacuating and is stopped."""
    cr = manifest()
    if persistent:
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Mi"}}}
        cr["spec"]["persistent"] = {"metadata": {"name": "emqx-ee"}, "spec": claim}
    world = small_world(clients=3000, cr=cr)
    back = Once(_gone(gone), lambda view: Abort("person", view.decision.abort.revision))
    run, witness = play(world, Script(approval=Approval.AUTO, act=back), limit_s=1800)
    assert run.result == "aborted", run.view and run.view.log[-5:]
    assert witness.broken == []
    witness.check_ended("4.4.14")
    assert (run.truth.killed, run.truth.lost, run.truth.refused) == (0, 0, 0)
    assert len(world.store.list("statefulsets", "default")) == 2, "no third set"
    assert run.view is not None
    assert run.view.journal is not None
    # The drain goes on for up to two ticks after the count that the abort was confirmed on.
    assert run.view.journal.totals.disconnects == pytest.approx(run.truth.evicted, abs=450)


def _canary_failed(view: View) -> bool:
    return bool(view.journal and view.journal.hold and view.journal.hold.check == "canary")


@pytest.mark.parametrize(
    ("name", "when"),
    [("smooth", _gone(1)), ("smooth", _gone(2)), ("network-resets", _canary_failed)],
    ids=["one node is gone", "two nodes are gone", "the canary failed"],
)
def test_each_step_of_an_abort_begins_and_ends_once(name: str, when: Callable[[View], bool]) -> None:
    """While green is drained and removed, addresses come and go: that undoes no step."""
    back = Once(when, lambda view: Abort("person", view.decision.abort.revision))
    told: list[tuple[Step, ...]] = []

    def act(session: Session, view: View) -> None:
        back(session, view)
        if view.journal and view.journal.abort and view.decision.steps not in told[-1:]:
            told.append(view.decision.steps)

    run, _ = play(small_world(name, preset="device"), Script(act=act), limit_s=1800)
    assert run.result == "aborted"
    assert [[str(step.state) for step in steps] for steps in told] == [
        ["active", "todo", "todo"],
        ["done", "active", "todo"],
        ["done", "done", "active"],
        ["done", "done", "done"],
    ]


class _Insisting:
    """Asks each console for the abort, once: one that dies as it is asked has not written it down."""

    def __init__(self) -> None:
        self.asked: list[Session] = []

    def __call__(self, session: Session, view: View) -> None:
        blue = view.snapshot.blue
        is_time = view.decision.phase is Phase.DRAINING and blue is not None and blue.replicas < 3
        if is_time and view.decision.abort.possible and session not in self.asked:
            self.asked.append(session)
            session.submit(Abort("person", view.decision.abort.revision))


def test_abort_after_the_cut_over_survives_deaths_of_the_console() -> None:
    """At each of its writes, before and after; the confirmed abort goes on where the cluster is."""
    for number in range(14, 40, 2):
        world = small_world(clients=600)
        script = Script(approval=Approval.AUTO, act=_Insisting())
        when = "before" if number % 4 else "after"
        run, witness = play(world, script, limit_s=1800, kill_at=((number, when),), dead_for_s=20.0)
        assert run.result == "aborted", (number, when, run.view and run.view.log[-5:])
        assert witness.broken == [], (number, when)
        witness.check_ended("4.4.14")
        assert run.truth.killed == 0, (number, when)


def test_abort_is_refused_once_blue_is_gone() -> None:
    world = small_world(clients=900)
    refused: list[str] = []
    late = Once(lambda view: view.decision.phase is Phase.FINISHING, lambda view: Abort("person", "anything"))

    def act(session: object, view: View) -> None:
        late(session, view)  # type: ignore[arg-type]
        if view.notice is not None and view.notice.is_refusal and view.notice.text.startswith("no abort"):
            refused.append(view.notice.text)

    run, witness = play(world, Script(approval=Approval.AUTO, act=act), limit_s=1500)
    assert run.result == "done"
    assert refused
    assert witness.broken == []
