"""The checks of the gate that waits or of the step that runs, worst first, and the sources that are silent."""

from __future__ import annotations

from emqx_tui.session.view import View
from emqx_tui.ui.present_rollout import check_lines, stale_lines
from emqx_tui.ui.spans import Tone, line
from emqx_tui.ui.widgets.line_box import LineBox


class CheckList(LineBox):
    """As many checks as there are lines; the rest is counted."""

    def show(self, view: View) -> None:
        silent = stale_lines(view)[: max(1, self.size.height // 2)]
        checks = check_lines(view, self.size.height - len(silent))
        nothing = [line(("no checks now", Tone.DIM))] if not silent and not checks and self.size.height else []
        self.set_lines([*silent, *checks, *nothing])
