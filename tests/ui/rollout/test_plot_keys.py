"""The keys of the plot: time window, cursor, and what was expected."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.views.view import View
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot, Legend
from emqx_tui.ui.rollout.plot import Plotter
from emqx_tui.ui.rollout.screen import RolloutScreen
from tests.support import releases
from tests.support.releases import NOW, after
from tests.support.screen_text import lines, until
from tests.ui.rollout.test_screen import LARGE, SMALL, Session, session


def plot_of(console: Session) -> ConnectionPlot:
    return console.app.screen.query_one(ConnectionPlot)


def corner(console: Session) -> str:
    """What the lower left corner of the plot says."""
    return next(row for row in lines(console.app) if "UTC" in row)[:6].strip()


def then(console: Session) -> str:
    """The line of the cursor; empty without one."""
    return next((row for row in lines(console.app) if row.startswith(" ┊ ")), "").strip()


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_z_steps_through_the_windows_and_the_corner_says_which(size):
    async with session(releases.done(), size) as console:
        seen = [corner(console)]
        for _ in range(3):
            await console.press("z")
            seen.append(corner(console))
        assert seen == ["whole", "10m", "3m", "whole"]


async def test_a_release_shorter_than_every_window_has_no_other_one():
    short = tuple(sample for sample in releases.samples() if sample.at >= NOW - timedelta(seconds=60))
    async with session(releases.draining(samples=short)) as console:
        await console.press("z")
        assert corner(console) == "whole"
        assert console.said == "the plot shows all that there is: it is less than 3 minutes"


async def test_the_figures_of_the_legend_are_those_of_the_window():
    async with session(releases.draining(), LARGE) as console:
        assert "100k" in legend_of(console, "⠒ blue")
        await console.press("z")
        assert corner(console) == "3m"
        assert legend_of(console, "⠒ blue").split() == ["60.3k", "95.4k", "77.6k", "60.3k"]


def legend_of(console: Session, sign: str) -> str:
    return next(row for row in lines(console.app) if sign in row).partition(sign)[2]


async def test_left_and_right_move_the_cursor_and_the_line_below_says_what_was_then():
    async with session(releases.draining(), LARGE) as console:
        await console.press("left")
        assert then(console).startswith(f"┊ {NOW:%H:%M:%S}, 0 s ago · draining · sum 99,917")
        await console.press("left", "left")
        before = then(console)
        assert "5 s ago" not in before
        await console.press("right")
        assert then(console) != before
        await console.press("right")
        assert "0 s ago" in then(console)
        await console.press("right")
        assert then(console) == ""


async def test_c_shows_the_cursor_and_hides_it():
    async with session(releases.draining()) as console:
        await console.press("c")
        assert "0 s ago" in then(console)
        await console.press("c")
        assert then(console) == ""


@pytest.mark.parametrize("key", ["end", "escape"])
async def test_end_and_esc_go_back_to_now_and_leave_the_screen_as_it_was(key):
    async with session(releases.draining(), LARGE) as console:
        before = lines(console.app)
        await console.press("home")
        assert then(console) == ""
        await console.press("left", "home")
        assert "6 min 32 s ago" in then(console)
        assert f"{after(-20):%H:%M:%S}" in next(row for row in lines(console.app) if "UTC" in row)
        await console.press(key)
        assert lines(console.app) == before
        assert isinstance(console.app.screen, RolloutScreen)
        await console.press("escape")
        assert isinstance(console.app.screen, ClustersScreen)


async def test_the_cursor_stays_where_it_is_while_all_else_goes_on():
    async with session(releases.draining(), LARGE) as console:
        await console.press("left", "left", "left")
        at = plot_of(console).cursor_s
        before = then(console)
        later = NOW + timedelta(seconds=30)
        view = releases.draining(samples=releases.samples(later))
        plot_of(console)._next_at = float("-inf")
        await console.publish(replace(view, snapshot=replace(view.snapshot, now=later)))
        assert plot_of(console).cursor_s == at
        clock = before.partition(",")[0]
        await until(console.pilot, lambda: then(console).startswith(f"{clock}, 40 s ago"))
        assert "54.3k" in legend_of(console, "⠒ blue")


async def test_before_a_narrow_window_the_cursor_takes_it_along():
    async with session(releases.draining(), LARGE) as console:
        await console.press("z", "left", "home")
        assert corner(console) == "3m"
        clock = f"{after(-20):%H:%M:%S}"
        assert clock in then(console)
        below = next(row for row in lines(console.app) if "UTC" in row)
        assert clock in below
        assert "12:05" not in below
        await console.press("end")
        assert "12:05" in next(row for row in lines(console.app) if "UTC" in row)


async def test_per_node_the_cursor_has_every_node():
    async with session(releases.draining(), LARGE) as console:
        await console.press("n", "left")
        assert "b0 33,330" in then(console)
        assert "b2 gone" in then(console)
        await console.press("n")
        assert "blue " in then(console)


async def test_in_the_enlarged_log_the_keys_are_those_of_the_log():
    async with session(releases.draining()) as console:
        await console.press("l", "left", "home", "end", "escape")
        assert plot_of(console).cursor_s is None
        await console.press("slash", "x", "left", "home", "enter")
        assert plot_of(console).cursor_s is None


@pytest.mark.parametrize("samples", [(), releases.samples()[-1:]], ids=["none", "one"])
async def test_no_sample_and_one_are_enough(samples):
    async with session(releases.draining(samples=samples)) as console:
        await console.press("z", "left", "left", "right", "home", "end", "c", "n", "c")
        assert "DRAINING" in console.shown


@pytest.fixture
def drawings(monkeypatch) -> list[int]:
    """How many curves each drawing had."""
    found: list[int] = []
    draw = Plotter.draw

    def counted(self, curves, *arguments):
        found.append(len(curves))
        return draw(self, curves, *arguments)

    monkeypatch.setattr(Plotter, "draw", counted)
    return found


async def test_the_cursor_draws_no_curve_anew(drawings):
    async with session(releases.draining(), LARGE) as console:
        await console.press("left")  # the line below takes a row from the plot
        before = len(drawings)
        await console.press("left", "left", "right", "home")
        assert len(drawings) == before


async def test_n_draws_the_curves_of_a_view_once(drawings):
    async with session(releases.draining(), LARGE) as console:
        await console.press("n")
        before, nodes = len(drawings), lines(console.app)
        await console.press("n")
        assert lines(console.app) != nodes
        await console.press("n")
        assert lines(console.app) == nodes
        assert len(drawings) == before
        later = NOW + timedelta(seconds=30)
        view = releases.draining(samples=releases.samples(later))
        plot_of(console)._next_at = float("-inf")
        await console.publish(replace(view, snapshot=replace(view.snapshot, now=later)))
        await console.press("n")
        assert drawings[before:] == [7, 3]


async def test_what_was_expected_is_drawn_behind_and_named():
    async with session(releases.draining(expected=releases.expected(260.0)), LARGE) as console:
        curves = console.shown.split("NODE")[0]
        assert curves.count("·") > 20
        assert "· 1 min 57 s ahead of the forecast" in console.shown
        await console.press("n")
        assert "ahead of" not in console.shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(166.0, "as forecast"), (100.0, "1 min 14 s behind the forecast")],
    ids=["in the band", "late"],
)
async def test_the_legend_says_how_far_a_release_is_off(seconds, words):
    async with session(releases.draining(expected=releases.expected(seconds))) as console:
        assert f"· {words}" in console.shown


async def test_a_wide_band_is_named_with_the_distance():
    fast, slow = releases.expected(100.0), releases.expected(300.0)
    async with session(releases.draining(expected=replace(fast, slow=slow.blue))) as console:
        assert "· as forecast, 1 min 14 s behind" in console.shown


async def test_without_colour_dots_of_their_own_show_what_was_expected():
    async with session(releases.draining(expected=releases.expected(260.0)), LARGE, is_ascii=True) as console:
        assert ". 1 min 57 s ahead of the forecast" in console.shown
        assert console.shown.split("NODE")[0].count(".") > 20


def unknown() -> View:
    return releases.draining(stages=(replace(releases.stages()[-1], since=NOW),))


@pytest.mark.parametrize(
    "view",
    [releases.draining(expected=None), unknown(), replace(releases.idle(), decision=Decision(Phase.IDLE))],
    ids=["no forecast", "came later", "no release"],
)
async def test_where_it_is_not_known_nothing_is_expected(view):
    async with session(view, LARGE) as console:
        assert "forecast" not in console.shown
        assert "expected" not in console.shown


async def test_with_old_counts_nobody_knows_how_far_it_is_off():
    view = releases.draining()
    lost = replace(view.snapshot, stats=replace(view.snapshot.stats, problem="connection refused"))
    async with session(replace(view, snapshot=lost), LARGE) as console:
        assert "· expected" in console.shown
        assert "forecast" not in console.shown


async def test_the_legend_shares_the_rows_anew_with_the_checks_when_there_are_more():
    async with session(releases.held(freeze=True), SMALL) as console:
        await console.press("n")
        legend = console.app.screen.query_one(Legend)
        await until(console.pilot, lambda: 0 < legend.size.height < legend.wanted)
        await console.pilot.resize_terminal(120, 40)
        await until(console.pilot, lambda: legend.size.height == legend.wanted)
