"""A failed check that a person may accept: it has to be marked by name before a release can start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from emqx_tui.rollout.decision import CheckResult
from emqx_tui.ui.change.form import MOVES
from emqx_tui.ui.change.outcome import accept_line
from emqx_tui.ui.text import paint


class AcceptRow(Widget, can_focus=True):
    """One check with a box; space marks it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "accept", "accept this check"),
        *MOVES,
    ]

    @dataclass
    class Changed(Message):
        """Marked or unmarked."""

        check: str
        is_accepted: bool

    def __init__(self, check: CheckResult, *, is_accepted: bool) -> None:
        super().__init__()
        self.check, self.is_accepted = check, is_accepted

    def show(self, check: CheckResult, *, is_accepted: bool) -> None:
        """Newer evidence for the same check."""
        if (check, is_accepted) != (self.check, self.is_accepted):
            self.check, self.is_accepted = check, is_accepted
            self.refresh(layout=True)

    def render(self) -> Content:
        return paint.content(accept_line(self.check, is_accepted=self.is_accepted))

    def action_accept(self) -> None:
        self.is_accepted = not self.is_accepted
        self.refresh()
        self.post_message(self.Changed(self.check.name, self.is_accepted))

    def on_click(self) -> None:
        self.action_accept()
