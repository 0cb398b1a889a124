"""The plot keeps inside what plotext survives: each rule has a test, and a fuzz runs inside their bounds."""

from __future__ import annotations

import builtins
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emqx_tui.ui.rollout import plot
from emqx_tui.ui.rollout.plot import Curve, Plotter, PlotUnavailable, Window, stretches

WINDOW = Window(0.0, 100.0, 1000.0, 10.0)
RED = (255, 0, 0)


@pytest.fixture(scope="module")
def plotter() -> Plotter:
    return Plotter()


def plain(rows) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


def drawn(plotter: Plotter, points, *, width: int = 40, height: int = 8, window: Window = WINDOW, marker: str = "*"):
    return plain(plotter.draw([Curve(points, marker, RED)], width, height, window))


@pytest.mark.parametrize(
    "bad", [math.nan, math.inf, -math.inf, None, 10**400], ids=["nan", "inf", "-inf", "None", "huge"]
)
def test_a_value_that_is_no_number_becomes_a_gap(plotter, bad):
    points = [(0.0, 5.0), (5.0, 5.0), (8.0, bad), (11.0, 5.0)]
    assert stretches(points, 40, WINDOW) == [[(0.0, 5.0), (5.0, 5.0)], [(11.0, 5.0)]]
    assert all(len(row) == 40 for row in drawn(plotter, points))


def test_values_outside_the_limits_are_clamped_into_them(plotter):
    points = [(0.0, -1e12), (50.0, 1e12), (100.0, 10**30)]
    assert [p for stretch in stretches(points, 40, Window(0, 100, 1000, 60)) for p in stretch] == [
        (0.0, 0.0),
        (50.0, 1000.0),
        (100.0, 1000.0),
    ]
    rows = drawn(plotter, points, window=Window(0, 100, 1000, 60))
    assert "*" in rows[0]
    assert "*" in rows[-1]


def test_instants_outside_the_window_are_left_out():
    points = [(-1e9, 5.0), (1.0, 5.0), (1e9, 5.0), (math.nan, 5.0)]
    assert stretches(points, 40, WINDOW) == [[(1.0, 5.0)]]


def test_both_limits_are_always_set(plotter):
    """A single point in a corner stays there: without limits it would be centred."""
    rows = drawn(plotter, [(0.0, 1000.0)])
    assert rows[0].startswith("*")
    rows = drawn(plotter, [(100.0, 0.0)])
    assert rows[-1].endswith("*")


@pytest.mark.parametrize(("width", "height"), [(9, 8), (40, 3), (0, 0), (401, 8), (40, 101)])
def test_sizes_outside_the_safe_ones_stay_blank(plotter, width, height):
    rows = drawn(plotter, [(1.0, 5.0), (2.0, 7.0)], width=width, height=height)
    assert rows == [" " * width] * height


@pytest.mark.parametrize(
    "window",
    [Window(5, 5, 1000, 10), Window(9, 5, 1000, 10), Window(0, 100, 0, 10), Window(0, math.inf, 10, 10)],
    ids=["no stretch", "backwards", "no height", "endless"],
)
def test_windows_without_a_stretch_stay_blank(plotter, window):
    assert set("".join(drawn(plotter, [(1.0, 5.0)], window=window))) == {" "}


def test_missing_data_leave_a_gap_and_no_flat_line(plotter):
    points = [(float(x), 500.0) for x in range(101) if not 30 <= x <= 70]
    row = next(row for row in drawn(plotter, points) if "*" in row)
    first, last = row.index("*"), row.rindex("*")
    hole = row[first:last].strip("*")
    assert len(hole) >= 14
    assert set(hole) == {" "}


def test_at_most_two_points_a_column_and_never_without_the_extremes():
    points = [(x / 100, 500.0) for x in range(10_000)]
    points[5_000] = (50.0, 3.0)
    points[7_003] = (70.03, 997.0)
    kept = [p for stretch in stretches(points, 40, WINDOW) for p in stretch]
    assert len(kept) <= 2 * 41
    assert (50.0, 3.0) in kept
    assert (70.03, 997.0) in kept
    assert kept == sorted(kept)


def test_many_gaps_in_one_column_do_not_get_past_the_limit():
    points = [(50 + x / 1000, 5.0 if x % 2 else None) for x in range(2_000)]
    assert sum(len(stretch) for stretch in stretches(points, 40, WINDOW)) <= 4


def test_a_machine_without_plotext_is_told(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "plotext":
            raise ImportError("no kernel for this machine")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(PlotUnavailable, match="no kernel"):
        Plotter()


numbers = st.none() | st.floats() | st.integers(-(10**40), 10**40)
moments = st.floats(-1e6, 1e6) | st.just(math.nan)


@settings(max_examples=120)
@given(
    series=st.lists(st.lists(st.tuples(moments, numbers), max_size=120), max_size=4),
    size=st.tuples(st.integers(0, 210), st.integers(0, 60)),
    limits=st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6), st.floats(0, 1e12)),
    marker=st.sampled_from(["braille", "*", "━"]),
)
def test_whatever_comes_the_size_is_kept(plotter, series, size, limits, marker):
    width, height = size
    left, stretch, top = limits
    window = Window(left, left + stretch, top, 10.0)
    rows = plotter.draw([Curve(points, marker, RED) for points in series], width, height, window)
    assert len(rows) == height
    assert all(sum(len(text) for text, _ in row) == width for row in rows)


def test_rows_and_columns_are_those_that_plotext_draws(plotter):
    for value in (0, 130, 500, 870, 1000):
        for at in (0, 33, 50, 100):
            rows = drawn(plotter, [(float(at), float(value))])
            row, column = plot.row_of(value, 8, 1000.0), plot.column_of(at, 40, WINDOW)
            assert rows[row][column] == "*", (value, at)


def test_colours_come_back_from_the_text(plotter):
    rows = plotter.draw([Curve([(0.0, 0.0), (5.0, 0.0)], "*", (1, 2, 3))], 40, 8, WINDOW)
    assert ("***", (1, 2, 3)) in rows[-1]


@pytest.mark.parametrize("value", [0, 3, 11, 99, 100, 33_333, 100_000, 100_400, 999_999, 1_000_000, 9.9e9])
@pytest.mark.parametrize("height", [4, 8, 11, 13, 24, 40])
def test_the_top_is_a_little_above_the_highest_value(value, height):
    top = plot.round_top(value, height)
    assert value < top <= max(10.5, value * 1.3)


@pytest.mark.parametrize("height", range(8, 30))
def test_a_sum_that_moves_by_a_few_in_a_thousand_stays_in_its_row(height):
    for value in range(90_000, 130_000, 700):
        top = plot.round_top(value, height)
        assert plot.row_of(value * 0.994, height, top) == plot.row_of(value, height, top), (value, top)


def test_the_left_edge_stays_while_time_goes_on():
    edges = {plot.window_for(max(1000.0, now - 2400), now, 60, 12, 10).left for now in range(1100, 1110)}
    assert len(edges) == 1


def test_the_window_shows_now_and_moves_by_whole_cells():
    for now in range(1_000, 20_000, 7):
        window = plot.window_for(max(1_000.0, now - 2_400), now, 60, 12, 10)
        cell_s = (window.right - window.left) / 59
        assert window.left <= now <= window.right
        assert math.isclose(window.left / cell_s, round(window.left / cell_s), abs_tol=1e-6)
