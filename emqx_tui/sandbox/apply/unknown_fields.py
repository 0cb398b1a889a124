"""Fields of an applied configuration that its schema does not know.

Server-side apply cannot own what it has no type for, so it refuses such a configuration in words of its own.
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.schema.catalog import Schema


def undeclared_fields(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Complaints, one per undeclared field."""
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
