"""The shipped schema data: complete for the kinds that are served, and written out for use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emqx_tui.sandbox.kube.resources import Resource, standard_resources
from emqx_tui.sandbox.schema.catalog import CUSTOM_KINDS, Schema, custom_schema, is_known, object_schema

_KINDS = [each for each in standard_resources() if each.kind != "CustomResourceDefinition"]


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _keys(each)


def _container() -> Schema:
    pod = object_schema("apps/v1", "StatefulSet")["properties"]["spec"]["properties"]["template"]
    return pod["properties"]["spec"]["properties"]["containers"]["items"]["properties"]


@pytest.mark.parametrize("resource", _KINDS, ids=lambda each: each.kind)
def test_every_kind_is_written_out(resource: Resource) -> None:
    assert is_known(resource.group_version, resource.kind)
    schema = object_schema(resource.group_version, resource.kind)
    assert schema["properties"]["metadata"]["properties"]["labels"]["additionalProperties"]["type"] == "string"
    assert not {"$ref", "allOf"} & set(_keys(schema))


def test_an_unknown_kind_has_metadata_only() -> None:
    assert not is_known("v1", "Nothing")
    assert set(object_schema("v1", "Nothing")["properties"]) == {"metadata"}


def test_built_in_lists_tell_how_they_merge() -> None:
    env, ports = _container()["env"], _container()["ports"]
    assert (env["x-kubernetes-patch-strategy"], env["x-kubernetes-patch-merge-key"]) == ("merge", "name")
    assert (ports["x-kubernetes-list-type"], ports["x-kubernetes-patch-merge-key"]) == ("map", "containerPort")
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["items"]["properties"]["protocol"]["default"] == "TCP"


@pytest.mark.parametrize("kind", CUSTOM_KINDS)
def test_custom_kinds_have_field_help_and_no_merge_strategy(kind: str) -> None:
    keys = set(_keys(custom_schema(kind)))
    assert "description" in keys
    assert not {"x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key"} & keys
