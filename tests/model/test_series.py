"""Series for the plots: bounded, newest whole, ends kept; and the ledger's ratio."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.model.series import Sample, Series, summarise

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def sample(second: float, blue: int | None = 10, green: int | None = 0) -> Sample:
    return Sample(START + timedelta(seconds=second), blue, green, {})


def filled(seconds: list[int], limit: int) -> Series:
    series = Series(limit)
    for second in seconds:
        series.add(sample(second))
    return series


def test_earlier_samples_come_before_the_first_one() -> None:
    series = filled([10, 11], 8)
    series.prepend([sample(8), sample(9), sample(10, blue=3), sample(12)])
    assert [(s.at - START).total_seconds() for s in series] == [8, 9, 10, 11]
    assert series.frozen()[2].blue == 10
    series.prepend(sample(n / 10) for n in range(80))
    assert len(series) <= 8
    assert series.frozen()[-1] == sample(11)


@given(st.lists(st.integers(0, 3000), max_size=400), st.integers(4, 50))
def test_a_series_is_bounded_ordered_and_keeps_its_ends(seconds: list[int], limit: int) -> None:
    series = filled(seconds, limit)
    kept = [s.at for s in series.frozen()]
    assert len(series) <= limit
    assert kept == sorted(set(kept))
    accepted: list[int] = []
    for second in seconds:
        if not accepted or second > accepted[-1]:
            accepted.append(second)
    if accepted:
        assert kept[0] == sample(accepted[0]).at
        assert kept[-1] == sample(accepted[-1]).at


@given(st.integers(4, 60), st.integers(0, 500))
def test_the_newest_stretch_stays_whole(limit: int, count: int) -> None:
    series = filled(list(range(count)), limit)
    newest = [int((s.at - START).total_seconds()) for s in series][-(limit // 2) :]
    assert newest == list(range(count))[-(limit // 2) :][-len(newest) :]
    assert len(newest) == min(count, limit // 2)


def test_thinning_keeps_the_first_and_of_each_step_of_the_older_half_the_lowest_one() -> None:
    series = Series(12)
    for second, blue in enumerate((10, 10, 10, 7, 10, 10, None, 10, 10, 10, 10, 10, 10)):
        series.add(sample(second, blue))
    assert [int((s.at - START).total_seconds()) for s in series] == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("minutes", [15, 40, 120, 8 * 60, 24 * 60])
def test_the_whole_of_a_release_stays_covered_however_long_it_takes(minutes: int) -> None:
    """At one a second: no two neighbours are further apart than a fiftieth of it."""
    series = Series(600)
    for second in range(minutes * 60):
        series.add(sample(second))
    kept = [s.at for s in series]
    widest = max((b - a).total_seconds() for a, b in itertools.pairwise(kept))
    assert widest <= max(10, minutes * 60 / 50)
    assert len(kept) >= 300 + 60


def test_a_dip_of_one_sample_is_never_thinned_away() -> None:
    series = Series(40)
    for second in range(5000):
        series.add(sample(second, 7 if second == 33 else 10))
    assert [int((s.at - START).total_seconds()) for s in series if s.blue == 7] == [33]


def test_a_sample_that_is_not_newer_is_ignored() -> None:
    series = filled([1, 3, 2, 3], 10)
    assert [int((s.at - START).total_seconds()) for s in series] == [1, 3]


@pytest.mark.parametrize(
    ("blue", "green", "total"),
    [(10, 5, 15), (10, 0, 10), (None, None, None), (10, None, None), (None, 5, None)],
    ids=["both", "green empty", "neither", "green not counted", "blue not counted"],
)
def test_a_sum_with_an_uncounted_generation_is_a_gap(blue: int | None, green: int | None, total: int | None) -> None:
    assert sample(0, blue, green).sum == total


def test_the_legend_leaves_gaps_out_but_shows_that_the_newest_is_one() -> None:
    summary = summarise([1, None, 3, None])
    assert (summary.minimum, summary.maximum, summary.average, summary.current) == (1, 3, 2.0, None)
    assert summarise([None, None]).minimum is None


def test_the_average_of_the_legend_is_one_over_time() -> None:
    assert summarise([10, 20], [1.0, 3.0]).average == 17.5
    assert summarise([10, None, 20], [1.0, 50.0, 3.0]).average == 17.5
    assert summarise([None], [1.0]).average is None
