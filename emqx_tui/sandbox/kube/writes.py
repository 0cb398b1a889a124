"""A write on its way into the store: what admission sees of it, and who will own its fields.

Owns the shapes that the store and those who hook into it (webhooks, schemas, field ownership) agree on. No behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from emqx_tui.sandbox.kube.objects import Object


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


@dataclass(frozen=True)
class Write:
    """How a write came in, as far as it matters on its way into the store."""

    manager: str = ""
    subresource: str | None = None
    dry_run: bool = False
    field_validation: str = "Ignore"
    warnings: list[str] = field(default_factory=list)
    operation: str = "Update"
