"""The Kubernetes API as a pure function of requests: paths, verbs and bodies in, statuses and bodies out.

Used by the HTTP sandbox, and in process by the tests, so that both have the same semantics. It never raises what a
client did wrong (that comes back as a Status) and never waits: watches belong to the caller, who has `store.subscribe`
and `store.changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.sandbox.kube import api_error, deletion
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.listing import list_objects
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.patches import merge_patch
from emqx_tui.sandbox.kube.rbac import User, check_right, review_access, review_rules
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.scale import replicas_patch, scale_of
from emqx_tui.sandbox.kube.selectors import selection
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.targets import Target, method_not_allowed, parse_target, unknown_path, verb_of
from emqx_tui.sandbox.kube.writes import WriteOptions

PATCH_TYPES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


@dataclass(frozen=True)
class Reply:
    """An HTTP status, a body, and the texts of `Warning:` headers."""

    status: int
    body: Object
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Call:
    """A request that was parsed and is allowed."""

    target: Target
    query: Mapping[str, str]
    body: Any
    patch_type: str | None
    manager: str
    user: User | None
    warnings: list[str] = field(default_factory=list)

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    def options(self, subresource: str | None = None) -> WriteOptions:
        """Keyword arguments of a write of the store."""
        return {
            "subresource": subresource,
            "manager": self.manager,
            "dry_run": self.dry_run,
            "field_validation": self.query.get("fieldValidation") or "Warn",
            "warnings": self.warnings,
        }


class KubeApi:
    """Answers requests from `store`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        user: User | None = None,
        *,
        manager: str = "unknown",
    ) -> Reply:
        """Answer one request; `manager` owns written fields unless the query names a fieldManager."""
        query = query or {}
        warnings: list[str] = []
        try:
            target = parse_target(path, self.store.resources)
            check_right(user, verb_of(method, target), target, query.get("fieldSelector"))
            _check_options(query)
            call = _Call(
                target,
                query,
                body,
                _patch_type(method, content_type),
                query.get("fieldManager") or manager,
                user,
                warnings,
            )
            status, answer = self._answer(method, call)
        except ApiError as refused:
            return Reply(refused.code, refused.status(), tuple(warnings))
        return Reply(status, answer, tuple(warnings))

    def _answer(self, method: str, call: _Call) -> tuple[int, Object]:
        target = call.target
        if target.resource.virtual:
            return self._review(method, call)
        if target.subresource and target.subresource not in target.resource.subresources:
            raise unknown_path()
        if target.subresource == "scale":
            return self._scale(method, call)
        match method:
            case "GET" if target.name:
                return 200, self.store.get(target.plural, target.namespace, target.name)
            case "GET":
                return 200, list_objects(self.store, target, call.query)
            case "POST" if not target.name:
                return 201, self._create(call)
            case "PUT":
                return 200, self._replace(call)
            case "PATCH":
                return self._patch(call)
            case "DELETE" if not target.subresource:
                return self._delete(call) if target.name else self._delete_collection(call)
        raise method_not_allowed()

    def _review(self, method: str, call: _Call) -> tuple[int, Object]:
        if method != "POST" or call.target.name:
            raise method_not_allowed()
        review = _object(call.body)
        if call.target.plural == "selfsubjectaccessreviews":
            return 201, review_access(call.user, review)
        return 201, review_rules(call.user, review)

    # -- writes of whole objects

    def _create(self, call: _Call) -> Object:
        target = call.target
        obj = self._addressed(call, _object(call.body))
        if obj["metadata"].get("resourceVersion"):
            raise api_error.bad_request("resourceVersion should not be set on objects to be created")
        if target.namespace is not None:
            self._check_namespace(target.namespace)
        return self.store.create(target.plural, obj, **call.options())

    def _replace(self, call: _Call) -> Object:
        target = call.target
        obj = self._addressed(call, _object(call.body))
        if not target.resource.unconditional_update and not obj["metadata"].get("resourceVersion"):
            self.store.get(target.plural, target.namespace, target.name or "")
            cause = (
                "FieldValueInvalid",
                "metadata.resourceVersion",
                "Invalid value: 0: must be specified for an update",
            )
            raise api_error.invalid(target.resource, target.name or "", [cause], by_plural=True)
        return self.store.update(target.plural, obj, **call.options(target.subresource))

    def _addressed(self, call: _Call, obj: Object) -> Object:
        """The body, with kind, name and namespace checked against the URL and filled in from it."""
        target, resource = call.target, call.target.resource
        kind, group_version = obj.get("kind"), obj.get("apiVersion")
        if kind not in (None, "", resource.kind) or group_version not in (None, "", resource.group_version):
            raise api_error.bad_request(
                f"the object provided is unrecognized (must be of type {resource.kind}): "
                f"it is {group_version or resource.group_version}, Kind={kind or resource.kind}"
            )
        metadata = dict(obj.get("metadata") or {})
        if target.name:
            _check_same(metadata.get("name"), target.name, "name")
            metadata["name"] = target.name
        if target.namespace is not None:
            _check_namespace_of(metadata, target.namespace)
            metadata["namespace"] = target.namespace
        return {**obj, "metadata": metadata}

    def _check_namespace(self, name: str) -> None:
        """A world that keeps no Namespace objects has all namespaces."""
        if self.store.list("namespaces"):
            self.store.get("namespaces", None, name)

    # -- patches

    def _patch(self, call: _Call) -> tuple[int, Object]:
        target, patch_type, name = call.target, call.patch_type, call.target.name or ""
        if patch_type is None or (patch_type == "strategic" and target.resource.custom):
            raise _unknown_patch(target)
        force = call.query.get("force") in ("true", "1")
        if patch_type == "apply":
            if not call.query.get("fieldManager"):
                raise _bad_patch_options("Required", "Required value: is required for apply patch", "fieldManager")
            patch = self._addressed(call, _object(call.body))
            if target.namespace is not None:
                self._check_namespace(target.namespace)
        else:
            patch = call.body
            if isinstance(patch, dict) and target.namespace is not None:
                _check_namespace_of(patch.get("metadata") or {}, target.namespace)
            if call.query.get("force"):
                raise _bad_patch_options("Forbidden", "Forbidden: may not be specified for non-apply patch", "force")
        existed = self.store.find(target.plural, target.namespace, name) is not None
        patched = self.store.patch(
            target.plural,
            target.namespace,
            name,
            patch,
            patch_type,
            force=force,
            **call.options(target.subresource),
        )
        return (200 if existed else 201), patched

    def _scale(self, method: str, call: _Call) -> tuple[int, Object]:
        target = call.target
        found = self.store.get(target.plural, target.namespace, target.name or "")
        if method == "GET":
            return 200, scale_of(found)
        if method == "PUT":
            scale = _object(call.body)
            _check_same((scale.get("metadata") or {}).get("name"), target.name or "", "name")
        elif method == "PATCH" and call.patch_type in ("merge", "strategic"):
            scale = merge_patch(scale_of(found), _object(call.body))
        else:
            raise method_not_allowed() if method != "PATCH" else _unknown_patch(target)
        scaled = self.store.patch(
            target.plural,
            target.namespace,
            target.name or "",
            replicas_patch(scale, target.resource),
            "merge",
            **call.options("scale"),
        )
        return 200, scale_of(scaled)

    # -- deletes

    def _delete(self, call: _Call) -> tuple[int, Object]:
        options = deletion.DeleteOptions.read(call.query, call.body)
        return 200, deletion.delete(self.store, call.target, options)

    def _delete_collection(self, call: _Call) -> tuple[int, Object]:
        target = call.target
        options = deletion.DeleteOptions.read(call.query, call.body)
        selected = selection(target.plural, call.query.get("labelSelector"), call.query.get("fieldSelector"))
        listed = list_objects(self.store, target, call.query)
        for each in self.store.list(target.plural, target.namespace):
            if selected is None or selected(each):
                metadata = each["metadata"]
                one = Target(target.resource, metadata.get("namespace"), metadata["name"])
                deletion.delete(self.store, one, options)
        return 200, listed


def _object(body: Any) -> Object:
    if not isinstance(body, dict):
        raise api_error.bad_request("the body of the request is not an object")
    return body


def _check_same(given: str | None, wanted: str, what: str) -> None:
    if given not in (None, "", wanted):
        raise api_error.bad_request(
            f"the {what} of the object ({given}) does not match the {what} on the URL ({wanted})"
        )


def _check_namespace_of(metadata: Object, wanted: str) -> None:
    if metadata.get("namespace") not in (None, "", wanted):
        raise api_error.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def _patch_type(method: str, content_type: str) -> str | None:
    return PATCH_TYPES.get(content_type.partition(";")[0].strip()) if method == "PATCH" else None


def _check_options(query: Mapping[str, str]) -> None:
    dry_run, validation = query.get("dryRun"), query.get("fieldValidation")
    if dry_run not in (None, "", "All"):
        message = f'Unsupported value: ["{dry_run}"]: supported values: "All"'
        raise _bad_patch_options("NotSupported", message, "dryRun")
    if validation not in (None, "", "Ignore", "Warn", "Strict"):
        supported = '"", "Ignore", "Strict", "Warn"'
        message = f'Unsupported value: "{validation}": supported values: {supported}'
        raise _bad_patch_options("NotSupported", message, "fieldValidation")


def _bad_patch_options(what: str, message: str, field_name: str) -> ApiError:
    text = f'PatchOptions.meta.k8s.io "" is invalid: {field_name}: {message}'
    causes = [{"reason": f"FieldValue{what}", "message": message, "field": field_name}]
    return ApiError(422, "Invalid", text, {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": causes})


def accepted_patch_types(resource: Resource) -> list[str]:
    """Media types of patches: custom resources take no strategic merge patch."""
    return [name for name, kind in PATCH_TYPES.items() if not (kind == "strategic" and resource.custom)]


def _unknown_patch(target: Target) -> ApiError:
    accepted = accepted_patch_types(target.resource)
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return ApiError(415, "UnsupportedMediaType", message)
