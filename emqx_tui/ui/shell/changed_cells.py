"""Sends the terminal only the cells that differ from what it shows.

Textual sends whole lines of a widget, or the whole screen after a change of layout: over a slow link that is nearly all
of the traffic. Here every update is compared, cell by cell, with what was sent before. Whoever else may have written
on the terminal, or changed its size, has to `forget` first: then everything counts as changed.

Uses Textual's private compositor; `tests/ui/shell/test_changed_cells.py` draws the same updates both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

Cell = tuple[str, str]
"""Character and SGR codes; no character in the right half of a wide one."""
_UNKNOWN: Cell = ("", "unknown")
_RESET = "\x1b[0m"


class ChangedCells:
    """What one terminal shows."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell]] = {}

    def forget(self) -> None:
        """Nothing is known of the terminal any more."""
        self._rows.clear()

    def only_changed(self, update: RenderableType | None) -> RenderableType | None:
        """The update, to be rendered as the cells that it changes; anything else as it is."""
        return _Changed(self, update) if isinstance(update, ChopsUpdate | LayoutUpdate) else update

    def draw(self, update: ChopsUpdate | LayoutUpdate, colours: ColorSystem) -> str:
        """The sequences for the cells that the update changes."""
        out: list[str] = []
        codes = ""
        for y, x, strips in _pieces(update):
            codes = self._draw_row(y, x, _cells(strips, colours), codes, out)
        return "".join(out) + (_RESET if codes else "")

    def _draw_row(self, y: int, x: int, fresh: list[Cell], codes: str, out: list[str]) -> str:
        """Append what a row needs; the codes that are set before and after."""
        row = self._rows.setdefault(y, [])
        row += [_UNKNOWN] * (x + len(fresh) - len(row))
        if row[x : x + len(fresh)] == fresh:
            return codes
        at = -1
        """The column where the cursor stands, as far as this row has put it."""
        for column, cell in enumerate(fresh, x):
            if row[column] == cell:
                continue
            row[column] = cell
            character, wanted = cell
            if not character:
                continue
            if at != column:
                out.append(f"\x1b[{y + 1};{column + 1}H" if at < 0 else f"\x1b[{column + 1}G")
            if wanted != codes:
                out.append(f"\x1b[0;{wanted}m" if wanted and codes else f"\x1b[{wanted or 0}m")
                codes = wanted
            out.append(character)
            at = column + cell_len(character)
        return codes


class _Changed(CompositorUpdate):
    """An update whose sequences are made when Textual really sends it."""

    def __init__(self, cells: ChangedCells, update: ChopsUpdate | LayoutUpdate) -> None:
        self._cells, self._update = cells, update

    def render_segments(self, console: Console) -> str:
        return self._cells.draw(self._update, console._color_system or ColorSystem.TRUECOLOR)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self.render_segments(console))


def _pieces(update: ChopsUpdate | LayoutUpdate) -> Iterator[tuple[int, int, Iterable[Strip]]]:
    """Row, column and strips of each stretch that an update draws."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, strips
        return
    for y, begin, end in update.spans:
        for (x, strip), strip_end in zip(update.chops[y].items(), update.chop_ends[y], strict=False):
            if strip is not None and x < end and strip_end > begin:
                yield y, x, (strip.crop(0, min(strip_end, end) - x),)


def _cells(strips: Iterable[Strip], colours: ColorSystem) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, _ in chain.from_iterable(strips):
        codes = _codes(style, colours) if style else ""
        if text.isascii():
            cells += [(character, codes) for character in text]
        else:
            _add(cells, text, codes)
    return cells


def _add(cells: list[Cell], text: str, codes: str) -> None:
    """Text with characters that take no cell of their own, or two."""
    parts: list[str] = []
    for character in text:
        if parts and not cell_len(character):
            parts[-1] += character
        else:
            parts.append(character)
    whole = cell_len(text)
    if sum(map(cell_len, parts)) != whole:
        # Characters that belong together otherwise: drawn together.
        parts = [text]
    for part in parts:
        cells += [(part, codes), *[("", codes)] * (cell_len(part) - 1)]


@lru_cache(maxsize=4096)
def _codes(style: Style, colours: ColorSystem) -> str:
    return Strip.render_ansi(style, colours)
