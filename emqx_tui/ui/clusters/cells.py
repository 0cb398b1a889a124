"""PURE: the columns of the list, how wide they are, and the cells of one row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from emqx_tui.model import units
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.views.cluster_facts import readiness
from emqx_tui.session.views.view import ClusterRow
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


def widths(total: int) -> dict[str, int]:
    """Cells of each column in `total` cells: the least first, then the names grow, then the others."""
    found = {column.key: column.least for column in COLUMNS}
    spare = total - sum(found.values())
    if spare < 0:
        found["namespace"] = max(4, found["namespace"] + spare)
        return found
    order = sorted(COLUMNS, key=lambda column: column.key not in ("name", "namespace"))
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


def cells_of(row: ClusterRow, now: datetime, room: dict[str, int]) -> dict[str, Line]:
    """The cells of one row; `room` has the cells of each column."""
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
    found = cells_of(replace(row, unreadable=None), now, room)
    mark, age = state(row), units.age(elapsed_s(row.read_at, now)).replace(" ", "")
    if not row.is_known:
        for name in ("version", "ready", "clients"):
            found[name] = line((units.UNKNOWN, Tone.WAIT))
    found["phase"] = line((fit(mark.text, room["phase"] - GAP), mark.tone))
    for name in ("version", "ready"):
        found[name] = line((plain(found[name]), Tone.DIM))
    found["step"] = line(" ", (fit(f"old {age}" if row.is_known else NONE, room["step"] - GAP), Tone.WARN))
    return found
