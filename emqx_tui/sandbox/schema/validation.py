"""Validation against a structural schema, with an API server's messages and field paths.

Owns the checks and their messages (kube-openapi, `pkg/validation/validate`; apiextensions-apiserver,
`pkg/apiserver/validation` and `schema/listtype`). No JSON Schema library gives these: messages, several causes of one
int-or-string, duplicate list keys, and ratcheting, by which an update is not refused for values that it leaves alone. A
number out of its format's range has no field (`<nil>`): API servers up to 1.35 let it pass, later ones refuse it so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from emqx_tui.sandbox.schema.catalog import Schema

_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_JSON_INTEGER_LIMIT = 2**53 - 1
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
_DATE_TIME = re.compile(
    r"(?:\d{4})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])t(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:.\d+)?(?:z|[+-]\d\d:\d\d)",
    re.ASCII | re.IGNORECASE,
)
_FORMATS = {"byte": _BASE64, "date-time": _DATE_TIME}
_KINDS: dict[type, tuple[str, str]] = {
    str: ("string", ""),
    bool: ("boolean", ""),
    float: ("number", "float64"),
    list: ("array", ""),
    type(None): ("null", ""),
}
_NO_FIELD = "<nil>"
_MISSING = object()


class Violation(NamedTuple):
    """One cause of a refusal."""

    reason: str
    """A metav1.CauseType, for instance FieldValueInvalid."""
    field: str
    message: str


def invalid(field: str, value: Any, why: str) -> Violation:
    """A FieldValueInvalid cause."""
    return Violation("FieldValueInvalid", field, f"Invalid value: {_compact(value)}: {why}")


def required(field: str, why: str = "") -> Violation:
    """A FieldValueRequired cause."""
    return Violation("FieldValueRequired", field, f"Required value: {why}" if why else "Required value")


def is_date_time(text: str) -> bool:
    """Whether a text has the `date-time` format."""
    return _DATE_TIME.fullmatch(text) is not None


@dataclass
class _Found:
    """Violations so far; duplicate list keys come last, because an API server checks them separately."""

    violations: list[Violation] = field(default_factory=list)
    duplicates: list[Violation] = field(default_factory=list)


def validate(value: Any, schema: Schema, path: str = "", old: Any = _MISSING) -> list[Violation]:
    """All violations in document order; `old` is the stored value, if there is one."""
    found = _Found()
    _check(value, schema, path, old, found)
    if found.duplicates and old is not _MISSING:
        before = _Found()
        _check(old, schema, path, _MISSING, before)
        if before.duplicates:
            return found.violations
    return found.violations + found.duplicates


def _check(value: Any, schema: Schema, path: str, old: Any, found: _Found) -> None:
    if old is not _MISSING and (value is old or _equal(value, old)):
        return
    if "x-kubernetes-int-or-string" in schema:
        found.violations.extend(_check_int_or_string(value, schema, path))
        return
    kind, number_form = _kind(value)
    if kind != schema["type"]:
        found.violations.extend(_check_type(value, kind, number_form, schema, path))
    if kind == "object":
        _check_object(value, schema, path, old, found)
    elif kind == "array":
        _check_list(value, schema, path, old, found)
    elif kind == "string" and len(schema) > 1:
        found.violations.extend(_check_string(value, schema, path))
    elif kind in ("integer", "number"):
        found.violations.extend(_check_number(value, schema, path))
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(_quoted(str(each)) for each in schema["enum"])
        text = f"Unsupported value: {_compact(value)}: supported values: {supported}"
        found.violations.append(Violation("FieldValueNotSupported", path, text))


# -- types


def _kind(value: Any) -> tuple[str, str]:
    """JSON type and the number format that Go would use for it."""
    if isinstance(value, int) and not isinstance(value, bool):
        low, high = _RANGES["int64"]
        return ("integer", "int64") if low <= value <= high else ("number", "float64")
    return _KINDS.get(type(value), ("object", ""))


def _is_whole(value: Any) -> bool:
    return abs(value) <= _JSON_INTEGER_LIMIT and value == int(value)


def _check_type(value: Any, kind: str, number_form: str, schema: Schema, path: str) -> Iterator[Violation]:
    wanted, form = schema["type"], schema.get("format", "")
    if kind == "number" and wanted == "integer" and _is_whole(value):
        return
    if kind in ("string", "array") and form and wanted == "string":
        return  # left to the format check
    if kind not in ("null", "string", "array") and form:
        # For a schema with a format, the message names formats, even if the value has none.
        yield _wrong_type(path, form, number_form)
    else:
        yield _wrong_type(path, wanted, kind)


def _wrong_type(path: str, wanted: str, shown: str) -> Violation:
    text = f"Invalid value: {_quoted(shown)}: {path} in body must be of type {wanted}: {_quoted(shown)}"
    return Violation("FieldValueTypeInvalid", path, text)


def _check_int_or_string(value: Any, schema: Schema, path: str) -> Iterator[Violation]:
    kind, _ = _kind(value)
    if kind == "number" and _is_whole(value):
        return
    if kind not in ("integer", "string"):
        yield _wrong_type(path, "integer,string", kind)
        if kind == "null":
            return
        text = f'Invalid value: "": {_quoted(path)} must validate at least one schema (anyOf)'
        yield Violation("FieldValueInvalid", _NO_FIELD, text)
        yield _wrong_type(path, "integer", kind)
    elif kind == "string":
        yield from _check_string(value, schema, path)


# -- scalars


def _check_string(value: str, schema: Schema, path: str) -> Iterator[Violation]:
    # An API server reports the first of these only.
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield Violation("FieldValueTooLong", path, f"Too long: may not be more than {schema['maxLength']} bytes")
    elif "minLength" in schema and len(value) < schema["minLength"]:
        yield _invalid(path, value, f"should be at least {schema['minLength']} chars long")
    elif "pattern" in schema and not _compiled(schema["pattern"]).search(value):
        yield _invalid(path, value, f"should match '{schema['pattern']}'")
    form = _FORMATS.get(schema.get("format", ""))
    if form and not form.fullmatch(value):
        yield _wrong_type(path, schema["format"], value)


def _check_number(value: float, schema: Schema, path: str) -> Iterator[Violation]:
    allowed = _RANGES.get(schema.get("format", "")) if schema["type"] == "integer" else None
    whole = isinstance(value, int) or value.is_integer()
    if allowed is not None and not (whole and allowed[0] <= value <= allowed[1]):
        text = f"Checked value must be of type integer with format {schema['format']} in {path}"
        yield Violation("FieldValueInvalid", _NO_FIELD, f'Invalid value: "": {text}')
    if "minimum" in schema and value < schema["minimum"]:
        yield _invalid(path, value, f"should be greater than or equal to {schema['minimum']}")


def _invalid(path: str, value: Any, rule: str) -> Violation:
    return invalid(path, value, f"{path} in body {rule}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Go's `$` is the end of the text, and its `\\d` is ASCII."""
    return re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)


# -- objects and lists


def _check_object(value: dict[str, Any], schema: Schema, path: str, old: Any, found: _Found) -> None:
    before = old if isinstance(old, dict) else {}
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    prefix = f"{path}." if path else ""
    for key, child in value.items():
        known = properties.get(key, others)
        if known is not None:
            _check(child, known, prefix + key, before.get(key, _MISSING), found)
    for key in schema.get("required", ()):
        if key not in value:
            found.violations.append(Violation("FieldValueRequired", prefix + key, "Required value"))


def _check_list(value: list[Any], schema: Schema, path: str, old: Any, found: _Found) -> None:
    if "items" not in schema:
        return
    found.duplicates.extend(_duplicate_items(value, schema, path))
    keys = schema.get("x-kubernetes-list-map-keys")
    before = {_list_key(each, keys): each for each in old} if keys and isinstance(old, list) else {}
    for index, each in enumerate(value):
        was = before.get(_list_key(each, keys), _MISSING) if keys else _MISSING
        _check(each, schema["items"], f"{path}[{index}]", was, found)


def _list_key(item: Any, keys: list[str] | None) -> str:
    chosen = {key: item[key] for key in keys or () if key in item} if isinstance(item, dict) else {}
    return json.dumps(chosen, sort_keys=True)


def _duplicate_items(value: list[Any], schema: Schema, path: str) -> Iterator[Violation]:
    list_type = schema.get("x-kubernetes-list-type")
    if list_type not in ("set", "map"):
        return
    keys = schema.get("x-kubernetes-list-map-keys", [])
    times: dict[str, int] = {}
    for index, each in enumerate(value):
        if list_type == "map" and not isinstance(each, dict | None):
            text = f"Invalid value: {_compact(each)}: must be an object for an array of list-type map"
            yield Violation("FieldValueInvalid", f"{path}[{index}]", text)
            return
        identity = _list_key(each, keys) if list_type == "map" else json.dumps(each, sort_keys=True)
        times[identity] = times.get(identity, 0) + 1
        if times[identity] == 2:
            shown = _compact(json.loads(identity)) if list_type == "map" else _compact(each)
            yield Violation("FieldValueDuplicate", f"{path}[{index}]", f"Duplicate value: {shown}")


# -- equality and formatting


def _equal(left: Any, right: Any) -> bool:
    """Equal as JSON: unlike in Python, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return type(left) is type(right) and left == right


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
