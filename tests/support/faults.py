"""The catalogue of faults: what breaks between console and cluster, who mends it, and what may come of it.

Campaigns strike them by name. A fault says which holds it causes and which broken promises are its own doing, so that
everything else that is seen is the console's.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from emqx_tui.model.errors import AdapterError, Conflict, Rejected, Unreachable
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest
from emqx_tui.sandbox.emqx.evacuation import Options
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.api_faults import ApiFault
from tests.support.rehearsal.ports import Request, is_write
from tests.support.stage import Console, conflict, lose, refuse

NAMESPACE, NAME = "default", "emqx-ee"
JOURNAL = f"emqx-tui-{NAME}"
Blow = Callable[[Console], Any]


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
    delay_s: int | None = None
    """What it sets the initial delay to: it stays so where blue was gone by then, and nothing to protect."""
    is_silent: bool = False
    """It gives a console no cause to hold."""


# -- what others do to the cluster ----------------------------------------------------------------------------------


def store_of(console: Console) -> Store:
    return console.stage.world.store


def edit(**spec: Any) -> Blow:
    """Somebody's `kubectl patch` of the resource, tried again while the operator's webhook does not answer.

    Only as long as the release stands: with the valve opened at its end it is another one's template; and until
    somebody edits the same fields again.
    """

    def strike(console: Console) -> None:
        console.stage.edits[tuple(spec)] = spec
        attempt(console)

    def attempt(console: Console) -> None:
        witness = console.stage.witness
        if witness.key not in console.stage.world.clusters or witness.is_opened_at_the_end():
            return
        witness.note_edit(spec)
        path = f"/apis/apps.emqx.io/v1beta4/namespaces/{NAMESPACE}/emqxenterprises/{NAME}"
        reply = console.stage.world.api.request(
            "PATCH", path, {}, {"spec": spec}, "application/merge-patch+json", manager="kubectl-edit"
        )
        if reply.status == 500 and "failed calling webhook" in reply.body["message"]:
            console.stage.world.timeline.after(5.0, lambda: again(console))
            return
        # The object may have been removed in this moment.
        assert reply.status in (200, 404), reply.body

    def again(console: Console) -> None:
        if store_of(console).find("secrets", NAMESPACE, JOURNAL) and console.stage.edits[tuple(spec)] is spec:
            attempt(console)

    return strike


def replicas(by: int) -> Blow:
    """Somebody sets another size than the one before the release."""
    return lambda console: edit(replicas=max(1, console.stage.size + by))(console)


def template(version: str) -> Blow:
    return edit(template={"spec": {"emqxContainer": {"image": {"version": version}}}})


def scale(colour: str, size: int) -> Blow:
    def strike(console: Console) -> None:
        found = [s for s in store_of(console).list("statefulsets", NAMESPACE) if _colour(console, s) == colour]
        if found and found[-1]["spec"]["replicas"]:
            scale_set(console, found[-1]["metadata"]["name"], size)

    return strike


def scale_set(console: Console, name: str, size: int) -> None:
    console.stage.witness.note_scale(name, size)
    store_of(console).patch("statefulsets", NAMESPACE, name, {"spec": {"replicas": size}}, "merge")


def scale_up(colour: str) -> Blow:
    return lambda console: scale(colour, console.stage.size + 1)(console)


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
        present = store.find("endpoints", NAMESPACE, NAME)
        if present is None:
            return
        ips = [{"ip": ip} for ip in addresses(console)]
        ports = [port for subset in present.get("subsets") or () for port in subset["ports"]]
        subsets = [{"addresses": ips, "ports": ports}] if ips else []
        store.patch("endpoints", NAMESPACE, NAME, {"subsets": subsets}, "merge")

    return strike


def _all_pods(console: Console) -> list[str]:
    return sorted(p["status"]["podIP"] for p in console.stage.world.pods() if p.get("status", {}).get("podIP"))


def list_all_pods(console: Console) -> None:
    """As a selector without the generation would; where no pod stands, that is another fault."""
    if _all_pods(console):
        endpoints(_all_pods)(console)


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
        match blow:
            case "go_on":
                names = {node.name for node in struck.nodes.values() if node.hung and _is_of(console, node, colour)}
            case "heal":
                names = {node.name for node in struck.nodes.values() if node.island and _is_of(console, node, colour)}
            case _:
                names = {world.broker(p["metadata"]["name"]).name for p in world.pods() if _is_up(console, p, colour)}
        for name in sorted(names)[:1]:
            getattr(struck, blow)(name)

    return strike


def _is_of(console: Console, node: EmqxNode, colour: str) -> bool:
    return (f"@{console.stage.witness.blue_name}-" in node.name) is (colour == "blue")


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
    """Nothing is in the way any more; only an API server that is away comes back by itself."""
    console.meddlers[:] = [meddle for meddle in console.meddlers if meddle is no_api_server]
    console.takers.clear()


def _chance(console: Console) -> random.Random:
    """The same in every play of one story, and another one in each."""
    return random.Random(console.stage.world.seed)


def lose_some(part: float) -> Blow:
    def strike(console: Console) -> None:
        chance = _chance(console)
        console.takers.append(lambda request: lose(request) if chance.random() < part else None)

    return strike


def conflict_some(part: float) -> Blow:
    def strike(console: Console) -> None:
        chance = _chance(console)
        console.meddlers.append(lambda request: conflict(request) if chance.random() < part else None)

    return strike


def no_api_server(request: Request) -> None:
    if not request.path.startswith("/api/v4"):
        raise Unreachable("connection refused")


def watches(lag_s: float) -> Blow:
    def strike(console: Console) -> None:
        chance = _chance(console)
        console.kube.lag_s = lambda: chance.uniform(0.0, lag_s)

    return strike


def silence(value: bool) -> Blow:
    def strike(console: Console) -> None:
        console.kube.is_silent = value

    return strike


def api_server(up: bool) -> Blow:
    def strike(console: Console) -> None:
        behave(console)
        console.meddlers[:] = [] if up else [no_api_server]
        console.kube.is_silent = not up

    return strike


# -- once, or garbled ------------------------------------------------------------------------------------------------

FAILURES: dict[str, Callable[[], AdapterError]] = {
    "429": lambda: Rejected("too many requests", status=429),
    "409": lambda: Conflict("the object has been modified", status=409),
    "reset": lambda: Unreachable("connection reset by peer"),
}


def once(failure: Callable[[], AdapterError], path: str = "", *, is_answer: bool = False) -> Blow:
    """The next write to `path` fails, or, as an answer, takes effect without one."""

    def strike(console: Console) -> None:
        places = console.takers if is_answer else console.meddlers

        def fail(request: Request) -> None:
            if is_write(request) and path in request.path:
                if fail in places:
                    places.remove(fail)
                raise failure()

        places.append(fail)

    return strike


def spoil(how: Callable[[EmqxReply], EmqxReply] | None, part: float = 0.3) -> Blow:
    """Some of EMQX's answers arrive spoiled."""

    def strike(console: Console) -> None:
        chance = _chance(console)

        def maybe(request: EmqxRequest, reply: EmqxReply) -> EmqxReply:
            return how(reply) if how is not None and chance.random() < part else reply

        console.emqx.spoil = None if how is None else maybe

    return strike


def garbage(reply: EmqxReply) -> EmqxReply:
    return EmqxReply(502, None, "<html><body>Bad gateway</body></html>")


def partial(reply: EmqxReply) -> EmqxReply:
    """Half of every list and object is missing."""

    def half(value: Any) -> Any:
        match value:
            case list():
                return [half(each) for each in value[: len(value) // 2]]
            case dict():
                return {key: half(value[key]) for key in list(value)[: (len(value) + 1) // 2]}
        return value

    return replace(reply, body=half(reply.body))


def break_watches(console: Console) -> None:
    console.kube.lose_watches()


def list_anew(console: Console) -> None:
    console.kube.list_anew()


# -- what happens to the records -------------------------------------------------------------------------------------


def write_journal(text: str) -> Blow:
    def strike(console: Console) -> None:
        store = store_of(console)
        if store.find("secrets", NAMESPACE, JOURNAL):
            data = {"journal": base64.b64encode(text.encode()).decode()}
            store.patch("secrets", NAMESPACE, JOURNAL, {"data": data}, "merge")

    return strike


def steal_lease(console: Console) -> None:
    store = store_of(console)
    if store.find("leases", NAMESPACE, JOURNAL):
        store.patch("leases", NAMESPACE, JOURNAL, {"spec": {"holderIdentity": "thief@elsewhere/1"}}, "merge")


# -- what happens in EMQX --------------------------------------------------------------------------------------------


def node_of(console: Console, colour: str) -> EmqxNode | None:
    """The first running broker of a generation."""
    cluster = console.stage.world.cluster()
    return next((n for _, n in sorted(cluster.nodes.items()) if n.running and _is_of(console, n, colour)), None)


def of_cluster(colour: str, do: Callable[[Any, EmqxNode], Any]) -> Blow:
    def strike(console: Console) -> None:
        if (node := node_of(console, colour)) is not None:
            do(console.stage.world.cluster(), node)

    return strike


def of_all(do: Callable[[Any, EmqxNode], Any]) -> Blow:
    def strike(console: Console) -> None:
        cluster = console.stage.world.cluster()
        for node in list(cluster.nodes.values()):
            do(cluster, node)

    return strike


def evacuate(cluster: Any, node: EmqxNode) -> None:
    if node.evacuation is None and not node.rebalancing:
        cluster.start_evacuation(node, Options(conn_evict_rate=2, sess_evict_rate=2, wait_takeover=5))


def stop_green(console: Console) -> None:
    cluster = console.stage.world.cluster()
    node = node_of(console, "green")
    if node is not None and node.evacuation is not None:
        cluster.stop_evacuation(node)


def rebalance(value: bool) -> Callable[[Any, EmqxNode], None]:
    def strike(cluster: Any, node: EmqxNode) -> None:
        node.rebalancing = value and node.evacuation is None

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
        delay_s=1,
        holds=frozenset({"valve-open"}),
        ends=ENDS,
        # The operator takes a node in the very pass that the patch orders, before anybody can close the valve again.
        kills=True,
    ),
    Fault("rates edited", edit(blueGreenUpdate={"evacuationStrategy": {"connEvictRate": 3, "sessEvictRate": 3}})),
    Fault(
        "replicas raised and put back",
        replicas(+1),
        replicas(0),
        holds=CHANGED,
        kills=True,
    ),
    Fault(
        "replicas lowered and put back",
        replicas(-1),
        replicas(0),
        kills=True,
        holds=CHANGED,
    ),
    Fault("replicas raised for good", replicas(+1), ends=ENDS, kills=True, holds=CHANGED),
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
    Fault("Endpoints of all pods", list_all_pods),
    Fault("Endpoints removed", remove("endpoints", NAME), put_back("endpoints", NAME), ends=ENDS),
    Fault("Service removed", remove("services", NAME), put_listener_back, ends=ENDS),
    Fault("journal removed", remove("secrets", JOURNAL), promises=("drained without approval",)),
    Fault("lease removed", remove("leases", JOURNAL), promises=("without the lease",)),
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

OFTEN_LOST = frozenset({"done", "aborted", "failed"})

ADVERSITY = (
    *(
        Fault(f"one write of {what} gets {name}", once(failure, path), is_silent=True)
        for what, path in {"the journal": "/secrets", "the lease": "/leases", "the cluster": ""}.items()
        for name, failure in FAILURES.items()
    ),
    Fault("one answer of a write lost", once(FAILURES["reset"], is_answer=True), is_silent=True),
    Fault("one answer of the journal lost", once(FAILURES["reset"], "/secrets", is_answer=True), is_silent=True),
    Fault("watches break", break_watches, list_anew, 20.0),
    Fault("EMQX answers garbage", spoil(garbage), spoil(None)),
    Fault("EMQX answers in part", spoil(partial), spoil(None)),
    Fault("a green broker hangs for a while", peer("green", "hang"), peer("green", "go_on"), 30.0),
    Fault("a blue broker hangs for a while", peer("blue", "hang"), peer("blue", "go_on"), 30.0),
    Fault("a blue broker is split off", peer("blue", "split"), peer("blue", "heal"), 40.0, kills=True),
    Fault("somebody evacuates green", of_cluster("green", evacuate), stop_green, 40.0, promises=("no abort",)),
    Fault(
        "somebody evacuates blue",
        of_cluster("blue", evacuate),
        promises=("drained without approval", "while the Service had no address"),
    ),
    Fault("a rebalance runs", of_cluster("green", rebalance(True)), of_all(rebalance(False)), 40.0),
    Fault(
        "blue scaled up",
        scale_up("blue"),
        kills=True,
        promises=("without approval", "more than one", "clients on"),
        ends=ENDS,
    ),
    Fault("journal tampered", write_journal("{"), ends=OFTEN_LOST),
    Fault("lease stolen", steal_lease, promises=("without the lease",), is_silent=True),
    Fault("object removed", remove("emqxenterprises", NAME), ends=OFTEN_LOST, kills=True, promises=("",)),
    Fault("operator is another release", lambda console: console.stage.world.upgrade_operator("2.1.4"), kills=True),
)
"""What only whole stories strike: some of it ends a release for good, or needs a second fault to hurt."""

CATALOGUE = {fault.name: fault for fault in (*FAULTS, *ADVERSITY)}
