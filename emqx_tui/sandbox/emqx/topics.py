"""Topics and topic filters, and who subscribed to what.

Owns the rules of MQTT about wildcards (section 4.7 of both versions). A filter without wildcards is looked up; only
those with wildcards are compared.
"""

from __future__ import annotations

from collections.abc import Iterator


def is_topic(topic: str) -> bool:
    """A name that a message can be published to."""
    return topic != "" and not set(topic) & set("+#\0")


def is_filter(pattern: str) -> bool:
    """`+` and `#` stand for whole levels, `#` for the last ones."""
    levels = pattern.split("/")
    wild = [level for level in levels if "+" in level or "#" in level]
    return pattern != "" and "\0" not in pattern and set(wild) <= {"+", "#"} and "#" not in levels[:-1]


def matches(pattern: str, topic: str) -> bool:
    """Topics that begin with `$` match no filter that begins with a wildcard."""
    if topic.startswith("$") and pattern[0] in "+#":
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)] if len(levels) >= len(wanted) else levels
    return len(wanted) == len(levels) and all(w in ("+", level) for w, level in zip(wanted, levels, strict=True))


class Subscribers:
    """Client ids by the filters that they subscribed to."""

    def __init__(self) -> None:
        self._exact: dict[str, set[str]] = {}
        self._wild: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """How many different filters there are."""
        return len(self._exact) + len(self._wild)

    def add(self, pattern: str, client_id: str) -> None:
        self._of(pattern).setdefault(pattern, set()).add(client_id)

    def remove(self, pattern: str, client_id: str) -> None:
        filters = self._of(pattern)
        filters[pattern].discard(client_id)
        if not filters[pattern]:
            del filters[pattern]

    def of(self, topic: str) -> Iterator[tuple[str, str]]:
        """The client ids that get a message to `topic`, each with its filter; one with several filters comes often."""
        for client_id in self._exact.get(topic, ()):
            yield client_id, topic
        for pattern, client_ids in self._wild.items():
            if matches(pattern, topic):
                for client_id in client_ids:
                    yield client_id, pattern

    def _of(self, pattern: str) -> dict[str, set[str]]:
        return self._wild if "+" in pattern or "#" in pattern else self._exact
