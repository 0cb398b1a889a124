"""The fleet of `emqx-tui demo --clusters N`: clusters in the states that a list of many has.

Each state is reached before the clock is let go: what a console writes in a release (template, valve, addresses and
journal) is written at its instant of virtual time. The console of the demo drives the releases that have a journal.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.kinds import Kind
from emqx_tui.model.workloads import REPLACED_DELAY, Endpoints, Service, StatefulSet, port_row
from emqx_tui.rollout.change import merge_diff, rates_of
from emqx_tui.rollout.gate_id import CUT_OVER, START
from emqx_tui.rollout.policy import CLOSED_S, Approval
from emqx_tui.rollout.state.journal import HoldRecord, Journal, Originals, journal_name
from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.emqx.brokers import INSTANCE_LABEL
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.run.command import SandboxOptions
from emqx_tui.sandbox.run.runner import prepare
from emqx_tui.sandbox.world.scenario import manifest
from emqx_tui.sandbox.world.world import SETTLING_S, World, WorldConfig

BEFORE, AFTER = "4.4.14", "4.4.15"
BEGIN_S, GREEN_S = 380.0, 180.0
"""Before the clock is let go: when the releases begin, and when green is complete in all of them."""
DELAY_S, LONG_DELAY_S = 60, 3_600
SOMEBODY = "ann@bastion"
_CHURN_PER_CLIENT_S = 5e-5

Key = tuple[str, str]


@dataclass(frozen=True)
class _Cluster:
    """One cluster of the fleet, and how it came to be what it is."""

    namespace: str
    name: str
    version: str = BEFORE
    replicas: int = 3
    share: float = 0.05
    """Part of the clients."""
    delay_s: int = DELAY_S
    begins: bool = False
    """Its template is patched, with a closed valve unless it is ungated."""
    is_ungated: bool = False
    is_broken: bool = False
    """One of its pods never gets its image: the operator has not reported anything yet."""
    finish: Callable[[World, Key, EmqxEnterprise], None] | None = None
    """What is done once green is complete; it is given the object as it was before."""


def fleet_world(count: int) -> Callable[[SandboxOptions, str, float], World]:
    """Makes a world of `count` clusters, at most all that there are."""

    def make(options: SandboxOptions, pod_subnet: str, start: float) -> World:
        config = WorldConfig(
            clients=options.clients // 4,
            churn_per_s=options.clients // 4 * _CHURN_PER_CLIENT_S,
            pod_subnet=pod_subnet,
            start=start,
        )
        world = World(config, seed=options.seed, prepare=prepare)
        _settle(world, FLEET[:count], options.clients)
        return world

    return make


def _settle(world: World, fleet: Sequence[_Cluster], clients: int) -> None:
    start = world.config.start
    broken = {(each.namespace, each.name) for each in fleet if each.is_broken}
    world.kubelet.pull_failures.append(lambda pod: _is_second_pod_of(pod, broken))
    for each in fleet:
        if world.store.find("namespaces", "", each.namespace) is None:
            world.store.create("namespaces", {"metadata": {"name": each.namespace}, "spec": {}})
        made = manifest(
            name=each.name,
            namespace=each.namespace,
            version=each.version,
            replicas=each.replicas,
            delay_s=each.delay_s,
        )
        world.store.create("emqxenterprises", made, manager="kubectl-client-side-apply")
    world.run_until(start - SETTLING_S + 120.0)
    for each in fleet[1:]:
        cluster, size = world.cluster(each.name, each.namespace), int(clients * each.share)
        if size:
            add_clients(cluster, "device", size, churn_per_s=size * _CHURN_PER_CLIENT_S).connect_all_at_once()
    world.run_until(start - BEGIN_S)
    before = {(each.namespace, each.name): _resource(world, (each.namespace, each.name)) for each in fleet}
    for each in fleet:
        if each.begins:
            valve = {} if each.is_ungated else {"blueGreenUpdate": {"initialDelaySeconds": CLOSED_S}}
            image = {"spec": {"emqxContainer": {"image": {"version": AFTER}}}}
            _patch(world, Kind.EMQX_ENTERPRISE, (each.namespace, each.name), {"spec": {"template": image, **valve}})
    world.run_until(start - GREEN_S)
    for each in fleet:
        if each.finish is not None:
            key = (each.namespace, each.name)
            each.finish(world, key, before[key])
    world.run_until(start)


def _is_second_pod_of(pod: Object, clusters: Container[Key]) -> bool:
    metadata = pod["metadata"]
    key = (metadata["namespace"], metadata.get("labels", {}).get(INSTANCE_LABEL, ""))
    return key in clusters and metadata["name"].endswith("-1")


def _resource(world: World, key: Key) -> EmqxEnterprise:
    return EmqxEnterprise.from_json(world.store.get("emqxenterprises", *key))


def _patch(world: World, kind: Kind, key: Key, body: dict[str, Any]) -> None:
    reply = world.api.request("PATCH", kind.info.path(*key), {}, body, "application/merge-patch+json", manager=SOMEBODY)
    if reply.status != 200:
        raise RuntimeError(f"{kind.info.plural} {key}: {reply.body}")


def _generations(world: World, key: Key) -> tuple[StatefulSet, StatefulSet]:
    """Blue and green."""
    owner = world.store.get("emqxenterprises", *key)["metadata"]["uid"]
    found = [StatefulSet.from_json(each) for each in world.store.list("statefulsets", key[0])]
    mine = sorted(
        (each for each in found if each.meta.owner_uid == owner and each.replicas),
        key=lambda each: each.version,
    )
    return mine[0], mine[-1]


def _journal(world: World, key: Key, before: EmqxEnterprise, approval: Approval) -> Journal:
    """Of a release that has begun, as the console that began it would have written it."""
    resource, (blue, green) = _resource(world, key), _generations(world, key)
    service = Service.from_json(world.store.get("services", *key))
    endpoints = Endpoints.from_json(world.store.get("endpoints", *key))
    rates = rates_of(resource.blue_green)
    assert rates is not None
    now = datetime.fromtimestamp(world.now, UTC)
    journal = Journal(
        namespace=key[0],
        name=key[1],
        uid=resource.meta.uid,
        resource_version=before.meta.resource_version,
        metadata_generation=before.meta.metadata_generation,
        from_image=blue.image,
        to_image=green.image,
        patch=merge_diff(before.template, resource.template),
        rates=rates,
        approval=approval,
        target_mark=resource.template_mark,
        release_id=f"demo-{key[0]}-{key[1]}",
        console_version="demo",
        created_at=now,
        created_by=SOMEBODY,
        originals=Originals(
            template=before.template,
            template_mark=before.template_mark,
            delay_s=DELAY_S,
            replicas=resource.replicas,
            blue_uid=blue.meta.uid,
            blue_name=blue.name,
            blue_revision=blue.update_revision,
            service_ports=tuple(port_row(port) for port in service.ports),
            endpoint_ports=tuple((port.name, port.port, port.protocol) for port in endpoints.ports),
        ),
        green_uid=green.meta.uid,
    )
    return journal.with_approval(START, SOMEBODY, now, "demo")


def _write(world: World, key: Key, journal: Journal) -> None:
    owner = {"apiVersion": "apps.emqx.io/v1beta4", "kind": "EmqxEnterprise", "name": key[1], "uid": journal.uid}
    metadata = {"namespace": key[0], "name": journal_name(key[1]), "ownerReferences": [owner]}
    data = {"journal": base64.b64encode(journal.dumps().encode()).decode()}
    world.store.create("secrets", {"metadata": metadata, "type": "Opaque", "data": data}, manager="emqx-tui")


def _waits_for_the_cut_over(world: World, key: Key, before: EmqxEnterprise) -> None:
    _write(world, key, _journal(world, key, before, Approval.EVERY_NODE))


def _cut_over(world: World, key: Key, before: EmqxEnterprise, approval: Approval) -> Journal:
    """New connections go to green; the canary has passed."""
    journal = _journal(world, key, before, approval)
    green = _generations(world, key)[1]
    pods = [pod for pod in world.pods(key[0]) if pod["metadata"]["name"].startswith(f"{green.name}-")]
    addresses = [{"ip": pod["status"]["podIP"]} for pod in pods]
    ports = world.store.get("endpoints", *key)["subsets"][0]["ports"]
    _patch(world, Kind.ENDPOINTS, key, {"subsets": [{"addresses": addresses, "ports": ports}]})
    now = datetime.fromtimestamp(world.now, UTC)
    journal = journal.with_approval(CUT_OVER, SOMEBODY, now, "demo")
    return replace(journal, canary_passed_at=now, cut_over_at=now)


def _drains(world: World, key: Key, before: EmqxEnterprise) -> None:
    _write(world, key, _cut_over(world, key, before, Approval.AUTO))


def _waits_for_a_node(world: World, key: Key, before: EmqxEnterprise) -> None:
    _write(world, key, _cut_over(world, key, before, Approval.EVERY_NODE))


def _is_held(world: World, key: Key, before: EmqxEnterprise) -> None:
    journal = _cut_over(world, key, before, Approval.CUT_OVER)
    hold = HoldRecord(SOMEBODY, datetime.fromtimestamp(world.now, UTC), "the dashboards look odd")
    _write(world, key, replace(journal, hold=hold))


def _is_stopped(world: World, key: Key, before: EmqxEnterprise) -> None:
    """Somebody has closed the valve of a release that kubectl began, and left."""
    stamp = datetime.fromtimestamp(world.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "metadata": {
            "generateName": f"{key[1]}.emqx-tui.",
            "namespace": key[0],
            "annotations": {REPLACED_DELAY: str(DELAY_S)},
        },
        "involvedObject": {
            "apiVersion": "apps.emqx.io/v1beta4",
            "kind": "EmqxEnterprise",
            "name": key[1],
            "namespace": key[0],
            "uid": before.meta.uid,
        },
        "reason": "ReleaseStopped",
        "message": f"valve closed by emqx-tui: initialDelaySeconds was {DELAY_S}",
        "type": "Normal",
        "source": {"component": "emqx-tui"},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
    world.store.create("events", event, manager="emqx-tui")


FLEET: tuple[_Cluster, ...] = (
    _Cluster("default", "emqx-ee"),
    _Cluster("mqtt-eu", "payments", begins=True, finish=_drains),
    _Cluster("mqtt-eu", "orders", begins=True, finish=_waits_for_the_cut_over),
    _Cluster("mqtt-us", "orders", begins=True, finish=_is_held),
    _Cluster("mqtt-eu", "telemetry", begins=True, is_ungated=True, delay_s=LONG_DELAY_S),
    _Cluster("mqtt-us", "telemetry", AFTER, share=0.0, is_broken=True),
    _Cluster("mqtt-us", "payments", begins=True, finish=_waits_for_a_node),
    _Cluster("iot", "meters", begins=True, finish=_is_stopped),
    _Cluster("iot", "vehicles", begins=True, is_ungated=True, delay_s=5, share=0.02),
    _Cluster("iot", "cameras", AFTER),
    _Cluster("default", "lab", replicas=1, share=0.0),
    _Cluster("iot", "tracking", AFTER, replicas=2),
)
"""In a release, at two gates, held, ungated, never up, stopped, done, a version behind, and at rest."""
