"""PURE: marks and widths that all screens share; `spans.py` has the lines, `model/units.py` the numbers.

Nothing here reads a clock: ages come in as seconds. Widths are terminal cells, so that wide characters keep columns
straight. Text that came from a cluster goes through `clean` before it is shown; no text is ever parsed as markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, set_cell_size

from emqx_tui.model.wire import clean as _clean
from emqx_tui.ui.text.spans import Line, Span, Tone

NONE = "-"
"""Shown where there is nothing to tell; what is not known is `units.UNKNOWN`, never 0 and never blank."""


@dataclass(frozen=True)
class Mark:
    """A state as a glyph, a word and a tone: each alone tells it."""

    glyph: str
    word: str
    tone: Tone

    @property
    def text(self) -> str:
        return f"{self.glyph} {self.word}"

    @property
    def span(self) -> Span:
        return Span(self.text, self.tone)


def clean(text: object) -> str:
    """One line of text from outside, without anything that a terminal would obey."""
    return _clean(str(text))


def fit(text: str, width: int) -> str:
    """`text`, cut at its end with an ellipsis when it is wider than `width` cells."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…" if width > 1 else "…"[:width]


def fit_middle(text: str, width: int) -> str:
    """`text`, cut in its middle when it is wider than `width` cells: both ends of a name tell it apart."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return "…"[:width]
    keep, tail = width - 1, ""
    for char in reversed(text):
        if cell_len(char + tail) > keep // 2:
            break
        tail = char + tail
    return set_cell_size(text, keep - cell_len(tail)).rstrip() + "…" + tail


def joined(parts: list[Line], separator: str = " · ") -> Line:
    """Lines behind each other, with a separator between them; empty ones are left out."""
    out: list[Span] = []
    for part in (p for p in parts if p):
        if out:
            out.append(Span(separator, Tone.DIM))
        out.extend(part)
    return tuple(out)


def elapsed_s(since: datetime | None, now: datetime) -> float | None:
    """Seconds from `since` to `now`; None without an instant."""
    return None if since is None else (now - since).total_seconds()
