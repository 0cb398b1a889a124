"""Several terminals at one sandbox: a release that one drives, others look at and approve, and kill -9 between."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 60
PROGRAM = [sys.executable, "-m", "emqx_tui"]
SPEED = "30"


class Terminals:
    """Commands against one sandbox."""

    def __init__(self, folder: Path, kubeconfig: Path, sandbox: subprocess.Popen[bytes]) -> None:
        self._sandbox = sandbox
        own = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "KUBECONFIG": str(kubeconfig)}
        self._folder = folder / "state" / "emqx-tui"
        self._environment = {**os.environ, **own}

    def end(self) -> None:
        """Take the cluster away. Its kubeconfig stays where it was asked for."""
        self._sandbox.terminate()
        self._sandbox.wait(DEADLINE_S)

    def start(self, *argv: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*PROGRAM, "--clock-rate", SPEED, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def run(self, *argv: str) -> tuple[int, str, str]:
        process = self.start(*argv)
        out, errors = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out, errors

    def document(self, *argv: str) -> Any:
        code, out, errors = self.run(*argv, "-o", "json")
        assert errors == ""
        assert code == 0
        return json.loads(out)

    def recordings(self) -> list[Path]:
        return list(self._folder.glob("flight-*.jsonl"))

    def until(self, is_true: Callable[[Any], bool]) -> Any:
        """The first status of which something is true."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_true(status := self.document("status", "emqx-ee")):
            assert time.monotonic() < deadline, status
        return status


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    kubeconfig = tmp_path / "kubeconfig"
    reading, writing = os.pipe()
    command = [*PROGRAM, "sandbox", "--scenario", "smooth", "--clients", "600", "--speed", SPEED]
    sandbox = subprocess.Popen(
        [*command, "--kubeconfig", str(kubeconfig), "--ready-fd", str(writing), "--parent-pid", str(os.getpid())],
        stdout=subprocess.DEVNULL,
        pass_fds=(writing,),
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as lines:
            assert json.loads(lines.readline())["kubeconfig"] == str(kubeconfig)
        yield Terminals(tmp_path, kubeconfig, sandbox)
    finally:
        sandbox.terminate()
        sandbox.wait(DEADLINE_S)


def lines_until(process: subprocess.Popen[str], event: str) -> list[dict[str, Any]]:
    """Read lines up to the first of an event."""
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(json.loads(line))
        if told[-1]["event"] == event:
            return told
    raise AssertionError(f"no {event}: {told[-1] if told else 'nothing'}")


def test_a_release_with_a_gate_a_hold_and_a_kill(terminals: Terminals) -> None:
    assert terminals.document("get")["items"][0]["phase"] == "Running"
    sets = ["--set", "image.version=4.4.15", "--set", "initialDelaySeconds=5"]
    with ended(terminals.start("rollout", "emqx-ee", *sets, "--approve", "every-node", "-o", "jsonl")) as driver:
        gate = lines_until(driver, "gate")[-1]
        assert (gate["gate"], gate["token"]) == ("cut-over", "green")
        assert terminals.run("approve", "emqx-ee", "--token", "blue")[0] == 1
        answer = terminals.document("approve", "emqx-ee", "cut-over", "--token", "green")
        assert (answer["code"], answer["gate"]) == (0, "cut-over")
        while lines_until(driver, "gate")[-1]["gate"] != "node:2":
            pass
        held = terminals.document("hold", "emqx-ee", "--reason", "look first")
        assert held["code"] == 0
        assert lines_until(driver, "hold")[-1]["reason"] == "look first"
        assert len(terminals.recordings()) == 1, "of the driver, and of none that only asked it for something"
        driver.kill()

    status = terminals.until(lambda found: found["hold"] is not None and found["role"] == "idle")
    assert status["driver"] is None, "a driver that is dead is not named"
    assert status["hold"]["reason"] == "look first"
    assert terminals.document("get", "emqx-ee")["items"][0]["phase"] == "Held"
    code, out, errors = terminals.run("rollout", "emqx-ee", "--exit-on-hold")
    assert (code, errors) == (4, "")
    assert json.loads(out.splitlines()[-1])["result"] == "held"
    assert terminals.document("resume", "emqx-ee")["code"] == 0
    code, out, errors = terminals.run("rollout", "emqx-ee", "--approve", "auto", "-o", "jsonl")
    last = json.loads(out.splitlines()[-1])
    assert (code, errors, last["result"], last["clients_lost"]) == (0, "", "done", 0)
    assert terminals.run("approve", "emqx-ee")[0] == 3
    (item,) = terminals.document("get")["items"]
    assert (item["phase"], item["version"], item["ready"]) == ("Running", "4.4.15", 3)


def test_leaving_at_the_gate_and_aborting_with_nobody_driving(terminals: Terminals) -> None:
    argv = ["rollout", "emqx-ee", "--set", "image.version=4.4.15", "--set", "initialDelaySeconds=5", "--exit-at-gate"]
    code, out, _ = terminals.run(*argv)
    assert code == 3
    (advice,) = (line for line in out.splitlines() if line.split()[1:2] == ["notice"] and "emqx-tui approve" in line)
    assert "emqx-tui approve emqx-ee cut-over -n default" in advice
    code, out, _ = terminals.run("abort", "emqx-ee", "--confirm", "emqx-ee")
    assert code == 0
    assert "the release is aborted" in out
    assert len(terminals.recordings()) == 2, "whoever drives records it"
    assert "| Result | aborted |" in terminals.run("report", "emqx-ee")[1]


def test_what_a_missing_right_and_a_missing_server_are_called(terminals: Terminals) -> None:
    code, out, errors = terminals.run("get", "--as", "nobody")
    assert (code, out) == (1, "")
    assert "nobody" in errors
    assert errors.count("\n") == 1
    code, out, errors = terminals.run("get", "-A", "--context", "namespace-only")
    assert code == 0
    assert "emqx-ee" in out
    assert "only namespace default" in errors
    code, out, _ = terminals.run("status", "emqx-ee", "--context", "read-only")
    assert code == 0
    assert "its journal cannot be read" in out
    code, out, _ = terminals.run("rollout", "emqx-ee", "--context", "read-only", "--set", "image.version=4.4.15")
    assert code == 1
    assert "forbidden" in out
    assert json.loads(out.splitlines()[-1])["result"] == "failed"
    terminals.end()
    code, out, errors = terminals.run("get")
    assert (code, out, errors.count("\n")) == (6, "", 1)
    code, out, _ = terminals.run("rollout", "emqx-ee", "--set", "image.version=4.4.15")
    assert code == 6
    assert json.loads(out.splitlines()[-1])["result"] == "lost_contact"


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
