"""Which way imports point, and that a new folder has to pick a layer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_tool(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run([*words], cwd=ROOT, capture_output=True, text=True, env=environment, timeout=300, check=False)


def test_import_contracts_hold() -> None:
    done = run_tool("lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "7 kept, 0 broken" in done.stdout


def test_an_import_against_the_layers_would_be_found(tmp_path: Path) -> None:
    """The check can fail: a copy with one wrong import breaks its contract."""
    import shutil

    for name in ("emqx_tui", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    wrong = tmp_path / "emqx_tui" / "model" / "reading.py"
    wrong.write_text(wrong.read_text() + "\nimport emqx_tui.session.ports\n")
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=300,
        check=False,
    )
    assert done.returncode != 0
    assert "Imports point inwards BROKEN" in done.stdout


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("emqx_tui.cli", ("kubernetes", "httpx", "aiohttp", "plotext", "textual")),
        ("emqx_tui.ui.app", ("kubernetes", "httpx", "aiohttp", "plotext", "tree_sitter")),
        ("emqx_tui.adapters", ("kubernetes", "httpx", "aiohttp")),
        ("emqx_tui.rollout.decide", ("asyncio", "kubernetes", "httpx")),
    ],
)
def test_heavy_libraries_are_loaded_late(module: str, forbidden: tuple[str, ...]) -> None:
    """The first frame must not wait for them."""
    code = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
