"""Closed values of the valve, and thresholds for a faster clock."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.rollout.policy import CLOSED_S, CLOSED_SPAN_S, Policy, is_closed, next_closed

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT32)
def test_the_next_value_is_closed_and_another_one(value: int) -> None:
    assert is_closed(next_closed(value))
    assert next_closed(value) != value


@given(st.integers(0, CLOSED_SPAN_S - 1))
def test_nudges_go_round_all_closed_values(start: int) -> None:
    value, seen = CLOSED_S + start, set()
    for _ in range(CLOSED_SPAN_S):
        value = next_closed(value)
        seen.add(value)
    assert len(seen) == CLOSED_SPAN_S
    assert value == CLOSED_S + start


@pytest.mark.parametrize("value", [0, 1, 60, CLOSED_S - 1, CLOSED_S + CLOSED_SPAN_S, 2**31 - 1, -1])
def test_what_a_user_may_have_written_is_not_taken_for_closed(value: int) -> None:
    assert not is_closed(value)
    assert next_closed(value) == CLOSED_S


@given(st.integers(-(2**29), 2**30))
def test_no_closed_value_wraps_in_the_operators_int32(started_ago_s: int) -> None:
    for value in (CLOSED_S, CLOSED_S + CLOSED_SPAN_S - 1):
        assert 0 < value - started_ago_s < 2**31 or started_ago_s >= value


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_a_clock_of_its_own_pace_changes_no_threshold(rate: float) -> None:
    assert Policy().at_rate(rate) == Policy()


@given(st.floats(1.0, 600.0))
def test_a_faster_clock_never_makes_a_threshold_stricter(rate: float) -> None:
    plain, fast = Policy(), Policy().at_rate(rate)
    for field in fields(Policy):
        assert getattr(fast, field.name) >= getattr(plain, field.name)


def test_at_600_times_figures_read_every_50_ms_are_still_fresh() -> None:
    fast = Policy().at_rate(600.0)
    between_polls_s = 0.05 * 600
    assert fast.max_broker_age_s >= 2 * between_polls_s
    assert fast.max_own_age_s >= 2 * between_polls_s
    assert fast.stall_s >= 10 * between_polls_s
    assert fast.ack_timeout_s == 5 * 600
