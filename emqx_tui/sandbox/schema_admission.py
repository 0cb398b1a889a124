"""The schema at the API server's door: prune, default, validate, or refuse.

Owns the order of these steps for custom resources and built-in kinds, and the wiring into the store. It must come
before every webhook: those may count on well-formed objects. (A real server asks mutating webhooks first, and a
malformed object makes them fail in their own words; the answer here is always the schema's.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emqx_tui.sandbox.builtin_rules import builtin_violations, normalized
from emqx_tui.sandbox.go_decoding import unreadable
from emqx_tui.sandbox.managed_fields import ManagedFields
from emqx_tui.sandbox.metadata_rules import invalid, metadata_violations
from emqx_tui.sandbox.schema_catalog import CUSTOM_KINDS, OBJECT_META, custom_schema, is_known, owned_schema
from emqx_tui.sandbox.schema_pruning import fill, prune
from emqx_tui.sandbox.schema_validation import Violation, validate
from emqx_tui.sandbox.strategic_merge import strategic_merge
from emqx_tui.sim import api_error
from emqx_tui.sim.resources import Resource
from emqx_tui.sim.store import AdmissionRequest, Store

Object = dict[str, Any]

_INT32_MAX = 2**31 - 1
_GO_TYPES: dict[type, str] = {str: "string", bool: "bool", float: "float64", list: "[]interface {}"}


def install(store: Store) -> None:
    """Give the store schemas, field ownership and strategic merge."""
    store.admission.insert(0, SchemaAdmission(store.resources).admit)
    store.fields = ManagedFields()
    store.strategic = strategic_merge


class SchemaAdmission:
    """Judges every write by the schema of its kind."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources

    def admit(self, request: AdmissionRequest) -> Object:
        """The object to go on with; ApiError 400 or 422."""
        if request.new is None:
            return request.old or {}
        resource = self._resources[request.plural]
        if CUSTOM_KINDS.get(resource.kind) == request.plural:
            return _custom(request, request.new, resource)
        return _builtin(request, request.new, resource)


def _custom(request: AdmissionRequest, new: Object, resource: Resource) -> Object:
    schema = custom_schema(resource.kind)
    # What is stored went through here before: only parts that are not the very same are looked at.
    fresh = _fresh(request.old, new)
    pruned, unknown = prune(fresh, schema, OBJECT_META)
    _tell_unknown(request, resource, unknown)
    if why := unreadable(new["metadata"], OBJECT_META, "ObjectMeta", (request.old or {}).get("metadata"), ".metadata"):
        raise _undecodable(resource, why)
    filled: Object = fill(pruned, schema)
    violations = _metadata(request, new)
    violations += validate(filled, schema, old=request.old) if request.old else validate(filled, schema)
    if "scale" in resource.subresources:
        violations += _scale(filled)
    _refuse(resource, new, violations)
    return {key: filled.get(key, value) for key, value in new.items() if key not in fresh or key in filled}


def _builtin(request: AdmissionRequest, new: Object, resource: Resource) -> Object:
    if request.field_validation != "Ignore" and is_known(resource.group_version, resource.kind):
        new, unknown = prune(new, owned_schema(resource.group_version, resource.kind), OBJECT_META)
        _tell_unknown(request, resource, unknown)
    schema = owned_schema(resource.group_version, resource.kind)
    if why := unreadable(_fresh(request.old, new), schema, resource.kind, request.old):
        raise _undecodable(resource, why)
    new = normalized(request.plural, new)
    violations = _metadata(request, new)
    if request.subresource != "status":
        violations += builtin_violations(request.plural, new, request.old)
    _refuse(resource, new, violations)
    return new


def _fresh(old: Object | None, new: Object) -> Object:
    """The top-level parts of an object that are not simply those of the stored one."""
    return new if old is None else {key: value for key, value in new.items() if value is not old.get(key)}


def _metadata(request: AdmissionRequest, new: Object) -> list[Violation]:
    if request.old is not None and _unversioned(new) == _unversioned(request.old):
        return []
    return metadata_violations(request.plural, new["metadata"])


def _unversioned(obj: Object) -> Object:
    return {key: value for key, value in obj["metadata"].items() if key not in ("managedFields", "resourceVersion")}


def _refuse(resource: Resource, new: Object, violations: list[Violation]) -> None:
    if violations:
        causes = [(each.reason, each.field, each.message) for each in violations]
        raise api_error.invalid(resource, new["metadata"].get("name", ""), causes)


# -- what cannot be read


def _tell_unknown(request: AdmissionRequest, resource: Resource, unknown: list[str]) -> None:
    texts = [f'unknown field "{path}"' for path in unknown]
    if not texts:
        return
    if request.field_validation == "Warn":
        request.warnings.extend(texts)
    elif request.field_validation == "Strict":
        why = f"strict decoding error: {', '.join(texts)}"
        raise _undecodable(resource, why) if request.operation == "CREATE" else api_error.bad_request(why)


def _undecodable(resource: Resource, why: str) -> api_error.ApiError:
    kind, version = resource.kind, resource.version
    return api_error.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {why}')


# -- the scale subresource keeps an eye on replicas


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
