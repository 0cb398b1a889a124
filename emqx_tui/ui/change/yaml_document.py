"""PURE: YAML as text that a person edits: one value is changed and the rest is left as it was typed.

A change replaces the characters of one value and nothing else, so comments, key order, quotes and blank lines stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from emqx_tui.model.yaml_values import compose, plain_value, value_of
from emqx_tui.model.yaml_writing import scalar_text

MAX_NODES = 50_000
"""More than a cluster's template ever has; a text whose aliases expand to more is refused."""

Path = tuple[str, ...]


class Uneditable(ValueError):
    """The value stands where a form cannot change it: behind an alias, or where a map stands."""


@dataclass(frozen=True)
class Document:
    """A text and its tree."""

    text: str
    root: Node | None

    @classmethod
    def read(cls, text: str) -> Document:
        """Parse. Raises Unparsable."""
        return cls(text, compose(text, is_alone=True))

    def value(self) -> Any:
        """The text as a JSON value. Raises Unparsable, for a duplicate key too."""
        return value_of(self.root, has_unique_keys=True, most_nodes=MAX_NODES)

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
                raise Uneditable("the text is not a map: edit it in the template")
            return self._into(self.root, missing, value)
        parent, key, node = parents[-1]
        if isinstance(node, MappingNode):
            return self._into(node, missing, value)
        if not isinstance(node, ScalarNode) or node.style or plain_value(node.value) is not None:
            raise Uneditable("there is something other than a map: edit it in the template")
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
