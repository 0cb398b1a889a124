"""The merged log: what was missed, where one came late, and the newest lines; or, enlarged, all of them, to move
through with a mark, to search, and to look at the command of the marked one.

Enlarged and moved back, the log stands still as it was: what is read does not move when new lines come in.
"""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.model import units
from emqx_tui.session.views.view import LogLine, View
from emqx_tui.ui.rollout.log import long_entry, selected, short_log
from emqx_tui.ui.rollout.missed import missed_lines
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line, Span, Tone, line

KEYS = (("search_log", "search"), ("warnings", "warnings"), ("command", "command"), ("log", "closes"))


class EventLog(ViewBox):
    """`is_long` shows everything; `words` and `is_warnings_only` leave lines out of it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.is_long = False
        self.is_warnings_only = False
        self.words = ""
        self._still: tuple[LogLine, ...] | None = None
        """The log as it was when the mark left its end; None = the newest lines are followed."""
        self._marked = 0
        self._opened: LogLine | None = None
        self._top = 0

    def enlarge(self, is_long: bool) -> None:
        """Everything, from its end; or the newest lines only."""
        self.is_long, self.is_warnings_only, self.words, self._opened = is_long, False, "", None
        self._follow()

    def search(self, words: str) -> None:
        self.words = words
        self._follow()

    def toggle_warnings(self) -> None:
        self.is_warnings_only = not self.is_warnings_only
        self._follow()

    def move(self, entries: int) -> None:
        """Move the mark by so many entries, backwards when negative; its end is followed again."""
        shown = self._shown()
        wanted = self._mark(shown) + entries
        if wanted >= len(shown) - 1:
            self._follow()
            return
        self._stand_still()
        self._marked = max(0, wanted)
        self.resized()

    def toggle_command(self) -> None:
        """Show the command of the marked entry, or hide it."""
        shown = self._shown()
        if not shown:
            return
        entry = shown[self._mark(shown)]
        self._marked = self._mark(shown)
        self._stand_still()
        self._opened = None if self._opened == entry else entry
        self.resized()

    def _follow(self) -> None:
        self._still = None
        self.resized()

    def _stand_still(self) -> None:
        if self._still is None and self._view is not None:
            self._still = self._view.log

    def _mark(self, shown: Sequence[LogLine]) -> int:
        last = max(0, len(shown) - 1)
        return last if self._still is None else min(self._marked, last)

    def _shown(self) -> tuple[LogLine, ...]:
        entries = self._still if self._still is not None else self._view.log if self._view else ()
        return selected(entries, self.words, is_warnings_only=self.is_warnings_only)

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        if not self.is_long:
            missed = missed_lines(view, width, height - 1)
            return [*missed, *short_log(view.log, height - len(missed), width)]
        shown = self._shown()
        mark, rows, begins = self._mark(shown), height - 1, []
        lines: list[Line] = []
        for number, entry in enumerate(shown):
            begins.append(len(lines))
            lines += long_entry(entry, width, is_marked=number == mark, is_opened=entry == self._opened)
        begins.append(len(lines))
        if shown:
            self._top = min(max(self._top, begins[mark + 1] - rows), begins[mark])
        self._top = max(0, min(self._top, len(lines) - rows))
        return [self._title(view, shown, mark, width), *lines[self._top : self._top + rows]]

    def _title(self, view: View, shown: Sequence[LogLine], mark: int, width: int) -> Line:
        place = f"line {units.count(mark + 1)} of {units.count(len(shown))}" if shown else "no line"
        only = " · warnings only" if self.is_warnings_only else ""
        words = f" · {self.words}" if self.words else ""
        newer = " · newer lines: end" if self._still is not None and self._still != view.log else ""
        keys = [Span("   ", Tone.DIM)]
        for action, label in KEYS:
            keys += [Span(spelled(Area.ROLLOUT, action), Tone.KEY), Span(f" {label}  ", Tone.DIM)]
        return line((f" LOG {place}{only}{words}{newer}", Tone.STRONG), *keys)
