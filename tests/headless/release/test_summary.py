"""The figures of the last line, from journals that stand for whole releases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emqx_tui.headless.lines.events import FIELDS, Event
from emqx_tui.headless.release.exit_status import EXIT_CODES, Result
from emqx_tui.headless.release.summary import summary
from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.gate_id import CUT_OVER
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import AbortRecord, ApprovalRecord, Journal, NodeDeath, Originals, Totals, Uncounted
from emqx_tui.session.views.facts import image_version
from emqx_tui.session.views.view import View

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


DONE = Totals(
    clients=100_000,
    first_drain_at=at(150),
    drained_at=at(655.04),
    lowest_sum=99_700,
    start_sum=100_000,
    evicted=99_500,
    killed=500,
    finished_at=at(700),
)


def release(totals: Totals = DONE, **fields: Any) -> View:
    """A view of a release at its end; `samples` = (second, sum)."""
    samples = fields.pop("samples", ((700.0, 99_998), (690.0, 100_000), (600.0, 100_500)))
    journal = Journal(
        release_id="r1",
        uid="u1",
        namespace="default",
        name="emqx-ee",
        console_version="test",
        created_at=START,
        created_by="sim@host",
        from_image="registry.example:5000/emqx/emqx-ee:4.4.14",
        to_image="emqx/emqx-ee:4.4.15",
        patch={},
        resource_version="1",
        originals=Originals(template={}, blue_uid="uid-blue", replicas=3),
        rates=Rates(200, 200, 5),
        approval=Approval.AUTO,
        totals=totals,
    )
    return View(
        snapshot=Snapshot(at(700), "default", "emqx-ee"),
        decision=Decision(Phase.DONE),
        journal=replace(journal, **fields),
        samples=tuple(Sample(at(second), 0, total, {}) for second, total in samples),
    )


QUIET = tuple((second, total) for second in range(121, 149, 3) for total in (100_000 - second % 2 * 10,))
"""Before the first drain: ten clients are away at any moment."""


FALLING = tuple((121 + 3 * n, 100_000 - 5 * n - 10 * (n % 2)) for n in range(9))
"""Ten leave and five come back, again and again."""


def death(second: float) -> NodeDeath:
    return NodeDeath("emqx-ee-0", "uid/0", 100, at(second))


def figures(view: View, result: Result = Result.DONE) -> dict[str, Any]:
    return summary(view, result, view.now).to_json()


def test_a_release_that_is_done() -> None:
    assert figures(release()) == {
        "schema": 1,
        "at": "2026-01-01T12:11:40.000Z",
        "release_id": "r1",
        "event": "finished",
        "result": "done",
        "from": "4.4.14",
        "to": "4.4.15",
        "duration_s": 700.0,
        "drain_s": 505.0,
        "limit_s": 505.0,
        "disconnects_per_client": 1.0,
        "disconnects_at_least": False,
        "cut_by_canary": 0,
        "clients_lost": 0,
        "lowest_sum_ratio": 0.997,
        "uncounted": [],
        "sessions_left": 0,
        "early_clients": None,
    }


@pytest.mark.parametrize(
    ("view", "name", "figure"),
    [
        (release(rates=Rates(500, 200, 0)), "limit_s", 260.0),
        (release(parallel_drains=2), "limit_s", 255.0),
        (release(parallel_drains=9), "limit_s", 171.7),
        (release(replace(DONE, clients=None)), "limit_s", None),
        (release(replace(DONE, clients=None)), "disconnects_per_client", None),
        (release(replace(DONE, clients=0)), "disconnects_per_client", None),
        (release(replace(DONE, clients=0)), "limit_s", 5.0),
        (release(replace(DONE, evicted=150_000, killed=0)), "disconnects_per_client", 1.5),
        (release(replace(DONE, drained_at=None)), "drain_s", None),
        (release(replace(DONE, finished_at=None)), "duration_s", None),
        (release(replace(DONE, finished_at=None)), "clients_lost", None),
        (release(replace(DONE, lowest_sum=None)), "lowest_sum_ratio", None),
        (release(replace(DONE, start_sum=None)), "lowest_sum_ratio", None),
        (release(replace(DONE, start_sum=0)), "lowest_sum_ratio", None),
        (release(samples=((100, 100_000), (720, 99_900), (730, 99_950))), "clients_lost", 50),
        (release(samples=((100, 99_960), (200, 99_000), (720, 99_950))), "clients_lost", 10),
        (release(samples=((100, 99_940), (200, 99_000), (720, 99_950))), "clients_lost", None),
        (release(samples=((100, 100_000), (690, 99_900), (714, 99_950))), "clients_lost", None),
        (release(samples=(*QUIET, (720, 99_940))), "clients_lost", 50),
        (release(replace(DONE, deaths=(death(126),)), samples=(*QUIET, (720, 99_940))), "clients_lost", 60),
        (release(replace(DONE, deaths=(death(665),)), samples=(*QUIET, (720, 99_940))), "clients_lost", None),
        (release(replace(DONE, evicted_at=at(126)), samples=(*QUIET, (720, 99_940))), "clients_lost", 60),
        (
            release(approvals=(ApprovalRecord(1, CUT_OVER, "ann@host", at(121), ""),), samples=(*QUIET, (720, 99_940))),
            "clients_lost",
            60,
        ),
        (release(replace(DONE, cut_by_canary=20_000)), "disconnects_per_client", 1.2),
        (release(replace(DONE, cut_by_canary=20_000)), "cut_by_canary", 20_000),
        (release(replace(DONE, is_lower_bound=True)), "disconnects_at_least", True),
        (release(replace(DONE, uncounted=(Uncounted(at(1), at(20)),))), "disconnects_at_least", True),
        (replace(release(replace(DONE, finished_at=None)), result="aborted"), "disconnects_at_least", True),
        (replace(release(replace(DONE, finished_at=None)), result="done"), "lowest_sum_ratio", None),
        (release(samples=(*FALLING, (720, 99_940))), "clients_lost", 55),
        (release(samples=((700, 100_000), (731, 99_950), (760, 99_950))), "clients_lost", 50),
        (release(samples=((700, 100_000), (731, 99_950), (760, 99_940))), "clients_lost", None),
        (release(samples=((100, 74_000), (720, 74_000))), "clients_lost", None),
        (release(samples=((100, 74_000), (720, 100_000))), "clients_lost", 0),
        (release(samples=((690, 101_000),)), "clients_lost", 0),
        (release(samples=((100, 100_000),)), "clients_lost", None),
        (release(samples=()), "clients_lost", None),
    ],
    ids=[
        "no waitTakeover means EMQX's 60 s",
        "two nodes at once",
        "never more nodes at once than there are",
        "no clients known, no limit",
        "no clients known, no disconnects",
        "nobody to disconnect",
        "nobody to drain",
        "evicted more than once",
        "not drained to the end",
        "not finished, no duration",
        "not finished, nobody lost yet",
        "lowest sum never counted",
        "start never counted",
        "nobody there at the start",
        "the best sum since the last drain counts",
        "who was away before the first drain is no loss",
        "too few sums do not tell whether who was away before came back",
        "who is missing may be on the way for a minute",
        "so many are away by themselves",
        "who was cut off before the first drain is not away by itself",
        "who was cut off by a node that died may be on the way for a minute",
        "who was evicted by somebody before the first drain is not away by itself",
        "who was cut off by a canary that passed is not away by itself",
        "the canary's clients count",
        "the canary's clients are named",
        "some could not be counted",
        "nobody counted for a while",
        "this console has not seen the end",
        "nor the lowest sum after it was cut off",
        "who left by themselves before the first drain and did not come back are lost",
        "who had landed and is gone again is lost",
        "somebody is cut off just now",
        "so many were away before the first drain that who is away may be lost or not",
        "they are all back",
        "newcomers are no loss",
        "no count since the last drain",
        "no count at all",
    ],
)
def test_each_figure(view: View, name: str, figure: float | None) -> None:
    assert figures(view)[name] == figure


@pytest.mark.parametrize(
    ("back_at", "finished_at", "lost"),
    [(300, 700, 10), (650, 700, None), (650, 711, 10)],
    ids=["long ago", "a moment ago", "a minute ago"],
)
def test_an_abort_is_judged_by_what_comes_after_the_last_client_left_green(
    back_at: float, finished_at: float, lost: int | None
) -> None:
    nothing = replace(DONE, first_drain_at=None, drained_at=None, clients=None, evicted=0, killed=0)
    abort = AbortRecord("sim@host", at(100), "")
    samples = (
        Sample(at(99), 100_000, 0, {}),
        Sample(at(back_at), 99_000, 1_000, {}),
        Sample(at(back_at + 1), 99_980, 0, {}),
        Sample(at(finished_at), 99_990, 0, {}),
    )
    view = replace(release(replace(nothing, finished_at=at(finished_at)), abort=abort), samples=samples)
    told = figures(view, Result.ABORTED)
    assert (told["result"], told["drain_s"], told["limit_s"], told["clients_lost"]) == ("aborted", None, None, lost)


@pytest.mark.parametrize("result", list(Result))
def test_every_result_has_every_field_and_an_exit_code(result: Result) -> None:
    without_release = summary(None, result, START, versions=("4.4.14", None)).to_json()
    assert list(without_release)[4:] == list(FIELDS[Event.FINISHED])
    assert (without_release["from"], without_release["to"]) == ("4.4.14", None)
    assert without_release["release_id"] is None
    assert result in EXIT_CODES


def test_exit_codes_are_those_that_are_documented() -> None:
    assert {str(result): code for result, code in EXIT_CODES.items()} == {
        "done": 0,
        "failed": 1,
        "waiting": 3,
        "held": 4,
        "aborted": 5,
        "lost_contact": 6,
    }


@pytest.mark.parametrize(
    ("image", "version"),
    [("emqx/emqx-ee:4.4.14", "4.4.14"), ("host:5000/emqx/emqx-ee", "host:5000/emqx/emqx-ee"), ("a:b/c:1", "1")],
)
def test_the_version_of_an_image(image: str, version: str) -> None:
    assert image_version(image) == version
