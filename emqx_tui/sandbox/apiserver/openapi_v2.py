"""The OpenAPI v2 document, which kubectl before 1.27 reads for `explain`, `diff`, `--dry-run=server` and validation.

Owns the conversion of the v3 documents and the protobuf encoding, the only form that kubectl asks for (gnostic,
`openapiv2/OpenAPIv2.proto`). Fields that kubectl does not read are left out of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Document = dict[str, Any]

PROTOBUF = "application/com.github.proto-openapi.spec.v2"


def document_v2(documents: Iterable[Document]) -> Document:
    """One document for the whole API."""
    paths: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for each in documents:
        paths |= {path: _path_v2(item) for path, item in each["paths"].items()}
        definitions |= {name: _schema_v2(schema) for name, schema in each["components"]["schemas"].items()}
    info = {"title": "Kubernetes", "version": "unversioned"}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


def _path_v2(item: Mapping[str, Any]) -> dict[str, Any]:
    return {verb: _operation_v2(each) for verb, each in item.items()}


def _operation_v2(operation: Mapping[str, Any]) -> dict[str, Any]:
    converted = {key: value for key, value in operation.items() if key != "requestBody"}
    if "parameters" in converted:
        converted["parameters"] = [
            {"name": each["name"], "in": each["in"], **each["schema"]} for each in converted["parameters"]
        ]
    return converted


def _schema_v2(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without `allOf`, `anyOf` and `oneOf`: a field has the type that it refers to, an IntOrString is a string."""
    converted = {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf", "$ref")}
    for reference in [*schema.get("allOf", ()), schema]:
        if "$ref" in reference:
            converted["$ref"] = reference["$ref"].replace("#/components/schemas/", "#/definitions/")
    if "oneOf" in schema:
        converted["type"] = "string"
    for key in ("items", "additionalProperties"):
        if key in converted:
            converted[key] = _schema_v2(converted[key])
    if "properties" in converted:
        converted["properties"] = {name: _schema_v2(each) for name, each in converted["properties"].items()}
    return converted


# -- protobuf: field numbers are those of the messages of the same name


def encode(document: Document) -> bytes:
    """The message Document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = _named(2, {name: _path_item(each) for name, each in document["paths"].items()})
    definitions = _named(1, {name: _schema(each) for name, each in document["definitions"].items()})
    return _text(1, document["swagger"]) + _bytes(2, info) + _bytes(8, paths) + _bytes(9, definitions)


def _path_item(item: Mapping[str, Any]) -> bytes:
    numbers = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}
    return b"".join(_bytes(numbers[verb], _operation(each)) for verb, each in item.items())


def _operation(operation: Mapping[str, Any]) -> bytes:
    return _parameters(operation.get("parameters", ())) + _extensions(13, operation)


def _parameters(parameters: Iterable[Mapping[str, Any]]) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    queries = (_text(2, each["in"]) + _text(4, each["name"]) for each in parameters)
    return b"".join(_bytes(8, _bytes(1, _bytes(2, _bytes(3, each)))) for each in queries)


def _schema(schema: Mapping[str, Any]) -> bytes:
    texts = {"$ref": 1, "format": 2, "description": 4}
    encoded = b"".join(_text(number, schema[key]) for key, number in texts.items() if key in schema)
    encoded += b"".join(_text(19, each) for each in schema.get("required", ()))
    if "additionalProperties" in schema:
        encoded += _bytes(21, _bytes(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        encoded += _bytes(22, _text(1, schema["type"]))
    if "items" in schema:
        encoded += _bytes(23, _bytes(1, _schema(schema["items"])))
    if "properties" in schema:
        encoded += _bytes(25, _named(1, {name: _schema(each) for name, each in schema["properties"].items()}))
    return encoded + _extensions(31, schema)


def _extensions(number: int, extended: Mapping[str, Any]) -> bytes:
    """Vendor extensions: NamedAny, with JSON for the YAML text."""
    return _named(number, {key: _text(2, json.dumps(extended[key])) for key in extended if key.startswith("x-")})


def _named(number: int, values: Mapping[str, bytes]) -> bytes:
    return b"".join(_bytes(number, _text(1, name) + _bytes(2, value)) for name, value in values.items())


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _bytes(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)
