"""Decoding of Kubernetes protobuf, for the request bodies that kubectl sends so.

Commands with typed clients (`auth can-i`, `create configmap|secret|namespace|serviceaccount`) send protobuf and do not
fall back to JSON. Responses are JSON, which every client accepts.
Field numbers: `generated.proto` of apimachinery `runtime` and `meta/v1`, and of `authorization/v1` and `core/v1`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class NotDecodable(ValueError):
    """Not protobuf, or a kind that is not known here."""


_Fields = dict[int, Any]
"""By number: the name of a text field, or name and type: bytes, bool, textMap, bytesMap, or the fields of a message."""

_META: _Fields = {
    1: "name",
    2: "generateName",
    3: "namespace",
    5: "uid",
    6: "resourceVersion",
    11: ("labels", "textMap"),
    12: ("annotations", "textMap"),
}
_METADATA = ("metadata", _META)
_RESOURCE: _Fields = {
    1: "namespace",
    2: "verb",
    3: "group",
    4: "version",
    5: "resource",
    6: "subresource",
    7: "name",
}
_ACCESS: _Fields = {1: ("resourceAttributes", _RESOURCE), 2: ("nonResourceAttributes", {1: "path", 2: "verb"})}
_KINDS: dict[tuple[str, str], _Fields] = {
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {1: _METADATA, 2: ("spec", _ACCESS)},
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {1: _METADATA, 2: ("spec", {1: "namespace"})},
    ("v1", "Namespace"): {1: _METADATA},
    ("v1", "ConfigMap"): {
        1: _METADATA,
        2: ("data", "textMap"),
        3: ("binaryData", "bytesMap"),
        4: ("immutable", "bool"),
    },
    ("v1", "Secret"): {
        1: _METADATA,
        2: ("data", "bytesMap"),
        3: "type",
        4: ("stringData", "textMap"),
        5: ("immutable", "bool"),
    },
    ("v1", "ServiceAccount"): {1: _METADATA},
}
_ENVELOPE: _Fields = {1: ("typeMeta", {1: "apiVersion", 2: "kind"}), 2: ("raw", "bytes")}
_ENTRY: _Fields = {1: "key", 2: ("value", "bytes")}


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


def _message(data: bytes, fields: _Fields) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for number, value in _wire(data):
        if number not in fields:
            continue
        field = fields[number]
        name, kind = (field, "text") if isinstance(field, str) else field
        if kind == "bool":
            decoded[name] = bool(value)
        elif not isinstance(value, bytes):
            raise NotDecodable(f"{name} has another type than expected")
        elif kind == "text":
            if value:
                decoded[name] = value.decode()
        elif kind == "bytes":
            decoded[name] = value
        elif isinstance(kind, dict):
            decoded[name] = _message(value, kind)
        else:
            entry = _message(value, _ENTRY)
            raw = entry.get("value", b"")
            shown = base64.b64encode(raw).decode() if kind == "bytesMap" else raw.decode()
            decoded.setdefault(name, {})[entry.get("key", "")] = shown
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
