"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on plain JSON values.

Never changes its arguments: what a patch does not touch is shared with the original, because stored objects are
immutable and the simulation patches them thousands of times a second.
"""

from __future__ import annotations

from typing import Any

import jsonpatch


class PatchRefused(ValueError):
    """The patch is malformed (`unprocessable` False) or does not fit this document (True)."""

    def __init__(self, message: str, *, unprocessable: bool) -> None:
        super().__init__(message)
        self.unprocessable = unprocessable


def go_name(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "bool"
    return {dict: "object", list: "array", str: "string"}.get(type(value), "number")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge by key, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge_patch(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902: all operations in order, or PatchRefused and nothing."""
    if not isinstance(operations, list):
        why = f"json: cannot unmarshal {go_name(operations)} into Go value of type []handlers.jsonPatchOp"
        raise PatchRefused(f"error decoding patch: {why}", unprocessable=False)
    if malformed := next((each for each in operations if not isinstance(each, dict)), None):
        why = f"json: cannot unmarshal {go_name(malformed)} into Go value of type handlers.jsonPatchOp"
        raise PatchRefused(f"error decoding patch: {why}", unprocessable=False)
    try:
        return jsonpatch.JsonPatch(operations).apply(target)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as unfit:
        raise PatchRefused(str(unfit), unprocessable=True) from unfit
