"""Numbers as words: unknown is never 0, ages and spans read as a person says them."""

from __future__ import annotations

import pytest

from emqx_tui.model import units


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "?"),
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (33_333, "33.3k"),
        (99_766, "99.8k"),
        (100_000, "100k"),
        (999_960, "1M"),
        (1_234_567, "1.2M"),
        (float("nan"), "?"),
    ],
)
def test_short_counts(value, words):
    assert units.short_count(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "?"),
        (46, "46 s"),
        (166, "2 min 46 s"),
        (120, "2 min"),
        (3_900, "1 h 5 min"),
        (59.6, "1 min"),
        (505, "8 min 25 s"),
        (-3, "0 s"),
    ],
)
def test_spans(seconds, words):
    assert units.span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "never"), (0.42, "0.4 s"), (14.2, "14 s"), (180, "3 min"), (18_000, "5 h")]
)
def test_ages(seconds, words):
    assert units.age(seconds) == words


def test_clock_spans():
    assert [units.clock_span(s) for s in (62, 3_723, None)] == ["1:02", "1:02:03", "?"]


def test_unknown_counts_are_not_zero():
    assert units.count(None) == units.percent(None) == units.per_s(None) == units.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (323, "5m23s"), (700, "11m"), (3 * 3600, "3h"),
        (4 * 3600 + 1800, "4h30m"), (9 * 3600, "9h"), (47 * 3600, "47h"), (50 * 3600, "2d2h"), (87 * 86_400, "87d"),
        (800 * 86_400, "2y70d"),
        (3000 * 86_400, "8y"), (None, "-"), (-5, "0s"),
    ],
)  # fmt: skip
def test_ages_of_objects_look_like_kubectls(seconds, text):
    assert units.object_age(seconds) == text
