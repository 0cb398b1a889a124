"""`emqx-tui doctor` on a sandbox: well, without rights, without the resource, without a server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.programs import run
from tests.support.served import Served


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(speed=1.0) as served:
        yield served


def checks(home: Path, *argv: str | Path) -> tuple[int, dict[str, dict[str, Any]]]:
    """(exit code, check by name)."""
    done = run(["doctor", "-o", "json", *argv], home)
    found = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    # Whatever is wrong is told with its cure.
    assert [name for name, check in found.items() if check["outcome"] in ("fail", "wait") and not check["hint"]] == []
    return done.returncode, found


def changed(served: Served, folder: Path, **user: Any) -> str:
    """The sandbox's kubeconfig with another user, or another server."""
    config = yaml.safe_load(served.kubeconfig.read_text())
    for entry in config["users"]:
        entry["user"] = user
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


def test_all_is_well_and_the_one_cluster_is_examined(served: Served, tmp_path: Path) -> None:
    code, found = checks(tmp_path, "--kubeconfig", served.kubeconfig)
    assert code == 0
    assert {name for name, check in found.items() if check["outcome"] not in ("pass", "skipped")} == set()
    assert found["dry-run"] == {
        "about": "cluster default/emqx-ee",
        "check": "dry-run",
        "outcome": "pass",
        "evidence": "the server accepts the patch",
        "hint": None,
    }
    assert "one cluster in namespace default: emqx-ee" in found["resource"]["evidence"]
    assert found["clock"]["outcome"] == "pass"


def test_looking_changes_nothing(served: Served, tmp_path: Path) -> None:
    before = {plural: served.list(plural) for plural in ("emqxenterprises", "secrets", "leases", "endpoints", "events")}
    assert checks(tmp_path, "emqx-ee", "--kubeconfig", served.kubeconfig)[0] == 0
    for plural, objects in before.items():
        versions = {o["metadata"]["name"]: _asked_for(o) for o in objects}
        assert {o["metadata"]["name"]: _asked_for(o) for o in served.list(plural)} == versions


def _asked_for(value: dict[str, Any]) -> tuple[Any, Any]:
    """Status is the operator's own; what is asked for is ours to leave alone."""
    return value.get("spec"), value["metadata"].get("generation")


def test_a_missing_right_is_named_with_its_cure(served: Served, tmp_path: Path) -> None:
    code, found = checks(tmp_path, "--kubeconfig", served.kubeconfig, "--context", "read-only")
    assert code == 1
    assert found["right-scale"]["outcome"] == "fail"
    assert found["right-scale"]["hint"] == "grant 'patch statefulsets/scale': see the Role in README"
    assert "grant 'patch emqxenterprises': see the Role in README" in found["dry-run"]["hint"]
    assert (found["complete"]["hint"], found["emqx-api"]["outcome"]) == ("see emqx-api", "fail")


def test_a_token_that_is_not_taken(served: Served, tmp_path: Path) -> None:
    code, found = checks(tmp_path, "--kubeconfig", changed(served, tmp_path, token="planted-token"))
    assert code == 1
    assert found["api-server"]["outcome"] == "fail"
    assert found["api-server"]["hint"] == "log in again, or renew the token"
    assert "resource" not in found
    assert "planted-token" not in json.dumps(found)


def test_a_plugin_that_is_not_there(served: Served, tmp_path: Path) -> None:
    plugin = {"command": "no-such-login", "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}
    code, found = checks(tmp_path, "--kubeconfig", changed(served, tmp_path, exec=plugin))
    assert code == 1
    assert "exec plugin no-such-login" in found["kubeconfig"]["evidence"]
    assert "no-such-login" in found["api-server"]["evidence"]


def test_the_proxy_is_told_without_its_password(served: Served, tmp_path: Path) -> None:
    config = yaml.safe_load(served.kubeconfig.read_text())
    for entry in config["clusters"]:
        entry["cluster"]["proxy-url"] = "http://ops:planted-word@127.0.0.1:9"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    code, found = checks(tmp_path, "--kubeconfig", str(path))
    assert code == 1
    assert found["proxy"]["evidence"] == "http://127.0.0.1:9, by the kubeconfig"
    assert found["api-server"]["outcome"] == "fail"
    assert "planted-word" not in json.dumps(found)


def test_a_kubeconfig_that_leads_nowhere(tmp_path: Path) -> None:
    code, found = checks(tmp_path, "--kubeconfig", str(tmp_path / "none"))
    assert code == 1
    assert list(found) == ["terminal", "files", "runbook", "notify", "metrics", "kubeconfig"]
    assert found["kubeconfig"]["outcome"] == "fail"


def test_a_name_that_is_not_there(served: Served, tmp_path: Path) -> None:
    code, found = checks(tmp_path, "nope", "--kubeconfig", served.kubeconfig)
    assert code == 1
    assert found["object"]["evidence"] == "no EmqxEnterprise 'nope'"


def test_several_clusters_ask_for_a_name(served: Served, tmp_path: Path) -> None:
    code, found = checks(tmp_path, "-A", "--kubeconfig", served.kubeconfig)
    assert code == 0
    assert "right-scale" not in found


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    argv = ("--flight-log-dir", str(tmp_path / "file" / "below"), "--kubeconfig", str(tmp_path / "none"))
    _, found = checks(tmp_path, *argv)
    assert found["files"]["outcome"] == "fail"
    assert "flight_log_dir" in found["files"]["hint"]


@pytest.mark.parametrize(
    ("way", "outcome", "evidence"),
    [
        ("", "pass", "nobody is called"),
        ("sh -c planted-word", "pass", "a command that is there; not tried"),
        ("no-such-pager planted-word", "fail", "the program of this command is not found"),
        ("https://hooks.example.com/planted-word", "pass", "a webhook; not tried"),
    ],
)
def test_the_way_to_call_a_person_is_looked_at(tmp_path: Path, way: str, outcome: str, evidence: str) -> None:
    _, found = checks(tmp_path, "--notify", way, "--kubeconfig", str(tmp_path / "none"))
    assert (found["notify"]["outcome"], evidence in found["notify"]["evidence"]) == (outcome, True)
    assert outcome == "pass" or "setting notify (--notify)" in found["notify"]["hint"]
    assert "planted-word" not in json.dumps(found)


def test_metrics_that_cannot_be_served_are_told_with_their_cure(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for address, outcome, evidence in (
            (f"127.0.0.1:{port}", "fail", f"cannot serve on 127.0.0.1:{port}"),
            ("nowhere", "fail", "expected HOST:PORT"),
            ("127.0.0.1:0", "pass", "can be served on 127.0.0.1:"),
        ):
            _, found = checks(tmp_path, "--metrics", address, "--kubeconfig", str(tmp_path / "none"))
            assert (found["metrics"]["outcome"], evidence in found["metrics"]["evidence"]) == (outcome, True)
            assert outcome == "pass" or "setting metrics (--metrics)" in found["metrics"]["hint"]


def test_a_runbook_that_cannot_be_used_is_told_with_its_cure(tmp_path: Path) -> None:
    own, big = tmp_path / "own.md", tmp_path / "big.md"
    own.write_text("# drain\nAsk the owner first.\n")
    big.write_text("# drain\n" + "x" * 70_000)
    nowhere = ("--kubeconfig", str(tmp_path / "none"))
    for file, outcome, evidence in (
        (own, "pass", str(own)),
        (tmp_path / "gone.md", "fail", "No such file or directory"),
        (big, "fail", "more than 65,536 bytes"),
        (tmp_path, "fail", "not a file"),
    ):
        _, found = checks(tmp_path, "--runbook", str(file), *nowhere)
        assert found["runbook"]["outcome"] == outcome
        assert evidence in found["runbook"]["evidence"]
        assert outcome == "pass" or "--runbook" in found["runbook"]["hint"]
    assert checks(tmp_path, *nowhere)[1]["runbook"]["evidence"] == "the words of the program"
