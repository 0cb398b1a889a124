"""YAML as kubectl reads it: the rules of go-yaml v2, which are those of YAML 1.1 with a few of its own.

Owns what becomes of a plain scalar (`yes` is true, `0644` is octal, a date is text), of duplicate keys (the last one
counts), of merge keys and of what follows the first document (ignored). Messages name the place, never the text there:
it may be a secret. Comments and layout are lost; the template editor keeps them, by the marks of the nodes.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from emqx_tui.model.wire import DEEPEST, Unparsable, unquoted

MOST_NODES = 1_000_000
"""Values of one document, aliases counted each time: a few lines of them can stand for billions."""

_TAG = "tag:yaml.org,2002:"
_TRUE = {"y", "yes", "on", "true"}
_PLAIN = {
    "merge": r"<<",
    "null": r"~|null|Null|NULL|",
    "bool": r"[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(?:0b[01_]+|0o?[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)",
    "float": r"[-+]?(?:[0-9][0-9_]*)?\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}


_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml is ten times as fast; some builds of PyYAML lack it."""


class _Loader(_Base):
    """Composes nodes, DEEPEST of them in each other; PyYAML's own meaning of scalars is replaced."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012  (PyYAML's own attribute)

    _depth = 0

    # Called at each node on the way down and up. With libyaml each level takes C stack, and 20,000 end the process.
    def descend_resolver(self, current_node: yaml.Node | None, current_index: Any) -> None:
        self._depth += 1
        if current_node is not None and self._depth > DEEPEST + 1:
            raise _unparsable("nested too deeply", current_node.start_mark)

    def ascend_resolver(self) -> None:
        self._depth -= 1


for _name, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)


def read_yaml(raw: str | bytes) -> Any:
    """The first document as a JSON value. Raises Unparsable."""
    return value_of(compose(raw))


def compose(raw: str | bytes, *, is_alone: bool = False) -> yaml.Node | None:
    """The nodes of the first document, which with `is_alone` must be the only one. Raises Unparsable."""
    try:
        loader = _Loader(raw)
        try:
            if is_alone:
                return loader.get_single_node()
            return loader.get_node() if loader.check_node() else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _unparsable(error.problem or error.context or "", error.problem_mark or error.context_mark) from None
    except yaml.YAMLError as error:
        reason = unquoted(str(getattr(error, "reason", "")) or "not YAML")
        raise Unparsable(reason, *_place_of_control(raw)) from None


def value_of(node: yaml.Node | None, *, has_unique_keys: bool = False, most_nodes: int = MOST_NODES) -> Any:
    """The JSON value of a document; `has_unique_keys` refuses a duplicate key. Raises Unparsable."""
    return None if node is None else _Values(has_unique_keys, most_nodes).of(node, 0)


def plain_value(text: str) -> Any:
    """What a plain scalar means. Raises Unparsable for a number that JSON cannot hold."""
    tag = next((name for name, pattern in _PLAIN.items() if re.fullmatch(pattern, text)), "str")
    return _scalar(yaml.ScalarNode(_TAG + tag, text))


def _unparsable(problem: str, mark: Any) -> Unparsable:
    return Unparsable(unquoted(problem) or "not YAML", *((mark.line + 1, mark.column + 1) if mark else ()))


def _place_of_control(raw: str | bytes) -> tuple[int, int] | tuple[()]:
    """Line and column of the first character that YAML does not allow: one that came with a paste is not seen."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found is None:
        return ()
    return text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())


class _Values:
    """One document's nodes as values."""

    def __init__(self, has_unique_keys: bool, most_nodes: int) -> None:
        self._has_unique_keys = has_unique_keys
        self._most_nodes = most_nodes
        self._count = 0

    def of(self, node: yaml.Node, depth: int) -> Any:
        self._count += 1
        if depth > DEEPEST:
            raise _unparsable("nested too deeply", node.start_mark)
        if self._count > self._most_nodes:
            raise _unparsable("too many aliases", node.start_mark)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, depth)
            case yaml.SequenceNode():
                return [self.of(child, depth + 1) for child in node.value]
            case yaml.ScalarNode():
                return _scalar(node)
            case _:
                raise TypeError(type(node).__name__)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        own: set[str] = set()
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                for merged in self._merged(value, depth):
                    found |= merged
                continue
            name = _key(key)
            if name in own and self._has_unique_keys:
                raise _unparsable("duplicate key", key.start_mark)
            own.add(name)
            found[name] = self.of(value, depth + 1)
        return found

    def _merged(self, node: yaml.Node, depth: int) -> Iterator[dict[str, Any]]:
        """The mappings under a merge key, the strongest last."""
        nodes = reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        for child in nodes:
            if not isinstance(child, yaml.MappingNode):
                raise _unparsable("expected a mapping to merge", child.start_mark)
            yield self.of(child, depth + 1)


def _key(node: yaml.Node) -> str:
    value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
    match value:
        case None:
            raise _unparsable("expected a text as key", node.start_mark)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    try:
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() in _TRUE
            case "int":
                return _integer(text.replace("_", ""))
            case "float":
                return _finite(text.replace("_", ""), node)
            case "binary":
                return base64.b64decode(text).decode("utf-8")
            case _:
                return text
    except ValueError:
        raise _unparsable("the value does not fit its tag", node.start_mark) from None


def _finite(text: str, node: yaml.Node) -> float:
    if text.lstrip("+-.").isalpha() or math.isinf(value := float(text)):
        raise _unparsable("JSON has no such number", node.start_mark)
    return value


def _integer(text: str) -> int:
    digits = text.lstrip("+-")
    # Go's strconv and YAML 1.1: a leading zero means octal.
    is_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return int(text, 8) if is_octal else int(text, 0)
