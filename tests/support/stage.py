"""A stage for rehearsals in which things break: consoles with faulty wires, a person at each, one world, one witness.

A console's watches can come late or fall silent, its requests and answers can be lost or refused, and it can be cut off
and come back. What a console changes while the lease is not its own is noted as a broken promise.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.model.errors import Conflict, Forbidden, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.change import Draft, ReleaseOptions
from emqx_tui.rollout.checks.preflight import blocking
from emqx_tui.rollout.decision import Outcome
from emqx_tui.rollout.intents import Abort, Approve, Freeze, Resume, Start
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Lost, Recorder, Scope, WatchInput, WatchSink
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from tests.support.rehearsal.ports import Request, SimClock, SimEmqx, SimHost, SimKube, Wire, is_write
from tests.support.rehearsal.virtual_loop import run_in
from tests.support.witness import Witness

TARGET = "4.4.15"
_RECORDS = ("/secrets", "/leases", "/events")


class FaultyKube(SimKube):
    """Watches that come late or fall silent without a word; heard again, they list anew, as real ones do."""

    def __init__(self, world: World, wire: Wire) -> None:
        super().__init__(world, wire)
        self.lag_s: Callable[[], float] = lambda: 0.0
        self._is_silent = False
        self._again: list[tuple[Kind, asyncio.Event]] = []
        self._broken: set[Kind] = set()
        """Kinds whose watch has said that it is lost, and has not listed anew."""
        self._sinks: dict[Kind, WatchSink] = {}
        self._due = 0.0
        """When the last of what is on its way arrives."""

    @property
    def is_silent(self) -> bool:
        return self._is_silent

    @is_silent.setter
    def is_silent(self, value: bool) -> None:
        self._is_silent = value
        if not value:
            for _, again in self._again:
                again.set()

    def lose_watches(self) -> None:
        """Every watch breaks and says so, as it does when the API server goes."""
        for kind, sink in self._sinks.items():
            sink(Lost(kind, Unreachable("connection refused")))
            self._broken.add(kind)

    def list_anew(self, *but: Kind) -> None:
        """The watches list anew, all `but` these."""
        for kind, again in self._again:
            if kind in self._broken and kind not in but:
                self._broken.remove(kind)
                again.set()

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        due = 0.0

        def hear(found: WatchInput) -> None:
            nonlocal due
            if self._is_silent or self._wire.is_cut or kind in self._broken:
                return
            # Late, but in order: a watch is one stream.
            due = max(due, self._world.timeline.now + self.lag_s())
            self._due = max(due, self._due)
            self._world.timeline.at(due, lambda: sink(found))

        again = asyncio.Event()
        self._sinks[kind] = sink
        self._again.append((kind, again))
        try:
            while True:
                again.clear()
                watching = asyncio.create_task(super().watch(kind, scope, hear))
                await again.wait()
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        finally:
            self._again.remove((kind, again))


class FaultyEmqx(SimEmqx):
    """Brokers whose answers can be spoiled on their way."""

    spoil: Callable[[EmqxRequest, EmqxReply], EmqxReply] | None = None

    async def request(self, request: EmqxRequest) -> EmqxReply:
        reply = await super().request(request)
        return self.spoil(request, reply) if self.spoil else reply


class SkewedClock(SimClock):
    """What is left of a host's skew when the console has estimated the cluster's time, and another origin."""

    def __init__(self, world: World, skew_s: float) -> None:
        super().__init__(world)
        self._skew_s = skew_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._skew_s) if self._skew_s else super().now()

    def monotonic(self) -> float:
        return super().monotonic() + 1_000.0 * self._skew_s


class Console:
    """One process of the product, and what lies between it and the cluster."""

    def __init__(
        self, stage: Stage, number: int, *, drives: bool = True, removes_leases: bool = True, skew_s: float = 0.0
    ) -> None:
        self.stage = stage
        self.wire = Wire(before=self._leave, after=self._arrive)
        self.kube = FaultyKube(stage.world, self.wire)
        self.host = SimHost(number, stage.dead)
        self.emqx = FaultyEmqx(stage.world, self.wire)
        ports = Ports(self.kube, self.emqx, SkewedClock(stage.world, skew_s), self.host, stage.recorder)
        options = Options(policy=stage.policy, drives=drives, removes_leases=removes_leases, console_version="test")
        self.session = Session("default", "emqx-ee", ports, options, self._publish)
        self.view: View | None = None
        self.changed = asyncio.Event()
        self.meddlers: list[Callable[[Request], None]] = []
        """Called before a request leaves; one that raises keeps it from arriving."""
        self.takers: list[Callable[[Request], None]] = []
        """Called after a request took effect; one that raises keeps its answer from arriving."""
        self.writes: list[tuple[float, Request]] = []
        self.watchers: list[Callable[[View], None]] = []

    def _leave(self, request: Request) -> None:
        for meddle in list(self.meddlers):
            meddle(request)
        if is_write(request) and not any(records in request.path for records in _RECORDS) and not self.wire.is_cut:
            self.writes.append((self.stage.world.timeline.now, request))
            body = getattr(request, "body", None)
            self.stage.witness.note_write(request.path, body)
            if self.stage.lease_holder() != self.host.identity:
                self.stage.broken.append(f"{self.host.identity} changed {request.path} without the lease")

    def _arrive(self, request: Request) -> None:
        for take in list(self.takers):
            take(request)

    def _publish(self, view: View) -> None:
        self.view = view
        self.changed.set()
        for watch in self.watchers:
            watch(view)

    def cut(self) -> None:
        self.wire.is_cut = True

    def heal(self) -> None:
        self.wire.is_cut = False
        self.kube.is_silent = False

    async def until(self, when: Callable[[View], object], limit_s: float = 900.0) -> View:
        """Wait for a view; AssertionError when it does not come in time."""
        try:
            async with asyncio.timeout(limit_s):
                while self.view is None or not when(self.view):
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            view = self.view
            raise AssertionError(
                f"not seen within {limit_s:.0f} s: {view and (view.decision.phase, view.journal and view.journal.hold)}"
            ) from None
        return self.view


@dataclass
class Stage:
    """One world, its witness, and the consoles on it."""

    world: World
    policy: Policy = field(default_factory=Policy)
    dead: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    running: list[asyncio.Task[None]] = field(default_factory=list)
    edits: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)
    """What somebody has set last of the object, by its fields."""
    recorder: Recorder | None = None
    """The flight log of the machine that all consoles run on."""

    _failed: asyncio.Future[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.witness = Witness(self.world)
        listener = [(plural, "emqx-ee") for plural in ("services", "endpoints")]
        self.before = {key: self.world.store.get(key[0], "default", key[1]) for key in listener}
        self.size: int = self.world.store.get("emqxenterprises", "default", "emqx-ee")["spec"].get("replicas", 3)
        """Nodes of the cluster before anything happens."""
        self.world.cluster().truth.mark()

    def lease_holder(self) -> str:
        lease = self.world.store.find("leases", "default", "emqx-tui-emqx-ee")
        return str((lease or {}).get("spec", {}).get("holderIdentity", ""))

    def console(
        self, number: int = 1, *, drives: bool = True, removes_leases: bool = True, skew_s: float = 0.0
    ) -> Console:
        """Start a console."""
        console = Console(self, number, drives=drives, removes_leases=removes_leases, skew_s=skew_s)
        task = asyncio.create_task(console.session.run())
        task.add_done_callback(self._ended)
        self.running.append(task)
        return console

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A session never ends by itself: its failure is the rehearsal's."""
        if not task.cancelled() and not self._failed.done() and (error := task.exception()) is not None:
            self._failed.set_exception(error)

    def play(self, script: Callable[[Stage], Any]) -> Any:
        """Run `script(stage)` in the world's time."""

        async def on_stage() -> Any:
            self._failed = asyncio.get_running_loop().create_future()
            acting = asyncio.ensure_future(script(self))
            try:
                await asyncio.wait({acting, self._failed}, return_when=asyncio.FIRST_COMPLETED)
                return self._failed.result() if self._failed.done() else acting.result()
            finally:
                for task in (acting, *self.running):
                    task.cancel()
                await asyncio.gather(acting, *self.running, return_exceptions=True)

        return run_in(self.world, on_stage())


async def begin(
    console: Console,
    approval: Approval = Approval.AUTO,
    limit_s: float = 120.0,
    *,
    late_removal: bool = False,
    parallel_drains: int = 1,
) -> None:
    """Plan a release of TARGET at `console`, and start it as soon as the pre-flight passes."""
    deadline = console.stage.world.timeline.now + limit_s
    while console.stage.world.timeline.now < deadline:
        seen = await console.until(
            lambda view: view.snapshot.resource.value and view.snapshot.stats.value and view.snapshot.slices.value
        )
        resource = seen.snapshot.resource.value
        assert resource is not None
        draft = with_version(Draft.of(resource), TARGET)
        options = ReleaseOptions(approval, late_removal, parallel_drains)
        judged = await console.session.preview_edit(1, draft, options)
        stopping = blocking(judged.checks, ())
        if judged.plan is not None and not stopping:
            console.session.submit(Start(judged.plan, "person@host"))
            await console.until(lambda view: view.journal is not None)
            return
        assert all(check.outcome is Outcome.WAIT for check in stopping), stopping
        await asyncio.sleep(1.0)
    raise AssertionError("the pre-flight does not pass")


def with_version(draft: Draft, version: str) -> Draft:
    template: Any = draft.template
    container = template["spec"]["emqxContainer"]
    changed = {**container, "image": {**container["image"], "version": version}}
    return replace(draft, template={**template, "spec": {**template["spec"], "emqxContainer": changed}})


class Person:
    """Approves what is open, lifts what a check has held a while after it did, and gives up at last by an abort."""

    def __init__(
        self, console: Console, *, patience: int = 5, resume_after_s: float = 30.0, is_hasty: bool = False
    ) -> None:
        """Who is hasty approves while the release is held, too."""
        self.console = console
        self.is_hasty = is_hasty
        self.patience = patience
        self.resume_after_s = resume_after_s
        self.holds: list[str] = []
        self.resumes = 0
        """Resumes of holds by a check, those that were refused because the cause still stands among them."""
        self._asked_at: dict[str, float] = {}
        self._hold_at: object = None
        console.watchers.append(self.look)

    def look(self, view: View) -> None:
        session, decision = self.console.session, view.decision
        if view.journal is None or view.result:
            return
        gate, hold = decision.gate, view.journal.hold
        may_try = self.is_hasty or not hold
        if gate is not None and gate.is_open and self._may("approve", 5.0) and may_try:
            session.submit(Approve(gate.id, gate.revision, "person@host"))
        if (
            hold is not None
            and hold.freeze
            and (view.now - hold.at).total_seconds() > 10.0
            and self._may("resume", 5.0)
        ):
            session.submit(Resume("person@host"))
        if hold is None or not hold.auto:
            return
        if hold.at != self._hold_at:
            self._hold_at = hold.at
            self.holds.append(hold.check)
        if (view.now - hold.at).total_seconds() < self.resume_after_s:
            return
        if hold.check == "foreign-evacuation" and self._may("freeze", 5.0):
            # A freeze stops it; then the release can go on.
            session.submit(Freeze("person@host"))
            return
        if max(len(self.holds), self.resumes) >= self.patience and decision.abort.possible:
            if self._may("abort", 5.0):
                session.submit(Abort("person@host", decision.abort.revision))
        elif self._may("resume", 5.0):
            self.resumes += 1
            session.submit(Resume("person@host"))

    def _may(self, what: str, every_s: float) -> bool:
        now = self.console.stage.world.timeline.now
        if now - self._asked_at.get(what, float("-inf")) < every_s:
            return False
        self._asked_at[what] = now
        return True


def refuse(*paths: str, verbs: tuple[str, ...] = ("PATCH", "POST", "PUT", "DELETE")) -> Callable[[Request], None]:
    """A right that is gone: requests that change one of `paths` are answered with 403."""

    def meddle(request: Request) -> None:
        if request.method in verbs and any(path in request.path for path in paths):
            raise Forbidden(f"{request.path} is forbidden", status=403)

    return meddle


def conflict(request: Request) -> None:
    """Somebody else is always faster."""
    if request.method == "PATCH":
        raise Conflict("the object has been modified", status=409)


def lose(request: Request) -> None:
    """The request took effect, its answer is lost."""
    if is_write(request):
        raise Unreachable("no answer within 20 s")


@contextlib.contextmanager
def meddling(console: Console, meddle: Callable[[Request], None]):
    console.meddlers.append(meddle)
    try:
        yield
    finally:
        console.meddlers.remove(meddle)
