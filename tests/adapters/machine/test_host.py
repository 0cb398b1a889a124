"""Who we are, and who is dead for certain."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emqx_tui.adapters.machine.host import ThisHost


@pytest.fixture
def host() -> ThisHost:
    return ThisHost.detect()


def test_names_this_process_uniquely(host):
    assert re.fullmatch(rf"\S+@\S+/{os.getpid()}-\d+-[0-9a-f]{{8}}-[0-9a-f]+", host.identity)
    assert host.identity.startswith(host.person + "/")
    assert ThisHost.detect().identity != host.identity


def test_a_given_person(monkeypatch):
    assert ThisHost.detect(person="oidc:ann smith\x1b").person.startswith("oidc:ann_smith_@")
    monkeypatch.setenv("USER", "bob")
    assert ThisHost.detect().person.startswith("bob@")


def other(host: ThisHost, pid: int, start: int) -> str:
    space = host.identity.rpartition("-")[2]
    return f"{host.person}/{pid}-{start}-0badcafe-{space}"


def start_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_process_that_ended_is_dead(host):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = other(host, child.pid, start_of(child.pid))
    assert not host.is_dead(identity)
    child.communicate(b"\n")
    assert host.is_dead(identity)


def test_a_zombie_is_dead(host, tmp_path):
    stat = tmp_path / "77" / "stat"
    stat.parent.mkdir()
    stat.write_text("77 (a) b) Z " + " ".join(["0"] * 18) + " 500 0")
    assert replace(host, proc=tmp_path).is_dead(other(host, 77, 500))
    stat.write_text("77 (a) b) S " + " ".join(["0"] * 18) + " 500 0")
    assert not replace(host, proc=tmp_path).is_dead(other(host, 77, 500))


def test_a_number_used_again_is_another_process(host):
    assert host.is_dead(other(host, os.getpid(), start_of(os.getpid()) - 1))


def test_a_process_hidden_from_proc_is_not_dead(host, tmp_path):
    assert not replace(host, proc=tmp_path).is_dead(other(host, os.getppid(), 1))


def test_without_a_start_time_only_the_number_counts(host):
    assert not host.is_dead(other(host, os.getppid(), 0))


@pytest.mark.parametrize("change", ["host", "space", "garbage", "own", "empty"])
def test_what_is_not_certain_is_not_dead(host, change):
    gone = other(host, 2**22 - 3, 1)
    assert host.is_dead(gone)
    identity = {
        "host": re.sub(r"@[^/]+/", "@elsewhere/", gone),
        "space": gone[:-1] + ("0" if gone[-1] != "0" else "1"),
        "garbage": "somebody",
        "own": host.identity,
        "empty": "",
    }[change]
    assert not host.is_dead(identity)
