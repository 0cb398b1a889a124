"""A console on a pseudo-terminal, and what it costs: bytes written, CPU taken, memory held, until a key is answered.

CPU is the process's own time as the kernel counts it, so that other work on the machine does not change it much.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import environment
from tests.support.terminal import Terminal

SYNC_QUESTION, SYNC_ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
QUIET_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_mib(pid: int) -> float:
    """Memory that a process has in RAM."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@dataclass(frozen=True)
class Cost:
    """Of a stretch of time."""

    bytes_per_s: float
    cpu: float
    """Part of one core."""
    memory_mib: float
    frames_per_s: float


class Console(Terminal):
    """`with Console(words, home, columns=80, rows=24) as console:`, on a terminal with synchronised output."""

    def __init__(self, words: Sequence[str], home: Path, *, columns: int, rows: int) -> None:
        super().__init__(words, columns=columns, rows=rows, environment=environment(home))
        self._has_answered = False

    def _take(self, found: bytes) -> None:
        super()._take(found)
        if not self._has_answered and SYNC_QUESTION in self.raw:
            self._has_answered = True
            os.write(self._master, SYNC_ANSWER)

    def cost_of(self, seconds: float) -> Cost:
        """Look on for so long."""
        begun, cpu, written = time.monotonic(), cpu_s(self.pid), len(self.raw)
        while time.monotonic() - begun < seconds:
            self.read(0.2)
        wall = time.monotonic() - begun
        fresh = bytes(self.raw[written:])
        return Cost(
            len(fresh) / wall,
            (cpu_s(self.pid) - cpu) / wall,
            memory_mib(self.pid),
            fresh.count(b"\x1b[?2026h") / wall,
        )

    def answer_ms(self, key: str) -> float:
        """From a key to the first bytes after it, once the terminal has been quiet for a moment."""
        while select.select([self._master], [], [], QUIET_S)[0]:
            self.read(QUIET_S)
        begun = time.perf_counter()
        os.write(self._master, key.encode())
        select.select([self._master], [], [], 5.0)
        return (time.perf_counter() - begun) * 1000
