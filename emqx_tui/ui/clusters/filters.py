"""PURE: which rows of the list a filter keeps: words, regular expressions, and labels as kubectl spells them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.clusters.states import state, step_word, version_words

LABELS = "-l"


def matches(row: ClusterRow, wanted: str) -> bool:
    """True when the row has every word of the filter and none that begins with `!`, and fits the labels behind `-l`.

    A word is a regular expression, whatever the case; one that is none stands for itself.
    """
    if not wanted:
        return True
    resource = row.resource
    text = " ".join((resource.namespace, resource.name, state(row).word, version_words(row), step_word(row)))
    words, selectors = _parts(wanted)
    labels = dict(resource.meta.labels)
    return all(_fits(text, word) for word in words) and all(_selected(labels, selector) for selector in selectors)


def _parts(wanted: str) -> tuple[list[str], list[str]]:
    """The words, and the requirements on labels."""
    words: list[str] = []
    selectors: list[str] = []
    parts = iter(wanted.split())
    for part in parts:
        if part.startswith(LABELS):
            selectors += (part.removeprefix(LABELS).removeprefix("=") or next(parts, "")).split(",")
        else:
            words.append(part)
    return words, [selector for selector in selectors if selector]


def _fits(text: str, word: str) -> bool:
    pattern = word.removeprefix("!")
    if not pattern:
        return True
    try:
        found = re.search(pattern, text, re.IGNORECASE)
    except re.error:
        found = re.search(re.escape(pattern), text, re.IGNORECASE)
    return bool(found) is not word.startswith("!")


def _selected(labels: Mapping[str, str], selector: str) -> bool:
    """One requirement: `app`, `!app`, `app=x`, `app==x` or `app!=x`."""
    if "!=" in selector:
        name, _, value = selector.partition("!=")
        return labels.get(name) != value
    if "=" in selector:
        name, _, value = selector.partition("=")
        return labels.get(name) == value.removeprefix("=")
    return (selector.removeprefix("!") in labels) is not selector.startswith("!")
