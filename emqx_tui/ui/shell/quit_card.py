"""Asks for a word before the console of a driver is left. Nothing of the release depends on the answer."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

WORD = "quit"
TEXT = (
    "This console drives a release. After you quit, no further step begins; a drain that runs in EMQX continues to "
    "its end. Start emqx-tui again, here or elsewhere, to carry on."
)


class QuitCard(ModalScreen[bool]):
    """Dismisses with True when the word was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", "stay")]

    def compose(self) -> ComposeResult:
        with Vertical(classes="card"):
            yield Static("Quit while driving a release?", classes="card-title", markup=False)
            yield Static(TEXT, markup=False)
            yield Input(compact=True, id="quit-word", max_length=len(WORD))
            yield Static(f"Type {WORD} to quit.   esc stay", classes="dim", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value.strip().lower() == WORD:
            self.dismiss(True)

    def action_stay(self) -> None:
        self.dismiss(False)
