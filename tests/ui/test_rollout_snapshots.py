"""The rollout screen as pictures: what a person sees at a gate, in a drain, held, at the card, and at the end."""

from __future__ import annotations

import itertools

import pytest
from textual.pilot import Pilot

from emqx_tui.rollout.gate_id import GateId
from emqx_tui.session.views.view import View
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.cards.gate_card import renew_gate
from emqx_tui.ui.cards.typing_guard import SETTLE_S
from emqx_tui.ui.cards.ungated_cards import renew_adoption
from emqx_tui.ui.shell.identity import IdentityBar
from tests.support import releases
from tests.support.screen_text import until_shown
from tests.support.scripted import ScriptedBackend

SMALL, LARGE = (80, 24), (200, 50)


@pytest.fixture(autouse=True)
def frozen(monkeypatch):
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)


def console(view: View) -> ConsoleApp:
    backend = ScriptedBackend(shown_view=view)
    return ConsoleApp(backend, is_production=True, opened=("mqtt", "emqx-ee"))


async def ready(pilot: Pilot) -> None:
    await until_shown(pilot, "CLIENTS", "NODE", "UTC")


MOMENTS = {
    "at_gate": releases.at_gate,
    "draining": releases.draining,
    "auto_held": releases.auto_held,
    "done": releases.done,
    "idle": releases.idle,
    "ungated": releases.ungated,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_small(snap_compare, moment):
    assert snap_compare(console(MOMENTS[moment]()), terminal_size=SMALL, run_before=ready)


def test_large(snap_compare):
    assert snap_compare(console(releases.draining()), terminal_size=LARGE, run_before=ready)


SHOWN = {
    "cursor": ["left", "left", "left", "left"],
    "cursor-before-3m": ["z", "left", "home"],
    "per-node": ["n", "left"],
}


@pytest.mark.parametrize("size", [SMALL, (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("keys", SHOWN.values(), ids=SHOWN)
def test_plot(snap_compare, size, keys):
    async def pressed(pilot: Pilot) -> None:
        await ready(pilot)
        await pilot.press(*keys)
        await until_shown(pilot, " ago · ")

    assert snap_compare(console(releases.held(freeze=True)), terminal_size=size, run_before=pressed)


def test_plot_in_ascii(snap_compare):
    async def pressed(pilot: Pilot) -> None:
        await ready(pilot)
        await pilot.press("left", "left")
        await until_shown(pilot, " ago - ")

    backend = ScriptedBackend(shown_view=releases.draining())
    app = ConsoleApp(backend, opened=("mqtt", "emqx-ee"), is_ascii=True)
    assert snap_compare(app, terminal_size=(120, 40), run_before=pressed)


def test_approval_card(snap_compare):
    times = itertools.count(0.0, SETTLE_S)
    view = releases.at_gate()

    def clock() -> float:
        return next(times)

    async def opened(pilot: Pilot) -> None:
        await ready(pilot)
        card = ApprovalCard(
            renew_gate(GateId.node(0)), view, by="ann@bastion", place="prod-eu ▸ mqtt ▸ emqx-ee", clock=clock
        )
        pilot.app.push_screen(card)
        await until_shown(pilot, "Type the node's number (0)")

    assert snap_compare(console(view), terminal_size=SMALL, run_before=opened)


@pytest.mark.parametrize("size", [SMALL, (120, 40)], ids=["80x24", "120x40"])
def test_card_of_a_release_without_a_journal(snap_compare, size):
    times = itertools.count(0.0, SETTLE_S)
    view = releases.ungated(is_stopped=True)

    async def opened(pilot: Pilot) -> None:
        await until_shown(pilot, "A release without a journal")
        pilot.app.pop_screen()
        card = ApprovalCard(
            renew_adoption, view, by="ann@bastion", place="prod-eu ▸ mqtt ▸ emqx-ee", clock=lambda: next(times)
        )
        pilot.app.push_screen(card)
        await until_shown(pilot, "Type adopt or abort")

    assert snap_compare(console(view), terminal_size=size, run_before=opened)
