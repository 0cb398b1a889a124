"""Strategic merge patch for built-in kinds: lists merge by key, directives delete, replace and order.

Owns `$patch`, `$retainKeys`, `$setElementOrder/...` and `$deleteFromPrimitiveList/...` (apimachinery,
`pkg/util/strategicpatch`). The merge keys are in the schema of the kind; custom resources have none, so an API server
refuses this type of patch for them. Never changes its arguments.
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.schema.catalog import Schema, child_of, object_schema

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_ITEMS = "$deleteFromPrimitiveList/"


def strategic_merge(old: Object, patch: Any) -> Object:
    """`old` with the patch merged in; ApiError 400 for a malformed patch."""
    return _merge_map(old, patch, object_schema(old["apiVersion"], old["kind"]))


def _merge_map(old: Object, patch: Object, schema: Schema) -> Object:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return _plain(patch)
    if directive == "delete":
        return {}
    if directive is not None and directive != "merge":
        raise api_error.bad_request(f"invalid value {directive!r} of the $patch directive")
    merged = _retained(old, patch)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_value(merged.get(key), value, child_of(schema, key), patch, key)
    return _emptied(merged, patch, schema)


def _emptied(merged: Object, patch: Object, schema: Schema) -> Object:
    """Apply the directives for lists that the patch names in no other way."""
    for directive in patch:
        for prefix in (_DELETE_ITEMS, _ORDER):
            key = directive.removeprefix(prefix)
            if directive.startswith(prefix) and key not in patch and key in merged:
                merged[key] = _merge_value(merged[key], [], child_of(schema, key), patch, key)
    return merged


def _retained(old: Object, patch: Object) -> Object:
    if _RETAIN not in patch:
        return dict(old)
    retained = patch[_RETAIN]
    unretained = [key for key in patch if not key.startswith("$") and key not in retained]
    if unretained:
        raise api_error.bad_request(f"the list of retained keys does not hold {unretained[0]!r}, which the patch sets")
    return {key: value for key, value in old.items() if key in retained}


def _merge_value(old: Any, value: Any, schema: Schema, patch: Object, key: str) -> Any:
    if isinstance(value, dict):
        return _merge_map(old if isinstance(old, dict) else {}, value, schema)
    if not isinstance(value, list):
        return value
    if "merge" not in schema.get("x-kubernetes-patch-strategy", ""):
        return [_plain(each) for each in value]
    before = old if isinstance(old, list) else []
    order = patch.get(_ORDER + key)
    merge_key = schema.get("x-kubernetes-patch-merge-key")
    if merge_key is None:
        return _merge_scalars(before, value, patch.get(_DELETE_ITEMS + key, []), order)
    return _merge_items(before, value, schema["items"], merge_key, order)


def _merge_scalars(old: list[Any], added: list[Any], deleted: list[Any], order: list[Any] | None) -> list[Any]:
    merged = [each for each in old if each not in deleted]
    merged += [each for each in added if each not in merged]
    return merged if order is None else _ordered(merged, merged, order, old)


def _merge_items(old: list[Any], patch: list[Any], items: Schema, merge_key: str, order: list[Any] | None) -> list[Any]:
    if any(isinstance(each, dict) and each.get(_DIRECTIVE) == "replace" for each in patch):
        return [_plain(each) for each in patch if each.get(_DIRECTIVE) != "replace"]
    merged = list(old)
    for each in patch:
        identity = _identity(each, merge_key)
        at = next((index for index, item in enumerate(merged) if item.get(merge_key) == identity), None)
        if each.get(_DIRECTIVE) == "delete":
            merged = [item for item in merged if item.get(merge_key) != identity]
        elif at is None:
            merged.append(_plain(each))
        else:
            merged[at] = _merge_map(merged[at], each, items)
    if order is None:
        return merged
    keys = [each.get(merge_key) for each in merged]
    return _ordered(merged, keys, [_identity(each, merge_key) for each in order], [i.get(merge_key) for i in old])


def _identity(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict) or merge_key not in item:
        raise api_error.bad_request(f"map: {item} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _ordered(merged: list[Any], keys: list[Any], order: list[Any], before: list[Any]) -> list[Any]:
    """Items that are named in `order` in that order; each other item stays behind its former predecessor."""
    rank = {key: position for position, key in enumerate(order)}
    ordered = sorted((key for key in keys if key in rank), key=rank.__getitem__)
    for key in keys:
        if key in rank:
            continue
        earlier = [each for each in before[: before.index(key)] if each in ordered] if key in before else ordered
        ordered.insert(ordered.index(earlier[-1]) + 1 if earlier else 0, key)
    return [merged[keys.index(key)] for key in ordered]


def _plain(value: Any) -> Any:
    """A patch value without directives and nulls, as it is stored where there was nothing before."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if not key.startswith("$") and each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value if not (isinstance(each, dict) and each.get(_DIRECTIVE) == "delete")]
    return value
