"""Standard output of a headless run.

Owns the one thread that writes: a pipe or a terminal that stops reading must not stop the loop in which a release is
driven. Lines wait in memory until they can be written; when too many wait, progress lines are left out. A reader that
is gone ends the writing, not the release. What is still unwritten at the end is waited for, up to a limit.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from emqx_tui.headless.lines import words
from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.repeats import Repeats

MANY_LINES = 2_000
FLUSH_S = 30.0


class Format(StrEnum):
    TEXT = "text"
    JSONL = "jsonl"


def write_to(descriptor: int) -> Callable[[str], None]:
    """Writes all of a text to a file descriptor, however often that takes. Raises OSError."""

    def write(text: str) -> None:
        left = text.encode("utf-8", "replace")
        while left:
            left = left[os.write(descriptor, left) :]

    return write


class Output:
    """`tell` records while the run lasts, `finish` with the last one."""

    def __init__(self, form: Format, write: Callable[[str], None]) -> None:
        self.form = form
        self._write = write
        self._repeats = Repeats()
        self._told_at: datetime | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        """None ends the thread."""
        self.is_complete = False
        """Everything up to the last line has been written; known once it is closed."""
        self._thread = threading.Thread(target=self._write_all, name="output", daemon=True)
        self._thread.start()

    def tell(self, record: Record) -> None:
        """Queue a record. Never blocks."""
        if record.event is Event.PROGRESS and self._lines.qsize() > MANY_LINES:
            return
        record = self._in_order(record)
        if self.form is Format.JSONL:
            self.say(record.dumps())
            return
        for line in self._repeats.lines(record):
            self.say(line)
        if record.event is Event.PLAN:
            for difference in words.differences(record.to_json()):
                self.say(difference)

    def _in_order(self, record: Record) -> Record:
        """No record goes back in time: what became known late bears the time of the one before it."""
        self._told_at = max(record.at, self._told_at or record.at)
        return replace(record, at=self._told_at)

    def say(self, line: str) -> None:
        """Queue a line as it is. Never blocks."""
        self._lines.put(line + "\n")

    def finish(self, record: Record) -> None:
        """The last record: in text a sentence before it, in both formats a line of JSON as the last one."""
        record = self._in_order(record)
        if self.form is Format.TEXT:
            for line in (*self._repeats.rest(), words.line(record)):
                self.say(line)
        self.say(record.dumps())
        self.close()

    def close(self) -> None:
        """Wait until everything is written, but not for ever."""
        self._lines.put(None)
        self._thread.join(FLUSH_S)

    def _write_all(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while (line := self._lines.get()) is not None:
                self._write(line)
            self.is_complete = True
