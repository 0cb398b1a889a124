"""PURE: `-o jsonpath=TEMPLATE` as kubectl spells it: text, and expressions in braces.

`{.items[*].metadata.name}`, `{"\\n"}`, `{range .items[*]}...{end}`. The expressions themselves are RFC 9535's, by a
library; what is kubectl's own is the template around them, and a backslash before a dot that belongs to a key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpath

from emqx_tui.model.wire import clean

_ESCAPED = re.compile(r"\.((?:[\w/-]|\\\.)*\\\.(?:[\w/-]|\\\.)*)")
"""A key with escaped dots, such as `.app\\.kubernetes\\.io/name`."""


class InvalidTemplate(ValueError):
    """A template that cannot be understood; the message is a part of a line."""


@dataclass(frozen=True)
class _Text:
    text: str


@dataclass(frozen=True)
class _Path:
    query: str


@dataclass(frozen=True)
class _Range:
    over: _Path
    body: tuple[_Part, ...]


_Part = _Text | _Path | _Range


@dataclass(frozen=True)
class Template:
    """A template that was understood."""

    parts: tuple[_Part, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises InvalidTemplate."""
        tokens = iter(_tokens(text))
        parts = _parts(tokens, is_nested=False)
        return cls(parts)

    def render(self, document: Any) -> str:
        """What the template says of a document; what is not there is empty, as for kubectl."""
        return "\t".join(clean(text, lines=True) for text in _render(self.parts, document).split("\t"))


def _tokens(text: str) -> Iterator[_Text | str]:
    """Text outside of braces, and what stands inside them."""
    while text:
        before, brace, rest = text.partition("{")
        if before:
            yield _Text(before)
        if not brace:
            return
        inside, text = _inside(rest)
        yield inside


def _inside(text: str) -> tuple[str, str]:
    """(what stands up to the closing brace, the rest); braces in quotes close nothing."""
    quote = ""
    for index, character in enumerate(text):
        if quote:
            quote = "" if character == quote and text[index - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character == "}":
            return text[:index].strip(), text[index + 1 :]
    raise InvalidTemplate("a brace is not closed")


def _parts(tokens: Iterator[_Text | str], *, is_nested: bool) -> tuple[_Part, ...]:
    found: list[_Part] = []
    for token in tokens:
        match token:
            case _Text():
                found.append(token)
            case "end":
                if not is_nested:
                    raise InvalidTemplate("{end} without {range}")
                return tuple(found)
            case _ if token.startswith("range "):
                found.append(_Range(_path(token.removeprefix("range ")), _parts(tokens, is_nested=True)))
            case _ if token[:1] in ("'", '"'):
                found.append(_Text(_unquoted(token)))
            case _:
                found.append(_path(token))
    if is_nested:
        raise InvalidTemplate("{range} without {end}")
    return tuple(found)


def _unquoted(token: str) -> str:
    try:
        return json.loads(f'"{token[1:-1]}"')
    except ValueError as error:
        raise InvalidTemplate(f"{token} is not a quoted text") from error


def _path(text: str) -> _Path:
    """kubectl's path as RFC 9535 spells it: from `$`, keys with dots in brackets."""
    text = _ESCAPED.sub(lambda key: "['" + key[1].replace("\\.", ".") + "']", text.strip())
    if text[:1] in ("$", "@"):
        text = text[1:]
    elif text[:1] not in (".", "["):
        text = f".{text}"
    query = "$" if text == "." else f"${text}"
    try:
        jsonpath.compile(query)
    except jsonpath.JSONPathError as error:
        raise InvalidTemplate(f"{{{text}}} is no path") from error
    return _Path(query)


def _render(parts: Sequence[_Part], value: Any) -> str:
    out: list[str] = []
    for part in parts:
        match part:
            case _Text(text):
                out.append(text)
            case _Path(query):
                out.append(" ".join(_spelled(found) for found in jsonpath.findall(query, value)))
            case _Range(over, body):
                out += [_render(body, found) for found in jsonpath.findall(over.query, value)]
    return "".join(out)


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
