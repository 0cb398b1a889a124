"""A few whole screens, at the smallest and at a wide size, with frozen figures. Redraw with --snapshot-update."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.change.screen import ChangeScreen
from emqx_tui.ui.shell.identity import IdentityBar
from tests.support.screen_text import until, until_shown
from tests.support.scripted import ScriptedBackend, figures, fleet, row, three_clusters

SIZES = pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
CHECKS = (
    CheckResult("emqx-version", Outcome.PASS, "EMQX 4.4.14 can evacuate"),
    CheckResult("no-release", Outcome.PASS, "no release is running"),
    CheckResult("capacity", Outcome.FAIL, "no room was seen for 3 more pods", "look at the nodes", can_override=True),
)


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)
    monkeypatch.setattr(ChangeScreen, "ASK_AFTER_S", 0.001)


def console(backend: ScriptedBackend, **fields) -> ConsoleApp:
    return ConsoleApp(backend, is_production=True, **fields)


@SIZES
def test_clusters(snap_compare, size):
    async def ready(pilot: Pilot) -> None:
        await until_shown(pilot, "mqtt-stg")

    assert snap_compare(console(ScriptedBackend(three_clusters())), terminal_size=size, run_before=ready)


@SIZES
def test_change(snap_compare, size):
    backend = ScriptedBackend(fleet(row("emqx-ee", "mqtt", live=100_000), row("other", "stg", version="4.4.24")))

    async def ready(pilot: Pilot) -> None:
        await until_shown(pilot, "emqx-ee")
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangeScreen))
        await until_shown(pilot, "nothing changed")
        await pilot.press(*"4.4.15")
        await until(pilot, lambda: backend.asked)
        await until_shown(pilot, "4.4.14 → 4.4.15")
        await until(
            pilot, lambda: backend.asked[-1].draft.template["spec"]["emqxContainer"]["image"]["version"] == "4.4.15"
        )
        backend.publish(edit_preview=backend.asked[-1].answer(*CHECKS, forecast=figures()))
        await until_shown(pilot, "✔ no release is running")

    assert snap_compare(console(backend), terminal_size=size, run_before=ready)


def test_help(snap_compare):
    async def ready(pilot: Pilot) -> None:
        await until_shown(pilot, "mqtt-stg")
        await pilot.press("question_mark")
        await until_shown(pilot, "Keys of this screen")

    assert snap_compare(console(ScriptedBackend(), is_ascii=True), terminal_size=(80, 24), run_before=ready)
