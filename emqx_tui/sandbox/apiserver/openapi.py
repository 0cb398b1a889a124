"""OpenAPI 3 documents, one per group version, made of the type tables.

Owns as much of them as clients read: `kubectl explain` walks schemas by their group-version-kind, and kubectl decides
by the parameters of PATCH whether the server does dry runs and field validation. Built-in kinds do not offer strategic
merge here although the server takes it: kubectl then computes such patches from its own full types instead of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.schema.catalog import CUSTOM_KINDS, EMQX_API_VERSION, TYPES, custom_schema, is_known
from emqx_tui.sandbox.schema.notation import Schema

Document = dict[str, Any]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_META_TYPES = ("ObjectMeta", "OwnerReference", "ManagedFieldsEntry", "LabelSelector", "LabelSelectorRequirement")
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_API_VERSION_HELP = "Version of the API that this object is written for, for instance apps/v1"
_KIND_HELP = "What sort of object this is"
_PATCH_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")
_PATCH_TYPES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


def document(group_version: str, resources: Iterable[Resource]) -> Document:
    """The document of one group version with these resources."""
    schemas: dict[str, Schema] = {}
    paths: dict[str, Any] = {}
    for resource in resources:
        _add_schema(schemas, group_version, resource)
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
    one = {verb: _operation(resource, verb) for verb in ("get", "put", "delete")}
    one["patch"] = {
        **_operation(resource, "patch"),
        "parameters": [_query(name) for name in _PATCH_PARAMETERS],
        "requestBody": {"content": {form: {"schema": {"type": "object"}} for form in _PATCH_TYPES}},
    }
    listed = {verb: _operation(resource, verb) for verb in ("get", "post")}
    return {collection: listed, f"{collection}/{{name}}": one}


def _operation(resource: Resource, verb: str) -> dict[str, Any]:
    return {
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": _kind_of(resource),
        "responses": {"200": {"description": "OK"}},
    }


def _query(name: str) -> dict[str, Any]:
    kind = "boolean" if name == "force" else "string"
    return {"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": True}}


# -- schemas


def _add_schema(schemas: dict[str, Schema], group_version: str, resource: Resource) -> None:
    name = _schema_name(resource.kind, resource.group, resource.version)
    tagged = {"x-kubernetes-group-version-kind": [_kind_of(resource)]}
    if group_version == EMQX_API_VERSION and resource.kind in CUSTOM_KINDS:
        described = custom_schema(resource.kind)
        reference = _referred(TYPES.referring("Pod")["properties"]["metadata"], schemas, resource)
        properties = {**_type_meta(described["properties"]), "metadata": reference}
        schemas[name] = {**described, "properties": properties, **tagged}
    elif is_known(group_version, resource.kind):
        schema = _referred(TYPES.referring(resource.kind), schemas, resource)
        schemas[name] = {**schema, "properties": _type_meta(schema["properties"]), **tagged}
    else:
        schemas[name] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, **tagged}


def _type_meta(properties: dict[str, Schema]) -> dict[str, Schema]:
    texts = {"apiVersion": _API_VERSION_HELP, "kind": _KIND_HELP}
    return {**properties, **{key: {"type": "string", "description": text} for key, text in texts.items()}}


def _schema_name(type_name: str, group: str, version: str) -> str:
    if type_name in _META_TYPES:
        return _META + type_name
    if f"{group}/{version}" == EMQX_API_VERSION:
        return f"io.emqx.apps.{version}.{type_name}"
    return f"io.k8s.api.{group.partition('.')[0] or 'core'}.{version}.{type_name}"


def _referred(value: Any, schemas: dict[str, Schema], resource: Resource) -> Any:
    """The value with document references for type names; the types named are added to the schemas."""
    if isinstance(value, list):
        return [_referred(each, schemas, resource) for each in value]
    if not isinstance(value, dict):
        return value
    if "x-kubernetes-int-or-string" in value:
        name = _QUANTITY if "pattern" in value else _INT_OR_STRING
        schemas.setdefault(name, {"oneOf": [{"type": "string"}, {"type": "integer"}]})
        words = {"description": value["description"]} if "description" in value else {}
        return {"allOf": [{"$ref": f"#/components/schemas/{name}"}], **words}
    if isinstance(value.get("$ref"), str):
        type_name = value["$ref"]
        name = _schema_name(type_name, resource.group, resource.version)
        if name not in schemas:
            schemas[name] = {}
            schemas[name] = _referred(TYPES.referring(type_name), schemas, resource)
        return {"$ref": f"#/components/schemas/{name}"}
    return {key: _referred(each, schemas, resource) for key, each in value.items()}
