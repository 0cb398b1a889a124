"""The merged log: the newest lines, or, enlarged, all of them with their commands, to scroll through.

Enlarged and scrolled back, the place that is read stays still while new lines come in.
"""

from __future__ import annotations

from emqx_tui.session.view import LogLine, View
from emqx_tui.ui.present_log import long_log, short_log
from emqx_tui.ui.spans import Line, Tone, line
from emqx_tui.ui.widgets.line_box import LineBox


class EventLog(LineBox):
    """`is_long` shows everything; `top` is the first line shown then, None = follow the end."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.is_long = False
        self.top: int | None = None
        self._entries: tuple[LogLine, ...] = ()
        self._all: list[Line] = []

    def show(self, view: View) -> None:
        self._entries = view.log
        self._update()

    def enlarge(self, is_long: bool) -> None:
        """Everything, from its end; or the newest lines only."""
        self.is_long, self.top = is_long, None
        self._update()

    def scroll(self, lines: int) -> None:
        """Move by so many lines, backwards when negative; reaching the end follows it again."""
        end = self._end()
        wanted = (end if self.top is None else self.top) + lines
        self.top = None if wanted >= end else max(0, wanted)
        self._update()

    def _end(self) -> int:
        return max(0, len(self._all) - self._room())

    def _room(self) -> int:
        return max(1, self.size.height - 1)

    def _update(self) -> None:
        width, height = self.size
        if not self.is_long:
            self.set_lines(short_log(self._entries, height, width))
            return
        self._all = long_log(self._entries, width)
        top = self._end() if self.top is None else self.top
        self.set_lines([self._title(top), *self._all[top : top + self._room()]])

    def _title(self, top: int) -> Line:
        last = min(len(self._all), top + self._room())
        place = f"{top + 1} to {last} of {len(self._all)}" if self._all else "empty"
        where = "newest" if self.top is None else "scrolled back"
        return line((f" LOG {place}, {where}   up/down, page up/down, home/end   l or esc closes", Tone.DIM))
