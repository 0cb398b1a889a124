"""The parts of the rollout screen that are lines made from a View: bar, rail, checks, nodes, ledger."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.checks import check_lines, checks_now, stale_lines
from emqx_tui.ui.rollout.headline import bar_lines, headline
from emqx_tui.ui.rollout.ledger import counts_line, ledger_line
from emqx_tui.ui.rollout.nodes import NodeRow, Weight, columns_for, fit_rows, header_line, node_rows, row_line
from emqx_tui.ui.rollout.rail import rail
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line, Tone, line, spread, wrap


class GateLine(ViewBox):
    """The bar takes the tone of what it says; its words say the same without colour."""

    tone: Tone | None = None

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        found = headline(view)
        if self.tone is not found.tone:
            self.tone = found.tone
            for tone in Tone:
                self.set_class(tone is found.tone, f"-tone-{tone}")
        return bar_lines(found, width)


LEAD = " "
"""Before each line, as before the rows of the node table."""


class StepRail(ViewBox):
    """All steps of the release on one line, and the time at its right end."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        return [spread(*rail(view, width), width)]


class CountsLine(ViewBox):
    """What the plot shows, in text: where there is no room for it."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        return [counts_line(view), *(line(LEAD, *told) for told in check_lines(view, height - 1))]


class CheckList(ViewBox):
    """Sources that are silent, then as many checks as there are lines, worst first; the rest is counted."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        wrapped = (part for told in stale_lines(view) for part in wrap(told, width))
        silent = list(wrapped)[: max(1, height // 2 if checks_now(view) else height)]
        return [*silent, *check_lines(view, height - len(silent))]


class NodeTable(ViewBox):
    """Titles and one row a node; where rows do not fit, calm ones are counted together."""

    chosen = ""
    """The node under the cursor; empty until somebody moves it."""
    _shown: Sequence[NodeRow | str] = ()

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        layout = columns_for(width)
        self._shown = fit_rows(node_rows(view), height - 1)
        body = [
            row_line(row, layout, is_chosen=row.key == self.chosen)
            if isinstance(row, NodeRow)
            else line((f" {row}", Tone.DIM))
            for row in self._shown
        ]
        return [header_line(layout), *body]

    def move(self, rows: int) -> None:
        """Choose another of the nodes that are in sight; counted ones are passed over, no row moves."""
        keys = [row.key for row in self._shown if isinstance(row, NodeRow)]
        if keys:
            at = keys.index(self.chosen) + rows if self.chosen in keys else (0 if rows > 0 else len(keys) - 1)
            self.chosen = keys[max(0, min(at, len(keys) - 1))]
            self.resized()

    def wanted(self) -> str:
        """The chosen node or, without one, the first that is in trouble; empty without any."""
        rows = [row for row in self._shown if isinstance(row, NodeRow)]
        if any(row.key == self.chosen for row in rows):
            return self.chosen
        rows.sort(key=lambda row: row.weight is not Weight.TROUBLE)
        return rows[0].key if rows else ""


class LedgerLine(ViewBox):
    """Where the disconnected clients are, on one line."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        if height == 1:
            return [ledger_line(view, width)]
        room = width - len(LEAD)
        return [line(LEAD, *part) for part in wrap(ledger_line(view, room, is_broken=True), room)]
