"""Figures and words of a run."""

from __future__ import annotations

from collections import Counter

import pytest

from emqx_tui.mqtt_bench.options import BenchOptions
from emqx_tui.mqtt_bench.tally import CLOSED, Tally, percentile, reason


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 5.0), (0.9, 9.0), (0.99, 10.0), (1.0, 10.0), (0.0, 1.0), (0.91, 10.0)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(each) for each in range(10, 0, -1)], share) == value


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_reasons() -> None:
    assert reason(0x9C) == "0x9c use another server"
    assert reason(3) == "3 server unavailable"
    assert reason(0xC8) == "0xc8"


def test_a_run_in_words_and_as_json() -> None:
    tally = Tally(
        3,
        connected=2,
        connects=5,
        reconnects=2,
        gave_up=1,
        refused=Counter({"0x9c use another server": 4}),
        disconnects=Counter({"0x9c use another server": 2, CLOSED: 1}),
        reconnect_times_s=[1.0, 2.5],
        all_connected_after_s=0.12345,
    )
    assert tally.as_text().splitlines() == [
        "2/3 connected at the end, 1 lost",
        "connects     5 (2 of them again)",
        "disconnects  3: 2 0x9c use another server, 1 closed without a word",
        "refused      4: 4 0x9c use another server",
        "failed       0",
        "back after   p50 1.00 s, p90 2.50 s, p99 2.50 s, max 2.50 s",
    ]
    assert tally.as_json() == {
        "count": 3,
        "connected": 2,
        "lost": 1,
        "gave_up": 1,
        "connects": 5,
        "reconnects": 2,
        "all_connected_after_s": 0.123,
        "refused": {"total": 4, "0x9c use another server": 4},
        "failed": {"total": 0},
        "disconnects": {"total": 3, "0x9c use another server": 2, CLOSED: 1},
        "reconnect_s": {"p50": 1.0, "p90": 2.5, "p99": 2.5, "max": 2.5},
    }


def test_client_ids() -> None:
    assert BenchOptions(count=2, client_id="dev").client_ids() == ["dev_0", "dev_1"]
    assert BenchOptions(count=2, client_id="d%ix").client_ids() == ["d0x", "d1x"]
    assert BenchOptions(count=1, client_id="dev").client_ids() == ["dev"]
    assert len(set(BenchOptions(count=50).client_ids() + BenchOptions(count=50).client_ids())) == 100


def test_what_is_secret_is_in_no_repr() -> None:
    assert "hush" not in repr(BenchOptions(username="hush", password="hush"))
