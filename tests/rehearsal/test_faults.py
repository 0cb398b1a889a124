"""Faults by name, each struck in several phases of a release, and what must become of it.

A fault strikes when the console first sees the phase, and is healed some time later where it can be. The person at the
console lifts auto-holds after a while and gives up at last. Whatever happens the witness must see no broken promise, no
console may act without the lease, and the release must come to an end: nothing may leave it stuck.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from emqx_tui.model.errors import Unreachable
from emqx_tui.rehearsal.ports import Request
from emqx_tui.rollout.intents import Abort
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.view import View
from tests.support.checkpoint import Checkpoint
from tests.support.stage import Console, Person, Stage, begin, conflict, lose, refuse

NAMESPACE, NAME = "default", "emqx-ee"
LIMIT_S = 900.0

Blow = Callable[[Console], Any]


CLIENTS = 300


@dataclass(frozen=True)
class Fault:
    """What breaks, and what mends it after `for_s`; without a mend it stays broken."""

    name: str
    strike: Blow
    mend: Blow | None = None
    for_s: float = 45.0
    holds: frozenset[str] = frozenset()
    """Checks of which one must have held the release, if the fault struck before blue was gone."""
    ends: frozenset[str] = frozenset({"done"})
    kills: bool = False
    """Clients are cut off by the fault itself."""
    phases: tuple[str, ...] = ("creating green", "waiting for the delay", "canary", "draining", "finishing", "aborting")
    promises: tuple[str, ...] = ()
    """Words in broken promises that are the fault's doing, not the console's."""


# -- what others do to the cluster ----------------------------------------------------------------------------------


def store_of(console: Console) -> Store:
    return console.stage.world.store


def edit(**spec: Any) -> Blow:
    """Somebody's `kubectl patch` of the resource."""

    def strike(console: Console) -> None:
        path = f"/apis/apps.emqx.io/v1beta4/namespaces/{NAMESPACE}/emqxenterprises/{NAME}"
        reply = console.stage.world.api.request(
            "PATCH", path, {}, {"spec": spec}, "application/merge-patch+json", manager="kubectl-edit"
        )
        assert reply.status == 200, reply.body

    return strike


def template(version: str) -> Blow:
    return edit(template={"spec": {"emqxContainer": {"image": {"version": version}}}})


def scale(colour: str, size: int) -> Blow:
    def strike(console: Console) -> None:
        found = [s for s in store_of(console).list("statefulsets", NAMESPACE) if _colour(console, s) == colour]
        if found and found[-1]["spec"]["replicas"]:
            name = found[-1]["metadata"]["name"]
            store_of(console).patch("statefulsets", NAMESPACE, name, {"spec": {"replicas": size}}, "merge")

    return strike


def _colour(console: Console, stateful_set: dict[str, Any]) -> str:
    return "blue" if stateful_set["metadata"]["name"] == console.stage.witness.blue_name else "green"


def remove(plural: str, name: str) -> Blow:
    def strike(console: Console) -> None:
        if store_of(console).find(plural, NAMESPACE, name):
            store_of(console).delete(plural, NAMESPACE, name)

    return strike


def put_back(plural: str, name: str) -> Blow:
    """By hand, as it was before the release."""

    def strike(console: Console) -> None:
        if store_of(console).find(plural, NAMESPACE, name) is None:
            before = console.stage.before[plural, name]
            metadata = {k: v for k, v in before["metadata"].items() if k not in ("resourceVersion", "uid")}
            store_of(console).create(plural, {**before, "metadata": metadata})

    return strike


def put_listener_back(console: Console) -> None:
    """Kubernetes removes the Endpoints of a Service that goes."""
    put_back("services", NAME)(console)
    put_back("endpoints", NAME)(console)


def remove_set(colour: str) -> Blow:
    def strike(console: Console) -> None:
        for each in store_of(console).list("statefulsets", NAMESPACE):
            if _colour(console, each) == colour:
                store_of(console).delete("statefulsets", NAMESPACE, each["metadata"]["name"])

    return strike


def endpoints(addresses: Callable[[Console], list[str]]) -> Blow:
    def strike(console: Console) -> None:
        store = store_of(console)
        present = store.get("endpoints", NAMESPACE, NAME)
        ips = [{"ip": ip} for ip in addresses(console)]
        ports = [port for subset in present.get("subsets") or () for port in subset["ports"]]
        subsets = [{"addresses": ips, "ports": ports}] if ips else []
        store.patch("endpoints", NAMESPACE, NAME, {"subsets": subsets}, "merge")

    return strike


def _all_pods(console: Console) -> list[str]:
    return sorted(p["status"]["podIP"] for p in console.stage.world.pods() if p.get("status", {}).get("podIP"))


def pod(colour: str, blow: str) -> Blow:
    def strike(console: Console) -> None:
        world = console.stage.world
        found = sorted(
            p["metadata"]["name"]
            for p in world.pods()
            if ("green" if world.is_green(p) else "blue") == colour
            and "deletionTimestamp" not in p["metadata"]
            and p.get("status", {}).get("phase") == "Running"
        )
        if not found:
            return
        match blow:
            case "kill":
                world.kill_pod(found[0])
            case "restart":
                world.restart_broker(found[0])
            case "delete":
                world.store.delete("pods", NAMESPACE, found[0])
            case "unready":
                world.set_ready(found[0], False)
            case "ready":
                for name in found:
                    world.set_ready(name, True)

    return strike


def peer(colour: str, blow: str) -> Blow:
    """The first broker of a generation hangs or is split off; EMQX restarts it afterwards: its clients are cut off."""

    def strike(console: Console) -> None:
        world, struck = console.stage.world, console.stage.world.cluster()
        names = {world.broker(p["metadata"]["name"]).name for p in world.pods() if _is_up(console, p, colour)}
        hit = {node.name for node in struck.nodes.values() if node.hung or node.island}
        mends = blow in ("go_on", "heal")
        for name in sorted(hit if mends else names)[:1]:
            getattr(struck, blow)(name)

    return strike


def _is_up(console: Console, found: dict[str, Any], colour: str) -> bool:
    world = console.stage.world
    is_running = world.brokers.at_pod(NAMESPACE, found["metadata"]["name"]) is not None
    return is_running and ("green" if world.is_green(found) else "blue") == colour


def brokers(fault: str, value: bool) -> Blow:
    def strike(console: Console) -> None:
        for node in console.stage.world.cluster().nodes.values():
            setattr(node.faults, fault, value)

    return strike


def operator(kind: str) -> Blow:
    def strike(console: Console) -> None:
        faults = console.stage.world.operator.context.faults
        faults[:] = [ApiFault(kind, delay_s=8.0)] if kind else []  # type: ignore[arg-type]

    return strike


def operator_down(down: bool) -> Blow:
    def strike(console: Console) -> None:
        console.stage.world.operator.down = down

    return strike


# -- what happens on the way between console and cluster --------------------------------------------------------------


def meddle(with_requests: Callable[[Request], None]) -> Blow:
    return lambda console: console.meddlers.append(with_requests)


def behave(console: Console) -> None:
    console.meddlers.clear()
    console.takers.clear()


def lose_some(part: float) -> Blow:
    chance = random.Random(7)

    def strike(console: Console) -> None:
        console.takers.append(lambda request: lose(request) if chance.random() < part else None)

    return strike


def conflict_some(part: float) -> Blow:
    chance = random.Random(8)

    def strike(console: Console) -> None:
        console.meddlers.append(lambda request: conflict(request) if chance.random() < part else None)

    return strike


def no_api_server(request: Request) -> None:
    if not request.path.startswith("/api/v4"):
        raise Unreachable("connection refused")


def watches(lag_s: float) -> Blow:
    chance = random.Random(9)

    def strike(console: Console) -> None:
        console.kube.lag_s = lambda: chance.uniform(0.0, lag_s)

    return strike


def silence(value: bool) -> Blow:
    def strike(console: Console) -> None:
        console.kube.is_silent = value

    return strike


def api_server(up: bool) -> Blow:
    def strike(console: Console) -> None:
        behave(console)
        if not up:
            console.meddlers.append(no_api_server)
        console.kube.is_silent = not up

    return strike


ENDS = frozenset({"done", "aborted"})
CHANGED = frozenset({"object-changed"})
NOT_LATE = ("creating green", "waiting for the delay", "canary", "draining")

FAULTS = (
    Fault("operator down", operator_down(True), operator_down(False), 90.0),
    Fault("operator restarts", lambda console: console.stage.world.operator.restart()),
    Fault("operator cannot reach EMQX", operator("refused"), operator("")),
    Fault("operator hangs", operator("hang"), operator(""), 90.0),
    Fault("operator is slow", operator("slow"), operator(""), 90.0),
    Fault("operator gets 401", operator("unauthorized"), operator("")),
    Fault("green pod killed", pod("green", "kill"), kills=True),
    Fault("blue pod killed", pod("blue", "kill"), kills=True),
    Fault("green pod deleted", pod("green", "delete"), kills=True),
    Fault("blue pod deleted", pod("blue", "delete"), kills=True),
    Fault("green broker restarts", pod("green", "restart"), kills=True),
    Fault("blue broker restarts", pod("blue", "restart"), kills=True),
    Fault("green pod unready", pod("green", "unready"), pod("green", "ready")),
    Fault("a green broker hangs", peer("green", "hang"), peer("green", "go_on"), 90.0, kills=True),
    Fault("a blue broker hangs", peer("blue", "hang"), peer("blue", "go_on"), 90.0, kills=True),
    Fault("a green broker is split off", peer("green", "split"), peer("green", "heal"), 60.0, kills=True),
    Fault("EMQX silent", brokers("api_down", True), brokers("api_down", False)),
    Fault("EMQX answers 401", brokers("unauthorized", True), brokers("unauthorized", False)),
    Fault("EMQX nodes do not hear each other", brokers("slow", True), brokers("slow", False)),
    Fault(
        "valve opened",
        edit(blueGreenUpdate={"initialDelaySeconds": 1}),
        holds=frozenset({"valve-open"}),
        ends=ENDS,
        # The operator takes a node in the very pass that the patch orders, before anybody can close the valve again.
        kills=True,
        promises=("delay was restored", "drained without approval", "was scaled to 2 with", "approval of node 2"),
    ),
    Fault("rates edited", edit(blueGreenUpdate={"evacuationStrategy": {"connEvictRate": 3, "sessEvictRate": 3}})),
    Fault(
        "replicas raised and put back",
        edit(replicas=4),
        edit(replicas=3),
        holds=CHANGED,
        kills=True,
        promises=("clients on", "of node 3"),
    ),
    Fault(
        "replicas lowered and put back",
        edit(replicas=2),
        edit(replicas=3),
        kills=True,
        promises=("clients on",),
        holds=CHANGED,
    ),
    Fault("replicas raised for good", edit(replicas=4), ends=ENDS, kills=True, holds=CHANGED),
    Fault("template reverted", template("4.4.14"), ends=frozenset({"aborted"}), phases=NOT_LATE, holds=CHANGED),
    Fault(
        "third template and back",
        template("4.4.16"),
        template("4.4.15"),
        ends=frozenset({"aborted"}),
        holds=CHANGED,
        phases=NOT_LATE,
        kills=True,
    ),
    Fault(
        "blue scaled to 1",
        scale("blue", 1),
        holds=frozenset({"blue-not-whole", "blue-shrunk"}),
        ends=ENDS,
        kills=True,
        promises=("without approval", "clients on", "more than one"),
    ),
    Fault(
        "blue scaled to 0",
        scale("blue", 0),
        holds=frozenset({"blue-not-whole", "blue-shrunk"}),
        ends=ENDS,
        kills=True,
        promises=("without approval", "clients on", "more than one"),
    ),
    Fault("green scaled to 1", scale("green", 1), ends=ENDS, kills=True, promises=("clients on",)),
    Fault("Endpoints emptied", endpoints(lambda console: []), promises=("emptied", "no address")),
    Fault("Endpoints of all pods", endpoints(_all_pods)),
    Fault("Endpoints removed", remove("endpoints", NAME), put_back("endpoints", NAME), ends=ENDS),
    Fault("Service removed", remove("services", NAME), put_listener_back, ends=ENDS),
    Fault("journal removed", remove("secrets", "emqx-tui-emqx-ee"), promises=("drained without approval",)),
    Fault("lease removed", remove("leases", "emqx-tui-emqx-ee"), promises=("without the lease",)),
    Fault("green set removed", remove_set("green"), ends=ENDS, kills=True),
    Fault("blue set removed", remove_set("blue"), kills=True, phases=(*NOT_LATE, "finishing")),
    Fault("watches late by 10 s", watches(10.0), watches(0.0), 300.0),
    Fault("watches silent", silence(True), silence(False), 60.0),
    Fault("a third of the answers lost", lose_some(0.34), behave, 300.0),
    Fault("a third of the patches lose a race", conflict_some(0.34), behave, 300.0),
    Fault("API server away", api_server(False), api_server(True)),
    Fault("no right to scale", meddle(refuse("/scale")), behave),
    Fault("no right to write Endpoints", meddle(refuse("/endpoints")), behave),
    Fault("no right to write the journal", meddle(refuse("/secrets")), behave),
    Fault("no right to write the lease", meddle(refuse("/leases")), behave),
    Fault("no right to patch the resource", meddle(refuse("/emqxenterprises")), behave),
)


@dataclass
class Ending:
    """What became of one release."""

    result: str = "stuck"
    where: str = ""
    holds: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    killed: int = 0


def suffer(choose: Callable[[], Fault], phase: str) -> Ending:
    """One release, with a fault, chosen when it is time, struck at the first sight of `phase`."""
    world = scenario("smooth", clients=CLIENTS, churn_per_s=0.2, seed=5)
    stage = Stage(world)
    ending = Ending()
    expected: list[str] = []

    async def script(stage: Stage) -> None:
        console = stage.console()
        person = Person(console)
        await begin(console, Approval.AUTO)
        if phase == "aborting":
            seen = await console.until(lambda view: _drains(view) or view.result)
            console.session.submit(Abort("person@host", seen.decision.abort.revision))
        await console.until(lambda view: str(view.decision.phase) == phase or view.result, 1200.0)
        await asyncio.sleep(1.0)
        fault = choose()
        expected.extend(fault.promises)
        fault.strike(console)
        if fault.mend:
            await asyncio.sleep(fault.for_s)
            fault.mend(console)
        try:
            seen = await console.until(lambda view: view.result, LIMIT_S)
            ending.result = seen.result
            await asyncio.sleep(60.0)
        except AssertionError as error:
            ending.where = str(error)
        ending.holds = person.holds

    stage.play(script)
    ending.broken = [line for line in stage.broken + stage.witness.broken if not any(word in line for word in expected)]
    ending.killed = world.cluster().truth.since_mark().killed
    if ending.result in ENDS:
        try:
            stage.witness.check_ended("4.4.15" if ending.result == "done" else "4.4.14")
        except AssertionError as error:
            ending.broken.append(f"at the end: {error}")
    return ending


@functools.cache
def struck_in(phase: str) -> Checkpoint:
    """A release at the first sight of `phase`, to be resumed with the name of a fault."""
    by_name = {fault.name: fault for fault in FAULTS}
    return Checkpoint(lambda stop: suffer(lambda: by_name[stop()], phase))


def _drains(view: View) -> bool:
    return view.decision.phase is Phase.DRAINING and bool(view.snapshot.blue and view.snapshot.blue.replicas == 2)


def _cases() -> list[Any]:
    """All, or, in a plain run, for each fault every other phase: odd faults get the odd ones.

    One worker takes all of one phase, so that the release up to there is played once.
    """
    every = 1 if os.environ.get("EMQX_TUI_FAULTS") == "all" else 2
    return [
        pytest.param(fault, phase, id=f"{fault.name} while {phase}", marks=pytest.mark.xdist_group(phase))
        for number, fault in enumerate(FAULTS)
        for phase in fault.phases[number % every :: every]
    ]


@pytest.mark.parametrize(("fault", "phase"), _cases())
def test_no_fault_breaks_a_promise_or_leaves_a_release_stuck(fault: Fault, phase: str) -> None:
    ending = struck_in(phase).resume(fault.name)
    assert ending.broken == []
    assert ending.result in (fault.ends | {"aborted"} if phase == "aborting" else fault.ends), ending
    assert fault.kills or ending.killed == 0
    if fault.holds and phase in NOT_LATE:
        assert fault.holds & set(ending.holds)


@pytest.mark.parametrize(
    "phase",
    [pytest.param(p, marks=pytest.mark.xdist_group(p)) for p in ("waiting for the delay", "canary", "draining")],
)
def test_an_opened_valve_costs_one_node_at_most(phase: str) -> None:
    """One pass is the operator's; then the valve is closed again."""
    ending = struck_in(phase).resume("valve opened")
    assert ending.killed <= CLIENTS // 3
