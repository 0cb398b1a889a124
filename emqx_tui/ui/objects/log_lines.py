"""PURE: which lines of a log are shown, and how a long one is wrapped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import chop_cells


def matching(lines: Iterable[str], wanted: str) -> Iterator[str]:
    """The lines that contain every word, and none that begins with `!`."""
    words = wanted.lower().split()
    return (line for line in lines if _contains(line.lower(), words)) if words else iter(lines)


def _contains(line: str, words: list[str]) -> bool:
    return all((word[1:] not in line or word == "!") if word[0] == "!" else word in line for word in words)


def wrapped(lines: Iterable[str], cells: int) -> Iterator[str]:
    """Each line in pieces of at most so many cells."""
    for line in lines:
        if len(line) <= cells and line.isascii():
            yield line
        elif line.isascii():
            yield from (line[at : at + cells] for at in range(0, len(line), cells))
        else:
            yield from chop_cells(line, cells) or [""]
