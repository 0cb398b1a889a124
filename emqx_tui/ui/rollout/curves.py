"""PURE: what the plot and its legend show: curves and figures from the samples of a View.

A source that was lost leaves a gap, not a flat line: samples far apart are not joined, and a value that is absent is
not drawn. Every curve has a tag and a glyph of its own, so that colour is not needed to tell them apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from statistics import median

from emqx_tui.model import units
from emqx_tui.model.series import Sample, Summary, summarise
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.forecast import expected
from emqx_tui.rollout.forecast.expected import Deviation
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.views import facts
from emqx_tui.session.views.facts import has_ended, is_under_way
from emqx_tui.session.views.view import View
from emqx_tui.ui.text.marks import NONE, clean
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, columns, line

MIN_GAP_S = 10.0
"""Samples closer than this are joined."""
GAP_FACTOR = 4
"""Samples this many times further apart than those beside them are not joined, nor shorter than MIN_GAP_S ..."""
AROUND = 8
"""... on the side where they are further apart, so many on each side."""
LINES_MAX = 24
"""Nodes that are drawn at most: more lines cannot be told apart, and to draw 100 keeps a key waiting for 40 ms."""


@dataclass(frozen=True)
class Trace:
    """One curve by its meaning: colour and glyph are chosen where it is drawn."""

    key: str
    name: str
    tag: str
    """One to three cells, at the end of the line and in the legend."""
    tone: Tone
    values: tuple[int | None, ...]
    """One for each sample."""
    glyph: str
    """What it is drawn with where colours do not tell: one cell."""
    is_heavy: bool = False
    """Drawn with whole cells, the others with braille."""


def shown_samples(view: View) -> tuple[Sample, ...]:
    """The samples to plot: of a release that has ended those up to its end, because colours end with it."""
    finished = view.journal.totals.finished_at if view.journal and has_ended(view) else None
    return view.samples if finished is None else tuple(s for s in view.samples if s.at <= finished)


def traces(samples: Sequence[Sample], view: View, *, is_per_node: bool) -> list[Trace]:
    """The curves, the sum first. Without a release there is no blue and no green: the nodes, and their sum."""
    total = Trace("sum", "sum", "sum", Tone.SUM, tuple(s.sum for s in samples), "━", is_heavy=True)
    has_colours = view.journal is not None and (view.decision.phase is not Phase.IDLE or has_ended(view))
    if not is_per_node and has_colours:
        blue = Trace("blue", "blue", "blue", Tone.BLUE, tuple(s.blue for s in samples), "•")
        green = Trace("green", "green", "green", Tone.GREEN, tuple(s.green for s in samples), "+")
        return [total, blue, green]
    if not is_per_node:
        return [total]
    return [total, *_per_node(samples, view)]


def drawn(found: Sequence[Trace]) -> list[Trace]:
    """The sum, and of many nodes LINES_MAX: those that have a figure now before those that are gone."""
    if len(found) <= LINES_MAX + 1:
        return list(found)
    nodes = sorted(found[1:], key=lambda trace: not trace.values or trace.values[-1] is None)
    return [*found[:1], *nodes[:LINES_MAX]]


def _per_node(samples: Sequence[Sample], view: View) -> list[Trace]:
    blue_name = view.journal.originals.blue_name if view.journal else ""
    blue_name = blue_name or (view.snapshot.blue_set.name if view.snapshot.blue_set else "")
    found_names = {name for sample in samples for name in sample.nodes}
    names = sorted(found_names, key=lambda name: (_by_set(name)[0] != blue_name, *_by_set(name)))
    found = []
    for name in names:
        owner, _, ordinal = name.rpartition("-")
        colour = Colour.NONE if not blue_name else Colour.BLUE if owner == blue_name else Colour.GREEN
        letter, tone = {
            Colour.BLUE: ("b", Tone.BLUE),
            Colour.GREEN: ("g", Tone.GREEN),
            Colour.NONE: ("n", Tone.BLUE),
        }[colour]
        values = tuple(sample.nodes.get(name) for sample in samples)
        found.append(Trace(name, name, f"{letter}{ordinal}", tone, values, _sign(colour, ordinal)))
    return found


def _sign(colour: Colour, ordinal: str) -> str:
    """Digits for blue, letters for green: one cell each, told apart without colour."""
    number = int(ordinal) if ordinal.isdigit() else 0
    return chr(ord("a") + number % 26) if colour is Colour.GREEN else str(number % 10)


def _by_set(name: str) -> tuple[str, int]:
    owner, _, ordinal = name.rpartition("-")
    return owner, int(ordinal) if ordinal.isdigit() else -1


def gaps(instants: Sequence[float]) -> frozenset[int]:
    """Places of the samples before which data are missing: long after the one before, and not because older ones are
    kept in coarser steps."""
    steps = [b - a for a, b in itertools.pairwise(instants)]
    found = set[int]()
    for at, step in enumerate(steps):
        if step > MIN_GAP_S:
            around = (steps[max(0, at - AROUND) : at], steps[at + 1 : at + 1 + AROUND])
            usual = max((median(side) for side in around if side), default=0.0)
            if step > GAP_FACTOR * usual:
                found.add(at + 1)
    return frozenset(found)


def weights(instants: Sequence[float]) -> list[float]:
    """How many seconds each sample stands for: those since the one before, where no data are missing between."""
    found = [1.0, *(b - a for a, b in itertools.pairwise(instants))][: len(instants)]
    for at in sorted(gaps(instants)):
        found[at] = found[at - 1]
    return found


@dataclass(frozen=True)
class Cell:
    """The samples of one column: from `first` up to, not with, `end`."""

    first: int
    end: int
    is_after_gap: bool
    """Data are missing before it."""


def cells(instants: Sequence[float], columns: int, left: float, right: float) -> list[Cell]:
    """The samples by column, a new cell also after each gap. Made once for all curves: there may be dozens."""
    found: list[Cell] = []
    first, column, is_after_gap, after_gaps = 0, None, True, gaps(instants)
    for at, instant in enumerate(instants):
        here = int((instant - left) / (right - left) * columns)
        is_gap = at in after_gaps
        if at > first and (here != column or is_gap):
            found.append(Cell(first, at, is_after_gap))
            first, is_after_gap = at, is_gap
        column = here
    if first < len(instants):
        found.append(Cell(first, len(instants), is_after_gap))
    return found


def points(
    values: Sequence[int | None], instants: Sequence[float], found: Sequence[Cell]
) -> list[tuple[float, int | None]]:
    """A curve's lowest and highest value of each cell, in their order; None where it has a gap."""
    drawn: list[tuple[float, int | None]] = []
    for cell in found:
        chunk = values[cell.first : cell.end]
        known = [value for value in chunk if value is not None]
        if cell.is_after_gap or not known:
            drawn.append((instants[cell.first], None))
        if not known:
            continue
        low, high = min(known), max(known)
        places = sorted({chunk.index(low), chunk.index(high)}) if low != high else [len(chunk) - 1]
        drawn += [(instants[cell.first + place], chunk[place]) for place in places]
    return drawn


# --- what was expected ---


@dataclass(frozen=True)
class ExpectedPoint:
    """Clients that were expected on blue and on green at an instant."""

    at_s: float
    blue: float
    green: float


def expected_points(view: View, instants: Sequence[float]) -> list[ExpectedPoint]:
    """From where the forecast was made to where blue is empty; empty while it is not known what has happened since."""
    known = view.expected
    clock = known and expected.clock(known, view.stages, view.now)
    if known is None or clock is None:
        return []
    begin, end = known.fixed_at.timestamp(), clock.instant(known.blue.first(0)).timestamp()
    found = []
    for instant in instants:
        if begin <= instant <= end:
            blue = known.blue.left_at(clock.running_s(datetime.fromtimestamp(instant, UTC)))
            found.append(ExpectedPoint(instant, blue, known.clients - blue))
    return found


def expected_end_s(view: View) -> float | None:
    """When blue should be empty; None where that is not known or past."""
    known = view.expected if is_under_way(view) else None
    clock = known and expected.clock(known, view.stages, view.now)
    if known is None or clock is None:
        return None
    end = clock.instant(known.blue.first(0))
    return end.timestamp() if end > view.now else None


EXPECTED_SIGN = "·"
"""Between the curves ..."""
PLAIN_EXPECTED_SIGN = "."
"""... and where every curve has a sign of its own."""


def expected_line(view: View, *, is_plain: bool) -> Line:
    """What the faint curves are, and how far the release is off them; empty without."""
    if view.expected is None or expected.clock(view.expected, view.stages, view.now) is None:
        return EMPTY
    found = facts.deviation(view)
    sign = PLAIN_EXPECTED_SIGN if is_plain else EXPECTED_SIGN
    words = Span("expected", Tone.DIM) if found is None else Span(*_deviation(found))
    return line((f"{sign} ", Tone.DIM), words)


def _deviation(found: Deviation) -> tuple[str, Tone]:
    off, is_behind = units.span(abs(found.behind_s)), found.behind_s > 0
    if found.is_in_band:
        side = f", {off} {'behind' if is_behind else 'ahead'}" if abs(found.behind_s) >= 1 else ""
        return f"as forecast{side}", Tone.DIM
    return (f"{off} behind the forecast", Tone.WARN) if is_behind else (f"{off} ahead of the forecast", Tone.PLAIN)


# --- legend ---


@dataclass(frozen=True)
class LegendRow:
    """One curve's figures."""

    trace: Trace
    glyph: str
    is_live: bool
    """The newest sample is not old; a value that it lacks is one of a node that is gone."""
    seconds: Sequence[float] = ()
    """How many each of the newest samples stands for: those before are not counted in; empty: all count alike."""

    @cached_property
    def summary(self) -> Summary:
        """Of many nodes only those are worked out for which there is room."""
        values = self.trace.values[-len(self.seconds) :] if self.seconds else self.trace.values
        return summarise(values, self.seconds)


def legend_rows(
    found: Sequence[Trace], seconds: Sequence[float] = (), *, is_live: bool, is_plain: bool
) -> list[LegendRow]:
    """The figures of all curves, each with the sign it is drawn with; `seconds` as in a row."""
    return [LegendRow(trace, trace.glyph if is_plain or trace.is_heavy else "⠒", is_live, seconds) for trace in found]


def legend_lines(rows: Sequence[LegendRow], cells: int, room: int) -> list[Line]:
    """The panel beside the plot: name, min, max, avg and current of each curve, as people know it from Grafana."""
    name = max(5, min(30, cells - 29))
    widths, aligns = (2, name, 6, 6, 6, 8), "<<>>>>"
    titles = ("", "", "min", "max", "avg", "current")
    lines = [columns([line((title, Tone.DIM)) for title in titles], widths, aligns, gap=0)]
    for row in rows[: max(0, room - 1)]:
        lines.append(columns(_legend_cells(row, name), widths, aligns, gap=0))
    if len(rows) > room - 1 and lines:
        undrawn = len(rows) - len(drawn([row.trace for row in rows]))
        words = f"; {undrawn} of the nodes are not drawn" if undrawn else ""
        lines[-1] = line((f"… {len(rows) - room + 2} more{words}", Tone.DIM))
    return lines[:room]


def _legend_cells(row: LegendRow, name_cells: int) -> list[Line]:
    figures = row.summary
    name = clean(row.trace.name if name_cells > 12 else row.trace.tag)
    shown = name if len(name) <= name_cells else "…" + name[-(name_cells - 1) :]

    def told(value: float | None) -> str:
        # A node that was gone, or not there yet, all the time that is shown.
        return NONE if value is None and row.is_live else units.short_count(value)

    current = told(figures.current)
    return [
        line((row.glyph, row.trace.tone)),
        line((shown, row.trace.tone)),
        line(told(figures.minimum)),
        line(told(figures.maximum)),
        line(told(figures.average)),
        line((current, Tone.STRONG) if row.is_live else (f"{current}?".replace("??", "?"), Tone.WAIT)),
    ]


def legend_line(rows: Sequence[LegendRow]) -> Line:
    """The legend below the plot where there is no room beside it: the current values only."""
    parts: list[Span] = [Span(" ")]
    for row in rows:
        current = units.count(row.summary.current)
        parts += [
            Span(f"{row.glyph} {row.trace.name} ", row.trace.tone),
            Span(f"{current}{'' if row.is_live else '?'}   "),
        ]
    return tuple(parts)
