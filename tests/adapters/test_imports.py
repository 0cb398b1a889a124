"""The first screen waits for no library of the outside."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"kubernetes", "aiohttp", "httpx", "httpcore", "anyio", "textual", "plotext"}
LIGHT = [
    "kubernetes.credentials",
    "kubernetes.kubeconfig_access",
    "machine.clock",
    "machine.flight_log",
    "machine.host",
    "machine.log_file",
]


def test_nothing_heavy_is_imported_before_a_client_is_built():
    statements = "; ".join(f"import emqx_tui.adapters.{name}" for name in LIGHT)
    script = f"{statements}; import emqx_tui.config, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not HEAVY & set(loaded.stdout.split())
