"""PURE: what repeats, in lines for people: told once, then counted, and the count told now and then.

Lines of JSON are not touched: programs get every record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from emqx_tui.headless.lines import words
from emqx_tui.headless.lines.events import Event, Record

COUNTED = frozenset({Event.COMMAND, Event.PROBLEM, Event.CLUSTER})
EVERY_S = 300.0
"""Cluster time between two lines of the same words."""
KEPT = 200
"""Different lines that are remembered."""


@dataclass(frozen=True)
class _Repeat:
    first_at: datetime
    told_at: datetime
    last: Record
    count: int = 1
    untold: int = 0


class Repeats:
    """The lines of one run."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], _Repeat] = {}

    def lines(self, record: Record) -> list[str]:
        """What to print for a record: nothing for one that was told a moment ago."""
        if record.event not in COUNTED:
            return [words.line(record)]
        key = (record.event, str(record.fields.get("source", "")), str(record.fields.get("text", "")))
        known = self._known.pop(key, None)
        if known is None:
            found = _Repeat(record.at, record.at, record)
        else:
            found = replace(known, last=record, count=known.count + 1, untold=known.untold + 1)
        is_due = known is None or (record.at - found.told_at).total_seconds() >= EVERY_S
        self._known[key] = replace(found, told_at=record.at, untold=0) if is_due else found
        forgotten = [self._known.pop(next(iter(self._known)))] if len(self._known) > KEPT else []
        told = [_told(each) for each in forgotten if each.untold]
        return [*told, _told(found)] if is_due else told

    def rest(self) -> list[str]:
        """The counts that were not told yet."""
        found = [_told(each) for each in self._known.values() if each.untold]
        self._known.clear()
        return found


def _told(repeat: _Repeat) -> str:
    if repeat.count == 1:
        return words.line(repeat.last)
    return f"{words.line(repeat.last)}  (x {repeat.count:,} since {words.clock(repeat.first_at)})"
