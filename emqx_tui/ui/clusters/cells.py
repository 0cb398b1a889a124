"""PURE: the columns of the list, how wide they are, and the cells of one row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from emqx_tui.model import units
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.views.cluster_facts import readiness
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.clusters.lines import counted_words
from emqx_tui.ui.clusters.states import clients_of, driver_words, state, step_word, version_words
from emqx_tui.ui.text.marks import NONE, clean, elapsed_s, fit, fit_middle
from emqx_tui.ui.text.spans import Line, Tone, line, plain


@dataclass(frozen=True)
class Column:
    """One column: the least and the most cells it takes, gap included."""

    key: str
    label: str
    least: int
    most: int
    align: str = "<"


COLUMNS = (
    Column("namespace", "NAMESPACE", 10, 30),
    Column("name", "NAME", 10, 44),
    Column("phase", "PHASE", 16, 20),
    Column("version", "VERSION", 14, 18),
    Column("ready", "READY", 5, 9, ">"),
    Column("clients", "CLIENTS", 9, 13, ">"),
    Column("step", " STEP", 9, 16),
    Column("age", "AGE", 5, 9, ">"),
)
NOTE = Column("note", "  NOTE", 24, 90)
"""What is wrong, or what the figures rest on: there when the others have all the room they need."""
GAP = 1
"""Blank cells at the end of left-aligned columns."""


LEFT_OUT = ("age", "version", "ready")
"""On a small screen, in this order."""
NAMESPACE_LEAST = 4


def widths(total: int) -> dict[str, int]:
    """Cells of each column in `total` cells: the least first, then the names grow, then the others."""
    found = {column.key: column.least for column in COLUMNS}
    for name in LEFT_OUT:
        if sum(found.values()) - found["namespace"] + NAMESPACE_LEAST > total:
            del found[name]
    spare = total - sum(found.values())
    if spare < 0:
        found["namespace"] = max(NAMESPACE_LEAST, found["namespace"] + spare)
        return found
    order = sorted((c for c in COLUMNS if c.key in found), key=lambda column: column.key not in ("name", "namespace"))
    for column in order:
        share = min(spare, column.most - column.least)
        found[column.key] += share
        spare -= share
    if spare >= NOTE.least:
        found[NOTE.key] = min(spare, NOTE.most)
    return found


def shown_columns(room: dict[str, int]) -> tuple[Column, ...]:
    """The columns that have room."""
    return tuple(column for column in (*COLUMNS, NOTE) if column.key in room)


def _clients_line(row: ClusterRow, now: datetime, room: int) -> Line:
    number = clients_of(row)
    if number is None:
        return line((units.UNKNOWN, Tone.WAIT))
    counted = units.count(number) if number < 10 ** (room - 3) else units.short_count(number)
    if row.live_connections is None:
        return line((f"~{counted}", Tone.DIM))
    age = elapsed_s(row.live_at, now)
    is_old = age is None or age > Policy.max_broker_age_s
    return line((counted, Tone.DIM if is_old else Tone.PLAIN))


_LEAST = {column.key: column.least for column in COLUMNS}


def cells_of(row: ClusterRow, now: datetime, room: dict[str, int]) -> dict[str, Line]:
    """The cells of one row; `room` has the cells of each column that is shown."""
    found = _all_cells(row, now, _LEAST | room)
    return {name: cell for name, cell in found.items() if name in room}


def _all_cells(row: ClusterRow, now: datetime, room: dict[str, int]) -> dict[str, Line]:
    resource, mark = row.resource, state(row)
    ready, wanted = readiness(row)
    age = units.object_age(elapsed_s(resource.meta.created_at, now))
    short = ready is not None and ready < wanted
    if row.unreadable:
        return _cells_from_before(row, now, room)
    found = {
        "namespace": line(fit_middle(clean(resource.namespace), room["namespace"] - GAP)),
        "name": line((fit_middle(clean(resource.name), room["name"] - GAP), Tone.STRONG)),
        "phase": line((fit(mark.text, room["phase"] - GAP), mark.tone)),
        "version": line(fit(version_words(row), room["version"] - GAP)),
        "ready": line((f"{units.count(ready)}/{wanted}", Tone.WARN if short else Tone.PLAIN)),
        "clients": _clients_line(row, now, room["clients"]),
        "step": line(" ", fit(step_word(row), room["step"] - GAP)),
        "age": line((age, Tone.DIM)),
    }
    if NOTE.key in room:
        note = (clean(row.problem), Tone.WARN) if row.problem else (_note_words(row, now), Tone.DIM)
        found[NOTE.key] = line("  ", (fit(note[0], room[NOTE.key] - 2), note[1]))
    return found


def _note_words(row: ClusterRow, now: datetime) -> str:
    return " · ".join(words for words in (driver_words(row), counted_words(row, now)) if words)


def _cells_from_before(row: ClusterRow, now: datetime, room: dict[str, int]) -> dict[str, Line]:
    """The cells of a cluster whose object cannot be read: what was known of it last is dim, and called old."""
    found = _all_cells(replace(row, unreadable=None), now, room)
    mark, age = state(row), units.age(elapsed_s(row.read_at, now)).replace(" ", "")
    if not row.is_known:
        for name in ("version", "ready", "clients"):
            found[name] = line((units.UNKNOWN, Tone.WAIT))
    found["phase"] = line((fit(mark.text, room["phase"] - GAP), mark.tone))
    for name in ("version", "ready"):
        found[name] = line((plain(found[name]), Tone.DIM))
    found["step"] = line(" ", (fit(f"old {age}" if row.is_known else NONE, room["step"] - GAP), Tone.WARN))
    return found
