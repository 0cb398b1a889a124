"""`emqx-tui explain`: what a word on a screen means. Asks no cluster."""

from __future__ import annotations

import json
import textwrap
from argparse import Namespace
from collections.abc import Iterable

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.cli.standard_output import say
from emqx_tui.explain import Entry, close_words, entries, meanings

WIDTH = 100
HARD_SPACE = "\N{NO-BREAK SPACE}"


def run(arguments: Namespace) -> int:
    """Print it; the exit code. Raises ConfigError for an unknown word."""
    word = " ".join(arguments.word)
    found = meanings(word) if word else entries()
    if not found:
        near = ", ".join(close_words(word))
        hint = f"did you mean {near}?" if near else "emqx-tui explain lists every word"
        raise ConfigError(f"no screen uses the word {word!r}; {hint}")
    if arguments.output == "json":
        words = [{"word": entry.word, "sort": entry.sort, "text": entry.text} for entry in found]
        say(json.dumps({"schema": 1, "words": words}, indent=2))
    else:
        say("\n\n".join(map(paragraph, found)) if word else "\n".join(index(found)))
    return 0


def paragraph(entry: Entry) -> str:
    """One meaning in full."""
    return f"{entry.word} ({entry.sort.lower()})\n{_filled(entry.text)}"


def index(found: Iterable[Entry]) -> list[str]:
    """Every word, by sort; no word is broken between two lines."""
    by_sort: dict[str, list[str]] = {}
    for entry in found:
        by_sort.setdefault(entry.sort, []).append(entry.word.replace(" ", HARD_SPACE))
    return [f"{sort}:\n{_filled(', '.join(words), '  ').replace(HARD_SPACE, ' ')}" for sort, words in by_sort.items()]


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
