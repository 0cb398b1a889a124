"""What a cluster may say and hold, and what of it must reach no terminal and no file: secrets, and orders to terminals.

One release is looked at on a terminal and driven by a headless run, in a cluster full of both. Then everything that
came out is searched: the bytes on the terminal, standard output, logs, recordings, Events and leases. The journal is
the one place where secrets may be.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.sandbox.emqx.api import HttpReply
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.kube.writes import AdmissionRequest
from emqx_tui.sandbox.world.scenario import manifest
from tests.support.person import Person
from tests.support.programs import Headless, command, environment, left_on_disk, run
from tests.support.served import NAME, Served
from tests.support.terminal import Terminal

EVIL = "\x1b]0;pwn\x07[red]EVIL[/red]\u202e\u2066\x9b31m"
"""A window title, markup, bidirectional overrides, and a colour by a C1 control."""
PLANTED = {
    "api": "plantedApi31",
    "env": "plantedEnv41",
    "new": "plantedNew59",
    "config": "plantedCfg26",
    "log": "plantedLog53",
}
_POINTER = re.compile(rb"\x1b\]22;[a-z-]*\x07")
_TITLE = re.compile(rb"\x1b\]2;(?:\d+ needs? you - )?emqx-tui [\w-]+\x07")
"""The console's own orders of that kind: the shape of the pointer, and a title without any text of the cluster."""
_CSI = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")


def cluster() -> dict[str, Any]:
    cr = manifest(delay_s=10)
    template = cr["spec"]["template"]
    template["metadata"] = {"annotations": {"note": EVIL}}
    template["spec"]["emqxContainer"] |= {
        "bootstrapAPIKeys": [{"key": "ops", "secret": PLANTED["api"]}],
        "env": [{"name": "EMQX_LOADED_COOKIE", "value": PLANTED["env"]}],
        "emqxConfig": {"dashboard.default_user.password": PLANTED["config"]},
    }
    return cr


def plant(served: Served) -> None:
    """Evil words in Events, in conditions, in pods, and in what EMQX answers to the first drain command."""
    world = served.world

    def in_status(request: AdmissionRequest) -> dict[str, Any]:
        new = request.new or {}
        if request.plural == "emqxenterprises" and request.subresource == "status":
            status = new.get("status") or {}
            conditions = [{**each, "message": EVIL, "reason": "EVIL"} for each in status.get("conditions") or ()]
            return {**new, "status": {**status, "conditions": conditions}}
        if request.plural == "pods" and request.subresource == "status":
            return {**new, "status": {**(new.get("status") or {}), "message": EVIL, "reason": EVIL}}
        return new

    def events() -> None:
        resource = world.store.get("emqxenterprises", "default", NAME)
        about = {"kind": "EmqxEnterprise", "name": NAME, "namespace": "default", "uid": resource["metadata"]["uid"]}
        body = {
            "involvedObject": about,
            "reason": f"Odd{EVIL}",
            "message": f"said {EVIL}",
            "type": "Warning",
            "count": 1,
        }
        now = rfc3339(world.timeline.now)
        at = {"firstTimestamp": now, "lastTimestamp": now}
        body |= {"metadata": {"generateName": "odd.", "namespace": "default"}, "source": {"component": EVIL}, **at}
        world.store.create("events", body)
        world.timeline.after(20.0, events)

    real = world.emqx_request
    refused: list[str] = []

    def request(namespace: str, pod: str, method: str, path: str, *rest: Any, **named: Any) -> HttpReply:
        if path.endswith("/evacuation/start") and len(refused) < 2:
            refused.append(path)
            body = json.dumps({"code": 400, "message": f"no: {EVIL}"}).encode()
            return HttpReply(200, "application/json", body)
        return real(namespace, pod, method, path, *rest, **named)

    def plant_all() -> None:
        world.store.admission.append(in_status)
        world.emqx_request = request
        for pod in world.pods():
            broker = world.broker(pod["metadata"]["name"])
            broker.log.append((world.now, f"[info] {EVIL} login password={PLANTED['log']}"))
        events()

    served.call(plant_all)


@dataclass
class Found:
    """Everything that came out of the program, by where it came out."""

    terminal: bytes = b""
    shown: list[str] = field(default_factory=list)
    outputs: dict[str, bytes] = field(default_factory=dict)
    objects: str = ""
    secrets: tuple[str, ...] = ()


@pytest.mark.timeout(180)
def test_neither_secrets_nor_orders_to_terminals_get_out(tmp_path: Path) -> None:
    """A whole release, with a console looking on."""
    with Served(speed=20, cr=cluster()) as served:
        plant(served)
        found = Found(secrets=tuple(_secrets(served)))
        with Terminal(command(*served.flags), columns=140, rows=40, environment=environment(tmp_path)) as terminal:
            _look_and_run(served, terminal, tmp_path, found)
            # The program is stopped where it stands: the last sequence may be cut short.
            found.terminal = bytes(terminal.raw[: terminal.raw.rfind(b"\x1b")])
        found.outputs["files"] = left_on_disk(tmp_path / ".local")
        written = [*served.list("events"), *served.list("leases"), *served.list("configmaps")]
        ours = [each for each in written if "emqx-tui" in json.dumps(each)]
        assert any(each.get("reason") == "ReleaseDone" for each in ours)
        found.objects = json.dumps(ours)
    no_secret_on_the_terminal(found)
    no_secret_in_any_output_file_or_object(found)
    no_order_of_the_cluster_reaches_the_terminal(found)
    markup_of_the_cluster_is_text(found)
    no_order_of_the_cluster_reaches_an_output_or_a_file(found)


def _look_and_run(served: Served, terminal: Terminal, home: Path, everything: Found) -> None:
    person = Person(terminal)

    def note() -> None:
        everything.shown += terminal.lines()

    person.find()
    note()
    terminal.press("e")
    terminal.until_shown("nothing changed", "bootstrapAPIKeys")
    note()
    terminal.press("escape")
    terminal.until_gone("nothing changed")
    _look_inside(terminal, note)
    terminal.press("enter", "l")
    wanted = home / "wanted.yaml"
    wanted.write_text(json.dumps(_wanted(served)))
    words = ["rollout", NAME, "--template", wanted, "--approve", "auto", "-o", "jsonl", *served.flags]
    with Headless(words, home) as driver:
        driver.until_event("role", role="driver")
        terminal.until_shown("EVIL", within_s=40)
        note()
        terminal.until(lambda: served.evacuating() != [], "a drain", within_s=60)
        note()
        for name, command_line in {
            "status": ["status", NAME],
            "status json": ["status", NAME, "-o", "json"],
            "get": ["get"],
            "get json": ["get", NAME, "-o", "json"],
        }.items():
            done = run([*command_line, *served.flags], home)
            assert done.returncode == 0, done.stderr
            everything.outputs[name] = (done.stdout + done.stderr).encode()
        terminal.until_shown("DONE 4.4.14 → 4.4.15", within_s=60)
        note()
        assert driver.end(within_s=30) == 0
    everything.outputs["rollout"] = bytes(driver.out)


def _look_inside(terminal: Terminal, note: Callable[[], None]) -> None:
    """Every object of the tree in every shape, to its end."""
    terminal.press("o")
    terminal.until_shown("RESTARTS", "EMQX 4.4.14")
    for row in ("EmqxEnterprise", "StatefulSet", "pod ", "in the EMQX cluster"):
        terminal.until_shown(row)
        note()
        for key, words in (("y", "YAML of"), ("d", "description of"), ("v", "events of")):
            terminal.press(key)
            terminal.until_shown(words, "as of")
            note()
            for _ in range(8):
                terminal.press("pagedown")
                note()
            terminal.press("escape")
            terminal.until_shown("RESTARTS", row)
        if row != "in the EMQX cluster":
            terminal.press("down")
    terminal.press("l")
    terminal.until_shown("followed", "password=", "EVIL")
    note()
    terminal.press("escape")
    terminal.until_shown("RESTARTS")
    terminal.press("escape")
    terminal.until_gone("RESTARTS")


def _wanted(served: Served) -> dict[str, Any]:
    """The template as it stands, of another version and with another value of a secret variable."""
    resource = served.find("emqxenterprises", NAME)
    assert resource is not None
    text = json.dumps(resource["spec"]["template"]).replace("4.4.14", "4.4.15").replace(PLANTED["env"], PLANTED["new"])
    return json.loads(text)


def _secrets(served: Served) -> Iterable[str]:
    """The planted ones and the operator's own, plain and as they travel."""
    secret = served.find("secrets", f"{NAME}-bootstrap-user")
    assert secret is not None
    lines = base64.b64decode(secret["data"]["bootstrap_user"]).decode().split("\n")
    assert len(lines) == 2
    plain = [*PLANTED.values(), *(line.partition(":")[2] for line in lines)]
    yield from plain
    yield from (base64.b64encode(value.encode()).decode().rstrip("=") for value in (*plain, *lines))
    yield secret["data"]["bootstrap_user"]


def no_secret_on_the_terminal(found: Found) -> None:
    painted = _CSI.sub(b"", found.terminal).decode("utf-8", "replace")
    assert "bootstrapAPIKeys" in painted
    assert [secret for secret in found.secrets if secret in painted] == []


def no_secret_in_any_output_file_or_object(found: Found) -> None:
    assert b"EMQX_LOADED_COOKIE" in found.outputs["rollout"] or b"env" in found.outputs["rollout"]
    for name, output in found.outputs.items():
        assert output, name
        text = output.decode("utf-8", "replace")
        assert [secret for secret in found.secrets if secret in text] == [], name
    assert [secret for secret in found.secrets if secret in found.objects] == []


def no_order_of_the_cluster_reaches_the_terminal(found: Found) -> None:
    rest = _CSI.sub(b"", _TITLE.sub(b"", _POINTER.sub(b"", found.terminal)))
    assert b"EVIL" in rest
    assert b"\x1b" not in rest
    assert b"\x07" not in rest
    for evil in ("\u202e", "\u2066", "\x9b"):
        assert evil.encode() not in found.terminal


def markup_of_the_cluster_is_text(found: Found) -> None:
    evil = [line for line in found.shown if "EVIL[" in line]
    assert evil
    assert [line for line in evil if "[red]EVIL" not in line] == []


def no_order_of_the_cluster_reaches_an_output_or_a_file(found: Found) -> None:
    for name, output in found.outputs.items():
        text = output.decode()
        assert [hex(ord(char)) for char in set(text) if char in "\x1b\x07\x9b\u202e\u2066"] == [], name
    assert re.search(rb"drain \S+ failed: no: [^\"]*EVIL", found.outputs["rollout"])
