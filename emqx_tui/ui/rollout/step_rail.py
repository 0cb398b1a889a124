"""The rail: all steps of the release on one line, and the time gone and to go at its right end."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.rollout.words import rail
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line, spread


class StepRail(ViewBox):
    """One line."""

    def make(self, view: View, width: int, height: int) -> Sequence[Line]:
        return [spread(*rail(view), width)]
