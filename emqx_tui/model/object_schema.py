"""The schema of a kind as the API server publishes it: what a field means, its type and its limits.

Two places have it: the OpenAPI v3 document of a group version, which every user may read unless somebody took that
right away, and the CustomResourceDefinition. Descriptions leave here as one line that a terminal may show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.model.wire import Fields, Malformed, clean

ITEM = "[]"
"""In a path: an entry of a list."""
MOST_CHARACTERS = 1_000
_MOST_REFERENCES = 8
_TAG = "x-kubernetes-group-version-kind"


@dataclass(frozen=True)
class FieldHelp:
    """What is published of one field; empty or None where nothing is said."""

    description: str = ""
    type: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    least: int | float | None = None
    most: int | float | None = None
    is_required: bool = False


@dataclass(frozen=True)
class ObjectSchema:
    """The schema of one kind, and those that it refers to by name."""

    root: Mapping[str, Any] = field(repr=False)
    named: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_openapi(cls, document: Any, group: str, version: str, kind: str) -> ObjectSchema:
        """Read an OpenAPI v3 document. Raises Malformed, also when the kind is not in it."""
        schemas = Fields(document).child("components").child("schemas")
        for name in schemas.names():
            schema = schemas.child(name)
            for tag in schema.children(_TAG):
                if (tag.text("group", ""), tag.text("version", ""), tag.text("kind", "")) == (group, version, kind):
                    return cls(dict(schema.items()), dict(schemas.items()))
        raise Malformed("$.components.schemas", f"{kind} is not in it")

    @classmethod
    def from_definition(cls, definition: Any, version: str) -> ObjectSchema:
        """Read a CustomResourceDefinition. Raises Malformed, also when it does not serve the version."""
        for served in Fields(definition).child("spec").children("versions"):
            if served.text("name", "") == version:
                return cls(dict(served.child("schema").child("openAPIV3Schema").items()))
        raise Malformed("$.spec.versions", f"{version} is not in it")

    def at(self, path: tuple[str, ...]) -> FieldHelp | None:
        """What is published of the field at a path; None for one that the schema does not know."""
        above: Mapping[str, Any] = {}
        found = self._resolved(self.root)
        for step in path:
            above, found = found, self._resolved(_below(found, step))
        if not found or not path:
            return None
        required = above.get("required")
        return _help(found, is_required=isinstance(required, list) and path[-1] in required)

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """The schema with what it refers to; its own words win."""
        for _ in range(_MOST_REFERENCES):
            if not isinstance(schema, Mapping):
                return {}
            parts = schema.get("allOf")
            reference = schema.get("$ref") or _reference(parts)
            if not isinstance(reference, str):
                return schema
            target = self.named.get(reference.rpartition("/")[2])
            own = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
            schema = {**(target if isinstance(target, Mapping) else {}), **own}
        return {}


def _reference(parts: Any) -> Any:
    only = parts[0] if isinstance(parts, list) and len(parts) == 1 else None
    return only.get("$ref") if isinstance(only, Mapping) else None


def _below(schema: Mapping[str, Any], step: str) -> Any:
    if step == ITEM:
        return schema.get("items")
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and step in properties:
        return properties[step]
    return schema.get("additionalProperties")


def _help(schema: Mapping[str, Any], *, is_required: bool) -> FieldHelp:
    description, choices = schema.get("description"), schema.get("enum")
    default = schema.get("default")
    return FieldHelp(
        description=_line(description) if isinstance(description, str) else "",
        type=_type(schema),
        default="" if default is None or isinstance(default, Mapping | list) else _line(str(default)),
        choices=tuple(_line(str(choice)) for choice in choices) if isinstance(choices, list) else (),
        least=_number(schema.get("minimum")),
        most=_number(schema.get("maximum")),
        is_required=is_required,
    )


def _type(schema: Mapping[str, Any]) -> str:
    if schema.get("x-kubernetes-int-or-string") is True:
        return "integer or string"
    found = schema.get("type")
    if found == "array":
        items = schema.get("items")
        inner = _type(items) if isinstance(items, Mapping) else ""
        return f"list of {inner}" if inner else "list"
    return _line(found) if isinstance(found, str) else ""


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _line(text: str) -> str:
    return " ".join(clean(text[:MOST_CHARACTERS]).split())
