"""The first frame waits for Textual only: what a connection needs is loaded behind it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from typing import Any

import pytest

from emqx_tui.cli import connected
from emqx_tui.cli.commands.console import then_searching
from emqx_tui.cli.garbage import ALLOCATIONS

HEAVY = ("kubernetes", "aiohttp", "httpx", "httpcore", "plotext", "cryptography", "jsonpatch", "tree_sitter")
OURS = ("emqx_tui.session.session", "emqx_tui.rollout.decide", "emqx_tui.sandbox", "emqx_tui.headless")
OF_A_RELEASE = (
    *("rollout.change", "rollout.commands", "rollout.decision", "rollout.forecast.forecast", "rollout.intents"),
    *("rollout.state.journal", "rollout.ungated.ungated", "session.views.facts", "session.inspection.questions"),
    *("session.views.view", "model.series", "model.snapshot", "model.workloads", "adapters.machine.flight_log"),
)
PROGRAM = "import sys, {modules}; print(*sys.modules)"


def loaded_by(*modules: str) -> set[str]:
    program = PROGRAM.format(modules=", ".join(modules))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("command", ["emqx_tui.cli.commands.console", "emqx_tui.cli.commands.demo"])
def test_the_console_loads_nothing_heavy_before_its_first_frame(command: str) -> None:
    loaded = loaded_by(command, "emqx_tui.ui.app")
    assert "textual.app" in loaded
    assert not loaded & {*HEAVY, *OURS}


def test_the_first_frame_loads_nothing_of_a_release() -> None:
    loaded = loaded_by("emqx_tui.cli.commands.console", "emqx_tui.ui.app")
    assert not loaded & {f"emqx_tui.{name}" for name in OF_A_RELEASE}


def test_mistakes_and_versions_load_no_screen() -> None:
    loaded = loaded_by("emqx_tui.cli")
    assert not loaded & {*HEAVY, *OURS, "textual"}


def test_a_list_loads_no_release_and_no_part_of_a_library_that_it_does_not_use() -> None:
    loaded = loaded_by(
        "emqx_tui.cli.commands.get", "emqx_tui.adapters.emqx.client", "emqx_tui.adapters.kubernetes.client"
    )
    assert {"httpx", "kubernetes.aio.client"} <= loaded
    spare = {
        "kubernetes.config",
        "kubernetes.dynamic",
        "urllib3",
        "requests",
        "httpx._main",
        "click",
        "rich",
        "textual",
    }
    assert not loaded & {*spare, "emqx_tui.session.session", "emqx_tui.rollout.decide"}


def test_what_a_list_leaves_out_can_be_imported_later() -> None:
    program = "import emqx_tui.adapters.kubernetes.client, kubernetes.config; print(kubernetes.config.load_kube_config)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "function load_kube_config" in done.stdout


async def test_what_was_loaded_for_the_console_is_not_searched_for_garbage_again():
    loaded = object()

    async def connecting() -> Any:
        return loaded

    before = gc.get_threshold()
    try:
        assert await then_searching(connecting)() is loaded
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == ALLOCATIONS
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_a_command_that_goes_on_begins_to_look_for_garbage(monkeypatch: pytest.MonkeyPatch):
    begun = asyncio.Event()
    monkeypatch.setattr(connected, "GOES_ON_S", 0.0)
    monkeypatch.setattr(connected, "search_often", begun.set)

    async def goes_on(ending: connected.Ending) -> int:
        await begun.wait()
        return 0

    assert connected.run_until_signal(goes_on) == 0
