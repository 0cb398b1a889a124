"""Where outside text becomes values: JSON, and the fields of its objects. YAML is next door, in `yaml_values.py`.

Owns type checks (an error names the JSON path) and the removal of characters that a terminal would obey: every text
read from a field is free of control characters, escape sequences and bidirectional overrides. Messages never quote what
was read: it may be a secret. Markup needs no removal: the screen never parses cluster text as markup.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_MISSING: Any = object()
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's own words: control, format (bidirectional marks, tags), surrogate, private, unassigned, separators."""


DEEPEST = 100
"""Levels of a document; a Kubernetes object has about twenty."""
_INT64 = range(-(2**63), 2**63)


class Unparsable(ValueError):
    """A text is not the JSON or YAML that it should be: where and why, without the text itself."""

    def __init__(self, problem: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(f"line {line}, column {column}: {problem}" if line else problem)
        self.problem = problem
        self.line = line
        self.column = column


class Malformed(ValueError):
    """A value is missing or of the wrong type; `path` says where, in JSONPath style."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


@dataclass(frozen=True)
class Unreadable:
    """What cannot be read of an object."""

    field: str
    """Path in the object, such as `spec.replicas`; empty for the object itself."""
    reason: str

    @classmethod
    def of(cls, error: Malformed) -> Unreadable:
        return cls(clean(error.path.removeprefix("$").removeprefix(".")), clean(error.problem))

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


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


def read_json(raw: str | bytes) -> Any:
    """The value of a JSON text. Raises Unparsable."""
    try:
        value = json.loads(raw, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise Unparsable("not JSON", error.lineno, error.colno) from None
    except Unparsable:
        raise
    except ValueError:
        # Not UTF-8, or a number of thousands of digits.
        raise Unparsable("not JSON") from None
    except RecursionError:
        raise Unparsable("nested too deeply") from None
    if _is_deeper(value, DEEPEST):
        raise Unparsable("nested too deeply")
    return value


def _refuse(constant: str) -> Any:
    raise Unparsable(f"{constant} is not JSON")


def _is_deeper(value: Any, levels: int) -> bool:
    """True when containers are nested more than `levels` deep."""
    # Exact types are what the reader makes; asking for them takes half as long as `isinstance`, and one comprehension
    # three quarters of what a generator under it takes: a list is hundreds of thousands of values. Of the containers in
    # `managedFields` most are empty.
    level = [value] if type(value) in (dict, list) else []
    for _ in range(levels + 1):
        if not level:
            return False
        level = [
            child
            for node in level
            if node
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return True


def unquoted(problem: str) -> str:
    """A parser's message up to the first word that it quotes: it may be a secret. Quoted punctuation stays."""
    for quoted in re.finditer(r"(['\"`])(.*?)\1", problem, re.DOTALL):
        if re.search(r"\w", quoted[2]):
            return problem[: quoted.start()].rstrip()
    return problem


class Fields:
    """A JSON object and where it stands, read field by field."""

    __slots__ = ("_object", "path")

    def __init__(self, value: Any, path: str = "$") -> None:
        # A dict is what JSON gives; asking an abstract class takes ten times as long.
        if not isinstance(value, dict) and not isinstance(value, Mapping):
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
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Malformed(self._at(key), f"expected an integer, found {_name(value)}")
        if value not in _INT64:
            raise Malformed(self._at(key), "expected an integer of 64 bits")
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
            raise Malformed(self._at(key), "expected an RFC 3339 instant") from error
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
        """Texts by name; null reads as empty."""
        fields = self.child(key)
        return {clean(name): fields.text(name, "") for name in fields.names()}

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
