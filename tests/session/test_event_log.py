"""The merged log: by time, bounded, redacted, and each thing once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.rollout.commands import (
    CloseValve,
    Command,
    ForgetReleaseStatus,
    Nudge,
    RepairEndpoints,
    Scale,
    StopDrain,
    Target,
)
from emqx_tui.session.views.log import EARLIER, LIMIT, REPEAT_S, EventLog, command_words
from emqx_tui.session.views.view import LogSource

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
STOP = StopDrain("default", "emqx-ee-66f7b-2", "n@h")


def event(number: int, *, second: int | None = None, count: int = 1, component: str = "emqx-controller", **fields):
    at = NOW + timedelta(seconds=number if second is None else second)
    value = {
        "metadata": {"name": f"e{number}", "uid": f"u{number}"},
        "reason": "Evacuate",
        "message": f"event {number}",
        "source": {"component": component},
        "count": count,
        "lastTimestamp": at.isoformat(),
        **fields,
    }
    return ClusterEvent.from_json(value)


def texts(log: EventLog) -> list[str]:
    return [line.text for line in log.lines()]


def test_an_event_is_told_once_and_again_when_it_is_counted_up() -> None:
    log = EventLog()
    log.events([event(1)])
    log.events([event(1)])
    assert len(log.lines()) == 1
    log.events([event(1, count=2, second=9)])
    (line,) = log.lines()
    assert (line.count, line.first_at, line.at) == (2, NOW + timedelta(seconds=1), NOW + timedelta(seconds=9))
    log.events([event(1, count=9, second=20)])
    assert [line.count for line in log.lines()] == [9], "what Kubernetes counted meanwhile counts"


def test_what_repeats_is_one_line_with_first_and_last_time_and_takes_no_room() -> None:
    log = EventLog()
    log.say(NOW, "creating green")
    for number in range(1, 1001):
        log.sent(NOW + timedelta(seconds=20 * number), STOP)
        log.failed(NOW + timedelta(seconds=20 * number + 1), STOP, "timed out")
    first, sent, failed = log.lines()
    assert first.text == "creating green"
    assert (sent.count, sent.first_at) == (1000, NOW + timedelta(seconds=20))
    assert (failed.count, failed.at) == (1000, NOW + timedelta(seconds=20_001))
    assert len(sent.earlier) == EARLIER
    assert sent.command == STOP.describe()


def test_the_same_much_later_and_each_answer_to_a_person_stand_alone() -> None:
    log = EventLog()
    log.sent(NOW, STOP)
    log.sent(NOW + timedelta(seconds=REPEAT_S + 1), STOP)
    log.say(NOW + timedelta(seconds=REPEAT_S + 2), "held")
    log.say(NOW + timedelta(seconds=REPEAT_S + 3), "held")
    assert [line.count for line in log.lines()] == [1, 1, 1, 1]


def test_our_own_events_are_not_news() -> None:
    log = EventLog()
    log.events([event(1, component="emqx-tui")])
    assert log.lines() == ()


def test_sources_are_told_apart() -> None:
    log = EventLog()
    log.events([event(1), event(2, component="statefulset-controller")])
    log.sent(NOW + timedelta(seconds=5), STOP)
    log.say(NOW + timedelta(seconds=6), "hello")
    log.asked(NOW + timedelta(seconds=7), "approved: cut-over")
    sources = [line.source for line in log.lines()]
    assert sources == [LogSource.OPERATOR, LogSource.KUBERNETES, LogSource.YOU, LogSource.CONSOLE, LogSource.YOU]


@given(st.lists(st.integers(0, 60), max_size=80))
def test_lines_are_in_the_order_of_their_instants(seconds: list[int]) -> None:
    log = EventLog()
    for number, second in enumerate(seconds):
        log.events([event(number, second=second)])
    instants = [line.at for line in log.lines()]
    assert instants == sorted(instants)
    assert len(instants) == len(seconds)


def test_the_log_is_bounded_and_keeps_the_newest() -> None:
    log = EventLog()
    for number in range(3 * LIMIT):
        log.say(NOW + timedelta(seconds=number), f"line {number}")
    assert len(log.lines()) == LIMIT
    assert texts(log)[-1] == f"line {3 * LIMIT - 1}"
    assert texts(log)[0] == f"line {2 * LIMIT}"


def test_what_is_remembered_of_events_is_bounded_too() -> None:
    log = EventLog()
    for start in range(0, 12 * LIMIT, LIMIT):
        log.events(event(number) for number in range(start, start + LIMIT))
    assert len(log._seen) <= 4 * LIMIT
    assert len(log.lines()) == LIMIT


def test_nothing_changes_for_those_who_hold_the_old_lines() -> None:
    log = EventLog()
    log.say(NOW, "one")
    held = log.lines()
    log.say(NOW, "two")
    assert [line.text for line in held] == ["one"]
    assert log.lines() is log.lines()


def test_commands_are_told_in_words_with_the_line_to_repeat_them() -> None:
    log = EventLog()
    log.sent(NOW, STOP)
    log.sent(NOW, Scale(Target("default", "sts"), 3, 2))
    log.failed(NOW, CloseValve(Target("default", "x"), 1), "conflict")
    log.done(NOW, STOP, "it was not running")
    log.done(NOW, STOP, "")
    first, second, third, fourth = log.lines()
    assert first.text == "drain stopped emqx-ee-66f7b-2"
    assert first.command == STOP.describe()
    assert second.text == "scaled sts to 2"
    assert (third.text, third.is_alarm) == ("valve closed failed: conflict", True)
    log.failed(NOW, CloseValve(Target("default", "x"), 1), "conflict", is_routine=True)
    assert [line.is_alarm for line in log.lines()].count(True) == 1
    assert fourth.text.endswith("it was not running")


def test_secrets_do_not_reach_the_log() -> None:
    log = EventLog()
    log.events([event(1, message="dial http://admin:hunter2@host failed")])
    log.say(NOW, "password=hunter2")
    log.alarm(NOW, "Authorization: Basic hunter2")
    log.failed(NOW, STOP, "token: hunter2")
    assert "hunter2" not in str(log.lines())


def test_warnings_are_alarms_and_events_without_instant_are_left_out() -> None:
    log = EventLog()
    log.events([event(1, type="Warning"), event(2, lastTimestamp=None)])
    (line,) = log.lines()
    assert line.is_alarm


TARGET = Target("default", "emqx-ee")
WORDS = {
    "operator nudged: a green pod is away": Nudge(TARGET, 1_000_000_001, "a green pod is away"),
    "operator nudged: a green pod is away (nudges slow down to one every 60 s)": Nudge(
        TARGET, 1_000_000_001, "a green pod is away", 60.0
    ),
    "operator nudged": Nudge(TARGET, 1_000_000_001),
    "release status cleared, for one full pass: a gate is frozen": ForgetReleaseStatus(TARGET, "a gate is frozen"),
    "drain stopped emqx-ee-66f7b-2: other rates": replace(STOP, reason="other rates"),
    "scaled emqx-ee to 2: emqx-ee-2 is drained": Scale(TARGET, 3, 2, "emqx-ee-2 is drained"),
    "Service repaired: green only": RepairEndpoints(TARGET, (), (), "green only"),
}


@pytest.mark.parametrize(("words", "command"), WORDS.items(), ids=WORDS)
def test_a_command_is_told_with_why_it_is_sent(words: str, command: Command) -> None:
    assert command_words(command) == words


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Delay 999999993 seconds", "Evacuate: waits: the delay is closed"),
        ("Delay 1000000019 seconds", "Evacuate: waits: the delay is closed"),
        ("Delay 2147483647 seconds", "Evacuate: waits: the delay is closed"),
        ("Delay 30 seconds", "Evacuate: Delay 30 seconds"),
    ],
)
def test_a_delay_of_decades_is_told_as_closed(message: str, told: str) -> None:
    log = EventLog()
    log.events([event(1, message=message)])
    assert texts(log) == [told]
