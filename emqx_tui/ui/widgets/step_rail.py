"""The rail: all steps of the release on one line, and the time gone and to go at its right end."""

from __future__ import annotations

from emqx_tui.session.view import View
from emqx_tui.ui.present_rollout import rail
from emqx_tui.ui.spans import spread
from emqx_tui.ui.widgets.line_box import LineBox


class StepRail(LineBox):
    """One line."""

    def show(self, view: View) -> None:
        left, right = rail(view)
        self.set_lines([spread(left, right, self.size.width)])
