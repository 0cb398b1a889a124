"""OpenAPI v3 documents, one per group version.

They contain only what kubectl reads: `explain` needs the schemas, found by group, version and kind; the parameters and
media types of PATCH tell whether the server supports dry runs, field validation and strategic merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from emqx_tui.sandbox.kube.api import accepted_patch_types
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.schema.catalog import (
    GROUP_VERSION_KIND,
    OBJECT_META,
    Schema,
    builtin_names,
    builtin_schemas,
    custom_schema,
)

Document = dict[str, Any]

_PATCH_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")


def document(resources: Iterable[Resource]) -> Document:
    """The document of the group version that these resources are of."""
    schemas: dict[str, Schema] = {}
    paths: dict[str, Any] = {}
    for resource in resources:
        schemas.update(_schemas(resource))
        paths.update(_paths(resource))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _kind_of(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


# -- paths


def _paths(resource: Resource) -> dict[str, Any]:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    collection = f"{root}{scope}/{resource.plural}"
    if resource.virtual:
        return {collection: {"post": _operation(resource, "post")}}
    patch_types = accepted_patch_types(resource)
    one = {verb: _operation(resource, verb) for verb in ("get", "put", "delete")}
    one["patch"] = {
        **_operation(resource, "patch"),
        "parameters": [_query(name) for name in _PATCH_PARAMETERS],
        "requestBody": {"content": {form: {"schema": {"type": "object"}} for form in patch_types}},
    }
    listed = {verb: _operation(resource, verb) for verb in ("get", "post")}
    return {collection: listed, f"{collection}/{{name}}": one}


def _operation(resource: Resource, verb: str) -> dict[str, Any]:
    return {
        "x-kubernetes-action": verb,
        GROUP_VERSION_KIND: _kind_of(resource),
        "responses": {"200": {"description": "OK"}},
    }


def _query(name: str) -> dict[str, Any]:
    kind = "boolean" if name == "force" else "string"
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


# -- schemas


def _schemas(resource: Resource) -> dict[str, Schema]:
    """The schema of a kind and those that it refers to, by name."""
    name = builtin_names().get((resource.group_version, resource.kind))
    if name:
        return _referred(name)
    group = ".".join(reversed(resource.group.split(".")))
    tagged = {GROUP_VERSION_KIND: [_kind_of(resource)]}
    if not resource.custom:
        free_form = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        return {f"{group}.{resource.version}.{resource.kind}": {**free_form, **tagged}}
    schema = custom_schema(resource.kind)
    any_kind = builtin_schemas()[builtin_names()["v1", "Namespace"]]["properties"]
    properties = {**schema["properties"], **{key: any_kind[key] for key in ("apiVersion", "kind", "metadata")}}
    return {
        f"{group}.{resource.version}.{resource.kind}": {**schema, "properties": properties, **tagged},
        **_referred(OBJECT_META),
    }


def _referred(name: str, found: dict[str, Schema] | None = None) -> dict[str, Schema]:
    """A built-in schema and all that it refers to, at any depth."""
    found = {} if found is None else found
    if name not in found:
        found[name] = builtin_schemas()[name]
        for reference in _references(found[name]):
            _referred(reference, found)
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix("#/components/schemas/")
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
