"""PURE: the node table. One row a node, blue first and highest ordinal first: the order in which they are drained.

A row that did not change is equal to what it was, so that the table draws changed rows only. Nodes that have gone stay
in the table as gone; where rows do not fit, calm neighbours are counted in one row, and never a node that needs a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from emqx_tui.model import units
from emqx_tui.model.snapshot import Colour, Generation, Member
from emqx_tui.session.views import facts, node_facts
from emqx_tui.session.views.node_facts import NodeState
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.names import tail
from emqx_tui.ui.text.glyphs import ALARM, DONE, OUT, RUNNING, SERVING, STARTING
from emqx_tui.ui.text.marks import NONE, Mark, clean, fit_middle
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, columns, line


class Weight(IntEnum):
    """How much a row matters where there is no room for all."""

    CALM = 0
    NEXT = 1
    BUSY = 2
    TROUBLE = 3


class NodeRow(NamedTuple):
    """One node. Figures None while unknown; `-` is drawn where a figure makes no sense."""

    key: str
    name: str
    colour: Colour
    version: str
    mark: Mark
    weight: Weight
    live: int | None = None
    initial: int | None = None
    sessions: int | None = None
    rate_per_s: float | None = None
    progress: float | None = None
    """Part of its clients that have left, 0 to 1; None when it is not drained."""
    eta_s: float | None = None
    is_gone: bool = False
    is_old: bool = False
    """Its figures are older than the limit."""


def node_rows(view: View) -> list[NodeRow]:
    """All rows, in order."""
    rows = []
    next_up = view.decision.gate.target if view.decision.gate else ""
    is_old = not facts.is_live(view)
    initial, rates = dict(view.drain_initial), dict(view.rates)
    for generation in _in_order(view):
        members = {member.ordinal: member for member in generation.members}
        places = range(_places(view, generation))
        for ordinal in reversed(places) if generation.colour is Colour.BLUE else places:
            member = members.get(ordinal)
            name = f"{generation.stateful_set.name}-{ordinal}"
            if member is None:
                rows.append(_absent(generation, ordinal, name, initial.get(name)))
                continue
            row = _present(view, generation, member, initial.get(name), rates.get(name), is_next=name == next_up)
            rows.append(row._replace(is_old=True) if is_old else row)
    return rows


def row_count(view: View) -> int:
    """How many `node_rows` there are."""
    return sum(_places(view, generation) for generation in _in_order(view))


def _in_order(view: View) -> list[Generation]:
    generations = list(view.snapshot.generations)
    blue = view.snapshot.blue
    if blue is not None and view.journal and all(g.colour is not Colour.BLUE for g in generations):
        generations.insert(0, blue)
    return generations


def _places(view: View, generation: Generation) -> int:
    """One for each node; those of blue that have gone keep theirs."""
    had = view.journal.originals.replicas if view.journal and generation.colour is Colour.BLUE else 0
    return max([generation.replicas, had, *(member.ordinal + 1 for member in generation.members)])


def _absent(generation: Generation, ordinal: int, name: str, initial: int | None) -> NodeRow:
    if ordinal >= generation.replicas:
        mark, weight = Mark(DONE, "gone", Tone.DIM), Weight.CALM
        return NodeRow(
            name, name, generation.colour, generation.version, mark, weight, live=0, initial=initial, is_gone=True
        )
    mark = Mark(STARTING, "no pod yet", Tone.WAIT)
    return NodeRow(name, name, generation.colour, generation.version, mark, Weight.TROUBLE)


def _present(
    view: View, generation: Generation, member: Member, initial: int | None, rate: float | None, *, is_next: bool
) -> NodeRow:
    """`initial` as in a row; `rate`: clients a second that leave it, as measured."""
    mark, weight = node_mark(view, member)
    left = member.live_connections
    is_draining = member.evacuation is not None
    progress = 1 - min(1.0, left / initial) if is_draining and initial and left is not None else None
    pace = facts.drain_rate_per_s(view, member)
    return NodeRow(
        key=member.name,
        name=member.name,
        colour=generation.colour,
        version=(member.node.version if member.node else "") or generation.version,
        mark=mark,
        weight=max(weight, Weight.NEXT if is_next else Weight.CALM),
        live=left,
        initial=initial if generation.colour is Colour.BLUE or is_draining else None,
        sessions=member.sessions,
        rate_per_s=pace if pace is not None or is_draining else rate if (rate or 0) >= 1 else None,
        progress=progress,
        eta_s=facts.drain_remaining_s(view, member),
    )


_MARKS = {
    NodeState.STOPPING: (STARTING, Tone.DIM, Weight.BUSY),
    NodeState.TROUBLE: (ALARM, Tone.BAD, Weight.TROUBLE),
    NodeState.NOT_READ: ("?", Tone.WAIT, Weight.CALM),
    NodeState.SILENT: (ALARM, Tone.BAD, Weight.TROUBLE),
    NodeState.NOT_IN_EMQX: (ALARM, Tone.BAD, Weight.TROUBLE),
    NodeState.STARTING: (STARTING, Tone.WAIT, Weight.BUSY),
    NodeState.HEALTH_CHECK: (RUNNING, Tone.STRONG, Weight.BUSY),
    NodeState.EVICTING: (RUNNING, Tone.STRONG, Weight.BUSY),
    NodeState.TAKEOVER_WAIT: (RUNNING, Tone.STRONG, Weight.BUSY),
    NodeState.MOVING_SESSIONS: (RUNNING, Tone.STRONG, Weight.BUSY),
    NodeState.DRAINED: (DONE, Tone.GOOD, Weight.BUSY),
    NodeState.NOT_EMPTY: (ALARM, Tone.WARN, Weight.TROUBLE),
    NodeState.UNKNOWN: ("?", Tone.WARN, Weight.TROUBLE),
    NodeState.RUNNING: (SERVING, Tone.PLAIN, Weight.CALM),
    NodeState.SERVING: (SERVING, Tone.GOOD, Weight.CALM),
    NodeState.NOT_READY: (STARTING, Tone.WAIT, Weight.BUSY),
    NodeState.OUT_OF_SERVICE: (OUT, Tone.PLAIN, Weight.CALM),
}


def node_mark(view: View, member: Member) -> tuple[Mark, Weight]:
    """What a node does, and how much that matters."""
    state = node_facts.node_state(view, member)
    glyph, tone, weight = _MARKS[state]
    return Mark(glyph, clean(member.pod.trouble) if state is NodeState.TROUBLE else state.value, tone), weight


# --- lines ---

_GENERATION = {
    Colour.BLUE: ("blue", Tone.BLUE),
    Colour.GREEN: ("green", Tone.GREEN),
    Colour.NONE: (NONE, Tone.DIM),
}


@dataclass(frozen=True)
class Columns:
    """Which columns fit, and how wide each is."""

    titles: tuple[str, ...]
    widths: tuple[int, ...]
    aligns: str

    @property
    def width(self) -> int:
        """Cells of a row, with a blank between columns and one at the left."""
        return sum(self.widths) + len(self.widths)


_TIERS = (
    Columns(
        ("NODE", "GEN", "VERSION", "STATE", "", "CLIENTS", "OF", "SESSIONS", "RATE", "ETA"),
        (16, 5, 7, 16, 10, 8, 8, 9, 7, 5),
        "<<<<<>>>>>",
    ),
    Columns(
        ("NODE", "GEN", "VER", "STATE", "", "CLIENTS", "OF", "RATE", "ETA"), (13, 5, 6, 16, 5, 7, 7, 6, 5), "<<<<<>>>>"
    ),
    Columns(("NODE", "GEN", "STATE", "CLIENTS", "RATE", "ETA"), (13, 5, 16, 7, 6, 5), "<<<>>>"),
)
_ROOM_FOR_NAMES, _ROOM_FOR_BARS = 24, 24


def columns_for(width: int) -> Columns:
    """The columns in `width` cells: the order never changes, a wide screen shows more of the same."""
    layout = next((tier for tier in _TIERS if tier.width <= width), _TIERS[-1])
    spare = max(0, width - layout.width)
    if layout is not _TIERS[0]:
        return layout
    widths = list(layout.widths)
    widths[0] += min(_ROOM_FOR_NAMES, spare)
    widths[4] += min(_ROOM_FOR_BARS, max(0, spare - _ROOM_FOR_NAMES))
    return Columns(layout.titles, tuple(widths), layout.aligns)


def header_line(layout: Columns) -> Line:
    """The titles."""
    return (Span(" "), *columns([line((title, Tone.DIM)) for title in layout.titles], layout.widths, layout.aligns))


@lru_cache(maxsize=256)
def row_line(row: NodeRow, layout: Columns, *, is_chosen: bool = False) -> Line:
    """One row. Figures that are too old are dim and carry a question mark."""
    word, tone = _GENERATION[row.colour]
    quiet = Tone.DIM if row.is_gone else Tone.PLAIN
    figure = Tone.WAIT if row.is_old else (Tone.DIM if row.is_gone else Tone.STRONG)
    old = units.UNKNOWN if row.is_old and row.live is not None else ""
    bar = _bar(row, layout.widths[layout.titles.index("")]) if "" in layout.titles else EMPTY
    nothing = NONE if row.colour is Colour.BLUE else ""
    version = line((clean(row.version), quiet))
    cells: dict[str, Line] = {
        "NODE": line((_name(row.name, layout.widths[0]), quiet)),
        "GEN": line((word, Tone.DIM if row.is_gone else tone)),
        "VERSION": version,
        "VER": version,
        "STATE": (row.mark.span,),
        "": bar,
        "CLIENTS": line((old + units.count(row.live), figure)),
        "OF": line(("" if row.initial is None else units.count(row.initial), Tone.DIM)),
        "SESSIONS": line(("" if row.is_gone else units.count(row.sessions), Tone.DIM)),
        "RATE": line((units.per_s(row.rate_per_s) if row.rate_per_s is not None else nothing, quiet)),
        "ETA": line((units.clock_span(row.eta_s) if row.eta_s is not None else nothing, quiet)),
    }
    cursor = Span("›", Tone.KEY) if is_chosen else Span(" ")
    return (cursor, *columns([cells[title] for title in layout.titles], layout.widths, layout.aligns))


def _name(name: str, width: int) -> str:
    """The end of a name tells it apart, so the beginning is what gives way."""
    return name if len(name) <= width else fit_middle(tail(name), width)


def _bar(row: NodeRow, width: int) -> Line:
    """How much has left: eighths of a cell."""
    if row.progress is None:
        return EMPTY
    eighths = int(row.progress * width * 8)
    full, part = divmod(eighths, 8)
    text = "█" * full + (" ▏▎▍▌▋▊▉"[part] if part else "")
    return line((text, Tone.BLUE), ("─" * (width - len(text)), Tone.DIM))


def fit_rows(rows: Sequence[NodeRow], room: int) -> list[NodeRow | str]:
    """The rows that fit; of runs of calm neighbours of one colour and state, the longest first, the end is counted."""
    shown: list[NodeRow | str] = list(rows)
    while len(shown) > room:
        run = _longest_run(shown)
        if run is None:
            hidden = len(shown) - (room - 1)
            return [*shown[: room - 1], f"… {hidden} more rows: enlarge the window"] if room > 0 else []
        first, end = run
        start = max(first, end - (len(shown) - room + 1))
        counted = [row for row in shown[start:end] if isinstance(row, NodeRow)]
        shown[start:end] = [_counted(counted, is_rest=start > first)]
    return shown


def _longest_run(shown: Sequence[NodeRow | str]) -> tuple[int, int] | None:
    best: tuple[int, int] | None = None
    start = 0
    while start < len(shown):
        end = start
        while end < len(shown) and _alike(shown[start], shown[end]):
            end += 1
        if end - start >= 2 and (best is None or end - start > best[1] - best[0]):
            best = (start, end)
        start = max(end, start + 1)
    return best


def _alike(first: NodeRow | str, other: NodeRow | str) -> bool:
    if isinstance(first, str) or isinstance(other, str):
        return False
    calm = first.weight is Weight.CALM and other.weight is Weight.CALM
    return calm and first.colour is other.colour and first.mark == other.mark


def _counted(rows: list[NodeRow], *, is_rest: bool) -> str:
    first, more = rows[0], "more " if is_rest else ""
    generation = "" if first.colour is Colour.NONE else f"{first.colour.value} "
    words = f"{first.mark.glyph} {len(rows)} {more}{generation}nodes {first.mark.word}"
    known = [row.live for row in rows if row.live is not None]
    if first.is_gone or len(known) < len(rows):
        return words
    each = f"{units.count(min(known))} to {units.count(max(known))} clients each"
    return f"{words}: {each}, {units.count(sum(known))} in all"
