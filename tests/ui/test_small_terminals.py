"""From 60x20 on the console shows the state in text, approves and holds; below, it says what it needs, and holds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.intents import Approve, Hold
from emqx_tui.runbook import Gate, Runbook, load
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.cards.abort_card import renew_abort
from emqx_tui.ui.cards.approval import ApprovalCard
from emqx_tui.ui.cards.gate_card import renew_gate
from emqx_tui.ui.cards.typing_guard import SETTLE_S, TypingGuard
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot
from emqx_tui.ui.rollout.rail import rail
from emqx_tui.ui.shell.identity import IdentityBar
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.screen_text import lines, text, until, until_shown
from tests.support.scripted import ScriptedBackend
from tests.ui.test_themes import SCREENS

SMALL = (60, 20)
LONG = Runbook({Gate.DRAIN: tuple(f"Step {number} of the team's own list" for number in range(12))})
TOO_SMALL = [(59, 20), (60, 19), (40, 10)]


@pytest.fixture
def frozen(monkeypatch) -> None:
    monkeypatch.setattr(IdentityBar, "_quiet_s", 0.0)
    monkeypatch.setattr(TypingGuard, "remaining_s", lambda self, now: 1.0)


def on_cluster(view, **fields) -> tuple[ConsoleApp, ScriptedBackend]:
    backend = ScriptedBackend(shown_view=view)
    app = ConsoleApp(backend, opened=("mqtt", "emqx-ee"), **fields)
    return app, backend


@pytest.mark.parametrize("name", ["list", "at_gate", "draining", "auto_held", "done", "approval", "objects", "help"])
def test_pictures(snap_compare, name, frozen):
    make, opened = SCREENS[name]
    backend = make()
    app = ConsoleApp(backend, is_production=True)

    async def ready(pilot) -> None:
        await opened(pilot, backend)

    assert snap_compare(app, terminal_size=SMALL, run_before=ready)


async def test_the_state_is_told_in_text():
    app, _ = on_cluster(releases.draining())
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "prod-eu ▸ mqtt ▸ emqx-ee", "LIVE 0.4 s", "▶ drain 2 of 3", "then it waits for you")
        await until_shown(pilot, "blue 60,251", "green 39,450", "sum 99,701", "missing 113", "(0.29 %)")
        shown = lines(app)
        assert sum("…86d7758868-" in line or "…745858464d-" in line for line in shown if " blue " in line) == 3
        assert not app.screen.query_one(ConnectionPlot).is_on_screen
        assert "is needed" not in text(app)
        assert " per node" not in shown[-1], "there is no plot"


async def test_figures_that_are_old_are_called_so():
    view = releases.draining()
    stats = replace(view.snapshot.stats, read_at=view.now - timedelta(seconds=60))
    app, _ = on_cluster(replace(view, snapshot=replace(view.snapshot, stats=stats)))
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "blue 60,251?", "sum 99,701?")


async def test_held_at_60x20():
    app, backend = on_cluster(releases.at_gate())
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "WAITING FOR YOU", "h hold")
        await pilot.press("h")
        await until(pilot, lambda: backend.intents == [Hold("ann@bastion")])


async def test_approved_at_60x20_with_all_evidence_in_reach():
    view = releases.at_gate()
    app, backend = on_cluster(view)
    clock = itertools.count(1_000.0, SETTLE_S)
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "press a to read and approve")
        renew = renew_gate(GateId.node(0), load(None))
        app.push_screen(
            ApprovalCard(renew, view, by="ann", place="prod-eu ▸ mqtt ▸ emqx-ee", clock=lambda: next(clock))
        )
        await until_shown(pilot, "Approve: drain emqx-ee-86d7758868-0", "prod-eu ▸ mqtt ▸ emqx-ee", "33,120 clients")
        await until_shown(pilot, "going back is", "a new release.", "drain and remove it: [_]", "↓ Runbook")
        seen = text(app)
        for _ in range(6):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += text(app)
        for evidence in ("nobody else changed the object", "Way back", "Runbook", "Command", "-X POST"):
            assert evidence in seen
        assert "↓" not in lines(app)[-2], "all was read"
        await pilot.press("0", "enter")
        await until(pilot, lambda: backend.intents == [Approve(GateId.node(0), "rev-7", "ann")])


async def test_the_key_a_opens_the_same_card_at_60x20():
    app, backend = on_cluster(releases.at_gate())
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "press a to read and approve")
        await pilot.press("a")
        await until_shown(pilot, "Approve: drain emqx-ee-86d7758868-0", "read first")
        await pilot.press("h")
        await until(pilot, lambda: backend.intents == [Hold("ann@bastion")])


@pytest.mark.parametrize("size", TOO_SMALL, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_below_it_one_line_says_what_is_needed_and_hold_holds(size):
    app, backend = on_cluster(releases.draining())
    async with app.run_test(size=size) as pilot:
        await until_shown(pilot, f"{size[0]}x{size[1]}: 60x20 is needed; h still holds", "DRAINING")
        await pilot.press("h")
        await until(pilot, lambda: backend.intents == [Hold("ann@bastion")])


async def test_the_list_has_no_key_of_hold_to_name():
    app = ConsoleApp(ScriptedBackend())
    async with app.run_test(size=(50, 20)) as pilot:
        await until_shown(pilot, "50x20: 60x20 is needed")
        assert "holds" not in text(app)


async def test_the_plot_is_there_again_in_a_larger_terminal():
    app, _ = on_cluster(releases.draining())
    async with app.run_test(size=SMALL) as pilot:
        await until_shown(pilot, "sum 99,701")
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, "UTC")
        await pilot.resize_terminal(80, 23)
        await until(pilot, lambda: "UTC" not in text(app))


@pytest.mark.parametrize(
    ("renew", "hidden"), [(renew_gate(GateId.node(0), LONG), "↓ Runbook, Command"), (renew_abort, "")]
)
async def test_a_card_names_what_is_below_the_fold_the_runbook_first(renew, hidden):
    view = releases.at_gate()
    app, _ = on_cluster(view)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "press a to read and approve")
        app.push_screen(ApprovalCard(renew, view, by="ann"))
        await until_shown(pilot, "esc not now   h hold", hidden)
        assert ("↓" in text(app)) is bool(hidden)
        await pilot.press("pagedown", "pagedown", "pagedown")
        await until(pilot, lambda: "↓" not in text(app))


def test_steps_that_are_done_give_way_first():
    view = releases.draining()
    told = [plain(rail(view, cells)[0]) for cells in (100, 60, 44)]
    assert told[0] == " ✔ create green  ✔ cut over  ▶ drain 2 of 3  ○ finish"
    assert told[1] == " ✔  ✔  ▶ drain 2 of 3  ○ finish"
    assert told[2] == " ✔  ✔  ▶ drain 2 of 3  ○"
