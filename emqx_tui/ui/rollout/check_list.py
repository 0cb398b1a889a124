"""The checks of the gate that waits or of the step that runs, worst first, and the sources that are silent."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.rollout.words import check_lines, stale_lines
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line


class CheckList(ViewBox):
    """As many checks as there are lines; the rest is counted."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        silent = stale_lines(view)[: max(1, height // 2)]
        return [*silent, *check_lines(view, height - len(silent))]
