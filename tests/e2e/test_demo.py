"""`emqx-tui demo` as a process: to the end without a terminal, at once with one, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE_S = 60
COMMAND = [sys.executable, "-m", "emqx_tui", "demo", "--clients", "600"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    own = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    return {**os.environ, **own, "TERM": "xterm-256color"}


def sandboxes_of(parent: int) -> list[int]:
    """Process ids of the sandboxes that were started for this parent."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if b"sandbox" in words and [b"--parent-pid", str(parent).encode()] in _pairs(words):
                    found.append(int(folder.name))
    return found


def _pairs(words: list[bytes]) -> list[list[bytes]]:
    return [words[index : index + 2] for index in range(len(words))]


def until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, what
        # The process table tells of no change by itself: look again soon.
        select.select([], [], [], 0.05)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.mark.parametrize("form", ["text", "jsonl"])
async def test_without_a_terminal_it_runs_a_release_and_leaves_nothing(
    form: str, environment: dict[str, str], tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *(["-o", "jsonl"] if form == "jsonl" else []),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    out, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert errors == b""
    assert process.returncode == 0
    lines = out.decode().splitlines()
    assert any("MQTT clients: 127.0.0.1:" in line for line in lines[:5])
    last = json.loads(lines[-1])
    assert {**last, "at": "", "release_id": ""} == {
        "schema": 1,
        "at": "",
        "release_id": "",
        "event": "finished",
        "result": "done",
        "from": "4.4.14",
        "to": "4.4.15",
        "duration_s": last["duration_s"],
        "drain_s": last["drain_s"],
        "limit_s": last["limit_s"],
        "disconnects_per_client": last["disconnects_per_client"],
        "clients_lost": 0,
        "lowest_sum_ratio": last["lowest_sum_ratio"],
        # At this speed a busy half second is fifteen of the demo's, and is told.
        "uncounted": last["uncounted"],
        "disconnects_at_least": last["disconnects_at_least"],
        "cut_by_canary": 0,
        "sessions_left": 0,
        "early_clients": last["early_clients"],
    }
    assert last["limit_s"] == pytest.approx(600 / 200 + 5, abs=0.2)
    assert 0.9 < last["disconnects_per_client"] < 1.1
    assert last["drain_s"] < last["duration_s"]
    if form == "jsonl":
        assert {"plan", "approved", "command", "progress"} <= {json.loads(line)["event"] for line in lines}
    assert sandboxes_of(process.pid) == []
    assert not [name for name in os.listdir(tmp_path) if name.startswith("emqx-tui-")]


def test_kill_9_of_the_demo_takes_the_sandbox_along(environment: dict[str, str], tmp_path: Path) -> None:
    with started([*COMMAND, "--speed", "1"], environment) as process:
        until(lambda: bool(sandboxes_of(process.pid)), "no sandbox was started")
        (sandbox,) = sandboxes_of(process.pid)
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()
        process.wait()
        until(lambda: is_gone(sandbox), "the sandbox outlives the demo")
        assert not list(tmp_path.glob("emqx-tui-*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_last_line_and_no_sandbox(
    number: signal.Signals, code: int, environment: dict[str, str]
) -> None:
    with started([*COMMAND, "--speed", "1", "-o", "jsonl"], environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "started":
                break
        (sandbox,) = sandboxes_of(process.pid)
        process.send_signal(number)
        last = process.stdout.readlines()[-1]
        assert process.wait(DEADLINE_S) == code
        assert json.loads(last)["result"] == "waiting"
        until(lambda: is_gone(sandbox), "the sandbox outlives the demo")


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_with_a_terminal_the_console_opens_before_the_sandbox_serves(environment: dict[str, str]) -> None:
    screen = Screen([*COMMAND], environment)
    try:
        screen.read_until(b"sandbox")
        screen.read_until(b"emqx-ee")
        (sandbox,) = sandboxes_of(screen.pid)
        screen.write(b"q")
        assert screen.wait() == 0
        until(lambda: is_gone(sandbox), "the sandbox outlives the console")
    finally:
        screen.close()


class Screen:
    """A program on a pseudo-terminal of 80x24."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._seen = b""
        self._code: int | None = None

    def read_until(self, words: bytes) -> None:
        """Read until these words have been drawn."""
        deadline = time.monotonic() + DEADLINE_S
        while words not in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", self._seen):
            assert time.monotonic() < deadline, words
            self._seen += self._read()

    def write(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def wait(self) -> int:
        """Read to the end; the exit code."""
        with contextlib.suppress(OSError):
            while self._read():
                pass
        self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def close(self) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def _read(self) -> bytes:
        return os.read(self._terminal, 65_536)


def test_settings_about_other_clusters_do_not_reach_the_sandbox(environment: dict[str, str], tmp_path: Path) -> None:
    elsewhere = {"EMQX_TUI_NAMESPACE": "elsewhere", "EMQX_TUI_CONTEXT": "prod", "KUBECONFIG": str(tmp_path / "none")}
    with started([*COMMAND, "-o", "jsonl"], {**environment, **elsewhere}) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readlines()[-1])["result"] == "done"
        assert process.wait(DEADLINE_S) == 0
