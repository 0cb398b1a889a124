"""Two sandboxes side by side, and what the contexts with fewer rights can do."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.sandbox.world.scenario import manifest
from tests.support.person import Person
from tests.support.programs import Headless, command, environment, run, wait_until
from tests.support.served import NAME, Served
from tests.support.terminal import Terminal


@pytest.fixture
def served() -> Iterator[Served]:
    with Served(speed=30, cr=manifest(delay_s=10), pod_boot_s=5.0) as served:
        yield served


def start_sandbox(folder: Path, clients: int) -> tuple[subprocess.Popen[bytes], Path]:
    kubeconfig = folder / f"kubeconfig-{clients}"
    words = ["sandbox", "--scenario", "smooth", "--clients", str(clients), "--speed", "10", "--kubeconfig", kubeconfig]
    process = subprocess.Popen(command(*words), env=environment(folder), stdout=subprocess.DEVNULL)
    return process, kubeconfig


def test_two_sandboxes_side_by_side(tmp_path: Path) -> None:
    """Each has pods on addresses of its own, and a console at each sees its own clients."""
    sandboxes = [start_sandbox(tmp_path, clients) for clients in (120, 450)]
    try:
        seen: list[dict[str, Any]] = []
        for process, kubeconfig in sandboxes:
            wait_until(kubeconfig.exists, "sandbox")
            assert process.poll() is None
            flags = ["--kubeconfig", kubeconfig, "--clock-rate", "10", "--emqx-access", "direct"]
            status = run(["status", NAME, "-o", "json", *flags], tmp_path)
            assert status.returncode == 0, status.stderr
            seen.append(json.loads(status.stdout))
        print(json.dumps(seen[0], indent=1)[:1500])
        counts = [found["connections"]["sum"] for found in seen]
        assert 100 < counts[0] <= 120 < 430 < counts[1] <= 450
    finally:
        for process, _ in sandboxes:
            process.send_signal(signal.SIGINT)
        assert [process.wait(10) for process, _ in sandboxes] == [0, 0]


def test_rights_on_one_namespace_are_enough_for_a_release(served: Served, tmp_path: Path) -> None:
    flags = ["--context", "namespace-only", *served.flags]
    with Terminal(command(*flags), environment=environment(tmp_path)) as terminal:
        Person(terminal).find()
        terminal.until_shown("namespace-only", "4.4.14", "3/3")
        words = ["rollout", NAME, "--set", "image.version=4.4.15", "--approve", "auto", "-o", "jsonl"]
        with Headless([*words, *flags], tmp_path) as driver:
            driver.until_event("role", role="driver")
            terminal.until(lambda: terminal.line_with(NAME, "4.4.14→4.4.15"), "the release in the list", within_s=30)
            assert driver.end(within_s=60) == 0
        terminal.until(lambda: terminal.line_with(NAME, "running", "4.4.15"), "its end in the list", within_s=20)


def test_without_rights_to_write_it_can_be_watched_and_the_missing_verb_is_named(
    served: Served, tmp_path: Path
) -> None:
    flags = ["--context", "read-only", *served.flags]
    with Terminal(command(*flags), columns=120, rows=40, environment=environment(tmp_path)) as terminal:
        person = Person(terminal)
        person.find()
        terminal.press("enter")
        terminal.until_shown("RUNNING 4.4.14", "3/3 ready", "watch only: no right to list secrets")
        terminal.until_shown("LIVE")
        assert not terminal.shows("STALE")
        terminal.press("escape")
        person.find()
        terminal.press("e")
        terminal.until_shown("nothing changed")
        terminal.type("4.4.15")
        terminal.until_shown('cannot patch resource "endpoints"', "grant 'patch endpoints'")
        terminal.press("w")
        terminal.until_shown("Not yet:")
    refused = run(["rollout", NAME, "--set", "image.version=4.4.15", "-o", "jsonl", *flags], tmp_path)
    assert refused.returncode == 1
    problem, last = (json.loads(line) for line in refused.stdout.splitlines())
    assert 'cannot list resource "secrets"' in problem["text"]
    assert last["result"] == "failed"
    held = run(["hold", NAME, *flags], tmp_path)
    assert held.returncode == 1
    assert 'cannot list resource "secrets"' in held.stderr
    resource = served.find("emqxenterprises", NAME)
    assert resource is not None
    assert resource["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"] == "4.4.14"
    assert served.journal() is None
