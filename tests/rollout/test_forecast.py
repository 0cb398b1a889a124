"""The estimate: from counts and rates alone, and unknown where a count is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.forecast import drain_s, forecast, side_by_side_s

RATES = Rates(200, 200, 5)
_counts = st.lists(st.integers(0, 50_000), min_size=1, max_size=12)


def estimate(counts: list[int | None], rates: Rates = RATES, *, parallel: int = 1):
    nodes = [(f"p-{k}", count) for k, count in enumerate(counts)]
    return forecast(nodes, rates, delay_s=60, canary_s=60, parallel_drains=parallel)


@pytest.mark.parametrize(
    ("clients", "sessions", "rates", "seconds"),
    [
        (1000, 0, RATES, 10),
        (1001, 0, RATES, 11),
        (0, 0, RATES, 5),
        (200, 400, RATES, 8),
        (200, 0, Rates(200, 1, 0), 61),
    ],
    ids=["whole batches", "a batch begun", "nobody", "sessions left", "the broker's own wait"],
)
def test_one_node(clients: int, sessions: int, rates: Rates, seconds: float) -> None:
    assert drain_s(clients, sessions, rates) == seconds


def test_the_published_case() -> None:
    """100,000 clients on 3 nodes at 200/s: about 501 s of drains; everybody is disconnected once."""
    found = estimate([33_334, 33_333, 33_333])
    assert found.disconnects == 100_000
    assert found.total_s is not None
    assert 501 + 60 + 60 < found.total_s < 501 + 60 + 60 + 120
    assert found.offline_at_once == 200
    assert found.lowest_ratio == pytest.approx(0.998)


@given(_counts, st.integers(1, 5_000), st.integers(1, 5_000))
def test_faster_is_never_slower_and_never_gentler(counts: list[int], one: int, other: int) -> None:
    slow, fast = sorted((one, other))
    slower, faster = estimate([*counts], Rates(slow, 1, 5)), estimate([*counts], Rates(fast, 1, 5))
    assert (faster.total_s or 0) <= (slower.total_s or 0)
    assert (faster.offline_at_once or 0) >= (slower.offline_at_once or 0)


@given(_counts, st.integers(1, 4))
def test_drains_side_by_side_take_no_longer(counts: list[int], parallel: int) -> None:
    assert (estimate([*counts], parallel=parallel).total_s or 0) <= (estimate([*counts]).total_s or 0)


@pytest.mark.parametrize(
    ("durations_s", "at_once", "seconds"),
    [([10, 10, 10], 1, 30), ([10, 10, 10], 2, 20), ([10, 10, 10], 3, 10), ([10, 10, 10], 8, 10), ([30, 10, 10], 2, 30)],
)
def test_drains_that_share_places(durations_s: list[float], at_once: int, seconds: float) -> None:
    assert side_by_side_s(durations_s, at_once) == seconds


def test_more_places_than_nodes_promise_nothing() -> None:
    """Three nodes drain three at once at most, whatever the plan allows."""
    assert estimate([1_000] * 3, parallel=8) == estimate([1_000] * 3, parallel=3)
    assert estimate([1_000] * 3, parallel=8).offline_at_once == 600


@given(_counts)
def test_nobody_is_offline_twice_over(counts: list[int]) -> None:
    found = estimate([*counts])
    assert found.disconnects == sum(counts)
    assert (found.offline_at_once or 0) <= sum(counts)
    assert found.lowest_ratio is None or 0.0 <= found.lowest_ratio <= 1.0


def test_one_unknown_count_makes_the_whole_unknown_and_keeps_the_rest() -> None:
    found = estimate([100, None])
    assert (found.total_s, found.disconnects, found.offline_at_once, found.lowest_ratio) == (None, None, None, None)
    assert found.nodes[0] == ("p-0", 100, 6.0)
    assert found.nodes[1] == ("p-1", None, None)


def test_an_empty_cluster_has_no_lowest_ratio() -> None:
    assert estimate([0, 0]).lowest_ratio is None
