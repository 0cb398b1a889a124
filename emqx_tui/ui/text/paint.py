"""Turns toned lines into what Textual draws. Never parses markup; colours come from the theme's variables.

Every theme has the variables of `TONES`, so that a theme chosen in the command palette cannot leave one out.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.text import Text
from textual.content import Content

from emqx_tui.ui.text.spans import Line, Tone

TONES = {
    Tone.DIM: "#8a93a3",
    Tone.GOOD: "#5fb878",
    Tone.WAIT: "#b9a16b",
    Tone.WARN: "#e3b341",
    Tone.BAD: "#ff6b6b",
    Tone.CALL: "#ffd75f",
    Tone.BLUE: "#6ea8ff",
    Tone.GREEN: "#4ec98a",
    Tone.SUM: "#d6dbe5",
    Tone.KEY: "#e3b341",
}

LIGHT_TONES = {
    Tone.DIM: "#5b6472",
    Tone.GOOD: "#1f7a3d",
    Tone.WAIT: "#6d5a1f",
    Tone.WARN: "#8a5a00",
    Tone.BAD: "#c01c28",
    Tone.CALL: "#8a3b00",
    Tone.BLUE: "#1a4fc4",
    Tone.GREEN: "#0d7a4f",
    Tone.SUM: "#20242b",
    Tone.KEY: "#8a5a00",
}

_BOLD = {Tone.STRONG, Tone.WARN, Tone.BAD, Tone.CALL, Tone.KEY}


def variables(is_dark: bool) -> dict[str, str]:
    """Theme variables `tone-<name>`, one for each tone that has a colour."""
    return {f"tone-{tone}": colour for tone, colour in (TONES if is_dark else LIGHT_TONES).items()}


def content(*lines: Line) -> Content:
    """Lines below each other."""
    rows = [Content.assemble(*((span.text, style(span.tone)) for span in spans)) for spans in lines]
    return Content("\n").join(rows)


def style(tone: Tone) -> str:
    """A tone as a Textual style; its colour is looked up when it is drawn."""
    colour = f"$tone-{tone}" if tone in TONES else ""
    return f"bold {colour}".strip() if tone in _BOLD else colour


def cell(spans: Line, theme: Mapping[str, str], *, align: str = "<") -> Text:
    """A line as the cell of a table, which takes rich text only. `theme` has the variables of the app."""
    text = Text(justify="right" if align == ">" else "left", no_wrap=True, end="")
    for span in spans:
        text.append(span.text, Style(color=theme.get(f"tone-{span.tone}"), bold=span.tone in _BOLD or None))
    return text
