"""The merged log: what was missed, where one came late, and the newest lines; or, enlarged, all of them with their
commands, to scroll through.

Enlarged and scrolled back, the place that is read stays still while new lines come in.
"""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.rollout.log import long_log, short_log
from emqx_tui.ui.rollout.missed import missed_lines
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line, Tone, line


class EventLog(ViewBox):
    """`is_long` shows everything; `top` is the first line shown then, None = follow the end."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.is_long = False
        self.top: int | None = None
        self._all: list[Line] = []

    def enlarge(self, is_long: bool) -> None:
        """Everything, from its end; or the newest lines only."""
        self.is_long, self.top = is_long, None
        self.resized()

    def scroll(self, lines: int) -> None:
        """Move by so many lines, backwards when negative; reaching the end follows it again."""
        end = self._end(self.size.height)
        wanted = (end if self.top is None else self.top) + lines
        self.top = None if wanted >= end else max(0, wanted)
        self.resized()

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        if not self.is_long:
            missed = missed_lines(view, width, height - 1)
            return [*missed, *short_log(view.log, height - len(missed), width)]
        self._all = long_log(view.log, width)
        top = self._end(height) if self.top is None else self.top
        shown = self._all[top : top + height - 1]
        return [self._title(top, len(shown)), *shown]

    def _end(self, height: int) -> int:
        return max(0, len(self._all) - (height - 1))

    def _title(self, top: int, shown: int) -> Line:
        place = f"lines {top + 1} to {top + shown} of {len(self._all)}" if self._all else "empty"
        back = "   scrolled back: end follows again" if self.top is not None else ""
        keys = (
            ("up down pageup pagedown home end", Tone.KEY),
            (" move   ", Tone.DIM),
            ("l", Tone.KEY),
            (" closes", Tone.DIM),
        )
        return line((f" LOG {place}{back}   ", Tone.DIM), *keys)
