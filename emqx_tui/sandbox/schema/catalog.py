"""The schemas of the kinds that the sandbox serves, from published OpenAPI documents and CRDs (`data/README.md`).

Owns loading them, once and on first use, and resolving their references. Schemas are shared: never change one.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

_DATA = Path(__file__).with_name("data")
UNTYPED: Schema = {}
EMQX_API_VERSION = "apps.emqx.io/v1beta4"
CUSTOM_KINDS = ("EmqxEnterprise", "EmqxPlugin")
GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@cache
def _data(name: str) -> dict[str, Any]:
    return json.loads(gzip.decompress((_DATA / f"{name}.json.gz").read_bytes()))


def child_of(schema: Schema, key: str) -> Schema:
    """The schema of a field or of a map's value; UNTYPED when there is none."""
    found = schema.get("properties", UNTYPED).get(key)
    return schema.get("additionalProperties", UNTYPED) if found is None else found


def builtin_schemas() -> dict[str, Schema]:
    """OpenAPI v3 schemas by name, with references to each other."""
    return _data("kubernetes")


@cache
def builtin_names() -> dict[tuple[str, str], str]:
    """Names of the schemas of built-in kinds, by apiVersion and kind."""
    tagged = ((tag, name) for name, each in builtin_schemas().items() for tag in each.get(GROUP_VERSION_KIND, ()))
    return {(f"{tag['group']}/{tag['version']}".lstrip("/"), tag["kind"]): name for tag, name in tagged}


def custom_definition(kind: str) -> dict[str, Any]:
    """The CustomResourceDefinition of a custom kind."""
    return _data("emqx")[kind]


def custom_schema(kind: str) -> Schema:
    """The structural schema of a custom kind, from its definition."""
    [version] = custom_definition(kind)["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]


def object_meta() -> Schema:
    """The schema of metadata."""
    return _resolved_type(OBJECT_META)


def is_known(api_version: str, kind: str) -> bool:
    """Whether there is a schema for this kind."""
    return (api_version, kind) in builtin_names() or is_custom(api_version, kind)


def is_custom(api_version: str, kind: str) -> bool:
    """Whether a kind is defined by a CustomResourceDefinition."""
    return api_version == EMQX_API_VERSION and kind in CUSTOM_KINDS


@cache
def object_schema(api_version: str, kind: str) -> Schema:
    """The schema of whole objects of a kind, metadata included; of an unknown kind, metadata only."""
    if is_custom(api_version, kind):
        custom = custom_schema(kind)
        return {**custom, "properties": {**custom["properties"], "metadata": object_meta()}}
    if name := builtin_names().get((api_version, kind)):
        return _resolved_type(name)
    return {"type": "object", "properties": {"metadata": object_meta()}}


@cache
def _resolved_type(name: str) -> Schema:
    return _resolved(builtin_schemas()[name])


def _resolved(schema: Schema) -> Schema:
    """The schema with its references replaced by what they refer to; the field's own keywords win."""
    if "$ref" in schema:
        return _resolved_type(schema["$ref"].rpartition("/")[2])
    resolved = dict(schema)
    for part in resolved.pop("allOf", ()):
        resolved = {**_resolved(part), **resolved}
    for key in ("items", "additionalProperties"):
        if key in resolved:
            resolved[key] = _resolved(resolved[key])
    if "properties" in resolved:
        resolved["properties"] = {name: _resolved(each) for name, each in resolved["properties"].items()}
    return resolved
