"""Sets of field paths, in the form of `fieldsV1`.

Owns the set operations and the printed form of a path. A set is a tree of dicts: `{"f:spec": {"f:replicas": {}}}` holds
one path, `.spec.replicas`. A node that is a member itself and has paths below it has a `"."` entry. Sets are part of
stored objects and never changed in place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Fields = dict[str, Any]

_SELF = "."


def is_member(node: Mapping[str, Any]) -> bool:
    """Whether the path of this node itself is in the set."""
    return not node or _SELF in node


def below(node: Fields) -> Fields:
    """The set of the paths below a node."""
    return {key: child for key, child in node.items() if key != _SELF} if _SELF in node else node


def node(member: bool, children: Fields) -> Fields | None:
    """The node for a path and the paths below it; None when the set is empty."""
    if not children:
        return {} if member else None
    return {_SELF: {}, **children} if member else children


def union(left: Fields, right: Fields) -> Fields:
    """Paths of either set."""
    if left is right or not right:
        return left
    if not left:
        return right
    joined = dict(left)
    for key, child in right.items():
        mine = joined.get(key)
        if mine is None:
            joined[key] = child
        elif mine is not child:
            both = node(is_member(mine) or is_member(child), union(below(mine), below(child)))
            joined[key] = both if both is not None else {}
    return joined


def intersection(left: Fields, right: Fields) -> Fields:
    """Paths of both sets."""
    common: Fields = {}
    for key in left.keys() & right.keys():
        mine, other = left[key], right[key]
        both = node(is_member(mine) and is_member(other), intersection(below(mine), below(other)))
        if both is not None:
            common[key] = both
    return common


def difference(left: Fields, right: Fields) -> Fields:
    """Paths of the first set that are not in the second; paths below a removed one stay."""
    if not left.keys() & right.keys():
        return left
    rest: Fields = {}
    for key, mine in left.items():
        other = right.get(key)
        if other is None:
            rest[key] = mine
            continue
        remaining = node(is_member(mine) and not is_member(other), difference(below(mine), below(other)))
        if remaining is not None:
            rest[key] = remaining
    return rest


def paths(fields: Fields, prefix: str = "") -> Iterator[str]:
    """Every path of the set, as Kubernetes prints it: `.spec.ports[name="mqtt"].port`."""
    for key in sorted(fields):
        child = fields[key]
        path = prefix + _step(key)
        if is_member(child):
            yield path
        yield from paths(below(child), path)


def _step(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    chosen = json.loads(rest)
    return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(chosen.items())) + "]"


def field_key(name: str) -> str:
    """The element of a path for a field of an object."""
    return f"f:{name}"


def item_key(item: Any, keys: list[str] | None, defaults: Mapping[str, Any]) -> str | None:
    """The element of a path for an item of a list with keys, or of a set; None when it has none of the keys."""
    if keys is None:
        return f"v:{json.dumps(item, separators=(',', ':'), ensure_ascii=False)}"
    if not isinstance(item, dict):
        return None
    chosen = {key: item.get(key, defaults.get(key)) for key in keys if key in item or key in defaults}
    if not chosen:
        return None
    return f"k:{json.dumps(chosen, separators=(',', ':'), sort_keys=True, ensure_ascii=False)}"
