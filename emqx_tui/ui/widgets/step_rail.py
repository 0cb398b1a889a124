"""The rail: all steps of the release on one line, and the time gone and to go at its right end."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.present_rollout import rail
from emqx_tui.ui.spans import Line, spread
from emqx_tui.ui.widgets.line_box import ViewBox


class StepRail(ViewBox):
    """One line."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        return [spread(*rail(view), width)]
