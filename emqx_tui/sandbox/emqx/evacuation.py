"""Node evacuation of EMQX 4.4 as its API shows it: options, state and counters.

Owns names, defaults and what survives a restart. `evacuation_process` moves the state on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emqx_tui.sandbox.emqx.node import EmqxNode

EVICTING_CONNS = "evicting_conns"
WAITING_TAKEOVER = "waiting_takeover"
EVICTING_SESSIONS = "evicting_sessions"
PROHIBITING = "prohibiting"


class EvacuationRefused(Exception):
    """EMQX's own word for why: `already_started`, `eviction_agent_busy`, `not_started`."""

    def rendered(self, release: tuple[int, int, int]) -> str:
        """From 4.4.17 on parameter errors read well, and these come as the list that Erlang prints (recorded)."""
        return f'["{self}"]' if release >= (4, 4, 17) else str(self)


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
        return {key: value for key, value in asdict(self).items() if key != "migrate_to"}

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


@dataclass(eq=False)
class Evacuation:
    """A started evacuation of one node. The order of states is linear; only `stop` leads back."""

    options: Options
    initial_connected: int
    initial_sessions: int
    state: str = EVICTING_CONNS
    current_connected: int = 0
    """refreshed by connection ticks only"""
    current_sessions: int = 0
    """refreshed by session ticks only, and only when one found a recipient"""
    waits_for: EmqxNode | None = None
    """a status question makes the coordinator ask its recipients first: it moves nobody until this hung one answers"""

    def __post_init__(self) -> None:
        self.current_connected, self.current_sessions = self.initial_connected, self.initial_sessions
