"""PURE: an object as YAML, and Events as a table, in kubectl's shapes. What comes in is redacted and clean already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from emqx_tui.model import units
from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.model.yaml_writing import write
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.ui.text.marks import elapsed_s

FOLDED = "# managedFields folded (m): {}"
_FIRST = ("apiVersion", "kind", "metadata")


def yaml_text(found: Mapping[str, Any], *, with_managed: bool = False) -> str:
    """The object as YAML in kubectl's order; who manages which field is folded into one comment."""
    found = {**{key: found[key] for key in _FIRST if key in found}, **found}
    meta = found.get("metadata")
    managed = meta.get("managedFields") if isinstance(meta, Mapping) else None
    if not isinstance(meta, Mapping) or not managed or with_managed:
        return write(found)
    rest = {key: value for key, value in meta.items() if key != "managedFields"}
    return f"{FOLDED.format(', '.join(managers(managed)))}\n{write({**found, 'metadata': rest})}"


def managers(managed: Any) -> list[str]:
    """Who manages fields, each named once."""
    entries = managed if isinstance(managed, list) else []
    names = (str(entry.get("manager") or "?") for entry in entries if isinstance(entry, Mapping))
    return list(dict.fromkeys(names))


def events_text(events: Sequence[ClusterEvent], problem: str, now: datetime, *, with_object: bool = True) -> str:
    """Events as `kubectl get events` lists them, newest last."""
    if problem:
        return f"{problem}\n"
    if not events:
        return "none: Kubernetes keeps Events for an hour\n"
    titles = ["LAST SEEN", "TYPE", "REASON", *(["OBJECT"] if with_object else []), "MESSAGE"]
    rows = [titles, *(_event_row(event, now, with_object=with_object) for event in events)]
    return table(rows)


def _event_row(event: ClusterEvent, now: datetime, *, with_object: bool) -> list[str]:
    seen = units.object_age(elapsed_s(event.last_at, now)) + (f" (x{event.count})" if event.count > 1 else "")
    return [seen, event.type, event.reason, *([event.about] if with_object else []), redact_text(event.message)]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns three blanks apart, as kubectl prints them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)
