"""The table of clusters. Rows are updated by key, never cleared and filled again; the cursor stays on its cluster.

Of a long list few rows are ever drawn: a row is worded when its first cell is drawn, and compared with what came before
from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey, RowKey

from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.clusters.cells import GAP, Column, cells_of, shown_columns, widths
from emqx_tui.ui.clusters.states import Key, sort_value
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.marks import fit
from emqx_tui.ui.text.spans import Line, Tone, line


class ShownRow:
    """A row as it is shown, or will be."""

    __slots__ = ("lines", "now", "room", "row", "theme")

    def __init__(self, room: dict[str, int], theme: Mapping[str, str]) -> None:
        self.room = room
        self.theme = theme
        self.row: ClusterRow
        self.now: datetime
        self.lines: dict[str, Line] | None = None
        """By column; None until the first of them is drawn."""

    def update(self, row: ClusterRow, now: datetime) -> list[str]:
        """Take what is known of the cluster now; the columns that were drawn and say something else."""
        before, self.row, self.now = self.lines, row, now
        if before is None:
            return []
        self.lines = cells_of(row, now, self.room)
        return [name for name, spans in self.lines.items() if before[name] != spans]

    def line_of(self, column: str) -> Line:
        """What one cell says."""
        if self.lines is None:
            self.lines = cells_of(self.row, self.now, self.room)
        return self.lines[column]


class Cell:
    """One cell, painted when it is drawn. It knows whose row it stands in: Textual sorts by cells, not by row keys."""

    __slots__ = ("_column", "_shown")

    def __init__(self, shown: ShownRow, column: Column) -> None:
        self._shown = shown
        self._column = column

    @property
    def key(self) -> Key:
        return self._shown.row.key

    def __rich__(self) -> Text:
        return paint.cell(self._shown.line_of(self._column.key), self._shown.theme, align=self._column.align)


class ClusterTable(DataTable, inherit_bindings=False):
    """Shows rows, sorted by one column."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor_up", show=False),
        Binding("down,j", "cursor_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("home", "scroll_top", show=False),
        Binding("end", "scroll_bottom", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="row", cell_padding=0, cursor_foreground_priority="renderable")
        self.sort_column = "phase"
        self.is_reversed = False
        self._widths: dict[str, int] = {}
        self._theme = ""
        """That the cells are painted in; empty: there are none."""
        self._shown: dict[Key, ShownRow] = {}
        self._keys: dict[str, Key] = {}
        self._rows: tuple[ClusterRow, ...] = ()
        self._now: datetime | None = None

    def on_resize(self) -> None:
        room = widths(self.scrollable_content_region.width)
        if room != self._widths:
            self._widths = room
            self._lay_out()

    def notify_style_update(self) -> None:
        """Cells are painted with the colours of the theme: another one paints them anew."""
        super().notify_style_update()
        if self._theme not in ("", self.app.theme):
            self._lay_out()

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        """Widths and heights are given: Textual would measure every cell of a new row for them."""
        super()._update_dimensions(())

    def _lay_out(self) -> None:
        """Columns of another width, or other colours: the only times that the table is built anew."""
        self._theme = self.app.theme
        chosen = self.selected
        self.clear(columns=True)
        self._shown.clear()
        for column in shown_columns(self._widths):
            self.add_column(self._label(column), key=column.key, width=self._widths[column.key])
        if self._now is not None:
            self.show(self._rows, self._now)
            self.select(chosen)

    def _label(self, column: Column) -> Text:
        is_sorted = column.key == self.sort_column
        arrow = ("↑" if self.is_reversed else "↓") if is_sorted else ""
        gap = GAP if column.align == "<" else 0
        text = fit(column.label, self._widths[column.key] - len(arrow) - gap) + arrow
        return paint.cell(line((text, Tone.STRONG if is_sorted else Tone.DIM)), {}, align=column.align)

    def show(self, rows: tuple[ClusterRow, ...], now: datetime) -> None:
        """Make the table show exactly these rows."""
        self._rows, self._now = rows, now
        if not self._widths:
            if rows:
                # Not shown yet: laid out as wide as it will be, its rows are drawn with it and not a frame later.
                gutter = self.styles.margin.width + self.styles.scrollbar_size_vertical
                self._widths = widths(self.screen.size.width - gutter)
                self._lay_out()
            return
        in_order = self._sorted(rows)
        order = [row.key for row in in_order]
        chosen = self.selected
        for key in self._shown.keys() - order:
            del self._shown[key]
            self.remove_row(_text(key))
        columns = {column.key: column for column in shown_columns(self._widths)}
        theme = self.app.theme_variables
        for row in in_order:
            self._show_row(row, now, columns, theme)
        if self._order() != order:
            self._sort(order)
        if chosen != self.selected:
            self.select(chosen)

    def _show_row(self, row: ClusterRow, now: datetime, columns: dict[str, Column], theme: dict[str, str]) -> None:
        key = row.key
        if (shown := self._shown.get(key)) is not None:
            for name in shown.update(row, now):
                self.update_cell(_text(key), name, Cell(shown, columns[name]))
            return
        shown = self._shown[key] = ShownRow(self._widths, theme)
        shown.update(row, now)
        self._keys[_text(key)] = key
        self.add_row(*(Cell(shown, column) for column in columns.values()), key=_text(key))

    def _order(self) -> list[Key]:
        return [self._keys[row.key.value or ""] for row in self.ordered_rows]

    def _sorted(self, rows: tuple[ClusterRow, ...]) -> list[ClusterRow]:
        return sorted(rows, key=lambda row: sort_value(row, self.sort_column), reverse=self.is_reversed)

    def _sort(self, order: list[Key]) -> None:
        chosen, place = self.selected, {key: number for number, key in enumerate(order)}
        self.sort("name", key=lambda name: place[name.key])
        self.select(chosen)

    def sort_by(self, column: str) -> None:
        """Order by this column; the same column again reverses the order."""
        self.is_reversed = not self.is_reversed if column == self.sort_column else False
        self.sort_column = column
        for spec in shown_columns(self._widths):
            self.columns[ColumnKey(spec.key)].label = self._label(spec)
        shown = [row for row in self._rows if row.key in self._shown]
        self._sort([row.key for row in self._sorted(tuple(shown))])

    @property
    def selected(self) -> Key | None:
        """The cluster under the cursor."""
        if not self.row_count:
            return None
        row_key = self.coordinate_to_cell_key(self.cursor_coordinate).row_key
        return self._keys.get(row_key.value or "")

    def select(self, key: Key | None) -> None:
        """Put the cursor on a cluster, when it is there."""
        if key in self._shown:
            self.move_cursor(row=self.get_row_index(_text(key)), animate=False)


def _text(key: Key) -> str:
    return "/".join(key)
