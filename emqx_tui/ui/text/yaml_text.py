"""YAML with highlighting, in colours that can be read on the ground of the theme."""

from __future__ import annotations

import re

from rich.style import Style
from textual.theme import Theme
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult, TextAreaTheme

from emqx_tui.ui.text import paint

_PLAIN = TextAreaTheme("plain", syntax_styles={"yaml.field": Style(bold=True)})

_DEEP = re.compile(r"[ \t?:-]{200}")
"""tree-sitter-yaml 0.7 has room for 250 levels of indentation, a column each at least; more end the process."""
MOST_BRACKETS = 5_000
"""To find what to colour in 40,000 brackets that are open takes ten seconds, in these a tenth of one."""


class YamlText(TextArea):
    """Textual's own colours are made for a dark ground; elsewhere the names of fields are bold, and that is all.

    From the first text on that nests too deeply for the highlighter there is no highlighting.
    """

    def on_mount(self) -> None:
        self.register_theme(_PLAIN)
        self.app.theme_changed_signal.subscribe(self, self._highlight)
        self._highlight(self.app.current_theme)

    def _highlight(self, theme: Theme) -> None:
        self.theme = "css" if theme.dark and paint.has_hues(self.app) else _PLAIN.name

    def load_text(self, text: str) -> None:
        self._drop_highlighting_of(text)
        super().load_text(text)

    def edit(self, edit: Edit) -> EditResult:
        if self.language:
            read, document = self.get_text_range, self.document
            self._drop_highlighting_of(read(document.start, edit.top) + edit.text + read(edit.bottom, document.end))
        return super().edit(edit)

    def _drop_highlighting_of(self, text: str) -> None:
        if self.language and (_DEEP.search(text) or text.count("[") + text.count("{") > MOST_BRACKETS):
            self.language = None
