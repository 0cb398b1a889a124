"""Help: the keys of one screen, drawn from the table that binds them, and what a word means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emqx_tui.explain import Entry, meanings
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.keymap import Area, Key, spell
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.spans import Line, Span, Tone

KEY_WIDTH, SENTENCE_WIDTH = 8, 62


class HelpScreen(ModalScreen[None]):
    """A page of text. Closes with any of the usual keys; changes nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "close", "close", show=False)]

    def __init__(self, title: str, lines: Iterable[Line]) -> None:
        super().__init__()
        self._title = title
        self._lines = tuple(lines)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="card help"):
            yield Static(self._title, classes="card-title", markup=False)
            yield Static(paint.content(*self._lines))
            yield Static("esc closes", classes="dim help-hint", markup=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        self.dismiss()


def keys_help(area: Area, read_only_reason: str) -> HelpScreen:
    """The keys of one screen."""
    return HelpScreen(f"Keys of this screen ({area})", help_lines(keymap.in_effect(), area, read_only_reason))


def explanation(word: str) -> HelpScreen:
    """Every meaning of a word of the page."""
    return HelpScreen(word, explanation_lines(meanings(word)))


def explanation_lines(found: Iterable[Entry]) -> list[Line]:
    """PURE: each meaning below the sort of word that it is."""
    lines: list[Line] = []
    for entry in found:
        sentences = spans.wrap((Span(entry.text),), KEY_WIDTH + SENTENCE_WIDTH)
        lines += [*([()] if lines else []), (Span(entry.sort, Tone.DIM),), *sentences]
    return lines


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
