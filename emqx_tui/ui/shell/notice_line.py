"""The last answer, in rows of its own above the key line, for some seconds.

Never a box that floats over the screen: what it would cover may be what a person reads before approving. Where a screen
has rows to give, they are taken from what scrolls; on the rollout screen the newest rows of the log are covered, which
say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.widgets import Static

from emqx_tui.ui.text import paint
from emqx_tui.ui.text.glyphs import ALARM
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Span, Tone, crop, line, wrap

Severity = Literal["information", "warning", "error"]
MOST_ROWS = 2
"""The rollout screen's log has at least as many."""
STANDS_S: dict[Severity, float] = {"information": 6.0, "warning": 10.0, "error": 10.0}
_TONES: dict[Severity, Tone] = {"information": Tone.STRONG, "warning": Tone.WARN, "error": Tone.BAD}


@dataclass(frozen=True)
class Notice:
    """One answer, told once."""

    text: str
    severity: Severity = "information"

    @property
    def line(self) -> Line:
        """The answer with its sign."""
        sign = "▸" if self.severity == "information" else ALARM
        return line((f"{sign} {clean(self.text)}", _TONES[self.severity]))


def notice_lines(notice: Notice, cells: int, rows: int = MOST_ROWS) -> list[Line]:
    """The answer in at most so many rows; a cut is marked."""
    wrapped = wrap(notice.line, max(1, cells))
    if len(wrapped) <= rows:
        return wrapped
    rest = [span for spans in wrapped[rows - 1 :] for span in (Span(" "), *spans)]
    return [*wrapped[: rows - 1], crop(tuple(rest[1:]), cells)]


class NoticeLine(Static):
    """Shows the newest answer; nothing at all while there is none."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.notice: Notice | None = None

    def show(self, notice: Notice | None) -> None:
        """Show this answer, or none."""
        self.notice = notice
        self.display = notice is not None
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        cells = self.screen.size.width - 2
        self.update(paint.content(*(notice_lines(self.notice, cells) if self.notice else ())))
