"""Faults by name, each struck in several phases of a release, and what must become of it.

A fault strikes when the console first sees the phase, and is healed some time later where it can be. The person at the
console lifts auto-holds after a while and gives up at last. Whatever happens the witness must see no broken promise, no
console may act without the lease, and the release must come to an end: nothing may leave it stuck.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views.view import View
from tests.support.checkpoint import Checkpoint
from tests.support.faults import ENDS, FAULTS, NOT_LATE, Fault
from tests.support.stage import Person, Stage, begin

LIMIT_S = 900.0
CLIENTS = 300


@dataclass
class Ending:
    """What became of one release."""

    result: str = "stuck"
    where: str = ""
    holds: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    killed: int = 0


def suffer(choose: Callable[[], Fault], phase: str) -> Ending:
    """One release, with a fault, chosen when it is time, struck at the first sight of `phase`."""
    world = scenario("smooth", clients=CLIENTS, churn_per_s=0.2, seed=5)
    stage = Stage(world)
    ending = Ending()
    expected: list[str] = []

    async def script(stage: Stage) -> None:
        console = stage.console()
        person = Person(console)
        await begin(console, Approval.AUTO)
        if phase == "aborting":
            seen = await console.until(lambda view: _drains(view) or view.result)
            console.session.submit(Abort("person@host", seen.decision.abort.revision))
        await console.until(lambda view: str(view.decision.phase) == phase or view.result, 1200.0)
        await asyncio.sleep(1.0)
        fault = choose()
        expected.extend(fault.promises)
        fault.strike(console)
        if fault.mend:
            await asyncio.sleep(fault.for_s)
            fault.mend(console)
        try:
            seen = await console.until(lambda view: view.result, LIMIT_S)
            ending.result = seen.result
            await asyncio.sleep(60.0)
        except AssertionError as error:
            ending.where = str(error)
        ending.holds = person.holds

    stage.play(script)
    ending.broken = [line for line in stage.broken + stage.witness.broken if not any(word in line for word in expected)]
    ending.killed = world.cluster().truth.since_mark().killed
    if ending.result in ENDS:
        try:
            stage.witness.check_ended("4.4.15" if ending.result == "done" else "4.4.14")
        except AssertionError as error:
            ending.broken.append(f"at the end: {error}")
    return ending


@functools.cache
def struck_in(phase: str) -> Checkpoint:
    """A release at the first sight of `phase`, to be resumed with the name of a fault."""
    by_name = {fault.name: fault for fault in FAULTS}
    return Checkpoint(lambda stop: suffer(lambda: by_name[stop()], phase))


def _drains(view: View) -> bool:
    return view.decision.phase is Phase.DRAINING and bool(view.snapshot.blue and view.snapshot.blue.replicas == 2)


def _cases() -> list[Any]:
    """All, or, in a plain run, for each fault every other phase: odd faults get the odd ones.

    One worker takes all of one phase, so that the release up to there is played once.
    """
    every = 1 if os.environ.get("EMQX_TUI_FAULTS") == "all" else 2
    return [
        pytest.param(fault, phase, id=f"{fault.name} while {phase}", marks=pytest.mark.xdist_group(phase))
        for number, fault in enumerate(FAULTS)
        for phase in fault.phases[number % every :: every]
    ]


@pytest.mark.parametrize(("fault", "phase"), _cases())
def test_no_fault_breaks_a_promise_or_leaves_a_release_stuck(fault: Fault, phase: str) -> None:
    ending = struck_in(phase).resume(fault.name)
    assert ending.broken == []
    assert ending.result in (fault.ends | {"aborted"} if phase == "aborting" else fault.ends), ending
    assert fault.kills or ending.killed == 0
    if fault.holds and phase in NOT_LATE:
        assert fault.holds & set(ending.holds)


@pytest.mark.parametrize(
    "phase",
    [pytest.param(p, marks=pytest.mark.xdist_group(p)) for p in ("waiting for the delay", "canary", "draining")],
)
def test_an_opened_valve_costs_one_node_at_most(phase: str) -> None:
    """One pass is the operator's; then the valve is closed again."""
    ending = struck_in(phase).resume("valve opened")
    assert ending.killed <= CLIENTS // 3
