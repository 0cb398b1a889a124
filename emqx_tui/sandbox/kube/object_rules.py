"""Rules of writing an object: which fields the client sets, and which the API server.

Pure functions on plain dicts, none of which changes its arguments. They follow k8s.io/apiserver
(`registry/rest/{create,update,delete}.go`) and `apimachinery/pkg/apis/meta/v1/types.go`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.resources import Resource

_SYSTEM_METADATA = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
_OMITTED_WHEN_EMPTY = ("labels", "annotations", "finalizers", "ownerReferences")


def tidy_metadata(metadata: Object) -> Object:
    """Metadata as ObjectMeta would print it: no nulls, no empty maps and lists, no selfLink."""
    return {
        key: value
        for key, value in metadata.items()
        if value is not None and key != "selfLink" and not (key in _OMITTED_WHEN_EMPTY and not value)
    }


def check_preconditions(resource: Resource, old: Object, wanted: Mapping[str, Any]) -> None:
    has = old["metadata"]
    name = has["name"]
    if wanted.get("name") and wanted["name"] != name:
        raise api_error.bad_request(
            f"the name of the object ({wanted['name']}) does not match the name on the URL ({name})"
        )
    if wanted.get("uid") and wanted["uid"] != has["uid"]:
        why = f"Precondition failed: UID in precondition: {wanted['uid']}, UID in object meta: {has['uid']}"
        raise api_error.conflict(resource, name, why)
    if wanted.get("resourceVersion") and wanted["resourceVersion"] != has["resourceVersion"]:
        raise api_error.modified_meanwhile(resource, name)


def check_uid(resource: Resource, old: Object, patched: Object) -> None:
    """A patch that names another object's uid is refused like any change of a fixed field."""
    wanted = (patched.get("metadata") or {}).get("uid")
    if wanted and wanted != old["metadata"]["uid"]:
        cause = ("FieldValueInvalid", "metadata.uid", f'Invalid value: "{wanted}": field is immutable')
        raise api_error.invalid(resource, old["metadata"]["name"], [cause, cause] if resource.custom else [cause])


def check_deletion(resource: Resource, old: Object, wanted: Mapping[str, Any]) -> None:
    has = old["metadata"]
    for key, what, since in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        if wanted.get(key) and wanted[key] != has[key]:
            why = f"the {what} in the precondition ({wanted[key]}) does not match the {what} in record ({has[key]})"
            raise api_error.precondition_failed(resource, has["name"], f"{why}. The object might have been {since}")


def with_status_of(old: Object, obj: Object) -> Object:
    new = {**old, "status": obj.get("status")}
    if new["status"] is None:
        del new["status"]
    return new


def with_system_fields_of(resource: Resource, old: Object, obj: Object) -> Object:
    has = old["metadata"]
    metadata = tidy_metadata(obj.get("metadata") or {})
    for key in (*_SYSTEM_METADATA, "name", "namespace", "resourceVersion"):
        if key in has:
            metadata[key] = has[key]
        else:
            metadata.pop(key, None)
    new = {**obj, "apiVersion": resource.group_version, "kind": resource.kind, "metadata": metadata}
    if resource.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new


def with_owners_of(obj: Object, source: Object) -> Object:
    """`obj` with the managedFields of `source`, since those that clients send back are ignored.

    Only an explicit empty list counts: it removes all entries.
    """
    metadata = obj["metadata"]
    owners = source["metadata"].get("managedFields")
    if metadata.get("managedFields") is owners:
        return obj
    if metadata.get("managedFields") in ([], [{}]):
        owners = None
    metadata = {key: value for key, value in metadata.items() if key != "managedFields"}
    if owners is not None:
        metadata["managedFields"] = owners
    return {**obj, "metadata": metadata}


def is_released(resource: Resource, obj: Object) -> bool:
    """Marked for deletion and held by nothing any more."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    return not resource.graceful or metadata.get("deletionGracePeriodSeconds") == 0


def spec_differs(resource: Resource, old: Object, new: Object) -> bool:
    skipped = {"metadata", "status"} if resource.has_status else {"metadata"}
    return any(old.get(key) != new.get(key) for key in (old.keys() | new.keys()) - skipped)


def same_content(new: Object, old: Object) -> bool:
    """Equal but for managedFields and the generation that follows from the rest."""
    if new.keys() != old.keys():
        return False
    return all(
        value is old[key] or (_same_metadata(value, old[key]) if key == "metadata" else value == old[key])
        for key, value in new.items()
    )


def _same_metadata(new: Object, old: Object) -> bool:
    skipped = {"managedFields", "generation"}
    return all(new.get(key) == old.get(key) for key in (new.keys() | old.keys()) - skipped)


def same_owners(new: Object, old: Object) -> bool:
    """managedFields equal but for their times: an apply that changes nothing is no write."""

    def bare(obj: Object) -> list[Object]:
        entries = obj["metadata"].get("managedFields") or []
        return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]

    return new is old or bare(new) == bare(old)
