"""Figures of the simulated world, in virtual time: the machine makes them slow, and changes none but `speed`."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from textual.app import App, ComposeResult

from emqx_tui.model.series import Sample
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval, is_closed
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.connection_plot import ConnectionPlot
from tests.bench import release_table, world_speed
from tests.bench.console import memory_mib
from tests.bench.figures import Figure, median_of
from tests.support.rehearsal.ports import SimClock, SimEmqx, SimHost, SimKube, Wire
from tests.support.rehearsal.rehearse import Script, rehearse
from tests.support.rehearsal.virtual_loop import run_in

NODES, CLIENTS = (3, 6, 12), (10_000, 100_000, 1_000_000)
LAST_WRITE = 30
"""So often does a release of three nodes write under every-node."""
DEAD_S = 300.0
SHOWN = 60
"""Samples whose drawing is measured."""


# -- requests ------------------------------------------------------------------------------------------------------


class Counted:
    """Counts the requests that leave the simulated consoles."""

    def __init__(self) -> None:
        self.kube: Counter[str] = Counter()
        self.emqx: Counter[str] = Counter()

    def wrap(self, kind: type, count: Counter[str], key: Callable[[Any], str]) -> Any:
        ask = kind.request

        async def request(port: Any, asked: Any) -> Any:
            count[key(asked)] += 1
            return await ask(port, asked)

        return patch.object(kind, "request", request)

    def both(self) -> tuple[Any, Any]:
        return (
            self.wrap(SimKube, self.kube, lambda asked: f"{asked.method} {asked.path}"),
            self.wrap(SimEmqx, self.emqx, lambda asked: asked.pod),
        )


def look(world: World, work: Callable[[Sequence[View]], Coroutine[Any, Any, Any]], *, kept: int | None = None) -> Any:
    """Run `work` beside a session that looks at `emqx-ee`; it gets the views that were published, or the last ones."""
    views: deque[View] = deque(maxlen=kept)
    wire = Wire()
    ports = Ports(SimKube(world, wire), SimEmqx(world, wire), SimClock(world), SimHost(1, set()))
    session = Session("default", "emqx-ee", ports, Options(drives=False), views.append)

    async def beside() -> Any:
        running = asyncio.create_task(session.run())
        try:
            return await work(views)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return run_in(world, beside())


def requests() -> Iterator[Figure]:
    """What a session asks in a minute, of the API server besides watches and of each node, at rest and in a release."""
    for nodes in (3, 24):
        counted = Counted()

        async def minutes(views: Sequence[View], counted: Counted = counted) -> int:
            await asyncio.sleep(30.0)
            counted.kube.clear()
            counted.emqx.clear()
            before = len(views)
            await asyncio.sleep(600.0)
            return len(views) - before

        kube, emqx = counted.both()
        with kube, emqx:
            published = look(scenario("smooth", clients=10_000, nodes=nodes), minutes)
        what = f"at rest, {nodes} nodes"
        yield Figure("requests", f"{what}: API server", counted.kube.total() / 10, "a minute", "<= 12")
        yield Figure("requests", f"{what}: EMQX", counted.emqx.total() / 10 / nodes, "a minute and node", "<= 60")
        yield Figure("requests", f"{what}: views published", published / 10, "a minute")
    yield from _in_a_release()


def _in_a_release() -> Iterator[Figure]:
    counted, spans = Counted(), Counter[str]()
    begun: list[float] = []
    world = scenario("smooth", clients=100_000)

    def act(session: Session, view: View) -> None:
        if view.decision.phase is Phase.DRAINING and not begun:
            begun.append(world.now)
            counted.kube.clear()
            counted.emqx.clear()
        elif view.decision.phase is Phase.FINISHING and not spans:
            minutes = (world.now - begun[0]) / 60
            spans["kube"], spans["emqx"] = counted.kube.total(), counted.emqx.total()
            begun.append(minutes)

    kube, emqx = counted.both()
    with kube, emqx:
        rehearse(world, Script(approval=Approval.AUTO, act=act))
    yield Figure("requests", "drains of 3 + 3 nodes: API server", spans["kube"] / begun[1], "a minute", "<= 12")
    yield Figure("requests", "drains of 3 + 3 nodes: EMQX", spans["emqx"] / begun[1] / 6, "a minute and node", "<= 60")


# -- releases ------------------------------------------------------------------------------------------------------


def releases() -> Iterator[Figure]:
    """Drain, disconnects, lost clients and lowest sum of whole releases by every preset, and of the operator alone."""
    for nodes, clients, preset in itertools.product(NODES, CLIENTS, release_table.PRESETS):
        begun = time.process_time()
        limit_s = release_table.limit_s(clients)
        rounds_s = release_table.limit_in_rounds_s(clients, nodes)
        given: dict[str, Any] = {"clients": clients, "nodes": nodes, "preset": preset}
        ours = release_table.supervised(scenario("smooth", **given), clients)
        alone = release_table.operator_alone(scenario("smooth", **given), clients)
        what = f"{nodes} nodes, {clients:,} clients, {preset}"
        drain_s = ours.drain_s or 0.0
        yield Figure("releases", f"{what}: drain", drain_s / limit_s, "x limit", "", f"limit {limit_s:,.0f} s")
        in_rounds = f"limit {rounds_s:,.0f} s"
        yield Figure("releases", f"{what}: drain", drain_s / rounds_s, "x limit in rounds", "<= 1.02", in_rounds)
        dead_s = ((ours.total_s or 0.0) - drain_s) / nodes
        yield Figure("releases", f"{what}: besides the drain", dead_s, "s a node")
        against = f"operator alone {alone.disconnects:.2f}"
        yield Figure("releases", f"{what}: disconnects", ours.disconnects, "a client", "1.00", against)
        yield Figure("releases", f"{what}: lost", ours.lost, "clients", "0", f"operator alone {alone.lost:,}")
        lowest = f"operator alone {alone.lowest:.1%}"
        yield Figure("releases", f"{what}: lowest sum", ours.lowest * 100, "%", ">= 99.7", lowest)
        yield Figure("releases", f"{what}: measuring both", time.process_time() - begun, "s of CPU")


# -- exposure ------------------------------------------------------------------------------------------------------


def is_exposed(world: World) -> bool:
    """Two sets stand and the valve is open: the operator would evacuate and scale by itself."""
    found = world.store.find("emqxenterprises", "default", "emqx-ee")
    if found is None or "blueGreenUpdateStatus" not in found.get("status", {}):
        return False
    return not is_closed(int(found["spec"]["blueGreenUpdate"]["initialDelaySeconds"]))


def exposure_at(moment: tuple[int, str]) -> float:
    """Seconds of exposure in a release whose console dies at this write, and is away for five minutes."""
    world = scenario("smooth", clients=300)
    advance, exposed_s = world.advance, [0.0]

    def advanced(seconds: float) -> None:
        advance(seconds)
        exposed_s[0] += seconds if is_exposed(world) else 0.0

    world.advance = advanced  # pyright: ignore[reportAttributeAccessIssue]
    rehearse(world, Script(approval=Approval.EVERY_NODE), limit_s=3000, kill_at=(moment,), dead_for_s=DEAD_S)
    return exposed_s[0]


def exposure() -> Iterator[Figure]:
    """Over every write of a release, with the console killed before and after it."""
    moments = [(number, when) for number in range(1, LAST_WRITE + 1) for when in ("before", "after")]
    found = [exposure_at(moment) for moment in moments]
    yield Figure("exposure", f"seconds in {len(moments)} releases with a dead console", sum(found), "s", "0")


# -- memory and speed ----------------------------------------------------------------------------------------------


def memory() -> Iterator[Figure]:
    """Of a process with the simulated world and a session, 24 nodes at rest for twelve hours; and the plot's cost."""
    plots: list[View] = []

    async def hours(views: Sequence[View]) -> tuple[float, float]:
        await asyncio.sleep(300.0)
        early = views[-1]
        await asyncio.sleep(300.0)
        first = held_mib()
        await asyncio.sleep(12 * 3600.0 - 600.0)
        last = held_mib()
        plots.extend((early, views[-1]))
        return first, last

    world = scenario("smooth", clients=10_000, nodes=24)
    forget_early(world)
    first, last = look(world, hours, kept=1)
    yield Figure("memory", "after 12 simulated hours, 24 nodes, the simulation with it", last, "MiB", "< 120")
    yield Figure("memory", "more than after ten minutes", last - first, "MiB", "< 5")
    early_ms, late_ms = (asyncio.run(plot_ms(view)) for view in plots)
    against = f"at minute 5 {early_ms:.2f} ms"
    yield Figure("memory", "a sample of the plot after 12 hours", late_ms, "ms of CPU", "as at minute 5", against)


def held_mib() -> float:
    gc.collect()
    return memory_mib(os.getpid())


def forget_early(world: World) -> None:
    """Let the simulated API server and operator keep few changes and passes: else they grow for hours, up to bounds."""
    for history in world.store._history.values():
        history._limit = 32
    world.operator.passes = deque(maxlen=32)
    world.operator.reports = deque(maxlen=32)


class PlotApp(App[None]):
    """The plot alone, on a clock that is set, so that no drawing waits for the one before."""

    at_s = 0.0

    def compose(self) -> ComposeResult:
        yield ConnectionPlot(clock=lambda: self.at_s)


async def plot_ms(view: View) -> float:
    """CPU milliseconds for each of the newest samples of a view, as if they came one by one."""
    app, samples = PlotApp(), view.samples
    async with app.run_test(size=(120, 20)) as pilot:
        plot = app.query_one(ConnectionPlot)
        plot.show(_up_to(view, samples[:-SHOWN]))
        await pilot.pause()
        begun = time.process_time()
        for number in range(len(samples) - SHOWN, len(samples)):
            app.at_s += 10.0
            plot.show(_up_to(view, samples[: number + 1]))
        return (time.process_time() - begun) * 1000 / SHOWN


def _up_to(view: View, samples: tuple[Sample, ...]) -> View:
    return replace(view, samples=samples, snapshot=replace(view.snapshot, now=samples[-1].at))


def speed() -> Iterator[Figure]:
    """Virtual seconds in a second of CPU, and rehearsed releases in one."""

    def world() -> float:
        simulated = scenario("smooth", clients=100_000)
        begun = time.process_time()
        return world_speed.release(simulated) / (time.process_time() - begun)

    def rehearsed() -> float:
        begun = time.process_time()
        rehearse(scenario("smooth", clients=3_000), Script(approval=Approval.AUTO))
        return 1 / (time.process_time() - begun)

    yield Figure("speed", "virtual seconds, 3 + 3 nodes, 100,000 clients", median_of(world), "a second", ">= 2,000")
    yield Figure("speed", "rehearsed releases, 3,000 clients", median_of(rehearsed), "a second", ">= 2")
