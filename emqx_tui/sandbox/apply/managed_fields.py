"""Field ownership (`metadata.managedFields`) and server-side apply.

Owns the rules of ownership: an updater owns the fields that it changed and other managers lose them; an applier owns
the fields of its configuration, and changing another manager's field is a conflict unless forced. Follows apimachinery
(`pkg/util/managedfields/internal`) and structured-merge-diff (`merge/update.go`). Never changes its arguments.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from emqx_tui.sandbox.apply.conflicts import Conflicts
from emqx_tui.sandbox.apply.field_managers import (
    Entry,
    Manager,
    Managers,
    capped,
    decoded,
    entries_of,
    with_entries,
)
from emqx_tui.sandbox.apply.field_sets import Fields, difference, intersection, union
from emqx_tui.sandbox.apply.typed_objects import (
    compare,
    duplicate_keys,
    field_set,
    merge,
    remove,
    with_named_fields,
    without_nulls,
)
from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.schema.catalog import Schema, is_custom, object_schema
from emqx_tui.sandbox.schema.pruning import prune

_BEFORE_APPLY = "before-first-apply"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_UNOWNED: Fields = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        **{
            f"f:{name}": {}
            for name in (
                "clusterName",
                "creationTimestamp",
                "generation",
                "managedFields",
                "name",
                "namespace",
                "resourceVersion",
                "selfLink",
                "uid",
            )
        },
    },
}
"""Fields that the server sets; no manager owns them."""


class ManagedFields:
    """Maintains `metadata.managedFields`; stateless."""

    def track(
        self, old: Object | None, new: Object, manager: str, operation: str, subresource: str | None, now: str
    ) -> Object:
        """`new` with its managers after a create or update; `now` is RFC 3339 text.

        `new` comes with the managers so far. An object whose managedFields were cleared stays without.
        """
        managers = decoded(entries_of(new))
        if old is not None and not managers:
            return with_entries(new, {})
        schema = object_schema(new["apiVersion"], new["kind"])
        writer = Manager(manager or "unknown", operation, new["apiVersion"], subresource or "")
        if old is None and operation == "Apply":
            applied = _allowed(field_set(new, schema), subresource)
            return with_entries(new, {writer: Entry(applied, now)} if applied else {})
        _take(managers, writer, _change(old, new, schema, subresource), now)
        return with_entries(new, capped(managers))

    def apply(
        self, old: Object | None, patch: Object, manager: str, force: bool, subresource: str | None, now: str
    ) -> Object:
        """`old` after a server-side apply of `patch`; ApiError 409 names the managers in conflict."""
        live = old if old is not None else _newborn(patch)
        schema = object_schema(live["apiVersion"], live["kind"])
        _check_configuration(live, patch, schema)
        managers = decoded(entries_of(old))
        if old is not None and not managers:
            first = Manager(_BEFORE_APPLY, "Update", live["apiVersion"], "")
            _take(managers, first, _change(None, old, schema, None), now)
        applier = Manager(manager or "unknown", "Apply", live["apiVersion"], subresource or "")
        try:
            merged = _applied(live, patch, schema, managers, applier, force, now)
        except Conflicts as conflicts:
            if applier.name != "kubectl":
                raise conflicts.refusal() from None
            migrating = _set_by_client_side_apply(live, schema)
            hard = conflicts.without(migrating)
            if hard.by_manager:
                raise hard.refusal() from None
            merged = _applied(live, patch, schema, managers, applier, True, now)
        return _refresh_last_applied(merged, patch) if applier.name == "kubectl" else merged


# -- create and update


class _Change(NamedTuple):
    gone: Fields
    taken: Fields


def _change(old: Object | None, new: Object, schema: Schema, subresource: str | None) -> _Change:
    """Fields that the write removed, and those that it set, as far as anybody can own them."""
    found = compare(old if old is not None else _newborn(new), new, schema)
    return _Change(_allowed(found.removed, subresource), _allowed(union(found.modified, found.added), subresource))


def _newborn(obj: Object) -> Object:
    """What a new object is compared with: for built-in kinds Go's zero value, in which some fields exist already."""
    kind, version = obj["kind"], obj["apiVersion"]
    zero = {} if is_custom(version, kind) else _zero(object_schema(version, kind))
    return {**zero, "apiVersion": version, "kind": kind, "metadata": {}}


def _zero(schema: Schema) -> Object:
    """Structs that are no pointers have the default {}; a required field without a default is null."""
    return {
        name: _zero(child) if child.get("default") == {} else child.get("default")
        for name, child in schema.get("properties", {}).items()
        if "default" in child or name in schema.get("required", ())
    }


def _allowed(fields: Fields, subresource: str | None) -> Fields:
    """The fields that can be owned through a subresource: status through `/status` only, the others without."""
    if subresource == "status":
        kept = {key: child for key, child in fields.items() if key in ("f:status", "f:metadata")}
    else:
        kept = {key: child for key, child in fields.items() if key != "f:status"}
    return difference(kept, _UNOWNED)


def _take(managers: Managers, writer: Manager, change: _Change, now: str) -> None:
    if not change.gone and not change.taken:
        return
    _release(managers, change)
    if change.taken:
        had = managers.get(writer)
        managers[writer] = Entry(union(had.fields, change.taken) if had else change.taken, now)


def _release(managers: Managers, change: _Change, keep: Manager | None = None) -> None:
    for manager, entry in list(managers.items()):
        if manager == keep:
            continue
        rest = difference(difference(entry.fields, intersection(entry.fields, change.taken)), change.gone)
        if not rest:
            del managers[manager]
        elif rest is not entry.fields:
            managers[manager] = Entry(rest, entry.at)


# -- apply


def _applied(
    live: Object, patch: Object, schema: Schema, managers: Managers, applier: Manager, force: bool, now: str
) -> Object:
    subresource = applier.subresource or None
    merged = merge(live, patch, schema)
    last = managers.get(applier)
    named = _allowed(field_set(patch, schema), subresource)
    after: Managers = {**managers, applier: Entry(named, last.at if last else now)}
    if last is not None:
        merged = _without_dropped(merged, last.fields, after, schema)
    change = _change(live, merged, schema, subresource)
    conflicts = Conflicts(
        {
            manager: (entry, hit)
            for manager, entry in after.items()
            if manager != applier and (hit := intersection(entry.fields, change.taken))
        }
    )
    if conflicts.by_manager and not force:
        raise conflicts
    _release(after, change, keep=applier)
    if change.gone or change.taken:
        after[applier] = Entry(named, now)
    if not named:
        after.pop(applier, None)
    return with_entries(merged, after)


def _without_dropped(merged: Object, last: Fields, managers: Managers, schema: Schema) -> Object:
    """Without the fields that the applier has dropped from its configuration and that no other manager owns."""
    everybody: Fields = {}
    for entry in managers.values():
        everybody = union(everybody, entry.fields)
    mine = with_named_fields(last, schema)
    kept = with_named_fields(union(everybody, _UNOWNED), schema)
    cut = remove(merged, mine, schema) or {}
    remaining = union(with_named_fields(field_set(cut, schema), schema), kept)
    present = with_named_fields(field_set(merged, schema), schema)
    gone = intersection(difference(present, remaining), mine)
    return without_nulls(remove(merged, gone, schema), merged) or {}


def _check_configuration(live: Object, patch: Object, schema: Schema) -> None:
    if (patch.get("metadata") or {}).get("managedFields") is not None:
        raise api_error.bad_request("metadata.managedFields must be nil")
    if patch.get("apiVersion") != live["apiVersion"]:
        raise api_error.bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {patch.get('apiVersion')}, expected: {live['apiVersion']}"
        )
    _, unknown = prune(patch, schema)
    complaints = [*(f".{path}: field not declared in schema" for path in unknown), *duplicate_keys(patch, schema)]
    if complaints:
        metadata, version = patch.get("metadata") or {}, live["apiVersion"]
        where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {version}, Kind={live['kind']}"
        text = complaints[0] if len(complaints) == 1 else "errors:\n  " + "\n  ".join(complaints)
        raise ApiError(500, "InternalError", f"failed to create typed patch object ({where}): {text}")


# -- migration from client-side to server-side apply


def _set_by_client_side_apply(live: Object, schema: Schema) -> Fields:
    """Fields that still have the last-applied values of `kubectl apply`; its `--server-side` takes them over."""
    text = (live["metadata"].get("annotations") or {}).get(_LAST_APPLIED)
    try:
        applied = json.loads(text) if text else None
    except ValueError:
        return {}
    if not isinstance(applied, dict) or applied.get("apiVersion") != live["apiVersion"]:
        return {}
    removed, modified, added = compare(applied, live, schema)
    return difference(difference(difference(field_set(applied, schema), modified), added), removed)


def _refresh_last_applied(obj: Object, patch: Object) -> Object:
    annotations = obj["metadata"].get("annotations") or {}
    if not annotations.get(_LAST_APPLIED):
        return obj
    given = patch.get("metadata") or {}
    kept = {key: value for key, value in (given.get("annotations") or {}).items() if key != _LAST_APPLIED}
    bare = {**patch, "metadata": {**given, "annotations": kept}}
    text = json.dumps(bare, separators=(",", ":"), sort_keys=True) + "\n"
    return {**obj, "metadata": {**obj["metadata"], "annotations": {**annotations, _LAST_APPLIED: text}}}
