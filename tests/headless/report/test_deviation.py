"""How far what came lies from the forecast, and how long nothing went on but for want of a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.headless.report.deviation import Measured, Span, joined, seconds_within, waited_s

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def span(begin: int, end: int) -> Span:
    return NOON + timedelta(seconds=begin), NOON + timedelta(seconds=end)


_spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: span(*sorted(ends))), max_size=6)


def seconds(spans: list[Span]) -> set[int]:
    """The whole seconds that lie in any of them."""
    return {n for n in range(60) if any(begin <= NOON + timedelta(seconds=n) < end for begin, end in spans)}


@pytest.mark.parametrize(
    ("came", "deviation"), [(None, None), (9, -1), (10, 0), (15, 0), (20, 0), (21.5, 1.5)], ids=str
)
def test_only_what_lies_outside_of_the_band_deviates(came: float | None, deviation: float | None) -> None:
    assert Measured(10, 20, came).deviation == deviation


@given(_spans, _spans, _spans)
def test_a_second_is_waited_once_and_not_while_a_drain_goes_on(
    waits: list[Span], frozen: list[Span], drains: list[Span]
) -> None:
    assert waited_s(waits, frozen, drains) == len((seconds(waits) - seconds(drains)) | seconds(frozen))


@given(_spans)
def test_joined_stretches_are_the_same_time_without_overlap(spans: list[Span]) -> None:
    found = joined(spans)
    assert seconds(found) == seconds(spans)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(_spans, st.integers(0, 60), st.integers(0, 60))
def test_of_a_stretch_each_second_counts_once(spans: list[Span], begin: int, length: int) -> None:
    begins, ends = span(begin, begin + length)
    assert seconds_within(spans, begins, ends) == len(seconds(spans) & seconds([(begins, ends)]))
