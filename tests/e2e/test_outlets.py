"""A release without a screen, watched by Prometheus and telling a person: `--metrics`, `--notify`."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.programs import Headless, wait_until
from tests.support.served import Served


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_a_release_is_served_as_metrics_and_calls_at_its_gate(tmp_path: Path) -> None:
    port, told = free_port(), tmp_path / "told"
    script = tmp_path / "call"
    script.write_text(f"#!/bin/sh\ncat >> {told}\necho >> {told}\n")
    script.chmod(0o700)

    def scraped() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return ""

    def calls() -> list[dict[str, str]]:
        return [json.loads(line) for line in told.read_text().splitlines() if line] if told.exists() else []

    with Served(speed=20.0) as served:
        release = ["rollout", "emqx-ee", "--set", "image.version=4.4.15", "--approve", "cut-over", "-o", "jsonl"]
        words = [*served.flags, "--metrics", f"127.0.0.1:{port}", "--notify", str(script), *release]
        with Headless(words, tmp_path):
            waiting = 'emqx_tui_gate_waiting{gate="cut-over",name="emqx-ee",namespace="default"} 1.0'
            wait_until(lambda: waiting in scraped(), "gate", within_s=60.0)
            wait_until(calls, "call")
            assert 'emqx_tui_driven{name="emqx-ee",namespace="default"} 1.0' in scraped()
    assert [(call["cause"], call["what"], call["name"]) for call in calls()] == [("gate", "cut-over", "emqx-ee")]
