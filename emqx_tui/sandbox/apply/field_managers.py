"""The entries of `metadata.managedFields`: manager, operation, API version and subresource.

Owns their JSON form, their order and the limit on their number (apimachinery,
`pkg/util/managedfields/internal/{managedfields,capmanagers}.go`).
"""

from __future__ import annotations

from typing import NamedTuple

from emqx_tui.sandbox.apply.field_sets import Fields, union
from emqx_tui.sandbox.kube.objects import Object

_MOST_UPDATERS = 10
_OLD_UPDATERS = "ancient-changes"


class Manager(NamedTuple):
    """What identifies an entry."""

    name: str
    operation: str
    api_version: str
    subresource: str


class Entry(NamedTuple):
    """What a manager owns, and the time of its last change."""

    fields: Fields
    at: str | None


Managers = dict[Manager, Entry]


def entries_of(obj: Object | None) -> list[Object]:
    """The managedFields of an object."""
    return (obj or {}).get("metadata", {}).get("managedFields") or []


def decoded(entries: list[Object]) -> Managers:
    """Entries by manager."""
    return {
        Manager(
            each.get("manager", ""), each.get("operation", ""), each.get("apiVersion", ""), each.get("subresource", "")
        ): Entry(each.get("fieldsV1") or {}, each.get("time"))
        for each in entries
    }


def with_entries(obj: Object, managers: Managers) -> Object:
    """The object with these entries as its managedFields, in an API server's order."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    if managers:
        metadata["managedFields"] = [_encoded(manager, managers[manager]) for manager in _sorted(managers)]
    return {**obj, "metadata": metadata}


def _sorted(managers: Managers) -> list[Manager]:
    return sorted(
        managers, key=lambda each: (each.operation, managers[each].at or "", each.name, each.api_version, each[3])
    )


def _encoded(manager: Manager, entry: Entry) -> Object:
    encoded: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": entry.at,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields,
    }
    if manager.subresource:
        encoded["subresource"] = manager.subresource
    return encoded


def capped(managers: Managers) -> Managers:
    """The entries, the oldest updaters merged into one when there are more than ten."""
    updaters = [manager for manager in managers if manager.operation == "Update"]
    if len(updaters) <= _MOST_UPDATERS:
        return managers
    updaters.sort(key=lambda each: (managers[each].at or "", each))
    merged = updaters[: len(updaters) - _MOST_UPDATERS + 1]
    fields: Fields = {}
    for each in merged:
        fields = union(fields, managers[each].fields)
    kept = {manager: entry for manager, entry in managers.items() if manager not in merged}
    bucket = Manager(_OLD_UPDATERS, "Update", merged[-1].api_version, "")
    return {**kept, bucket: Entry(fields, managers[merged[-1]].at)}
