"""Shell completion: through a real bash, against a sandbox, and where the cluster does not answer."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emqx_tui.cli import main
from emqx_tui.cli.commands.completion import TIMEOUT_S
from tests.support.programs import environment, wait_until
from tests.support.served import NAME, Served

COMPLETE = r"""
source <(emqx-tui completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=$' \t\n"'"'"'><=;|&(:'
_python_argcomplete emqx-tui
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(speed=1, clients=60) as served:
        yield served


def run_bash(line: str, home: Path, **variables: str) -> list[str]:
    """What bash offers at the end of a line; nothing may reach the terminal beside it."""
    own = environment(home, **variables)
    own["PATH"] = f"{Path(sys.executable).parent}:{own['PATH']}"
    words = ["bash", "--norc", "-c", COMPLETE, "bash", line]
    done = subprocess.run(words, env=own, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return [word.strip() for word in done.stdout.splitlines() if word.strip()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("emqx-tui app", ["approve"]),
        ("emqx-tui co", ["compare", "completion"]),
        ("emqx-tui status --cont", ["--context"]),
        ("emqx-tui --log-l", ["--log-level"]),
        ("emqx-tui --log-level w", ["warning"]),
        ("emqx-tui --emqx-access d", ["direct"]),
        ("emqx-tui completion ", ["bash", "zsh", "fish"]),
        ("emqx-tui demo --scenario sl", ["slow-drain"]),
        ("emqx-tui rehearse --fault api", ["api-down@"]),
        ("emqx-tui rehearse --fault api-down@6m+90s,rat", ["api-down@6m+90s,rates-edited@"]),
        ("emqx-tui rollout x --set image.v", ["image.version="]),
        ("emqx-tui rollout x --override ud", ["udp"]),
        ("emqx-tui approve x cu", ["cut-over"]),
        ("emqx-tui get -o ", ["table", "wide", "json", "yaml", "name", "jsonpath="]),
        ("emqx-tui status x -o j", ["json"]),
        ("emqx-tui get --frob", []),
        ("emqx-tui get ", []),
        ("emqx-tui --context ", []),
    ],
)
def test_bash_completes_without_a_cluster(line: str, expected: list[str], tmp_path: Path) -> None:
    assert run_bash(line, tmp_path) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("emqx-tui get ", [NAME]),
        ("emqx-tui abort x --confirm e", [NAME]),
        ("emqx-tui --kubeconfig {kubeconfig} status ", [NAME]),
        ("emqx-tui status -n elsewhere ", []),
        ("emqx-tui rehearse --like ", [f"default/{NAME}", "admin/", "namespace-only/", "read-only/"]),
        ("emqx-tui rehearse --like def", [f"default/{NAME}"]),
        ("emqx-tui rehearse --like read-only/", [f"read-only/default/{NAME}"]),
        ("emqx-tui status -n elsewhere -A ", [NAME]),
        ("emqx-tui get -n def", ["default"]),
        ("emqx-tui get --namespace=def", ["default"]),
        ("emqx-tui --context namespace-", ["namespace-only"]),
        ("emqx-tui get --context namespace-only ", [NAME]),
    ],
)
def test_bash_completes_what_the_cluster_has(served: Served, line: str, expected: list[str], tmp_path: Path) -> None:
    kubeconfig = str(served.kubeconfig)

    def is_offered() -> bool:
        return run_bash(line.format(kubeconfig=kubeconfig), tmp_path, KUBECONFIG=kubeconfig) == expected

    # On a busy machine the two seconds can be over before the sandbox has answered.
    wait_until(is_offered, f"{line!r} completed with {expected}", within_s=20)


KUBECONFIG = """
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users: [{{name: u, user: {user}}}]
"""
PLUGIN = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: %s, interactiveMode: IfAvailable}}"


def test_a_server_that_does_not_answer_completes_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = tmp_path / "kubeconfig"
        file.write_text(KUBECONFIG.format(server=f"http://127.0.0.1:{silent.getsockname()[1]}", user="{}"))
        began = time.monotonic()
        assert run_bash("emqx-tui get ", tmp_path, KUBECONFIG=str(file)) == []
        assert TIMEOUT_S <= time.monotonic() - began < TIMEOUT_S + 15


def test_a_credential_plugin_that_asks_prints_nothing(tmp_path: Path) -> None:
    plugin = tmp_path / "login"
    plugin.write_text("#!/bin/sh\necho 'Password: ' >&2\nread answer </dev/tty || exit 1\n")
    plugin.chmod(0o755)
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG.format(server="http://127.0.0.1:1", user=PLUGIN % plugin))
    assert run_bash("emqx-tui get ", tmp_path, KUBECONFIG=str(file)) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "emqx-tui" in script
    assert ("complete --command emqx-tui" in script) is (shell == "fish")
    if program := shutil.which(shell):
        checked = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, timeout=20, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_a_start_without_completion_does_not_load_it() -> None:
    program = "import sys, emqx_tui.cli.parsing.arguments, emqx_tui.cli; print('argcomplete' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
