"""Asks for a typed word before a driver's console is left, or unsent edits are dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

DRIVING = (
    "This console drives a release. After you quit, no further step begins; a drain that runs in EMQX continues to "
    "its end. Start emqx-tui again, here or elsewhere, to carry on."
)
DRIVING_DEMO = "The demo ends here: its cluster and the release in it are gone after you quit. Each demo starts afresh."


@dataclass(frozen=True)
class Question:
    """What is asked, and the word that confirms it."""

    title: str
    text: str
    word: str


def before_quitting(*, is_driving: bool, is_demo: bool, unsent: str) -> Question | None:
    """What to ask before the console is left; None when nothing is lost. `unsent` as `ConsoleScreen.unsent`."""
    texts = [DRIVING_DEMO if is_demo else DRIVING] if is_driving else []
    texts += [f"{unsent} not sent and will be lost."] if unsent else []
    title = "Quit while driving a release?" if is_driving else "Quit with unsent edits?"
    return Question(title, "\n\n".join(texts), "quit") if texts else None


def before_dropping(unsent: str) -> Question:
    """What to ask before a screen with unsent edits is closed for another one."""
    return Question("Drop the unsent edits?", f"{unsent} not sent and will be lost.", "drop")


class ConfirmCard(ModalScreen[bool]):
    """Dismisses with True when the word was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "stay", "stay")]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        word = self.question.word
        with Vertical(classes="card"):
            yield Static(self.question.title, classes="card-title", markup=False)
            yield Static(self.question.text, markup=False)
            yield Input(compact=True, id="confirm-word", max_length=len(word))
            yield Static(f"Type {word} to {word}.   esc stay", classes="dim", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value.strip().lower() == self.question.word:
            self.dismiss(True)

    def action_stay(self) -> None:
        self.dismiss(False)
