"""Terminals at one simulated cluster, in virtual time: each has a console of its own and may die."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from emqx_tui.headless.lines.output import Format, Output
from emqx_tui.headless.release.exit_status import Leaving
from emqx_tui.headless.release.release_options import Edit, parse_sets
from emqx_tui.headless.release.rollout import RolloutOptions, run_rollout
from emqx_tui.headless.session_runner import SessionRunner
from emqx_tui.headless.verbs.verb_answer import Answer, Verb, VerbOptions
from emqx_tui.headless.verbs.verbs import run_verb
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Recorder
from emqx_tui.session.views.view import View
from tests.support.rehearsal.ports import SimClock, SimEmqx, SimHost, SimKube, Wire

CLIENTS = 3_000
TO_15 = parse_sets(["image.version=4.4.15"])


def small_world(name: str = "smooth", **config: Any) -> World:
    """Three nodes, few clients, hardly any churn."""
    return scenario(name, clients=CLIENTS, churn_per_s=0.15, **config)


class Terminal:
    """One process at the cluster."""

    def __init__(self, room: Room, number: int, kube: Callable[[World, Wire], Any] = SimKube) -> None:
        self.room = room
        self.wire = Wire()
        self.lines: list[str] = []
        self.host = SimHost(number, room.dead)
        self.recorder: Recorder | None = None
        self._kube = kube

    def runner(self, *, drives: bool) -> SessionRunner:
        world, wire = self.room.world, self.wire
        ports = Ports(self._kube(world, wire), SimEmqx(world, wire), SimClock(world), self.host, self.recorder)
        return SessionRunner("default", self.room.name, ports, Options(drives=drives))

    async def rollout(
        self,
        edit: Edit = TO_15,
        approval: Approval | None = Approval.AUTO,
        *,
        form: Format = Format.JSONL,
        leaving: Leaving | None = None,
        on_runner: Callable[[SessionRunner], None] = lambda runner: None,
        **options: Any,
    ) -> int:
        """`emqx-tui rollout`; what it printed is in `lines`."""
        output = Output(form, self._print)
        wanted = RolloutOptions(edit=edit, approval=approval, leaving=leaving or Leaving(), **options)
        async with self.runner(drives=True) as runner:
            on_runner(runner)
            last, code = await run_rollout(runner, wanted, output)
        output.finish(last)
        return code

    async def verb(self, verb: Verb, **options: Any) -> Answer:
        """`emqx-tui approve` and the like; what it said is in `lines`."""
        async with self.runner(drives=False) as runner:
            return await run_verb(runner, VerbOptions(verb, **options), self._say)

    async def until(self, is_true: Callable[[View], bool]) -> View:
        """Look on until something is true."""
        async with self.runner(drives=False) as runner:
            return await runner.until(is_true)

    def die(self) -> None:
        """kill -9."""
        self.wire.is_cut = True
        self.room.dead.add(self.host.identity)

    def _print(self, text: str) -> None:
        self.lines += text.splitlines()

    def _say(self, line: str) -> None:
        self.lines.append(line)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    @property
    def last(self) -> dict[str, Any]:
        return json.loads(self.lines[-1])

    def events(self, name: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == name]


class Room:
    """The cluster and its terminals."""

    def __init__(self, world: World | None = None, name: str = "emqx-ee") -> None:
        self.world = world or small_world()
        self.name = name
        self.dead: set[str] = set()
        self._count = 0

    def terminal(self, kube: Callable[[World, Wire], Any] = SimKube) -> Terminal:
        self._count += 1
        return Terminal(self, self._count, kube)


async def killed(terminal: Terminal, task: asyncio.Task[Any]) -> None:
    """End a terminal's process as `kill -9` does: nothing that it sends arrives any more."""
    terminal.die()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def without_rates(world: World, name: str = "emqx-ee") -> None:
    """Take the parameters of a release out of the object."""
    found = world.store.get("emqxenterprises", "default", name)
    spec = {key: value for key, value in found["spec"].items() if key != "blueGreenUpdate"}
    world.store.update("emqxenterprises", {**found, "spec": spec})
