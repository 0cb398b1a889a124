"""One release in the simulated world, from plan to end, with a scripted person and, if wanted, consoles that die.

Gives the figures that a headless run prints, and next to them what really happened to the clients.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from typing import Any

from emqx_tui.model.emqx_enterprise import BlueGreenUpdate
from emqx_tui.rollout.change import Draft, ReleaseOptions
from emqx_tui.rollout.checks.preflight import blocking
from emqx_tui.rollout.decision import Outcome
from emqx_tui.rollout.forecast.forecast import Forecast
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.intents import Approve, Resume, Start
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.sandbox.truth import Counts
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.ports import Recorder
from emqx_tui.session.session import Options, Ports, Session
from emqx_tui.session.views.view import View
from tests.support.rehearsal.ports import Request, SimClock, SimEmqx, SimHost, SimKube, Wire, is_write
from tests.support.rehearsal.virtual_loop import run_in


@dataclass(frozen=True)
class Script:
    """What the scripted person does."""

    version: str = "4.4.15"
    approval: Approval = Approval.AUTO
    think_s: float = 2.0
    """From a gate's opening to its approval."""
    overrides: tuple[str, ...] = ()
    late_removal: bool = False
    parallel_drains: int = 1
    blue_green: BlueGreenUpdate | None = None
    """Other parameters than the object's."""
    resume_after_s: float | None = None
    """How long an auto-hold stands before the person resumes; None = for ever."""
    ends: Callable[[View], bool] = field(default=lambda view: False)
    """True when the rehearsal may end before the release does."""
    recorder: Recorder | None = None
    """Takes the flight log."""
    act: Callable[[Session, View], None] = field(default=lambda session, view: None)
    """Called with every view: what else the person does."""


@dataclass
class Run:
    """What became of a release."""

    result: str
    """`done`, `aborted`, `held`, `waiting`, `time-out`."""
    view: View | None
    truth: Counts
    clients: int
    lost_now: int
    lowest_live: int
    duration_s: float | None
    drain_s: float | None
    writes: list[str] = field(default_factory=list)
    """Every changing request that left, in order."""
    consoles: int = 1
    refusals: list[str] = field(default_factory=list)
    forecast: Forecast | None = None
    """As the person saw it before the start."""

    @property
    def disconnects_per_client(self) -> float:
        return self.truth.disconnects / self.clients if self.clients else 0.0


def rehearse(
    world: World,
    script: Script | None = None,
    *,
    policy: Policy | None = None,
    limit_s: float = 4 * 3600.0,
    kill_at: Container[tuple[int, str]] = (),
    dead_for_s: float = 3.0,
    namespace: str = "default",
    name: str = "emqx-ee",
) -> Run:
    """Run one release. `kill_at` names (number of the write, `before` or `after`) at which the console dies."""
    stage = _Stage(world, script or Script(), policy or Policy(), limit_s, kill_at, dead_for_s, namespace, name)
    return run_in(world, stage.play())


class _Stage:
    """One rehearsal: the consoles that come and go, and the person at them."""

    def __init__(
        self,
        world: World,
        script: Script,
        policy: Policy,
        limit_s: float,
        kill_at: Container[tuple[int, str]],
        dead_for_s: float,
        namespace: str,
        name: str,
    ) -> None:
        self.world = world
        self.script = script
        self.policy = policy
        self.limit_s = limit_s
        self.kill_at = kill_at
        self.dead_for_s = dead_for_s
        self.namespace = namespace
        self.name = name
        self.writes: list[str] = []
        self.dead: set[str] = set()
        self.consoles = 0
        self.view: View | None = None
        self.result = ""
        self.started = False
        self.killed = asyncio.Event()
        self.changed = asyncio.Event()
        self.refusals: list[str] = []
        self.forecast: Forecast | None = None
        self.gate_seen: dict[GateId, float] = {}
        self.held_since: float | None = None

    async def play(self) -> Run:
        begin = self.world.timeline.now
        cluster = self.world.clusters[(self.namespace, self.name)]
        cluster.truth.mark()
        clients = cluster.clients.size if cluster.clients else 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limit_s):
                while not self.result:
                    await self._one_console()
        journal = self.view.journal if self.view else None
        totals = journal.totals if journal else None
        spent = None
        if totals and totals.first_drain_at and totals.drained_at:
            spent = (totals.drained_at - totals.first_drain_at).total_seconds()
        truth = cluster.truth.since_mark()
        return Run(
            result=self.result or "time-out",
            view=self.view,
            truth=truth,
            clients=clients,
            lost_now=truth.lost,
            lowest_live=cluster.truth.lowest_live,
            duration_s=self.world.timeline.now - begin,
            drain_s=spent,
            writes=self.writes,
            consoles=self.consoles,
            refusals=self.refusals,
            forecast=self.forecast,
        )

    async def _one_console(self) -> None:
        self.consoles += 1
        self.started = False
        self.killed.clear()
        wire = Wire()
        host = SimHost(self.consoles, self.dead)
        wire.before = lambda request: self._pass(wire, host, request, "before")
        wire.after = lambda request: self._pass(wire, host, request, "after")
        ports = Ports(
            SimKube(self.world, wire), SimEmqx(self.world, wire), SimClock(self.world), host, self.script.recorder
        )
        options = Options(policy=self.policy, console_version="test")
        session = Session(self.namespace, self.name, ports, options, self._publish)
        running = asyncio.create_task(session.run())
        person = asyncio.create_task(self._person(session))
        death = asyncio.create_task(self.killed.wait())
        done, _ = await asyncio.wait({running, person, death}, return_when=asyncio.FIRST_COMPLETED)
        for task in (person, running, death):
            task.cancel()
        await asyncio.gather(person, death, running, return_exceptions=True)
        for task in done:
            if task is not death:
                task.result()
        if death in done:
            await asyncio.sleep(self.dead_for_s)

    def _pass(self, wire: Wire, host: SimHost, request: Request, when: str) -> None:
        if wire.is_cut or not is_write(request) or "/leases" in getattr(request, "path", ""):
            return
        if when == "before":
            self.writes.append(f"{request.method} {request.path}")
        if (len(self.writes), when) in self.kill_at:
            wire.is_cut = True
            self.dead.add(host.identity)
            self.killed.set()

    def _publish(self, view: View) -> None:
        self.view = view
        self.changed.set()

    async def _person(self, session: Session) -> None:
        while True:
            self.changed.clear()
            await self.changed.wait()
            view = self.view
            if view is None:
                continue
            if view.result:
                self.result = view.result
                return
            if self.script.ends(view):
                self.result = "held" if view.journal and view.journal.hold else "waiting"
                return
            self.script.act(session, view)
            if not self.started:
                await self._start(session, view)
                if self.result:
                    return
            else:
                self._approve(session, view)
                self._lift(session, view)

    async def _start(self, session: Session, view: View) -> None:
        if view.journal is not None:
            self.started = True
            return
        resource = view.snapshot.resource.value
        if resource is None or view.snapshot.stats.value is None or view.snapshot.slices.value is None:
            return
        if resource.image.version == self.script.version and self.consoles > 1:
            self.result = "done"
            return
        draft = _with_version(Draft.of(resource), self.script)
        script = self.script
        options = ReleaseOptions(Approval(script.approval), script.late_removal, script.parallel_drains)
        judged = await session.preview_edit(1, draft, options)
        stopping = blocking(judged.checks, self.script.overrides)
        if judged.plan is None or stopping:
            waiting = all(check.outcome is Outcome.WAIT for check in stopping)
            if judged.plan is not None and waiting and stopping:
                return
            self.refusals = [f"{c.name}: {c.evidence}" for c in stopping] or [str(judged.change.verdict)]
            self.result = "refused"
            raise asyncio.CancelledError
        self.forecast = judged.forecast
        session.submit(Start(judged.plan, "sim@host", self.script.overrides))
        self.started = True

    def _approve(self, session: Session, view: View) -> None:
        gate = view.decision.gate
        if gate is None or not gate.is_open or view.journal is None:
            return
        now = self.world.timeline.now
        since = self.gate_seen.setdefault(gate.id, now)
        if now - since < self.script.think_s:
            return
        needed = self.script.approval is Approval.EVERY_NODE or gate.kind is GateKind.CUT_OVER
        if needed and view.journal.approval is not Approval.AUTO:
            session.submit(Approve(gate.id, gate.revision, "sim@host"))
            self.gate_seen[gate.id] = now + 5.0

    def _lift(self, session: Session, view: View) -> None:
        hold = view.journal.hold if view.journal else None
        now = self.world.timeline.now
        if hold is None or not hold.auto:
            self.held_since = None
            return
        self.held_since = self.held_since or now
        wait = self.script.resume_after_s
        if wait is not None and now - self.held_since >= wait:
            session.submit(Resume("sim@host"))
            self.held_since = now


def _with_version(draft: Draft, script: Script) -> Draft:
    template: Any = draft.template
    container = template["spec"]["emqxContainer"]
    image = {**container["image"], "version": script.version}
    changed = {**template, "spec": {**template["spec"], "emqxContainer": {**container, "image": image}}}
    return replace(draft, template=changed, blue_green=script.blue_green or draft.blue_green)
