"""The keys of one screen, drawn from the table that binds them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.keymap import Area, Key, spell
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.spans import Line, Span, Tone

KEY_WIDTH, SENTENCE_WIDTH = 8, 62


class HelpScreen(ModalScreen[None]):
    """Closes with any of the usual keys; changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "close", "close", show=False)]

    def __init__(self, area: Area, read_only_reason: str) -> None:
        super().__init__()
        self._area = area
        self._reason = read_only_reason

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="card help"):
            yield Static(f"Keys of this screen ({self._area})", classes="card-title", markup=False)
            yield Static(paint.content(*help_lines(keymap.KEYS, self._area, self._reason)), id="help-keys")
            yield Static("esc closes", classes="dim help-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        self.dismiss()


def help_lines(keys: Iterable[Key], area: Area, read_only_reason: str) -> list[Line]:
    """PURE: the keys of a screen, then those that work everywhere; what read-only mode forbids is greyed out."""
    found = [key for key in keys if key.area is area] + [key for key in keys if key.area is Area.EVERYWHERE]
    lines = [line for key in found for line in _entry(key, is_off=bool(read_only_reason) and key.sends)]
    if read_only_reason:
        # On top: the end of the list may be below the screen.
        return [(Span(f"Greyed-out keys send nothing: {read_only_reason}", Tone.WARN),), (), *lines]
    return lines


def _entry(key: Key, *, is_off: bool) -> list[Line]:
    sentence = f"{key.sentence} (off: read-only)" if is_off else key.sentence
    wrapped = spans.wrap((Span(sentence, Tone.DIM if is_off else Tone.PLAIN),), SENTENCE_WIDTH)
    first = spans.pad((Span(spell(key.key), Tone.DIM if is_off else Tone.KEY),), KEY_WIDTH)
    return [(*(first if number == 0 else (Span(" " * KEY_WIDTH),)), *text) for number, text in enumerate(wrapped)]
