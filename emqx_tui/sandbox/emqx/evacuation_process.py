"""The process that evacuates a node: connections, the wait for takeovers, then sessions, a tick a second.

Owns the ticks and when they refresh the counters. It never moves a client itself; it tells the cluster to.

A tick's work is taken from the connections the node had at the start, not from what is left: the connection lines
that the EMQX Operator's documentation publishes are straight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from emqx_tui.sandbox.emqx.evacuation import EVICTING_SESSIONS, PROHIBITING, WAITING_TAKEOVER, Evacuation, Options
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.timeline import Timeline

TICK_S = 1.0
RETRY_WITHOUT_RECIPIENT_S = 30.0


@dataclass(frozen=True)
class Profile:
    """How long EMQX's own work takes."""

    work_s_per_connection: float = 0.0
    """what a connection tick takes beyond its second, for each connection that the node started with"""
    takeover_s: float = 0.0
    """one forced migration of a session; a tick does them one after the other"""
    plugins_s: float = 0.0
    """from a node's first answer to the load of its plugins; clients are let in meanwhile"""
    join_s: float = 0.0
    """how long a node that has joined shows `"connections": "undefined"`"""


IDEAL = Profile()
CALIBRATED = Profile(work_s_per_connection=0.2 / 33_000, takeover_s=0.002, plugins_s=0.1, join_s=1.0)


class Cluster(Protocol):
    """The cluster that the node belongs to."""

    timeline: Timeline
    profile: Profile

    def evict(self, node: EmqxNode, count: int) -> None: ...
    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int: ...
    def recipients(self, wanted: tuple[str, ...] | None) -> list[EmqxNode]: ...


class EvacuationProcess:
    """Runs while its evacuation is the node's. The first tick happens at the instant of the start."""

    def __init__(self, node: EmqxNode, options: Options, cluster: Cluster) -> None:
        self._node = node
        self._evacuation = node.evacuation = Evacuation(options, node.live, node.sessions)
        self._cluster = cluster
        self._log("warning", "Node evacuation is enabled. The node will not receive connections.")
        self._next(0.0, self._evict_connections)

    def _log(self, level: str, text: str) -> None:
        self._node.log.append((self._cluster.timeline.now, f"[{level}] {text}"))

    def _next(self, delay_s: float, tick: Callable[[], None]) -> None:
        def run() -> None:
            if self._node.evacuation is not self._evacuation:
                return
            if self._stands_still():
                self._next(TICK_S, tick)
            else:
                tick()

        self._cluster.timeline.after(delay_s, run)

    def _stands_still(self) -> bool:
        """The node hangs, or its coordinator waits for a recipient that does."""
        awaited = self._evacuation.waits_for
        if awaited is not None and not (awaited.hung and not awaited.given_up):
            self._evacuation.waits_for = awaited = None
        return self._node.hung or awaited is not None

    def _evict_connections(self) -> None:
        evacuation, node = self._evacuation, self._node
        evacuation.current_connected = connected = node.live
        if connected == 0:
            evacuation.state = WAITING_TAKEOVER
            self._log(
                "info", f"Node evacuation: no connection is left, sessions wait {evacuation.options.wait_takeover} s."
            )
            self._next(evacuation.options.wait_takeover, self._evict_sessions)
            return
        self._log("info", f"Node evacuation: {connected} connections are left.")
        self._cluster.evict(node, min(evacuation.options.conn_evict_rate, connected))
        work_s = self._cluster.profile.work_s_per_connection * evacuation.initial_connected + node.tick_delay_s
        self._next(TICK_S + work_s, self._evict_connections)

    def _evict_sessions(self) -> None:
        evacuation, node = self._evacuation, self._node
        evacuation.state = EVICTING_SESSIONS
        sessions = node.sessions
        if sessions == 0:
            evacuation.current_sessions = 0
            evacuation.state = PROHIBITING
            self._log("warning", "Node evacuation is finished: no connection and no session is left.")
            return
        recipients = self._cluster.recipients(evacuation.options.migrate_to)
        if not recipients:
            self._next(RETRY_WITHOUT_RECIPIENT_S, self._evict_sessions)
            return
        evacuation.current_sessions = sessions
        moved = self._cluster.migrate(node, min(evacuation.options.sess_evict_rate, sessions), recipients)
        self._next(TICK_S + moved * self._cluster.profile.takeover_s, self._evict_sessions)
