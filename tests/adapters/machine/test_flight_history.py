"""What a flight log has counted of a release is read back: bounded, whatever a crash or somebody else left there."""

from __future__ import annotations

import queue
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.adapters.machine import flight_history
from emqx_tui.adapters.machine.flight_history import recorded_samples
from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.model.series import Sample

START = datetime(2026, 11, 23, 6, 40, 41, tzinfo=UTC)
PREFIX = "flight-mqtt-emqx-ee-"


def counted(second: float, **fields: Any) -> dict[str, Any]:
    at = (START + timedelta(seconds=second)).isoformat()
    nodes = [["emqx-ee-0", 10], ["emqx-token-1", 20]]
    return {"at": at, "uid": "u1", "release_id": "r1", "blue": 30, "green": None, "nodes": nodes, **fields}


def written(folder: Path, *records: dict[str, Any], started_s: float = 0) -> Path:
    log = FlightLog(folder, "mqtt", "emqx-ee", started_at=START + timedelta(seconds=started_s))
    for record in records:
        log.record("counted", record)
    log.close(5)
    return log.path


def seconds(folder: Path) -> list[float]:
    found = recorded_samples(folder, PREFIX, "u1", "r1")
    return [(sample.at - START).total_seconds() for sample in found]


def test_what_was_counted_comes_back_from_every_log_of_the_release_in_order(tmp_path: Path) -> None:
    written(tmp_path, counted(100), counted(105), started_s=50)
    written(tmp_path, counted(0), counted(5))
    log = FlightLog(tmp_path, "mqtt", "emqx-ee")
    told: queue.Queue[tuple[Sample, ...]] = queue.Queue()
    log.recall("u1", "r1", told.put)
    found = told.get(timeout=10)
    assert found[0] == Sample(START, 30, None, {"emqx-ee-0": 10, "emqx-token-1": 20})
    assert [(sample.at - START).total_seconds() for sample in found] == [0, 5, 100, 105]


def test_other_releases_objects_and_clusters_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, counted(0), counted(5, release_id="r2"), counted(10, uid="u2"), {"text": "about r1"})
    other = FlightLog(tmp_path, "mqtt", "another", started_at=START)
    other.record("counted", counted(15))
    other.close(5)
    assert seconds(tmp_path) == [0]


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_half_last_line_costs_one_count(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path, counted(0), counted(5), counted(10))
    path.write_bytes(path.read_bytes()[:-cut])
    assert seconds(tmp_path) == ([0, 5, 10] if cut == 1 else [0, 5])


@pytest.mark.parametrize(
    "spoilt",
    [
        {"at": "yesterday"},
        {"at": "2026-11-23T06:40:46"},
        {"blue": -1},
        {"blue": "30"},
        {"green": True},
        {"nodes": {"a": 1}},
        {"nodes": [["a", None]]},
        {"nodes": None},
    ],
    ids=str,
)
def test_what_cannot_be_a_count_is_left_out(tmp_path: Path, spoilt: dict[str, Any]) -> None:
    written(tmp_path, counted(0), counted(5, **spoilt))
    assert seconds(tmp_path) == [0]


def test_binary_junk_links_and_folders_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, counted(0))
    with path.open("ab") as file:
        file.write(b'\xff\x00 r1 "counted" \n[1]\n{"event":"counted","x":"r1"}\n')
    (tmp_path / f"{PREFIX}1.jsonl").symlink_to(path)
    (tmp_path / f"{PREFIX}2.jsonl").mkdir()
    assert seconds(tmp_path) == [0]
    assert recorded_samples(tmp_path / "nowhere", PREFIX, "u1", "r1") == ()


def test_no_more_is_read_than_allowed_and_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    older, newer = written(tmp_path, counted(0)), written(tmp_path, counted(100), started_s=100)
    os.utime(older, (1, 1))
    monkeypatch.setattr(flight_history, "READ_BYTES", newer.stat().st_size)
    assert seconds(tmp_path) == [100]
