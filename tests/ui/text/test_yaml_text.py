"""Texts that the highlighter cannot take: it ends the process, or keeps it for seconds."""

from __future__ import annotations

import pytest
from textual.widgets.text_area import Edit

from emqx_tui.ui.text.yaml_text import MOST_BRACKETS, YamlText

FLAT = "spec:\n  list: [1, {a: b}]\n" * 100
TOO_MUCH = {
    "lists": "- " * 100_000 + "x",
    "keys": "? " * 300 + "x",
    "indentation": "".join(f"{' ' * level}a:\n" for level in range(300)),
    "open brackets": "[" * (MOST_BRACKETS + 1),
    "pairs of brackets": "[" * 3_000 + "{}" * 3_000 + "]" * 3_000,
}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=list(TOO_MUCH))
def test_what_nests_too_deeply_is_shown_plain(text: str) -> None:
    loaded, pasted = YamlText(language="yaml"), YamlText(language="yaml")
    loaded.load_text(text)
    pasted.load_text(FLAT)
    pasted.edit(Edit(text, (1, 3), (1, 3), maintain_selection_offset=False))
    assert (loaded.language, loaded.text) == (None, text)
    assert (pasted.language, pasted.text) == (None, FLAT[:9] + text + FLAT[9:])


def test_two_pastes_are_counted_as_one_text() -> None:
    area = YamlText(language="yaml")
    for _ in range(2):
        assert area.language == "yaml"
        area.edit(Edit("- " * 80, area.document.end, area.document.end, maintain_selection_offset=False))
    assert (area.language, area.text) == (None, "- " * 160)


def test_an_object_as_deep_as_any_is_highlighted() -> None:
    area = YamlText(language="yaml")
    area.load_text("".join(f"{'  ' * level}a:\n" for level in range(99)))
    area.edit(Edit(FLAT, (0, 0), (0, 0), maintain_selection_offset=False))
    assert area.is_syntax_aware
