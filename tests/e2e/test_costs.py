"""What the program costs, counted instead of timed: a busy machine changes nothing in these numbers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.programs import environment
from tests.support.served import Served

MODULES = {"get": 515}
"""The most that a command may load, Python's own modules included."""
SPARE = (
    *("pydantic", "dateutil", "textual", "rich", "plotext"),
    *("emqx_tui.session.views.view", "emqx_tui.model.series"),
    *("emqx_tui.session.session", "emqx_tui.rollout.decide", "emqx_tui.rollout.decision", "emqx_tui.rollout.change"),
    *("emqx_tui.model.workloads", "emqx_tui.model.claims", "emqx_tui.model.snapshot", "emqx_tui.model.yaml_writing"),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served() as served:
        yield served


def loaded_by(served: Served, home: Path, *words: str) -> set[str]:
    """The modules that a command has loaded by its end."""
    program = [sys.executable, "-P", "-X", "importtime", "-m", "emqx_tui", "--kubeconfig", str(served.kubeconfig)]
    done = subprocess.run(
        [*program, *words], env=environment(home), capture_output=True, text=True, timeout=60, check=True
    )
    assert "emqx-ee" in done.stdout
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_a_list_loads_no_more_than_it_needs(served: Served, tmp_path: Path) -> None:
    loaded = loaded_by(served, tmp_path, "get", "-A")
    assert not {name for name in loaded if name.startswith(SPARE)}
    assert len(loaded) <= MODULES["get"]
