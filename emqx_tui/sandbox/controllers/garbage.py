"""The garbage collector.

Owns the deletion of dependents, and the end of a foreground deletion. Objects without an owner reference (volume
claims) stay.
"""

from __future__ import annotations

from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.deletion import FOREGROUND, dependents
from emqx_tui.sandbox.kube.objects import Object, is_terminating, key_of
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Scheduler

_LAG_S = 0.1


class GarbageCollector:
    """Follows owner references by uid."""

    def __init__(self, store: Store, timeline: Scheduler, informer: Informer) -> None:
        self._store = store
        self._timeline = timeline
        self._awaited: dict[str, tuple[str, tuple[str, str]]] = {}
        """owners in foreground deletion, by uid"""
        informer.on_any(self._on_change)

    def _on_change(self, event_type: str, plural: str, obj: Object) -> None:
        metadata = obj["metadata"]
        uid = metadata["uid"]
        if event_type == "DELETED":
            self._awaited.pop(uid, None)
            if plural not in _CHILDLESS:
                self._timeline.after(_LAG_S, lambda: self._delete_dependents(uid))
            for owner in metadata.get("ownerReferences") or ():
                if owner["uid"] in self._awaited:
                    self._timeline.after(_LAG_S, lambda owner=owner["uid"]: self._release(owner))
        elif uid not in self._awaited and is_terminating(obj) and FOREGROUND in (metadata.get("finalizers") or ()):
            self._awaited[uid] = (plural, key_of(obj))
            self._timeline.after(_LAG_S, lambda: self._delete_dependents(uid))
            self._timeline.after(_LAG_S, lambda: self._release(uid))

    def _delete_dependents(self, uid: str) -> None:
        """Dependents of an owner in foreground deletion are deleted in the foreground too, down to the pods."""
        foreground = uid in self._awaited
        for plural, obj in list(dependents(self._store, uid)):
            if is_terminating(obj):
                continue
            has_dependents = foreground and any(dependents(self._store, obj["metadata"]["uid"]))
            try:
                self._store.delete(plural, *key_of(obj), finalizer=FOREGROUND if has_dependents else None)
            except ApiError as refused:
                if refused.code != 404:
                    raise

    def _release(self, uid: str) -> None:
        """Foreground deletion ends when no dependent is left."""
        if uid in self._awaited and not any(dependents(self._store, uid)):
            plural, key = self._awaited.pop(uid)
            self._drop_finalizer(plural, key)

    def _drop_finalizer(self, plural: str, key: tuple[str, str]) -> None:
        obj = self._store.find(plural, *key)
        if obj is None:
            return
        finalizers = [each for each in obj["metadata"].get("finalizers") or () if each != FOREGROUND]
        self._store.update(plural, {**obj, "metadata": {**obj["metadata"], "finalizers": finalizers}})


_CHILDLESS = frozenset({"events", "pods", "endpointslices", "secrets", "configmaps", "leases"})
