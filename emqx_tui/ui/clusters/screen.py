"""The first screen: every EmqxEnterprise in reach, live, and what it needs."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Input, Static

from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.session.views.published import Published
from emqx_tui.ui.clusters.cells import COLUMNS
from emqx_tui.ui.clusters.filters import matches
from emqx_tui.ui.clusters.lines import call_count, counts, detail, empty_line, fleet_line
from emqx_tui.ui.clusters.table import ClusterTable
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.help_screen import MissingRight, unread
from emqx_tui.ui.shell.identity import Identity, IdentityBar, fleet_live, scope_words
from emqx_tui.ui.shell.key_line import KeyLine
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.shell.messages import ChangeWanted, ObjectsWanted, RolloutWanted
from emqx_tui.ui.shell.screen import ConsoleScreen
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Tone, line

FLEET_FROM = 160
"""Columns from which on the top line has room for the whole fleet in figures."""


class FilterInput(Input):
    """The filter, while it is typed. Enter keeps it, escape drops it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "keep the filter"),
        Binding("escape", "screen.drop_filter", "drop it"),
    ]


class ClustersScreen(ConsoleScreen):
    """Filter, sort, open."""

    AREA = Area.CLUSTERS
    # Its styles know no widths: a class for one would only have them all applied once more, before the first frame.
    HORIZONTAL_BREAKPOINTS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        *keymap.bindings(Area.CLUSTERS),
        Binding("escape", "drop_filter", show=False),
        *(Binding(str(number), f"namespace({number})", show=False) for number in range(1, 10)),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._published: Published | None = None

    def compose(self) -> ComposeResult:
        yield IdentityBar()
        yield from self.compose_notice()
        yield Static("", id="problem", markup=False)
        yield Static("", id="placeholder", markup=False)
        yield ClusterTable()
        yield Static("", id="detail", markup=False)
        yield FilterInput(
            placeholder="words or regular expressions, !word leaves out, -l app=mqtt", compact=True, id="filter"
        )
        yield KeyLine()

    def on_mount(self) -> None:
        self.query_one(ClusterTable).focus()

    def take(self, published: Published) -> None:
        could = self.can("open")
        self._published = published
        self.query_one(IdentityBar).tell(self._identity)
        self._show_rows()
        if could != self.can("open"):
            self.refresh_bindings()

    def can(self, action: str) -> bool:
        if action in ("open", "change", "objects"):
            return self._selected() is not None
        if isinstance(self.focused, FilterInput):
            return False
        if action in ("filter", "sort", "reverse"):
            return bool(self._published and self._published.fleet.rows)
        return True

    def missing_rights(self) -> tuple[MissingRight, ...]:
        fleet = self.console.published.fleet
        unknown = dict.fromkeys(row.why_unknown for row in fleet.rows if row.why_unknown)
        return (*unread(fleet.health), *map(MissingRight, unknown))

    def action_all_namespaces(self) -> None:
        self.console.look_at(None)

    def action_namespace(self, number: int) -> None:
        """One of those that were looked at or seen."""
        known = self.console.namespaces
        if number > len(known):
            self.console.say(f"{number}: only {len(known)} namespaces are known; ns NAME behind : lists any")
        else:
            self.console.look_at(known[number - 1])

    # --- drawing ---------------------------------------------------------------------------------------------

    def _identity(self, quiet_s: float) -> Identity:
        fleet = self.console.published.fleet
        return self.identity(
            live=fleet_live(fleet, quiet_s),
            server=fleet.server,
            scope=scope_words(fleet.namespace),
            middle=fleet_line(fleet) if self.size.width >= FLEET_FROM else counts(fleet),
            short_middle=call_count(fleet),
        )

    def _show_rows(self) -> None:
        if self._published is None:
            return
        fleet = self._published.fleet
        wanted = self.query_one("#filter", Input).value
        rows = tuple(row for row in fleet.rows if matches(row, wanted))
        table = self.query_one(ClusterTable)
        table.show(rows, fleet.now)
        empty = empty_line(fleet, wanted, len(rows))
        self._set("#placeholder", bool(empty), paint.content(empty))
        table.display = not empty
        problem = line(("▲ ", Tone.WARN), (clean(fleet.problem), Tone.WARN))
        self._set("#problem", bool(fleet.problem and fleet.rows), paint.content(problem))
        self._show_detail()

    def _show_detail(self) -> None:
        row = self._selected()
        if row is None or self._published is None:
            self._set("#detail", False, paint.content(()))
        else:
            self.query_one("#detail").set_class(bool(row.problem), "-problem")
            self._set("#detail", True, paint.content(*detail(row, self._published.fleet.now)))

    def _set(self, selector: str, is_shown: bool, content) -> None:
        widget = self.query_one(selector, Static)
        widget.display = is_shown
        if is_shown and widget.content != content:
            widget.update(content)

    def _selected(self) -> ClusterRow | None:
        if self._published is None or not self.is_mounted:
            return None
        key = self.query_one(ClusterTable).selected
        return next((row for row in self._published.fleet.rows if row.key == key), None)

    # --- keys and clicks -------------------------------------------------------------------------------------

    def on_data_table_row_highlighted(self) -> None:
        self._show_detail()
        self.refresh_bindings()

    def on_data_table_row_selected(self) -> None:
        self.action_open()

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        self._sort(event.column_key.value or "namespace")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show_rows()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._leave_filter()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if isinstance(event.widget, Input) and not event.widget.value:
            event.widget.display = False

    def action_open(self) -> None:
        if row := self._selected():
            self.post_message(RolloutWanted(row.key))

    def action_change(self) -> None:
        if row := self._selected():
            self.post_message(ChangeWanted(row.key))

    def action_objects(self) -> None:
        if row := self._selected():
            self.post_message(ObjectsWanted(row.key))

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def action_drop_filter(self) -> None:
        self.query_one("#filter", Input).value = ""
        self._leave_filter()

    def _leave_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.display = bool(box.value)
        self.query_one(ClusterTable).focus()

    def action_sort(self) -> None:
        names = [column.key for column in COLUMNS]
        table = self.query_one(ClusterTable)
        self._sort(names[(names.index(table.sort_column) + 1) % len(names)])

    def action_reverse(self) -> None:
        self._sort(self.query_one(ClusterTable).sort_column)

    def _sort(self, column: str) -> None:
        self.query_one(ClusterTable).sort_by(column)
