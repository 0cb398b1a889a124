"""The bar that changes everything: waiting for you, held and by what, or what runs now."""

from __future__ import annotations

from collections.abc import Sequence

from emqx_tui.session.view import View
from emqx_tui.ui.rollout.headline import bar_lines, headline
from emqx_tui.ui.text.line_box import ViewBox
from emqx_tui.ui.text.spans import Line, Tone


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
