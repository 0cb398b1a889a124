"""YAML as text that a person edits: reading it as kubectl would, and changing one value without touching the rest.

A change replaces the characters of one value and nothing else, so comments, key order, quotes and blank lines stay
as they were typed. Plain scalars mean what they mean to kubectl (YAML 1.1 with its `on` and `0644`), which no YAML
library for Python reads quite so; the library scans and composes, the meaning is settled here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

MAX_NODES = 50_000
"""More than a cluster's template ever has; a text that unfolds to more is refused."""

Path = tuple[str, ...]


class Unreadable(ValueError):
    """The text cannot be read. Lines and columns count from 1."""

    def __init__(self, line: int, column: int, sentence: str) -> None:
        super().__init__(f"line {line}, column {column}: {sentence}")
        self.line, self.column, self.sentence = line, column, sentence


class Uneditable(ValueError):
    """The value stands where a form cannot change it: behind an alias, or where a map stands."""


@dataclass(frozen=True)
class Document:
    """A text and its tree."""

    text: str
    root: Node | None

    @classmethod
    def read(cls, text: str) -> Document:
        """Parse. Raises Unreadable."""
        try:
            root = YAML(pure=True).compose(StringIO(text))
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise Unreadable(line, column, _first_line(error.problem or error.context or "cannot be read")) from error
        except (YAMLError, ValueError) as error:
            raise Unreadable(1, 1, _first_line(str(error))) from error
        return cls(text, root)

    def value(self) -> Any:
        """The text as a JSON value. Raises Unreadable for duplicate keys and the like."""
        return _Reader().read(self.root) if self.root is not None else None

    def line_of(self, path: str) -> int | None:
        """The line, from 1, where the value at a dotted path stands; where its nearest parent stands otherwise."""
        found: int | None = None
        node, rest = self.root, path
        while node is not None and rest:
            step = _step(node, rest)
            if step is None:
                break
            at, node, rest = step
            found = at.start_mark.line + 1
        return found

    def quotes_at(self, path: Path) -> str | None:
        """The quotes around a value: one of ' and ", or None."""
        parents = self._known_parents(path)
        node = parents[-1][2] if len(parents) == len(path) else None
        return node.style if isinstance(node, ScalarNode) and node.style in ("'", '"') else None

    def with_scalar(self, path: Path, value: str | int | None, *, quotes: str | None = None) -> str:
        """The text with another value at `path`; None leaves the key without one. Raises Uneditable.

        `quotes` are put around a string; without them only strings that would be read as something else get some.
        """
        parents = self._known_parents(path)
        missing = path[len(parents) :]
        if not missing:
            return self._replaced(*parents[-1], value, quotes)
        return self.text if value is None else self._inserted(parents, missing, value)

    # --- edits of the text -----------------------------------------------------------------------------------

    def _known_parents(self, path: Path) -> list[tuple[MappingNode, Node, Node]]:
        """(map, key, value) for each part of the path that is there."""
        found: list[tuple[MappingNode, Node, Node]] = []
        node = self.root
        for name in path:
            if not isinstance(node, MappingNode):
                break
            entry = next(((key, value) for key, value in node.value if key.value == name), None)
            if entry is None:
                break
            if entry[1].start_mark.index < entry[0].end_mark.index:
                raise Uneditable("the value is an alias: edit it in the template")
            found.append((node, *entry))
            node = entry[1]
        return found

    def _replaced(self, parent: MappingNode, key: Node, node: Node, value: str | int | None, quotes: str | None) -> str:
        if not isinstance(node, ScalarNode):
            raise Uneditable("there is more than one value: edit it in the template")
        start, end = self._span(key, node)
        nothing = "null" if parent.flow_style else ""
        written = nothing if value is None else scalar_text(value, quotes)
        if node.style in ("|", ">"):
            written += "\n"
        elif not written:
            start = len(self.text[:start].rstrip(" "))
        elif self.text[start - 1 : start] == ":":
            written = f" {written}"
        return self.text[:start] + written + self.text[end:]

    def _span(self, key: Node, node: Node) -> tuple[int, int]:
        """Where a value stands; the library puts an empty one before whatever comes next."""
        start, end = node.start_mark.index, node.end_mark.index
        if start == end:
            start = end = self.text.index(":", key.end_mark.index) + 1
        return start, end

    def _inserted(self, parents: Sequence[tuple[MappingNode, Node, Node]], missing: Path, value: str | int) -> str:
        if not parents:
            if not isinstance(self.root, MappingNode):
                raise Uneditable("the text is no map: edit it in the template")
            return self._into(self.root, missing, value)
        parent, key, node = parents[-1]
        if isinstance(node, MappingNode):
            return self._into(node, missing, value)
        if not isinstance(node, ScalarNode) or node.style is not None or resolve(node.value) is not None:
            raise Uneditable("there is something else than a map: edit it in the template")
        start, end = self._span(key, node)
        if parent.flow_style:
            return f"{self.text[:start].rstrip(' ')} {{{_nested_flow(missing, value)}}}{self.text[end:]}"
        rest_of_line, _, after = self.text[end:].partition("\n")
        head = self.text[:start].rstrip(" ")
        return f"{head}{rest_of_line}\n{_nested(missing, value, key.start_mark.column + 2)}{after}"

    def _into(self, parent: MappingNode, missing: Path, value: str | int) -> str:
        if parent.flow_style:
            at = parent.start_mark.index + 1
            entry = _nested_flow(missing, value) + (", " if parent.value else "")
            return self.text[:at] + entry + self.text[at:]
        column = parent.value[0][0].start_mark.column
        at = self._line_start(parent.value[0][0].start_mark.index)
        return self.text[:at] + _nested(missing, value, column) + self.text[at:]

    def _line_start(self, index: int) -> int:
        return self.text.rfind("\n", 0, index) + 1


def _nested(path: Path, value: str | int, column: int) -> str:
    lines = [f"{' ' * (column + 2 * depth)}{scalar_text(name)}:" for depth, name in enumerate(path)]
    return "\n".join(lines) + f" {scalar_text(value)}\n"


def _nested_flow(path: Path, value: str | int) -> str:
    head = "".join(f"{scalar_text(name)}: {{" for name in path[:-1])
    return f"{head}{scalar_text(path[-1])}: {scalar_text(value)}{'}' * (len(path) - 1)}"


def _step(node: Node, rest: str) -> tuple[Node, Node, str] | None:
    """One step along a dotted path, whose keys may hold dots themselves: (where, what, what is left)."""
    if isinstance(node, SequenceNode):
        match = re.match(r"\[?(\d+)\]?\.?", rest)
        if not match or int(match[1]) >= len(node.value):
            return None
        item = node.value[int(match[1])]
        return item, item, rest[match.end() :]
    if not isinstance(node, MappingNode):
        return None
    for key, value in sorted(node.value, key=lambda entry: -len(str(entry[0].value))):
        name = str(key.value)
        if rest == name or rest.startswith((f"{name}.", f"{name}[")):
            return key, value, rest[len(name) :].removeprefix(".")
    return None


# --- meaning -----------------------------------------------------------------------------------------------------

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
            raise _at(node, "the text unfolds without end")
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
                raise _at(key, f"the key {name} stands here twice")
            else:
                own[name] = self.read(value)
        return {**merged, **own}

    def _key(self, key: Node) -> str:
        if not isinstance(key, ScalarNode):
            raise _at(key, "a key must be a word")
        return str(key.value)

    def _sources(self, node: Node) -> Iterator[dict[str, Any]]:
        found = self.read(node)
        for source in found if isinstance(found, list) else [found]:
            if not isinstance(source, dict):
                raise _at(node, "only a map can be merged")
            yield source


def _at(node: Node, sentence: str) -> Unreadable:
    return Unreadable(node.start_mark.line + 1, node.start_mark.column + 1, sentence)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


# --- writing -----------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*")
_UNSAFE = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def scalar_text(value: str | int, quotes: str | None = None) -> str:
    """A value as it is typed; strings stay strings for every reader of YAML."""
    if not isinstance(value, str):
        return str(value)
    if quotes == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if quotes != '"' and _PLAIN.fullmatch(value) and isinstance(resolve(value), str):
        return value
    return _escape(json.dumps(value, ensure_ascii=False))


def write(value: Any) -> str:
    """A JSON value as block YAML in kubectl's style, which reads back as the same value."""
    out = StringIO()
    yaml = YAML(pure=True)
    yaml.width = 1_000_000
    yaml.indent(mapping=2, sequence=2, offset=0)
    yaml.dump(_styled(value), out)
    text = _escape(out.getvalue())
    try:
        if Document.read(text).value() == value:
            return text
    except Unreadable:
        pass
    return _escape(json.dumps(value, indent=2, ensure_ascii=False)) + "\n"


def _styled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_styled(str(key)): _styled(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_styled(entry) for entry in value]
    if not isinstance(value, str):
        return value
    if "\n" in value and all(line == line.rstrip() for line in value.split("\n")) and not _UNSAFE.search(value):
        return LiteralScalarString(value)
    try:
        is_word = isinstance(resolve(value), str)
    except ValueError:
        is_word = False
    return value if is_word and value.isprintable() and not _UNSAFE.search(value) else DoubleQuotedScalarString(value)


def _escape(text: str) -> str:
    """Characters that a terminal would obey stand inside double quotes only, where they can be spelled out."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
