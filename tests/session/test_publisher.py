"""What is published: what can be seen to differ, an age that is shown, and a sign of life. No bare tick of a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emqx_tui.model.kinds import Kind
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.session import Session
from emqx_tui.session.views.fleet_view import SourceHealth
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.publisher import AFTER_END_S, CONFIRM_S, COUNTING_S, KEYS_BEFORE, Publisher
from emqx_tui.session.views.view import LogSource, View
from emqx_tui.ui.shell.identity import QUIET_S
from tests.support import recorded, releases
from tests.support.desk import small_world
from tests.support.fakes import FakeClock, FakeHost, FakeKube
from tests.support.recorded import Recorded
from tests.support.rehearsal.ports import SimClock, SimEmqx, SimHost, SimKube, Wire
from tests.support.rehearsal.virtual_loop import run_in

IDLE, RELEASE = releases.idle(), releases.draining()


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.views: list[View] = []
        self.log = Recorded()
        ports = Ports(FakeKube(), None, self.clock, FakeHost(), self.log)  # type: ignore[arg-type]
        self.publisher = Publisher(ports, self.views.append)

    def publish(self, view: View, after_s: float = 0.0) -> None:
        self.clock.tick(after_s)
        self.publisher.publish(view)

    def recorded(self, event: str) -> list[Mapping[str, Any]]:
        return [record for record in self.log.records if record["event"] == event]


def later(view: View, seconds: float) -> View:
    """The same, read and looked at a moment later."""
    now = view.now + timedelta(seconds=seconds)
    stats = replace(view.snapshot.stats, read_at=now)
    return replace(view, snapshot=replace(view.snapshot, now=now, stats=stats))


@pytest.mark.parametrize(("view", "every_s"), [(IDLE, CONFIRM_S), (RELEASE, COUNTING_S)], ids=["idle", "release"])
def test_time_alone_is_published_as_seldom_as_the_screen_needs_it(view: View, every_s: float) -> None:
    desk = Desk()
    desk.publish(view)
    desk.publish(later(view, 0.5), after_s=every_s - 0.1)
    assert len(desk.views) == 1
    desk.publish(later(view, 1.0), after_s=0.2)
    assert [shown.sequence for shown in desk.views] == [1, 2]
    assert desk.views[1].now == view.now + timedelta(seconds=1), "the newest one, with its own instants"


def test_the_end_of_a_release_is_one_line_of_the_log() -> None:
    assert [line.text for line in recorded.release().views[-1].log if "done" in line.text] == ["the release is done"]


def test_what_a_person_asks_for_is_logged_before_what_comes_of_it() -> None:
    told = [line.text for line in recorded.release().views[-1].log]
    for cause, effect in (
        ("release 4.4.14 to 4.4.15 begins", "starting"),
        ("approved: cut-over", "canary"),
    ):
        assert told.index(cause) < told.index(effect), told


def test_a_screen_never_takes_a_quiet_cluster_for_a_silent_engine() -> None:
    assert max(CONFIRM_S, COUNTING_S) + 1.0 < QUIET_S


CHANGES: dict[str, dict[str, Any]] = {
    "a notice": {"notice": Notice(NoticeKind.ACCEPTED, "held"), "notice_number": 1},
    "the same notice again": {"notice_number": 2},
    "a source is silent": {"health": (SourceHealth(Kind.POD, False, IDLE.now, "reset"),)},
    "a command is on its way": {"in_flight": ("nudge",)},
    "another driver": {"driver": "bob@there/9"},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_can_be_seen_is_published_at_once(change: dict[str, Any]) -> None:
    desk = Desk()
    desk.publish(IDLE)
    desk.publish(replace(later(IDLE, 0.1), **change))
    assert len(desk.views) == 2


def test_another_count_of_clients_is_published_at_once() -> None:
    desk = Desk()
    desk.publish(IDLE)
    stats = dict(IDLE.snapshot.stats.value or {})
    name = next(iter(stats))
    stats[name] = replace(stats[name], live_connections=1)
    snapshot = replace(IDLE.snapshot, stats=replace(IDLE.snapshot.stats, value=stats))
    desk.publish(replace(IDLE, snapshot=snapshot))
    assert len(desk.views) == 2


def test_figures_that_grow_old_are_counted_up() -> None:
    desk = Desk()
    desk.publish(IDLE)
    old = replace(IDLE, snapshot=replace(IDLE.snapshot, now=IDLE.now + timedelta(seconds=3)))
    desk.publish(old, after_s=COUNTING_S)
    assert len(desk.views) == 2


def test_an_idle_cluster_publishes_little() -> None:
    """In the simulated world, with its watches and polls, for a minute."""
    world, views = small_world(), list[View]()
    wire = Wire()
    ports = Ports(SimKube(world, wire), SimEmqx(world, wire), SimClock(world), SimHost(1, set()))
    session = Session("default", "emqx-ee", ports, Options(drives=False), views.append)

    async def look() -> int:
        running = asyncio.create_task(session.run())
        await asyncio.sleep(20.0)
        before = len(views)
        await asyncio.sleep(60.0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return len(views) - before

    assert 15 <= run_in(world, look()) <= 40, "189 when every tick and every poll was a view"


class TestKeys:
    def test_the_last_keys_before_a_release_are_recorded_with_it_at_their_instants(self) -> None:
        desk = Desk()
        desk.publish(IDLE)
        for number in range(KEYS_BEFORE + 10):
            desk.publisher.pressed(f"key {number}", "change")
            desk.clock.tick(2.0)
        assert desk.recorded("key") == [], "nothing is written of a cluster that is only looked at"
        desk.publish(RELEASE)
        keys = desk.recorded("key")
        assert [key["action"] for key in keys] == [f"key {number}" for number in range(10, KEYS_BEFORE + 10)]
        assert keys == sorted(keys, key=lambda key: key["at"])
        assert keys[0]["at"] < keys[-1]["at"]

    def test_a_key_of_a_release_is_recorded_at_once_and_one_that_is_held_down_once_a_second(self) -> None:
        desk = Desk()
        desk.publish(RELEASE)
        for _ in range(30):
            desk.publisher.pressed("approve", "rollout")
            desk.clock.tick(0.1)
        desk.publisher.pressed("hold", "rollout")
        found = [(key["action"], key["place"]) for key in desk.recorded("key")]
        assert found == [("approve", "rollout")] * 3 + [("hold", "rollout")]

    def test_after_the_end_none_is_recorded(self) -> None:
        desk = Desk()
        desk.publish(releases.done())
        desk.publisher.pressed("report", "rollout")
        assert desk.recorded("key") == []


def test_a_source_that_falls_silent_is_recorded_and_that_it_answers_again() -> None:
    desk = Desk()
    desk.publish(RELEASE)
    silent = SourceHealth(Kind.POD, False, RELEASE.now, "reset")
    for view in (replace(RELEASE, health=(silent,)), replace(RELEASE, health=(replace(silent, is_ok=True),))):
        desk.publish(view)
    found = [(record["source"], record["is_ok"], record["problem"]) for record in desk.recorded("source")]
    assert found == [("pods", False, "reset"), ("pods", True, "reset")]


def test_a_console_that_is_left_on_the_last_screen_records_no_night_of_it() -> None:
    desk, done = Desk(), releases.done()
    for minute in range(60):
        shown = later(done, 60.0 * minute)
        busy = replace(
            shown, snapshot=replace(shown.snapshot, stats=replace(shown.snapshot.stats, value={"x": minute}))
        )
        desk.publish(busy, after_s=60.0)
    assert len(desk.views) == 60
    assert len(desk.log.views) == AFTER_END_S // 60 + 1


@pytest.mark.parametrize(
    ("notice", "source"),
    [
        (Notice(NoticeKind.ACCEPTED, "approved: cut-over"), LogSource.YOU),
        (Notice.refused("held: resume first"), LogSource.CONSOLE),
        (Notice(NoticeKind.PROBLEM, "the valve was not closed"), LogSource.CONSOLE),
    ],
    ids=lambda value: str(value),
)
def test_what_a_person_here_was_granted_is_told_as_theirs(notice: Notice, source: LogSource) -> None:
    desk = Desk()
    desk.publisher.notify(notice)
    assert [(line.source, line.text) for line in desk.publisher.log.lines()] == [(source, str(notice))]
