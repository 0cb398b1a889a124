"""The nodes as rows that keep their place: only a row whose figures changed is drawn anew."""

from __future__ import annotations

from emqx_tui.session.view import View
from emqx_tui.ui.present_nodes import NodeRow, columns_for, fit_rows, header_line, node_rows, row_line
from emqx_tui.ui.spans import Tone, line
from emqx_tui.ui.widgets.line_box import LineBox


class NodeTable(LineBox):
    """Titles and one row a node; where rows do not fit, calm ones are counted together."""

    rows: tuple[NodeRow, ...] = ()

    def show(self, view: View) -> None:
        self.rows = tuple(node_rows(view))
        layout = columns_for(self.size.width)
        body = [
            row_line(row, layout) if isinstance(row, NodeRow) else line((f" {row}", Tone.DIM))
            for row in fit_rows(self.rows, self.size.height - 1)
        ]
        self.set_lines([header_line(layout), *body])
