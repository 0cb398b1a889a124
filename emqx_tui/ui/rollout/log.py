"""PURE: the merged log as lines: what the cluster told and what we did, by time, an action's command on demand."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.model import units
from emqx_tui.session.views.view import LogLine, LogSource
from emqx_tui.ui.text.glyphs import ALARM
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Span, Tone, crop, line, width, wrap

_TONES = {
    LogSource.OPERATOR: Tone.BLUE,
    LogSource.KUBERNETES: Tone.BLUE,
    LogSource.EMQX: Tone.GREEN,
    LogSource.YOU: Tone.STRONG,
    LogSource.CONSOLE: Tone.STRONG,
    LogSource.JOURNAL: Tone.PLAIN,
}
_SOURCE = 10
COMMAND_FROM = 100
"""From this width on a command stands beside its action; below, it is in the enlarged log only."""


def short_log(entries: Sequence[LogLine], rows: int, cells: int) -> list[Line]:
    """The newest `rows` lines, oldest first, each on one line."""
    newest = entries[-rows:] if rows > 0 else ()
    return [_short(entry, cells) for entry in newest]


def _short(entry: LogLine, cells: int) -> Line:
    told = _told(entry)
    if not entry.command or cells < COMMAND_FROM:
        return crop(told, cells)
    room = cells - max(width(told), cells // 2) - 2
    if room < 20:
        return crop(told, cells)
    left = crop(told, cells - room - 2)
    gap = cells - room - width(left)
    return (*left, Span(" " * gap), *crop(line((clean(entry.command), Tone.DIM)), room))


def long_entry(entry: LogLine, cells: int, *, is_marked: bool = False, is_opened: bool = False) -> list[Line]:
    """One entry whole, wrapped; opened with its command below it, to be read and repeated."""
    at, source, *told = _told(entry)
    mark = Span("▸", Tone.KEY) if is_marked else Span(" ")
    begin = (mark, Span(at.text.strip(), at.tone), Span(" "), source, Span(" "))
    indent = Span(" " * width(begin))
    room = max(20, cells - len(indent.text))
    head, *more = wrap(tuple(told), room)
    lines: list[Line] = [(*begin, *head), *((indent, *rest) for rest in more)]
    if entry.command and is_opened:
        lines += [(indent, *rest) for rest in wrap(line((f"$ {clean(entry.command)}", Tone.DIM)), room)]
    return lines


def selected(entries: Sequence[LogLine], wanted: str, *, is_warnings_only: bool = False) -> tuple[LogLine, ...]:
    """The entries that contain every word, and none that begins with `!`, in what is told or in their command."""
    words = wanted.lower().split()
    return tuple(e for e in entries if (e.is_alarm or not is_warnings_only) and _contains(e, words))


def _contains(entry: LogLine, words: Sequence[str]) -> bool:
    text = f"{units.clock(entry.at)} {entry.source} {entry.text} {entry.command}".lower()
    return all((word[1:] not in text or word == "!") if word[0] == "!" else word in text for word in words)


def _told(entry: LogLine) -> Line:
    source = entry.source.value.ljust(_SOURCE)
    tone = Tone.WARN if entry.is_alarm else Tone.PLAIN
    sign = f"{ALARM} " if entry.is_alarm else ""
    at = (f" {units.clock(entry.at)} ", Tone.DIM)
    told = (f" {sign}{clean(entry.text)}", tone)
    repeats = f"  x {units.count(entry.count)} since {units.clock(entry.began_at)}" if entry.count > 1 else ""
    return line(at, (source, _TONES[entry.source]), told, (repeats, Tone.STRONG))
