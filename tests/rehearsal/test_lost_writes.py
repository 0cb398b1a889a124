"""One write of the journal fails at each milestone of a release or an abort: it is repeated, and nothing is held."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from emqx_tui.model.errors import AdapterError, Conflict, Rejected, Unreachable
from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views.view import View
from tests.support.rehearsal.ports import Request, is_write
from tests.support.stage import Console, Stage, begin

LIMIT_S = 1200.0

FAILURES: dict[str, Callable[[], AdapterError]] = {
    "429": lambda: Rejected("too many requests", status=429),
    "409": lambda: Conflict("the object has been modified", status=409),
    "reset": lambda: Unreachable("connection reset by peer"),
}


def milestones(journal: Journal) -> tuple[Any, ...]:
    """What each write that matters brings for the first time."""
    totals = journal.totals
    return (
        journal.green_uid,
        len(journal.approvals),
        journal.canary_passed_at,
        journal.cut_over_at,
        journal.abort,
        journal.drained,
        totals.first_drain_at,
        totals.drained_at,
        totals.finished_at,
    )


class FailingOnce:
    """The first write of each milestone fails; `only` = of one of them, in the order in which they came."""

    def __init__(self, failure: Callable[[], AdapterError], only: int | None = None) -> None:
        self._failure, self._only = failure, only
        self._seen: set[str] = set()
        self.failed = 0

    @property
    def count(self) -> int:
        return len(self._seen)

    def __call__(self, request: Request) -> None:
        body: Any = getattr(request, "body", None)
        if not is_write(request) or "/secrets" not in request.path or not body or "data" not in body:
            return
        written = milestones(Journal.loads(base64.b64decode(body["data"]["journal"]).decode()))
        # The instants are those of the attempt: what has come true is what counts.
        seen = repr(tuple(bool(part) if not isinstance(part, int | tuple | str) else part for part in written))
        if seen in self._seen:
            return
        self._seen.add(seen)
        if len(self._seen) > 1 and self._only in (None, len(self._seen)):
            self.failed += 1
            raise self._failure()


def hold_checks(views: list[View]) -> set[str]:
    return {v.journal.hold.check for v in views if v.journal and v.journal.hold} | {
        alarm.check for v in views for alarm in v.decision.alarms
    }


def play(failing: FailingOnce, *, is_answer_lost: bool = False, is_aborted: bool = False) -> tuple[str, list[View]]:
    stage = Stage(scenario("smooth", clients=300, churn_per_s=0.2, seed=3))
    views: list[View] = []

    async def script(stage: Stage) -> str:
        console: Console = stage.console()
        console.watchers.append(views.append)
        (console.takers if is_answer_lost else console.meddlers).append(failing)
        await begin(console, Approval.AUTO)
        if is_aborted:
            seen = await console.until(lambda view: view.decision.phase is Phase.DRAINING and view.drain_initial)
            console.session.submit(Abort("person@host", seen.decision.abort.revision))
            # An intent whose write had no answer is the person's to repeat.
            await console.until(lambda view: (view.journal and view.journal.abort) or view.notice)
            if not (console.view and console.view.journal and console.view.journal.abort):
                console.session.submit(Abort("person@host", seen.decision.abort.revision))
        return (await console.until(lambda view: view.result, LIMIT_S)).result

    result = stage.play(script)
    assert stage.broken == []
    assert stage.witness.broken == []
    return result, views


@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failed_write_at_every_milestone_holds_nothing(
    failure: Callable[[], AdapterError], is_answer_lost: bool
) -> None:
    failing = FailingOnce(failure)
    result, views = play(failing, is_answer_lost=is_answer_lost)
    assert hold_checks(views) == set()
    assert result == "done"
    assert failing.failed >= 8


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_nor_does_one_in_an_abort(failure: Callable[[], AdapterError]) -> None:
    failing = FailingOnce(failure)
    result, views = play(failing, is_aborted=True)
    assert hold_checks(views) == set()
    assert result == "aborted"


@pytest.mark.parametrize("number", range(2, 12))
def test_nor_does_a_single_one(number: int) -> None:
    failing = FailingOnce(FAILURES["429"], only=number)
    result, views = play(failing)
    assert hold_checks(views) == set()
    assert result == "done"
    assert failing.failed == 1 or number > failing.count


@pytest.mark.parametrize("path", ["/secrets", "/leases"], ids=["of the journal", "of the lease"])
def test_a_lost_answer_to_a_removal_ends_the_release_all_the_same(path: str) -> None:
    """A driver that still drove would write the journal again as soon as something happens to the cluster."""
    world = scenario("smooth", clients=600)
    stage, removed_at = Stage(world), list[float]()

    def lose(request: Request) -> None:
        if request.method == "DELETE" and path in request.path and not removed_at:
            removed_at.append(world.timeline.now)
            raise Unreachable("connection reset by peer")

    async def script(stage: Stage) -> float:
        console = stage.console()
        console.takers.append(lose)
        await begin(console, Approval.AUTO)
        await console.until(lambda view: view.result == "done", LIMIT_S)
        return world.timeline.now

    assert 0.0 <= stage.play(script) - removed_at[0] < 2.0
