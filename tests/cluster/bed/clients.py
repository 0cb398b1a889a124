"""The clients of a bed's clusters, and what really happened to them: the sandbox's cohorts, or MQTT connections.

Owns the one shape in which tests are told of either.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import asdict
from typing import Any, Protocol

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.clients.routes import Routes
from emqx_tui.sandbox.emqx.brokers import Brokers, image_version
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.kube.objects import Key, key_of
from tests.cluster.bed.brought import BroughtRunner, Node
from tests.cluster.bed.mqtt_load import Load

Object = dict[str, Any]
MESSAGES_PER_S = 60.0


class Clients(Protocol):
    """By EmqxEnterprise; LookupError for one that is not known."""

    async def truth(self, key: Key) -> Object: ...
    def connect(self, key: Key, asked: Object) -> None: ...
    def mark(self, key: Key) -> None: ...


class SimulatedClients:
    """Counts of clients, without connections."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers

    def _find(self, key: Key) -> EmqxCluster:
        if key not in self._brokers.clusters:
            raise LookupError(f"no cluster {'/'.join(key)}")
        return self._brokers.clusters[key]

    async def truth(self, key: Key) -> Object:
        cluster = self._find(key)
        clients, truth = cluster.clients, cluster.truth
        nodes = {
            name: {
                "running": node.running,
                "live": node.live,
                "sessions": node.sessions,
                "evacuating": node.evacuation is not None,
                "version": node.version,
            }
            for name, node in cluster.nodes.items()
        }
        return {
            "nodes": nodes,
            "route": list(cluster.route),
            "live": truth.live,
            "lowest_live": truth.lowest_live,
            "size": 0 if clients is None else clients.size,
            "waiting": 0 if clients is None else clients.waiting,
            "lost": 0 if clients is None else clients.dead,
            "since_mark": asdict(truth.since_mark()),
            "per_node": {name: asdict(counts) for name, counts in truth.per_node.items()},
        }

    def connect(self, key: Key, asked: Object) -> None:
        cluster = self._find(key)
        churn_per_s = float(asked.get("churn_per_s", 0.0))
        clients = add_clients(
            cluster, asked.get("preset", "mqttx-default"), int(asked["size"]), churn_per_s=churn_per_s
        )
        clients.connect_all_at_once()

    def mark(self, key: Key) -> None:
        self._find(key).truth.mark()


class MqttClients:
    """Connections to the brokers that run in the pods."""

    def __init__(self, runner: BroughtRunner, routes: Routes) -> None:
        self._runner, self._routes = runner, routes
        self._loads: dict[Key, Load] = {}

    async def truth(self, key: Key) -> Object:
        nodes = self._runner.of(key)
        load = self._loads.get(key)
        states = await asyncio.gather(*(self._node(node, load) for node in nodes))
        names = {node.pod["status"]["podIP"]: node.name for node in nodes if node.joined}
        told = {"live": 0, "size": 0, "waiting": 0, "lost": 0, "since_mark": {}} if load is None else load.told()
        return {
            "nodes": {node.name: state for node, state in zip(nodes, states, strict=True)},
            "route": [names.get(address) for address in self._routes.addresses(key)],
            **told,
        }

    async def _node(self, node: Node, load: Load | None) -> Object:
        """`evacuating` is None while it does not say."""
        return {
            "running": node.joined,
            "paused": node.paused,
            "live": 0 if load is None else load.live_at(node.pod["status"]["podIP"]),
            "evacuating": None if node.paused else await self._evacuates(node),
            "version": image_version(node.pod),
        }

    async def _evacuates(self, node: Node) -> bool | None:
        try:
            _, text = await self._runner.ask(node.pod, "GET", "/api/v4/node_eviction/status")
            return json.loads(text)["status"] == "enabled"
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return None

    def connect(self, key: Key, asked: Object) -> None:
        """They come one after the other, as fast as they can; the caller waits for them, and then marks."""
        load = Load(key[0], int(asked["size"]), MESSAGES_PER_S, lambda: self._routes.addresses(key))
        self._loads[key] = load
        load.start()

    def mark(self, key: Key) -> None:
        self._loads[key].mark()

    def on_enterprise(self, event: str, enterprise: Object) -> None:
        """With their cluster the clients go."""
        load = self._loads.pop(key_of(enterprise), None) if event == "DELETED" else None
        if load is not None:
            load.stop()
