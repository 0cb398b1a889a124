"""What is said about commands that cannot be understood: one line, exit code 2, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from emqx_tui import __version__
from emqx_tui.cli import main
from emqx_tui.cli.parsing import arguments
from emqx_tui.cli.parsing.arguments import parse
from emqx_tui.config import Settings
from emqx_tui.sandbox.world.scenario import SCENARIOS


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


MISTAKES = {
    "no such check": (["rollout", "x", "--override", "foo"], "expected one of "),
    "unknown command": (["frobnicate"], "invalid choice: 'frobnicate'"),
    "a command that is misspelt": (["rolout", "x"], "invalid choice: 'rolout' (did you mean rollout?); see"),
    "a policy that is misspelt": (["rollout", "x", "--approve", "evry-node"], "(did you mean every-node?); see"),
    "unknown flag": (["get", "--colour"], "get: unrecognized arguments: --colour; see emqx-tui get --help"),
    "unknown flag of the console": (["--colour"], "emqx-tui: unrecognized arguments: --colour; see emqx-tui --help"),
    "flag without its value": (["get", "--context"], "--context"),
    "a name is missing": (["rollout"], "NAME"),
    "a set without a value": (["rollout", "x", "--set", "image.version"], "expected NAME=VALUE"),
    "a set of something else": (["rollout", "x", "--set", "image.versoin=1"], "did you mean image.version?"),
    "a set out of range": (["rollout", "x", "--set", "connEvictRate=0"], "0 is out of range: 1 to 2147483647"),
    "a set below its range": (["rollout", "x", "--set", "waitTakeover=-1"], "-1 is out of range: 0 to 2147483647"),
    "a version that is none": (["rollout", "x", "--set", "image.version=latest"], "'latest' is no semantic version"),
    "a policy that does not exist": (["rollout", "x", "--approve", "sometimes"], "'sometimes'"),
    "a gate that does not exist": (
        ["approve", "x", "cutover"],
        "expected cut-over or a node's ordinal, found 'cutover'",
    ),
    "the start as a gate": (["approve", "x", "start"], "expected cut-over or a node's ordinal"),
    "an output that does not exist": (["rollout", "x", "-o", "yaml"], "'yaml'"),
    "a time-out that is none": (["rollout", "x", "--timeout", "soon"], "such as 30s"),
    "no node at once": (["rollout", "x", "--parallel-drains", "0"], "from 1 to 100"),
    "both ways with holds": (["rollout", "x", "--exit-on-hold", "--wait-on-hold"], "not allowed with"),
    "a template that is not there": (["rollout", "x", "--template", "/nonexistent"], "/nonexistent: No such file"),
    "read-only and rollout": (["--read-only", "rollout", "x", "--set", "image.version=4.4.15"], "--read-only"),
    "read-only and hold": (["hold", "x", "--read-only"], "--read-only"),
    "abort without the name again": (["abort", "x"], "--confirm"),
    "a count of cut-overs": (["approve", "x", "cut-over", "--count", "2"], "--count 2: expected with a node's ordinal"),
    "abort of another name": (["abort", "x", "--confirm", "y"], "expected the name again"),
    "a speed out of range": (["demo", "--speed", "900"], "from 1 to 600, found '900'"),
    "clients that are no number": (["sandbox", "--clients", "many"], "found 'many'"),
    "a scenario that does not exist": (["demo", "--scenario", "heaven"], "green-never-ready"),
    "no kubeconfig": (["get"], "no kubeconfig"),
    "a kubeconfig that is not there": (["get", "--kubeconfig", "/nonexistent"], "no such file"),
    "a way to EMQX that does not exist": (["--emqx-access", "pigeon", "get"], "expected port-forward"),
    "a request time-out that is none": (["get", "--request-timeout", "x"], "--request-timeout"),
    "a log level that does not exist": (["--log-level", "loud", "get"], "expected one of debug"),
    "a log file in a place that cannot be": (["--log-file", "/proc/no/log", "info"], "--log-file"),
    "a switch with another value": (["get", "--all-namespaces=maybe"], "expected true or false"),
    "the console without a terminal": ([], "needs a terminal"),
}


@pytest.mark.parametrize(("argv", "words"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_is_one_line_and_code_2(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("emqx-tui")
    assert told.err.count("\n") == 1
    assert words in told.err


def test_a_template_that_is_no_yaml_names_the_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "template.yaml"
    file.write_text("spec:\n  a: [1\n")
    assert main(["rollout", "x", "--template", str(file)]) == 2
    told = capsys.readouterr().err
    assert f"--template {file}, line 3" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("redirection", "words"),
    [("<&-", "standard input is closed"), ("0>/dev/null", "Bad file descriptor")],
    ids=["closed", "not for reading"],
)
def test_a_standard_input_that_cannot_be_read_is_one_line(redirection: str, words: str) -> None:
    program = [sys.executable, "-m", "emqx_tui", "rollout", "x", "--template", "-"]
    told = subprocess.run(["sh", "-c", f'exec "$@" {redirection}', "sh", *program], capture_output=True, text=True)
    assert (told.returncode, told.stdout, told.stderr) == (2, "", f"emqx-tui rollout: --template -: {words}\n")


@pytest.mark.parametrize(
    "text", ["spec: *hunter2", 'spec: "hunter2', "hunter2: [" * 2_000, "a: !!int hunter2", "hunter2", b"hunter2: \xe9"]
)
def test_a_template_that_is_no_yaml_is_not_quoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | bytes
) -> None:
    file = tmp_path / "template.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["rollout", "x", "--template", str(file)]) == 2
    told = capsys.readouterr().err
    assert f"{file}" in told
    assert "hunter2" not in told
    assert told.count("\n") == 1


def test_an_unexpected_failure_is_one_line_with_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("inner words")

    monkeypatch.setattr("emqx_tui.cli.commands.info.run", broken)
    log = tmp_path / "own.log"
    assert main(["info", "--log-file", str(log)]) == 1
    told = capsys.readouterr().err
    assert told == f"emqx-tui: unexpected ZeroDivisionError; the log has it: {log}\n"
    assert "inner words" in log.read_text()


@pytest.mark.parametrize(
    "argv",
    [
        ["--context", "c", "-n", "ns", "--as", "me", "--as-group", "a", "get", "--as-group", "b", "NAME"],
        ["get", "NAME", "--context=c", "--namespace", "ns", "--as=me", "--as-group=a", "--as-group=b"],
        ["get", "--context", "c", "NAME", "-nns", "--as", "me", "--as-group", "a", "--as-group", "b"],
    ],
    ids=["before", "after", "around"],
)
def test_kubectls_flags_stand_before_and_after_the_command(argv: list[str]) -> None:
    found = parse(argv)
    given = {name: value for name, value in found.settings.items() if value is not None}
    assert given == {"context": "c", "namespace": "ns", "as_user": "me", "as_groups": ["a", "b"]}
    assert (found.command, found.name) == ("get", "NAME")


@pytest.mark.parametrize(
    ("word", "value"), [("-A", True), ("--all-namespaces=true", True), ("--all-namespaces=false", False)]
)
def test_switches_take_kubectls_spellings(word: str, value: bool) -> None:
    assert parse(["get", word]).settings["all_namespaces"] is value


@pytest.mark.parametrize("argv", [["--help"], ["rollout", "--help"], ["demo", "-h"], ["approve", "--help"]])
def test_help_is_no_mistake(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    told = capsys.readouterr()
    assert told.out.startswith("usage: emqx-tui")
    assert told.err == ""


def test_the_help_says_that_a_timeout_of_0_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollout", "--help"]) == 0
    assert "stays where it is (default: 0, no limit)" in " ".join(capsys.readouterr().out.split())
    assert parse(["rollout", "x", "--timeout", "0"]).timeout == 0


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"emqx-tui {__version__}\n" * 2
    assert main(["version", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": __version__}


def test_info_says_where_values_come_from(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EMQX_TUI_APPROVAL", "auto")
    assert main(["info", "--context", "c", "-o", "json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["context"] == {"value": "c", "source": "--context"}
    assert settings["approval"] == {"value": "auto", "source": "EMQX_TUI_APPROVAL"}
    assert settings["clock_rate"] == {"value": "1", "source": "default"}


def test_what_the_file_says_of_the_kubeconfigs_context_applies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = "clusters: [{name: k, cluster: {server: 'https://localhost:1'}}]"
    contexts = "contexts: [{name: prod-us, context: {cluster: k}}]"
    (tmp_path / "kubeconfig").write_text(f"current-context: prod-us\n{cluster}\n{contexts}\n")
    (tmp_path / "config.toml").write_text('[contexts."prod-*"]\nread_only = true\n[contexts.demo]\nascii = true\n')
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    assert main(["info", "-o", "json", "--config", str(tmp_path / "config.toml")]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["read_only"]["value"] == "true"
    assert settings["ascii"]["value"] == "false"
    seen: list[Settings] = []
    monkeypatch.setattr("emqx_tui.cli.commands.demo.run", lambda arguments, own: seen.append(own) or 0)
    assert main(["demo", "--config", str(tmp_path / "config.toml")]) == 0
    assert (seen[0].read_only, seen[0].ascii) == (False, True)


def test_info_names_versions_and_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["emqx-tui"] == __version__
    assert {"python", "textual", "kubernetes"} <= set(found["versions"])
    assert found["files"]["settings"].endswith("config.toml (not there)")
    assert main(["info"]) == 0
    told = capsys.readouterr().out
    assert all(version in told for version in found["versions"].values())
    assert found["cluster"] in told


def test_the_scenarios_are_those_that_there_are() -> None:
    assert set(arguments.SCENARIOS) == set(SCENARIOS)
