"""Turns toned lines and the themes of `themes.py` into what Textual draws. Never parses markup."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import textual.theme
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App
from textual.content import Content

from emqx_tui.ui.text.spans import Line, Span, Tone
from emqx_tui.ui.text.themes import DARK, THEMES, Theme

_BOLD = {Tone.STRONG, Tone.WARN, Tone.BAD, Tone.CALL, Tone.KEY}


def textual_theme(theme: Theme) -> textual.theme.Theme:
    """A theme as Textual takes it. What Textual's own widgets draw follows the same colours."""
    return textual.theme.Theme(
        name=theme.name,
        primary=theme.primary,
        secondary=theme.primary,
        warning=theme.tones["warn"],
        error=theme.tones["bad"],
        success=theme.tones["good"],
        accent=theme.tones["key"],
        foreground=theme.foreground,
        background=theme.background,
        surface=theme.surface,
        panel=theme.panel,
        dark=theme.is_dark,
        variables=theme.variables(),
    )


def has_hues(app: App) -> bool:
    """Colours tell things apart here: neither NO_COLOR nor a theme of greys is in effect."""
    theme = THEMES.get(app.theme)
    return not app.no_color and (theme is None or theme.has_hues)


def has_signs(app: App) -> bool:
    """Curves are told apart by signs here, not by their colours alone."""
    theme = THEMES.get(app.theme)
    return app.no_color or (theme is not None and theme.has_signs)


def content(*lines: Line) -> Content:
    """Lines below each other."""
    rows = [Content.assemble(*((span.text, style(span.tone)) for span in spans)) for spans in lines]
    return Content("\n").join(rows)


def style(tone: Tone) -> str:
    """A tone as a Textual style; its colour is looked up when it is drawn."""
    colour = f"$tone-{tone}" if tone in DARK.tones else ""
    return f"bold {colour}".strip() if tone in _BOLD else colour


def cell(spans: Line, theme: Mapping[str, str], *, align: str = "<") -> Text:
    """A line as the cell of a table, which takes rich text only. `theme` has the variables of the app."""
    text = Text(justify="right" if align == ">" else "left", no_wrap=True, end="")
    for span in spans:
        text.append(span.text, _span_style(span, theme))
    return text


def segments(spans: Line, theme: Mapping[str, str]) -> list[Segment]:
    """A line as it goes to the terminal: rich text would be taken apart again, at four times the cost."""
    return [Segment(span.text, _span_style(span, theme)) for span in spans if span.text]


def _span_style(span: Span, theme: Mapping[str, str]) -> Style:
    return _rich_style(theme.get(f"tone-{span.tone}"), span.tone in _BOLD)


@cache
def _rich_style(colour: str | None, is_bold: bool) -> Style:
    return Style(color=colour, bold=is_bold or None)
