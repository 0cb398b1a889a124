"""Records and lines: a closed list, complete, one line each, and nothing in them that a terminal would obey."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emqx_tui.headless.lines import view_diff, words
from emqx_tui.headless.lines.events import FIELDS, Event, Record
from emqx_tui.headless.lines.output import MANY_LINES, Format, Output
from emqx_tui.session.views.fleet_view import Role
from tests.support import releases

AT = datetime(2026, 1, 1, 12, 3, 4, 56_000, tzinfo=UTC)

EXAMPLES: dict[Event, dict[str, Any]] = {
    Event.PLAN: {
        "from": "4.4.14",
        "to": "4.4.15",
        "verdict": "starts a release",
        "differences": [{"path": "a.b", "before": None, "after": 1}],
        "server_differences": [],
        "conn_evict_rate": 200,
        "sess_evict_rate": 200,
        "wait_takeover_s": 5,
        "initial_delay_s": 60,
        "approval": "auto",
        "parallel_drains": 1,
        "late_removal": False,
        "freeze_on_silence": True,
    },
    Event.CHECK: {"check": "udp", "outcome": "fail", "evidence": "UDP\nports", "can_override": True},
    Event.PROGRESS: {"draining": [{"node": "a-0", "state": "x", "left": None, "initial": 2, "rate_per_s": None}]},
    Event.GATE: {"gate": "node:1", "checks": []},
    Event.COMMAND: {"text": "scaled", "command": "kubectl " + "x" * 400},
    Event.FINISHED: {"result": "lost_contact"},
}


def test_every_event_has_fields_and_words() -> None:
    assert set(FIELDS) == set(Event)
    for event in Event:
        assert all(FIELDS[event].values()), event


@pytest.mark.parametrize("event", list(Event))
def test_every_record_is_one_line_in_both_formats(event: Event) -> None:
    record = Record(event, AT, "r1", EXAMPLES.get(event, {}))
    text = words.line(record)
    assert text.startswith("12:03:04Z  ")
    assert "\n" not in text
    told = json.loads(record.dumps())
    assert list(told) == ["schema", "at", "release_id", "event", *FIELDS[event]]
    assert told["at"] == "2026-01-01T12:03:04.056Z"


BIG = {
    "conn_evict_rate": 2000,
    "sess_evict_rate": 2000,
    "blue": 100_000,
    "green": 1000,
    "sum": 101_000,
    "missing": 4321,
}


@pytest.mark.parametrize("event", [Event.PLAN, Event.POLICY, Event.PROGRESS])
def test_figures_for_people_have_thousands_separators(event: Event) -> None:
    drain = {"node": "a-0", "state": "x", "left": 33_000, "initial": 33_333, "rate_per_s": 1500}
    fields = {name: value for name, value in BIG.items() if name in FIELDS[event]}
    fields |= {"draining": [drain]} if event is Event.PROGRESS else {}
    text = words.line(Record(event, AT, "r1", {**EXAMPLES.get(event, {}), **fields}))
    assert re.search(r"\d,\d{3}", text)
    assert not re.search(r"\d{4}", text), text


def test_a_field_that_is_not_documented_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="colour"):
        Record(Event.NOTICE, AT, None, {"text": "x", "colour": "red"}).dumps()


def test_nothing_reaches_the_terminal_that_it_would_obey() -> None:
    line = words.line(Record(Event.NOTICE, AT, None, {"text": "a\x1b[2Jb\x07c\r\nd"}))
    assert "\x1b" not in line
    assert "\x07" not in line
    assert "\r" not in line


@pytest.mark.parametrize("form", list(Format))
def test_no_line_goes_back_in_time(form: Format) -> None:
    lines: list[str] = []
    output = Output(form, lines.append)
    for second, event in ((5, Event.NOTICE), (3, Event.CLUSTER), (7, Event.NOTICE), (6, Event.PROBLEM)):
        output.tell(Record(event, AT + timedelta(seconds=second), None, {"text": f"of {second}"}))
    output.finish(Record(Event.FINISHED, AT, None, {"result": "done"}))
    if form is Format.JSONL:
        assert [json.loads(line)["at"][17:19] for line in lines] == ["09", "09", "11", "11", "11"]
    else:
        assert [line[:9] for line in lines[:-1]] == ["12:03:09Z", "12:03:09Z", "12:03:11Z", "12:03:11Z", "12:03:11Z"]


def test_a_reader_that_does_not_read_stops_nobody_and_misses_only_progress() -> None:
    reads = threading.Event()
    lines: list[str] = []

    def write(text: str) -> None:
        assert reads.wait(20)
        lines.append(text)

    output = Output(Format.JSONL, write)
    for number in range(MANY_LINES + 10):
        output.tell(Record(Event.NOTICE, AT, None, {"text": str(number)}))
    output.tell(Record(Event.PROGRESS, AT, None, {"draining": []}))
    output.tell(Record(Event.NOTICE, AT, None, {"text": "end"}))
    reads.set()
    output.finish(Record(Event.FINISHED, AT, None, {"result": "done"}))
    assert output.is_complete
    told = [json.loads(line) for line in lines]
    assert len(told) == MANY_LINES + 12
    assert {record["event"] for record in told} == {"notice", "finished"}
    assert told[-1]["event"] == "finished"


def test_a_reader_that_is_gone_is_no_failure() -> None:
    def write(text: str) -> None:
        raise BrokenPipeError

    output = Output(Format.TEXT, write)
    output.tell(Record(Event.NOTICE, AT, None, {"text": "x"}))
    output.finish(Record(Event.FINISHED, AT, None, {"result": "done"}))
    assert not output.is_complete


def test_why_this_console_cannot_drive_is_told_when_it_becomes_known() -> None:
    """Rights are asked for after the first view: then neither the role nor the driver changes."""
    idle = releases.at_gate(role=Role.IDLE, role_reason="")
    blocked = replace(idle, role_reason="this console cannot drive: cannot patch endpoints")
    records, told = view_diff.diff(view_diff.begin(idle), blocked, 0.0)
    (record,) = [each for each in records if each.event is Event.ROLE]
    assert "this console cannot drive: cannot patch endpoints" in words.line(record)
    again, _ = view_diff.diff(told, blocked, 1.0)
    assert [each for each in again if each.event is Event.ROLE] == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("4.4.14", "4.4.15", "failed: 4.4.14 to 4.4.15"),
        ("4.4.14", None, "failed"),
        ("4.4.14", "4.4.14", "failed"),
        (None, None, "failed"),
    ],
)
def test_the_last_line_names_two_versions_or_none(before: str | None, after: str | None, told: str) -> None:
    assert words.finished({"result": "failed", "from": before, "to": after}) == told
