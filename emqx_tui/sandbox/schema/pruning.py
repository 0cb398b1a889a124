"""Pruning of unknown fields and defaulting, before validation.

Owns pruning, which also lists the pruned fields for field validation, dropping nulls, and defaulting, in the order of
an API server (apiextensions-apiserver, `pkg/apiserver/schema/{pruning,defaulting}`). Never changes its
argument: objects are shared with the store. The result shares every part that stays the same.
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.schema.catalog import Schema

_NOTHING: Schema = {}


def prune(obj: dict[str, Any], schema: Schema) -> tuple[dict[str, Any], list[str]]:
    """The object without unknown fields, and their sorted paths; a free-form object (FieldsV1) has none."""
    unknown: list[str] = []
    return _prune_object(obj, schema, "", unknown), sorted(unknown)


def _prune(value: Any, schema: Schema, path: str, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        return _prune_object(value, schema, path, unknown)
    if isinstance(value, list):
        items = schema.get("items", _NOTHING)
        pruned = [_prune(each, items, f"{path}[{index}]", unknown) for index, each in enumerate(value)]
        return value if all(new is old for new, old in zip(pruned, value, strict=True)) else pruned
    return value


def _prune_object(value: dict[str, Any], schema: Schema, path: str, unknown: list[str]) -> dict[str, Any]:
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    if "x-kubernetes-preserve-unknown-fields" in schema or (properties is None and others is None):
        return value
    pruned: dict[str, Any] = {}
    changed = False
    for key, child in value.items():
        known = (properties or _NOTHING).get(key, others)
        step = f"{path}.{key}" if path else key
        if known is None:
            unknown.append(step)
            changed = True
            continue
        pruned[key] = _prune(child, known, step, unknown)
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
