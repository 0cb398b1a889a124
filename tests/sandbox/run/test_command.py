"""The sandbox as a process: ready line, ends, exit codes, and neighbours."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emqx_tui.sandbox.run.command import SandboxOptions, make_world
from emqx_tui.sandbox.run.subnets import UNCLAIMED, claim_subnet

DEADLINE_S = 30
PROGRAM = (
    "import sys; from pathlib import Path; from emqx_tui.sandbox.run.command import SandboxOptions, run_sandbox; "
    "sys.exit(run_sandbox(SandboxOptions(**eval(sys.argv[1]))))"
)


@dataclass
class Served:
    process: asyncio.subprocess.Process
    ready: dict[str, Any]

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), DEADLINE_S)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Served]:
    reading, writing = os.pipe()
    options = {"clients": 30, "ready_fd": writing, **options}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, repr(options), stdout=asyncio.subprocess.PIPE, pass_fds=(writing,)
    )
    os.close(writing)
    with os.fdopen(reading) as lines:
        try:
            line = await asyncio.wait_for(asyncio.to_thread(lines.readline), DEADLINE_S)
            yield Served(process, json.loads(line))
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def exists(path: str) -> bool:
    return Path(path).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_and_takes_the_temporary_kubeconfig_along(number: signal.Signals) -> None:
    async with serving(speed=5.0) as served:
        assert served.ready["url"].startswith("https://127.0.0.1:")
        assert served.ready["speed"] == 5.0
        assert exists(served.ready["kubeconfig"])
        served.process.send_signal(number)
        assert await served.ended() == 0
        assert not exists(served.ready["kubeconfig"])


async def test_it_says_how_to_use_it() -> None:
    async with serving(speed=10.0, clients=3_000) as served:
        assert served.process.stdout is not None
        text = (await served.process.stdout.readuntil(b"Ctrl-C ends it.\n")).decode()
    kubeconfig = served.ready["kubeconfig"]
    assert text.startswith("Sandbox at https://127.0.0.1:")
    assert ": empty, 3,000 clients, 10x time, seed 1\n" in text
    assert f"export KUBECONFIG={kubeconfig}\n" in text
    assert f"emqx-tui --kubeconfig {kubeconfig} --clock-rate 10\n" in text


async def test_it_never_outlives_the_process_it_was_started_for() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    async with serving(parent_pid=parent.pid) as served:
        parent.kill()
        await parent.wait()
        assert await served.ended() == 0


async def test_two_run_side_by_side() -> None:
    async with serving(scenario="smooth") as one, serving(scenario="smooth") as two:
        assert one.ready["url"] != two.ready["url"]
        for served in (one, two):
            served.process.terminate()
            assert await served.ended() == 0


async def test_a_scenario_that_does_not_exist_is_a_usage_error() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "{'scenario': 'heaven'}", stderr=asyncio.subprocess.PIPE
    )
    _, told = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    assert process.returncode == 2
    assert b"green-never-ready" in told


def test_a_plain_world_is_empty_and_a_scenario_is_running() -> None:
    plain = make_world(SandboxOptions(clients=30), "10.0.0.0/16", 1_800_000_000.0)
    assert plain.timeline.now == 1_800_000_000.0
    assert plain.store.list("emqxenterprises") == []
    filled = make_world(SandboxOptions(clients=30, nodes=2, scenario="smooth"), "10.0.0.0/16", 1_800_000_000.0)
    assert filled.timeline.now == 1_800_000_000.0
    assert len(list(filled.pods())) == 2
    owners = filled.store.get("emqxenterprises", "default", "emqx-ee")["metadata"]["managedFields"]
    assert "kubectl-client-side-apply" in {entry["manager"] for entry in owners}


def test_subnets_are_claimed_by_one_at_a_time() -> None:
    class Stubborn:
        """Always offers the same network."""

        def choice(self, options: range) -> int:
            return options[0]

        def randrange(self, limit: int) -> int:
            return limit - 1

    first = claim_subnet(Stubborn())  # pyright: ignore[reportArgumentType]
    if first is UNCLAIMED:
        pytest.skip("this machine has no loopback addresses but 127.0.0.1")
    try:
        assert claim_subnet(Stubborn(), attempts=2) is UNCLAIMED  # pyright: ignore[reportArgumentType]
    finally:
        first.release()
    second = claim_subnet(Stubborn())  # pyright: ignore[reportArgumentType]
    assert second.cidr == first.cidr
    second.release()
