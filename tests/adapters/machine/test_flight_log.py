"""The flight log: complete, redacted, private, bounded, and never in the way."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emqx_tui.adapters.machine import flight_log
from emqx_tui.adapters.machine.flight_log import SCHEMA, FlightLog, prune
from emqx_tui.adapters.machine.flight_reading import read_recording, read_views
from emqx_tui.session.replay import Replay
from tests.support import recorded
from tests.support.programs import wait_until

START = datetime(2026, 11, 23, 6, 40, 41, tzinfo=UTC)


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def log(tmp_path):
    made = FlightLog(tmp_path / "state", "mqtt", "emqx-ee", started_at=START)
    yield made
    made.close()


def test_writes_what_it_is_given_after_a_heading(log, tmp_path):
    assert not (tmp_path / "state").exists(), "nothing is made before there is something to write"
    log.record("decision", {"phase": "draining", "at": START, "checks": ["ä"], "n": 1.5})
    log.close()
    assert log.path.name == "flight-mqtt-emqx-ee-20261123T064041Z.jsonl"
    heading, decision = records(log.path)
    assert (heading["event"], heading["schema"], heading["name"]) == ("recording", SCHEMA, "emqx-ee")
    assert decision["event"] == "decision"
    assert decision["at"] == "2026-11-23T06:40:41+00:00"
    assert (decision["phase"], decision["checks"], decision["n"]) == ("draining", ["ä"], 1.5)
    assert datetime.fromisoformat(decision["recorded_at"]).tzinfo is not None


def test_what_was_recorded_last_is_written_before_the_program_leaves(tmp_path):
    program = f"""
from pathlib import Path
from emqx_tui.adapters.machine.flight_log import FlightLog
log = FlightLog(Path({str(tmp_path)!r}), "n", "x")
for number in range(2000):
    log.record("tick", {{"number": number}})
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    (file,) = tmp_path.glob("flight-*")
    assert records(file)[-1].get("number") == 1999


def test_only_its_owner_can_read_it(log):
    before = os.umask(0)
    try:
        log.record("x", {})
        log.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_secrets_are_taken_out(log):
    log.record(
        "request",
        {
            "body": {"spec": {"template": {"spec": {"env": [{"name": "A", "value": "hush"}]}}}},
            "password": "hush",
            "curl": "curl -H 'Authorization: Bearer hush'",
        },
    )
    log.close()
    assert "hush" not in log.path.read_text()
    assert records(log.path)[1]["event"] == "request"


def test_is_cut_into_parts_of_bounded_size(tmp_path):
    log = FlightLog(tmp_path, "n", "x", started_at=START, part_bytes=2000, parts=3)
    for number in range(200):
        log.record("tick", {"number": number})
    log.close(5)
    files = sorted(tmp_path.iterdir())
    assert [file.name.removeprefix(log.path.name) for file in files] == ["", ".1", ".2"]
    assert all(file.stat().st_size <= 2300 for file in files)
    assert all(records(file)[0]["event"] == "recording" for file in files)
    assert records(log.path)[-1]["number"] == 199
    kept = [entry["number"] for file in (files[2], files[1], files[0]) for entry in records(file)[1:]]
    assert kept == list(range(kept[0], 200)), "the newest, without a gap"


def test_old_recordings_go_first(tmp_path):
    for number in range(10):
        file = tmp_path / f"flight-n-x-{number}.jsonl"
        file.write_text("")
        os.utime(file, (number, number))
    (tmp_path / "flight-plan.txt").write_text("not ours")
    prune(tmp_path, "flight-*.jsonl*", 3)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "flight-n-x-7.jsonl",
        "flight-n-x-8.jsonl",
        "flight-n-x-9.jsonl",
        "flight-plan.txt",
    ]


def test_a_disk_that_refuses_is_no_reason_to_stop(tmp_path, caplog, monkeypatch):
    (tmp_path / "file").write_text("")
    log = FlightLog(tmp_path / "file" / "folder", "n", "x", started_at=START)
    for _ in range(100):
        log.record("x", {})
    log.close()
    assert [record.message for record in caplog.records if "cannot write the flight log" in record.message]
    assert len(caplog.records) == 1, "told once"


def test_what_could_not_be_written_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(flight_log, "_RETRY_S", 0.0)
    folder = tmp_path / "state"
    folder.write_text("in the way")
    log = FlightLog(folder, "n", "x", started_at=START)
    refused = threading.Event()
    write = log._files.write

    def watched(line: bytes) -> bool:
        done = write(line)
        if not done:
            refused.set()
        return done

    monkeypatch.setattr(log._files, "write", watched)
    log.record("lost", {})
    assert refused.wait(5)
    folder.unlink()
    log.record("kept", {})
    log.close(5)
    assert [entry["event"] for entry in records(log.path)] == ["recording", "dropped", "kept"]


@pytest.mark.parametrize(
    "fields",
    [
        {"object": object()},
        {"set": {1}},
        {("tuple",): 1},
        {"nan": float("nan")},
        {"bytes": b"\x1b"},
        {"text": "\ud800"},
    ],
    ids=lambda fields: next(iter(map(str, fields))),
)
def test_nothing_that_is_recorded_raises(log, fields):
    log.record("odd", fields)
    loop: dict = {}
    loop["self"] = loop
    log.record("endless", loop)
    log.close()
    assert [entry["event"] for entry in records(log.path)] == ["recording", "odd", "endless"]
    assert "\x1b" not in log.path.read_text(errors="surrogateescape")


def test_a_huge_record_is_cut(log):
    log.record("huge", {"text": "x" * 1_000_000})
    log.close()
    assert records(log.path)[1]["cut"] > 1_000_000
    assert log.path.stat().st_size < 10_000


def test_a_hung_disk_blocks_nobody(log, monkeypatch):
    hung, release = threading.Event(), threading.Event()

    def write(line: bytes) -> bool:
        hung.set()
        release.wait(10)
        return True

    monkeypatch.setattr(log._files, "write", write)
    log.record("first", {})
    assert hung.wait(5)
    for _ in range(5000):
        log.record("more", {})
    log.close(0.05)
    release.set()


def test_names_cannot_leave_the_folder(tmp_path):
    log = FlightLog(tmp_path, "../..", "a/b", started_at=START)
    assert log.path.parent == tmp_path
    log.record("x", {})
    log.close()
    assert log.path.exists()
    log.record("after the end", {})


def test_two_consoles_that_begin_in_the_same_second_have_a_recording_each(tmp_path):
    logs = [FlightLog(tmp_path, "mqtt", "emqx-ee", started_at=START, part_bytes=2000, parts=3) for _ in range(3)]
    for number in range(40):
        for which, log in enumerate(logs):
            log.record("number", {"number": number, "of": which})
        if number == 0:
            # Nobody fills a part while others begin: a name is free for a moment then.
            wait_until(lambda: len(list(tmp_path.iterdir())) == 3, "three files")
    for log in logs:
        log.close(10.0)
    base = "flight-mqtt-emqx-ee-20261123T064041Z"
    assert sorted(log.path.name for log in logs) == [f"{base}-2.jsonl", f"{base}-3.jsonl", f"{base}.jsonl"]
    for which, log in enumerate(logs):
        told = read_recording(log.path).records
        assert {record["of"] for record in told} == {which}
        assert [record["number"] for record in told] == list(range(40))


def test_does_not_write_through_a_link(log, tmp_path):
    log.path.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("")
    log.path.symlink_to(victim)
    log.record("x", {})
    log.close()
    assert victim.read_text() == ""


class TestViews:
    """What a replay is made of."""

    def test_they_come_back_from_the_file(self, log: FlightLog) -> None:
        views = recorded.release().views[:40]
        for view in views:
            log.saw(view)
            log.record("notice", {"at": view.now, "text": "x"})
            wait_until(lambda: log.is_idle, "the view is written")
        log.close(30.0)
        recording, lines = read_views(log.path)
        assert len(recording.records) == len(views)
        replay = Replay(recording, lines)
        replay.seek(replay.end)
        assert replay.view() == views[-1]
        assert stat.S_IMODE(log.path.stat().st_mode) == 0o600

    def test_each_part_begins_with_a_whole_one(self, tmp_path: Path) -> None:
        views = recorded.release().views
        log = FlightLog(tmp_path, "mqtt", "emqx-ee", started_at=START, part_bytes=20_000, parts=4)
        for view in views:
            log.saw(view)
            wait_until(lambda: log.is_idle, "the view is written")
        log.close(30.0)
        newest = log.path
        for older in tmp_path.glob("*.jsonl.*"):
            older.unlink()
        replay = Replay(*read_views(newest))
        replay.seek(replay.end)
        found = replay.view()
        assert found is not None
        assert replace(found, samples=()) == replace(views[-1], samples=())

    def test_a_cut_line_at_the_end_costs_itself(self, log: FlightLog) -> None:
        views = recorded.release().views[:10]
        for view in views:
            log.saw(view)
        log.close(30.0)
        log.path.write_bytes(log.path.read_bytes()[:-20])
        replay = Replay(*read_views(log.path))
        replay.seek(replay.end)
        assert replay.view() == views[-2]
