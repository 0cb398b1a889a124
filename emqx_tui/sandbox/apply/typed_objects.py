"""Comparing and merging objects, and removing fields, by schema and in terms of field sets.

What field ownership needs: the fields that a change added, modified or removed, the fields of an applied configuration,
and the configuration merged into the live object. Follows structured-merge-diff
(`typed/{compare,merge,remove,tofieldset}.go`). Objects are never changed in place.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from emqx_tui.sandbox.apply.field_sets import Fields, below, field_key, is_member, item_key, node
from emqx_tui.sandbox.schema.catalog import UNTYPED, Schema, child_of

_ABSENT: Any = object()


class Comparison(NamedTuple):
    """Changed fields; no field is in two of the sets."""

    removed: Fields
    modified: Fields
    added: Fields


class _Nodes(NamedTuple):
    removed: Fields | None = None
    modified: Fields | None = None
    added: Fields | None = None


_NO_CHANGE = _Nodes()


# -- granularity of ownership, from the schema


def _is_granular_map(schema: Schema, *values: Any) -> bool:
    if schema.get("type") == "object":
        return schema.get("x-kubernetes-map-type") != "atomic"
    return schema is UNTYPED and any(isinstance(value, dict) for value in values)


def _is_granular_list(schema: Schema) -> bool:
    return schema.get("x-kubernetes-list-type") in ("map", "set")


def _keyed(items: Any, schema: Schema) -> dict[str, Any]:
    """Items of a granular list by path element; the first of duplicates."""
    keys = schema.get("x-kubernetes-list-map-keys")
    keyed: dict[str, Any] = {}
    for item in items if isinstance(items, list) else ():
        element = item_key(item, keys, _key_defaults(schema, keys))
        if element is not None:
            keyed.setdefault(element, item)
    return keyed


def _key_defaults(schema: Schema, keys: list[str] | None) -> dict[str, Any]:
    properties = schema.get("items", UNTYPED).get("properties", {})
    return {key: properties[key]["default"] for key in keys or () if "default" in properties.get(key, ())}


def duplicate_keys(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Error messages, one for each key that is twice in a list."""
    if isinstance(value, dict):
        return [each for key in value for each in duplicate_keys(value[key], child_of(schema, key), f"{path}.{key}")]
    if not isinstance(value, list):
        return []
    found: list[str] = []
    if _is_granular_list(schema):
        keys = schema.get("x-kubernetes-list-map-keys")
        elements = [item_key(item, keys, _key_defaults(schema, keys)) for item in value]
        twice = {each for each in elements if each is not None and elements.count(each) > 1}
        found = [f"{path}: duplicate entries for key {each.partition(':')[2]}" for each in sorted(twice)]
    items = schema.get("items", UNTYPED)
    return found + [each for item in value for each in duplicate_keys(item, items, path)]


# -- comparing


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    """The fields in which two objects differ."""
    removed, modified, added = _compare(old, new, schema)
    return Comparison(removed or {}, modified or {}, added or {})


def _compare(old: Any, new: Any, schema: Schema) -> _Nodes:
    if old is new or (type(old) is type(new) and old == new):
        return _NO_CHANGE
    if _is_granular_map(schema, old, new):
        return _compare_maps(old, new, schema)
    if _is_granular_list(schema):
        return _compare_lists(old, new, schema)
    return _compare_leaves(old, new)


def _compare_leaves(old: Any, new: Any) -> _Nodes:
    if old is _ABSENT:
        return _Nodes(added={})
    if new is _ABSENT:
        return _Nodes(removed={})
    return _Nodes(modified={})


def _compare_maps(old: Any, new: Any, schema: Schema) -> _Nodes:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}
    if not before and not after:
        return _compare_leaves(old, new)
    found = {
        field_key(key): _compare(before.get(key, _ABSENT), after.get(key, _ABSENT), child_of(schema, key))
        for key in (*before, *(key for key in after if key not in before))
    }
    return _gathered(old, new, found)


def _compare_lists(old: Any, new: Any, schema: Schema) -> _Nodes:
    if not (isinstance(old, list) and old) and not (isinstance(new, list) and new):
        return _compare_leaves(old, new)
    before, after = _keyed(old, schema), _keyed(new, schema)
    items = schema.get("items", UNTYPED)
    found = {
        key: _compare(before.get(key, _ABSENT), after.get(key, _ABSENT), items)
        for key in (*before, *(key for key in after if key not in before))
    }
    return _gathered(old, new, found)


def _gathered(old: Any, new: Any, found: dict[str, _Nodes]) -> _Nodes:
    changed = {key: each for key, each in found.items() if each is not _NO_CHANGE}
    removed = {key: each.removed for key, each in changed.items() if each.removed is not None}
    modified = {key: each.modified for key, each in changed.items() if each.modified is not None}
    added = {key: each.added for key, each in changed.items() if each.added is not None}
    return _Nodes(node(new is _ABSENT, removed), node(False, modified), node(old is _ABSENT, added))


# -- the fields of a configuration


def field_set(value: Any, schema: Schema) -> Fields:
    """The fields that an applied configuration sets."""
    return _field_set(value, schema) or {}


def _field_set(value: Any, schema: Schema) -> Fields | None:
    """The node of a value: {} for a leaf, None for nothing."""
    if _is_granular_map(schema, value):
        return _map_set(value, schema) if isinstance(value, dict) else None
    if _is_granular_list(schema):
        items = schema.get("items", UNTYPED)
        found = {key: node(True, below(_field_set(item, items) or {})) for key, item in _keyed(value, schema).items()}
        return found or None
    return {}


def _map_set(value: dict[str, Any], schema: Schema) -> Fields | None:
    declared = schema.get("properties", {})
    found: Fields = {}
    for key, child in value.items():
        under = _field_set(child, child_of(schema, key))
        is_leaf = under is not None and is_member(under)
        member = is_leaf or child is None or child == {} or key not in declared
        each = node(member, below(under or {}))
        if each is not None:
            found[field_key(key)] = each
    return found or None


def with_named_fields(fields: Fields, schema: Schema) -> Fields:
    """The set with every declared field on the way to a path as a member of its own."""
    declared = schema.get("properties", {})
    items = schema.get("items")
    out: Fields = {}
    for key, child in fields.items():
        if key == ".":
            out[key] = child
            continue
        name = key[2:] if key.startswith("f:") else None
        under = with_named_fields(below(child), child_of(schema, name) if name is not None else items or UNTYPED)
        both = node(is_member(child) or name in declared, under)
        if both is not None:
            out[key] = both
    return out


# -- merging and removing


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """The live value with an applied configuration merged into it."""
    if isinstance(live, dict) and isinstance(applied, dict) and _is_granular_map(schema, live, applied):
        merged = dict(live)
        for key, value in applied.items():
            merged[key] = merge(live[key], value, child_of(schema, key)) if key in live else value
        return merged
    if isinstance(live, list) and isinstance(applied, list) and _is_granular_list(schema):
        return _merge_lists(live, applied, schema)
    return applied


def _merge_lists(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    """Items of both lists; those in both come in the applied order, the others keep their places."""
    mine, theirs = _keyed(live, schema), _keyed(applied, schema)
    items = schema.get("items", UNTYPED)
    return [
        merge(mine[key], theirs[key], items) if key in mine and key in theirs else theirs.get(key, mine.get(key))
        for key in _merged_order(list(mine), list(theirs))
    ]


def _merged_order(mine: list[str], theirs: list[str]) -> list[str]:
    order: list[str] = []
    wanted = set(theirs)
    shared = [key for key in theirs if key in mine]
    left = right = 0
    while left < len(mine) or right < len(theirs):
        key = mine[left] if left < len(mine) else None
        if key is not None and key not in wanted:
            order.append(key)
            left += 1
        elif key is not None and (key in order or (shared and shared[0] != key)):
            left += 1  # its turn comes, or came, with the applied list
        else:
            taken = theirs[right]
            order.append(taken)
            right += 1
            left += key == taken
            if shared and shared[0] == taken:
                shared.pop(0)
    return order


def remove(value: Any, fields: Fields, schema: Schema) -> Any:
    """The value without the fields of a set; a map or list that becomes empty is None."""
    if not fields:
        return value
    if isinstance(value, dict) and _is_granular_map(schema, value):
        kept = {
            key: child if child is None else remove(child, below(fields.get(field_key(key), {})), child_of(schema, key))
            for key, child in value.items()
            if not (field_key(key) in fields and is_member(fields[field_key(key)]))
        }
        return kept or None
    if isinstance(value, list) and _is_granular_list(schema):
        items = schema.get("items", UNTYPED)
        left = [
            remove(item, below(fields.get(key, {})), items)
            for key, item in _keyed(value, schema).items()
            if not (key in fields and is_member(fields[key]))
        ]
        return left or None
    return value


def without_nulls(value: Any, before: Any) -> Any:
    """The value without the nulls that `remove` left behind; nulls that were there before stay."""
    if isinstance(value, dict) and isinstance(before, dict):
        return {
            key: without_nulls(child, before.get(key))
            for key, child in value.items()
            if child is not None or before.get(key, _ABSENT) is None
        }
    if isinstance(value, list):
        # Fields were removed from each item, so they are dicts without a counterpart at the same place.
        return [without_nulls(each, dict.fromkeys(each, _ABSENT)) if isinstance(each, dict) else each for each in value]
    return value
