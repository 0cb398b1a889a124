"""The screens of a replay: they say so, show what was shown, go where the keys say, and send nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from emqx_tui.rollout.phases import Phase
from emqx_tui.session.replay import Replay
from emqx_tui.session.views.view import View
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.replay.app import REASON, ReplayApp
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot
from emqx_tui.ui.shell.identity import IdentityBar
from emqx_tui.ui.shell.notice_line import STANDS_S
from tests.support import recorded
from tests.support.screen_text import lines, text, until, until_said, until_shown
from tests.support.scripted import ScriptedBackend, three_clusters


@pytest.fixture(autouse=True, scope="module")
def _played() -> None:
    """The release is played before a loop runs: it has one of its own."""
    recorded.release()


@pytest.fixture(autouse=True)
def frozen(monkeypatch) -> None:
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)


@contextlib.asynccontextmanager
async def replaying(size: tuple[int, int] = (100, 30)) -> AsyncIterator[tuple[ReplayApp, Replay, Pilot]]:
    app = ReplayApp(recorded.release().replay())
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "REPLAY", "NODE", "CLIENTS")
        yield app, app.replay, pilot


async def live(view: View, size: tuple[int, int]) -> list[str]:
    """The same view on a console that may send nothing."""
    fleet = replace(three_clusters(), context="replay", server="", namespace="default")
    backend = ScriptedBackend(fleet, view)
    app = ConsoleApp(backend, opened=("default", "emqx-ee"))
    app.read_only_reason = REASON
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "NODE", "CLIENTS", "DONE")
        await until(pilot, lambda: app.notice is None)
        await until(pilot, lambda: app.screen.query_one(ConnectionPlot).traces())
        backend.publish(view=replace(view))
        await pilot.pause()
        return lines(app)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_the_end_is_the_screen_that_was_live(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STANDS_S, "information", 0.05)
    was_live = await live(recorded.release().views[-1], size)
    async with replaying(size) as (app, replay, pilot):
        await pilot.press("end")
        await until(pilot, lambda: replay.at == replay.end)
        await until(pilot, lambda: lines(app)[1:] == was_live[1:])
        assert lines(app)[0].startswith(" ▐REPLAY▌ emqx-ee")


async def test_the_keys_go_through_time() -> None:
    views = recorded.release().views
    async with replaying() as (_, replay, pilot):
        await pilot.press("right")
        await until(pilot, lambda: replay.view() == views[1])
        await pilot.press("left")
        await until(pilot, lambda: replay.view() == views[0])
        await pilot.press("full_stop")
        await until(pilot, lambda: (replay.at - replay.begin).total_seconds() == 60)
        await pilot.press("comma")
        await until(pilot, lambda: replay.at == replay.begin)
        await pilot.press("g")
        await until_shown(pilot, "WAITING FOR YOU")
        at_gate = replay.at
        await pilot.press("j")
        await until(pilot, lambda: replay.at > at_gate)
        await pilot.press("home")
        await until(pilot, lambda: replay.at == replay.begin)
        await pilot.press("plus")
        await until_shown(pilot, "2×")
        await pilot.press("minus")
        await until_shown(pilot, "‖ 1×")
        await pilot.press("space")
        await until(pilot, lambda: replay.at > replay.begin)
        await pilot.press("space")
        await until(pilot, lambda: not replay.is_playing)


async def test_the_arrows_step_until_the_cursor_is_shown_and_then_move_it() -> None:
    async with replaying() as (app, replay, pilot):
        await pilot.press("end")
        await until(pilot, lambda: replay.at == replay.end)
        plot = app.screen.query_one(ConnectionPlot)
        await until(pilot, plot.traces)
        await pilot.press("c")
        await until_shown(pilot, "┊")
        newest = plot.cursor_s
        await pilot.press("left", "left")
        assert newest is not None
        assert plot.cursor_s is not None
        assert plot.cursor_s < newest
        assert replay.at == replay.end, "the recording stands still"
        await until_shown(pilot, " ago · ")
        await pilot.press("end")
        assert plot.cursor_s is None
        await pilot.press("left")
        await until(pilot, lambda: replay.at < replay.end)
        await pilot.press("z")
        await until_said(pilot, "the plot shows all that there is")


async def test_a_replay_knows_what_was_expected_and_when_gates_waited() -> None:
    async with replaying() as (app, replay, pilot):
        while (view := replay.view()) is not None and view.decision.phase is not Phase.DRAINING:
            await pilot.press("j")
        await until_shown(pilot, "as forecast")
        await until(pilot, lambda: "◆" in plain_axis(app))
        assert view is not None
        assert view.expected is not None
        assert view.stages


def plain_axis(app: ReplayApp) -> str:
    return next((row for row in lines(app) if "└" in row), "")


async def test_nothing_can_be_approved() -> None:
    async with replaying() as (app, replay, pilot):
        await pilot.press("g")
        await until_shown(pilot, "WAITING FOR YOU")
        before = replay.view()
        await pilot.press("a")
        await until_said(pilot, f"Nothing was sent: {REASON}")
        await pilot.press("h")
        assert len(app.screen_stack) == 2, "no card is opened"
        assert replay.view() == before


@pytest.mark.parametrize(("key", "words"), [("e", "edits"), ("o", "objects"), ("enter", "pod")])
async def test_what_is_not_in_a_recording_is_said(key: str, words: str) -> None:
    async with replaying() as (_, _, pilot):
        await pilot.press(key)
        await until_said(pilot, words)
        await until_said(pilot, "not in a recording")


async def test_help_begins_with_the_keys_of_a_replay() -> None:
    async with replaying() as (app, _, pilot):
        await pilot.press("question_mark")
        await until_shown(pilot, "Play, or stand still")
        assert "Open the approval card" in text(app) or "Keys of a replay" in text(app)
