"""Shows what an edit that starts no release changes, and asks once more. Enter does nothing; `w` saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emqx_tui.ui.text import paint
from emqx_tui.ui.text.spans import Line


class SaveCard(ModalScreen[bool]):
    """Dismisses with True when the edit is to be sent."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "save", "save"),
        Binding("escape", "leave", "not now"),
    ]

    def __init__(self, verdict: Line, differences: Sequence[Line]) -> None:
        super().__init__()
        self._verdict, self._differences = verdict, differences

    def compose(self) -> ComposeResult:
        with Vertical(classes="card"):
            yield Static("Save this edit?", classes="card-title", markup=False)
            yield Static(paint.content(self._verdict))
            with VerticalScroll(id="save-differences"):
                yield Static(paint.content(*self._differences))
            yield Static("w save   esc not now", classes="dim", markup=False)

    def action_save(self) -> None:
        self.dismiss(True)

    def action_leave(self) -> None:
        self.dismiss(False)
