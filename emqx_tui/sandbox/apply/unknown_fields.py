"""Fields of an applied configuration that are not in its schema.

Server-side apply refuses them with a message of its own, before pruning.
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.schema.catalog import Schema


def undeclared_fields(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Error messages, one for each undeclared field."""
    if isinstance(value, list):
        items = schema.get("items", {})
        return [each for index, item in enumerate(value) for each in undeclared_fields(item, items, f"{path}[{index}]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    found: list[str] = []
    for key, child in value.items():
        known = schema["properties"].get(key)
        if known is None:
            found.append(f"{path}.{key}: field not declared in schema")
        else:
            found += undeclared_fields(child, known, f"{path}.{key}")
    return found
