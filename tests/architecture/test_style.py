"""Lint, format and types, so that `pytest` is the one command that tells."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("ruff", "check", "."), id="lint"),
        pytest.param(("ruff", "format", "--check", "."), id="format"),
        pytest.param(("basedpyright",), id="types", marks=pytest.mark.timeout(300)),
    ],
)
def test_tool_is_content(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [BIN / words[0], *words[1:]], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_no_file_names_a_machine() -> None:
    """No absolute path of a machine and no registry host in what is committed."""
    import re

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    wrong = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/\w|https?://(?:files\.)?(?:pypi|pythonhosted)")
    found = []
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in {".png", ".svg", ".raw"} or not path.is_file() or path == Path(__file__):
            continue
        found += [
            f"{name}: {line[:80]}" for line in path.read_text(errors="replace").splitlines() if wrong.search(line)
        ]
    assert found == []
