"""PURE: the cursor of the plot: where it goes, and what was then.

It stands on a sample or, where data are missing, between two: what was then is unknown, and not what came before.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from emqx_tui.model import units
from emqx_tui.rollout.gate_id import START
from emqx_tui.rollout.telling.stages import Stage, stage_at
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.curves import Trace, gaps
from emqx_tui.ui.text.gates import gate_name
from emqx_tui.ui.text.marks import clean, joined
from emqx_tui.ui.text.spans import Line, Span, Tone, line, width

COARSE_S = 7.0
"""Samples further apart than that are what was kept of more: the lowest one of each step."""
NEAR_CELLS = 0.5
"""An approval so near to the cursor is at it."""


def moved(instants: Sequence[float], at: float | None, cell_s: float, direction: int) -> float | None:
    """One column back (-1) or on (1), over samples; None: past the newest one, and live again.

    Coming from live it begins at the newest one; the oldest one is the end of the way back.
    """
    if not instants:
        return None
    if at is None:
        return instants[-1] if direction < 0 else None
    if direction > 0 and at >= instants[-1]:
        return None
    wanted = min(max(at + direction * cell_s, instants[0]), instants[-1])
    if in_gap(instants, wanted):
        return wanted
    place = bisect_left(instants, wanted) if direction > 0 else bisect_right(instants, wanted) - 1
    return instants[place]


def in_gap(instants: Sequence[float], at: float) -> bool:
    """Data are missing there."""
    place = bisect_right(instants, at)
    return place in gaps(instants) and at > instants[place - 1]


def place_of(instants: Sequence[float], at: float) -> int | None:
    """The sample that the cursor stands on; None where data are missing."""
    place = bisect_right(instants, at) - 1
    return None if place < 0 or in_gap(instants, at) else place


def cursor_lines(
    view: View, traces: Sequence[Trace], instants: Sequence[float], at_s: float, cell_s: float, cells: int
) -> list[Line]:
    """What was then, in one line or, where that is too narrow, in two: when and what, and the values."""
    at = datetime.fromtimestamp(at_s, UTC)
    place = place_of(instants, at_s)
    ago = units.span(max(0.0, view.now.timestamp() - at_s))
    when = line((f" ┊ {units.clock(at)}, {ago} ago", Tone.WARN))
    parts = [when, *(line(words) for words in _what(view, at, cell_s)), *_coarse(instants, place)]
    values = _values(traces, place)
    both = joined([*parts, values])
    return [both] if width(both) <= cells else [joined(parts), line("   ") + values]


def _values(traces: Sequence[Trace], place: int | None) -> Line:
    """The sum is known where every node was counted: one without a count is not there any more, or not yet."""
    if place is None:
        return line(("not counted: unknown", Tone.WAIT))
    is_all_counted = bool(traces) and traces[0].values[place] is not None
    found: list[Span] = []
    for trace in traces:
        value = trace.values[place]
        words = units.count(value)
        if value is None and is_all_counted:
            if all(earlier is None for earlier in trace.values[:place]):
                continue
            words = "gone"
        gap = "  " if found else ""
        found += [Span(f"{gap}{trace.tag} ", trace.tone), Span(words)]
    return tuple(found)


def _coarse(instants: Sequence[float], place: int | None) -> list[Line]:
    """Older samples are the lowest of longer and longer steps."""
    if place is None or place + 1 >= len(instants) or place + 1 in gaps(instants):
        return []
    step_s = instants[place + 1] - instants[place]
    return [line((f"one count in {units.span(step_s)}", Tone.DIM))] if step_s > COARSE_S else []


def _what(view: View, at: datetime, cell_s: float) -> Iterator[Span]:
    """Phase, waiting gate and hold at that time, and approvals beside it, as far as they are known."""
    journal = view.journal
    if journal is None or at < journal.created_at:
        return
    stage = stage_at(view.stages, at)
    hold = stage.hold if stage is not None else journal.hold if journal.hold and journal.hold.at <= at else None
    yield Span(str(stage.phase) if stage is not None else "phase not known")
    if hold is not None:
        word = "frozen" if hold.freeze else "held"
        yield Span(f"{word} by {clean(hold.by)}", Tone.BAD)
    if stage is not None and stage.gate is not None:
        yield Span(f"gate {gate_name(stage.gate)} waited since {units.clock(_since(view.stages, stage))}", Tone.WARN)
    for record in journal.approvals:
        if record.gate != START and abs((record.at - at).total_seconds()) <= NEAR_CELLS * cell_s:
            yield Span(f"{clean(record.by)} approved {gate_name(record.gate)}", Tone.STRONG)
    if journal.abort and abs((journal.abort.at - at).total_seconds()) <= NEAR_CELLS * cell_s:
        yield Span(f"{clean(journal.abort.by)} aborted", Tone.BAD)


def _since(stages: Sequence[Stage], stage: Stage) -> datetime:
    """Since when its gate has waited: other things may have changed meanwhile."""
    since = stage.since
    for before in reversed(stages[: stages.index(stage)]):
        if before.gate != stage.gate:
            break
        since = before.since
    return since
