"""Standard output that cannot be written, and a state folder that cannot: one line, and the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.cli import main
from emqx_tui.cli.commands import rollout
from emqx_tui.cli.standard_output import OutputLost
from emqx_tui.config import load_settings


def run(folder: Path, redirection: str, *argv: str) -> tuple[int, str]:
    """Exit code and standard error of a command whose standard output is redirected by a shell."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    words = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "emqx_tui", *argv]
    done = subprocess.run(words, env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("argv", [["version"], ["info"], ["info", "-o", "json"]], ids=" ".join)
@pytest.mark.parametrize(("redirection", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
def test_output_that_cannot_be_written(tmp_path: Path, argv: list[str], redirection: str, why: str) -> None:
    code, told = run(tmp_path, redirection, *argv)
    assert code == 1
    assert f"cannot write to standard output: {why}\n" in told
    assert told.count("\n") == 1


def test_help_that_cannot_be_written(tmp_path: Path) -> None:
    code, told = run(tmp_path, ">/dev/full", "--help")
    assert (code, told.count("\n")) == (1, 1)


def test_a_log_file_never_becomes_standard_output(tmp_path: Path) -> None:
    run(tmp_path, ">&-", "info", "--log-level", "debug", "--log-file", str(tmp_path / "log"))
    assert "log_level" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("argv", "code"), [(["info"], 0), (["hold", "x"], 2)])
def test_a_state_folder_that_cannot_be_written(
    argv: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nowhere")
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    assert main(argv) == code
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "cannot write the log file /proc/nowhere/emqx-tui/emqx-tui.log" in told.err
    assert bool(told.out) is (code == 0)


def test_a_release_whose_last_line_is_lost_does_not_leave_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(rollout, "write_to", lambda descriptor: gone)
    monkeypatch.setattr(rollout, "run_until_signal", lambda work, timeout_s: 0)
    options: Any = None
    with pytest.raises(OutputLost, match="the release is done, its last line is lost"):
        rollout.run_rollout_command("emqx-ee", options, load_settings({}, {}), "text")
