"""What the faults of `--fault` do to a world, and the schedule that strikes with them during a release.

A fault finds its victim when it strikes: the first pod of its colour that runs. Where there is none, it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.fault_spec import Fault
from emqx_tui.sandbox.kube.objects import Key, Object, is_terminating, key_of
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.world.world import World

NOTHING = ""
"""There was nothing to strike at."""

Strike = Callable[[World, Key], str]
"""Strikes, and says what was struck."""


@dataclass(frozen=True)
class Blow:
    """How a fault strikes, and how it is mended."""

    strike: Strike
    mend: Callable[[World, Key], object] | None = None


def arrange(world: World, faults: Iterable[Fault], tell: Callable[[Mapping[str, Any]], None]) -> None:
    """Strike at the only cluster of `world`, counted from the first change of its template.

    `tell` gets what came of each: fault, instant, and what was struck.
    """
    (key,) = world.clusters
    before = world.store.get("emqxenterprises", *key)["spec"]["template"]
    waiting = list(faults)

    def changed(event_type: str, cr: Object) -> None:
        if key_of(cr) == key and event_type != "DELETED" and cr["spec"]["template"] != before:
            for fault in waiting:
                world.timeline.after(fault.at_s, lambda fault=fault: strike(fault))
            waiting.clear()

    def strike(fault: Fault) -> None:
        blow = BLOWS[fault.name]
        struck = blow.strike(world, key) if key in world.clusters else NOTHING
        tell({"fault": str(fault), "at": world.now, "struck": struck})
        if struck and blow.mend is not None and fault.for_s is not None:
            world.timeline.after(fault.for_s, lambda: mend(fault, blow))

    def mend(fault: Fault, blow: Blow) -> None:
        if blow.mend is not None and key in world.clusters:
            blow.mend(world, key)
        tell({"fault": str(fault), "mended_at": world.now})

    world.informer.on("emqxenterprises", changed)


# -- pods and brokers -------------------------------------------------------------------------------------------------


def _running(world: World, key: Key, colour: str) -> list[str]:
    """Pods of the cluster with a broker that runs, of one colour."""
    return sorted(
        pod["metadata"]["name"]
        for pod in world.pods(key[0])
        if not is_terminating(pod)
        and world.is_green(pod) is (colour == "green")
        and (broker := world.brokers.at_pod(key[0], pod["metadata"]["name"])) is not None
        and broker.cluster is world.clusters[key]
    )


def _pod(
    colour: str, strike: Callable[[World, str, str], object], mend: Callable[[World, str, str], object] | None = None
) -> Blow:
    def begin(world: World, key: Key) -> str:
        found = _running(world, key, colour)
        if not found:
            return NOTHING
        strike(world, found[0], key[0])
        return found[0]

    def end(world: World, key: Key) -> None:
        for name in _running(world, key, colour):
            if mend is not None:
                mend(world, name, key[0])

    return Blow(begin, None if mend is None else end)


def _broker(
    colour: str, strike: Callable[[EmqxCluster, str], object], mend: Callable[[EmqxCluster, EmqxNode], object]
) -> Blow:
    def begin(world: World, key: Key) -> str:
        found = _running(world, key, colour)
        if not found:
            return NOTHING
        strike(world.clusters[key], world.broker(found[0], key[0]).name)
        return found[0]

    def end(world: World, key: Key) -> None:
        for node in list(world.clusters[key].nodes.values()):
            mend(world.clusters[key], node)

    return Blow(begin, end)


def _every_broker(change: Callable[[EmqxNode, bool], object]) -> Blow:
    def begin(world: World, key: Key) -> str:
        return _change(world, key, True)

    def _change(world: World, key: Key, value: bool) -> str:
        nodes = list(world.clusters[key].nodes.values())
        for node in nodes:
            change(node, value)
        return f"{len(nodes)} brokers" if nodes else NOTHING

    return Blow(begin, lambda world, key: _change(world, key, False))


def _set(fault: str) -> Callable[[EmqxNode, bool], object]:
    return lambda node, value: setattr(node.faults, fault, value)


def _go_on(cluster: EmqxCluster, node: EmqxNode) -> None:
    if node.hung:
        cluster.go_on(node.name)


def _heal(cluster: EmqxCluster, node: EmqxNode) -> None:
    if node.island:
        cluster.heal(node.name)


_SLOW_TICK_S = 4.0


def _slow_blue(seconds: float) -> Callable[[World, Key], str]:
    def strike(world: World, key: Key) -> str:
        found = _running(world, key, "blue")
        for name in found:
            world.broker(name, key[0]).tick_delay_s = seconds
        return f"{len(found)} brokers" if found else NOTHING

    return strike


# -- operator and API server -----------------------------------------------------------------------------------------


def _operator(change: Callable[[World], object]) -> Callable[[World, Key], str]:
    def strike(world: World, key: Key) -> str:
        change(world)
        return "the operator"

    return strike


def _down(value: bool) -> Callable[[World], object]:
    return lambda world: setattr(world.operator, "down", value)


def _without_emqx(*faults: ApiFault) -> Callable[[World], object]:
    def change(world: World) -> None:
        world.operator.context.faults[:] = faults

    return change


def _api(is_down: bool) -> Callable[[World, Key], str]:
    def strike(world: World, key: Key) -> str:
        world.set_api_down(is_down)
        return "the API server"

    return strike


# -- other hands -----------------------------------------------------------------------------------------------------


def _edit(spec: Callable[[Object], Object]) -> Strike:
    """Somebody's `kubectl patch` of the resource; refused where the operator's webhook does not answer."""

    def strike(world: World, key: Key) -> str:
        path = f"/apis/apps.emqx.io/v1beta4/namespaces/{key[0]}/emqxenterprises/{key[1]}"
        if (cr := world.store.find("emqxenterprises", *key)) is None:
            return NOTHING
        body = {"spec": spec(cr)}
        reply = world.api.request("PATCH", path, {}, body, "application/merge-patch+json", manager="kubectl-edit")
        return key[1] if reply.status == 200 else NOTHING

    return strike


def _one_more(cr: Object) -> Object:
    return {"replicas": cr["spec"].get("replicas", 3) + 1}


def _evict_at(rate: int) -> Callable[[Object], Object]:
    strategy = {"connEvictRate": rate, "sessEvictRate": rate}
    return lambda cr: {"blueGreenUpdate": {"evacuationStrategy": strategy}}


def _scale_blue(world: World, key: Key) -> str:
    pods = [world.store.get("pods", key[0], name) for name in _running(world, key, "blue")]
    owners = sorted({owner["name"] for pod in pods for owner in pod["metadata"].get("ownerReferences") or ()})
    for name in owners:
        world.store.patch("statefulsets", key[0], name, {"spec": {"replicas": 1}}, "merge")
    return ", ".join(owners)


def _listener(world: World, key: Key) -> str:
    cr = world.store.find("emqxenterprises", *key)
    template = {} if cr is None else cr["spec"].get("serviceTemplate") or {}
    return (template.get("metadata") or {}).get("name") or key[1]


def _empty_endpoints(world: World, key: Key) -> str:
    name = _listener(world, key)
    if world.store.find("endpoints", key[0], name) is None:
        return NOTHING
    world.store.patch("endpoints", key[0], name, {"subsets": []}, "merge")
    return name


def _remove(plural: str, name_of: Callable[[World, Key], str]) -> Strike:
    def strike(world: World, key: Key) -> str:
        name = name_of(world, key)
        if world.store.find(plural, key[0], name) is None:
            return NOTHING
        world.store.delete(plural, key[0], name)
        return name

    return strike


BLOWS: Mapping[str, Blow] = {
    "green-pod-restart": _pod("green", World.restart_broker),
    "blue-pod-restart": _pod("blue", World.restart_broker),
    "green-pod-lost": _pod("green", World.kill_pod),
    "blue-pod-lost": _pod("blue", World.kill_pod),
    "green-pod-unready": _pod(
        "green",
        lambda world, pod, namespace: world.set_ready(pod, False, namespace),
        lambda world, pod, namespace: world.set_ready(pod, True, namespace),
    ),
    "green-broker-hangs": _broker("green", EmqxCluster.hang, _go_on),
    "blue-broker-hangs": _broker("blue", EmqxCluster.hang, _go_on),
    "green-broker-split": _broker("green", EmqxCluster.split, _heal),
    "blue-slow": Blow(_slow_blue(_SLOW_TICK_S), _slow_blue(0.0)),
    "emqx-api-down": _every_broker(_set("api_down")),
    "emqx-unauthorized": _every_broker(_set("unauthorized")),
    "api-down": Blow(_api(True), _api(False)),
    "operator-down": Blow(_operator(_down(True)), _operator(_down(False))),
    "operator-restart": Blow(_operator(lambda world: world.operator.restart())),
    "operator-without-emqx": Blow(_operator(_without_emqx(ApiFault("refused"))), _operator(_without_emqx())),
    "valve-opened": Blow(_edit(lambda cr: {"blueGreenUpdate": {"initialDelaySeconds": 1}})),
    "rates-edited": Blow(_edit(_evict_at(3))),
    "replicas-raised": Blow(_edit(_one_more)),
    "blue-scaled-down": Blow(_scale_blue),
    "endpoints-emptied": Blow(_empty_endpoints),
    "service-removed": Blow(_remove("services", _listener)),
    "journal-removed": Blow(_remove("secrets", lambda world, key: f"emqx-tui-{key[1]}")),
}
