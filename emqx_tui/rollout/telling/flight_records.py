"""PURE: what the flight log keeps of a release: its journal without the templates, and what it changes.

The one place for the form of these records: a session writes them, a report reads them. Names of pods are never keys
of an object: redaction would take `emqx-auth-0` for a secret's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from emqx_tui.model.series import Sample
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.redaction import redact_value
from emqx_tui.rollout.state.journal import Journal

_BY_NAME = ("starts", "acknowledged_by")
_TOTALS_BY_NAME = ("sessions_left", "baseline", "initial", "initial_back")


@dataclass(frozen=True)
class Recording:
    """What was read of the flight log of one console for one cluster."""

    namespace: str
    name: str
    console: str
    """Version of the console that wrote it."""
    records: tuple[Mapping[str, Any], ...]
    """In the order in which they were written."""
    unreadable: int = 0
    """Lines that could not be read, but for the last one."""
    is_cut: bool = False
    """The last line is not whole: the console died as it wrote."""
    lacks_beginning: bool = False
    """Older parts are gone."""


def journal_fields(journal: Journal) -> dict[str, Any]:
    """A journal as the fields of a record."""
    bare = replace(journal, patch={}, originals=replace(journal.originals, template={}))
    told = bare.to_json()
    for holder, names in ((told, _BY_NAME), (told["totals"], _TOTALS_BY_NAME)):
        holder |= {name: list(holder[name].items()) for name in names}
    return {"journal": told, "changes": list(_changes(journal.originals.template, journal.patch, "spec.template"))}


def _changes(before: Any, patch: Any, path: str) -> Iterator[list[Any]]:
    """[path, before, after] of each value that a merge patch sets; secrets redacted."""
    if not isinstance(patch, Mapping):
        yield [path, redact_value(path, before), redact_value(path, patch)]
        return
    known = before if isinstance(before, Mapping) else {}
    for key, value in patch.items():
        yield from _changes(known.get(key), value, f"{path}.{key}")


def journal_of(told: Any) -> Journal:
    """The journal in a record's field of that name. Raises Malformed, NewerSchema."""
    if not isinstance(told, Mapping):
        raise Malformed("journal", "expected an object")
    totals = told.get("totals")
    if not isinstance(totals, Mapping):
        raise Malformed("journal.totals", "expected an object")
    totals = {**totals, **{name: _by_name(totals.get(name), f"journal.totals.{name}") for name in _TOTALS_BY_NAME}}
    own = {name: _by_name(told.get(name), f"journal.{name}") for name in _BY_NAME}
    return Journal.from_json({**told, **own, "totals": totals})


def _by_name(pairs: Any, path: str) -> dict[str, Any]:
    try:
        return {str(name): value for name, value in pairs or ()}
    except (TypeError, ValueError):
        raise Malformed(path, "expected pairs") from None


def sample_of(told: Mapping[str, Any]) -> Sample:
    """The count in a `counted` record. Raises ValueError, TypeError or KeyError."""
    at = datetime.fromisoformat(told["at"])
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    nodes = {str(name): _count(count) for name, count in told["nodes"]}
    counts = {"other": 0, **told}
    blue, green, other = (None if counts[of] is None else _count(counts[of]) for of in ("blue", "green", "other"))
    return Sample(at, blue, green, nodes, other)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a count")
    return value
