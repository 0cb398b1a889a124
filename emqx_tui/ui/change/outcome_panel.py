"""What an edit will do: verdict, server's answer, plan, checks; failed checks that can be accepted are rows to mark."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from emqx_tui.session.views.view import EditPreview
from emqx_tui.ui.change.accept_row import AcceptRow
from emqx_tui.ui.change.edit import Edit
from emqx_tui.ui.change.outcome import check_rows, outcome
from emqx_tui.ui.change.readiness import acceptable
from emqx_tui.ui.text import paint
from emqx_tui.ui.text.spans import Line


class OutcomePanel(VerticalScroll):
    """Scrolls; its rows are updated in place."""

    def compose(self) -> ComposeResult:
        yield Static("", id="outcome", markup=False)
        yield Vertical(id="accept-rows")
        yield Static("", id="checks", markup=False)

    def say(self, line: Line) -> None:
        """Show one line in place of the outcome."""
        _update(self.query_one("#outcome", Static), [line])

    def show(
        self, edit: Edit, answer: EditPreview | None, accepted: frozenset[str], *, is_wanted: bool = False
    ) -> None:
        """Draw the newest answer to this edit; `is_wanted`: its card opens as soon as there is one."""
        width = max(20, self.scrollable_content_region.width - 1)
        _update(self.query_one("#outcome", Static), outcome(edit, answer, width, is_wanted=is_wanted))
        _update(self.query_one("#checks", Static), check_rows(answer, width))
        self._show_rows(acceptable(answer), accepted)

    def _show_rows(self, checks, accepted: frozenset[str]) -> None:
        holder = self.query_one("#accept-rows", Vertical)
        rows = {row.check.name: row for row in holder.query(AcceptRow)}
        wanted = {check.name: check for check in checks}
        for name in rows.keys() - wanted.keys():
            rows[name].remove()
        for name, check in wanted.items():
            if name in rows:
                rows[name].show(check, is_accepted=name in accepted)
            else:
                holder.mount(AcceptRow(check, is_accepted=name in accepted))


def _update(widget: Static, lines: list[Line]) -> None:
    painted = paint.content(*lines)
    widget.display = bool(lines)
    if widget.content != painted:
        widget.update(painted)
