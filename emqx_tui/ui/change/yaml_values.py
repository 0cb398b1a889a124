"""PURE: what a YAML text means to kubectl, as a JSON value.

kubectl reads plain scalars by YAML 1.1, with its `on` and its octal `0644`, and no YAML library for Python does so
exactly. The library scans and composes the tree; what its scalars mean is settled here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode

MAX_NODES = 50_000
"""More than a cluster's template ever has; a text that unfolds to more is refused."""


class Unreadable(ValueError):
    """The text cannot be read. Lines and columns count from 1."""

    def __init__(self, line: int, column: int, sentence: str) -> None:
        super().__init__(f"line {line}, column {column}: {sentence}")
        self.line, self.column, self.sentence = line, column, sentence


def value_of(root: Node) -> Any:
    """The JSON value of a tree. Raises Unreadable for duplicate keys and the like."""
    return _Reader().read(root)


_NULLS = {"", "~", "null", "Null", "NULL"}
_TRUE = {"y", "yes", "true", "on"}
_FALSE = {"n", "no", "false", "off"}
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolve(plain: str) -> Any:
    """What a plain scalar means to kubectl. Raises ValueError for numbers that JSON cannot hold."""
    if plain in _NULLS:
        return None
    if plain.lower() in _TRUE | _FALSE and (plain.islower() or plain.isupper() or plain.istitle()):
        return plain.lower() in _TRUE
    if _INTEGER.fullmatch(plain):
        return _integer(plain)
    if _NOT_FINITE.fullmatch(plain):
        raise ValueError(f"{plain} cannot be sent as JSON")
    if _FLOAT.fullmatch(plain):
        return float(plain.replace("_", ""))
    return plain


def _integer(plain: str) -> int:
    digits = plain.replace("_", "").lstrip("+-")
    sign = -1 if plain.startswith("-") else 1
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


class _Reader:
    """Turns a tree into a JSON value; anchors may be used, but neither contain themselves nor unfold without end."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._count = 0

    def read(self, node: Node) -> Any:
        self._count += 1
        if self._count > MAX_NODES or id(node) in self._open:
            raise _at(node, "aliases expand without end")
        self._open.add(id(node))
        try:
            if isinstance(node, ScalarNode):
                return self._scalar(node)
            if isinstance(node, SequenceNode):
                return [self.read(item) for item in node.value]
            return self._map(node)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: ScalarNode) -> Any:
        tag = str(getattr(node, "ctag", "") or "")
        explicit = node.tag if isinstance(node.tag, str) and "!" in tag else ""
        if node.style is not None or explicit.endswith(":str"):
            return node.value
        try:
            return resolve(node.value)
        except ValueError as error:
            raise _at(node, str(error)) from error

    def _map(self, node: Node) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            name = self._key(key)
            if name == "<<" and key.style is None:
                for source in self._sources(value):
                    merged = {**source, **merged}
            elif name in own:
                raise _at(key, f"the key {name} is defined twice")
            else:
                own[name] = self.read(value)
        return {**merged, **own}

    def _key(self, key: Node) -> str:
        if not isinstance(key, ScalarNode):
            raise _at(key, "a key must be a scalar")
        return str(key.value)

    def _sources(self, node: Node) -> Iterator[dict[str, Any]]:
        found = self.read(node)
        for source in found if isinstance(found, list) else [found]:
            if not isinstance(source, dict):
                raise _at(node, "only a map can be merged")
            yield source


def _at(node: Node, sentence: str) -> Unreadable:
    return Unreadable(node.start_mark.line + 1, node.start_mark.column + 1, sentence)


def first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
