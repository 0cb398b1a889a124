"""One simulated EMQX cluster: its brokers, its clients, and the addresses behind its load balancer.

Owns the membership and the route. Brokers start and stop at once here; the time that a pod takes is up to the caller.
The management API is in `api`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from emqx_tui.sandbox.emqx.evacuation import EvacuationRefused, Options
from emqx_tui.sandbox.emqx.evacuation_process import IDEAL, EvacuationProcess, Profile
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.timeline import Timeline
from emqx_tui.sandbox.truth import Truth


class Clients(Protocol):
    """The MQTT clients of a cluster, as far as its brokers act on them."""

    size: int
    """all of them, wherever they are"""
    waiting: int
    """offline, and going to connect again"""
    dead: int
    """offline for good"""

    @property
    def keep_sessions(self) -> bool:
        """They connect with clean start 0."""
        ...

    def disconnect(self, node: EmqxNode, count: int, why: str) -> None: ...
    def broker_down(self, node: EmqxNode) -> None: ...
    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int: ...


class EmqxCluster:
    """All brokers of one EmqxEnterprise and the clients they share."""

    def __init__(self, timeline: Timeline, rng: random.Random, *, profile: Profile = IDEAL, name: str = "emqx") -> None:
        self.timeline = timeline
        self.rng = rng
        self.profile = profile
        self.name = name
        self.nodes: dict[str, EmqxNode] = {}
        """members, stopped ones included"""
        self.known_names: set[str] = set()
        """names of all present and former members; EMQX answers differently for unknown names"""
        self.clients: Clients | None = None
        self.truth = Truth()
        self.credentials: dict[str, str] = {"admin": "public"}
        """application id -> secret; EMQX's factory default unless replaced"""
        self.route: tuple[str | None, ...] = ()

    # membership

    def add_node(self, name: str, version: str, *, persisted: Mapping[str, object] | None = None) -> EmqxNode:
        """A broker joins and runs. With `persisted`, the evacuation file of its volume, it boots evacuating."""
        if name in self.nodes and self.nodes[name].running:
            raise ValueError(f"{name} is running")
        keeps = self.clients is not None and self.clients.keep_sessions
        node = EmqxNode(name, version, booted_at=self.timeline.now, live_keep_sessions=keeps)
        self.nodes[name] = node
        self.known_names.add(name)
        if persisted is not None:
            self._evacuate(node, Options.from_file(persisted))
        return node

    def stop_node(self, name: str) -> None:
        """The broker stops: its live clients are disconnected, the sessions in its memory are lost.

        It stays a member that does not answer, and keeps its evacuation file in `persisted`.
        """
        node = self.nodes[name]
        if not node.running:
            return
        node.running = False
        node.evacuation = None
        if self.clients is not None:
            self.clients.broker_down(node)

    def remove_node(self, name: str) -> None:
        """The cluster forgets the member; a running one goes down first."""
        if name in self.nodes:
            self.stop_node(name)
            del self.nodes[name]

    def running_nodes(self) -> list[EmqxNode]:
        return [node for node in self.nodes.values() if node.running]

    # clients and the network

    def attach(self, clients: Clients) -> None:
        """Give the cluster its clients, once."""
        if self.clients is not None:
            raise ValueError("the cluster has its clients")
        self.clients = clients
        for node in self.nodes.values():
            node.live_keep_sessions = clients.keep_sessions

    def set_route(self, targets: Sequence[str | None]) -> None:
        """The load balancer's addresses, by node name; None is an address where nothing listens.

        Each new connection takes one of them at random; established ones stay where they are.
        """
        self.route = tuple(targets)

    def routed(self) -> list[EmqxNode | None]:
        nodes = self.nodes
        return [None if name is None else nodes.get(name) for name in self.route]

    def reset_connections(self, node: str, over_s: float = 0.0) -> None:
        """The network cuts the connections `node` has now, in equal parts once a second for `over_s` seconds."""
        target = self.nodes[node]
        self._reset(target, target.live, max(1, math.ceil(over_s)))

    def _reset(self, node: EmqxNode, left: int, steps: int) -> None:
        left = min(left, node.live)
        if left == 0 or self.clients is None:
            return
        cut = math.ceil(left / steps)
        self.clients.disconnect(node, cut, "reset")
        if steps > 1:
            self.timeline.after(1.0, lambda: self._reset(node, left - cut, steps - 1))

    # evacuation: what the API asks for, and what a running one does

    def start_evacuation(self, node: EmqxNode, options: Options) -> None:
        """Raises EvacuationRefused when one is running or a rebalance owns the node."""
        if node.evacuation is not None:
            raise EvacuationRefused("already_started")
        if node.rebalancing:
            raise EvacuationRefused("eviction_agent_busy")
        self._evacuate(node, options)

    def stop_evacuation(self, node: EmqxNode) -> None:
        """The node accepts clients at once. Raises EvacuationRefused when there is nothing to stop."""
        if node.evacuation is None:
            raise EvacuationRefused("not_started")
        node.evacuation = None
        node.persisted = None

    def _evacuate(self, node: EmqxNode, options: Options) -> None:
        node.persisted = options.to_file()
        EvacuationProcess(node, options, self)

    def evict(self, node: EmqxNode, count: int) -> None:
        if self.clients is not None:
            node.sent_elsewhere += count
            self.clients.disconnect(node, count, "evicted")

    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int:
        return self.clients.migrate(node, count, recipients) if self.clients is not None else 0

    def recipients(self, wanted: Sequence[str] | None) -> list[EmqxNode]:
        """Of the nodes `wanted`, or of all, those that run and are not giving clients away themselves.

        That leaves out whoever asks: an evacuating node is never available.
        """
        members = self.nodes
        asked = members.values() if wanted is None else [members[name] for name in wanted if name in members]
        return [other for other in asked if other.running and other.available]
