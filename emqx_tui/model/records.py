"""Frozen dataclasses as JSON and back, by their type hints: for what this console itself writes and reads again.

Reading is strict: a field without a default is required, and a value of another type is `Malformed`, with its path and
without the value. Unknown fields are ignored: another console may know more. msgspec would do most of this, but its
errors quote what they found and name no key of a mapping, and it leaves control characters in texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, TypeVar, get_args, get_origin, get_type_hints

from emqx_tui.model.wire import Fields, Malformed

T = TypeVar("T")

AT_LEAST = "at least"
"""Key in a field's metadata: the smallest number that is read."""


class AsText:
    """A value that is stored as its text."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Reads what `str` writes. Raises ValueError."""
        raise NotImplementedError


def encode(value: Any) -> Any:
    """A record as JSON values."""
    match value:
        case AsText():
            return str(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {key: encode(entry) for key, entry in value.items()}
        case list() | tuple():
            return [encode(entry) for entry in value]
        case _ if is_dataclass(value):
            return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
        case _:
            return value


def decode(kind: type[T], source: Fields) -> T:
    """The record of type `kind` that `source` holds. Raises Malformed."""
    return _record(kind, source)


def _record(kind: Any, source: Fields) -> Any:
    hints = _hints(kind)
    read = [field for field in fields(kind) if field.name in source or _is_required(field)]
    found = {field.name: _value(source, field.name, hints[field.name]) for field in read}
    for field in read:
        least = field.metadata.get(AT_LEAST)
        if least is not None and found[field.name] < least:
            raise Malformed(f"{source.path}.{field.name}", f"expected at least {least}")
    return kind(**found)


_hints = cache(get_type_hints)


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _value(source: Fields, key: str, hint: Any) -> Any:
    if key not in source and not is_dataclass(hint):
        raise Malformed(f"{source.path}.{key}", "missing")
    match get_origin(hint) or hint:
        case kind if kind is UnionType:
            (some,) = (part for part in get_args(hint) if part is not NoneType)
            return _value(source, key, some)
        case kind if kind is tuple:
            return _tuple(source, key, get_args(hint)[0])
        case kind if kind is Mapping:
            return _mapping(source.child(key), get_args(hint)[1])
        case kind if isinstance(kind, type) and issubclass(kind, AsText):
            return _from_text(source, key, kind)
        case kind if is_dataclass(kind):
            return _record(kind, source.child(key))
        case kind if isinstance(kind, type) and issubclass(kind, StrEnum):
            return _word(source, key, kind)
    return _SCALARS[hint](source, key)


_SCALARS = {str: Fields.text, int: Fields.integer, bool: Fields.flag, datetime: Fields.instant}


def _word(source: Fields, key: str, words: type[StrEnum]) -> StrEnum:
    word = source.text(key)
    if word not in set(words):
        raise Malformed(f"{source.path}.{key}", f"expected one of {', '.join(words)}")
    return words(word)


def _from_text(source: Fields, key: str, kind: type[AsText]) -> AsText:
    try:
        return kind.from_text(source.text(key))
    except ValueError as error:
        raise Malformed(f"{source.path}.{key}", str(error)) from None


def _mapping(source: Fields, kind: Any) -> dict[str, Any]:
    """Values of `kind`; those of `Any` word for word: they go back into the cluster."""
    return dict(source.items()) if kind is Any else {key: _value(source, key, kind) for key in source.names()}


def _tuple(source: Fields, key: str, kind: Any) -> tuple[Any, ...]:
    if kind is str:
        return source.texts(key)
    if is_dataclass(kind):
        return tuple(_record(kind, item) for item in source.children(key))
    return tuple(
        _row(f"{source.path}.{key}[{index}]", row, get_args(kind)) for index, row in enumerate(source.array(key))
    )


def _row(path: str, row: Any, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    if not isinstance(row, list) or tuple(map(type, row)) != kinds:
        raise Malformed(path, f"expected a row of {', '.join(kind.__name__ for kind in kinds)}")
    return tuple(row)
