"""A recording is read whole, and what is none is one line."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.adapters.machine.flight_reading import parts_of, read_recording, recordings_of
from emqx_tui.headless.report.report import report
from emqx_tui.headless.report.report_document import document
from emqx_tui.headless.report.report_forms import html, markdown
from emqx_tui.headless.report.report_page import page

START = datetime(2026, 11, 23, 6, 40, 41, tzinfo=UTC)
HEADING = b'{"schema":1,"console":"0.1.0","namespace":"mqtt","name":"emqx-ee","event":"recording"}\n'


def test_all_parts_are_read_in_order_whichever_is_named(tmp_path: Path) -> None:
    log = FlightLog(tmp_path, "mqtt", "emqx-ee", started_at=START, part_bytes=2_000)
    for number in range(40):
        log.record("phase", {"at": START, "number": number, "filler": "x" * 100})
    log.close(10.0)
    parts = parts_of(log.path)
    assert len(parts) > 2
    for part in parts:
        found = read_recording(part)
        numbers = [told["number"] for told in found.records]
        assert numbers == sorted(numbers)
        assert numbers[-1] == 39
        assert (found.namespace, found.name, found.unreadable, found.is_cut) == ("mqtt", "emqx-ee", 0, False)
        assert found.lacks_beginning is (numbers[0] > 0)


def test_a_last_line_that_is_cut_is_skipped_and_told(tmp_path: Path) -> None:
    path = tmp_path / "flight-a-b-20261123T064041Z.jsonl"
    path.write_bytes(HEADING + b'{"event":"phase","at":"2026"}\nnonsense\n{"event":"pha')
    found = read_recording(path)
    assert [told["event"] for told in found.records] == ["phase"]
    assert (found.unreadable, found.is_cut) == (1, True)


FOREIGN = {
    "empty": (b"", "not a flight log of emqx-tui"),
    "another file": (b"hello\n", "not a flight log of emqx-tui"),
    "other JSON": (b'{"event":"phase"}\n', "not a flight log of emqx-tui"),
    "a schema that is no number": (HEADING.replace(b"1,", b"true,", 1), "not a flight log of emqx-tui"),
    "newer": (HEADING.replace(b"1,", b"3,", 1), "has schema 3, this emqx-tui knows up to 2: use a newer one"),
}


@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_no_recording_is_said_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_recording(path)
    assert error.value.message == f"{path}: {words}"


def test_a_folder_a_pipe_and_nothing_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("", "not a file"), ("pipe", "not a file"), ("none", "No such file or directory")):
        with pytest.raises(ConfigError, match=words):
            read_recording(tmp_path / name)


def test_the_recordings_of_a_cluster_come_newest_first(tmp_path: Path) -> None:
    for number, (namespace, name) in enumerate((("mqtt", "a-b"), ("mqtt-a", "b"), ("mqtt", "a-b"))):
        path = tmp_path / f"flight-{namespace}-{name}-{number}.jsonl"
        path.write_bytes(HEADING.replace(b"mqtt", namespace.encode()).replace(b"emqx-ee", name.encode()))
        os.utime(path, (number, number))
    (tmp_path / "flight-mqtt-a-b-9.jsonl").write_text("broken")
    assert [path.name[-7] for path in recordings_of(tmp_path, "a-b", "")] == ["2", "0"]
    assert [path.name[-7] for path in recordings_of(tmp_path, "b", "mqtt-a")] == ["1"]
    assert list(recordings_of(tmp_path / "none", "b", "")) == []


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just("2026-11-23T06:40:41Z")
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
EVENTS = ("release", "approval", "counted", "phase", "alarm", "node-failed", "command", "command-failed", "closed")
FIELDS = ("at", "journal", "changes", "checks", "fingerprint", "text", "phase", "nodes", "blue", "result", "clients")
RECORDS = st.builds(
    lambda event, at, fields: {**fields, "event": event, "at": at},
    st.sampled_from(EVENTS),
    st.sampled_from(("2026-11-23T06:40:41Z", "2026-11-23T06:40:41", "0001-01-01T00:00:00+23:59", "", 5)),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(RECORDS.map(lambda r: json.dumps(r).encode()) | st.binary(max_size=60), max_size=8))
def test_any_file_is_a_report_or_one_line(tmp_path: Path, lines: list[bytes]) -> None:
    path = tmp_path / "any.jsonl"
    for heading in (b"", HEADING):
        path.write_bytes(heading + b"\n".join(lines))
        told = forms(path)
        assert len(told) == 3 or "\n" not in told[0]


def forms(path: Path) -> tuple[str, ...]:
    """The report in each form, or the one line that is said instead."""
    try:
        found = report(read_recording(path))
    except ConfigError as error:
        return (error.message,)
    if found is None:
        return ("no release",)
    told = page(found, "1")
    return (json.dumps(document(found, "1")), markdown(told), html(told))
