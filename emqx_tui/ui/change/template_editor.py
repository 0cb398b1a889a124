"""The template as YAML. A change from the form replaces only the characters that differ, so cursor and undo survive."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from emqx_tui.ui.change.cursor_path import path_at
from emqx_tui.ui.change.edit import PATHS
from emqx_tui.ui.change.form_rows import Seen
from emqx_tui.ui.change.yaml_document import Path
from emqx_tui.ui.text.yaml_text import YamlText


class TemplateEditor(YamlText):
    """YAML with highlighting and line numbers; Escape leaves it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "screen.leave_editor", "leave the editor")]

    seen = Seen()
    """What the fleet runs."""

    def __init__(self) -> None:
        super().__init__(language="yaml", show_line_numbers=True, tab_behavior="indent", soft_wrap=False, id="editor")
        self.indent_width = 2
        self.cursor_blink = False
        self._shown = ""
        """What it was last told to show."""

    @property
    def field_path(self) -> Path:
        """The field on the line of the cursor."""
        return path_at(self.document.lines, self.cursor_location[0])

    def update_suggestion(self) -> None:
        """Complete the image with what runs in the fleet; `right` takes it."""
        row, column = self.cursor_location
        before, after = self.document.lines[row][:column], self.document.lines[row][column:]
        name = next((name for name in ("version", "repository") if self.field_path == PATHS[name]), "")
        typed = before.rpartition(": ")[2].strip()
        completed = self.seen.completion(name, typed) if name and not after.strip() else ""
        self.suggestion = completed[len(typed) :]

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.prevent_default()

    def show_text(self, text: str) -> None:
        """Show this text without taking it for typed; the same text again does not undo what was typed since."""
        if text == self._shown:
            return
        self._shown = text
        old = self.text
        if text == old:
            return
        if not old:
            with self.prevent(TextArea.Changed):
                self.load_text(text)
            return
        start, end = 0, 0
        while start < min(len(old), len(text)) and old[start] == text[start]:
            start += 1
        while end < min(len(old), len(text)) - start and old[-1 - end] == text[-1 - end]:
            end += 1
        with self.prevent(TextArea.Changed):
            self.replace(
                text[start : len(text) - end],
                _location(old, start),
                _location(old, len(old) - end),
                maintain_selection_offset=True,
            )

    def go_to(self, line: int, column: int = 1) -> None:
        """Put the cursor on a line and column, both from 1."""
        self.move_cursor((max(0, line - 1), max(0, column - 1)), center=True)


def _location(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n"), index - (before.rfind("\n") + 1)
