"""The time axis of the plot: windows, gates, holds, and what is ahead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import AbortRecord, HoldRecord
from emqx_tui.rollout.telling.stages import Stage
from emqx_tui.ui.rollout import axis
from emqx_tui.ui.rollout.axis import WHOLE, History, Scale
from emqx_tui.ui.text.spans import Line, Tone, plain
from tests.support import releases
from tests.support.releases import NOW, STARTED, after


@pytest.mark.parametrize(
    ("minutes", "usual_s", "found"),
    [
        (2, 2400, ["whole", "whole"]),
        (6, 2400, ["whole", "3m", "whole"]),
        (30, 2400, ["whole", "10m", "3m", "whole"]),
        (90, 2400, ["40m", "10m", "3m", "whole", "40m"]),
        (90, 600, ["10m", "3m", "whole", "40m", "10m"]),
    ],
    ids=["nothing narrower", "short", "usual", "long", "idle"],
)
def test_the_windows_go_from_the_usual_one_inwards_and_from_the_narrowest_to_the_whole(minutes, usual_s, found):
    history = History(0.0, minutes * 60.0, usual_s)
    chosen: float | None = None
    labels = [axis.LABELS[history.window_s(chosen)]]
    for _ in found[1:]:
        chosen = history.next_window_s(chosen)
        labels.append(axis.LABELS[history.window_s(chosen)])
    assert labels == found


@pytest.mark.parametrize(
    ("chosen_s", "cursor", "shown"),
    [
        (None, None, (0, 1000)),
        (600.0, None, (400, 1000)),
        (600.0, 500, (400, 1000)),
        (180.0, 500, (410, 590)),
        (180.0, 40, (0, 180)),
        (180.0, 819, (729, 909)),
        (180.0, 820, (820, 1000)),
        (WHOLE, 5, (0, 1000)),
    ],
)
def test_a_window_ends_now_or_lies_around_a_cursor_before_it(chosen_s, cursor, shown):
    assert History(0.0, 1000.0, 2400.0).shown(chosen_s, cursor) == shown


@given(
    st.floats(1, 1e6),
    st.sampled_from([None, *axis.WINDOWS_S]),
    st.floats(0, 1).map(lambda part: part * 0.999) | st.none(),
)
def test_what_is_shown_lies_in_the_history_and_has_the_cursor_in_it(length, chosen_s, part):
    history = History(1000.0, 1000.0 + length, 2400.0)
    cursor = None if part is None else 1000.0 + part * length
    begin, end = history.shown(chosen_s, cursor)
    assert history.begin <= begin < end <= history.end + 1e-6
    assert end - begin <= history.window_s(chosen_s) + 1e-6
    assert cursor is None or begin - 1e-6 <= cursor <= end + 1e-6


def test_gates_that_waited_and_holds_are_stretches_of_the_axis():
    found = axis.stretches(releases.draining())
    assert [(each.begin_s, each.end_s, each.sign) for each in found] == [
        (after(97).timestamp(), after(105).timestamp(), "◆"),
        (after(161).timestamp(), after(169).timestamp(), "◆"),
        (after(332).timestamp(), after(340).timestamp(), "◆"),
    ]


def test_what_goes_on_has_no_end_and_a_hold_that_was_there_before_begins_with_itself():
    held = releases.held()
    assert held.journal is not None
    hold = held.journal.hold
    (only,) = axis.stretches(replace(held, stages=(Stage(NOW, Phase.DRAINING, hold=hold),)))
    assert hold is not None
    assert (only.begin_s, only.end_s, only.sign, only.tone) == (hold.at.timestamp(), None, "‖", Tone.BAD)
    (ended,) = axis.stretches(replace(releases.done(), stages=(Stage(NOW, Phase.DRAINING, hold=hold),)))
    assert ended.end_s == releases.done().now.timestamp()


def test_holds_that_were_lifted_and_an_abort_are_marked_once():
    lifted = HoldRecord("ann", after(50), "x")
    frozen = HoldRecord("bob", after(200), "y", freeze=True)
    stages = tuple(Stage(after(n), Phase.DRAINING, hold=hold) for n, hold in ((50, lifted), (60, None), (200, frozen)))
    stages = (*stages, replace(stages[-1], since=after(210), is_draining=True))
    journal = releases.journal(approvals=(), hold=frozen, abort=AbortRecord("ann", after(300), ""))
    found = axis.marks(releases.draining(stages=stages, journal=journal))
    assert [(mark.label, mark.at_s) for mark in found] == [
        ("start", STARTED.timestamp()),
        ("hold", after(50).timestamp()),
        ("freeze", after(200).timestamp()),
        ("abort", after(300).timestamp()),
    ]


def drawn(view, cursor_s: float | None = None, label: str = "whole") -> list[Line]:
    scale = Scale(STARTED.timestamp() - 20, STARTED.timestamp() + 380, 81)
    return axis.time_axis(view, scale, margin=6, width=100, label=label, cursor_s=cursor_s)


def test_the_axis_shows_stretches_marks_and_times_and_its_corner_the_window():
    above, below = (plain(each) for each in drawn(releases.draining()))
    assert above == "     └────start─────────┬────◆◆cut──┬─────◆◆-2──┬───────────┬───────────┬───◆◆◆─────┬──"
    assert below.startswith("whole     12:00       12:01")
    assert below.endswith("UTC")


def test_the_time_at_the_cursor_stands_below_it_and_is_never_cut():
    above, below = (plain(each) for each in drawn(releases.draining(), after(200).timestamp()))
    at = above.index("┴")
    clock = f"{after(200):%H:%M:%S}"
    assert below.index(clock) <= at < below.index(clock) + len(clock)
    _, below = (plain(each) for each in drawn(releases.draining(), after(-20).timestamp()))
    assert f"{after(-20):%H:%M:%S}" in below


def test_a_cursor_out_of_sight_is_not_drawn():
    above, _ = (plain(each) for each in drawn(releases.draining(), (NOW + timedelta(hours=1)).timestamp()))
    assert "┴" not in above
