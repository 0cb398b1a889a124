"""Ready-made worlds: a settled cluster, and what is going to happen to it.

Owns the scenarios by name and the manifest they start from. A scenario only turns knobs of the world; what follows is
the simulation's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from emqx_tui.sandbox.clients.presets import Preset
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation_process import CALIBRATED
from emqx_tui.sandbox.kube.objects import Object, is_terminating
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.world.world import NOON, World, WorldConfig


def manifest(
    *,
    name: str = "emqx-ee",
    namespace: str = "default",
    version: str = "4.4.14",
    replicas: int = 3,
    delay_s: int = 60,
    wait_takeover_s: int = 5,
    conn_evict_rate_per_s: int = 200,
    sess_evict_rate_per_s: int = 200,
) -> Object:
    """An EmqxEnterprise as the operator's documentation writes it; `replicas` only when it is not the default."""
    spec: dict[str, Any] = {
        "blueGreenUpdate": {
            "initialDelaySeconds": delay_s,
            "evacuationStrategy": {
                "waitTakeover": wait_takeover_s,
                "connEvictRate": conn_evict_rate_per_s,
                "sessEvictRate": sess_evict_rate_per_s,
            },
        },
        "template": {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": version}}}},
    }
    if replicas != 3:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps.emqx.io/v1beta4",
        "kind": "EmqxEnterprise",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


@dataclass(frozen=True)
class Scenario:
    """What is different from a smooth world: its configuration, and what happens in it later."""

    summary: str
    configure: Callable[[WorldConfig], WorldConfig] = lambda config: config
    arrange: Callable[[World], None] = lambda world: None


def _slow(config: WorldConfig) -> WorldConfig:
    return replace(config, profile=CALIBRATED)


def _slow_second_node(world: World) -> None:
    """The second node that will be drained sits on an overloaded machine: its drain runs at a fifth of its rate."""
    cluster = world.cluster()
    cluster.nodes[sorted(cluster.nodes)[-2]].tick_delay_s = 4.0


def _lose_green_in_first_drain(world: World) -> None:
    """The machine of a green pod dies some seconds after the first evacuation has begun; its successor is late."""
    cluster = world.cluster()

    def watch() -> None:
        if any(node.evacuation is not None for node in cluster.nodes.values()):
            world.timeline.after(20.0, lose)
        else:
            world.timeline.after(1.0, watch)

    def lose() -> None:
        green = [pod for pod in world.pods() if world.is_green(pod) and not is_terminating(pod)]
        if not green:
            return
        victim = green[0]["metadata"]
        world.kubelet.durations.boot_rules.insert(
            0, (lambda pod: pod["metadata"]["name"] == victim["name"], _LATE_BOOT_S)
        )
        world.kill_pod(victim["name"], victim["namespace"])

    watch()


def _in_first_drain(strike: Callable[[World, EmqxCluster, str], None]) -> Callable[[World], None]:
    """Ten seconds into the first evacuation something happens to the broker of the first green pod."""

    def arrange(world: World) -> None:
        cluster = world.cluster()

        def watch() -> None:
            is_draining = any(node.evacuation is not None for node in cluster.nodes.values())
            world.timeline.after(10.0 if is_draining else 1.0, act if is_draining else watch)

        def act() -> None:
            green = sorted(pod["metadata"]["name"] for pod in world.pods() if world.is_green(pod))
            if green:
                strike(world, cluster, world.broker(green[0]).name)

        watch()

    return arrange


def _hang(world: World, cluster: EmqxCluster, node: str) -> None:
    """It hangs longer than its peers wait: taken for down, it is restarted by EMQX after it has gone on."""
    cluster.hang(node)
    world.timeline.after(_HANGS_FOR_S, lambda: cluster.go_on(node))


def _split(world: World, cluster: EmqxCluster, node: str) -> None:
    cluster.split(node)
    world.timeline.after(_SPLIT_FOR_S, lambda: cluster.heal(node))


_LATE_BOOT_S = 90.0
_HANGS_FOR_S = 90.0
_SPLIT_FOR_S = 60.0

SCENARIOS: dict[str, Scenario] = {
    "smooth": Scenario("nothing goes wrong"),
    "green-never-ready": Scenario(
        "one green pod never gets its image", lambda config: replace(config, green_pull_fails=(1,))
    ),
    "slow-drain": Scenario("one blue node evicts far slower than asked", _slow, _slow_second_node),
    "node-lost": Scenario("a green node is lost during the first drain", arrange=_lose_green_in_first_drain),
    "network-resets": Scenario(
        "connections are reset when their address leaves the Service", lambda config: replace(config, network="ebpf")
    ),
    "hung-peer": Scenario(
        "a green broker hangs for 90 s during the first drain, with its connections open",
        arrange=_in_first_drain(_hang),
    ),
    "split": Scenario(
        "a green broker sees only itself for 60 s during the first drain", arrange=_in_first_drain(_split)
    ),
}


def scenario(
    name: str = "smooth",
    *,
    clients: int = 100_000,
    nodes: int = 3,
    preset: str | Preset = "mqttx-default",
    seed: int = 1,
    start: float = NOON,
    cr: Object | None = None,
    prepare: Callable[[Store], None] | None = None,
    **config: Any,
) -> World:
    """A world in which `emqx-ee` in `default` is Running with all clients connected; the clock stands at `start`.

    `cr` is another resource than the usual one, `prepare` equips the store before anything is in it, `config` takes any
    other field of WorldConfig. KeyError for an unknown scenario.
    """
    chosen = SCENARIOS[name]
    made = WorldConfig(clients=clients, preset=preset, start=start, **config)
    world = World(chosen.configure(made), seed=seed, prepare=prepare)
    world.settle_cluster(cr or manifest(replicas=nodes))
    chosen.arrange(world)
    return world
