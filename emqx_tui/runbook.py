"""What a person is to do at each gate: the words of `runbook.md`, or those of a file that the settings name.

A file is Markdown with a heading for each gate: `start`, `cut-over`, `drain`. A gate that it leaves out keeps the words
of the page, and so does every gate when it cannot be read: one line says why, and nobody is kept from approving.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from emqx_tui.model.wire import clean

PAGE = Path(__file__).with_name("runbook.md")
MOST_BYTES = 65_536
_ENTRY = re.compile(r"([-*+]|\d+[.)]) ")
_HEADING = re.compile(r"#+ +(.*?)[ #]*")


class Gate(StrEnum):
    """What a heading may be."""

    START = "start"
    CUT_OVER = "cut-over"
    DRAIN = "drain"


@dataclass(frozen=True)
class Runbook:
    """The words for each gate, by paragraph or list entry; empty: a card says nothing of it."""

    texts: Mapping[Gate, tuple[str, ...]] = field(default_factory=dict)
    problem: str = ""
    """Why the file of the settings is not used."""


SILENT = Runbook()


def load(file: Path | None) -> Runbook:
    """The words of a file, those of the page without one. Never raises."""
    page = read(PAGE.read_text("utf-8"))
    if file is None:
        return Runbook(page)
    try:
        own = read(_text(file))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Runbook(page, f"{file} is not used: {reason}")
    if not own:
        return Runbook(page, f"{file} is not used: no heading is one of {', '.join(Gate)}")
    return Runbook({**page, **own})


def _text(file: Path) -> str:
    """Raises OSError, and ValueError for what is no text of a reasonable size."""
    if file.exists() and not file.is_file():
        raise ValueError("not a file")
    with file.open("rb") as opened:
        raw = opened.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES:,} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None


def read(page: str) -> dict[Gate, tuple[str, ...]]:
    """PURE: the paragraphs below each gate's heading; other headings are paragraphs."""
    found: dict[Gate, list[str]] = {}
    gate: Gate | None = None
    is_open = False
    for raw in page.splitlines():
        words = clean(raw).strip()
        heading = _HEADING.fullmatch(words)
        named = _gate(heading[1]) if heading else None
        if named is not None:
            gate, is_open = named, False
            found[gate] = []
        elif gate is None or not words:
            is_open = False
        elif is_open and not heading and not _ENTRY.match(words):
            found[gate][-1] += f" {words}"
        else:
            found[gate].append(heading[1] if heading else words)
            is_open = not heading
    return {name: tuple(lines) for name, lines in found.items() if lines}


def _gate(words: str) -> Gate | None:
    plain = words.strip("`").lower().replace(" ", "-").replace("_", "-")
    return Gate(plain) if plain in set(Gate) else None
