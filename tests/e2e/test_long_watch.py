"""Hours of the cluster before an open console: its memory does not grow with them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import children, command, environment
from tests.support.terminal import Terminal

SPEED = 600
WARM_S, WATCHED_S = 5.0, 12.0
"""Wall time: caches fill; then two hours of the cluster pass."""
GROWTH_MIB = 12.0


def memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


@pytest.mark.timeout(90)
def test_an_open_console_keeps_its_size(tmp_path: Path) -> None:
    words = command("demo", "--clients", "3000", "--speed", SPEED)
    with Terminal(words, columns=120, rows=40, environment=environment(tmp_path)) as terminal:
        Person(terminal).find()
        terminal.press("enter")
        terminal.until_shown("connected")
        (sandbox,) = children(terminal.pid)
        _watch(terminal, WARM_S)
        before = memory_mib(terminal.pid), memory_mib(sandbox)
        _watch(terminal, WATCHED_S)
        after = memory_mib(terminal.pid), memory_mib(sandbox)
        print(f"console {before[0]:.1f} -> {after[0]:.1f} MiB, sandbox {before[1]:.1f} -> {after[1]:.1f} MiB")
        assert after[0] - before[0] < GROWTH_MIB
        # Its memory of changes fills within about three hours of its time, and is bounded by then.
        assert after[1] - before[1] < 2 * GROWTH_MIB
        terminal.until_shown("3,000 clients")


def _watch(terminal: Terminal, seconds: float) -> None:
    """Look on; what is waited for is time itself."""
    end = time.monotonic() + seconds
    terminal.until(lambda: time.monotonic() >= end, within_s=seconds + 5)
