"""The only importer of plotext: curves in, rows of coloured runs out.

plotext 6.1 ends or hangs the whole process on some inputs (a NaN aborts, data far outside the limits eats gigabytes),
so every call goes through `Plotter.draw`, which keeps inside what is known to be safe: finite values only, clamped
into limits that are always set, a gap drawn as a new signal, at most two points a column, never smaller than
`MIN_WIDTH` x `MIN_HEIGHT` nor larger than tried. It is imported on first use, because it has no wheel for every
machine: `PlotUnavailable` then, and the rest of the screen goes on.

Axes are ours, not plotext's: their width and ticks have to stay still while the curve moves. Limits lie at the centres
of the first and the last cell.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MIN_WIDTH, MIN_HEIGHT = 10, 4
MAX_WIDTH, MAX_HEIGHT = 400, 100
POINTS_PER_COLUMN = 2

Rgb = tuple[int, int, int]
Run = tuple[str, Rgb | None]
"""Text of one colour; None = the default one."""
Point = tuple[float, float]


class PlotUnavailable(Exception):
    """plotext cannot be imported here."""


@dataclass(frozen=True)
class Curve:
    """One line: points by time (seconds, value), None or a non-finite value where there are no data."""

    points: Sequence[tuple[float, float | None]]
    marker: str
    """`braille`, or the one character to draw with."""
    colour: Rgb


@dataclass(frozen=True)
class Window:
    """What the plot shows: seconds from `left` to `right`, values from 0 to `top`."""

    left: float
    right: float
    top: float
    max_gap_s: float
    """Neighbours further apart than this are not joined: data are missing between them."""


class Plotter:
    """One figure of plotext. Not to be shared between threads."""

    def __init__(self) -> None:
        try:
            import plotext
        except Exception as error:
            raise PlotUnavailable(str(error)) from error
        self._plotext: Any = plotext
        self._terminal: Any = type(plotext.terminal)()
        self._terminal.limit(False, False)
        self._figure: Any = self._terminal._master

    def draw(self, curves: Iterable[Curve], width: int, height: int, window: Window) -> list[list[Run]]:
        """`height` rows of exactly `width` cells; blank rows where the safe range does not allow a plot."""
        if not is_drawable(width, height, window):
            return [[(" " * max(0, width), None)] for _ in range(max(0, height))]
        figure = self._figure
        figure.clear()
        figure.plot_size(width, height)
        figure.theme("colorless")
        figure.canvas("default")
        figure.axes(False)
        figure.legend(active=False)
        for axis in ("x", "y"):
            figure.ruler(axis).ticks([], [])
        figure.ruler("x").lim(window.left, window.right)
        figure.ruler("y").lim(0.0, window.top)
        for curve in curves:
            marker = self._plotext.marker(curve.marker, curve.colour)
            for stretch in stretches(curve.points, width, window):
                signal = figure.signal([x for x, _ in stretch], [y for _, y in stretch], marker=marker)
                signal.lines(True)
                figure.draw(signal)
        return rows_of(figure.build().string(), width, height)


def is_drawable(width: int, height: int, window: Window) -> bool:
    """True inside the sizes and limits that are known to be safe."""
    return (
        MIN_WIDTH <= width <= MAX_WIDTH
        and MIN_HEIGHT <= height <= MAX_HEIGHT
        and all(math.isfinite(limit) and abs(limit) < 1e15 for limit in (window.left, window.right, window.top))
        and window.right - window.left >= 1e-3
        and window.top >= 1e-3
    )


def stretches(points: Sequence[tuple[float, float | None]], width: int, window: Window) -> list[list[Point]]:
    """The points to draw: inside the window, finite, clamped, thinned, one list for each stretch without a gap.

    Of each column the lowest and the highest value are kept, in their order, so that a short dip is never thinned away.
    """
    found: list[list[Point]] = []
    budget = [POINTS_PER_COLUMN] * (width + 1)
    for stretch in _split(points, window):
        thinned: list[Point] = []
        column, bucket = -1, []
        for point in stretch:
            at = int((point[0] - window.left) / (window.right - window.left) * width)
            if at != column:
                thinned += _kept(bucket, budget, column)
                column, bucket = at, []
            bucket.append(point)
        thinned += _kept(bucket, budget, column)
        if thinned:
            found.append(thinned)
    return found


def _kept(bucket: list[Point], budget: list[int], column: int) -> list[Point]:
    if not bucket or budget[column] <= 0:
        return []
    low, high = min(bucket, key=lambda p: p[1]), max(bucket, key=lambda p: p[1])
    kept = sorted({low, high}) if low[1] != high[1] else [bucket[-1]]
    kept = kept[: budget[column]]
    budget[column] -= len(kept)
    return kept


def _split(points: Sequence[tuple[float, float | None]], window: Window) -> Iterable[list[Point]]:
    stretch: list[Point] = []
    for x, value in points:
        y = _finite(value)
        if not math.isfinite(x) or not window.left <= x <= window.right:
            continue
        is_after_gap = bool(stretch) and (x - stretch[-1][0] > window.max_gap_s or x < stretch[-1][0])
        if (y is None or is_after_gap) and stretch:
            yield stretch
            stretch = []
        if y is not None:
            stretch.append((x, min(max(y, 0.0), window.top)))
    if stretch:
        yield stretch


def behind(rows: list[list[Run]], cells: Mapping[tuple[int, int], Run]) -> list[list[Run]]:
    """The rows with what stands behind the curves: cells by (row, column), shown where nothing else is drawn."""
    by_row: dict[int, dict[int, Run]] = {}
    for (row, column), cell in cells.items():
        by_row.setdefault(row, {})[column] = cell
    return [_with_cells(runs, by_row[row]) if row in by_row else runs for row, runs in enumerate(rows)]


def _with_cells(runs: list[Run], cells: Mapping[int, Run]) -> list[Run]:
    drawn = [(char, colour) for text, colour in runs for char in text]
    for column, cell in cells.items():
        if 0 <= column < len(drawn) and drawn[column][0] == " ":
            drawn[column] = cell
    same = itertools.groupby(drawn, key=lambda cell: cell[1])
    return [("".join(char for char, _ in group), colour) for colour, group in same]


def _finite(value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


_SGR = re.compile(r"\x1b\[([0-9;]*)m")


def rows_of(text: str, width: int, height: int) -> list[list[Run]]:
    """plotext's output as runs; every row is brought to exactly `width` cells."""
    rows: list[list[Run]] = []
    for raw in text.rstrip("\n").split("\n")[:height]:
        rows.append(_runs(raw, width))
    blank: list[Run] = [(" " * width, None)]
    rows += [blank for _ in range(height - len(rows))]
    return rows


def _runs(raw: str, width: int) -> list[Run]:
    runs: list[Run] = []
    room, at, colour = width, 0, None
    for match in [*_SGR.finditer(raw), None]:
        end = match.start() if match else len(raw)
        if piece := raw[at:end][:room]:
            runs.append((piece, colour))
            room -= len(piece)
        if match:
            at = match.end()
            colour = _colour(match[1])
    if room:
        runs.append((" " * room, None))
    return runs


def _colour(code: str) -> Rgb | None:
    parts = code.split(";")
    if len(parts) == 5 and parts[:2] == ["38", "2"]:
        return int(parts[2]), int(parts[3]), int(parts[4])
    return None


def row_of(value: float, height: int, top: float) -> int:
    """The row, from the top, in which `value` is drawn."""
    return round((1.0 - min(max(value, 0.0), top) / top) * (height - 1)) if top > 0 else height - 1


def column_of(at: float, width: int, window: Window) -> int:
    """The column in which the instant `at` is drawn; outside 0..width-1 when it is not in the window."""
    return round((at - window.left) / (window.right - window.left) * (width - 1))


_TOPS = (1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.2, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.5)


_STRETCHES = (1.0, 1.02, 1.04, 1.06, 1.08, 1.1)


def round_top(value: float, height: int) -> float:
    """The upper limit of the axis for a highest value: a little above it, in steps, so that it rarely moves.

    Of those the first that draws the value in the middle of one of `height` rows: a sum that moves by a few in a
    thousand would hop between two, as if a tenth of all clients came and went.
    """
    if not math.isfinite(value) or value <= 10:
        return 10.5
    size = 10.0 ** math.floor(math.log10(value))
    top = next(step * size for step in _TOPS if step * size >= value * 1.01 or step == _TOPS[-1])
    tops = [top * stretch for stretch in _STRETCHES]
    return min(tops, key=lambda each: max(0.2, abs((row := value / each * (height - 1)) - round(row))))


CELL_STEPS_S = (
    *(0.25, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 90, 120, 180, 300, 600, 1200, 3600),
    *(7200, 14400, 43200, 86400),
)


def window_for(
    begin: float, end: float, width: int, height: int, highest: float, max_gap_s: float = math.inf
) -> Window:
    """The window that shows `begin` to `end`, in whole-cell steps.

    The left edge lies on the grid of cells and stays there while the stretch fits: a sample that came in changes the
    newest column only.
    """
    columns = max(1, width - 1)
    cell_s = next((c for c in CELL_STEPS_S if c * columns >= end - begin + c), CELL_STEPS_S[-1])
    left = math.floor(begin / cell_s) * cell_s
    if left + columns * cell_s < end:
        left = math.ceil(end / cell_s) * cell_s - columns * cell_s
    return Window(left, left + columns * cell_s, round_top(highest, height), max_gap_s)
