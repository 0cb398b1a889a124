"""Who owns a field of an object, from `metadata.managedFields`, and what becomes of another value in it.

Names of managers as the tools write them: argo-cd `common.ArgoCDSSAManager`, Flux's controllers, Helm's binary,
kubectl's `kubectl-<command>`. Status writers are left out: what is edited here is the spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from emqx_tui.model.wire import Fields


class Keeps(IntEnum):
    """How an owner treats another value in its field, worst first."""

    ALWAYS = 0
    """A controller: it puts its own value back by itself."""
    NEXT_TIME = 1
    """A tool that a person or a pipeline runs: its next run puts its own value back."""
    NOT = 2
    """It wrote once."""


@dataclass(frozen=True, order=True)
class Owner:
    """One owner of a field."""

    keeps: Keeps
    name: str
    """The tool, as people call it; the manager where it is not a known one."""
    manager: str
    """As the object has it."""


PERSON = "a person"
_KNOWN: Sequence[tuple[str, str, Keeps]] = (
    ("argocd", "Argo CD", Keeps.ALWAYS),
    ("argo-cd", "Argo CD", Keeps.ALWAYS),
    ("kustomize-controller", "Flux", Keeps.ALWAYS),
    ("helm-controller", "Flux", Keeps.ALWAYS),
    ("flux", "Flux", Keeps.ALWAYS),
    ("fleet", "Fleet", Keeps.ALWAYS),
    ("helm", "Helm", Keeps.NEXT_TIME),
    ("terraform", "Terraform", Keeps.NEXT_TIME),
    ("hashicorp", "Terraform", Keeps.NEXT_TIME),
    ("pulumi", "Pulumi", Keeps.NEXT_TIME),
    ("ansible", "Ansible", Keeps.NEXT_TIME),
    ("kubectl-client-side-apply", "kubectl apply", Keeps.NEXT_TIME),
    ("kubectl-last-applied", "kubectl apply", Keeps.NEXT_TIME),
    ("kubectl-", PERSON, Keeps.NOT),
    ("mozilla", PERSON, Keeps.NOT),
    ("emqx-tui", "emqx-tui", Keeps.NOT),
)
"""Beginnings of managers, the longer ones first; any other that applies will apply again."""


@lru_cache(maxsize=256)
def owner(manager: str, operation: str) -> Owner:
    """What is known of a manager. `operation` is `Apply` for server-side apply, else `Update`."""
    applies = operation == "Apply"
    if manager == "kubectl" and applies:
        return Owner(Keeps.NEXT_TIME, "kubectl apply", manager)
    for beginning, name, keeps in _KNOWN:
        if manager.lower().startswith(beginning):
            return Owner(keeps, name, manager)
    return Owner(Keeps.NEXT_TIME if applies else Keeps.NOT, manager, manager)


@dataclass(frozen=True)
class Owners:
    """All owners of one object's fields."""

    entries: tuple[tuple[Owner, Mapping[str, Any]], ...] = ()
    """An owner, and the tree of its fields as `fieldsV1` spells it."""

    @classmethod
    def from_fields(cls, metadata: Fields) -> Owners:
        """Read the metadata of an object. Raises Malformed."""
        return cls(
            tuple(
                (owner(entry.text("manager", ""), entry.text("operation", "")), fields)
                for entry in metadata.children("managedFields")
                if not entry.text("subresource", "") and isinstance(fields := entry.raw("fieldsV1", {}), Mapping)
            )
        )

    def of(self, path: str) -> tuple[Owner, ...]:
        """Who owns the field at a dotted path, whose keys may hold dots themselves; those that keep it first."""
        return tuple(sorted({found for found, fields in self.entries if path and _holds(fields, path)}))


def _holds(fields: Mapping[str, Any], path: str) -> bool:
    """The field, something below it, or all of a parent."""
    return any(not rest or (not below or _holds(below, rest)) for below, rest in _steps(fields, path))


def _steps(fields: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for key, below in fields.items():
        name = key.removeprefix("f:")
        if key.startswith("f:") and isinstance(below, Mapping) and (path == name or path.startswith(f"{name}.")):
            yield below, path[len(name) + 1 :]
