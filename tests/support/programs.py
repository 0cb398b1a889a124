"""The program as a person runs it: a process with a home of its own, its output, and what it leaves on the disk."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import emqx_tui

POLL_S = 0.02
SOURCES = Path(emqx_tui.__file__).parents[1]


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-P", "-m", "emqx_tui", *map(str, words)]


def environment(home: Path, **more: str) -> dict[str, str]:
    """Nothing of the environment of the tests but what a program needs to run; its files stay below `home`."""
    (home / "tmp").mkdir(exist_ok=True)
    own = {
        "TMPDIR": str(home / "tmp"),
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(SOURCES),
    }
    return {**own, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUNBUFFERED": "1", **more}


def wait_until(condition: Callable[[], object], what: str, *, within_s: float = 20.0, every_s: float = POLL_S) -> None:
    """Look until something is true; fails when it never is."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"no {what} within {within_s:g} s"
        time.sleep(every_s)


def left_on_disk(folder: Path) -> bytes:
    """Everything that was written below a folder: log file, flight log, whatever else."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def children(pid: int) -> list[int]:
    """Processes that this one started and that still run."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def run(words: Sequence[str | Path], home: Path, *, within_s: float = 30.0) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        command(*words), env=environment(home), capture_output=True, text=True, timeout=within_s, check=False
    )


class Headless:
    """A headless run that tells JSON lines: `with Headless([...], home) as driver:`."""

    def __init__(self, words: Sequence[str | Path], home: Path) -> None:
        self.told: list[dict[str, Any]] = []
        self.out = bytearray()
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._errors = (home / f"errors-{time.monotonic_ns()}").open("w+b")
        self.process = subprocess.Popen(
            command(*words), env=environment(home), stdout=subprocess.PIPE, stderr=self._errors
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Headless:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        if error is not None:
            # pytest shows it beside the failure: what the program said is the first question.
            print(
                f"exit code {self.process.returncode}; last output:",
                self.out[-30000:].decode(),
                self.errors(),
                sep="\n",
            )
        self._errors.close()

    def kill(self) -> None:
        """`kill -9`: nothing is said and nothing is cleaned up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def errors(self) -> str:
        self._errors.flush()
        self._errors.seek(0)
        return self._errors.read().decode()

    def until(
        self, is_it: Callable[[Mapping[str, Any]], object], what: str, *, within_s: float = 30.0
    ) -> dict[str, Any]:
        """The next line of which something is true; fails with what was told when none comes."""
        end = time.monotonic() + within_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                tail = "\n".join(json.dumps(told) for told in self.told[-8:])
                raise AssertionError(f"no {what} within {within_s:g} s:\n{tail}\n{self.errors()}") from None
            if not line:
                raise AssertionError(f"it ended before {what}:\n{self.told[-3:]}\n{self.errors()}")
            self.told.append(json.loads(line))
            if is_it(self.told[-1]):
                return self.told[-1]

    def until_event(self, event: str, *, within_s: float = 30.0, **fields: Any) -> dict[str, Any]:
        """The next line of this event with these fields."""
        wanted = {"event": event, **fields}
        return self.until(lambda told: wanted.items() <= told.items(), f"{wanted}", within_s=within_s)

    def end(self, *, within_s: float = 30.0) -> int:
        """The exit code; all lines are in `told` then."""
        self.until_event("finished", within_s=within_s)
        return self.process.wait(within_s)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.out += line
            self._lines.put(line)
        self._lines.put(b"")


def approve(driver: Headless, name: str, gate: str, flags: Sequence[str | Path], home: Path) -> None:
    """A person at a second terminal, who asks again while a busy machine lets the figures of a broker come late."""
    gate_id = f"node:{gate}" if gate.isdigit() else gate
    driver.until_event("gate", gate=gate_id, waits_for="person", within_s=60)
    end = time.monotonic() + 40
    while (answer := run(["approve", name, gate, *flags], home)).returncode != 0:
        assert time.monotonic() < end, answer.stdout + answer.stderr
    driver.until_event("approved", gate=gate_id)
