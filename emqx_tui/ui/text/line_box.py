"""A box of toned lines that repaints only the lines that changed.

Textual repaints a whole widget on `refresh()`; over a slow link that is most of the traffic. So lines are kept as
strips, compared, and the differing ones alone are drawn. Text is drawn as it is: nothing here parses markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from emqx_tui.session.views.view import View
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.spans import Line, crop


class LineBox(Widget):
    """Lines, the first one on top; what does not fit below is not shown."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._strips: list[Strip] = []
        self._drawn: dict[Line, Strip] = {}
        """What the lines of the last drawing look like: a line that is there again is not made anew."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown."""
        return self._lines

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines from now on."""
        fresh = tuple(lines)
        if fresh != self._lines or not self._strips:
            self._lines = fresh
            self._draw()

    def _visible(self) -> Sequence[Line]:
        return self._lines[: self.size.height]

    def _draw(self) -> None:
        lines = self._visible()
        self._drawn = {spans: self._drawn.get(spans) or self._strip(spans) for spans in lines}
        self.swap([self._drawn[spans] for spans in lines])

    def swap(self, strips: list[Strip]) -> None:
        """Take new strips and repaint those rows that differ."""
        old, self._strips = self._strips, strips
        width, height = self.size
        if not self.is_attached or width == 0:
            return
        blank = Strip([])
        changed = [
            Region(0, row, width, 1)
            for row in range(min(height, max(len(old), len(strips))))
            if (old[row] if row < len(old) else blank) != (strips[row] if row < len(strips) else blank)
        ]
        if changed:
            self.refresh(*changed)

    def _strip(self, spans: Line) -> Strip:
        return Strip(paint.segments(crop(spans, self.size.width), self.app.theme_variables))

    def render_line(self, y: int) -> Strip:
        style, width = self.rich_style, self.size.width
        if y >= len(self._strips):
            return Strip.blank(width, style)
        return self._strips[y].extend_cell_length(width).apply_style(style)

    def on_resize(self) -> None:
        self._forget()
        self.resized()

    def resized(self) -> None:
        """Build the lines for a new size. Textual runs `on_resize` of every base class; this one can be overridden."""
        self._draw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_attached:
            self._forget()
            self.resized()
            self.refresh()

    def _forget(self) -> None:
        self._strips, self._drawn = [], {}


class ViewBox(LineBox):
    """Lines that are made from a View and from the box's size; a subclass says how in `make`."""

    _view: View | None = None

    def show(self, view: View) -> None:
        """Show this view from now on."""
        self._view = view
        self.resized()

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        """The lines for this size."""
        raise NotImplementedError

    def resized(self) -> None:
        width, height = self.size
        if self._view is not None and width and height:
            self._lines = tuple(self.make(self._view, width, height))
            self._draw()
