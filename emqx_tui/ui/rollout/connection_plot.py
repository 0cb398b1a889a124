"""The live plot: connected clients of blue, green and their sum, or of every node, and the legend beside it.

Drawn when a new sample moves a dot, never from a repaint, and never for more than an eighth of the time; only lines
that differ go to the terminal, and a drawing is left out while the terminal has not yet taken the one before. Where
plotext does not run, the legend's figures remain.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.strip import Strip
from textual.timer import Timer

from emqx_tui.model import units
from emqx_tui.model.series import Sample
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout import axis, cursor, plot
from emqx_tui.ui.rollout import curves as present
from emqx_tui.ui.rollout.axis import Scale
from emqx_tui.ui.rollout.curves import Trace
from emqx_tui.ui.rollout.plot import Curve, Plotter, PlotUnavailable, Rgb, Run, Window
from emqx_tui.ui.shell.terminal import is_behind
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.line_box import LineBox
from emqx_tui.ui.text.spans import Line, Span, Tone

Y_CELLS = 6
"""Label and tick of the value axis."""
TAG_CELLS = 6
"""The names at the ends of the lines; twice as much in a wide box."""
WIDE_CELLS = 90
AXIS_ROWS = 2
FAINT = 0.5
"""How much of the background is in what was expected."""

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

    @property
    def cell_s(self) -> float:
        return (self.window.right - self.window.left) / (self.columns - 1)

    @property
    def scale(self) -> Scale:
        return Scale(self.window.left, self.window.right, self.columns)

    def cell(self, at_s: float, value: float) -> tuple[int, int]:
        return plot.row_of(value, self.rows, self.window.top), self.scale.column(at_s)

    def dot(self, at_s: float, value: float | None) -> tuple[int, int | None]:
        """Where a value is drawn: a cell of braille is two dots wide and four high."""
        column = plot.column_of(at_s, 2 * self.columns, self.window)
        return column, None if value is None else plot.row_of(value, 4 * self.rows, self.window.top)


def _drawn_from(view: View) -> tuple[object, ...]:
    """What a drawing depends on."""
    newest = view.samples[-1] if view.samples else None
    return newest, len(view.samples), view.decision.phase, axis.marks(view), view.stages, view.expected


class ConnectionPlot(LineBox):
    """Axes are drawn by `axis.py`, the curves by `plot.Plotter`."""

    def __init__(self, *, id: str | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(id=id)
        self.is_per_node = False
        self.chosen_s: float | None = None
        """The time window that was chosen; None: the usual one."""
        self.cursor_s: float | None = None
        """Where the cursor stands, in epoch seconds; None: there is none."""
        self.skipped = 0
        """Drawings left out because the terminal was behind."""
        self._clock = clock
        self._view: View | None = None
        self._samples: tuple[Sample, ...] = ()
        self._instants: list[float] = []
        self._traces: list[Trace] = []
        self._highest = 0.0
        """Value of any of them."""
        self._plotter: Plotter | None = None
        self._traced: dict[bool, tuple[View, list[Trace]]] = {}
        """The curves by `is_per_node`, and the view that they are of: a key changes between the two."""
        self._canvases: dict[bool, tuple[list[Trace], object, list[list[Run]]]] = {}
        """The curves as they were drawn last, and from what: under a cursor that moves they stay."""
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

    # --- keys ---

    def toggle(self) -> None:
        """One line per node, or blue, green and sum."""
        self.is_per_node = not self.is_per_node
        self._trace()

    def next_window(self) -> bool:
        """The next narrower time window; after the narrowest the whole. False where there is no other one."""
        if self._view is None:
            return False
        known = axis.history(self._view)
        before, self.chosen_s = known.window_s(self.chosen_s), known.next_window_s(self.chosen_s)
        self._trace()
        return self.chosen_s != before

    def move_cursor(self, direction: int) -> None:
        """One column back (-1) or on (1); from live to the newest sample, and back."""
        if self._late is not None:
            self._late.stop()
            self._draw_late()
        layout = self._layout()
        if layout is not None:
            self.put_cursor(cursor.moved(self._shown(), self.cursor_s, layout.cell_s, direction))

    def first_cursor(self) -> None:
        """To the oldest sample that can be shown."""
        self.put_cursor(next(iter(self._shown()), None))

    def put_cursor(self, at_s: float | None) -> None:
        self.cursor_s = at_s
        self.resized()

    def _shown(self) -> list[float]:
        """Instants of the samples of the history."""
        begin = axis.history(self._view).begin if self._view is not None else 0.0
        return self._instants[bisect_left(self._instants, begin) :]

    def cursor_lines(self, cells: int) -> list[Line]:
        """What was where the cursor stands; empty without one."""
        layout = self._layout()
        if self._view is None or self.cursor_s is None or layout is None:
            return []
        found = self._traces, self._instants, self.cursor_s, layout.cell_s
        return cursor.cursor_lines(self._view, *found, cells)

    # --- drawing ---

    def traces(self) -> list[Trace]:
        """The curves that are shown."""
        return self._traces

    def seconds(self) -> list[float]:
        """How many seconds each of the newest samples stands for, as far as the time window reaches back from now."""
        if self._view is None:
            return []
        begin, _ = axis.history(self._view).shown(self.chosen_s)
        return present.weights(self._instants)[bisect_left(self._instants, begin) :]

    def _trace(self) -> None:
        """Draw the newest view; how long it takes decides how soon the next one is drawn."""
        begun = self._clock()
        view = self._view
        self._samples = present.shown_samples(view) if view else ()
        self._instants = [sample.at.timestamp() for sample in self._samples]
        self._traces = self._traces_of(view) if view else []
        values = (value for trace in self._traces for value in trace.values if value is not None)
        self._highest = float(max(values, default=0))
        if self._ends() != self._drawn_ends:
            self.resized()
        self._next_at = begun + max(PAUSE_S, PAUSE_FACTOR * (self._clock() - begun))

    def _traces_of(self, view: View) -> list[Trace]:
        known = self._traced.get(self.is_per_node)
        if known is not None and known[0] is view:
            return known[1]
        found = present.traces(self._samples, view, is_per_node=self.is_per_node)
        self._traced[self.is_per_node] = view, found
        return found

    def _ends(self) -> tuple[object, ...]:
        """What a drawing of now would show: the same again is not drawn. Its older part changes with these only."""
        view, layout = self._view, self._layout()
        if view is None or layout is None or not self._samples:
            return ()
        at_s = self._instants[-1]
        drawn = present.drawn(self._traces)
        lines = tuple((trace.key, trace.tone, layout.dot(at_s, trace.values[-1])) for trace in drawn)
        return layout, lines, tuple(axis.marks(view)), view.stages, view.expected, self._label(view)

    def _label(self, view: View) -> str:
        return axis.LABELS[axis.history(view).window_s(self.chosen_s)]

    def _layout(self) -> Layout | None:
        """None without a view, and where there is no room."""
        width, height = self.size
        tags = TAG_CELLS if width < WIDE_CELLS else 2 * TAG_CELLS
        columns, rows = width - Y_CELLS - tags, height - AXIS_ROWS
        if self._view is None or columns < plot.MIN_WIDTH or rows < plot.MIN_HEIGHT:
            return None
        return Layout(columns, rows, self._window(self._view, columns, rows))

    def _window(self, view: View, columns: int, rows: int) -> Window:
        known = axis.history(view)
        begin, end = known.shown(self.chosen_s, self.cursor_s)
        if end == known.end and not self.is_per_node:
            end = min(present.expected_end_s(view) or end, end + axis.AHEAD_PART * (end - begin))
        return plot.window_for(begin, end, columns, rows, self._highest)

    def resized(self) -> None:
        view, layout = self._view, self._layout()
        self._drawn_ends = self._ends()
        if view is None or layout is None:
            self.swap([])
            return
        place = bisect_right(self._instants, layout.window.right) - 1
        canvas = plot.behind(self._curves(view, layout), self._behind(view, layout))
        values = axis.value_ticks(layout.window.top, layout.rows) if self._samples else ()
        ticks = {layout.cell(0.0, value)[0]: value for value in values}
        tags = self._tags(layout, place) if place >= 0 else {}
        end = layout.scale.column(self._instants[place]) if place >= 0 else 0
        end = max(0, min(end, layout.columns - 1))
        strips = [self._row(runs, row, ticks, tags.get(row, ()), end) for row, runs in enumerate(canvas)]
        below = axis.time_axis(
            view,
            layout.scale,
            margin=Y_CELLS,
            width=self.size.width,
            label=self._label(view),
            cursor_s=self.cursor_s,
        )
        self.swap([*strips, *(self._strip(spans) for spans in below)])

    def _curves(self, view: View, layout: Layout) -> list[list[Run]]:
        try:
            self._plotter = self._plotter or Plotter()
        except PlotUnavailable as error:
            return _message(f"plot unavailable: {error}", layout)
        if not self._samples:
            return _message(f"history starts now, {units.clock(view.now)}", layout)
        looks = layout, self.app.theme, self.is_plain
        known = self._canvases.get(self.is_per_node)
        if known is not None and known[0] is self._traces and known[1] == looks:
            return known[2]
        canvas = self._plotter.draw(self._shaded(layout), layout.columns, layout.rows, layout.window)
        self._canvases[self.is_per_node] = self._traces, looks, canvas
        return canvas

    def _shaded(self, layout: Layout) -> list[Curve]:
        """The curves, shaded: those of one tone differ from line to line."""
        cells = present.cells(self._instants, layout.columns, layout.window.left, layout.window.right)
        far = Color.parse(self.app.theme_variables.get("shade", "#ffffff"))
        traces = present.drawn(self._traces)
        alike, passed = Counter(trace.tone for trace in traces), Counter[Tone]()
        curves = []
        for trace in traces:
            shade = Color(*self._colour(trace.tone)).blend(far, 0.6 * passed[trace.tone] / alike[trace.tone])
            passed[trace.tone] += 1
            points = present.points(trace.values, self._instants, cells)
            curves.append(Curve(points, self._marker(trace), shade.rgb))
        return curves

    def _behind(self, view: View, layout: Layout) -> dict[tuple[int, int], Run]:
        """What was expected, in every second column, and the cursor."""
        cells: dict[tuple[int, int], Run] = {}
        if not self.is_per_node:
            instants = [layout.window.left + at * layout.cell_s for at in range(0, layout.columns, 2)]
            sign = present.PLAIN_EXPECTED_SIGN if self.is_plain else present.EXPECTED_SIGN
            for point in present.expected_points(view, instants):
                cells[layout.cell(point.at_s, point.blue)] = (sign, self._colour(Tone.BLUE, FAINT))
                cells[layout.cell(point.at_s, point.green)] = (sign, self._colour(Tone.GREEN, FAINT))
        if self.cursor_s is not None:
            at = layout.scale.column(self.cursor_s)
            cells |= {(row, at): ("┊", self._colour(Tone.WARN)) for row in range(layout.rows)}
        return cells

    @property
    def is_plain(self) -> bool:
        """True where colours or braille do not tell curves apart: each gets its own sign."""
        return paint.has_signs(self.app) or bool(getattr(self.app, "is_ascii", False))

    def _marker(self, trace: Trace) -> str:
        if self.is_plain:
            return trace.glyph
        return "━" if trace.is_heavy else "braille"

    def _colour(self, tone: Tone, faint: float = 0.0) -> Rgb:
        variables = self.app.theme_variables
        colour = Color.parse(variables.get(f"tone-{tone}", "#ffffff"))
        return colour.blend(Color.parse(variables.get("background", "#000000")), faint).rgb

    def _row(self, runs: list[Run], row: int, ticks: dict[int, float], tags: Line, end: int) -> Strip:
        """One row of the canvas with its label; tags stand behind the `end` of the lines."""
        label = f"{units.axis_count(ticks[row]):>{Y_CELLS - 1}}┤" if row in ticks else " " * (Y_CELLS - 1) + "│"
        segments = [Segment(label, self._style(Tone.DIM))]
        segments += [Segment(text, Style(color=f"rgb({c[0]},{c[1]},{c[2]})") if c else Style()) for text, c in runs]
        strip = Strip(segments)
        first = Y_CELLS + end + 2
        if not (named := _whole(tags, self.size.width - first)):
            return strip
        last = first + spans.width(named) + 1
        parts = [
            *strip.crop(0, first - 1).extend_cell_length(first),
            *(Segment(tag.text, self._style(tag.tone)) for tag in named),
        ]
        if last < strip.cell_length:
            parts += [Segment(" "), *strip.crop(last, strip.cell_length)]
        return Strip(parts)

    def _tags(self, layout: Layout, place: int) -> dict[int, Line]:
        """The names of the lines in the row in which they end: what lies on one another is named together."""
        tags: dict[int, Line] = {}
        for trace in present.drawn(self._traces):
            value = trace.values[place]
            if value is None:
                continue
            row, _ = layout.cell(0.0, float(value))
            before = tags.get(row, ())
            sign = f"{trace.glyph} " if self.is_plain else ""
            tags[row] = (*before, Span(f"{' ' if before else ''}{sign}{trace.tag}", trace.tone))
        return tags

    def _style(self, tone: Tone) -> Style:
        return Style(color=self.app.theme_variables.get(f"tone-{tone}"))


def _whole(tags: Line, room: int) -> Line:
    """The names that fit: a part of one tells nothing that the legend does not tell better."""
    return next((tags[:count] for count in range(len(tags), 0, -1) if spans.width(tags[:count]) <= room), ())


def _message(text: str, layout: Layout) -> list[list[Run]]:
    blank: list[Run] = [(" " * layout.columns, None)]
    lines = [blank for _ in range(layout.rows)]
    lines[layout.rows // 2] = [(text[: layout.columns].center(layout.columns), None)]
    return lines


class Legend(LineBox):
    """Min, max, average and current of each line, as people know it from Grafana."""

    _rows: Sequence[present.LegendRow] = ()
    _expected: Line = ()

    def show(self, shown: ConnectionPlot, view: View) -> None:
        is_live, is_plain = facts.is_live(view), shown.is_plain
        self._rows = present.legend_rows(shown.traces(), shown.seconds(), is_live=is_live, is_plain=is_plain)
        self._expected = present.expected_line(view, is_plain=is_plain) if not shown.is_per_node else ()
        self.resized()

    @property
    def wanted(self) -> int:
        """Rows that it would fill."""
        return len(self._rows) + 1 + bool(self._expected)

    def resized(self) -> None:
        width, height = self.size
        rows, below = self._rows, [self._expected] if self._expected else []
        if height <= 1:
            self.set_lines([present.legend_line(rows)])
        else:
            self.set_lines([*present.legend_lines(rows, width, height - len(below)), *below])
