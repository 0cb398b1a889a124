"""Node evacuation of EMQX 4.4, one state machine per node.

Owns the states, the ticks and the four counters with their refresh rules: `initial_*` is sampled once,
`current_connected` only by ticks that evict, `current_sessions` only by session ticks that found a recipient. The
order of states is linear and only `stop` leads back. It never moves a client itself; it tells its cluster to.

A tick's work is taken from the connections the node had at the start, not from what is left: the connection lines
that the EMQX Operator's documentation publishes are straight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from emqx_tui.sandbox.emqx.node import EmqxNode
    from emqx_tui.sandbox.timeline import Timeline, Timer

TICK_S = 1.0
RETRY_WITHOUT_RECIPIENT_S = 30.0

EVICTING_CONNS = "evicting_conns"
WAITING_TAKEOVER = "waiting_takeover"
EVICTING_SESSIONS = "evicting_sessions"
PROHIBITING = "prohibiting"


class EvacuationRefused(Exception):
    """EMQX's own word for why: `already_started`, `eviction_agent_busy`, `not_started`."""


@dataclass(frozen=True)
class Options:
    """What `start` was given; names and defaults are the API's."""

    conn_evict_rate: int = 500
    """clients per tick"""
    sess_evict_rate: int = 500
    """sessions per tick"""
    wait_takeover: int = 60
    """seconds"""
    server_reference: str | None = None
    migrate_to: tuple[str, ...] | None = None
    """None: every other node of the cluster"""

    def to_file(self) -> dict[str, object]:
        """What survives a restart of the node: everything but `migrate_to`."""
        return {
            "server_reference": self.server_reference,
            "conn_evict_rate": self.conn_evict_rate,
            "sess_evict_rate": self.sess_evict_rate,
            "wait_takeover": self.wait_takeover,
        }

    @classmethod
    def from_file(cls, persisted: Mapping[str, object]) -> Options:
        """Missing or unusable values become defaults, as an unreadable file does."""

        def rate(key: str, default: int) -> int:
            value = persisted.get(key)
            return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default

        reference = persisted.get("server_reference")
        return cls(
            conn_evict_rate=rate("conn_evict_rate", cls.conn_evict_rate),
            sess_evict_rate=rate("sess_evict_rate", cls.sess_evict_rate),
            wait_takeover=rate("wait_takeover", cls.wait_takeover),
            server_reference=reference if isinstance(reference, str) else None,
        )


class Surroundings(Protocol):
    """What an evacuation needs from its cluster."""

    @property
    def timeline(self) -> Timeline: ...

    def tick_work_s(self, connections: int) -> float: ...
    def takeover_s(self) -> float: ...
    def evict(self, node: EmqxNode, count: int) -> None: ...
    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int: ...
    def recipients(self, wanted: tuple[str, ...] | None) -> list[EmqxNode]: ...


class Evacuation:
    """A started evacuation of one node. Its first tick happens at the instant it was started."""

    def __init__(self, node: EmqxNode, options: Options, cluster: Surroundings) -> None:
        self.node = node
        self.options = options
        self.state = EVICTING_CONNS
        self.initial_connected = self.current_connected = node.live
        self.initial_sessions = self.current_sessions = node.sessions
        self._cluster = cluster
        self._timer: Timer | None = None
        self._next(0.0, self._evict_connections)

    def recipients(self) -> list[EmqxNode]:
        """Who would take a session now; asked anew by every session tick and every status request."""
        return self._cluster.recipients(self.options.migrate_to)

    def cancel(self) -> None:
        """No tick happens any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next(self, delay_s: float, tick: Callable[[], None]) -> None:
        self._timer = self._cluster.timeline.after(delay_s, tick)

    def _evict_connections(self) -> None:
        self.current_connected = connected = self.node.live
        if connected == 0:
            self.state = WAITING_TAKEOVER
            self._next(self.options.wait_takeover, self._takeover_over)
            return
        self._cluster.evict(self.node, min(self.options.conn_evict_rate, connected))
        work_s = self._cluster.tick_work_s(self.initial_connected) + self.node.tick_delay_s
        self._next(TICK_S + work_s, self._evict_connections)

    def _takeover_over(self) -> None:
        self.state = EVICTING_SESSIONS
        self._evict_sessions()

    def _evict_sessions(self) -> None:
        sessions = self.node.sessions
        if sessions == 0:
            self.current_sessions = 0
            self.state = PROHIBITING
            self._timer = None
            return
        recipients = self.recipients()
        if not recipients:
            self._next(RETRY_WITHOUT_RECIPIENT_S, self._evict_sessions)
            return
        self.current_sessions = sessions
        moved = self._cluster.migrate(self.node, min(self.options.sess_evict_rate, sessions), recipients)
        self._next(TICK_S + moved * self._cluster.takeover_s(), self._evict_sessions)
