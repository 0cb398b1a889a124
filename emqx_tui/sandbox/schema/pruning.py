"""Pruning of unknown fields and defaulting, before validation.

Owns pruning, which also lists the pruned fields for field validation, dropping nulls, and defaulting, in the order of
an API server (apiextensions-apiserver, `pkg/apiserver/schema/{pruning,defaulting}`). Never changes its
argument: objects are shared with the store. The result shares every part that stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emqx_tui.sandbox.schema.catalog import Schema

_ROOT_FIELDS = frozenset({"apiVersion", "kind", "metadata"})
_NOTHING: Schema = {}


def prune(obj: Mapping[str, Any], schema: Schema, meta: Schema) -> tuple[dict[str, Any], list[str]]:
    """The object without unknown fields, and their sorted paths; `meta` is the schema of its metadata."""
    unknown: list[str] = []
    pruned: dict[str, Any] = {}
    for key, value in obj.items():
        if key == "metadata" and isinstance(value, dict):
            # Top-level fields only: keys of labels and annotations are free.
            pruned[key] = _prune_names(value, meta, "metadata", unknown)
        elif key in _ROOT_FIELDS:
            pruned[key] = value
        elif key in schema["properties"]:
            pruned[key] = _prune(value, schema["properties"][key], key, unknown)
        else:
            unknown.append(key)
    return pruned, sorted(unknown)


def _prune_names(metadata: dict[str, Any], meta: Schema, path: str, unknown: list[str]) -> dict[str, Any]:
    unknown_names = [key for key in metadata if key not in meta["properties"]]
    if not unknown_names:
        return metadata
    unknown.extend(f"{path}.{key}" for key in unknown_names)
    return {key: value for key, value in metadata.items() if key not in unknown_names}


def _prune(value: Any, schema: Schema, path: str, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        return _prune_object(value, schema, path, unknown)
    if isinstance(value, list):
        items = schema.get("items", _NOTHING)
        pruned = [_prune(each, items, f"{path}[{index}]", unknown) for index, each in enumerate(value)]
        return value if all(new is old for new, old in zip(pruned, value, strict=True)) else pruned
    return value


def _prune_object(value: dict[str, Any], schema: Schema, path: str, unknown: list[str]) -> dict[str, Any]:
    if "x-kubernetes-preserve-unknown-fields" in schema:
        return value
    properties = schema.get("properties", _NOTHING)
    others = schema.get("additionalProperties")
    pruned: dict[str, Any] = {}
    changed = False
    for key, child in value.items():
        known = properties.get(key, others)
        if known is None:
            unknown.append(f"{path}.{key}")
            changed = True
            continue
        pruned[key] = _prune(child, known, f"{path}.{key}", unknown)
        changed = changed or pruned[key] is not child
    return pruned if changed else value


def fill(value: Any, schema: Schema) -> Any:
    """The value with defaults, and without nulls where the schema has no default for them."""
    if isinstance(value, dict):
        return _fill_object(value, schema)
    if isinstance(value, list):
        items = schema.get("items", _NOTHING)
        filled = [fill(each, items) for each in value]
        return value if all(new is old for new, old in zip(filled, value, strict=True)) else filled
    return value


def _fill_object(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    properties = schema.get("properties", _NOTHING)
    others = schema.get("additionalProperties", _NOTHING)
    filled: dict[str, Any] = {}
    changed = False
    for key, child in value.items():
        known = properties.get(key, others)
        if child is None and known:
            changed = True
            continue
        filled[key] = fill(child, known)
        changed = changed or filled[key] is not child
    for key, known in properties.items():
        if "default" in known and key not in filled:
            filled[key] = fill(known["default"], known)
            changed = True
    return filled if changed else value
