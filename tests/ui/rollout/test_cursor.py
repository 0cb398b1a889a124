"""Where the cursor of the plot goes, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import AbortRecord
from emqx_tui.rollout.telling.stages import Stage
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout import curves
from emqx_tui.ui.rollout.cursor import cursor_lines, in_gap, moved, place_of
from emqx_tui.ui.text.spans import plain, width
from tests.support import releases
from tests.support.releases import after

SECONDS = [float(n) for n in range(100)]
HOLED = [*SECONDS[:40], *SECONDS[70:]]
COARSE = [*[float(n) for n in range(0, 320, 32)], *[float(n) for n in range(320, 400)]]


@pytest.mark.parametrize(
    ("instants", "at", "direction", "to"),
    [
        ([], None, -1, None),
        ([], 5.0, 1, None),
        ([7.0], None, -1, 7.0),
        ([7.0], 7.0, -1, 7.0),
        ([7.0], 7.0, 1, None),
        (SECONDS, None, 1, None),
        (SECONDS, None, -1, 99.0),
        (SECONDS, 99.0, -1, 95.0),
        (SECONDS, 2.0, -1, 0.0),
        (SECONDS, 0.0, -1, 0.0),
        (SECONDS, 95.0, 1, 99.0),
        (SECONDS, 97.0, 1, 99.0),
        (SECONDS, 99.0, 1, None),
        (HOLED, 71.0, -1, 67.0),
        (HOLED, 67.0, -1, 63.0),
        (HOLED, 41.0, -1, 37.0),
        (HOLED, 38.0, 1, 42.0),
        (COARSE, 320.0, -1, 288.0),
        (COARSE, 288.0, -1, 256.0),
        (COARSE, 256.0, 1, 288.0),
    ],
)
def test_it_moves_by_a_column_over_samples(instants, at, direction, to):
    assert moved(instants, at, 4.0, direction) == to


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=300, unique=True), st.floats(20, 400))
def test_the_way_back_comes_to_the_oldest_sample_and_the_way_on_to_live(seconds, cell_s):
    instants = [float(n) for n in sorted(seconds)]
    at = moved(instants, None, cell_s, -1)
    seen = []
    while at is not None and (not seen or at < seen[-1]):
        assert instants[0] <= at <= instants[-1]
        assert at in instants or in_gap(instants, at)
        seen.append(at)
        at = moved(instants, at, cell_s, -1)
    assert seen[-1] == instants[0]
    at, steps = instants[0], 0
    while (after_it := moved(instants, at, cell_s, 1)) is not None:
        assert after_it > at
        at, steps = after_it, steps + 1
        assert steps <= 3000 / cell_s + len(instants) + 2
    assert at == instants[-1]


@pytest.mark.parametrize(("at", "place"), [(0.0, 0), (39.0, 39), (39.5, None), (55.0, None), (70.0, 40), (-1.0, None)])
def test_where_data_are_missing_it_stands_on_no_sample(at, place):
    assert place_of(HOLED, at) == place


def said(view: View, second: float, *, cells: int = 200, is_per_node: bool = False) -> list[str]:
    samples = curves.shown_samples(view)
    traces = curves.traces(samples, view, is_per_node=is_per_node)
    instants = [sample.at.timestamp() for sample in samples]
    found = cursor_lines(view, traces, instants, after(second).timestamp(), 4.0, cells)
    assert len(found) == 1 or width(found[0]) <= cells
    return [plain(each) for each in found]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (-10, " ┊ {}, 6 min 22 s ago · sum ?  blue 100,005  green ?"),
        (20, " ┊ {}, 5 min 52 s ago · creating green · sum ?  blue 100,002  green ?"),
        (99, " ┊ {}, 4 min 33 s ago · ready to cut over · gate cut-over waited since {:gate} · sum"),
        (105, " ┊ {}, 4 min 27 s ago · canary · ann@bastion approved cut-over · sum"),
        (250, " ┊ {}, 2 min 2 s ago · draining · sum 99,918  blue 83,796  green 16,122"),
    ],
    ids=["before the release", "green comes up", "a gate waits", "an approval", "a drain"],
)
def test_it_says_when_that_was_and_what_was_then(second, words):
    (only,) = said(releases.draining(), second)
    clock, gate = f"{after(second):%H:%M:%S}", f"{after(97):%H:%M:%S}"
    assert only.startswith(words.replace("{:gate}", gate).replace("{}", clock))


def test_a_narrow_screen_has_the_values_on_a_line_of_their_own():
    first, second = said(releases.draining(), 250, cells=60)
    assert first.endswith("draining")
    assert second == "   sum 99,918  blue 83,796  green 16,122"


def test_per_node_it_names_every_node_and_says_which_is_gone():
    told = said(releases.draining(), 360, is_per_node=True)[-1]
    assert "b0 33,330  b1 29,330  b2 gone  g0 " in told
    assert "g2 " in told


def test_a_node_that_is_not_there_yet_is_left_out_and_one_that_was_not_counted_is_unknown():
    view = releases.draining()
    early = replace(view, samples=tuple(replace(s, green=s.green or 0) for s in view.samples))
    assert said(early, 30, is_per_node=True)[-1].endswith("sum 100,002  b0 33,334  b1 33,334  b2 33,334")
    hung = f"{releases.BLUE}-1"
    nodes = [{name: count for name, count in s.nodes.items() if name != hung} for s in view.samples]
    silent = replace(
        view, samples=tuple(replace(s, blue=None, nodes=n) for s, n in zip(view.samples, nodes, strict=True))
    )
    known = (*view.samples[:100], *silent.samples[100:])
    assert "sum ?  b0 33,330  b1 ?  b2 ?" in said(replace(view, samples=known), 360, is_per_node=True)[-1]


def test_missing_samples_are_unknown_and_never_zero():
    holed = releases.draining(samples=releases.samples(gap=(220, 300)))
    (only,) = said(holed, 250)
    assert only.endswith("draining · not counted: unknown")
    assert "0" not in only.partition("ago")[2]


def test_a_hold_and_an_abort_are_named():
    held = releases.held()
    assert held.journal is not None
    hold = held.journal.hold
    stages = (*releases.stages(after(250)), Stage(after(250), Phase.DRAINING, hold=hold, is_draining=True))
    (only,) = said(replace(held, stages=stages), 260)
    assert "draining · held by bob@laptop · " in only
    aborted = replace(held.journal, hold=None, abort=AbortRecord("eve@desk", after(261), ""))
    assert "eve@desk aborted" in said(replace(held, journal=aborted, stages=stages[:-1]), 260)[0]


def test_what_was_before_this_console_looked_is_not_known():
    late = releases.draining(stages=(Stage(after(300), Phase.DRAINING),))
    assert "phase not known" in said(late, 250)[0]
    assert "draining" in said(late, 301)[0]
    assert "phase" not in said(releases.idle(), 250)[0]


def test_a_gate_waits_since_it_opened_whatever_else_changed():
    gate = releases.stages()[3].gate
    stages = (
        Stage(after(240), Phase.DRAINING, gate, is_draining=True),
        Stage(after(245), Phase.DRAINING, gate),
    )
    assert f"waited since {after(240):%H:%M:%S}" in said(releases.draining(stages=stages), 250)[0]


def test_coarse_samples_say_so():
    kept = tuple(sample for number, sample in enumerate(releases.samples()) if number < 100 or number % 16 == 0)
    assert "one count in 16 s" in said(releases.draining(samples=kept), 250)[0]
    assert "one count" not in said(releases.draining(samples=kept), 20)[0]


def test_one_sample_and_none_are_enough():
    view = releases.draining()
    one = replace(view, samples=view.samples[-1:])
    assert " 0 s ago · draining · sum 99," in said(one, 372)[0]
    assert said(one, 371)[0].endswith("not counted: unknown")
    assert said(replace(view, samples=()), 250)[0].endswith("not counted: unknown")
