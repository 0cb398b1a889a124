"""The bottom line: the keys that do something now, the most important ones first.

Keys that would change the cluster in read-only mode, and those for which a right is missing, stay, greyed out, with the
reason at the end.
"""

from __future__ import annotations

from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from emqx_tui.ui.shell.keymap import spell
from emqx_tui.ui.shell.screen import ConsoleScreen
from emqx_tui.ui.text import paint, spans
from emqx_tui.ui.text.spans import Line, Span, Tone


class KeyLine(Widget):
    """Keys and their words on one line; what does not fit is found with `?`."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[tuple[str, str, bool], ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._read)
        self._read(self.screen)

    def _read(self, screen: Screen) -> None:
        if screen is not self.screen:
            return
        active = [found for found in screen.active_bindings.values() if found.binding.show]
        own = [found for found in active if found.node is not self.app]
        shared = [found for found in active if found.node is self.app]
        keys = tuple(
            (spell(found.binding.key), found.binding.description, found.enabled)
            for found in own + shared
            if found.binding.description
        )
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def render(self) -> Content:
        screen = self.screen
        why_grey = screen.why_grey if isinstance(screen, ConsoleScreen) else ""
        return paint.content(key_line(self._keys, self.size.width, why_grey))


def key_line(keys: tuple[tuple[str, str, bool], ...], width: int, why_grey: str = "") -> Line:
    """(key, word, does something) in `width` cells; keys that do not fit are left out, `?` never."""
    help_key = next((entry for entry in keys if entry[0] == "?"), None)
    tail: list[Span] = []
    if why_grey and any(not enabled for *_, enabled in keys):
        tail = [Span(f"   grey: {why_grey}", Tone.DIM)]
    reserved = spans.width(tail) + (spans.width(_entry(help_key)) if help_key else 0) + 1
    out: list[Span] = [Span(" ")]
    for entry in keys:
        if entry is help_key:
            reserved -= spans.width(_entry(entry))
            out += _entry(entry)
        elif spans.width(out) + spans.width(_entry(entry)) + reserved <= width:
            out += _entry(entry)
    return (*out, *tail)


def _entry(entry: tuple[str, str, bool]) -> Line:
    key, word, enabled = entry
    return (Span(key, Tone.KEY if enabled else Tone.DIM), Span(f" {word}   ", Tone.PLAIN if enabled else Tone.DIM))
