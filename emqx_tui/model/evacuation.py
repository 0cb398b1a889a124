"""Node evacuation as EMQX reports it, in its API and in the custom resource's status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from emqx_tui.model.frozen import changed
from emqx_tui.model.wire import Fields, Malformed, Unparsable, read_json


def refusal_text(message: Any) -> str:
    """What EMQX refuses with, readable: its coordinator's words come as an Erlang list, a text or its letters' codes.

    `["already_started"]`, `[69,114,114,...,"'node'"]` and plain text were all seen (recorded, 4.4.19).
    """
    try:
        found = read_json(message) if isinstance(message, str) else message
    except Unparsable:
        return str(message)
    spelled = _spelled(found)
    return str(message) if spelled is None else spelled


def _spelled(part: Any) -> str | None:
    """An Erlang text: characters, letters' codes, and lists of them; None for anything else."""
    match part:
        case str():
            return part
        case bool():
            return None
        case int():
            return chr(part) if 32 <= part < 127 else None
        case list():
            parts = [_spelled(each) for each in part]
            return None if None in parts else "".join(each for each in parts if each)
        case _:
            return None


class EvacuationState(StrEnum):
    """States of one node, in the order they are passed through; only `stop` goes back."""

    WAITING_HEALTH_CHECK = "waiting_health_check"
    EVICTING_CONNS = "evicting_conns"
    WAITING_TAKEOVER = "waiting_takeover"
    EVICTING_SESSIONS = "evicting_sessions"
    PROHIBITING = "prohibiting"
    UNKNOWN = "unknown"
    """A state that is not known here: shown, and never taken for done."""


_BEFORE_TAKEOVER = frozenset(
    {EvacuationState.WAITING_HEALTH_CHECK, EvacuationState.EVICTING_CONNS, EvacuationState.UNKNOWN}
)


@dataclass(frozen=True)
class Evacuation:
    """One node's evacuation.

    The `current_*` counters are those of EMQX's last tick; `current_sessions` moves only in `evicting_sessions`.
    Rates and initial counts are None as long as only the node's own word is known: it does not say them.
    """

    node: str
    state: EvacuationState
    conn_evict_rate_per_s: int | None
    sess_evict_rate_per_s: int | None
    recipients: tuple[str, ...]
    initial_connected: int | None
    current_connected: int
    initial_sessions: int | None
    current_sessions: int

    @property
    def is_running(self) -> bool:
        """Clients or sessions still have to leave. A state that is not known counts as one that runs."""
        return self.state is not EvacuationState.PROHIBITING

    @property
    def evicts_connections(self) -> bool:
        """It has not come to its takeover wait; not known counts as not."""
        return self.state in _BEFORE_TAKEOVER

    @classmethod
    def by_own_word(cls, node: str, word: EvictionStatus) -> Evacuation:
        """An evacuation of which only `node_eviction/status` of the node itself is known: it evicts until told else."""
        connected, sessions = word.connections or 0, word.sessions or 0
        return cls(node, EvacuationState.EVICTING_CONNS, None, None, (), None, connected, None, sessions)

    def counted(self, word: EvictionStatus) -> Evacuation:
        """The same with the live count of the node itself. Its state stays as told: a tick has to see the 0 first."""
        return self if word.connections is None else changed(self, current_connected=word.connections)

    @classmethod
    def from_fields(cls, fields: Fields) -> Evacuation:
        stats = fields.child("stats")
        return cls(
            node=fields.text("node"),
            state=_state(fields.text("state", "")),
            conn_evict_rate_per_s=fields.integer("connection_eviction_rate", 0),
            sess_evict_rate_per_s=fields.integer("session_eviction_rate", 0),
            recipients=fields.texts("session_recipients"),
            initial_connected=stats.integer("initial_connected", 0),
            current_connected=stats.integer("current_connected", 0),
            initial_sessions=stats.integer("initial_sessions", 0),
            current_sessions=stats.integer("current_sessions", 0),
        )


def _state(word: str) -> EvacuationState:
    try:
        return EvacuationState(word)
    except ValueError:
        return EvacuationState.UNKNOWN


@dataclass(frozen=True)
class GlobalStatus:
    """`GET /load_rebalance/global_status`: who is being evacuated. A slow node may be silently left out."""

    evacuations: tuple[Evacuation, ...]
    rebalances: int
    """How many rebalances run: none may, during a release."""

    def of(self, node: str) -> Evacuation | None:
        return next((e for e in self.evacuations if e.node == node), None)

    @classmethod
    def from_json(cls, value: Any) -> GlobalStatus:
        """Read the answer; arrays (4.4.12 and later) and objects keyed by node are both taken. Raises Malformed."""
        fields = Fields(value)
        if "evacuations" not in fields and "rebalances" not in fields and "code" in fields:
            raise Malformed("$", f"not a global_status answer: code {fields.raw('code')!r}")
        return cls(
            evacuations=tuple(Evacuation.from_fields(item) for item in _items(fields, "evacuations")),
            rebalances=sum(1 for _ in _items(fields, "rebalances")),
        )


def _items(fields: Fields, key: str) -> list[Fields]:
    value = fields.raw(key, [])
    if isinstance(value, dict):
        entries = [(node, fields.child(key).child(node)) for node in value]
        return [Fields({**dict(entry.items()), "node": node}, entry.path) for node, entry in entries]
    return list(fields.children(key))


@dataclass(frozen=True)
class EvictionStatus:
    """`GET /node_eviction/status` of a node itself: live counts, the only ones a scale-down may rest on."""

    enabled: bool
    connections: int | None
    sessions: int | None
    """Both None while the eviction agent is disabled: EMQX does not count then."""

    @classmethod
    def from_json(cls, value: Any) -> EvictionStatus:
        """Read the answer. Raises Malformed."""
        fields = Fields(value)
        word = fields.text("status")
        if word not in ("enabled", "disabled"):
            raise Malformed("$.status", f"expected enabled or disabled, found {word!r}")
        stats = fields.child("stats")
        enabled = word == "enabled"
        return cls(
            enabled=enabled,
            connections=stats.integer("connections") if enabled else None,
            sessions=stats.integer("sessions") if enabled else None,
        )
