"""What all Kubernetes objects have in common: their identity, and a fingerprint of what they hold."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.model.wire import Fields


@dataclass(frozen=True)
class Meta:
    """Identity of a Kubernetes object."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created_at: datetime | None
    deleting: bool
    metadata_generation: int
    labels: tuple[tuple[str, str], ...]
    owner_uid: str
    """UID of the controller owner, empty without one."""
    deleting_since: datetime | None = None
    """When its deletion was asked for; None while it was not, and where that is not told."""

    @classmethod
    def from_fields(cls, fields: Fields) -> Meta:
        meta = fields.child("metadata")
        owners = [owner for owner in meta.children("ownerReferences") if owner.flag("controller")]
        return cls(
            namespace=meta.text("namespace", ""),
            name=meta.text("name"),
            uid=meta.text("uid", ""),
            resource_version=meta.text("resourceVersion", ""),
            created_at=meta.instant("creationTimestamp"),
            deleting="deletionTimestamp" in meta,
            metadata_generation=meta.integer("generation", 0),
            labels=tuple(sorted(meta.text_map("labels").items())),
            owner_uid=owners[0].text("uid", "") if owners else "",
            deleting_since=_deleting_since(meta),
        )


def _deleting_since(meta: Fields) -> datetime | None:
    """`deletionTimestamp` is the end of the grace period."""
    end, grace_s = meta.instant("deletionTimestamp"), meta.optional_integer("deletionGracePeriodSeconds")
    return None if end is None or grace_s is None else end - timedelta(seconds=grace_s)


@dataclass(frozen=True)
class KubeObject:
    """What all Kubernetes objects have in common."""

    meta: Meta

    @property
    def namespace(self) -> str:
        return self.meta.namespace

    @property
    def name(self) -> str:
        return self.meta.name


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(value: Any) -> str:
    """A short, stable digest of a JSON value, for comparing without keeping it."""
    return hashlib.sha256(_CANONICAL.encode(value).encode()).hexdigest()[:16]
