"""PURE: an edit of something whose secrets are not shown.

The text shows redacted values; what was left as shown means the value that stands in the cluster, so that nobody has
to see a secret in order to keep it. A secret is changed by typing the new one in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emqx_tui.rollout.redaction import REDACTED, redact


class Unknown(ValueError):
    """A redacted value stands where nothing was redacted; `path` is dotted."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: hidden value without an original")
        self.path = path


def mask(original: Any) -> Any:
    """What is shown of a JSON value."""
    return redact(original)


def unmask(edited: Any, original: Any, path: str = "") -> Any:
    """`edited` with the originals in place of what is still as shown. Raises Unknown."""
    return _unmask(edited, mask(original), original, path)


def _unmask(edited: Any, shown: Any, original: Any, path: str) -> Any:
    if isinstance(edited, str):
        if REDACTED not in edited:
            return edited
        if edited == shown:
            return original
        raise Unknown(path)
    if isinstance(edited, Mapping):
        return {
            key: _unmask(value, _get(shown, key), _get(original, key), f"{path}.{key}" if path else str(key))
            for key, value in edited.items()
        }
    if isinstance(edited, list):
        return [
            _unmask(item, was_shown, was, f"{path}[{number}]")
            for number, (item, was_shown, was) in enumerate(_matched(edited, shown, original))
        ]
    return edited


def _get(value: Any, key: Any) -> Any:
    return value.get(key) if isinstance(value, Mapping) else None


def _matched(edited: list[Any], shown: Any, original: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Items of a list beside what they were: by name where they have one, else by place."""
    if not isinstance(shown, list) or not isinstance(original, list):
        shown, original = [], []
    by_name = {name: place for place, item in enumerate(shown) if (name := _name(item)) is not None}
    for number, item in enumerate(edited):
        name = _name(item)
        place = number if name is None else by_name.get(name, -1)
        known = 0 <= place < len(shown)
        yield item, shown[place] if known else None, original[place] if known else None


def _name(item: Any) -> str | None:
    if not isinstance(item, Mapping):
        return None
    name = item["name"] if "name" in item else item.get("key")
    return name if isinstance(name, str) else None
