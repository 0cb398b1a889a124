"""Help: the keys of one screen, drawn from the table that binds them, and what a word means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from emqx_tui.explain import Entry, meanings
from emqx_tui.session.views.fleet_view import SourceHealth
from emqx_tui.ui.shell import keymap
from emqx_tui.ui.shell.keymap import Area, Key, spell
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Span, Tone

KEY_WIDTH, SENTENCE_WIDTH = 8, 62
FRAME_CELLS = 8
"""Border, padding and scroll bar."""


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


@dataclass(frozen=True)
class MissingRight:
    """What this user may not do, and the actions of the screen that do nothing without it."""

    reason: str
    actions: tuple[str, ...] = ()


def unread(health: Iterable[SourceHealth]) -> tuple[MissingRight, ...]:
    """What may not be read."""
    return tuple(MissingRight(f"{found.name}: {found.problem}") for found in health if found.is_forbidden)


def keys_help(
    area: Area, read_only_reason: str, missing: Iterable[MissingRight] = (), *, cells: int = 80
) -> HelpScreen:
    """The keys of one screen, for a terminal of so many cells."""
    title = f"Keys of this screen ({area})"
    room = sentence_width(cells)
    return HelpScreen(title, help_lines(keymap.in_effect(), area, read_only_reason, tuple(missing), room))


def explanation(word: str, *, cells: int = 80) -> HelpScreen:
    """Every meaning of a word of the page."""
    return HelpScreen(word, explanation_lines(meanings(word), sentence_width(cells)))


def sentence_width(cells: int) -> int:
    """Cells beside the keys, without the frame."""
    return max(20, min(SENTENCE_WIDTH, cells - KEY_WIDTH - FRAME_CELLS))


def explanation_lines(found: Iterable[Entry], room: int = SENTENCE_WIDTH) -> list[Line]:
    """PURE: each meaning below the sort of word that it is."""
    lines: list[Line] = []
    for entry in found:
        sentences = spans.wrap((Span(entry.text),), KEY_WIDTH + room)
        lines += [*([()] if lines else []), (Span(entry.sort, Tone.DIM),), *sentences]
    return lines


def help_lines(
    keys: Iterable[Key],
    area: Area,
    read_only_reason: str,
    missing: tuple[MissingRight, ...] = (),
    room: int = SENTENCE_WIDTH,
) -> list[Line]:
    """PURE: what is not allowed, the keys of a screen, those that work everywhere; keys that are off are greyed out."""
    known = tuple(keys)
    found = [key for key in known if key.area is area] + [key for key in known if key.area is Area.EVERYWHERE]
    without = {action for right in missing for action in right.actions}
    # On top: the end of the list may be below the screen.
    lines: list[Line] = []
    if read_only_reason:
        lines += [(Span(f"Greyed-out keys send nothing: {read_only_reason}", Tone.WARN),), ()]
    if missing:
        lines += [part for right in missing for part in _missing(right, found, room)] + [()]
    for key in found:
        off = "read-only" if read_only_reason and key.sends else "no right" if key.action in without else ""
        lines += _entry(key, off, room)
    return lines


def _missing(right: MissingRight, keys: Iterable[Key], room: int) -> list[Line]:
    off = ", ".join(f"{spell(key.key)} {key.label}" for key in keys if key.action in right.actions)
    told = spans.line((f"▲ {clean(right.reason)}", Tone.WARN), (f"   off: {off}" if off else "", Tone.DIM))
    return spans.wrap(told, KEY_WIDTH + room)


def _entry(key: Key, off: str, room: int) -> list[Line]:
    """`off` says why it does nothing; empty: it works."""
    sentence = f"{key.sentence} (off: {off})" if off else key.sentence
    wrapped = spans.wrap((Span(sentence, Tone.DIM if off else Tone.PLAIN),), room)
    first = spans.pad((Span(spell(key.key), Tone.DIM if off else Tone.KEY),), KEY_WIDTH)
    return [(*(first if number == 0 else (Span(" " * KEY_WIDTH),)), *text) for number, text in enumerate(wrapped)]
