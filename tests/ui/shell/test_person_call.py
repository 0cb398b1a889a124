"""How a cluster that needs a person calls one to the terminal."""

from __future__ import annotations

from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.ui.app import ConsoleApp
from tests.support.screen_text import until, until_shown
from tests.support.scripted import ScriptedBackend, fleet, row


async def test_bell_title_and_desktop_call_when_one_more_cluster_needs_a_person(monkeypatch):
    rung: list[bool] = []
    titles: list[str] = []
    monkeypatch.setattr(ConsoleApp, "bell", lambda self: rung.append(True))
    told: list[str] = []
    monkeypatch.setattr("emqx_tui.ui.shell.terminal.set_title", lambda app, words: titles.append(words))
    monkeypatch.setattr("emqx_tui.ui.shell.terminal.notify", lambda app, words: told.append(words))
    at_rest = row("other", "stg", live=5)
    waits = row("emqx-ee", "mqtt", phase=Phase.DRAINING, gate=GateId.node(1))
    backend = ScriptedBackend(fleet(at_rest))
    app = ConsoleApp(backend)
    async with app.run_test() as pilot:
        await until_shown(pilot, "other")
        assert (titles, rung) == (["emqx-tui prod-eu"], [])
        backend.publish(fleet=fleet(at_rest, waits))
        await until(pilot, lambda: rung == [True])
        assert titles[-1] == "1 needs you - emqx-tui prod-eu"
        backend.publish(fleet=fleet(at_rest, waits))
        backend.publish(fleet=fleet(row("other", "stg", phase=Phase.DRAINING, is_undriven=True), waits))
        await until(pilot, lambda: rung == [True, True])
        assert titles[-1] == "2 need you - emqx-tui prod-eu"
        backend.publish(fleet=fleet(at_rest))
        await until(pilot, lambda: titles[-1] == "emqx-tui prod-eu")
        assert rung == [True, True]
        assert told == ["emqx-tui: emqx-ee needs you", "emqx-tui: other needs you"]
