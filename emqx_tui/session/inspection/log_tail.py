"""PURE: the newest lines of a log, bounded, redacted, without what a terminal would obey."""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime

from emqx_tui.model.wire import clean
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.session.inspection.questions import LogExcerpt

MOST_LINES, LINE_CHARACTERS = 5_000, 2_000
_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?")


class LogTail:
    """Takes lines as the kubelet sends them with `timestamps=true`; lines that were taken before are left out."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self._lines: deque[str] = deque(maxlen=most)
        self._taken = 0
        self.last_stamp = ""
        """Of the newest line, as the kubelet wrote it; empty before."""
        self._resumed_at = ""

    def resume(self) -> None:
        """The same log is read again from the last stamp on."""
        self._resumed_at = self.last_stamp

    def take(self, raw: str) -> None:
        """Keep one line."""
        found = _STAMP.match(raw)
        stamp, text = (found[1], raw[found.end() :]) if found else ("", raw)
        if stamp and self._resumed_at and not _is_later(stamp, self._resumed_at):
            return
        self.last_stamp = stamp or self.last_stamp
        self._lines.append(readable(text))
        self._taken += 1

    def excerpt(self, *, is_followed: bool) -> LogExcerpt:
        """What is kept now."""
        return LogExcerpt(tuple(self._lines), self._taken - len(self._lines), is_followed)


def readable(text: str) -> str:
    """A line as it may be shown."""
    return redact_text(clean(_ANSI.sub("", text[: 2 * LINE_CHARACTERS])))[:LINE_CHARACTERS]


def _is_later(stamp: str, other: str) -> bool:
    """Nine digits of a second are compared as text: a datetime holds six."""
    seconds, parts = zip(*(_split(each) for each in (stamp, other)), strict=True)
    return (seconds[0], parts[0]) > (seconds[1], parts[1])


def _split(stamp: str) -> tuple[datetime, str]:
    found = re.fullmatch(r"([^.Z+]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", stamp)
    if found is None:
        return datetime.fromisoformat(stamp.replace("Z", "+00:00")), ""
    return datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")), (found[2] or "").ljust(9, "0")
