"""The live plot: connected clients of blue, green and their sum, or of every node, and the legend beside it.

Drawn when a new sample moves a dot, never from a repaint, and never for more than an eighth of the time; only lines
that differ go to the terminal, and a drawing is left out while the terminal has not yet taken the one before. Where
plotext does not run, the legend's figures remain.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.timer import Timer

from emqx_tui.model import units
from emqx_tui.model.series import Sample
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout import curves as present
from emqx_tui.ui.rollout import plot
from emqx_tui.ui.rollout.curves import Trace
from emqx_tui.ui.rollout.plot import Curve, Plotter, PlotUnavailable, Rgb, Run, Window
from emqx_tui.ui.shell.terminal import is_behind
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.spans import Line, Span, Tone, crop, line

Y_CELLS = 6
"""Label and tick of the value axis."""
TAG_CELLS = 6
"""The names at the ends of the lines; twice as much in a wide box."""
WIDE_CELLS = 90
AXIS_ROWS = 2


PAUSE_S = 0.4
"""At least this long between two drawings, however fast news comes."""
PAUSE_FACTOR = 8.0
"""... and this many times as long as the last one took: drawing never takes more than an eighth of the time."""


@dataclass(frozen=True)
class Layout:
    """The part of the box that the curves have, and what it shows."""

    columns: int
    rows: int
    window: Window

    def dot(self, at_s: float, value: float | None) -> tuple[int, int | None]:
        """Where a value is drawn: a cell of braille is two dots wide and four high."""
        column = plot.column_of(at_s, 2 * self.columns, self.window)
        return column, None if value is None else plot.row_of(value, 4 * self.rows, self.window.top)


def _drawn_from(view: View) -> tuple[object, ...]:
    """What a drawing depends on."""
    newest = view.samples[-1] if view.samples else None
    return newest, len(view.samples), view.decision.phase, present.marks(view)


class ConnectionPlot(LineBox):
    """Axes are drawn here, the curves by `plot.Plotter`."""

    def __init__(self, *, id: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id=id)
        self.is_per_node = False
        self.skipped = 0
        """Drawings left out because the terminal was behind."""
        self._clock = clock
        self._view: View | None = None
        self._samples: tuple[Sample, ...] = ()
        self._traces: list[Trace] = []
        self._plotter: Plotter | None = None
        self._next_at = float("-inf")
        self._late: Timer | None = None
        self._drawn_ends: tuple[object, ...] = ()
        """Where the lines of the last drawing end, and what else is in it."""

    def show(self, view: View) -> None:
        if is_behind(self.app):
            self.skipped += 1
            return
        is_same = self._view is not None and _drawn_from(view) == _drawn_from(self._view)
        self._view = view
        wait_s = self._next_at - self._clock()
        if is_same or self._late is not None:
            return
        if wait_s > 0:
            self._late = self.set_timer(wait_s, self._draw_late)
        else:
            self._trace()

    def _draw_late(self) -> None:
        self._late = None
        self._trace()

    def toggle(self) -> None:
        """One line per node, or blue, green and sum."""
        self.is_per_node = not self.is_per_node
        self._trace()

    def traces(self) -> list[Trace]:
        """The curves that are shown."""
        return self._traces

    def _trace(self) -> None:
        """Draw the newest view; how long it takes decides how soon the next one is drawn."""
        begun = self._clock()
        view = self._view
        self._samples = present.shown_samples(view) if view else ()
        self._traces = present.traces(self._samples, view, is_per_node=self.is_per_node) if view else []
        if self._ends() != self._drawn_ends:
            self.resized()
        self._next_at = begun + max(PAUSE_S, PAUSE_FACTOR * (self._clock() - begun))

    def _ends(self) -> tuple[object, ...]:
        """What a drawing of now would show: the same again is not drawn. Its older part changes with these only."""
        view, layout = self._view, self._layout()
        if view is None or layout is None or not self._samples:
            return ()
        at_s = self._samples[-1].at.timestamp()
        lines = tuple((trace.key, trace.tone, layout.dot(at_s, trace.values[-1])) for trace in self._traces)
        return layout, lines, tuple(present.marks(view))

    def _layout(self) -> Layout | None:
        """None without a view, and where there is no room."""
        width, height = self.size
        tags = TAG_CELLS if width < WIDE_CELLS else 2 * TAG_CELLS
        columns, rows = width - Y_CELLS - tags, height - AXIS_ROWS
        if self._view is None or columns < plot.MIN_WIDTH or rows < plot.MIN_HEIGHT:
            return None
        return Layout(columns, rows, self._window(self._view, self._traces, columns))

    def resized(self) -> None:
        view, layout, found = self._view, self._layout(), self._traces
        self._drawn_ends = self._ends()
        if view is None or layout is None:
            self.swap([])
            return
        columns, rows, window = layout.columns, layout.rows, layout.window
        canvas = self._canvas(view, found, columns, rows, window)
        values = present.value_ticks(window.top, rows) if self._samples else ()
        ticks = {plot.row_of(value, rows, window.top): value for value in values}
        tags = self._tags(found, rows, window)
        end = plot.column_of(self._samples[-1].at.timestamp(), columns, window) if self._samples else 0
        end = max(0, min(end, columns - 1))
        strips = [self._row(runs, row, ticks, tags.get(row, ()), end) for row, runs in enumerate(canvas)]
        strips += [self._strip(spans) for spans in self._time_axis(view, columns, window)]
        self.swap(strips)

    def _window(self, view: View, found: list[Trace], columns: int) -> Window:
        begin, longest = present.start_s(view)
        highest = max((value for trace in found for value in trace.values if value is not None), default=0)
        return plot.window_for(begin, present.end_s(view), columns, float(highest), math.inf, longest)

    def _canvas(self, view: View, found: list[Trace], columns: int, rows: int, window: Window) -> list[list[Run]]:
        try:
            self._plotter = self._plotter or Plotter()
        except PlotUnavailable as error:
            return _message(f"plot unavailable: {error}", columns, rows)
        if not self._samples:
            return _message(f"history starts now, {units.clock(view.now)}", columns, rows)
        instants = [sample.at.timestamp() for sample in self._samples]
        cells = present.cells(instants, columns, window.left, window.right)
        curves = [
            Curve(present.points(trace.values, instants, cells), self._marker(trace), self._colour(trace, found))
            for trace in found
        ]
        return self._plotter.draw(curves, columns, rows, window)

    @property
    def is_plain(self) -> bool:
        """True where colours or braille do not tell curves apart: each gets its own sign."""
        return not paint.has_hues(self.app) or bool(getattr(self.app, "is_ascii", False))

    def _marker(self, trace: Trace) -> str:
        if self.is_plain:
            return trace.glyph
        return "━" if trace.is_heavy else "braille"

    def _colour(self, trace: Trace, found: list[Trace]) -> Rgb:
        base = Color.parse(self.app.theme_variables.get(f"tone-{trace.tone}", "#ffffff"))
        alike = [other for other in found if other.tone is trace.tone]
        far = Color.parse(self.app.theme_variables.get("shade", "#ffffff"))
        shade = base.blend(far, 0.6 * alike.index(trace) / len(alike)) if len(alike) > 1 else base
        return shade.rgb

    def _row(self, runs: list[Run], row: int, ticks: dict[int, float], tags: Line, end: int) -> Strip:
        """One row of the canvas with its label; tags stand behind the `end` of the lines, where nothing is drawn."""
        label = f"{units.axis_count(ticks[row]):>{Y_CELLS - 1}}┤" if row in ticks else " " * (Y_CELLS - 1) + "│"
        segments = [Segment(label, self._style(Tone.DIM))]
        segments += [Segment(text, Style(color=f"rgb({c[0]},{c[1]},{c[2]})") if c else Style()) for text, c in runs]
        strip = Strip(segments)
        if tags:
            strip = strip.crop(0, Y_CELLS + end + 1).extend_cell_length(Y_CELLS + end + 2)
            room = self.size.width - strip.cell_length
            strip = Strip([*strip, *(Segment(tag.text, self._style(tag.tone)) for tag in crop(tags, room))])
        return strip

    def _tags(self, found: list[Trace], rows: int, window: Window) -> dict[int, Line]:
        """The names of the lines in the row in which they end: what lies on one another is named together."""
        tags: dict[int, Line] = {}
        for trace in found:
            value = trace.values[-1] if trace.values else None
            if value is None:
                continue
            row = plot.row_of(float(value), rows, window.top)
            before = tags.get(row, ())
            sign = f"{trace.glyph} " if self.is_plain else ""
            tags[row] = (*before, Span(f"{' ' if before else ''}{sign}{trace.tag}", trace.tone))
        return tags

    def _style(self, tone: Tone) -> Style:
        return Style(color=self.app.theme_variables.get(f"tone-{tone}"))

    def _time_axis(self, view: View, columns: int, window: Window) -> list[Line]:
        axis, labels = ["─"] * columns, [" "] * (self.size.width - Y_CELLS)
        for instant in present.time_ticks(window.left, window.right, columns):
            at = plot.column_of(instant, columns, window)
            if 0 <= at < columns:
                axis[at] = "┬"
                _write(labels, at - 2, present.time_label(instant, window.right - window.left))
        marked = [" "] * columns
        for mark in present.marks(view):
            at = plot.column_of(mark.at_s, columns, window)
            if 0 <= at < columns:
                _write(marked, at, mark.label)
        spans = [Span(" " * (Y_CELLS - 1) + "└", Tone.DIM)]
        spans += [
            Span(mark, Tone.STRONG) if mark != " " else Span(tick, Tone.DIM)
            for tick, mark in zip(axis, marked, strict=True)
        ]
        _write(labels, len(labels) - 3, "UTC", force=True)
        return [tuple(spans), line((" " * Y_CELLS + "".join(labels), Tone.DIM))]


def _message(text: str, columns: int, rows: int) -> list[list[Run]]:
    blank: list[Run] = [(" " * columns, None)]
    lines = [blank for _ in range(rows)]
    lines[rows // 2] = [(text[:columns].center(columns), None)]
    return lines


def _write(cells: list[str], at: int, text: str, *, force: bool = False) -> None:
    """`text` into free cells, or not at all: a label is never cut nor run into another one."""
    start = max(0, at)
    end = start + len(text)
    around = cells[max(0, start - 1) : end + 1]
    if end <= len(cells) and (force or all(cell == " " for cell in around)):
        cells[start:end] = list(text)


class Legend(LineBox):
    """Min, max, average and current of each line, as people know it from Grafana."""

    _rows: Sequence[present.LegendRow] = ()

    def show(self, found: list[Trace], *, is_live: bool, is_plain: bool) -> None:
        self._rows = present.legend_rows(found, is_live=is_live, is_plain=is_plain)
        self.resized()

    def resized(self) -> None:
        width, height = self.size
        rows = self._rows
        self.set_lines(present.legend_lines(rows, width, height) if height > 1 else [present.legend_line(rows)])
