"""Ages: an old number is not a fresh one, and none at all is neither."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from emqx_tui.model.reading import MISSING, Reading

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def test_a_missing_reading_has_no_age_and_is_never_fresh() -> None:
    assert MISSING.age_s(NOW) is None
    assert not MISSING.is_fresh(NOW, 1e9)


@pytest.mark.parametrize(("age_s", "is_fresh"), [(0.0, True), (5.0, True), (5.001, False), (3600.0, False)])
def test_freshness_ends_at_the_limit(age_s: float, is_fresh: bool) -> None:
    reading = Reading(0, NOW - timedelta(seconds=age_s))
    assert reading.age_s(NOW) == pytest.approx(age_s)
    assert reading.is_fresh(NOW, 5.0) is is_fresh


def test_zero_is_a_value_and_none_is_not() -> None:
    assert Reading(0, NOW).is_fresh(NOW, 1.0)
    assert not Reading(None, NOW).is_fresh(NOW, 1.0)


def test_an_instant_ahead_of_the_clock_has_age_zero() -> None:
    assert Reading(1, NOW + timedelta(seconds=3)).age_s(NOW) == 0.0
