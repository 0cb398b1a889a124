"""Decoding of Kubernetes protobuf, for the request bodies that kubectl sends so.

Commands with typed clients (`auth can-i`, `create configmap|secret|namespace|serviceaccount`) send protobuf and do not
fall back to JSON. Responses are JSON, which every client accepts.
Field numbers: `generated.proto` of apimachinery `runtime` and `meta/v1`, and of `authorization/v1` and `core/v1`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class NotDecodable(ValueError):
    """Not protobuf, or a kind that is not known here."""


@dataclass(frozen=True)
class _Field:
    name: str
    kind: str = "text"
    """text, bytes, flag, message, textMap, bytesMap"""
    fields: dict[int, _Field] | None = None


_META = {
    1: _Field("name"),
    2: _Field("generateName"),
    3: _Field("namespace"),
    5: _Field("uid"),
    6: _Field("resourceVersion"),
    11: _Field("labels", "textMap"),
    12: _Field("annotations", "textMap"),
}
_METADATA = _Field("metadata", "message", _META)
_RESOURCE_ATTRIBUTES = {
    1: _Field("namespace"),
    2: _Field("verb"),
    3: _Field("group"),
    4: _Field("version"),
    5: _Field("resource"),
    6: _Field("subresource"),
    7: _Field("name"),
}
_ACCESS_SPEC = {
    1: _Field("resourceAttributes", "message", _RESOURCE_ATTRIBUTES),
    2: _Field("nonResourceAttributes", "message", {1: _Field("path"), 2: _Field("verb")}),
}
_KINDS: dict[tuple[str, str], dict[int, _Field]] = {
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {1: _METADATA, 2: _Field("spec", "message", _ACCESS_SPEC)},
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {
        1: _METADATA,
        2: _Field("spec", "message", {1: _Field("namespace")}),
    },
    ("v1", "Namespace"): {1: _METADATA},
    ("v1", "ConfigMap"): {
        1: _METADATA,
        2: _Field("data", "textMap"),
        3: _Field("binaryData", "bytesMap"),
        4: _Field("immutable", "flag"),
    },
    ("v1", "Secret"): {
        1: _METADATA,
        2: _Field("data", "bytesMap"),
        3: _Field("type"),
        4: _Field("stringData", "textMap"),
        5: _Field("immutable", "flag"),
    },
    ("v1", "ServiceAccount"): {1: _METADATA},
}
_TYPE_META = {1: _Field("apiVersion"), 2: _Field("kind")}
_ENVELOPE = {1: _Field("typeMeta", "message", _TYPE_META), 2: _Field("raw", "bytes")}
_ENTRY = {1: _Field("key"), 2: _Field("value", "bytes")}


def decode(body: bytes) -> dict[str, Any]:
    """The object as JSON would have it; NotDecodable."""
    if not body.startswith(_MAGIC):
        raise NotDecodable("the body is not a Kubernetes protobuf object")
    try:
        envelope = _message(body[len(_MAGIC) :], _ENVELOPE)
        types = envelope.get("typeMeta") or {}
        api_version, kind = types.get("apiVersion", ""), types.get("kind", "")
        fields = _KINDS.get((api_version, kind))
        if fields is None:
            raise NotDecodable(f"{api_version}, Kind={kind} is not known in protobuf form here, send JSON")
        return {"apiVersion": api_version, "kind": kind, **_message(envelope.get("raw", b""), fields)}
    except (IndexError, UnicodeDecodeError) as cut:
        raise NotDecodable(f"the body is cut or garbled: {cut}") from cut


def _message(data: bytes, fields: dict[int, _Field]) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for number, value in _wire(data):
        field = fields.get(number)
        if field is None:
            continue
        match field.kind:
            case "flag":
                decoded[field.name] = bool(value)
            case _ if not isinstance(value, bytes):
                raise NotDecodable(f"{field.name} has another type than expected")
            case "text":
                if value:
                    decoded[field.name] = value.decode()
            case "bytes":
                decoded[field.name] = value
            case "message":
                decoded[field.name] = _message(value, field.fields or {})
            case _:
                entry = _message(value, _ENTRY)
                raw = entry.get("value", b"")
                shown = base64.b64encode(raw).decode() if field.kind == "bytesMap" else raw.decode()
                decoded.setdefault(field.name, {})[entry.get("key", "")] = shown
    return decoded


def _wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and their raw values."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, place = _varint(data, place)
            yield number, value
            continue
        if wire_type == _BYTES:
            length, place = _varint(data, place)
        elif wire_type in (_FIXED64, _FIXED32):
            length = 8 if wire_type == _FIXED64 else 4
        else:
            raise NotDecodable(f"unknown wire type {wire_type}")
        if place + length > len(data):
            raise IndexError("a field is longer than the body")
        yield number, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
