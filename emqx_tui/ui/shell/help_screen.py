"""The keys of one screen, drawn from the same table that binds them."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emqx_tui.ui.shell import keymap, words
from emqx_tui.ui.shell.key_help import help_lines
from emqx_tui.ui.shell.keymap import Area
from emqx_tui.ui.text import paint


class HelpScreen(ModalScreen[None]):
    """Closes with any of the usual keys; changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "close", "close", show=False)]

    def __init__(self, area: Area, read_only_reason: str) -> None:
        super().__init__()
        self._area = area
        self._reason = read_only_reason

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="card help"):
            yield Static(words.help_title(self._area), classes="card-title", markup=False)
            yield Static(paint.content(*help_lines(keymap.KEYS, self._area, self._reason)), id="help-keys")
            yield Static(words.HELP_HINT, classes="dim help-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        self.dismiss()
