"""The compact notation of types: what each word of it means."""

from __future__ import annotations

import pytest

from emqx_tui.sandbox.schema.notation import Types

_TABLE = r"""
Thing                       # A thing
  count! int32 >=1          # How many
  mode string enum(On|Off) ="On"
  code string length(2..4) /^\d+$/
  parts [Part]:map(name,kind) merge(name)
  tags [string]:set
  labels {string}~
  size quantity
  extra object
  long string \
    ="x"

Part atomic
  name! string
  kind string ="a"
"""


@pytest.fixture
def types() -> Types:
    types = Types()
    types.add(_TABLE)
    return types


def test_fields_become_a_structural_schema(types: Types) -> None:
    schema = types.inline("Thing", builtin=False)
    properties = schema["properties"]
    assert (schema["type"], schema["required"], schema["description"]) == ("object", ["count"], "A thing")
    assert properties["count"] == {"type": "integer", "format": "int32", "minimum": 1, "description": "How many"}
    assert properties["mode"] == {"type": "string", "enum": ["On", "Off"], "default": "On"}
    assert properties["code"] == {"type": "string", "minLength": 2, "maxLength": 4, "pattern": r"^\d+$"}
    assert properties["tags"] == {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    assert properties["labels"]["x-kubernetes-map-type"] == "atomic"
    assert properties["size"]["x-kubernetes-int-or-string"] is True
    assert properties["long"]["default"] == "x"


def test_types_are_written_out(types: Types) -> None:
    parts = types.inline("Thing", builtin=False)["properties"]["parts"]
    assert parts["items"]["x-kubernetes-map-type"] == "atomic"
    assert parts["x-kubernetes-list-map-keys"] == ["name", "kind"]
    assert "x-kubernetes-patch-merge-key" not in parts


def test_built_in_kinds_carry_their_merge_rules_and_free_objects(types: Types) -> None:
    properties = types.inline("Thing", builtin=True)["properties"]
    assert properties["parts"]["x-kubernetes-patch-merge-key"] == "name"
    assert properties["extra"]["x-kubernetes-preserve-unknown-fields"] is True


def test_types_can_stay_references(types: Types) -> None:
    assert types.referring("Thing")["properties"]["parts"]["items"] == {"$ref": "Part"}


@pytest.mark.parametrize("line", ["  a Nothing", "  a string what", "  a [Nothing]"])
def test_what_cannot_be_read_is_refused(line: str) -> None:
    types = Types()
    types.add(f"Thing\n{line}")
    with pytest.raises(ValueError, match=r"unknown type|cannot read"):
        types.inline("Thing", builtin=True)


def test_a_type_is_given_once() -> None:
    types = Types()
    with pytest.raises(ValueError, match="given twice"):
        types.add("Thing\n  a string\nThing\n  b string")
