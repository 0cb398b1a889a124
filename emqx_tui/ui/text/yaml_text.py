"""YAML with highlighting, in colours that can be read on the ground of the theme."""

from __future__ import annotations

from rich.style import Style
from textual.theme import Theme
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from emqx_tui.ui.text import paint

_PLAIN = TextAreaTheme("plain", syntax_styles={"yaml.field": Style(bold=True)})


class YamlText(TextArea):
    """Textual's own colours are made for a dark ground; elsewhere the names of fields are bold, and that is all."""

    def on_mount(self) -> None:
        self.register_theme(_PLAIN)
        self.app.theme_changed_signal.subscribe(self, self._highlight)
        self._highlight(self.app.current_theme)

    def _highlight(self, theme: Theme) -> None:
        self.theme = "css" if theme.dark and paint.has_hues(self.app) else _PLAIN.name
