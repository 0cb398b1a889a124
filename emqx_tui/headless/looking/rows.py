"""PURE: a cluster as a row of `emqx-tui get`: as kubectl would print it, or as a document for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from emqx_tui.headless.lines.events import SCHEMA, dumps, spell
from emqx_tui.model.units import count, object_age
from emqx_tui.model.wire import clean
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.redaction import redact
from emqx_tui.session.views.cluster_facts import cluster_state, readiness, row_versions
from emqx_tui.session.views.fleet_view import ClusterRow, FleetView


def key(row: ClusterRow) -> tuple[str, str]:
    """(namespace, name)."""
    return (row.resource.namespace, row.resource.name)


def item(row: ClusterRow, now: datetime) -> dict[str, Any]:
    """One cluster for programs; unknown figures are null."""
    resource = row.resource
    created = resource.meta.created_at
    (ready, wanted), versions = readiness(row), row_versions(row)
    return {
        "namespace": resource.namespace,
        "name": resource.name,
        "phase": str(cluster_state(row)),
        "version": resource.image.version,
        "from": None if versions.before == versions.after else versions.before,
        "image": str(resource.image),
        "ready": ready,
        "wanted": wanted,
        "connections": row.live_connections,
        "release_phase": None if row.phase is Phase.IDLE else str(row.phase),
        "gate": str(row.gate) if row.gate else None,
        "held": row.is_held,
        "ungated": str(row.ungated.stage) if row.ungated else None,
        "age_s": None if created is None else round((now - created).total_seconds()),
        "problem": row.problem or None,
    }


def timeless(row: ClusterRow, now: datetime) -> dict[str, Any]:
    """What has to differ for a cluster to have changed."""
    return item(row, now) | {"age_s": None}


def document(fleet: FleetView) -> dict[str, Any]:
    """The list for `-o json`."""
    return {
        "schema": SCHEMA,
        "at": spell(fleet.now),
        "context": fleet.context,
        "items": [item(row, fleet.now) for row in fleet.rows],
    }


HEADINGS = ("NAME", "PHASE", "VERSION", "READY", "CONNECTIONS", "STEP", "AGE")
WIDE = ("IMAGE", "DELAY", "RATES", "PROBLEM")


def headings(*, all_namespaces: bool, wide: bool) -> tuple[str, ...]:
    return (("NAMESPACE",) if all_namespaces else ()) + HEADINGS + (WIDE if wide else ())


def cells(row: ClusterRow, now: datetime, *, all_namespaces: bool, wide: bool) -> tuple[str, ...]:
    """One cluster as a row of the table."""
    found, resource = item(row, now), row.resource
    step = found["gate"] or found["release_phase"] or found["ungated"] or "-"
    plain = (
        found["name"],
        found["phase"],
        _version(row),
        f"{'?' if found['ready'] is None else found['ready']}/{found['wanted']}",
        count(found["connections"]),
        step.replace(" ", "-"),
        object_age(found["age_s"]),
    )
    return tuple(
        clean(cell)
        for cell in (((resource.namespace,) if all_namespaces else ()) + plain + (_wide(row) if wide else ()))
    )


def _version(row: ClusterRow) -> str:
    found = row_versions(row)
    return f"{found.before}->{found.after}" if found.before != found.after else found.after or "?"


def _wide(row: ClusterRow) -> tuple[str, ...]:
    parameters = row.resource.blue_green
    if parameters is None:
        return (str(row.resource.image), "-", "-", row.problem or "-")
    delay = "closed" if row.is_gated else f"{parameters.effective_delay_s}s"
    rates = f"{count(parameters.conn_evict_rate_per_s)}/{count(parameters.sess_evict_rate_per_s)}"
    return (str(row.resource.image), delay, rates, row.problem or "-")


def stored(row: ClusterRow) -> dict[str, Any]:
    """The object as kubectl prints it: keys in order, no managedFields; every value that can be a secret is masked."""
    found = json.loads(json.dumps(redact(row.resource.raw), sort_keys=True))
    found.get("metadata", {}).pop("managedFields", None)
    return found


class Renders(Protocol):
    """A template: `headless/looking/jsonpath.py` has it, and a library that the other forms do not need."""

    def render(self, document: Any) -> str: ...


class Printer:
    """Prints looks, the first one whole, later ones as far as they differ."""

    def __init__(
        self, form: str | Renders, *, all_namespaces: bool, write: Callable[[str], None], is_one: bool = False
    ) -> None:
        """`form` is table, wide, json, yaml, name or a template; `is_one`: one object was asked for by its name."""
        self._form = form
        self._is_one = is_one
        self._is_stored = form == "yaml" or not isinstance(form, str)
        """The objects are printed as they are stored."""
        self._all = all_namespaces
        self._write = write
        self._first: FleetView | None = None
        self._told: dict[tuple[str, str], dict[str, Any]] = {}
        self._widths: tuple[int, ...] = ()

    def all(self, fleet: FleetView) -> None:
        """Print every cluster."""
        self._first = fleet
        if self._form == "json":
            self._write(dumps(document(fleet)))
            return
        if self._is_stored:
            objects = [stored(row) for row in fleet.rows]
            whole = objects[0] if self._is_one else {"apiVersion": "v1", "kind": "List", "items": objects}
            self._write(self._spelled(whole))
            return
        rows = [self._cells(row, fleet) for row in fleet.rows]
        if rows and self._form != "name":
            rows.insert(0, headings(all_namespaces=self._all, wide=self._form == "wide"))
        self._widths = tuple(max(len(row[column]) for row in rows) for column in range(len(rows[0]))) if rows else ()
        for row in rows:
            self._write(self._aligned(row))

    def changed(self, fleet: FleetView) -> None:
        """Print the clusters that have changed since they were printed last."""
        if self._first is not None:
            self._told = {key(row): timeless(row, self._first.now) for row in self._first.rows}
            self._first = None
        for row in fleet.rows:
            found = timeless(row, fleet.now)
            if self._told.get(key(row)) == found:
                continue
            self._told[key(row)] = found
            if self._form == "json":
                self._write(dumps(item(row, fleet.now)))
            elif self._is_stored:
                self._write(self._spelled(stored(row)))
            else:
                self._write(self._aligned(self._cells(row, fleet)))

    def _spelled(self, found: dict[str, Any]) -> str:
        if not isinstance(self._form, str):
            # The line is ended for it, where it does not end itself.
            return self._form.render(found).removesuffix("\n")
        from emqx_tui.model.yaml_writing import write

        return "---\n" + write(found).rstrip()

    def _cells(self, row: ClusterRow, fleet: FleetView) -> tuple[str, ...]:
        if self._form == "name":
            return (f"emqxenterprise.apps.emqx.io/{clean(row.resource.name)}",)
        return cells(row, fleet.now, all_namespaces=self._all, wide=self._form == "wide")

    def _aligned(self, row: tuple[str, ...]) -> str:
        widths = self._widths if len(self._widths) == len(row) else tuple(len(cell) for cell in row)
        return "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
