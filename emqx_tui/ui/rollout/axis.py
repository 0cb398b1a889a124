"""PURE: the axes of the plot: which time is shown, round ticks, and what happened when.

A release is shown from its start, or the part of it that the time window leaves; without one, the last minutes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from emqx_tui.model import units
from emqx_tui.rollout.gate_id import START
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.rollout.telling.stages import lasting
from emqx_tui.session.views.facts import has_ended, is_under_way
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.curves import MIN_GAP_S
from emqx_tui.ui.text.glyphs import HELD, WAITING
from emqx_tui.ui.text.spans import Line, Span, Tone, line

WHOLE = math.inf
WINDOWS_S = (WHOLE, 2400.0, 600.0, 180.0)
"""What the plot can show, widest first."""
LABELS = dict(zip(WINDOWS_S, ("whole", "40m", "10m", "3m"), strict=True))
RELEASE_WINDOW_S = 2400.0
"""What is plotted of a release until another window is chosen ..."""
IDLE_WINDOW_S = 600.0
"""... and while none runs."""
LEAD_S = 20.0
"""Shown before the first patch, for comparison."""
AHEAD_PART = 1 / 3
"""Of the time shown: at most so much is shown of what is expected."""

ZONE = "UTC"

# -- which time ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """The time that can be shown, in epoch seconds."""

    begin: float
    end: float
    """Now, or the end of a release that has ended."""
    usual_s: float
    """The window until another one is chosen."""

    def window_s(self, chosen_s: float | None) -> float:
        """The window in effect: one that is longer than the history shows the whole of it."""
        wanted_s = self.usual_s if chosen_s is None else chosen_s
        return wanted_s if wanted_s < self.end - self.begin else WHOLE

    def next_window_s(self, chosen_s: float | None) -> float:
        """The next narrower one that leaves something out; after the narrowest the whole."""
        now_s = self.window_s(chosen_s)
        return next((each for each in WINDOWS_S if each < min(now_s, self.end - self.begin)), WHOLE)

    def shown(self, chosen_s: float | None, cursor: float | None = None) -> tuple[float, float]:
        """(begin, end) of what is shown: up to the end or, where the cursor lies before that window, around it."""
        window_s = self.window_s(chosen_s)
        end = self.end
        if cursor is not None and cursor < end - window_s:
            end = max(min(end, cursor + window_s / 2), self.begin + window_s)
        return max(self.begin, end - window_s), end


def history(view: View) -> History:
    """Of a release from shortly before its start; else all that was counted."""
    now = view.now.timestamp()
    first = view.samples[0].at.timestamp() if view.samples else now
    journal = view.journal
    if journal is None or (view.decision.phase is Phase.IDLE and not has_ended(view)):
        return History(first, now, IDLE_WINDOW_S)
    finished = journal.totals.finished_at if has_ended(view) else None
    end = now if finished is None else finished.timestamp()
    return History(max(journal.created_at.timestamp() - LEAD_S, first), end, RELEASE_WINDOW_S)


# -- what happened -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """An instant on the time axis."""

    at_s: float
    label: str


@dataclass(frozen=True)
class Stretch:
    """A part of the time axis, up to now where it has no end."""

    begin_s: float
    end_s: float | None
    sign: str
    tone: Tone


def marks(view: View) -> list[Mark]:
    """Where steps began: `start`, `cut`, `-2` for the node with that ordinal; `hold` and `abort`; how it ended.

    A history that begins later than the release says so.
    """
    journal = view.journal
    if journal is None:
        return []
    found = [Mark(journal.created_at.timestamp(), "start")]
    for record in journal.approvals:
        if record.gate != START:
            label = "cut" if record.gate.ordinal is None else f"-{record.gate.ordinal}"
            found.append(Mark(record.at.timestamp(), label))
    found += [Mark(hold.at.timestamp(), "freeze" if hold.freeze else "hold") for hold in _holds(view)]
    if journal.abort:
        found.append(Mark(journal.abort.at.timestamp(), "abort"))
    if view.samples and (view.samples[0].at - journal.created_at).total_seconds() > MIN_GAP_S:
        first = view.samples[0].at
        found.append(Mark(first.timestamp(), f"history starts {units.clock(first)}"))
    return found


def _holds(view: View) -> Iterator[HoldRecord]:
    """Those that were seen, and the one that stands, each once."""
    seen = [stage.hold for stage in view.stages if stage.hold is not None]
    standing = [view.journal.hold] if view.journal and view.journal.hold else []
    yield from {(hold.at, hold.freeze): hold for hold in (*seen, *standing)}.values()


def stretches(view: View) -> list[Stretch]:
    """When a gate waited for a person, and when the release was held; the one that goes on has no end."""
    found: list[Stretch] = []
    stages = list(lasting(view.stages, view.now))
    for place, (stage, until) in enumerate(stages):
        if stage.gate is None and stage.hold is None:
            continue
        is_open = place == len(stages) - 1 and is_under_way(view)
        end = None if is_open else until.timestamp()
        begin = stage.since if place or stage.hold is None else min(stage.since, stage.hold.at)
        sign, tone = (WAITING, Tone.WARN) if stage.hold is None else (HELD, Tone.BAD)
        found.append(Stretch(begin.timestamp(), end, sign, tone))
    return found


# -- ticks ---------------------------------------------------------------------------------------------------------


def value_ticks(top: float, rows: int) -> list[float]:
    """Round values for the axis: about one for every three rows, 0 among them."""
    wanted = max(1, rows // 3)
    size = 10.0 ** math.floor(math.log10(max(top / wanted, 1)))
    steps = [factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size <= top]
    step = next((step for step in steps if top / step <= wanted + 0.2), steps[-1])
    return [step * number for number in range(int(top / step) + 1)]


_TIME_STEPS_S = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


def time_ticks(left: float, right: float, width: int) -> list[float]:
    """Round instants for the axis, about one for every twelve columns."""
    wanted = max(1, width // 10)
    step = next((s for s in _TIME_STEPS_S if (right - left) / s <= wanted), _TIME_STEPS_S[-1])
    first = math.ceil(left / step) * step
    return [float(first + step * number) for number in range(int((right - first) / step) + 1)]


def time_label(instant: float, stretch_s: float) -> str:
    """`12:05`, with seconds where ticks are closer than a minute."""
    at = datetime.fromtimestamp(instant, UTC)
    return units.clock(at) if stretch_s < 240 else units.clock_minute(at)


# -- the time axis -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Where instants are drawn."""

    left: float
    right: float
    columns: int

    def column(self, at_s: float) -> int:
        """Outside 0 to columns - 1 when it is not shown."""
        return round((at_s - self.left) / (self.right - self.left) * (self.columns - 1))


def time_axis(view: View, scale: Scale, *, margin: int, width: int, label: str, cursor_s: float | None) -> list[Line]:
    """The axis with its marks, and the times below it; `margin` cells are left of it, `label` is the window's."""
    axis = _axis(view, scale)
    labels = [*" " * (width - margin - len(ZONE)), *ZONE]
    if cursor_s is not None and 0 <= (at := scale.column(cursor_s)) < scale.columns:
        if axis[at].tone is not Tone.STRONG:
            axis[at] = Span("┴", Tone.WARN)
        clock = units.clock(datetime.fromtimestamp(cursor_s, UTC))
        _write(labels, min(at - len(clock) // 2, len(labels) - len(clock) - len(ZONE) - 1), clock)
    for instant in time_ticks(scale.left, scale.right, scale.columns):
        if 0 <= (at := scale.column(instant)) < scale.columns:
            _write(labels, at - 2, time_label(instant, scale.right - scale.left))
    below = f"{label:>{margin - 1}} "
    return [
        _joined([Span(" " * (margin - 1) + "└", Tone.DIM), *axis]),
        line((below, Tone.DIM), ("".join(labels), Tone.DIM)),
    ]


def _axis(view: View, scale: Scale) -> list[Span]:
    cells = [Span("─", Tone.DIM)] * scale.columns
    for instant in time_ticks(scale.left, scale.right, scale.columns):
        if 0 <= (at := scale.column(instant)) < scale.columns:
            cells[at] = Span("┬", Tone.DIM)
    for stretch in stretches(view):
        end = view.now.timestamp() if stretch.end_s is None else stretch.end_s
        first, last = max(0, scale.column(stretch.begin_s)), min(scale.columns - 1, scale.column(end))
        for at in range(first, last + 1):
            cells[at] = Span(stretch.sign, stretch.tone)
    labels = [" "] * scale.columns
    for mark in sorted(marks(view), key=lambda mark: mark.label.startswith("history")):
        if 0 <= (at := scale.column(mark.at_s)) < scale.columns:
            _write(labels, at, mark.label)
    return [Span(text, Tone.STRONG) if text != " " else cell for text, cell in zip(labels, cells, strict=True)]


def _joined(cells: list[Span]) -> Line:
    """Neighbours of one tone as one span."""
    runs = itertools.groupby(cells, key=lambda cell: cell.tone)
    return tuple(Span("".join(cell.text for cell in run), tone) for tone, run in runs)


def _write(cells: list[str], at: int, text: str) -> None:
    """`text` into free cells, or not at all: a label is never cut nor run into another one."""
    start = max(0, at)
    end = start + len(text)
    around = cells[max(0, start - 1) : end + 1]
    if end <= len(cells) and all(cell == " " for cell in around):
        cells[start:end] = list(text)
