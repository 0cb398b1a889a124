"""A recorded release as a Backend: the same screens, at any moment of the recording. Nothing can be asked of it.

Owns the position. It has no thread and no clock: whoever shows it says how much time has passed. A view is rebuilt from
the last one before it that was written whole; the samples, which only grow, are counted once, as far as is needed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.model.series import PLOTTED, Sample, Series
from emqx_tui.model.wire import Malformed
from emqx_tui.rollout.change import Draft, Plan, ReleaseOptions
from emqx_tui.rollout.intents import Intent
from emqx_tui.rollout.telling.flight_records import Recording
from emqx_tui.session.inspection.questions import Question
from emqx_tui.session.views.fleet_view import ClusterRow, FleetView
from emqx_tui.session.views.published import Published
from emqx_tui.session.views.view import View
from emqx_tui.session.views.view_recording import Decoder, Unpacker, ViewLine, patched, unpacked_sample

SPEEDS = (1, 2, 5, 10, 30, 60, 120, 300, 600)
EVENTS = frozenset(
    {"phase", "approval", "alarm", "node-failed", "node-back", "problem", "command-failed", "gate", "closed"}
)
KEY_SHOWN_S = 3.0
"""So long a key that was pressed is told."""
GATES = frozenset({"gate", "approval"})


@dataclass(frozen=True)
class _Frame:
    """What was found out of a view before it is shown."""

    begin: int
    """Number of the frame with which its chunk begins."""
    shown: int
    """Number of the frame that is shown at its moment: itself or, where it cannot be unpacked, the last one before."""
    resets: bool = False
    """Its samples take the place of all before."""
    samples: tuple[Sample, ...] = ()
    """The new ones."""


class Replay:
    """Implements `session.backend.Backend`."""

    is_read_only = True

    def __init__(self, recording: Recording, lines: Sequence[ViewLine]) -> None:
        """Raises Malformed when no view can be read."""
        self.recording = recording
        self.speed = 1
        self.is_playing = False
        self._lines = _in_sequence(lines)
        self._indexed = _Index(self._lines)
        while not self._indexed.is_complete and self._indexed.first is None:
            self._indexed.extend(self._indexed.count + 1)
        first = self._indexed.first
        if first is None:
            raise Malformed("recording", "no view is in it")
        self._moments = [line.at for line in self._lines]
        told = [(at, record["event"]) for record in recording.records if (at := _instant(record)) is not None]
        self._events = sorted(at for at, event in told if event in EVENTS)
        self._gates = sorted(at for at, event in told if event in GATES)
        self._keys = sorted((at, str(record.get("action"))) for at, record in _dated(recording.records, "key"))
        self._first = self._number = first
        self._cursor = self._moments[first]
        self._chunk = _Chunk(-1, ())
        self._view: View | None = None
        self._on_change: Callable[[], None] = lambda: None

    def prepare(self, views: int) -> None:
        """Read some more of what a later moment needs; without it the first seek there takes as long as all of it."""
        self._indexed.extend(self._indexed.count + views)

    # -- where it stands ----------------------------------------------------------------------------------------------

    @property
    def at(self) -> datetime:
        return self._cursor

    @property
    def begin(self) -> datetime:
        return self._moments[self._first]

    @property
    def end(self) -> datetime:
        return self._moments[-1]

    @property
    def key(self) -> str:
        """What a person pressed a moment ago; empty when nothing was."""
        place = bisect_right(self._keys, self._cursor, key=lambda pressed: pressed[0])
        at, action = self._keys[place - 1] if place else (None, "")
        is_fresh = at is not None and (self._cursor - at).total_seconds() <= KEY_SHOWN_S * max(1, self.speed / 5)
        return action.replace("_", " ") if is_fresh else ""

    def seek(self, at: datetime) -> None:
        """Go to the newest view that is not after `at`."""
        self._cursor = min(max(at, self.begin), self.end)
        self._go(max(self._first, bisect_right(self._moments, self._cursor) - 1))

    def skip(self, seconds: float) -> None:
        self.seek(self._cursor + timedelta(seconds=seconds))

    def step(self, views: int) -> None:
        """Some views on or, negative, back; and pause."""
        self.is_playing = False
        number = min(max(self._first, self._number + views), len(self._lines) - 1)
        self._cursor = self._moments[number]
        self._go(number)

    def next_event(self) -> bool:
        """Pause at the next phase, approval, alarm or gate; False when none follows."""
        return self._next(self._events)

    def next_gate(self) -> bool:
        return self._next(self._gates)

    def _next(self, moments: Sequence[datetime]) -> bool:
        self.is_playing = False
        number = bisect_right(moments, self._cursor)
        if number >= len(moments) or moments[number] > self.end:
            return False
        # The view that shows it was published a moment later.
        self._cursor = self._moments[min(bisect_left(self._moments, moments[number]), len(self._moments) - 1)]
        self._go(bisect_right(self._moments, self._cursor) - 1)
        return True

    def faster(self, steps: int) -> None:
        number = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[min(max(0, number), len(SPEEDS) - 1)]

    def play(self, wall_s: float) -> None:
        """So much time has passed for who looks at it."""
        if self.is_playing:
            self.skip(wall_s * self.speed)
            self.is_playing = self._cursor < self.end

    def show_again(self) -> None:
        """Publish the view as a new one: a screen may have left out a part of it, until there is news."""
        if self._view is not None:
            self._view = replace(self._view)
        self._on_change()

    def _go(self, number: int) -> None:
        if number != self._number or self._view is None:
            self._number, self._view = number, None
        self._on_change()

    # -- a view -------------------------------------------------------------------------------------------------------

    def view(self) -> View:
        if self._view is None:
            self._view = self._built()
        return self._view

    def _built(self) -> View:
        self._indexed.extend(self._number + 1)
        frames = self._indexed.frames
        wanted = frames[self._number].shown
        begin = frames[wanted].begin
        if self._chunk.begin != begin or self._chunk.done > wanted:
            self._chunk = _Chunk(begin, self._indexed.series_before[begin])
        for number in range(self._chunk.done + 1, wanted + 1):
            self._chunk.take(frames[number], self._lines[number], number)
        return self._chunk.view()

    # -- Backend --------------------------------------------------------------------------------------------------

    def start(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        on_change()

    def stop(self, timeout_s: float = 2.0) -> None:
        self._on_change = lambda: None

    def published(self) -> Published:
        view = self.view()
        seen = view.snapshot
        rows: tuple[ClusterRow, ...] = ()
        if seen.resource.value is not None and seen.resource.read_at is not None:
            rows = (ClusterRow(seen.resource.value, seen.resource.read_at, view.decision.phase),)
        return Published(FleetView("replay", "", seen.namespace, view.now, rows, is_synced=True), view)

    def person(self) -> str:
        return ""

    def inspect_pod(self, pod: str) -> None: ...

    def inspect(self, number: int, question: Question) -> None: ...

    def stop_inspecting(self) -> None: ...

    def take_inventory(self) -> None: ...

    def open(self, namespace: str, name: str) -> None: ...

    def close(self) -> None: ...

    def look_at(self, namespace: str | None) -> None: ...

    def submit(self, intent: Intent) -> None: ...

    def pressed(self, action: str, place: str) -> None: ...

    def preview_edit(self, number: int, draft: Draft, options: ReleaseOptions) -> None: ...

    def save(self, plan_or_draft: Plan | Draft) -> None: ...


def _in_sequence(lines: Sequence[ViewLine]) -> list[ViewLine]:
    """The lines without those whose chunk lacks one before them."""
    found: list[ViewLine] = []
    chunk, expected = "", 0
    for line in lines:
        if line.number == 1:
            chunk, expected = line.chunk, 1
        if line.chunk == chunk and line.number == expected:
            expected += 1
            found.append(line)
    return found


class _Index:
    """What is known of the first frames: whether they can be unpacked, and their samples. It grows as it is needed."""

    def __init__(self, lines: Sequence[ViewLine]) -> None:
        self._lines = lines
        self.frames: list[_Frame] = []
        self.series_before: dict[int, tuple[Sample, ...]] = {}
        """By the first frame of a chunk: the series as it stood before."""
        self.first: int | None = None
        """The first frame that can be shown."""
        self._series = Series(PLOTTED)
        self._begin, self._unpacker = 0, Unpacker()
        self._before: Sample | None = None
        self._is_broken = False
        """The rest of this chunk cannot be unpacked."""

    @property
    def count(self) -> int:
        return len(self.frames)

    @property
    def is_complete(self) -> bool:
        return self.count == len(self._lines)

    def extend(self, count: int) -> None:
        """Know `count` frames, or all."""
        for line in self._lines[self.count : count]:
            self._take(line)

    def _take(self, line: ViewLine) -> None:
        number = self.count
        if line.number == 1:
            self._begin, self._unpacker, self._before, self._is_broken = number, Unpacker(), None, False
            self.series_before[number] = self._series.frozen()
        resets, samples = False, list[Sample]()
        try:
            resets, samples = self._samples(line)
        except Malformed:
            self._is_broken = True
        if self._is_broken:
            shown = self.frames[-1].shown if self.frames else number
            self.frames.append(_Frame(self._begin, shown))
            return
        self.first = number if self.first is None else self.first
        self._series = _grown(Series(PLOTTED) if resets else self._series, samples)
        self.frames.append(_Frame(self._begin, number, resets, tuple(samples)))

    def _samples(self, line: ViewLine) -> tuple[bool, list[Sample]]:
        if self._is_broken:
            return False, []
        told = self._unpacker.samples(line)
        found = list[Sample]()
        for each in told.get("S" if "S" in told else "s", ()):
            self._before = unpacked_sample(each, self._before)
            found.append(self._before)
        return "S" in told, found


class _Chunk:
    """The views of one chunk, one after the other."""

    def __init__(self, begin: int, samples: tuple[Sample, ...]) -> None:
        self.begin = begin
        self._series = _grown(Series(PLOTTED), samples)
        self.done = begin - 1
        """The last frame that was taken."""
        self._tree: Any = None
        self._decoder = Decoder()
        self._unpacker = Unpacker()

    def take(self, frame: _Frame, line: ViewLine, number: int) -> None:
        told = self._unpacker.unpack(line)
        self._series = _grown(Series(PLOTTED) if frame.resets else self._series, frame.samples)
        self._decoder.tables |= told.get("t", {})
        self._tree = patched(self._tree, told["v"])
        self.done = number

    def view(self) -> View:
        found = self._decoder.decode(self._tree)
        if not isinstance(found, View):
            raise Malformed("view", "something else")
        return replace(found, samples=self._series.frozen())


def _grown(series: Series, samples: Sequence[Sample]) -> Series:
    for sample in samples:
        series.add(sample)
    return series


def _dated(records: Iterable[Mapping[str, Any]], event: str) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    for record in records:
        if record["event"] == event and (at := _instant(record)) is not None:
            yield at, record


def _instant(record: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(record["at"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else None
