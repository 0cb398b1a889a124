"""A compact notation for Kubernetes object types, and the structural schemas made of it.

Owns the notation and nothing about any kind. The types themselves are tables of text in the neighbouring
`schema_*` modules, because a table of a hundred small types is read and compared more easily than nested dicts.

    Probe                                # a type; everything indented under it is a field
      periodSeconds int32 >=1            # name, type, limits; text after '#' is the field's help
      httpGet HTTPGetAction
      command [string]:set               # a list; :atomic, :set or :map(key,key)
      limits {quantity}                  # a map by string
      port! int-or-string                # '!' is required
      protocol string ="TCP"             # '=' is the default, as JSON without spaces
      env [EnvVar] merge(name)           # how built-in kinds merge this list (custom resources ignore it)
    Selector atomic                      # changed and owned only as a whole

A final backslash continues a line.
Scalars: string bool int int32 int64 date-time byte quantity int-or-string. `object` is an object of any shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]

QUANTITY_PATTERN = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_INT_OR_STRING: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_SCALARS: dict[str, Schema] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "date-time": {"type": "string", "format": "date-time"},
    "byte": {"type": "string", "format": "byte"},
    "object": {"type": "object"},
    "int-or-string": _INT_OR_STRING,
    "quantity": {**_INT_OR_STRING, "pattern": QUANTITY_PATTERN},
}
_LIST = re.compile(r"^\[(?P<items>.+)](?::(?P<kind>atomic|set|map)(?:\((?P<keys>[^)]*)\))?)?$")
_MAP = re.compile(r"^\{(?P<values>.+)\}(?P<atomic>~?)$")
_MERGE = re.compile(r"^merge(?:\((?P<key>[^)]*)\))?$")


@dataclass(frozen=True)
class Field:
    """One field of a type, still in terms of type names."""

    name: str
    type: str
    required: bool
    words: tuple[str, ...]
    """Limits, default and merge rules, as written."""
    help: str


@dataclass(frozen=True)
class ObjectType:
    """One named type."""

    name: str
    fields: tuple[Field, ...]
    atomic: bool
    help: str


@dataclass
class Types:
    """Named types, and the schemas built of them."""

    by_name: dict[str, ObjectType] = field(default_factory=dict)
    _inlined: dict[tuple[str, bool], Schema] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Read a table of types; a name may be given once."""
        for each in parse(text):
            if each.name in self.by_name:
                raise ValueError(f"type {each.name} is given twice")
            self.by_name[each.name] = each

    def inline(self, name: str, *, builtin: bool) -> Schema:
        """The schema of a type with every type in it written out; shared, so never change it.

        Built-in kinds carry their strategic merge rules; custom resources have none.
        """
        found = self._inlined.get((name, builtin))
        if found is None:
            found = self._object(self.by_name[name], builtin=builtin, references=False)
            self._inlined[name, builtin] = found
        return found

    def referring(self, name: str) -> Schema:
        """The schema of a built-in type whose named types are `{"$ref": name}`."""
        return self._object(self.by_name[name], builtin=True, references=True)

    def _object(self, described: ObjectType, *, builtin: bool, references: bool) -> Schema:
        schema: Schema = {"type": "object"}
        if described.help:
            schema["description"] = described.help
        required = [each.name for each in described.fields if each.required]
        if required:
            schema["required"] = required
        schema["properties"] = {
            each.name: self._field(each, builtin=builtin, references=references) for each in described.fields
        }
        if described.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        return schema

    def _field(self, described: Field, *, builtin: bool, references: bool) -> Schema:
        schema: Schema = dict(self._type(described.type, builtin=builtin, references=references))
        limits = _limits(described.words, builtin=builtin)
        merge_key = limits.get("x-kubernetes-patch-merge-key")
        if merge_key and "x-kubernetes-list-type" not in schema:
            schema |= _list_kind("map", merge_key)
        if "$ref" in schema and (limits or described.help):
            schema = {"allOf": [schema]}
        if described.help:
            schema["description"] = described.help
        return {**schema, **limits}

    def _type(self, text: str, *, builtin: bool, references: bool) -> Schema:
        if text == "object" and builtin:
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        if text in _SCALARS:
            return _SCALARS[text]
        if match := _LIST.match(text):
            items = self._type(match["items"], builtin=builtin, references=references)
            return {"type": "array", "items": items, **_list_kind(match["kind"], match["keys"])}
        if match := _MAP.match(text):
            values = self._type(match["values"], builtin=builtin, references=references)
            atomic = {"x-kubernetes-map-type": "atomic"} if match["atomic"] else {}
            return {"type": "object", "additionalProperties": values, **atomic}
        if text not in self.by_name:
            raise ValueError(f"unknown type {text}")
        return {"$ref": text} if references else self.inline(text, builtin=builtin)


def parse(text: str) -> list[ObjectType]:
    """Read a table of types."""
    types: list[ObjectType] = []
    for line in text.replace("\\\n", " ").splitlines():
        code, _, help_text = line.partition("#")
        words = code.split()
        if not words:
            continue
        if line[0].isspace():
            types[-1] = _with_field(types[-1], _parse_field(words, help_text.strip()))
        else:
            types.append(ObjectType(words[0], (), "atomic" in words[1:], help_text.strip()))
    return types


def _with_field(described: ObjectType, added: Field) -> ObjectType:
    return ObjectType(described.name, (*described.fields, added), described.atomic, described.help)


def _parse_field(words: list[str], help_text: str) -> Field:
    name, type_text, *rest = words
    return Field(name.rstrip("!"), type_text, name.endswith("!"), tuple(rest), help_text)


def _list_kind(kind: str | None, keys: str | None) -> Schema:
    if kind is None:
        return {}
    if kind != "map":
        return {"x-kubernetes-list-type": kind}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": (keys or "").split(",")}


def _limits(words: tuple[str, ...], *, builtin: bool) -> Schema:
    limits: Schema = {}
    for word in words:
        if word.startswith("="):
            limits["default"] = json.loads(word[1:])
        elif word.startswith(">="):
            limits["minimum"] = int(word[2:])
        elif word.startswith("enum("):
            limits["enum"] = word[5:-1].split("|")
        elif word.startswith("/"):
            limits["pattern"] = word[1:-1]
        elif word.startswith("length("):
            shortest, longest = word[7:-1].split("..")
            limits |= {"minLength": int(shortest), "maxLength": int(longest)}
        else:
            limits |= _merge_rule(word, builtin=builtin)
    return limits


def _merge_rule(word: str, *, builtin: bool) -> Schema:
    if word == "retainKeys":
        rule: Schema = {"x-kubernetes-patch-strategy": "retainKeys"}
    elif match := _MERGE.match(word):
        rule = {"x-kubernetes-patch-strategy": "merge"}
        if match["key"]:
            rule["x-kubernetes-patch-merge-key"] = match["key"]
    elif match := re.match(r"^merge\+retainKeys\((.+)\)$", word):
        rule = {"x-kubernetes-patch-strategy": "merge,retainKeys", "x-kubernetes-patch-merge-key": match[1]}
    else:
        raise ValueError(f"cannot read {word!r}")
    return rule if builtin else {}


def without_help(schema: Mapping[str, Any]) -> Schema:
    """The same schema without descriptions: what it means, for comparing."""
    bare: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            bare[key] = {name: without_help(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            bare[key] = without_help(value)
        elif key != "description":
            bare[key] = value
    return bare
