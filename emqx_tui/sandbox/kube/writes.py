"""A write on its way into the store: what a client may ask for, what admission sees, and who will own its fields.

Owns the shapes that the store and those who hook into it (webhooks, schemas, field ownership) agree on. No behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypedDict

from emqx_tui.sandbox.kube.objects import Object


class WriteOptions(TypedDict, total=False):
    """Keyword arguments of every write: the request's options, and the list that its warnings are added to."""

    manager: str
    subresource: str | None
    dry_run: bool
    field_validation: str
    warnings: list[str]


@dataclass
class AdmissionRequest:
    """What an admission function sees; it returns the object to go on with, or raises ApiError."""

    operation: str
    """CREATE, UPDATE or DELETE."""
    plural: str
    old: Object | None
    new: Object | None
    subresource: str | None = None
    manager: str = ""
    dry_run: bool = False
    field_validation: str = "Ignore"
    """Strict, Warn or Ignore: what to do about unknown fields."""
    warnings: list[str] = field(default_factory=list)
    """Texts for the client's `Warning:` headers."""
    applied: bool = False
    """By server-side apply: the applier owns what its configuration names, not all that the write changed."""


class FieldTracker(Protocol):
    """Ownership of fields (`metadata.managedFields`); `now` is RFC 3339 text."""

    def track(
        self, old: Object | None, new: Object, manager: str, operation: str, subresource: str | None, now: str
    ) -> Object:
        """`new` with the managers that it has after this write."""
        ...

    def apply(self, old: Object, patch: Object, manager: str, force: bool, subresource: str | None, now: str) -> Object:
        """`old` after a server-side apply of `patch`; ApiError 409 names conflicting managers."""
        ...
