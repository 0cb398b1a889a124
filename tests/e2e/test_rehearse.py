"""`emqx-tui rehearse` as a process: faults at their times, and a real cluster that is read and left alone."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.served import Served

DEADLINE_S = 120


async def rehearsed(tmp_path: Path, *flags: str) -> dict[str, Any]:
    """The last line of a rehearsal without a screen."""
    own = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emqx_tui", "rehearse", *flags, "-o", "json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **own},
    )
    out, errors = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert (process.returncode, errors) == (0, b"")
    assert not [name for name in os.listdir(tmp_path) if name.startswith("emqx-tui-")], "nothing is left behind"
    return json.loads(out.decode().splitlines()[-1])


async def test_a_lost_node_is_noticed_and_a_quick_restart_of_the_operator_is_not(tmp_path: Path) -> None:
    told = await rehearsed(tmp_path, "--fault", "operator-restart@70s,green-pod-lost@150s", "--speed", "30")
    restarted, lost = told["faults"]
    assert (restarted["fault"], restarted["struck"]) == ("operator-restart@1m10s", "the operator")
    assert (restarted["noticed_as"], restarted["noticed_after_s"]) == (None, None)
    assert lost["fault"] == "green-pod-lost@2m30s"
    assert lost["struck"].endswith("-0")
    assert lost["struck"] in lost["noticed_as"]
    assert 0 <= lost["noticed_after_s"] < 60
    assert told["result"] == "done"
    assert [each["gate"] for each in told["approvals"]] == ["start", "cut-over", "node:2", "node:1", "node:0"]
    assert told["true_disconnects_per_client"] == pytest.approx(told["disconnects_per_client"], abs=0.1)
    assert (told["true_clients_lost"], told["like"]) == (0, None)
    (recording,) = (tmp_path / "state" / "emqx-tui" / "rehearsals").glob("flight-*.jsonl")
    assert told["recording"] == str(recording)
    assert not list(recording.parent.parent.glob("flight-*")), "not among those of real clusters"


class Audit:
    """What reaches a world's API server and brokers, by method."""

    def __init__(self, served: Served) -> None:
        self.methods: list[str] = []
        api, world = served.world.api, served.world
        api.request = self._counted(api.request, 0)  # pyright: ignore[reportAttributeAccessIssue]
        world.emqx_request = self._counted(world.emqx_request, 2)  # pyright: ignore[reportAttributeAccessIssue]

    def _counted(self, send: Callable[..., Any], place: int) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.methods.append(arguments[place])
            return send(*arguments, **named)

        return counted


async def test_the_cluster_that_it_is_like_is_read_and_left_alone(tmp_path: Path) -> None:
    with Served(clients=600, nodes=2, speed=1) as served:
        audit = Audit(served)
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_bytes(served.kubeconfig.read_bytes())
        before = kubeconfig.read_bytes()
        flags = ("--kubeconfig", str(kubeconfig), "--notify", "false", "--like", "admin/default/emqx-ee")
        told = await rehearsed(tmp_path, *flags, "--speed", "60")
        assert set(audit.methods) == {"GET"}
        assert served.journal() is None
        assert len(served.list("statefulsets")) == 1
    assert kubeconfig.read_bytes() == before
    assert (told["cluster"], told["like"]) == ("default/emqx-ee", "admin/default/emqx-ee")
    assert told["result"] == "done"
    assert [each["gate"] for each in told["approvals"]] == ["start", "cut-over", "node:1", "node:0"]
