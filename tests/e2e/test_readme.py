"""What the README promises: commands word for word, tables that fit, a Role that is enough and grants no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from emqx_tui.cli import main
from emqx_tui.config import OPTIONS
from emqx_tui.headless.lines.events import FIELDS, Event
from emqx_tui.headless.release.exit_status import EXIT_CODES, USAGE, Result
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.checks.preflight import PREFLIGHT
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    ForgetReleaseStatus,
    Nudge,
    RepairEndpoints,
    RepairService,
    RestoreDelay,
    RestoreTemplate,
    Scale,
    StartDrain,
    StopDrain,
    SwitchEndpoints,
    Target,
)
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.sandbox.kube.rbac import Rule, User, check_right
from emqx_tui.sandbox.kube.resources import standard_resources
from emqx_tui.sandbox.kube.targets import parse_target, verb_of
from emqx_tui.ui.shell.keymap import KEYS, spell
from tests.support.programs import Headless, run
from tests.support.served import NAME, NAMESPACE, Served

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
OPEN_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/emqx-tui demo"
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest"


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [OPEN_COMMAND, TEST_COMMAND])
def test_the_two_commands_stand_on_lines_of_their_own(command: str) -> None:
    assert command in README.splitlines()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert TEST_COMMAND in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def test_a_picture_comes_first_and_every_file_that_is_linked_is_there() -> None:
    first = next(line for line in README.splitlines()[1:] if line)
    assert first.startswith("![")
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", README)
    assert "screenshots/drain.png" in linked
    assert [name for name in linked if not (ROOT / name).is_file()] == []


def test_links_within_the_page_lead_to_headings() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
        for line in README.splitlines()
        if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


# --- tables ------------------------------------------------------------------------------------------------------


def table(first_heading: str, page: str = README) -> list[list[str]]:
    """The rows of the table whose first column is headed so, as cells."""
    lines = page.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def quoted(cell: str) -> list[str]:
    """The words that stand in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def test_exit_codes() -> None:
    rows = {quoted(row[0])[0]: row[1].strip("`") for row in table("Code")}
    assert rows == {**{str(code): str(result) for result, code in EXIT_CODES.items()}, str(USAGE): "", "128 + n": ""}


def test_every_result_is_explained() -> None:
    explained = {row[0]: row[1] for row in table("Field")}
    assert quoted(explained["`result`"]) == [str(result) for result in Result]


def test_events_and_their_fields() -> None:
    rows = {quoted(row[0])[0]: quoted(row[2]) for row in table("Event")}
    assert rows == {str(event): list(FIELDS[event]) for event in Event}
    assert all(row[1] for row in table("Event"))


def test_the_fields_of_the_last_line() -> None:
    explained = [name for row in table("Field") for name in quoted(row[0])]
    assert explained == list(FIELDS[Event.FINISHED])
    (example,) = (json.loads(line) for line in README.splitlines() if line.startswith('{"schema"'))
    assert list(example) == ["schema", "at", "release_id", "event", *FIELDS[Event.FINISHED]]


def test_keys() -> None:
    told = [(area, *pair) for area, keys in table("Screen") for pair in re.findall(r"`(\S+)` ([^·]+?)(?: ·|$)", keys)]
    assert sorted(told) == sorted((str(key.area), spell(key.key), key.label) for key in KEYS)


def test_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("commands:")[2]
    there = re.findall(r"^    ([a-z]+)\b", listed, re.MULTILINE)
    typed = [quoted(row[0])[0].split() for row in table("Command")]
    assert typed[0] == ["emqx-tui"], "the console itself"
    assert sorted(words[1] for words in typed[1:]) == sorted(there)


@pytest.mark.parametrize(
    "command", ["demo", "sandbox", "rollout", "get", "status", "approve", "hold", "freeze", "abort"]
)
def test_every_flag_is_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    usage = capsys.readouterr().out.partition("\n\n")[0]
    flags = set(re.findall(r"--[a-z-]+", usage))
    assert {flag for flag in flags if not re.search(rf"{flag}\b", README)} == set()


def test_settings(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table("Name in the file")
    assert [quoted(row[0]) for row in rows] == [[name] for name in OPTIONS]
    assert [row[2] for row in rows] == [option.means for option in OPTIONS.values()]
    assert {name: option.variable for name, option in OPTIONS.items()} == {
        name: f"EMQX_TUI_{name.upper()}" for name in OPTIONS
    }
    assert main(["--help"]) == 0
    assert main(["rollout", "--help"]) == 0
    taken = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert [quoted(row[1]) for row in rows] == [
        [option.flag] if option.flag in taken else [] for option in OPTIONS.values()
    ]


def test_rows_of_the_measurement() -> None:
    """Both sides for each kind of clients and each time to stop; the README shows some of these rows, word for word."""
    rows = table("clients, pod stop", (ROOT / "tests/bench/RESULTS.md").read_text("utf-8"))
    told = {tuple(re.split(r", (?=\d+ s)|: ", row[0])) for row in rows}
    presets = ("mqttx-default", "mqttx-persistent", "device", "emqtt_bench-reconnect", "emqtt_bench-default")
    wanted = [*presets, "mqttx-default (calibrated)"]
    sides = ("operator alone", "emqx-tui auto")
    assert told == {(name, stop, side) for name in wanted for stop in ("5 s", "25 s") for side in sides}
    shown = table("clients, pod stop")
    assert shown
    assert [row for row in shown if row not in rows] == []


# --- the Role ----------------------------------------------------------------------------------------------------


def manifests() -> Iterator[dict[str, Any]]:
    """Every Kubernetes object in the README's blocks of YAML."""
    for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        for value in yaml.safe_load_all(block):
            if isinstance(value, dict) and "kind" in value:
                yield value


def the(kind: str) -> dict[str, Any]:
    (found,) = (value for value in manifests() if value["kind"] == kind)
    return found


def rules(role: dict[str, Any], namespace: str | None) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            frozenset(rule["verbs"]),
            frozenset(rule["apiGroups"]),
            frozenset(rule["resources"]),
            None if namespace is None else frozenset({namespace}),
            frozenset(rule["resourceNames"]) if "resourceNames" in rule else None,
        )
        for rule in role["rules"]
    )


SPEED = 25
"""A release takes longer than the lease stays fresh, so that it is renewed."""

Asked = tuple[str, str, str]
"""Verb, group, resource."""


@dataclass(frozen=True)
class Person(User):
    """Somebody with rights, who is looked at when using them."""

    used: set[Asked] = field(default_factory=set)
    refused: set[Asked] = field(default_factory=set)

    def may(self, verb: str, group: str, resource: str, namespace: str | None, name: str | None = None) -> bool:
        allowed = super().may(verb, group, resource, namespace, name)
        (self.used if allowed else self.refused).add((verb, group, resource))
        return allowed


def granted(person: Person) -> set[Asked]:
    return {
        (verb, group, resource)
        for rule in person.rules
        for verb in rule.verbs
        for group in rule.groups
        for resource in rule.resources
    }


UNASKED: set[Asked] = {
    ("get", "apps.emqx.io", "emqxenterprises"),  # by kubectl, for those who help themselves
    ("create", "", "pods/portforward"),  # by API servers from 1.35 on
    ("get", "", "pods/log"),  # by whoever opens a node on the screen, as the next four
    ("get", "", "pods"),
    ("get", "apps", "statefulsets"),
    ("get", "", "persistentvolumeclaims"),
    ("list", "", "persistentvolumeclaims"),
    ("get", "apps.emqx.io", "emqxes"),  # kinds that this API server does not have
    ("get", "apps.emqx.io", "emqxbrokers"),
}
"""Rights of the Role that a smooth release on this API server does not use."""

RENEWAL = {("patch", "coordination.k8s.io", "leases")}
"""Used only where the release takes longer, in wall time, than a lease goes without renewal."""


def test_the_role_is_enough_for_a_release_and_grants_nothing_else(tmp_path: Path) -> None:
    role = the("Role")
    assert role["metadata"]["namespace"] == NAMESPACE
    person = Person("release", rules(role, NAMESPACE))
    with served_to(person) as served:
        words = ["--context", person.name, "--flight-log-dir", str(tmp_path), *served.flags]
        words += ["rollout", NAME, "--set", "image.version=4.4.15", "--approve", "auto", "-o", "jsonl"]
        with Headless(words, tmp_path) as release:
            code = release.end(within_s=100.0)
        last = release.told[-1]
        assert (code, last["result"]) == (0, "done"), release.told[-6:]
        assert [told for told in release.told if "forbidden" in json.dumps(told)] == []
        # What is asked for at the scope of the cluster is optional: the operator's image.
        assert person.refused == {("list", "apps", "deployments")}
        assert granted(person) - person.used - RENEWAL == UNASKED
        result = next(event for event in served.list("events") if event["reason"] == "ReleaseDone")
        assert result["involvedObject"]["name"] == NAME


def served_to(person: Person) -> Served:
    """A sandbox with one more user, and a context of that name."""
    served = Served(clients=400, speed=SPEED)
    served.sandbox.accounts.users[person.name] = person
    served.sandbox.accounts.tokens[person.name] = "token-of-the-readme-test"
    return served


TARGET = Target(NAMESPACE, NAME, "uid", "1")
RATES = Rates(200, 200, 5)
COMMANDS: tuple[Command, ...] = (
    ApplyTemplate(TARGET, {}, 1),
    CloseValve(TARGET, 1),
    Nudge(TARGET, 1),
    ForgetReleaseStatus(TARGET),
    SwitchEndpoints(TARGET, (), (), "green only"),
    RepairEndpoints(TARGET, (), (), "blue only"),
    RepairService(TARGET, ()),
    StartDrain(NAMESPACE, "pod-0", "node", (), RATES, "emqx-ee", frozenset()),
    StopDrain(NAMESPACE, "pod-0", "node"),
    Scale(TARGET, 3, 2),
    RestoreTemplate(TARGET, 1, {}, TARGET, 1),
    RestoreDelay(TARGET, 60, "uid-green"),
)


def test_the_role_covers_every_command_there_is() -> None:
    assert {type(command) for command in COMMANDS} == set(get_args(Command))
    person = User("release", rules(the("Role"), NAMESPACE))
    resources = {resource.plural: resource for resource in standard_resources()}
    for command in COMMANDS:
        request = command.request()
        if isinstance(request, KubeRequest):
            target = parse_target(request.path, resources)
            check_right(person, verb_of(request.method, target), target)


@pytest.mark.parametrize("kinds", [("Role",), ("Role", "ClusterRole")])
def test_the_cluster_role_lists_all_namespaces(kinds: tuple[str, ...], tmp_path: Path) -> None:
    scopes = {"Role": NAMESPACE, "ClusterRole": None}
    person = Person("release", tuple(rule for kind in kinds for rule in rules(the(kind), scopes[kind])))
    with served_to(person) as served:
        listed = run(["--context", person.name, *served.flags, "get", "-A", "-o", "json"], tmp_path)
    assert [item["name"] for item in json.loads(listed.stdout)["items"]] == [NAME]
    is_told = "cannot list resource" in listed.stderr
    assert is_told is ("ClusterRole" not in kinds)


def test_the_binding_binds_the_role() -> None:
    role, binding = the("Role"), the("RoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["metadata"]["namespace"] == role["metadata"]["namespace"]


def test_as_many_checks_as_promised() -> None:
    assert "Two dozen pre-flight checks" in " ".join(README.split())
    assert 22 <= len(PREFLIGHT) <= 26
