"""What is sent to the terminal: the same picture as Textual sends, and no cell that was there already."""

from __future__ import annotations

from dataclasses import replace

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from emqx_tui.session.views.view import View
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.shell.changed_cells import ChangedCells
from emqx_tui.ui.shell.identity import IdentityBar
from tests.support import releases
from tests.support.screen_text import until_shown
from tests.support.scripted import ScriptedBackend

COLOURS = ColorSystem.TRUECOLOR
RED, BOLD = Style(color="red", bgcolor="black"), Style(color="white", bgcolor="black", bold=True)
WIDTH, HEIGHT = 12, 2


def frame(*lines: str | Strip) -> LayoutUpdate:
    strips = [line if isinstance(line, Strip) else Strip([Segment(line, RED)]) for line in lines]
    return LayoutUpdate([[strip.adjust_cell_length(WIDTH, RED)] for strip in strips], Region(0, 0, WIDTH, HEIGHT))


class Screen:
    """A terminal of 12 x 2 cells."""

    def __init__(self, columns: int = WIDTH, rows: int = HEIGHT) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)

    def feed(self, text: str) -> None:
        self._stream.feed(text)

    @property
    def cells(self) -> list[list[object]]:
        screen = self._screen
        return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


def test_a_frame_without_a_change_sends_nothing() -> None:
    cells = ChangedCells()
    assert "abc" in cells.draw(frame("abc", "def"), COLOURS)
    assert cells.draw(frame("abc", "def"), COLOURS) == ""


def test_one_digit_sends_one_cell() -> None:
    cells = ChangedCells()
    cells.draw(frame("LIVE 0.4 s", ""), COLOURS)
    assert cells.draw(frame("LIVE 0.5 s", ""), COLOURS) == "\x1b[1;8H\x1b[31;40m5\x1b[0m"


def test_a_stretch_in_another_place_of_the_line_is_left_alone() -> None:
    cells = ChangedCells()
    cells.draw(frame("abcdef", "ghijkl"), COLOURS)
    chops = [{0: Strip([Segment("a", RED)]), 1: Strip([Segment("Bcdef", RED)])}]
    assert cells.draw(ChopsUpdate(chops, [(0, 1, 6)], [[1, 6]]), COLOURS) == "\x1b[1;2H\x1b[31;40mB\x1b[0m"


def test_what_was_forgotten_is_sent_again() -> None:
    cells = ChangedCells()
    whole = cells.draw(frame("abc", "def"), COLOURS)
    cells.forget()
    assert cells.draw(frame("abc", "def"), COLOURS) == whole


LETTERS = st.sampled_from(["a", "b", " ", "日", "é", "e\u0301", "━", "●"])
STYLES = st.sampled_from([None, RED, BOLD])
LINES = st.lists(st.tuples(LETTERS, STYLES), max_size=6).map(
    lambda found: Strip([Segment(text, style) for text, style in found])
)


@given(st.lists(st.tuples(LINES, LINES), min_size=1, max_size=6))
def test_the_picture_is_that_of_the_last_frame(frames: list[tuple[Strip, Strip]]) -> None:
    cells, seen, drawn = ChangedCells(), Screen(), Screen()
    for lines in frames:
        update = frame(*lines)
        seen.feed(cells.draw(update, COLOURS))
        for y, strips in enumerate(update.strips):
            text = "".join(Strip.render_style(s or Style(), t, COLOURS) for strip in strips for t, s, _ in strip)
            drawn.feed(f"\x1b[{y + 1};1H{text}")
        assert seen.cells == drawn.cells


def counted(view: View, live: int) -> View:
    """The view with another count of the first node."""
    known = dict(view.snapshot.stats.value or {})
    node = min(known)
    known[node] = replace(known[node], live_connections=live)
    return replace(view, snapshot=replace(view.snapshot, stats=replace(view.snapshot.stats, value=known)))


class Recorded(ConsoleApp):
    """Draws each update on two terminals: as Textual does, and by its changed cells."""

    def on_mount(self) -> None:
        super().on_mount()
        self.mine = ChangedCells()
        self.whole, self.changed = Screen(*self.size), Screen(*self.size)
        self.sent = {"whole": 0, "changed": 0}

    def _display(self, screen, renderable) -> None:
        if isinstance(renderable, ChopsUpdate | LayoutUpdate) and not self._batch_count:
            colours = self.console._color_system or COLOURS
            whole, changed = renderable.render_segments(self.console), self.mine.draw(renderable, colours)
            self.whole.feed(whole)
            self.changed.feed(changed)
            self.sent["whole"] += len(whole)
            self.sent["changed"] += len(changed)
        super()._display(screen, renderable)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_screens_of_a_release_look_as_textual_draws_them(size, monkeypatch) -> None:
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)
    backend = ScriptedBackend(shown_view=releases.idle())
    app = Recorded(backend, opened=("mqtt", "emqx-ee"))
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "NODE", "UTC")
        for view in (releases.at_gate(), releases.draining(), releases.auto_held(), releases.done()):
            backend.publish(view=view)
            await pilot.pause()
            for keys in (("l",), ("l",), ("question_mark",), ("escape",), ("enter",), ("escape",)):
                await pilot.press(*keys)
                await pilot.pause()
            assert app.changed.cells == app.whole.cells
        await pilot.press("escape")
        await pilot.pause()
        assert app.changed.cells == app.whole.cells
    assert app.sent["changed"] < app.sent["whole"] / 2


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_a_minute_at_rest_sends_the_digits_that_change(size, monkeypatch) -> None:
    """Sixty views, each with another count: 8 to 30 kB each when whole screens were sent."""
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)
    backend = ScriptedBackend(shown_view=releases.idle())
    app = Recorded(backend, opened=("mqtt", "emqx-ee"))
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, "NODE", "UTC")
        await pilot.pause()
        app.sent["changed"] = 0
        for second in range(60):
            backend.publish(view=counted(releases.idle(), 33_300 + second % 10))
            await pilot.pause()
        assert 0 < app.sent["changed"] < 60 * 200


async def test_a_screen_that_another_one_hides_is_not_drawn() -> None:
    backend = ScriptedBackend(shown_view=releases.idle())
    app = Recorded(backend, opened=("mqtt", "emqx-ee"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "NODE", "UTC")
        await pilot.pause()
        below = app.screen_stack[0]
        assert below is not app.screen
        app.sent["whole"] = 0
        below.refresh()
        below.query_one(IdentityBar).refresh()
        await pilot.pause()
        await pilot.pause()
        assert app.sent["whole"] == 0
