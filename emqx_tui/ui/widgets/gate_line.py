"""The bar that changes everything: waiting for you, held and by what, or what runs now. Two lines, never more."""

from __future__ import annotations

from emqx_tui.session.view import View
from emqx_tui.ui.present_headline import Headline, headline
from emqx_tui.ui.spans import spread
from emqx_tui.ui.widgets.line_box import LineBox


class GateLine(LineBox):
    """The bar takes the tone of what it says; its words say the same without colour."""

    shown: Headline | None = None

    def show(self, view: View) -> None:
        found = headline(view)
        if self.shown is None or self.shown.tone is not found.tone:
            for name in [name for name in self.classes if name.startswith("-tone-")]:
                self.remove_class(name)
            self.add_class(f"-tone-{found.tone}")
        self.shown = found
        self.set_lines([spread(found.first, found.hint, self.size.width), found.second])
