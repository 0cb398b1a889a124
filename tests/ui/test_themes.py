"""The themes on whole screens: every word that is drawn can be read, and `:theme` changes all of them at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from rich.segment import Segment
from textual.app import App
from textual.pilot import Pilot

from emqx_tui.session.inspection.questions import Answer, LogExcerpt
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards.typing_guard import TypingGuard
from emqx_tui.ui.change.screen import ChangeScreen
from emqx_tui.ui.objects.screen import ObjectsScreen
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot
from emqx_tui.ui.shell.identity import IdentityBar
from emqx_tui.ui.text.themes import THEMES
from tests.support import releases
from tests.support.colours import contrast
from tests.support.inside import claim, inventory
from tests.support.inside import view as inside
from tests.support.screen_text import until, until_shown
from tests.support.scripted import ScriptedBackend, fleet, row

LEAST_CONTRAST = 4.5
SIZE = (120, 40)
Opened = Callable[[Pilot, ScriptedBackend], Awaitable[None]]


@pytest.fixture
def frozen(monkeypatch) -> None:
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)
    monkeypatch.setattr(TypingGuard, "remaining_s", lambda self, now: 1.0)


def console(backend: ScriptedBackend, **fields: Any) -> ConsoleApp:
    return ConsoleApp(backend, is_production=True, **fields)


async def listed(pilot: Pilot, _: ScriptedBackend) -> None:
    await until_shown(pilot, "mqtt-stg")


async def cluster_opened(pilot: Pilot, _: ScriptedBackend) -> None:
    await until_shown(pilot, "mqtt-stg")
    await pilot.press("enter")
    await until_shown(pilot, "CLIENTS", "NODE")


async def approval_opened(pilot: Pilot, backend: ScriptedBackend) -> None:
    await cluster_opened(pilot, backend)
    await pilot.press("a")
    await until_shown(pilot, "read first")


async def change_opened(pilot: Pilot, _: ScriptedBackend) -> None:
    await until_shown(pilot, "emqx-ee")
    await pilot.press("e")
    await until(pilot, lambda: isinstance(pilot.app.screen, ChangeScreen))
    await until_shown(pilot, "nothing changed", "emqxContainer")


async def objects_opened(pilot: Pilot, _: ScriptedBackend) -> None:
    await until_shown(pilot, "mqtt-stg")
    await pilot.press("o")
    await until(pilot, lambda: isinstance(pilot.app.screen, ObjectsScreen) and pilot.app.screen.selected)
    await until_shown(pilot, "describe", "out of Service")
    await pilot.press("down", "down")


async def yaml_opened(pilot: Pilot, backend: ScriptedBackend) -> None:
    await objects_opened(pilot, backend)
    await pilot.press("y")
    await until(pilot, lambda: backend.questions)
    backend.given_answer = Answer(backend.questions[-1][0], object=OBJECT, is_complete=True)
    backend.publish()
    await until_shown(pilot, "replicas: 3")


async def log_opened(pilot: Pilot, backend: ScriptedBackend) -> None:
    await objects_opened(pilot, backend)
    await pilot.press("down", "l")
    await until(pilot, lambda: backend.questions)
    backend.given_answer = Answer(backend.questions[-1][0], log=LogExcerpt(("[info] EMQX is running",), 1))
    backend.publish()
    await until_shown(pilot, "EMQX is running")


async def help_opened(pilot: Pilot, backend: ScriptedBackend) -> None:
    await listed(pilot, backend)
    await pilot.press("question_mark")
    await until_shown(pilot, "Keys of this screen")


OBJECT = {"kind": "StatefulSet", "spec": {"replicas": 3, "paused": False, "serviceName": "emqx-ee"}}
LISTED = fleet(
    row(live=100_000), row("other", "mqtt-stg", version="4.4.24", ready=1), row("third", "lab", condition=None)
)
SCREENS: dict[str, tuple[Callable[[], ScriptedBackend], Opened]] = {
    "list": (ScriptedBackend, listed),
    **{
        moment: (lambda make=make: ScriptedBackend(shown_view=make()), cluster_opened)
        for moment, make in {
            "at_gate": releases.at_gate,
            "draining": releases.draining,
            "auto_held": releases.auto_held,
            "done": releases.done,
            "idle": releases.idle,
            "ungated": releases.ungated,
        }.items()
    },
    "approval": (lambda: ScriptedBackend(shown_view=releases.at_gate()), approval_opened),
    "change": (lambda: ScriptedBackend(LISTED), change_opened),
    "objects": (
        lambda: ScriptedBackend(shown_view=inside(), given_inventory=inventory(claim("data-emqx-ee-5b4f9-0"))),
        objects_opened,
    ),
    "yaml": (lambda: ScriptedBackend(shown_view=inside(), given_inventory=inventory()), yaml_opened),
    "log": (lambda: ScriptedBackend(shown_view=inside(), given_inventory=inventory()), log_opened),
    "help": (ScriptedBackend, help_opened),
}


def words(app: ConsoleApp) -> Iterator[tuple[str, str, str]]:
    """(text, its colour, its ground) of whatever can be read: all of a screen, or the card on top."""
    card = next(iter(app.screen.query(".card")), None)
    strips = app.screen._compositor.render_strips()
    if card is not None:
        region = card.region
        strips = [strip.crop(region.x, region.right) for strip in strips[region.y : region.bottom]]
    for segment in (segment for strip in strips for segment in strip):
        if any(char.isalnum() for char in segment.text):
            colour, ground = colours(segment)
            assert segment.style
            yield (segment.text, ground, colour) if segment.style.reverse else (segment.text, colour, ground)


def colours(segment: Segment) -> list[str]:
    style = segment.style
    return [each.get_truecolor().hex for each in (style.color, style.bgcolor) if each] if style else []


async def change_theme(pilot: Pilot, app: ConsoleApp, name: str) -> None:
    app.use_theme(name)
    for _ in range(3):
        await pilot.pause()


@pytest.mark.parametrize("name", SCREENS)
async def test_every_word_can_be_read_in_every_theme(name: str):
    make, opened = SCREENS[name]
    backend = make()
    app = console(backend)
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, backend)
        for theme in THEMES:
            await change_theme(pilot, app, theme)
            found = [(text, round(contrast(*pair), 2), *pair) for text, *pair in words(app)]
            assert len(found) > 10
            assert [each for each in found if each[1] < LEAST_CONTRAST] == [], theme


@pytest.mark.parametrize("name", SCREENS)
async def test_mono_draws_no_hue(name: str):
    make, opened = SCREENS[name]
    backend = make()
    app = console(backend, theme="mono")
    async with app.run_test(size=SIZE) as pilot:
        await opened(pilot, backend)
        strips = app.screen._compositor.render_strips()
        drawn = {colour for strip in strips for segment in strip for colour in colours(segment)}
        assert [colour for colour in drawn if len({colour[1:3], colour[3:5], colour[5:7]}) > 1] == []


def cells(app: App) -> list[list[tuple[str, ...]]]:
    """What is seen in each cell: the character with its colour and its ground, of a blank the ground alone."""
    return [
        [(char, *colours(segment)[char == " " :]) for segment in strip for char in segment.text]
        for strip in app.screen._compositor.render_strips()
    ]


async def settled(pilot: Pilot) -> list[list[tuple[str, ...]]]:
    """The cells once they change no more."""
    seen: list[list[list[tuple[str, ...]]]] = []

    def are_still() -> bool:
        seen.append(cells(pilot.app))
        return len(seen) >= 3 and seen[-3] == seen[-2] == seen[-1]

    await until(pilot, are_still)
    return seen[-1]


@pytest.mark.parametrize("name", SCREENS)
async def test_another_theme_is_drawn_as_if_it_had_been_there_from_the_start(name: str, frozen: None):
    make, opened = SCREENS[name]
    from_the_start = None
    for begun in ("light", "dark"):
        backend = make()
        app = console(backend, theme=begun, colour="purple")
        async with app.run_test(size=SIZE) as pilot:
            await opened(pilot, backend)
            if begun != "light":
                await change_theme(pilot, app, "light")
            backend.publish()
            if from_the_start is None:
                from_the_start = await settled(pilot)
            else:
                await until(pilot, lambda: cells(app) == from_the_start)  # noqa: B023 (asked at once)


async def test_theme_is_typed_completed_and_in_effect_at_once():
    app = console(ScriptedBackend())
    async with app.run_test(size=SIZE) as pilot:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("colon", *"theme")
        await until_shown(pilot, *(f"theme {name}" for name in THEMES), "blue, yellow and orange")
        await pilot.press(*" li", "down", "enter")
        await until(pilot, lambda: app.theme == "light")
        await until(pilot, lambda: app.screen.styles.background.hex.lower() == THEMES["light"].background)


def test_there_are_no_other_themes():
    assert list(console(ScriptedBackend()).available_themes) == list(THEMES)


@pytest.mark.parametrize("name", THEMES)
async def test_no_color_goes_before_any_theme(monkeypatch, name: str):
    monkeypatch.setenv("NO_COLOR", "1")
    app = console(ScriptedBackend(shown_view=releases.draining()), theme=name)
    async with app.run_test(size=SIZE) as pilot:
        await cluster_opened(pilot, ScriptedBackend())
        for strip in app.screen._compositor.render_strips():
            segments = list(strip)
            for line_filter in app.get_line_filters():
                segments = line_filter.apply(segments, app.screen.background_colors[0])
            styles = [segment.style for segment in segments if segment.style]
            drawn = {colour for style in styles for colour in (style.color, style.bgcolor) if colour}
            assert all(colour.is_default for colour in drawn)


@pytest.mark.parametrize("name", ["mono", "deuteranopia", "tritanopia"])
async def test_curves_differ_by_signs_as_without_colour(monkeypatch, name: str):
    pictures = []
    for theme, no_color in ((name, False), ("dark", True)):
        if no_color:
            monkeypatch.setenv("NO_COLOR", "1")
        app = console(ScriptedBackend(shown_view=releases.draining()), theme=theme)
        async with app.run_test(size=SIZE) as pilot:
            await cluster_opened(pilot, ScriptedBackend())
            await until_shown(pilot, "• blue", "+ green")
            pictures.append(app.screen.query_one(ConnectionPlot))
    texts = [["".join(segment.text for segment in strip) for strip in plot._strips] for plot in pictures]
    assert texts[0] == texts[1]
