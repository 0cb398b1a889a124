"""Bounded time series for the plots, and the client ledger: evicted = landed + bounced + missing."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import mul


@dataclass(frozen=True)
class Sample:
    """Live connections at one instant; a generation or node without data is absent, never 0."""

    at: datetime
    blue: int | None
    """Outside a release: the whole cluster."""
    green: int | None
    nodes: Mapping[str, int]
    other: int | None = 0
    """On StatefulSets that are neither, which no release wants."""

    @property
    def sum(self) -> int | None:
        """The whole cluster; None unless every node was counted: a gap, not a dip."""
        if self.blue is None or self.green is None or self.other is None:
            return None
        return self.blue + self.green + self.other


@dataclass(frozen=True)
class Summary:
    """The figures of a legend row; None while there is no data."""

    minimum: int | None
    maximum: int | None
    average: float | None
    """Over time: a sample that is kept for a longer step weighs more."""
    current: int | None


PLOTTED = 600
"""Samples in a View, however long a release takes: the last five minutes whole, what is older in coarser steps."""


class Series:
    """The samples of one rollout, in bounded memory.

    Holds at most `limit` samples, four or more. When full, the newer half stays whole, and of the older one the sample
    with the fewest clients of each time step is kept, so that no short dip is thinned away. Steps are powers of two
    seconds on one grid, and only as long as they have to be: the whole release stays covered, evenly.
    """

    def __init__(self, limit: int = 4_000) -> None:
        self._samples: deque[Sample] = deque()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    @property
    def last(self) -> Sample | None:
        return self._samples[-1] if self._samples else None

    def add(self, sample: Sample) -> None:
        """Append; a sample not newer than the last one is ignored."""
        if self._samples and sample.at <= self._samples[-1].at:
            return
        self._samples.append(sample)
        if len(self._samples) > self._limit:
            # Fewer than three cannot be thinned: the first stays, and of one that follows there is no neighbour.
            samples, half = list(self._samples), max(3, self._limit // 2)
            first, older, newer = samples[0], samples[1:half], samples[half:]
            self._samples = deque([first, *_thinned(older, half // 2), *newer])

    def prepend(self, earlier: Iterable[Sample]) -> None:
        """Put samples before the first one, oldest first; those that are not older are ignored."""
        kept, self._samples = self._samples, deque()
        for sample in (*(s for s in earlier if not kept or s.at < kept[0].at), *kept):
            self.add(sample)

    def frozen(self) -> tuple[Sample, ...]:
        return tuple(self._samples)


def _thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """The sample with the fewest clients of each step, the step being the shortest that leaves at most `most`."""
    step_s = 1
    while len(steps := _steps(samples, step_s)) > most:
        step_s *= 2
    return [min(step, key=_clients) for step in steps]


def _steps(samples: Sequence[Sample], step_s: int) -> list[list[Sample]]:
    return [list(step) for _, step in itertools.groupby(samples, lambda s: s.at.timestamp() // step_s)]


def _clients(sample: Sample) -> float:
    """One that is not whole has no sum to compare."""
    return math.inf if sample.sum is None else sample.sum


def summarise(values: Sequence[int | None], weights: Sequence[float] = ()) -> Summary:
    """Legend figures of a row of values, gaps left out; without weights all weigh the same."""
    known = [value for value in values if value is not None]
    if not known:
        return Summary(None, None, None, None)
    if len(known) != len(values):
        weights = [weight for value, weight in zip(values, weights, strict=False) if value is not None]
    whole = sum(weights)
    average = sum(map(mul, known, weights)) / whole if whole else sum(known) / len(known)
    return Summary(min(known), max(known), average, values[-1])


@dataclass(frozen=True)
class Ledger:
    """Where the clients are that the drains have disconnected. None while it cannot be known.

    `missing` is what is neither on green nor back on blue, net of clients that come and go by themselves; clients on
    their way (evicted a moment ago) are in it until they have landed. No figure is below 0 or over `evicted`, except
    `unasked`.
    """

    evicted: int | None = None
    landed: int | None = None
    bounced: int | None = None
    """Came back to a blue node; one that is evicted again from there is in `evicted` twice."""
    missing: int | None = None
    max_missing: int | None = None
    on_their_way: int | None = None
    """How many of the missing were evicted so recently that they may still be reconnecting."""
    unasked: int = 0
    """Clients that came to green without an eviction, beyond what blue's other nodes have lost."""

    @property
    def overdue(self) -> int | None:
        """Missing and not on their way. None while it cannot be known."""
        return None if self.missing is None or self.on_their_way is None else self.missing - self.on_their_way
