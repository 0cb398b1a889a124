"""The first frame waits for Textual only: what a connection needs is loaded behind it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("kubernetes", "aiohttp", "httpx", "httpcore", "plotext", "cryptography", "jsonpatch", "tree_sitter")
OURS = ("emqx_tui.session.session", "emqx_tui.rollout.decide", "emqx_tui.sandbox", "emqx_tui.headless")
PROGRAM = "import sys, {modules}; print(*sys.modules)"


def loaded_by(*modules: str) -> set[str]:
    program = PROGRAM.format(modules=", ".join(modules))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("command", ["emqx_tui.cli.console", "emqx_tui.cli.demo"])
def test_the_console_loads_nothing_heavy_before_its_first_frame(command: str) -> None:
    loaded = loaded_by(command, "emqx_tui.ui.app")
    assert "textual.app" in loaded
    assert not loaded & {*HEAVY, *OURS}


def test_mistakes_and_versions_load_no_screen() -> None:
    loaded = loaded_by("emqx_tui.cli")
    assert not loaded & {*HEAVY, *OURS, "textual"}
