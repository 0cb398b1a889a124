"""Lists of objects: selectors, paging with a consistent snapshot, and versions to list at.

Owns the continue token. All pages of a list show the collection at the version of the first one; when that has expired
the client gets 410 and a token to go on without consistency, as `apiserver/pkg/registry/generic/registry/store.go` and
`storage/continue.go` do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.selectors import selection
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.targets import Target

_CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def list_objects(store: Store, target: Target, query: Mapping[str, str]) -> Object:
    """The List that answers a GET of a collection; ApiError 400 or 410."""
    selected = selection(target.plural, query.get("labelSelector"), query.get("fieldSelector"))
    limit = _limit(query)
    version, after = _start(store, query)
    objects = _at(store, target, version, after)
    if after:
        objects = [each for each in objects if _place(each) > after]
    if selected:
        objects = [each for each in objects if selected(each)]
    metadata: Object = {"resourceVersion": str(version or store.version)}
    if target.resource.custom:
        metadata["continue"] = ""
    if limit and len(objects) > limit:
        metadata["continue"] = _token(version or store.version, _place(objects[limit - 1]))
        if not selected:
            metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    resource = target.resource
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.group_version,
        "metadata": metadata,
        "items": [as_item(each, target) for each in objects],
    }


def as_item(obj: Object, target: Target) -> Object:
    """Items of built-in kinds carry no kind and apiVersion of their own; custom resources do."""
    if target.resource.custom:
        return obj
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def wanted_version(store: Store, text: str | None) -> int | None:
    """The number in a `resourceVersion` parameter, None for "" and "0"; ApiError 400, or 504 for one yet to come."""
    if text in (None, "", "0"):
        return None
    if not text.isdecimal():
        raise api_error.bad_request(
            f'invalid resource version: resourceVersion: Invalid value: "{text}": '
            f'strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    version = int(text)
    if version > store.version:
        message = f"Too large resource version: {version}, current: {store.version}"
        causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
        raise ApiError(504, "Timeout", f"Timeout: {message}", {"causes": causes, "retryAfterSeconds": 1})
    return version


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit") or "0"
    if not text.isdecimal():
        raise api_error.bad_request(f"invalid limit {text!r}")
    return int(text)


def _start(store: Store, query: Mapping[str, str]) -> tuple[int | None, tuple[str, str] | None]:
    """The version to list at (None: the newest) and the place to start after."""
    token = query.get("continue")
    if token:
        if query.get("resourceVersion") not in (None, "", "0"):
            raise api_error.bad_request("specifying resource version is not allowed when using continue")
        return _parsed_token(token)
    version = wanted_version(store, query.get("resourceVersion"))
    return (version if query.get("resourceVersionMatch") == "Exact" else None), None


def _at(store: Store, target: Target, version: int | None, after: tuple[str, str] | None) -> list[Object]:
    if version is None:
        return store.list(target.plural, target.namespace)
    try:
        objects = store.snapshot(target.plural, version)
    except ApiError as forgotten:
        if after is None:
            raise api_error.expired("The resourceVersion for the provided list is too old.") from forgotten
        fresh = api_error.expired(_CONTINUE_EXPIRED)
        fresh.list_metadata = {"continue": _token(None, after)}
        raise fresh from forgotten
    if target.namespace is None:
        return objects
    return [each for each in objects if each["metadata"].get("namespace") == target.namespace]


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]


def _token(version: int | None, after: tuple[str, str]) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": -1 if version is None else version, "start": "/".join(after)}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _parsed_token(token: str) -> tuple[int | None, tuple[str, str]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, (namespace, name) = int(content["rv"]), content["start"].split("/")
    except (ValueError, KeyError, TypeError) as malformed:
        raise api_error.bad_request(f"continue key is not valid: {malformed}") from malformed
    return (None if version < 0 else version), (namespace, name)
