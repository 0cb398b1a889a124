"""Curves, legend figures, ticks and marks of a View."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len

from emqx_tui.model.series import PLOTTED, Series
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.gate_id import LATE_CUT_OVER, START, GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import ApprovalRecord
from emqx_tui.ui.rollout import axis
from emqx_tui.ui.rollout import curves as present
from emqx_tui.ui.text.spans import Tone, plain
from tests.support import releases
from tests.support.releases import BLUE, GREEN, NOW, STARTED


def test_blue_green_and_sum_are_plotted_sum_first():
    view = releases.draining()
    assert [trace.key for trace in present.traces(view.samples, view, is_per_node=False)] == ["sum", "blue", "green"]


def test_one_line_per_node_blue_first_each_with_a_tag_and_a_glyph_of_its_own():
    view = releases.draining()
    found = present.traces(view.samples, view, is_per_node=True)
    assert [trace.tag for trace in found] == ["sum", "b0", "b1", "b2", "g0", "g1", "g2"]
    assert len({trace.glyph for trace in found}) == len(found)


def test_a_node_that_is_gone_has_no_value_and_not_zero():
    view = releases.draining()
    gone = next(t for t in present.traces(view.samples, view, is_per_node=True) if t.name == f"{BLUE}-2")
    assert gone.values[0] == 33_335
    assert gone.values[-1] is None


def test_without_a_release_the_sum_of_the_nodes_is_plotted():
    view = releases.idle()
    coloured = tuple(replace(sample, blue=100_002, green=0) for sample in view.samples)
    found = present.traces(coloured, view, is_per_node=False)
    assert [trace.key for trace in found] == ["sum"]
    assert found[0].values[-1] == 100_002


def test_a_sum_that_is_not_whole_is_a_gap_in_the_curve():
    view = releases.draining()
    part = tuple(replace(sample, green=None) for sample in view.samples)
    assert {*present.traces(part, view, is_per_node=False)[0].values} == {None}


@pytest.mark.parametrize("every_s", [1, 30])
def test_samples_far_apart_are_not_joined_whatever_their_rate(every_s):
    instants = [float(every_s * n) for n in range(60)]
    assert present.gaps(instants) == frozenset()
    late = [at + (every_s * 5 + 11 if n >= 20 else 0) for n, at in enumerate(instants)]
    assert present.gaps(late) == {20}
    assert present.gaps([]) == present.gaps([5.0]) == present.gaps([5.0, 6.0]) == frozenset()


def test_a_sample_stands_for_the_time_since_the_one_before_and_for_no_gap():
    assert present.weights([]) == []
    assert present.weights([7.0]) == [1.0]
    assert present.weights([0.0, 2.0, 4.0, 60.0, 62.0]) == [1.0, 2.0, 2.0, 2.0, 2.0]


def test_the_average_of_a_long_release_is_that_of_all_its_time_though_old_samples_are_fewer():
    series, known = Series(PLOTTED), releases.samples()[0]
    for second in range(4000):
        series.add(replace(known, at=STARTED + timedelta(seconds=second), blue=100 if second < 2000 else 0))
    instants = [sample.at.timestamp() for sample in series]
    traces = present.traces(tuple(series), releases.draining(), is_per_node=False)
    blue = present.legend_rows(traces, present.weights(instants), is_live=True, is_plain=False)[1]
    assert blue.summary.average == pytest.approx(50, abs=2)


@pytest.mark.parametrize("minutes", [10, 40, 8 * 60])
def test_the_coarser_steps_of_what_is_old_are_no_gaps_and_a_gap_among_them_is_one(minutes):
    series, known = Series(PLOTTED), releases.samples()[0]
    missing = range(minutes * 20, minutes * 40)
    for second in range(minutes * 60):
        if second not in missing:
            series.add(replace(known, at=STARTED + timedelta(seconds=second)))
    instants = [sample.at.timestamp() for sample in series]
    (place,) = present.gaps(instants)
    assert instants[place - 1] < STARTED.timestamp() + missing.stop - 1 < instants[place] + 1


def test_a_release_is_plotted_from_its_start_and_a_night_by_its_end():
    found = axis.history(releases.draining())
    assert found.begin == STARTED.timestamp() - axis.LEAD_S
    assert found.usual_s == axis.RELEASE_WINDOW_S
    long_idle = replace(releases.idle(), samples=releases.samples(NOW))
    earlier = replace(long_idle.samples[0], at=NOW - timedelta(hours=1))
    found = axis.history(replace(long_idle, samples=(earlier, *long_idle.samples)))
    assert found.shown(None) == (NOW.timestamp() - 600, NOW.timestamp())


def test_the_axis_begins_with_the_history_and_says_when_that_is_late():
    view = releases.draining()
    late = replace(view, samples=tuple(s for s in view.samples if s.at >= NOW - timedelta(seconds=20)))
    first = NOW - timedelta(seconds=20)
    assert axis.history(late).begin == first.timestamp()
    assert axis.marks(late)[-1] == axis.Mark(first.timestamp(), f"history starts {first:%H:%M:%S}")
    assert not any("history" in mark.label for mark in axis.marks(view))
    assert axis.history(replace(view, samples=())).begin == NOW.timestamp()
    idle = replace(releases.idle(), samples=late.samples)
    assert axis.history(idle).begin == first.timestamp()


def test_the_axis_ends_with_the_release():
    view = releases.done()
    hours_later = replace(view, snapshot=replace(view.snapshot, now=view.now + timedelta(hours=5)))
    assert axis.history(hours_later).end == view.now.timestamp()
    assert axis.history(releases.draining()).end == NOW.timestamp()


def test_what_comes_after_the_end_is_not_plotted_as_blue():
    """Without a release the session counts every node as blue."""
    view = releases.done()
    later = tuple(
        replace(view.samples[-1], at=view.now + timedelta(seconds=n), blue=100_000, green=0) for n in range(1, 9)
    )
    view = replace(view, decision=Decision(Phase.IDLE), samples=(*view.samples, *later))
    shown = present.shown_samples(view)
    assert shown[-1].at <= NOW + timedelta(seconds=330)
    assert [trace.values[-1] for trace in present.traces(shown, view, is_per_node=False)][1:] == [0, 100_020]
    assert axis.history(view).begin == STARTED.timestamp() - axis.LEAD_S


def test_steps_are_marked_where_they_began():
    records = (
        ApprovalRecord(1, LATE_CUT_OVER, "ann", NOW, ""),
        ApprovalRecord(2, GateId.node(11), "ann", NOW, ""),
        ApprovalRecord(3, START, "ann", STARTED, ""),
    )
    view = releases.draining(journal=releases.journal(approvals=records))
    assert [mark.label for mark in axis.marks(view)] == ["start", "cut", "-11"]
    assert axis.marks(releases.idle()) == []


@pytest.mark.parametrize("top", [10.5, 42.0, 1_050.0, 105_000.0, 1.2e6, 2.2e9])
@pytest.mark.parametrize("rows", [4, 6, 22, 60])
def test_value_ticks_are_round_few_and_start_at_zero(top, rows):
    ticks = axis.value_ticks(top, rows)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= rows // 3 + 2
    assert ticks[-1] <= top


@pytest.mark.parametrize("stretch", [30.0, 372.0, 2_400.0, 30_000.0])
def test_time_ticks_are_round_and_inside(stretch):
    left = STARTED.timestamp() + 3.3
    ticks = axis.time_ticks(left, left + stretch, 60)
    assert 1 <= len(ticks) <= 7
    assert all(left <= tick <= left + stretch and tick % 10 == 0 for tick in ticks)


def legend(view, cells=34, room=8, *, is_live=True, is_plain=False):
    found = present.traces(view.samples, view, is_per_node=False)
    rows = present.legend_rows(found, is_live=is_live, is_plain=is_plain)
    return [plain(text) for text in present.legend_lines(rows, cells, room)]


def test_the_legend_has_min_max_avg_and_current():
    assert legend(releases.done()) == [
        "          min   max   avg current",
        "━ sum   99.9k  100k 99.9k    100k",
        "⠒ blue      0  100k 61.9k       0",
        "⠒ green    21  100k 42.1k    100k",
    ]


def test_old_figures_in_the_legend_carry_a_question_mark():
    assert legend(releases.draining(), is_live=False)[1].endswith("99.9k?")


def test_a_node_that_was_not_there_in_what_is_shown_has_no_figures_and_no_question_mark():
    trace = present.Trace("x", "x", "b2", Tone.BLUE, (None, None), "2")
    told = [
        plain(present.legend_lines([present.LegendRow(trace, "2", is_live)], 34, 4)[1]) for is_live in (True, False)
    ]
    assert told[0].split() == ["2", "b2", "-", "-", "-", "-"]
    assert told[1].split() == ["2", "b2", "?", "?", "?", "?"]


def test_a_legend_without_room_says_how_many_lines_are_missing():
    view = releases.draining()
    found = present.traces(view.samples, view, is_per_node=True)
    rows = present.legend_rows(found, is_live=True, is_plain=False)
    shown = [plain(text) for text in present.legend_lines(rows, 64, 5)]
    assert len(shown) == 5
    assert shown[-1] == "… 4 more"
    assert f"{BLUE}-0" in shown[2]
    assert all(cell_len(text) <= 64 for text in shown)
    assert f"{GREEN}-0" not in "".join(shown)


def test_of_very_many_nodes_those_that_are_there_are_drawn_and_the_others_are_counted():
    sample = releases.draining().samples[-1]
    early = {f"{BLUE}-{at}": 10 for at in range(60)}
    late = {name: 10 for name in early if not name.endswith("0")}
    samples = (replace(sample, nodes=early), replace(sample, nodes=late))
    found = present.traces(samples, releases.draining(), is_per_node=True)
    drawn = present.drawn(found)
    assert [trace.key for trace in drawn] == ["sum", *list(late)[: present.LINES_MAX]]
    rows = present.legend_rows(found, is_live=True, is_plain=False)
    assert plain(present.legend_lines(rows, 64, 5)[-1]) == "… 58 more; 36 of the nodes are not drawn"
    assert present.drawn(found[: present.LINES_MAX]) == found[: present.LINES_MAX]


def test_where_colour_does_not_tell_each_curve_has_its_own_sign():
    signs = [text[0] for text in legend(releases.draining(), is_plain=True)[1:]]
    assert len(set(signs)) == 3


def test_points_of_a_cell_are_its_extremes_in_their_order():
    instants = [float(n) for n in range(20)]
    values = [5, 9, 1, 5, 5, 5, 5, 5, 5, 5, *[7] * 10]
    found = present.cells(instants, 2, 0.0, 20.0)
    assert present.points(values, instants, found) == [(0.0, None), (1.0, 9), (2.0, 1), (19.0, 7)]


def test_missing_samples_and_absent_values_break_a_curve():
    instants = [0.0, 1.0, 2.0, 40.0, 41.0]
    found = present.cells(instants, 4, 0.0, 80.0)
    assert present.points([5, 5, 5, 6, 6], instants, found) == [(0.0, None), (2.0, 5), (40.0, None), (41.0, 6)]
    instants = [float(n) for n in range(0, 80, 5)]
    values = [5] * 4 + [None] * 8 + [6] * 4
    found = present.cells(instants, 4, 0.0, 80.0)
    assert present.points(values, instants, found) == [(0.0, None), (15.0, 5), (20.0, None), (40.0, None), (75.0, 6)]


def test_a_gap_inside_one_cell_still_breaks_the_curve():
    instants = [0.0, 1.0, 15.0, 16.0]
    found = present.cells(instants, 1, 0.0, 20.0)
    assert present.points([5, 5, 6, 6], instants, found) == [(0.0, None), (1.0, 5), (15.0, None), (16.0, 6)]


def test_no_sample_is_in_two_cells_and_none_is_left_out():
    instants = [n * 1.7 for n in range(500)]
    found = present.cells(instants, 60, -10.0, 900.0)
    assert [place for cell in found for place in range(cell.first, cell.end)] == list(range(500))
    assert present.cells([], 60, 0.0, 1.0) == []
