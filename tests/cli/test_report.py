"""`emqx-tui report`: forms, names of clusters, and one line for whatever is no recording."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emqx_tui.adapters.machine.flight_log import FlightLog
from emqx_tui.cli import main
from emqx_tui.cli.commands.report import REPORTS, write_report
from emqx_tui.rollout.telling.flight_records import journal_fields
from tests.support import releases


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for kind in ("state", "config"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path / kind))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A release, and a later recording of the same cluster without one."""
    journal = releases.draining().journal
    assert journal is not None
    folder = tmp_path / "state" / "emqx-tui"
    for hour, event in ((12, "release"), (13, "notice")):
        log = FlightLog(folder, journal.namespace, "emqx-ee", started_at=datetime(2026, 11, 23, hour, tzinfo=UTC))
        fields = journal_fields(journal) if event == "release" else {"text": "nothing"}
        log.record(event, {"at": journal.created_at, **fields})
        log.close(10.0)
    return next(folder.glob("*T12*.jsonl"))


def test_each_form_is_printed(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(recording)]) == 0
    assert capsys.readouterr().out.startswith("# EMQX release report: ")
    assert main(["report", str(recording), "-o", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
    assert main(["report", str(recording), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "emqx-ee"


def test_the_name_of_a_cluster_takes_its_newest_recording_of_a_release(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "emqx-ee", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["release_id"] is not None
    assert main(["report", "emqx-ee", "-n", told["namespace"]]) == 0
    capsys.readouterr()
    assert main(["report", "emqx-ee", "-n", "elsewhere"]) == 2
    assert capsys.readouterr().err.endswith("of a release of that cluster in namespace elsewhere\n")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\n", b'{"event":"recording","schema":99}\n'])
def test_what_is_no_recording_is_one_line_and_two(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(content)
    for file in (path, tmp_path / "none.jsonl", tmp_path, "emqx"):
        assert main(["report", str(file)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("emqx-tui report: ")
        assert told.err.count("\n") == 1


def test_a_replay_needs_a_terminal_and_screens(
    recording: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["replay", str(recording)]) == 2
    assert "needs a terminal" in capsys.readouterr().err
    monkeypatch.setattr("emqx_tui.cli.commands.replay.has_terminal", lambda: True)
    for file, words in ((str(recording), "has no screens"), ("other", "no file 'other'")):
        assert main(["replay", file]) == 2
        assert words in capsys.readouterr().err


def test_two_recordings_are_compared(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(recording), str(recording), "-o", "json"]) == 0
    figures = {row["figure"]: row for row in json.loads(capsys.readouterr().out)["figures"]}
    rate = figures["evictions a second and node"]
    assert (rate["a"], rate["b"], rate["b_less_a"]) == (200, 200, 0)
    assert figures["result"]["a"] is None
    assert figures["duration"]["b_less_a"] is None
    assert main(["compare", str(recording), "emqx-ee"]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0].split() == ["A", "B", "B", "less", "A"]
    assert "emqx/emqx-ee:4.4.15" in text
    assert main(["compare", str(recording), "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("emqx-tui compare: ")


def test_the_console_writes_the_page_beside_the_recording(recording: Path) -> None:
    journal = releases.draining().journal
    assert journal is not None
    told = write_report(recording.parent, journal.namespace, "emqx-ee", journal.release_id)
    (path,) = recording.parent.glob("report-*.html")
    assert told == f"the report is in {path}"
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_page_is_of_the_release_on_the_screen_whatever_a_cluster_of_the_same_name_does(recording: Path) -> None:
    journal = releases.draining().journal
    assert journal is not None
    newer = recording.with_name("flight-newer.jsonl")
    newer.write_text(recording.read_text().replace(journal.release_id, "0123456789ab"))
    os.utime(recording, (1, 1))
    assert write_report(recording.parent, journal.namespace, "emqx-ee", journal.release_id).startswith("the report is")
    (path,) = recording.parent.glob("report-*.html")
    assert journal.release_id in path.read_text()
    assert "0123456789ab" not in path.read_text()
    told = write_report(recording.parent, journal.namespace, "emqx-ee", "ba9876543210")
    assert told == "no report: nothing of this release is recorded yet"


def test_old_reports_go_first_and_nothing_else_goes(recording: Path) -> None:
    journal = releases.draining().journal
    assert journal is not None
    others = {recording.name, *(file.name for file in recording.parent.iterdir())}
    old = [recording.parent / f"report-n-x-{number}.html" for number in range(REPORTS + 5)]
    for number, file in enumerate(old):
        file.write_text("")
        os.utime(file, (number, number))
    assert write_report(recording.parent, journal.namespace, "emqx-ee", journal.release_id).startswith(
        "the report is in "
    )
    left = {file.name for file in recording.parent.iterdir()}
    assert len(left - others) == REPORTS
    assert others < left
    assert not left & {file.name for file in old[:6]}


def test_what_keeps_it_from_being_written_is_one_line(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_report(recording.parent, "elsewhere", "emqx-ee", "") == (
        "no report: nothing of this release is recorded yet"
    )
    journal = releases.draining().journal
    assert journal is not None

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "the file")

    monkeypatch.setattr(os, "open", full)
    told = write_report(recording.parent, journal.namespace, "emqx-ee", journal.release_id)
    assert told == "no report: No space left on device: the file"
