"""PURE: the list of clusters as words: columns, states, what sorts before what, and the lines below the table.

The state comes from the newest condition alone and from the release; the STATUS that kubectl prints is the first
condition that is True, which may be months old.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.view import ClusterRow, FleetView
from emqx_tui.ui.text import glyphs, units
from emqx_tui.ui.text.marks import NONE, Mark, clean, elapsed_s, fit, fit_middle, joined, object_age
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line, plain

Key = tuple[str, str]


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

_STEPS = {
    Phase.STARTING: "start",
    Phase.CREATING_GREEN: "green",
    Phase.WAITING_DELAY: "delay",
    Phase.READY_TO_CUT_OVER: "cut-over",
    Phase.CANARY: "canary",
    Phase.CUTTING_OVER: "cut-over",
    Phase.DRAINING: "drain",
    Phase.FINISHING: "finish",
    Phase.ABORTING: "way back",
}


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


def columns(room: dict[str, int]) -> tuple[Column, ...]:
    """The columns that have room."""
    return tuple(column for column in (*COLUMNS, NOTE) if column.key in room)


def key_of(row: ClusterRow) -> Key:
    return (row.resource.namespace, row.resource.name)


def is_releasing(row: ClusterRow) -> bool:
    """A release runs, ours or the operator's own."""
    return row.phase not in FINAL or row.resource.blue_green_status is not None or row.is_gated


def state(row: ClusterRow) -> Mark:
    """What a cluster does, the most urgent first."""
    resource = row.resource
    if resource.meta.deleting:
        return Mark(glyphs.FAILED, "deleting", Tone.WARN)
    if row.unreadable:
        return Mark(glyphs.ALARM, "unreadable", Tone.BAD)
    if row.is_held:
        return Mark(glyphs.HELD, "held", Tone.WARN)
    if row.gate:
        return Mark(glyphs.WAITING, "waits for you", Tone.CALL)
    if row.phase is Phase.ABORTING:
        return Mark("◂", "aborting", Tone.WARN)
    if row.phase is Phase.LOST:
        return Mark(glyphs.FAILED, "lost", Tone.BAD)
    if row.phase not in FINAL or row.is_gated:
        return Mark(glyphs.RUNNING, "releasing", Tone.STRONG)
    if resource.blue_green_status is not None:
        return Mark(glyphs.RUNNING, "operator alone", Tone.WARN)
    return _state_at_rest(row)


def _state_at_rest(row: ClusterRow) -> Mark:
    resource = row.resource
    ready, wanted = _ready(row)
    if resource.condition is None:
        return Mark(glyphs.STARTING, "new", Tone.WAIT)
    if ready is not None and ready < wanted:
        return Mark(glyphs.ALARM, "degraded", Tone.BAD)
    if resource.is_running:
        return Mark(glyphs.SERVING, "running", Tone.GOOD)
    return Mark(glyphs.ALARM, "not running", Tone.BAD)


def step_word(row: ClusterRow) -> str:
    """Where the release stands, or the gate it waits at."""
    if row.gate.startswith("node:"):
        return f"node {clean(row.gate.removeprefix('node:'))}"
    if row.gate:
        return clean(row.gate)
    return _STEPS.get(row.phase, "?" if is_releasing(row) else NONE)


def version_words(row: ClusterRow) -> str:
    """`4.4.14→4.4.15` while a release runs, else the version asked for."""
    wanted = clean(row.resource.image.version) or "?"
    if not is_releasing(row):
        return wanted
    older = sorted({node.version for node in row.resource.status_nodes if node.version not in ("", wanted)})
    return f"{clean(older[0])}→{wanted}" if older else wanted


def clients(row: ClusterRow) -> int | None:
    """Live connections, or what the status says where nobody counted."""
    if row.live_connections is not None:
        return row.live_connections
    nodes = row.resource.status_nodes
    return sum(node.connections for node in nodes) if nodes else None


def _clients_line(row: ClusterRow, now: datetime, room: int) -> Line:
    number = clients(row)
    if number is None:
        return line((units.UNKNOWN, Tone.WAIT))
    counted = units.count(number) if number < 10 ** (room - 3) else units.short_count(number)
    if row.live_connections is None:
        return line((f"~{counted}", Tone.DIM))
    age = elapsed_s(row.live_at, now)
    is_old = age is None or age > Policy.max_broker_age_s
    return line((counted, Tone.DIM if is_old else Tone.PLAIN))


def _ready(row: ClusterRow) -> tuple[int | None, int]:
    ready = row.ready if row.ready is not None else row.resource.ready_replicas
    return ready, row.wanted if row.wanted is not None else row.resource.replicas


def cells(row: ClusterRow, now: datetime, room: dict[str, int]) -> dict[str, Line]:
    """The cells of one row; `room` has the cells of each column."""
    resource, mark = row.resource, state(row)
    ready, wanted = _ready(row)
    age = object_age(elapsed_s(resource.meta.created_at, now))
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
        note = (clean(row.problem), Tone.WARN) if row.problem else (_counted_words(row, now), Tone.DIM)
        found[NOTE.key] = line("  ", (fit(note[0], room[NOTE.key] - 2), note[1]))
    return found


def _cells_from_before(row: ClusterRow, now: datetime, room: dict[str, int]) -> dict[str, Line]:
    """The cells of a cluster whose object cannot be read: what was known of it last is dim, and called old."""
    found = cells(replace(row, unreadable=""), now, room)
    mark, age = state(row), units.age(elapsed_s(row.read_at, now)).replace(" ", "")
    if not row.is_known:
        for name in ("version", "ready", "clients"):
            found[name] = line((units.UNKNOWN, Tone.WAIT))
    found["phase"] = line((fit(mark.text, room["phase"] - GAP), mark.tone))
    for name in ("version", "ready"):
        found[name] = line((plain(found[name]), Tone.DIM))
    found["step"] = line(" ", (fit(f"old {age}" if row.is_known else NONE, room["step"] - GAP), Tone.WARN))
    return found


def sort_value(row: ClusterRow, column: str) -> tuple:
    """What the rows are ordered by; names last, so that equal rows keep still."""
    resource = row.resource
    created = resource.meta.created_at
    values: dict[str, object] = {
        "namespace": resource.namespace,
        "name": resource.name,
        "phase": _URGENCY.get(state(row).word, 9),
        "version": resource.image.version,
        "ready": (_ready(row)[0] or 0) / max(1, _ready(row)[1]),
        "clients": -(clients(row) or 0),
        "step": step_word(row),
        "age": -created.timestamp() if created else 0.0,
        "note": row.problem == "",
    }
    return (values[column], resource.namespace, resource.name)


_BY_URGENCY = (
    *("unreadable", "waits for you", "held", "lost", "degraded", "not running"),
    *("aborting", "releasing", "operator alone", "new"),
)
_URGENCY = {word: number for number, word in enumerate(_BY_URGENCY)}


def matches(row: ClusterRow, wanted: str) -> bool:
    """True when the row contains every word of the filter, and none that begins with `!`."""
    resource = row.resource
    text = " ".join((resource.namespace, resource.name, state(row).word, version_words(row), step_word(row))).lower()
    words = wanted.lower().split()
    return all((word[1:] not in text or word == "!") if word[0] == "!" else word in text for word in words)


def waiting_count(fleet: FleetView) -> Line:
    """`1 waits for you`; empty when none does."""
    waiting = sum(bool(row.gate) and not row.is_held for row in fleet.rows)
    if not waiting:
        return EMPTY
    return line((f"{waiting} waits for you" if waiting == 1 else f"{waiting} wait for you", Tone.CALL))


def counts(fleet: FleetView) -> Line:
    """`3 clusters · 1 in release · 1 waits for you`."""
    if not fleet.rows:
        return EMPTY
    releasing = sum(is_releasing(row) for row in fleet.rows)
    parts = [line(units.plural(len(fleet.rows), "cluster"))]
    parts += [line(f"{releasing} in release")] if releasing else []
    return joined([*parts, waiting_count(fleet)])


def detail(row: ClusterRow, now: datetime) -> tuple[Line, Line]:
    """Two lines about one row: what it is, and what the numbers rest on, or what is wrong."""
    resource, mark = row.resource, state(row)
    name = f"{clean(resource.namespace)}/{clean(resource.name)}"
    step = step_word(row)
    first = joined(
        [
            line((name, Tone.STRONG)),
            line(mark.span, f" at {step}" if is_releasing(row) and step != "?" else ""),
            line((clean(resource.image), Tone.DIM)),
        ]
    )
    if row.unreadable:
        old = f"its figures are from {units.clock(row.read_at)}" if row.is_known else "it was never read"
        return line((name, Tone.STRONG), " · ", (old, Tone.DIM)), line((f"▲ {clean(row.problem)}", Tone.WARN))
    if row.problem:
        return first, line((f"▲ {clean(row.problem)}", Tone.WARN))
    return first, joined([line((_counted_words(row, now), Tone.DIM)), *_status_parts(row, now)])


def _counted_words(row: ClusterRow, now: datetime) -> str:
    if row.live_connections is not None:
        return f"clients counted {units.age(elapsed_s(row.live_at, now))} ago"
    return "~ with kept sessions, from the status" if clients(row) is not None else "clients not known"


def _status_parts(row: ClusterRow, now: datetime) -> list[Line]:
    condition, blue_green = row.resource.condition, row.resource.blue_green
    parts: list[Line] = []
    if blue_green is None:
        parts.append(line(("no blueGreenUpdate: the operator would do a rolling update", Tone.WARN)))
    if condition is None:
        return [*parts, line(("no status yet", Tone.DIM))]
    said = f"{clean(condition.type)} {'true' if condition.status else 'false'}"
    written = units.age(elapsed_s(condition.last_update_at, now))
    parts.append(line((f"status {said}, written {written} ago", Tone.DIM)))
    if condition.message:
        parts.append(line((clean(condition.message), Tone.DIM)))
    return parts


def placeholder(fleet: FleetView, filter_text: str, shown: int) -> Line:
    """The one line in place of the table while there is no row to show; empty when there is."""
    if shown:
        return EMPTY
    where = "in any namespace" if fleet.namespace is None else f"in namespace {clean(fleet.namespace)}"
    if fleet.rows:
        return line(
            ("No cluster matches the filter ", Tone.PLAIN), (clean(filter_text), Tone.STRONG), " (esc clears it)"
        )
    if fleet.problem:
        return line(("✘ ", Tone.BAD), (clean(fleet.problem), Tone.BAD))
    if not fleet.is_synced:
        return line((f"◌ Reading the EmqxEnterprise objects from {clean(fleet.server)} …", Tone.WAIT))
    return line(f"There is no EmqxEnterprise {where} of {clean(fleet.context)}.")
