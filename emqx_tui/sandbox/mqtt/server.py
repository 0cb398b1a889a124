"""Where MQTT clients get in: at a pod's address, or at the listener Service, which picks a pod.

Owns the connections and their keep-alive. It opens no port: it gives a protocol for each new connection to whoever
listens. Like kube-proxy the Service decides once, when a connection is made; unlike kube-proxy it has accepted the
connection by then, so that one to an address where nothing listens is reset at once, not refused.
"""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.kube.objects import Key
from emqx_tui.sandbox.mqtt.connection import MqttConnection, reset

PORT = 1883
BACKLOG = 4096
_SILENCE_CHECKED_EVERY_S = 1.0


class BrokerWorld(Protocol):
    """The part of the world that MQTT clients reach."""

    brokers: Brokers
    clusters: dict[Key, EmqxCluster]


class Refused(asyncio.Protocol):
    """Nothing listens there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            reset(transport)


class MqttServer:
    """The clients of all simulated brokers."""

    def __init__(self, world: BrokerWorld) -> None:
        self._world = world
        self._connections: set[MqttConnection] = set()
        self._checking: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._checking = asyncio.create_task(self._check_silence())

    def close(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
        for connection in list(self._connections):
            connection.abort()

    def at_pod(self, namespace: str, name: str) -> asyncio.Protocol:
        """The protocol of a new connection to a pod's MQTT listener."""
        broker = self._world.brokers.at_pod(namespace, name)
        return Refused() if broker is None or not broker.listening else self._at(broker.cluster, broker.name)

    def at_service(self) -> asyncio.Protocol:
        """The protocol of a new connection to the listener Service of the cluster that has been there longest."""
        cluster = next(iter(self._world.clusters.values()), None)
        name = random.choice(cluster.route) if cluster is not None and cluster.route else None
        return Refused() if cluster is None or name is None else self._at(cluster, name)

    def _at(self, cluster: EmqxCluster, name: str) -> asyncio.Protocol:
        node = cluster.nodes.get(name)
        if node is None or not node.running:
            return Refused()
        connection = MqttConnection(cluster, node, self._connections.discard)
        self._connections.add(connection)
        return connection

    async def _check_silence(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SILENCE_CHECKED_EVERY_S)
            now = loop.time()
            for connection in list(self._connections):
                connection.check_silence(now)
