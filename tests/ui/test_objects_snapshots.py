"""The tree of objects and the texts behind it as pictures: three sizes, without colour, in ASCII."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from emqx_tui.session.inspection.questions import Answer, LogExcerpt
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.objects.screen import ObjectsScreen
from emqx_tui.ui.shell.identity import IdentityBar
from emqx_tui.ui.shell.messages import ObjectsWanted
from tests.support.inside import TROUBLED, claim, inventory, view
from tests.support.screen_text import until, until_shown
from tests.support.scripted import ScriptedBackend

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)], ids=["80x24", "120x40", "200x50"])
SMALL = (80, 24)
LOG = (
    "[info] EMQX Enterprise is running now!",
    "[warning] Node evacuation is enabled. " + "It is told at length. " * 5,
)


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)


def console(**fields: Any) -> ConsoleApp:
    backend = ScriptedBackend(shown_view=view(), given_inventory=inventory(claim("data-emqx-ee-5b4f9-0")))
    return ConsoleApp(backend, is_production=True, **fields)


async def on_the_pod(pilot: Pilot) -> None:
    app = pilot.app
    await until_shown(pilot, "mqtt-stg")
    app.post_message(ObjectsWanted(("mqtt", "emqx-ee")))
    await until_shown(pilot, "leftovers")
    while not (isinstance(app.screen, ObjectsScreen) and app.screen.selected and app.screen.selected.pod == TROUBLED):
        await pilot.press("down")
        await pilot.pause()
    await until_shown(pilot, "not [bold]ready[/bold]")


@SIZES
def test_tree(snap_compare, size):
    assert snap_compare(console(), terminal_size=size, run_before=on_the_pod)


def test_tree_in_ascii(snap_compare):
    assert snap_compare(console(is_ascii=True), terminal_size=SMALL, run_before=on_the_pod)


def test_tree_without_colour(snap_compare, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(console(), terminal_size=SMALL, run_before=on_the_pod)


def test_log(snap_compare):
    async def ready(pilot: Pilot) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        backend = app.backend
        assert isinstance(backend, ScriptedBackend)
        await on_the_pod(pilot)
        await pilot.press("l")
        await until(pilot, lambda: backend.questions)
        backend.given_answer = Answer(backend.questions[-1][0], log=LogExcerpt(LOG, 3, is_followed=True))
        backend.publish()
        await until_shown(pilot, "Node evacuation is enabled")

    assert snap_compare(console(), terminal_size=SMALL, run_before=ready)
