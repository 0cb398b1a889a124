"""Lines of toned text: what the words modules return and the line widgets draw.

PURE. A span names a tone, never a colour: the stylesheet decides what a tone looks like, and every tone comes with a
word or a glyph, so that nothing is said by colour alone. Text is taken as it is: no markup is ever parsed. Widths are
terminal cells, not characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size


class Tone(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    WAIT = "wait"
    """Not yet, or not known."""
    WARN = "warn"
    """A person should look."""
    BAD = "bad"
    CALL = "call"
    """Somebody has to act now: the loudest one, for one line at a time."""
    BLUE = "blue"
    GREEN = "green"
    SUM = "sum"
    KEY = "key"
    """A key to press."""


class Span(NamedTuple):
    """A piece of text and what it means. A tuple: each drawing compares hundreds of them and looks them up."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]

EMPTY: Line = ()

TIE = "\u00a0"
"""A blank at which `wrap` does not break unless it has to; it comes out as a plain blank."""


def line(*parts: str | Span | tuple[str, Tone]) -> Line:
    """A line from texts, spans and (text, tone) pairs; empty ones are left out."""
    spans = [part if isinstance(part, Span) else Span(part) if isinstance(part, str) else Span(*part) for part in parts]
    return tuple([span for span in spans if span.text])


def plain(spans: Iterable[Span]) -> str:
    """The text alone."""
    return "".join(span.text for span in spans)


def width(spans: Iterable[Span]) -> int:
    """Cells that the line takes."""
    return sum([cell_len(text) for text, _ in spans])


def crop(spans: Line, cells: int, ellipsis: str = "…") -> Line:
    """The line cut to at most `cells`; a cut is marked."""
    if width(spans) <= cells:
        return spans
    room = max(0, cells - cell_len(ellipsis))
    kept: list[Span] = []
    for span in spans:
        size = cell_len(span.text)
        if size <= room:
            kept.append(span)
            room -= size
            continue
        kept.append(Span(set_cell_size(span.text, room) + ellipsis, span.tone))
        break
    return tuple(kept) if cells > 0 else EMPTY


def pad(spans: Line, cells: int) -> Line:
    """The line, cropped or filled with blanks to exactly `cells`."""
    cropped = crop(spans, cells)
    rest = cells - width(cropped)
    return (*cropped, Span(" " * rest)) if rest else cropped


def spread(left: Line, right: Line, cells: int) -> Line:
    """`left` and `right` at the two ends of a line; the left one is cropped when both do not fit."""
    room = cells - width(right) - 1
    if room < 8:
        return crop(left, cells)
    return (*pad(left, room), Span(" "), *right)


def wrap(spans: Line, cells: int) -> list[Line]:
    """The line in several, broken at blanks where possible, inside a long word where not."""
    lines: list[list[Span]] = [[]]
    room = cells
    for word in _fitting(_words(spans), cells):
        size = width(word)
        if size > room and lines[-1]:
            lines.append([])
            room = cells
        if not lines[-1]:
            word = _without_lead(word)
            size = width(word)
        for piece in word if size <= room else _chopped(word, cells):
            if cell_len(piece.text) > room:
                lines.append([])
                room = cells
            lines[-1].append(piece)
            room -= cell_len(piece.text)
    return [tuple(Span(span.text.replace(TIE, " "), span.tone) for span in found) for found in lines]


def _fitting(words: Iterable[Line], cells: int) -> Iterable[Line]:
    """Words that are tied together and do not fit on a line of their own are broken at their ties."""
    for word in words:
        if width(word) > cells and any(TIE in span.text for span in word):
            yield from _words(tuple(Span(span.text.replace(TIE, " "), span.tone) for span in word))
        else:
            yield word


def _words(spans: Line) -> Iterable[Line]:
    """Each word with the blanks before it; a word may consist of several tones."""
    word: list[Span] = []
    for span in spans:
        start = 0
        for at, char in enumerate(span.text):
            before = span.text[at - 1] if at > start else word[-1].text[-1] if word and at == start else " "
            if char == " " and before != " ":
                if start < at:
                    word.append(Span(span.text[start:at], span.tone))
                if word:
                    yield tuple(word)
                word, start = [], at
        if start < len(span.text):
            word.append(Span(span.text[start:], span.tone))
    if word:
        yield tuple(word)


def _without_lead(word: Line) -> Line:
    first = Span(word[0].text.lstrip(" "), word[0].tone)
    return line(first, *word[1:]) if first.text else _without_lead(word[1:]) if len(word) > 1 else EMPTY


def _chopped(word: Line, cells: int) -> Line:
    return tuple(Span(piece, span.tone) for span in word for piece in chop_cells(span.text, cells))


def columns(cells: Sequence[Line], widths: Sequence[int], aligns: str, gap: int = 1) -> Line:
    """A table row: each cell cropped to its width; `aligns` has one of `<` and `>` for each column."""
    out: list[Span] = []
    for cell, size, align in zip(cells, widths, aligns, strict=True):
        if out:
            out.append(Span(" " * gap))
        taken = width(cell)
        if taken > size:
            cell = crop(cell, size)
            taken = width(cell)
        fill = (Span(" " * (size - taken)),) if taken < size else ()
        out += [*fill, *cell] if align == ">" else [*cell, *fill]
    return tuple(out)
