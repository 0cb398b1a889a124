"""Create or update, as the operator's handler does it.

Owns the three-way comparison with the annotation `apps.emqx.io/last-applied`. Changes of others are reverted, because
live and desired are compared directly; the annotation only tells which fields were removed. A StatefulSet is written on
every pass, since the API server's defaults inside its lists always look like a difference, and its resourceVersion
moves each time because the annotation embeds the previous one. (`internal/handler/handler.go`)
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from functools import lru_cache
from typing import Any

from emqx_tui.sandbox.kube.objects import Object, owner_reference
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.store import Store

LAST_APPLIED = "apps.emqx.io/last-applied"
MANAGER = "manager"
_ENTRY = "original"


class Applier:
    """Writes objects owned by one EmqxEnterprise."""

    def __init__(self, store: Store, owner: Object) -> None:
        self._store = store
        self._owner = owner

    def create(self, plural: str, obj: Object) -> Object:
        return self._store.create(plural, self._annotated(plural, self._owned(obj)), manager=MANAGER)

    def create_or_update(self, plural: str, obj: Object, *, always_write: bool = False) -> dict[str, str]:
        """Make the stored object look like `obj`; returns its annotations. ApiError as the API server answers."""
        metadata = obj["metadata"]
        live = self._store.find(plural, metadata["namespace"], metadata["name"])
        if live is None:
            return self.create(plural, obj)["metadata"]["annotations"]
        wanted = self._owned(_carried_over(plural, live, obj))
        if always_write or not _looks_like(live, wanted):
            wanted = self._store.update(plural, self._annotated(plural, wanted), manager=MANAGER)
        return wanted["metadata"]["annotations"]

    def _annotated(self, plural: str, obj: Object) -> Object:
        return _annotated(obj, self._store.resources[plural])

    def _owned(self, obj: Object) -> Object:
        return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [owner_reference(self._owner)]}}


def _carried_over(plural: str, live: Object, wanted: Object) -> Object:
    """What the handler copies from the stored object before it compares."""
    has = live["metadata"]
    annotations = {**(has.get("annotations") or {}), **(wanted["metadata"].get("annotations") or {})}
    metadata = {**wanted["metadata"], "resourceVersion": has["resourceVersion"], "annotations": annotations}
    merged = {**wanted, "metadata": metadata}
    if plural == "services":
        merged["spec"] = _service_spec(live["spec"], wanted["spec"])
    return merged


def _service_spec(live: Object, wanted: Object) -> Object:
    spec = dict(wanted)
    kind = spec.get("type") or "ClusterIP"
    if kind == "ClusterIP" and live.get("clusterIP"):
        spec["clusterIP"] = live["clusterIP"]
    if kind in ("NodePort", "LoadBalancer"):
        stored = {port.get("name"): port.get("nodePort") for port in live.get("ports") or ()}
        spec["ports"] = [_with_node_port(port, stored.get(port.get("name"))) for port in spec["ports"]]
    return spec


def _with_node_port(port: Object, stored: int | None) -> Object:
    return {**port, "nodePort": stored} if stored and not port.get("nodePort") else port


def _looks_like(live: Object, wanted: Object) -> bool:
    applied = last_applied(live)
    for part in wanted.keys() - {"metadata", "apiVersion", "kind"}:
        before = None if applied is None else applied.get(part)
        if not covers(live.get(part), wanted[part]) or not _nothing_removed(before, wanted[part]):
            return False
    live_labels = live["metadata"].get("labels") or {}
    wanted_annotations = wanted["metadata"].get("annotations") or {}
    live_annotations = live["metadata"].get("annotations") or {}
    return covers(live_labels, wanted["metadata"].get("labels") or {}) and all(
        live_annotations.get(key) == value for key, value in wanted_annotations.items()
    )


def covers(live: Any, wanted: Any) -> bool:
    """All of `wanted` is in `live`; maps may hold more (API defaults), lists are compared whole."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return not wanted
        return all(key in live and covers(live[key], value) for key, value in wanted.items())
    return live == wanted


def _nothing_removed(applied: Any, wanted: Any) -> bool:
    if not isinstance(applied, dict) or not isinstance(wanted, dict):
        return True
    return all(key in wanted and _nothing_removed(applied[key], wanted[key]) for key in applied)


def last_applied(live: Object) -> Object | None:
    """The last applied object, from the annotation; None without one."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    return None if text is None else _unzipped(text)


@lru_cache(maxsize=64)
def _unzipped(text: str) -> Object | None:
    """The object in an annotation, None where there is none; nobody changes it."""
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
            return json.loads(archive.read(_ENTRY))
    except (ValueError, KeyError, zipfile.BadZipFile):
        return None


def _encoded(obj: Object) -> Object:
    """A Secret's plain texts are stored as data: the next pass misses them and writes the Secret again."""
    if "stringData" not in obj:
        return obj
    data = {key: base64.b64encode(text.encode()).decode() for key, text in obj["stringData"].items()}
    rest = {key: value for key, value in obj.items() if key != "stringData"}
    return {**rest, "type": "Opaque", "data": {**(obj.get("data") or {}), **data}}


def _annotated(obj: Object, kind: Resource) -> Object:
    metadata = obj["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    noted = {**metadata, "annotations": annotations} if annotations else _without(metadata, "annotations")
    plain = {"apiVersion": kind.group_version, "kind": kind.kind, **obj, "metadata": noted}
    if isinstance(plain.get("data"), dict):
        plain["data"] = {key: value for key, value in plain["data"].items() if value}
    annotations = {**annotations, LAST_APPLIED: _zipped(json.dumps(plain, sort_keys=True, separators=(",", ":")))}
    return _encoded({**obj, "metadata": {**metadata, "annotations": annotations}})


def _without(mapping: Object, key: str) -> Object:
    return {name: value for name, value in mapping.items() if name != key}


@lru_cache(maxsize=64)
def _zipped(text: str) -> str:
    """A zip archive of one file in base64, equal for equal texts: its time is the format's oldest."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(zipfile.ZipInfo(_ENTRY), text, zipfile.ZIP_DEFLATED, 1)
    return base64.b64encode(packed.getvalue()).decode()
