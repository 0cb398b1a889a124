"""What a DELETE request does: options, propagation, and what it answers.

Background and foreground propagation are left to the garbage collector of the world, foreground by a finalizer on the
owner. Orphan propagation removes the owner references of the dependents here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.sandbox.kube import api_error
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.targets import Target

FOREGROUND = "foregroundDeletion"
_PROPAGATION = ("Background", "Foreground", "Orphan")
_RETURNED_WHEN_DELETED = ("pods", "services", "persistentvolumeclaims", "serviceaccounts")
_KEPT_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


@dataclass(frozen=True)
class DeleteOptions:
    """metav1.DeleteOptions, from the body or the query."""

    propagation: str = "Background"
    preconditions: Mapping[str, str] = field(default_factory=dict)
    grace_period_s: int | None = None
    dry_run: bool = False

    @classmethod
    def read(cls, query: Mapping[str, str], body: Any) -> DeleteOptions:
        """The options of a request; ApiError 400 or 422 when they make no sense."""
        given = body if isinstance(body, dict) else {}
        grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        propagation = given.get("propagationPolicy") or query.get("propagationPolicy")
        if propagation is None and given.get("orphanDependents"):
            propagation = "Orphan"
        if propagation not in (None, *_PROPAGATION):
            supported = ", ".join(f'"{each}"' for each in (*_PROPAGATION, "nil"))
            raise ApiError(422, "Invalid", f'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: {supported}')
        try:
            grace_period_s = None if grace is None else int(grace)
        except ValueError as malformed:
            raise api_error.bad_request(f"invalid gracePeriodSeconds {grace!r}") from malformed
        dry_run = query.get("dryRun") == "All" or given.get("dryRun") == ["All"]
        return cls(propagation or "Background", given.get("preconditions") or {}, grace_period_s, dry_run)


def delete(store: Store, target: Target, options: DeleteOptions) -> Object:
    """Delete the object of `target`; the object while something holds it, else what its kind answers."""
    plural, namespace, name = target.plural, target.namespace, target.name or ""
    if plural == "namespaces":
        _empty_namespace(store, name, options)
    found = store.get(plural, namespace, name)
    owned = list(dependents(store, found["metadata"]["uid"]))
    if options.propagation == "Orphan" and not options.dry_run:
        _orphan(store, owned, found["metadata"]["uid"])
    last = store.delete(
        plural,
        namespace,
        name,
        preconditions=options.preconditions,
        dry_run=options.dry_run,
        grace_period_s=options.grace_period_s,
        finalizer=FOREGROUND if options.propagation == "Foreground" and owned else None,
    )
    still_there = store.find(plural, namespace, name)
    held = still_there is not None and not options.dry_run
    return last if held or plural in _RETURNED_WHEN_DELETED else _success(target, last)


def _success(target: Target, last: Object) -> Object:
    details = {"name": target.name, "kind": target.plural, "uid": last["metadata"]["uid"]}
    if target.resource.group:
        details["group"] = target.resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def dependents(store: Store, uid: str) -> Iterator[tuple[str, Object]]:
    """Objects that the object with this uid owns, each with the plural of its kind."""
    for plural in store.resources:
        for each in store.list(plural):
            if any(owner.get("uid") == uid for owner in each["metadata"].get("ownerReferences") or ()):
                yield plural, each


def _orphan(store: Store, owned: list[tuple[str, Object]], uid: str) -> None:
    for plural, each in owned:
        metadata = each["metadata"]
        owners = [owner for owner in metadata["ownerReferences"] if owner.get("uid") != uid]
        patch = {"metadata": {"ownerReferences": owners}}
        store.patch(plural, metadata.get("namespace"), metadata["name"], patch, "merge", manager="garbage-collector")


def _empty_namespace(store: Store, name: str, options: DeleteOptions) -> None:
    """What the namespace controller does, but immediately; pods get no grace period."""
    if name in _KEPT_NAMESPACES:
        raise ApiError(403, "Forbidden", f'namespaces "{name}" is forbidden: this namespace may not be deleted')
    if options.dry_run:
        return
    for plural, resource in store.resources.items():
        for each in store.list(plural, name) if resource.namespaced else ():
            store.delete(plural, name, each["metadata"]["name"], now=True)
