"""A console is killed in a drain and another one started: what it says of the clients is true, or unknown.

The figures of list, screen, cards, `status`, progress lines and of the end are compared with the simulated clients.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from emqx_tui.headless.lines.view_diff import progress
from emqx_tui.headless.looking import status
from emqx_tui.headless.release.exit_status import Result
from emqx_tui.headless.release.summary import summary as finished
from emqx_tui.model.series import Sample
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.cards.abort_card import abort_card
from emqx_tui.ui.cards.gate_card import gate_card
from emqx_tui.ui.rollout import curves
from emqx_tui.ui.rollout.ledger import ledger_line
from emqx_tui.ui.rollout.summary import summary
from emqx_tui.ui.text.spans import plain
from tests.support.stage import Console, Person, Stage, begin

CLIENTS = 6_000
NODES = 3
RATE = 200
LAG = 4 * RATE + 50
"""Clients that may move between a poll and the instant of the truth, and churn."""
LIMIT_S = 1_500.0


@dataclass
class Recordings:
    """The flight log of the machine on which one console after the other runs."""

    counted: list[Mapping[str, Any]] = field(default_factory=list)

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        if event == "counted":
            self.counted.append(fields)

    def saw(self, view: View) -> None:
        pass

    def recall(self, uid: str, release_id: str, tell: Callable[[tuple[Sample, ...]], None]) -> None:
        of_release = [told for told in self.counted if (told["uid"], told["release_id"]) == (uid, release_id)]
        tell(
            tuple(
                Sample(datetime.fromisoformat(told["at"]), told["blue"], told["green"], dict(told["nodes"]))
                for told in of_release
            )
        )


@dataclass
class Story:
    """What the console that was started again showed, with what was so at that moment."""

    seen: list[tuple[View, int, int]] = field(default_factory=list)
    """(view, evicted clients, clients that are on no node)."""
    last: View | None = None
    evicted: int = 0
    lowest: float = 1.0
    away_s: float = 0.0
    died_at: datetime | None = None
    early: int | None = None
    """As the console that died told it."""


def killed_and_restarted(node: int, after_s: float, away_s: float) -> Story:
    """The driver dies `after_s` into the drain of the `node`-th node (from 1); another one starts `away_s` later."""
    world = scenario("smooth", clients=CLIENTS, seed=4)
    stage, story = Stage(world, recorder=Recordings()), Story(away_s=away_s)
    truth = world.cluster().truth

    def note(view: View) -> None:
        gone = truth.since_mark()
        story.seen.append((view, gone.evicted, truth.offline + gone.lost))

    async def script(stage: Stage) -> None:
        first = stage.console(1)
        Person(first)
        await begin(first, Approval.CUT_OVER)
        truth.mark()
        await first.until(lambda view: len(view.drain_initial) >= node and facts.draining(view), LIMIT_S)
        await asyncio.sleep(after_s)
        story.died_at, story.early = first.view.now, facts.early_clients(first.view)
        first.cut()
        first.watchers.clear()
        stage.dead.add(first.host.identity)
        await asyncio.sleep(away_s)
        second: Console = stage.console(2)
        Person(second)
        second.watchers.append(note)
        story.last = await second.until(lambda view: view.result, LIMIT_S)

    stage.play(script)
    assert stage.witness.broken == []
    story.evicted, story.lowest = truth.since_mark().evicted, truth.lowest_live / CLIENTS
    return story


def numbers(words: str, pattern: str) -> list[int]:
    return [int(found.replace(",", "")) for found in re.findall(pattern, words)]


def moment(node: int, after_s: float, away_s: float) -> Any:
    """One worker takes all tests of one story, so that it is played once."""
    words = f"node {node} after {after_s} s, away {away_s} s"
    return pytest.param((node, after_s, away_s), id=words, marks=pytest.mark.xdist_group(words))


@pytest.fixture(
    scope="module",
    params=[
        moment(1, 0.5, 1.0),
        moment(1, 8.0, 5.0),
        moment(1, 8.0, 45.0),
        moment(2, 8.0, 5.0),
        moment(2, 20.0, 45.0),
        moment(3, 8.0, 5.0),
    ],
)
def story(request: pytest.FixtureRequest) -> Story:
    return killed_and_restarted(*request.param)


def under_way(story: Story) -> list[tuple[View, int, int]]:
    return [row for row in story.seen if facts.is_under_way(row[0])]


def test_the_ledger_is_true_or_unknown(story: Story) -> None:
    for view, evicted, offline in under_way(story):
        ledger = status.document(view)["ledger"]
        if ledger["evicted"] is not None:
            assert abs(ledger["evicted"] - evicted) <= LAG, view.now
        if ledger["missing"] is not None:
            assert 0 <= ledger["missing"] <= min(ledger["evicted"], offline + LAG), (view.now, ledger)
        if ledger["landed"] is not None:
            assert 0 <= ledger["landed"] <= ledger["evicted"], ledger
        if ledger["on_their_way"] is not None:
            assert 0 <= ledger["on_their_way"] <= ledger["missing"], ledger
        found = progress(view)["missing"]
        assert found is None or found <= offline + LAG


def test_no_front_end_says_that_more_were_missing_at_once_than_were(story: Story) -> None:
    for view, _, _ in under_way(story):
        cards = [abort_card(view), *([gate_card(view.decision.gate, view)] if view.decision.gate else [])]
        said = " ".join(
            [
                *status.lines(view),
                plain(ledger_line(view)),
                *(plain(line) for card in cards for _, lines in card.rows for line in lines),
            ]
        )
        for count in numbers(said, r"(?:at most|most missing at once) ([\d,]+)") + numbers(
            said, r"([\d,]+) on their way"
        ):
            assert count <= 11 * RATE + LAG, said
        assert "missing -" not in said
        assert "landed -" not in said


def test_a_missing_share_is_never_over_all(story: Story) -> None:
    for view, _, _ in under_way(story):
        for share in re.findall(r"missing [\d,]+ \(([\d.]+) ?%\)", plain(ledger_line(view))):
            assert float(share) <= 100.0


def test_rates_and_time_to_go_are_of_what_was_seen(story: Story) -> None:
    for view, _, _ in under_way(story):
        for row in progress(view)["draining"]:
            assert row["rate_per_s"] is None or row["rate_per_s"] <= 2 * RATE, row
        left = facts.remaining_s(view)
        assert left is None or left < 900.0


def test_the_plot_begins_with_the_release_and_shows_the_time_away_as_a_gap(story: Story) -> None:
    view = story.last
    assert view
    assert view.journal
    assert story.died_at
    instants = [sample.at for sample in view.samples]
    assert instants == sorted(instants)
    assert (instants[0] - view.journal.created_at).total_seconds() < 10.0
    (before, after) = max(itertools.pairwise(instants), key=lambda pair: pair[1] - pair[0])
    gap_s = (after - before).total_seconds()
    if story.away_s > 15.0:
        assert before <= story.died_at < after
        assert story.away_s - 1.0 <= gap_s <= story.away_s + 15.0
        seconds = [(at - instants[0]).total_seconds() for at in instants]
        assert instants.index(after) in curves.gaps(seconds), "drawn as a gap"
    else:
        assert gap_s < 15.0


def test_the_end_is_told_as_it_was(story: Story) -> None:
    view = story.last
    assert view
    assert view.journal
    line = finished(view, Result.DONE, view.now).to_json()
    assert abs(line["disconnects_per_client"] * CLIENTS - story.evicted) <= LAG
    ratio = line["lowest_sum_ratio"]
    assert ratio is None or abs(ratio - story.lowest) <= LAG / CLIENTS
    assert story.died_at
    gaps = [(gap.since, gap.until) for gap in view.journal.totals.uncounted]
    assert len(gaps) == (story.away_s > 15.0), "the time in which nobody drove is told"
    assert all(since <= story.died_at < until for since, until in gaps)
    assert line["early_clients"] == story.early
    assert story.early is not None
    assert line["clients_lost"] in (None, 0) or line["clients_lost"] <= LAG
    assert summary(view)
