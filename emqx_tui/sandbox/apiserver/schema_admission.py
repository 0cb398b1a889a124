"""Schema checks of every write: decoding, pruning, defaulting, validation.

Owns these steps for custom resources and built-in kinds, and installs them in the store. As on a real API server,
objects are decoded before any webhook runs and validated after the mutating ones. What the operator's mutating webhook
could not decode is refused here, with its message, so that the simulated webhook can rely on types.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from emqx_tui.sandbox.apply.managed_fields import ManagedFields
from emqx_tui.sandbox.apply.strategic_merge import strategic_merge
from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.writes import AdmissionRequest
from emqx_tui.sandbox.schema.builtin_defaults import with_builtin_defaults
from emqx_tui.sandbox.schema.builtin_rules import builtin_violations, normalized
from emqx_tui.sandbox.schema.catalog import Schema, custom_schema, is_known, object_meta, object_schema
from emqx_tui.sandbox.schema.go_decoding import operator_schema, unreadable
from emqx_tui.sandbox.schema.metadata_rules import metadata_violations
from emqx_tui.sandbox.schema.pruning import fill, prune
from emqx_tui.sandbox.schema.validation import Violation, invalid, validate

_INT32_MAX = 2**31 - 1
_GO_TYPES: dict[type, str] = {str: "string", bool: "bool", float: "float64", list: "[]interface {}"}


def install(store: Store) -> None:
    """Add schemas, field ownership and strategic merge patches to the store."""

    def decode(request: AdmissionRequest) -> Object:
        """The object without unknown fields and with the defaults of its kind; ApiError 400 or 422."""
        resource = store.resources[request.plural]
        return (_decode_custom if resource.custom else _decode_builtin)(request, request.new or {}, resource)

    def validate_object(request: AdmissionRequest) -> Object:
        """The object as it is; ApiError 422 when it is invalid."""
        resource = store.resources[request.plural]
        return (_validate_custom if resource.custom else _validate_builtin)(request, request.new or {}, resource)

    store.reading.append(decode)
    store.validation.append(validate_object)
    store.fields = ManagedFields()
    store.strategic = strategic_merge


def _decode_custom(request: AdmissionRequest, new: Object, resource: Resource) -> Object:
    schema = custom_schema(resource.kind)
    # What is stored has been checked: only parts that are not identical with it are looked at.
    fresh = _fresh(request.old, new)
    pruned, unknown = prune(fresh, object_schema(resource.group_version, resource.kind))
    _report_unknown_fields(request, resource, unknown)
    if why := unreadable(
        new["metadata"], object_meta(), "ObjectMeta", (request.old or {}).get("metadata"), ".metadata"
    ):
        raise _undecodable(resource, why)
    filled: Object = fill(pruned, schema)
    made = {key: filled.get(key, value) for key, value in new.items() if key not in fresh or key in filled}
    if (
        resource.changed_by_every_write
        and not request.subresource
        and (why := unreadable(made.get("spec"), _enterprise_spec(), "EmqxEnterprise", path=".spec"))
    ):
        raise ApiError(400, "", f'admission webhook "mutating.enterprise.emqx.io" denied the request: {why}')
    return made


@cache
def _enterprise_spec() -> Schema:
    return operator_schema(custom_schema("EmqxEnterprise")["properties"]["spec"]) or {}


def _validate_custom(request: AdmissionRequest, new: Object, resource: Resource) -> Object:
    schema = custom_schema(resource.kind)
    violations = [each for each in _metadata(request, new) for _ in range(3 if request.old else 1)]
    violations += validate(new, schema, old=request.old) if request.old else validate(new, schema)
    if request.subresource == "status":
        violations = [_below_status(each) for each in violations]
    if "scale" in resource.subresources:
        violations += _scale(new)
    _refuse(resource, new, violations)
    return new


def _below_status(violation: Violation) -> Violation:
    """The status is validated by itself: messages have the path below it."""
    return violation._replace(message=violation.message.replace(" status.", " "))


def _decode_builtin(request: AdmissionRequest, new: Object, resource: Resource) -> Object:
    schema = object_schema(resource.group_version, resource.kind)
    if request.field_validation != "Ignore" and is_known(resource.group_version, resource.kind):
        new, unknown = prune(new, schema)
        _report_unknown_fields(request, resource, unknown)
    if why := unreadable(_fresh(request.old, new), schema, resource.kind, request.old):
        raise _undecodable(resource, why)
    return with_builtin_defaults(request.plural, normalized(request.plural, new), request.old)


def _validate_builtin(request: AdmissionRequest, new: Object, resource: Resource) -> Object:
    violations = _metadata(request, new)
    if request.subresource != "status":
        violations += builtin_violations(request.plural, new, request.old)
    _refuse(resource, new, violations)
    return new


def _fresh(old: Object | None, new: Object) -> Object:
    """The top-level fields that are not identical with those of the stored object."""
    return new if old is None else {key: value for key, value in new.items() if value is not old.get(key)}


def _metadata(request: AdmissionRequest, new: Object) -> list[Violation]:
    if request.old is not None and _without_version(new) == _without_version(request.old):
        return []
    return metadata_violations(request.plural, new["metadata"])


def _without_version(obj: Object) -> Object:
    return {key: value for key, value in obj["metadata"].items() if key not in ("managedFields", "resourceVersion")}


def _refuse(resource: Resource, new: Object, violations: list[Violation]) -> None:
    if violations:
        causes = [(each.reason, each.field, each.message) for each in violations]
        raise api_error.invalid(resource, new["metadata"].get("name", ""), causes)


# -- field validation and decoding


def _report_unknown_fields(request: AdmissionRequest, resource: Resource, unknown: list[str]) -> None:
    texts = [f'unknown field "{path}"' for path in unknown]
    if not texts:
        return
    if request.field_validation == "Warn":
        request.warnings.extend(texts)
    elif request.field_validation == "Strict":
        why = f"strict decoding error: {', '.join(texts)}"
        raise _undecodable(resource, why) if request.operation == "CREATE" else _bad_patch(resource, request.new, why)


def _bad_patch(resource: Resource, patched: Any, why: str) -> ApiError:
    """The refusal of a patch has the whole patched object, and no name of the kind."""
    text = json.dumps(json.dumps(patched, separators=(",", ":"), sort_keys=True))
    detail = f"Invalid value: {text}: {why}"
    causes = [{"reason": "FieldValueInvalid", "message": detail, "field": "patch"}]
    return ApiError(422, "Invalid", f' "" is invalid: patch: {detail}', {"causes": causes})


def _undecodable(resource: Resource, why: str) -> api_error.ApiError:
    kind, version = resource.kind, resource.version
    return api_error.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


# -- replicas, which the scale subresource must be able to read


def _scale(obj: Object) -> list[Violation]:
    found: list[Violation] = []
    for part in ("spec", "status"):
        path, holder = f".{part}.replicas", obj.get(part)
        replicas = holder.get("replicas", 0) if isinstance(holder, dict) else 0
        if isinstance(replicas, bool) or not isinstance(replicas, int):
            kind = _GO_TYPES.get(type(replicas), "map[string]interface {}")
            shown = str(replicas).lower() if isinstance(replicas, bool) else replicas
            why = f"{path} accessor error: {shown} is of the type {kind}, expected int64"
            found.append(invalid(path, 0, why))
        elif replicas < 0:
            found.append(invalid(path, replicas, "should be a non-negative integer"))
        elif replicas > _INT32_MAX:
            found.append(invalid(path, replicas, f"should be less than or equal to {_INT32_MAX}"))
    return found
