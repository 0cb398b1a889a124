"""Representations of objects in responses: whole, as a Table, or PartialObjectMetadata.

Owns content negotiation (the `Accept` header) and the conversions. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from emqx_tui.sandbox.apiserver.columns import COLUMNS, DEFAULT_COLUMNS
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.resources import Resource

META = "meta.k8s.io/v1"
PLAIN = ""
TABLE = "Table"
METADATA = "PartialObjectMetadata"


@dataclass(frozen=True)
class Form:
    """The representation to respond with; `included` is the `includeObject` of table rows."""

    kind: str = PLAIN
    included: str = "Metadata"

    def one(self, resource: Resource, obj: Object, now: float) -> Object:
        """A single object."""
        if self.kind == TABLE:
            return self.table(resource, [obj], now, {"resourceVersion": obj["metadata"].get("resourceVersion", "")})
        return _metadata_only(obj) if self.kind == METADATA else obj

    def many(self, resource: Resource, listed: Object, now: float) -> Object:
        """A List."""
        if self.kind == TABLE:
            return self.table(resource, listed["items"], now, listed["metadata"])
        if self.kind == METADATA:
            items = [_metadata_only(each) for each in listed["items"]]
            return {**listed, "kind": f"{METADATA}List", "apiVersion": META, "items": items}
        return listed

    def table(
        self, resource: Resource, objects: Iterable[Object], now: float, metadata: Object, *, header: bool = True
    ) -> Object:
        """A Table; watches leave the header out after their first event."""
        columns = COLUMNS.get(resource.plural, DEFAULT_COLUMNS)
        rows = []
        for each in objects:
            row: Object = {"cells": [column.cell(each, now) for column in columns]}
            if self.included == "Metadata":
                row["object"] = _metadata_only(each)
            elif self.included == "Object":
                row["object"] = {"apiVersion": resource.group_version, "kind": resource.kind, **each}
            rows.append(row)
        definitions = [column.definition() for column in columns] if header else []
        return {"kind": TABLE, "apiVersion": META, "metadata": metadata, "columnDefinitions": definitions, "rows": rows}


def _metadata_only(obj: Object) -> Object:
    return {"kind": METADATA, "apiVersion": META, "metadata": obj["metadata"]}


def wanted_form(accept: str, include_object: str | None) -> Form | None:
    """The first supported form of an Accept header, or None."""
    for media_range in (accept or "*/*").split(","):
        media_type, *parameters = (part.strip() for part in media_range.split(";"))
        if media_type not in ("application/json", "application/*", "*/*"):
            continue
        wanted = dict(part.split("=", 1) for part in parameters if "=" in part)
        kind = wanted.get("as", PLAIN).removesuffix("List")
        if kind == PLAIN:
            return Form()
        if kind in (TABLE, METADATA) and wanted.get("g") == "meta.k8s.io" and wanted.get("v") == "v1":
            return Form(kind, include_object or "Metadata")
    return None
