"""Writes to the simulated API server: names and versions, conflicts, admission, graceful deletion.

Owns what happens to an object on its way into the storage. It must never touch a clock or the network.

Behaviour follows k8s.io/apiserver: `registry/generic/registry/store.go` and `registry/rest/{create,update,delete}.go`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Unpack

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.object_rules import (
    check_deletion,
    check_preconditions,
    check_uid,
    is_released,
    same_content,
    same_owners,
    spec_differs,
    tidy_metadata,
    with_owners_of,
    with_status_of,
    with_system_fields_of,
)
from emqx_tui.sandbox.kube.objects import Object, key_of
from emqx_tui.sandbox.kube.patches import PatchRefused, go_name, json_patch, merge_patch
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.storage import Storage
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.kube.writes import AdmissionRequest, FieldTracker, WriteOptions
from emqx_tui.sandbox.timeline import Timeline

Admit = Callable[[AdmissionRequest], Object]

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_GRACE_PERIOD_S = 30


class Store(Storage):
    """The objects, and the writes that clients may ask for."""

    def __init__(self, timeline: Timeline, rng: random.Random, *, history_limit: int = 1024) -> None:
        super().__init__(history_limit)
        self.timeline = timeline
        self.reading: list[Admit] = []
        """Decoding: what becomes of unknown fields, and defaults. Field ownership is worked out after it."""
        self.admission: list[Admit] = []
        """Mutating webhooks and built-in admission; nobody owns what they add."""
        self.validation: list[Admit] = []
        """Schemas and the rules of built-in kinds."""
        self.reviews: list[Admit] = []
        """Validating webhooks."""
        self.fields: FieldTracker | None = None
        self.strategic: Callable[[Object, Any], Object] | None = None
        self._rng = rng
        # A dry run must not move the world's random numbers, or looking would change what happens next.
        self._dry_rng = random.Random(rng.getrandbits(64))

    # -- writing

    def create(self, plural: str, obj: Object, **options: Unpack[WriteOptions]) -> Object:
        """Store a new object; ApiError 409 when the name is taken.

        With a status subresource the author's status is dropped, as a real API server does: write it afterwards.
        """
        return self._create(obj, AdmissionRequest("CREATE", plural, None, obj, **options))

    def update(self, plural: str, obj: Object, **options: Unpack[WriteOptions]) -> Object:
        """Replace an object; resourceVersion and uid, if present, are preconditions (ApiError 409)."""
        metadata = obj["metadata"]
        old = self.get(plural, metadata.get("namespace"), metadata["name"])
        return self._update(old, obj, AdmissionRequest("UPDATE", plural, old, obj, **options))

    def patch(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        patch: Any,
        patch_type: str,
        *,
        force: bool = False,
        **options: Unpack[WriteOptions],
    ) -> Object:
        """Change an object by a patch of type merge, json, strategic or apply (which may also create)."""
        resource = self.resources[plural]
        applied = patch_type == "apply"
        old = self.find(plural, namespace, name)
        if old is None:
            if not applied or options.get("subresource"):
                raise api_error.not_found(resource, name)
            named = {"name": name, "namespace": namespace} if resource.namespaced else {"name": name}
            new = {**patch, "metadata": {**(patch.get("metadata") or {}), **named}}
            return self._create(new, AdmissionRequest("CREATE", plural, None, new, applied=True, **options))
        request = AdmissionRequest("UPDATE", plural, old, None, applied=applied, **options)
        if applied:
            return self._update(old, self._applied(old, patch, request, force), request)
        patched = self._patched(old, patch, patch_type)
        check_uid(resource, old, patched)
        return self._update(old, patched, request)

    def delete(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        *,
        preconditions: Mapping[str, str] | None = None,
        dry_run: bool = False,
        now: bool = False,
        grace_period_s: int | None = None,
        finalizer: str | None = None,
    ) -> Object:
        """Remove an object, or mark it when a finalizer or a grace period holds it; returns its last state.

        `finalizer` is added before the deletion: foreground and orphan propagation work by one.
        """
        resource = self.resources[plural]
        old = self.get(plural, namespace, name)
        check_deletion(resource, old, preconditions or {})
        for admit in self.admission:
            admit(AdmissionRequest("DELETE", plural, old, None, dry_run=dry_run))
        grace_s = self._grace_s(resource, old, now, grace_period_s)
        metadata = old["metadata"]
        finalizers: list[str] = [*(metadata.get("finalizers") or ())]
        if finalizer and finalizer not in finalizers and "deletionTimestamp" not in metadata:
            finalizers.append(finalizer)
        if not finalizers and grace_s == 0:
            return self._remove(resource, old, dry_run)
        return self._mark(resource, old, finalizers, grace_s, dry_run)

    # -- stages of a write

    def _create(self, obj: Object, request: AdmissionRequest) -> Object:
        resource = self.resources[request.plural]
        newborn = self._newborn(resource, obj, request.dry_run)
        if self.find(resource.plural, *key_of(newborn)) is not None:
            raise api_error.already_exists(resource, newborn["metadata"]["name"])
        new = _passed(self.reading, request, newborn)
        if self.fields:
            # An applier owns what its configuration names, not what defaults add to it.
            configured, operation = (newborn, "Apply") if request.applied else (new, "Update")
            owned = self.fields.track(None, configured, request.manager, operation, None, self._now)
            new = with_owners_of(new, owned)
        new = self._admitted(request, new)
        return new if request.dry_run else self.commit("ADDED", resource, None, new)

    @property
    def _now(self) -> str:
        return rfc3339(self.timeline.now)

    def _newborn(self, resource: Resource, obj: Object, dry_run: bool) -> Object:
        rng = self._dry_rng if dry_run else self._rng
        given = obj.get("metadata") or {}
        name = given.get("name")
        if not name:
            if not given.get("generateName"):
                raise api_error.invalid(
                    resource,
                    "",
                    [("FieldValueRequired", "metadata.name", "Required value: name or generateName is required")],
                )
            name = given["generateName"] + "".join(rng.choice(_SUFFIX_ALPHABET) for _ in range(5))
        metadata = {
            **tidy_metadata(given),
            "name": name,
            "uid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "creationTimestamp": self._now,
        }
        metadata.pop("resourceVersion", None)
        metadata.pop("generation", None)
        metadata.pop("managedFields", None)
        if resource.generation:
            metadata["generation"] = 1
        if resource.namespaced:
            metadata["namespace"] = given.get("namespace") or "default"
        else:
            metadata.pop("namespace", None)
        new = {**obj, "apiVersion": resource.group_version, "kind": resource.kind, "metadata": metadata}
        if resource.has_status:
            new.pop("status", None)
            if resource.initial_status is not None:
                new["status"] = dict(resource.initial_status)
        return new

    def _update(self, old: Object, obj: Object, request: AdmissionRequest) -> Object:
        resource, applied, of_status = self.resources[request.plural], request.applied, request.subresource == "status"
        check_preconditions(resource, old, obj.get("metadata") or {})
        scoped = with_status_of(old, obj) if of_status else with_system_fields_of(resource, old, obj)
        new = _passed(self.reading, request, with_owners_of(scoped, obj if applied else old))
        if self.fields and not applied and not same_content(new, old):
            new = self.fields.track(old, new, request.manager, "Update", request.subresource, self._now)
        new = self._admitted(request, new)
        always_changes = resource.changed_by_every_write and not request.subresource
        if not applied and same_content(new, old) and not always_changes:
            return old
        if not of_status and resource.generation and (always_changes or spec_differs(resource, old, new)):
            metadata = {**new["metadata"], "generation": old["metadata"].get("generation", 0) + 1}
            new = {**new, "metadata": metadata}
        if same_content(new, old) and same_owners(new, old) and not always_changes:
            return old
        if request.dry_run:
            return new
        if is_released(resource, new):
            return self._remove(resource, new, False, previous=old)
        return self.commit("MODIFIED", resource, old, new)

    def _patched(self, old: Object, patch: Any, patch_type: str) -> Object:
        try:
            if patch_type == "json":
                return json_patch(old, patch)
            if not isinstance(patch, dict):
                why = f"json: cannot unmarshal {go_name(patch)} into Go value of type map[string]interface {{}}"
                raise PatchRefused(f"error decoding patch: {why}", unprocessable=False)
        except PatchRefused as refused:
            if not refused.unprocessable:
                raise api_error.bad_request(str(refused)) from refused
            raise ApiError(422, "Invalid", api_error.UNPROCESSABLE) from refused
        if patch_type == "strategic" and self.strategic:
            return self.strategic(old, patch)
        return merge_patch(old, patch)

    def _applied(self, old: Object, patch: Object, request: AdmissionRequest, force: bool) -> Object:
        if self.fields is None:
            return merge_patch(old, patch)
        return self.fields.apply(old, patch, request.manager, force, request.subresource, self._now)

    def _admitted(self, request: AdmissionRequest, new: Object) -> Object:
        return _passed([*self.admission, *self.validation, *self.reviews], request, new)

    # -- deletion

    def _grace_s(self, resource: Resource, old: Object, now: bool, wanted_s: int | None) -> int:
        if not resource.graceful or now:
            return 0
        if wanted_s is not None:
            return wanted_s
        configured = (old.get("spec") or {}).get("terminationGracePeriodSeconds")
        return _GRACE_PERIOD_S if configured is None else configured

    def _mark(self, resource: Resource, old: Object, finalizers: list[str], grace_s: int, dry_run: bool) -> Object:
        metadata = old["metadata"]
        marked_s = metadata.get("deletionGracePeriodSeconds")
        if "deletionTimestamp" in metadata and (marked_s is None or grace_s >= marked_s):
            return old
        metadata = {
            **metadata,
            "deletionTimestamp": rfc3339(self.timeline.now + grace_s),
            "deletionGracePeriodSeconds": grace_s,
        }
        if finalizers:
            metadata["finalizers"] = finalizers
        if resource.generation and marked_s is None:
            metadata["generation"] = metadata.get("generation", 0) + 1
        new = {**old, "metadata": metadata}
        return new if dry_run else self.commit("MODIFIED", resource, old, new)

    def _remove(self, resource: Resource, last: Object, dry_run: bool, previous: Object | None = None) -> Object:
        if dry_run:
            return last
        return self.commit("DELETED", resource, previous or last, last)


def _passed(steps: Iterable[Admit], request: AdmissionRequest, new: Object) -> Object:
    for admit in steps:
        request.new = new
        new = admit(request)
    return new
