"""Errors of Go's JSON decoder: an API server decodes built-in objects and metadata into Go structs.

Owns the messages for values of a wrong type, also those of the operator's webhook; other rules are checked elsewhere.
Null decodes everywhere, to Go's zero value.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from emqx_tui.sandbox.kube.patches import go_name
from emqx_tui.sandbox.schema.catalog import Schema
from emqx_tui.sandbox.schema.validation import is_date_time

_INTEGERS = {"int32": 2**31, "int64": 2**63}
_GO_NAMES = {"boolean": "bool", "object": "map[string]interface {}", "array": "[]interface {}"}
_GO_TYPE, _STRUCT = "x-go-type", "x-go-struct"


def unreadable(value: Any, schema: Schema, struct: str, old: Any = None, path: str = "") -> str | None:
    """Why the value cannot be decoded into a field of this struct, or None; parts shared with `old` are not checked."""
    if value is None or value is old:
        return None
    if "oneOf" in schema:
        return None if _is_int_or_string(value, schema) else _mismatch(value, struct, path, "intstr.IntOrString")
    if isinstance(value, dict) and schema["type"] == "object":
        return _unreadable_object(value, schema, schema.get(_STRUCT, struct), old, path)
    if isinstance(value, list) and schema["type"] == "array":
        items = schema["items"]
        return next((why for each in value if (why := unreadable(each, items, struct, None, path))), None)
    return _unreadable_scalar(value, schema, struct, path)


def _is_int_or_string(value: Any, schema: Schema) -> bool:
    """Whether a value is an IntOrString, or a Quantity, which may have a fraction."""
    number = int if schema.get("format") == "int-or-string" else int | float
    return isinstance(value, str | number) and not isinstance(value, bool)


def _unreadable_object(value: dict[str, Any], schema: Schema, struct: str, old: Any, path: str) -> str | None:
    before = old if isinstance(old, dict) else {}
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for key, child in value.items():
        known = properties.get(key, others)
        if known is None:
            continue
        step = f"{path}.{key}" if key in properties else path
        why = unreadable(child, known, struct, before.get(key), step)
        if why:
            return why
    return None


def _unreadable_scalar(value: Any, schema: Schema, struct: str, path: str) -> str | None:
    wanted, form = schema["type"], schema.get("format", "")
    if wanted == "string" and isinstance(value, str):
        return _malformed(value, form)
    if wanted == "boolean" and isinstance(value, bool):
        return None
    if wanted == "integer" and isinstance(value, int) and not isinstance(value, bool):
        limit = _INTEGERS.get(form, 2**63)
        if -limit <= value < limit:
            return None
        return f"json: cannot unmarshal number {value} into Go struct field {struct}{path} of type {form or 'int'}"
    return _mismatch(value, struct, path, schema.get(_GO_TYPE) or form or _GO_NAMES.get(wanted, wanted))


def _malformed(text: str, form: str) -> str | None:
    if form == "byte":
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            good = next((at for at, char in enumerate(text) if not (char.isalnum() or char in "+/=")), len(text))
            return f"illegal base64 data at input byte {good}"
    if form == "date-time" and not is_date_time(text):
        return f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
    return None


def _mismatch(value: Any, struct: str, path: str, wanted: str) -> str:
    return f"json: cannot unmarshal {go_name(value)} into Go struct field {struct}{path} of type {wanted}"


# -- the operator's webhook, which decodes EmqxEnterprise

_STRUCTS = {
    ("EmqxEnterpriseSpec", "blueGreenUpdate"): "v1beta4.EmqxBlueGreenUpdate",
    ("EmqxEnterpriseSpec", "license"): "v1beta4.EmqxLicense",
    ("EmqxEnterpriseSpec", "persistent"): "v1.PersistentVolumeClaimTemplate",
    ("EmqxEnterpriseSpec", "serviceTemplate"): "v1beta4.ServiceTemplate",
    ("EmqxEnterpriseSpec", "template"): "v1beta4.EmqxTemplate",
    ("EmqxBlueGreenUpdate", "evacuationStrategy"): "v1beta4.EvacuationStrategy",
    ("EmqxTemplate", "metadata"): "v1.ObjectMeta",
    ("EmqxTemplate", "spec"): "v1beta4.EmqxTemplateSpec",
    ("EmqxTemplateSpec", "emqxContainer"): "v1beta4.EmqxContainer",
    ("EmqxTemplateSpec", "extraContainers"): "v1.Container",
    ("EmqxTemplateSpec", "initContainers"): "v1.Container",
    ("EmqxContainer", "image"): "v1beta4.EmqxImage",
    ("EmqxContainer", "bootstrapAPIKeys"): "v1beta4.BootstrapAPIKey",
    ("EmqxContainer", "env"): "v1.EnvVar",
    ("EmqxContainer", "ports"): "v1.ContainerPort",
    ("PersistentVolumeClaimTemplate", "metadata"): "v1.ObjectMeta",
    ("PersistentVolumeClaimTemplate", "spec"): "v1.PersistentVolumeClaimSpec",
    ("ServiceTemplate", "metadata"): "v1.ObjectMeta",
    ("ServiceTemplate", "spec"): "v1.ServiceSpec",
    ("ServiceSpec", "ports"): "v1.ServicePort",
}
"""Go types by struct and field, of the field or of its items; values of other types are not checked."""


def operator_schema(schema: Schema, go_type: str = "v1beta4.EmqxEnterpriseSpec") -> Schema | None:
    """The schema of a value of this Go type, as far as its decoding is checked, with the Go names for `unreadable`."""
    if "x-kubernetes-int-or-string" in schema:
        return None
    if schema["type"] == "array":
        items = operator_schema(schema["items"], go_type)
        return items and {"type": "array", "items": items, _GO_TYPE: f"[]{go_type or 'string'}"}
    if schema["type"] != "object":
        return schema
    if "additionalProperties" in schema:
        of_text = schema["additionalProperties"].get("type") == "string"
        return {**schema, _GO_TYPE: "map[string]string"} if of_text else None
    if not go_type:
        return None
    struct = go_type.partition(".")[2]
    fields = {
        key: operator_schema(each, _STRUCTS.get((struct, key), ""))
        for key, each in schema.get("properties", {}).items()
    }
    known = {key: each for key, each in fields.items() if each}
    return {"type": "object", "properties": known, _GO_TYPE: go_type, _STRUCT: struct}
