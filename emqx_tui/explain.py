"""What the words on the screens mean: the page `explain.md`, by word.

The page is read by people too; its headings of the second level are the sorts of words, those of the third the words.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).with_name("explain.md")


@dataclass(frozen=True)
class Entry:
    """One meaning of a word: a word may be a phase and a check."""

    word: str
    sort: str
    """The section that it stands in, such as `Phases`."""
    text: str
    """One paragraph, on one line, without marks."""


@cache
def entries() -> tuple[Entry, ...]:
    """All of the page, in its order."""
    return read(PAGE.read_text("utf-8"))


def read(page: str) -> tuple[Entry, ...]:
    """PURE: the entries of a page. Text before the first heading of the third level belongs to none."""
    found: list[Entry] = []
    for section in page.split("\n## ")[1:]:
        sort, _, rest = section.partition("\n")
        for part in f"\n{rest}".split("\n### ")[1:]:
            word, _, text = part.partition("\n")
            plain = " ".join(text.replace("`", "").split())
            found.append(Entry(word.strip().strip("`"), sort.strip(), plain))
    return tuple(found)


def meanings(word: str) -> tuple[Entry, ...]:
    """Every entry of a word; `Cut over`, `cut-over` and `CUT_OVER` are the same word. Empty for an unknown one."""
    wanted = _plain(word)
    return tuple(entry for entry in entries() if _plain(entry.word) == wanted)


def close_words(word: str) -> list[str]:
    """Words that may have been meant, the closest first."""
    by_plain = {_plain(entry.word): entry.word for entry in entries()}
    wanted = _plain(word)
    holding = [plain for plain in by_plain if wanted and wanted in plain]
    close = difflib.get_close_matches(wanted, by_plain, 3, 0.6)
    return [by_plain[plain] for plain in dict.fromkeys([*close, *holding])][:5]


def _plain(word: str) -> str:
    return " ".join(word.lower().replace("-", " ").replace("_", " ").split())
