"""The published schema of EmqxEnterprise, from both places that have it."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.model.object_schema import MOST_CHARACTERS, FieldHelp, ObjectSchema
from emqx_tui.model.wire import Malformed
from emqx_tui.sandbox.apiserver.openapi import document
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.schema.catalog import custom_definition

GROUP, VERSION, KIND = "apps.emqx.io", "v1beta4", "EmqxEnterprise"
DEFINITION = custom_definition(KIND)
OPENAPI = document(resource for resource in standard_resources() if resource.group == GROUP)
CONTAINER = ("spec", "template", "spec", "emqxContainer")
SOURCES = {
    "the OpenAPI document": ObjectSchema.from_openapi(OPENAPI, GROUP, VERSION, KIND),
    "the definition": ObjectSchema.from_definition(DEFINITION, VERSION),
}


@pytest.mark.parametrize("schema", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize(
    ("path", "found"),
    [
        (
            ("spec", "blueGreenUpdate", "evacuationStrategy", "connEvictRate"),
            FieldHelp("Clients disconnected per second, per node", "integer", least=1),
        ),
        (
            (*CONTAINER, "image", "version"),
            FieldHelp("EMQX version, for instance 4.4.15", "string", is_required=True),
        ),
        (
            (*CONTAINER, "image", "pullPolicy"),
            FieldHelp("When the image is pulled", "string", "IfNotPresent", ("Always", "Never", "IfNotPresent")),
        ),
        ((*CONTAINER, "emqxConfig", "log.level"), FieldHelp("", "string")),
        ((*CONTAINER, "env"), FieldHelp("Environment variables", "list of object")),
        ((*CONTAINER, "env", "[]", "name"), FieldHelp("", "string", is_required=True)),
        ((*CONTAINER, "nonsense"), None),
        ((*CONTAINER, "image", "version", "deeper"), None),
        ((), None),
    ],
)
def test_what_is_published_of_a_field(schema: ObjectSchema, path: tuple[str, ...], found: FieldHelp | None):
    assert schema.at(path) == found


def test_a_reference_is_followed_and_one_in_a_circle_is_not_followed_for_ever():
    schema = ObjectSchema(
        {
            "properties": {
                "a": {"$ref": "#/components/schemas/A"},
                "b": {"allOf": [{"$ref": "#/components/schemas/A"}], "description": "mine"},
                "c": {"$ref": "#/components/schemas/C"},
                "d": {"$ref": "#/components/schemas/none"},
            }
        },
        {"A": {"type": "string", "description": "theirs"}, "C": {"$ref": "#/components/schemas/C"}},
    )
    assert schema.at(("a",)) == FieldHelp("theirs", "string")
    assert schema.at(("b",)) == FieldHelp("mine", "string")
    assert (schema.at(("c",)), schema.at(("d",))) == (None, None)


def at(**schema: Any) -> FieldHelp | None:
    return ObjectSchema({"properties": {"a": schema}}).at(("a",))


def test_a_description_is_one_bounded_line_that_a_terminal_may_show():
    found = at(description="one\n\ttwo \x1b[2J\u202e" + "x" * 5_000)
    assert found is not None
    assert found.description.startswith("one two �[2J�x")
    assert len(found.description) <= MOST_CHARACTERS


@pytest.mark.parametrize(
    "schema",
    [
        {"description": 7, "enum": "x", "minimum": "1", "maximum": True, "default": {"a": 1}, "type": ["x"]},
        {"properties": 7, "allOf": 7, "items": 7, "type": None},
    ],
)
def test_a_schema_of_another_shape_says_nothing(schema):
    assert at(**schema) == FieldHelp()


@pytest.mark.parametrize("value", [{}, [], {"components": 7}, {"spec": {"versions": [{"name": "v9"}]}}])
def test_what_is_no_schema_is_malformed(value):
    with pytest.raises(Malformed):
        ObjectSchema.from_openapi(value, GROUP, VERSION, KIND)
    with pytest.raises(Malformed):
        ObjectSchema.from_definition(value, VERSION)
