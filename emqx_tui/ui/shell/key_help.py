"""PURE: the table of keys as lines of the help."""

from __future__ import annotations

from collections.abc import Iterable

from emqx_tui.ui.shell import words
from emqx_tui.ui.shell.keymap import Area, Key, spell
from emqx_tui.ui.text import spans
from emqx_tui.ui.text.spans import Line, Span, Tone

KEY_WIDTH, SENTENCE_WIDTH = 8, 62


def help_lines(keys: Iterable[Key], area: Area, read_only_reason: str) -> list[Line]:
    """The keys of a screen, then those that work everywhere; what read-only mode forbids is greyed, with the reason."""
    found = [key for key in keys if key.area is area] + [key for key in keys if key.area is Area.EVERYWHERE]
    lines = [line for key in found for line in _entry(key, is_off=bool(read_only_reason) and key.sends)]
    if read_only_reason:
        lines += [(), (Span(words.help_read_only(read_only_reason), Tone.WARN),)]
    return lines


def _entry(key: Key, *, is_off: bool) -> list[Line]:
    sentence = f"{key.sentence} (off: read-only)" if is_off else key.sentence
    wrapped = spans.wrap((Span(sentence, Tone.DIM if is_off else Tone.PLAIN),), SENTENCE_WIDTH)
    first = spans.pad((Span(spell(key.key), Tone.DIM if is_off else Tone.KEY),), KEY_WIDTH)
    return [(*(first if number == 0 else (Span(" " * KEY_WIDTH),)), *text) for number, text in enumerate(wrapped)]
