"""The OpenAPI documents: what kubectl looks up in them, and that they hang together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emqx_tui.sandbox.apiserver import openapi
from emqx_tui.sandbox.kube.resources import standard_resources

_VERSIONS = sorted({each.group_version for each in standard_resources()})


def _document(group_version: str) -> Any:
    return openapi.document(each for each in standard_resources() if each.group_version == group_version)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _explained(document: Any, kind: str, *path: str) -> Any:
    """The schema that `kubectl explain KIND.path...` ends up at."""
    schemas = document["components"]["schemas"]
    schema = next(
        each
        for each in schemas.values()
        if kind in [tag["kind"] for tag in each.get("x-kubernetes-group-version-kind", [])]
    )
    for step in path:
        schema = schema["properties"][step]
        while "items" in schema:
            schema = schema["items"]
        [reference] = [each["$ref"] for each in [schema, *schema.get("allOf", [])] if "$ref" in each] or [None]
        if reference:
            schema = schemas[reference.rpartition("/")[2]]
    return schema


@pytest.mark.parametrize("group_version", _VERSIONS)
def test_every_reference_leads_somewhere(group_version: str) -> None:
    document = _document(group_version)
    prefix = "#/components/schemas/"
    for reference in _references(document):
        assert reference.removeprefix(prefix) in document["components"]["schemas"]
        assert reference.startswith(prefix)


@pytest.mark.parametrize("group_version", _VERSIONS)
def test_every_kind_tells_that_the_server_validates_and_runs_dry(group_version: str) -> None:
    patches = [each["patch"] for each in _document(group_version)["paths"].values() if "patch" in each]
    for patch in patches:
        assert {"dryRun", "fieldValidation"} <= {each["name"] for each in patch["parameters"]}
    kinds = {each.kind for each in standard_resources() if each.group_version == group_version and not each.virtual}
    assert {patch["x-kubernetes-group-version-kind"]["kind"] for patch in patches} == kinds


def test_the_rates_can_be_explained() -> None:
    document = _document("apps.emqx.io/v1beta4")
    rate = _explained(document, "EmqxEnterprise", "spec", "blueGreenUpdate", "evacuationStrategy", "connEvictRate")
    assert (rate["type"], rate["format"], rate["minimum"]) == ("integer", "int32", 1)
    assert rate["description"]


def test_built_in_types_are_named() -> None:
    document = _document("apps/v1")
    container = _explained(document, "StatefulSet", "spec", "template", "spec", "containers")
    assert "livenessProbe" in container["properties"]
    labels = _explained(document, "StatefulSet", "metadata")["properties"]["labels"]
    assert labels["additionalProperties"]["type"] == "string"
