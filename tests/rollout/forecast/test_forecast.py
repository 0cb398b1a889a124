"""The forecast: from counts and rates alone, and unknown where a count is."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.forecast.forecast import (
    Band,
    Forecast,
    NodeLoad,
    ReleaseShape,
    at_rate,
    at_start,
    drain_s,
    forecast,
    rate_for_reconnects,
    rate_to_finish_within,
    side_by_side_s,
)

RATES = Rates(200, 200, 5)
_counts = st.lists(st.integers(0, 50_000), min_size=1, max_size=12)


def estimate(
    counts: list[int | None],
    rates: Rates = RATES,
    *,
    parallel: int = 1,
    late: bool = False,
    boot_s: float | None = 30.0,
) -> Forecast:
    nodes = [NodeLoad(f"p-{k}", count) for k, count in enumerate(counts)]
    shape = ReleaseShape(rates, 60, 0 if late else 60, parallel, late_removal=late, boot_s=boot_s)
    return forecast(nodes, shape)


def total(found: Forecast) -> Band:
    assert found.total_s is not None
    return found.total_s


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
    # At 33,000 clients a node EMQX takes up to 1.2 s for each batch of 200.
    assert 501 + 60 + 60 + 27 < total(found).low < 501 + 60 + 60 + 60
    assert 1.2 * 501 + 60 + 60 + 27 < total(found).high < 1.2 * 501 + 60 + 60 + 100
    assert total(found).deviation < 0.1
    assert found.offline_at_once == 200
    assert found.lowest_ratio == pytest.approx(0.998)


@given(_counts, st.integers(1, 5_000), st.integers(1, 5_000))
def test_faster_is_never_slower_and_never_gentler(counts: list[int], one: int, other: int) -> None:
    slow, fast = sorted((one, other))
    slower, faster = estimate([*counts], Rates(slow, 1, 5)), estimate([*counts], Rates(fast, 1, 5))
    assert total(faster).low <= total(slower).low
    assert total(faster).high <= total(slower).high
    assert (faster.offline_at_once or 0) >= (slower.offline_at_once or 0)


@pytest.mark.parametrize("rate", [1, 5, 50, 200])
def test_over_hours_some_clients_are_left_to_evict(rate: int) -> None:
    """Clients leave by themselves, too, ever fewer of them: no drain of a node that had many takes no time."""
    found = estimate([30_000] * 3, Rates(rate, 200, 5))
    spent = [node.drain_s for node in found.nodes if node.drain_s]
    lows = [band.low for band in spent]
    assert lows == sorted(lows, reverse=True)
    assert all(1000 / rate < band.low < band.high for band in spent)
    assert found.finish_s.low < found.finish_s.high


@given(_counts, st.integers(1, 4))
def test_drains_side_by_side_take_no_longer(counts: list[int], parallel: int) -> None:
    assert total(estimate([*counts], parallel=parallel)).high <= total(estimate([*counts])).high


@pytest.mark.parametrize(
    ("durations_s", "at_once", "seconds"),
    [([10, 10, 10], 1, 30), ([10, 10, 10], 2, 20), ([10, 10, 10], 3, 10), ([10, 10, 10], 8, 10), ([30, 10, 10], 2, 30)],
)
def test_drains_that_share_places(durations_s: list[float], at_once: int, seconds: float) -> None:
    assert side_by_side_s(durations_s, at_once) == seconds


def test_more_places_than_nodes_promise_nothing() -> None:
    """Three nodes drain three at once at most, whatever the plan allows."""
    assert total(estimate([1_000] * 3, parallel=8)) == total(estimate([1_000] * 3, parallel=3))
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
    assert found.nodes[0].drain_s is not None
    assert found.nodes[1].drain_s is None


def test_an_empty_cluster_has_no_lowest_ratio() -> None:
    assert estimate([0, 0]).lowest_ratio is None


def test_a_boot_that_nobody_can_tell_makes_the_band_wide() -> None:
    assert total(estimate([1_000], boot_s=None)).deviation > 2 * total(estimate([1_000])).deviation


@given(_counts)
def test_the_curve_ends_with_everybody_on_green(counts: list[int]) -> None:
    curve = estimate([*counts]).curve
    assert (curve[0].blue, curve[-1].blue, curve[-1].green) == (sum(counts), 0, sum(counts))
    assert all(one.at_s < other.at_s and one.blue >= other.blue for one, other in pairwise(curve))


def test_kept_sessions_are_moved_after_the_clients() -> None:
    shape = ReleaseShape(RATES, 60, 60, boot_s=30)
    bare, kept = (forecast([NodeLoad("p-0", 1_000, sessions)], shape) for sessions in (0, 10_000))
    assert total(kept).low >= total(bare).low + 50


class TestWhomItCanLose:
    @staticmethod
    def at_risk(found: Forecast) -> list[int]:
        return [risk.at_risk for risk in found.risks]

    def test_nobody_is_refused_where_green_alone_has_addresses(self) -> None:
        assert self.at_risk(estimate([1_000] * 3)) == [0, 0, 0, 3_000]

    def test_late_removal_lets_some_be_refused_and_evicted_twice(self) -> None:
        found = estimate([1_000] * 3, late=True)
        retrying, _, giving_up, never_back = self.at_risk(found)
        assert (retrying, never_back) == (0, 3_000)
        assert 0 < giving_up < 3_000
        assert 3_000 < (found.disconnects or 0) < 6_000

    def test_who_waits_longer_is_offline_in_greater_number(self) -> None:
        assert [risk.offline_at_once for risk in estimate([10_000] * 3).risks] == [200, 1_000, 200, 30_000]


class TestTheOtherWayRound:
    @given(_counts, st.integers(200, 20_000))
    def test_the_rate_ends_in_time_and_the_next_lower_one_does_not(self, counts: list[int], seconds: int) -> None:
        found = estimate([*counts])
        rate = rate_to_finish_within(found, seconds)
        if rate is None:
            assert total(at_rate(found, 1_000_000)).high > seconds
            return
        assert total(at_rate(found, rate)).high <= seconds
        assert rate == 1 or total(at_rate(found, rate - 1)).high > seconds

    @pytest.mark.parametrize(("parallel", "rate"), [(1, 800), (2, 400), (3, 266), (5, 266)])
    def test_reconnects_are_shared_by_the_drains_at_once(self, parallel: int, rate: int) -> None:
        found = estimate([10_000] * 3, parallel=parallel)
        assert rate_for_reconnects(found, 800) == rate
        assert (at_rate(found, rate).accept_per_s or 0) <= 800

    def test_fewer_reconnects_than_drains_are_impossible(self) -> None:
        assert rate_for_reconnects(estimate([10_000] * 3, parallel=3), 2) is None


class TestWhatAReleaseKeeps:
    def test_the_bands_are_those_that_were_shown_in_whole_seconds(self) -> None:
        found = estimate([30_000, 20_000, 10_000])
        kept = at_start(found)
        assert kept is not None
        assert kept.total_low_s <= total(found).low < kept.total_low_s + 1
        assert kept.total_high_s - 1 < total(found).high <= kept.total_high_s
        assert [(drain.pod, drain.clients) for drain in kept.drains] == [
            ("p-0", 30_000),
            ("p-1", 20_000),
            ("p-2", 10_000),
        ]
        shown = [node.drain_s for node in found.nodes if node.drain_s is not None]
        assert [(drain.low_s, drain.high_s) for drain in kept.drains] == [
            (math.floor(band.low), math.ceil(band.high)) for band in shown
        ]
        assert (kept.clients, kept.disconnects, kept.offline_at_once) == (60_000, 60_000, 200)
        assert kept.curve[0] == (0, 60_000, 0)
        assert kept.curve[-1][1:] == (0, 60_000)

    def test_nothing_is_kept_while_a_node_is_not_counted(self) -> None:
        assert at_start(estimate([1_000, None])) is None
