"""The log of a container: followed, wrapped, searched, from some time ago, of before the restart."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from emqx_tui.session.inspection.questions import LogExcerpt, ReadLog
from emqx_tui.ui.objects.log_screen import LogScreen, LogText
from emqx_tui.ui.objects.screen import ObjectsScreen
from tests.support.inside import TROUBLED, Inside, inside
from tests.support.screen_text import until, until_said

LINES = ("[info] one", "[warning] two [bold]x[/bold]", "[error] three " + "z" * 200)
MANY = tuple(f"line {n}" for n in range(100))


@asynccontextmanager
async def log(*lines: str, **more):
    async with inside() as console:
        await console.choose(f"pod {TROUBLED}")
        await console.press("l")
        await until(console.pilot, lambda: console.backend.questions)
        await console.answer(log=LogExcerpt(lines or LINES, is_followed=True), **more)
        yield console


def body(console: Inside) -> LogText:
    return console.app.screen.query_one(LogText)


async def test_lines_are_shown_as_they_are_and_new_ones_come_below():
    async with log() as console:
        await console.shows("log of emqx of …745858464d-0", "followed", "3 lines", "two [bold]x[/bold]")
        await console.answer(log=LogExcerpt((*LINES, "four"), is_followed=True))
        await console.shows("four", "4 lines")
        assert console.shown.count("[info] one") == 1


async def test_lines_that_are_not_kept_are_told():
    async with log() as console:
        await console.answer(log=LogExcerpt(("eight",), first=8, is_followed=True))
        await console.shows("the last 1 of 9 lines")


async def test_w_wraps_long_lines_and_cuts_them():
    async with log() as console:
        rows = body(console).line_count
        assert rows > len(LINES)
        await console.press("w")
        assert body(console).line_count == len(LINES)
        await console.press("w")
        assert body(console).line_count == rows


async def test_s_stands_still_and_follows_again():
    async with log(*MANY) as console:
        await console.shows("line 99")
        await console.press("s")
        await console.shows("stands still, s follows")
        await console.press("k")
        await console.answer(log=LogExcerpt((*MANY, "the end"), is_followed=True))
        assert "the end" not in console.shown
        await console.press("s")
        await console.shows("the end")
        await console.press("k", "k", "k", "j")
        assert isinstance(console.app.screen, LogScreen)


async def test_a_search_leaves_only_its_lines_and_escape_drops_it():
    async with log() as console:
        await console.press("slash", *"!error o", "enter")
        await console.shows("[info] one", "two", "only with !error o")
        assert "three" not in console.shown
        await console.answer(log=LogExcerpt((*LINES, "[error] foo", "[info] bordeaux"), is_followed=True))
        await console.shows("bordeaux")
        assert "foo" not in console.shown
        await console.press("escape")
        await console.shows("[error] foo")
        assert isinstance(console.app.screen, LogScreen)
        await console.press("slash", *"one", "escape")
        await console.shows("[error] foo")


async def test_p_shows_the_log_before_the_restart_and_back():
    async with log() as console:
        await console.press("p")
        assert console.question == ReadLog("mqtt", TROUBLED, "emqx", is_previous=True)
        assert "[info] one" not in console.shown
        await console.answer(is_complete=True, log=LogExcerpt(("last words",)))
        await console.shows("before its restart", "ended", "last words")
        await console.press("p")
        assert console.question == ReadLog("mqtt", TROUBLED, "emqx")


async def test_n_goes_to_the_next_container_and_round():
    async with log() as console:
        await console.press("n")
        assert console.question == ReadLog("mqtt", TROUBLED, "reloader")
        await console.shows("log of reloader")
        await console.press("n")
        assert console.question == ReadLog("mqtt", TROUBLED, "emqx")


@pytest.mark.parametrize(("key", "seconds"), [("1", 60), ("2", 300), ("3", 900), ("4", 3600), ("0", None)])
async def test_digits_say_how_far_back_is_read(key, seconds):
    async with log() as console:
        await console.pilot.press("0")
        await console.pilot.press("1")
        await console.pilot.press("2")
        await console.pilot.press("3")
        await console.pilot.press("4")
        await console.press(key)
        question = console.question
        assert isinstance(question, ReadLog)
        assert question.since_s == seconds
        await console.answer(log=LogExcerpt(("x",), is_followed=True))
        assert ("since " in console.shown.splitlines()[1]) == (seconds is not None)


async def test_c_copies_the_lines_that_are_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "linux")
    for name in ("TMUX", "STY"):
        monkeypatch.delenv(name, raising=False)
    async with log() as console:
        console.app._state_dir = tmp_path
        await console.press("slash", *"two", "enter", "c")
        await until_said(console.pilot, "written to")
        (file,) = (tmp_path / "copied").iterdir()
        assert file.read_text("utf-8") == f"{LINES[1]}\n"


async def test_why_there_is_no_log_is_told():
    why = 'previous terminated container "emqx" in pod "emqx-ee-745858464d-0" of this cluster not found'
    async with log(problem=why) as console:
        await console.shows("previous terminated container", "not found")
        assert why in " ".join(console.shown.split())
        await console.answer(log=LogExcerpt(LINES, is_followed=True))
        assert "not found" not in console.shown


async def test_escape_lets_the_log_go():
    async with log() as console:
        await console.press("escape")
        assert isinstance(console.app.screen, ObjectsScreen)
        assert console.backend.stopped_inspecting == 1
