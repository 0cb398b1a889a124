"""PURE: the path of the field on a line of YAML, by indentation: the text need not be valid while it is typed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from emqx_tui.model.object_schema import ITEM

_LINE = re.compile(
    r"(?P<dashes> *(?:- +|-$)*)(?:(?P<quote>[\"']?)(?P<key>[^\s\"'#\[\]{}&*!|>%@`][^\"':]*)(?P=quote):(?:\s|$))?"
)


def path_at(lines: Sequence[str], row: int) -> tuple[str, ...]:
    """The keys from the top down to the one on the line `row`, counted from 0; an entry of a list is ITEM."""
    path: list[str] = []
    column, is_item = -1, False
    row = min(row, len(lines) - 1)
    for number in range(row, -1, -1):
        for at, name in reversed(list(_names(lines[number]))):
            is_first = number == row
            is_above = at < column or (at == column and is_item and name != ITEM)
            if is_first or is_above:
                path.insert(0, name)
                column, is_item = at, name == ITEM
        if number == row and not path:
            return ()
    return tuple(path)


def _names(line: str) -> Iterator[tuple[int, str]]:
    """(column, name) of what begins on a line: entries of lists, then a key."""
    found = _LINE.match(line)
    if found is None:
        return
    for at, character in enumerate(found["dashes"]):
        if character == "-":
            yield at, ITEM
    if found["key"]:
        yield found.start("key") - len(found["quote"]), found["key"].rstrip()
