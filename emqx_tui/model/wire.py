"""Field readers: the only door through which outside text and numbers come in.

Owns type checks (an error names the JSON path) and the removal of characters that a terminal would obey: every
text that leaves this module is free of control characters, escape sequences and bidirectional overrides. Markup
needs no removal here: the screen never parses cluster text as markup.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_MISSING: Any = object()
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's own words: control, format (bidirectional marks, tags), surrogate, private, unassigned, separators."""


class Malformed(ValueError):
    """A value is missing or of the wrong type; `path` says where, in JSONPath style."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def clean(text: str, *, lines: bool = False) -> str:
    """`text` without anything a terminal could obey; with `lines`, newlines stay and tabs become blanks."""
    if text.isascii() and text.isprintable():
        return text
    out = []
    for char in text:
        if char == "\n" and lines:
            out.append(char)
        elif char in "\t\n\r":
            out.append(" ")
        elif unicodedata.category(char) in _UNSAFE_CATEGORIES:
            out.append("�")
        else:
            out.append(char)
    return "".join(out)


class Fields:
    """A JSON object and where it stands, read field by field."""

    __slots__ = ("_object", "path")

    def __init__(self, value: Any, path: str = "$") -> None:
        if not isinstance(value, Mapping):
            raise Malformed(path, f"expected an object, found {_name(value)}")
        self._object = value
        self.path = path

    def __contains__(self, key: str) -> bool:
        return self._object.get(key) is not None

    def names(self) -> tuple[str, ...]:
        return tuple(self._object)

    def items(self) -> tuple[tuple[str, Any], ...]:
        return tuple(self._object.items())

    def raw(self, key: str, default: Any = None) -> Any:
        value = self._object.get(key)
        return default if value is None else value

    def text(self, key: str, default: str | None = _MISSING) -> str:
        value = self._get(key, default)
        if value is default and default is not _MISSING:
            return value
        if not isinstance(value, str):
            raise Malformed(self._at(key), f"expected a string, found {_name(value)}")
        return clean(value)

    def integer(self, key: str, default: int | None = _MISSING) -> int:
        value = self._get(key, default)
        if value is default and default is not _MISSING:
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Malformed(self._at(key), f"expected an integer, found {_name(value)}")
        return value

    def optional_integer(self, key: str) -> int | None:
        return None if key not in self else self.integer(key)

    def optional_text(self, key: str) -> str | None:
        return None if key not in self else self.text(key)

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise Malformed(self._at(key), f"expected true or false, found {_name(value)}")
        return value

    def instant(self, key: str) -> datetime | None:
        """An RFC 3339 instant as an aware datetime, or None when absent."""
        value = self.optional_text(key)
        if value is None:
            return None
        try:
            parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError as error:
            raise Malformed(self._at(key), f"expected an RFC 3339 instant, found {value!r}") from error
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)

    def child(self, key: str) -> Fields:
        """The object under `key`; absent reads as empty."""
        return Fields(self.raw(key, {}), self._at(key))

    def children(self, key: str) -> Iterator[Fields]:
        """The objects of the array under `key`; absent reads as empty."""
        for index, value in enumerate(self.array(key)):
            yield Fields(value, f"{self._at(key)}[{index}]")

    def array(self, key: str) -> Sequence[Any]:
        value = self.raw(key, [])
        if not isinstance(value, list):
            raise Malformed(self._at(key), f"expected an array, found {_name(value)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        for index, value in enumerate(self.array(key)):
            if not isinstance(value, str):
                raise Malformed(f"{self._at(key)}[{index}]", f"expected a string, found {_name(value)}")
        return tuple(clean(value) for value in self.array(key))

    def text_map(self, key: str) -> dict[str, str]:
        value = self.raw(key, {})
        if not isinstance(value, Mapping):
            raise Malformed(self._at(key), f"expected an object, found {_name(value)}")
        return {clean(str(name)): clean(str(entry)) for name, entry in value.items()}

    def _get(self, key: str, default: Any) -> Any:
        value = self._object.get(key)
        if value is not None:
            return value
        if default is _MISSING:
            raise Malformed(self._at(key), "missing")
        return default

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}"


def _name(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
