"""The nodes as rows that keep their place: only a row whose figures changed is drawn anew."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.rollout.nodes import NodeRow, columns_for, fit_rows, header_line, node_rows, row_line
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line, Tone, line


class NodeTable(ViewBox):
    """Titles and one row a node; where rows do not fit, calm ones are counted together."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        layout = columns_for(width)
        body = [
            row_line(row, layout) if isinstance(row, NodeRow) else line((f" {row}", Tone.DIM))
            for row in fit_rows(node_rows(view), height - 1)
        ]
        return [header_line(layout), *body]
