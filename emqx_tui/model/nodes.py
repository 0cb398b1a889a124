"""EMQX nodes and their counts, from the management API v4 of EMQX Enterprise 4.4.

`connections` in EMQX's `/nodes` counts kept sessions too; here `live_connections` always means open sockets, and it
comes from `/stats`, because `/nodes` has no such field before 4.4.19.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emqx_tui.model.evacuation import EvictionStatus
from emqx_tui.model.wire import Fields, Malformed, clean

_SPAN = re.compile(r"(\d+) (day|hour|minute|second)")
_UNITS_S = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_GREETING = re.compile(r"Node (\S+@\S+) is ")


def pod_of(node: str) -> str:
    """Name of the pod that an EMQX node runs in: the first label of its host."""
    return node.partition("@")[2].partition(".")[0]


@dataclass(frozen=True)
class Vitals:
    """What a node tells of the process and the machine that it runs on, in its own words and units."""

    uptime: str = ""
    """`23 minutes, 11 seconds`."""
    load1: str = ""
    """Load average of the machine over a minute."""
    memory_used: str = ""
    """Of what the Erlang VM has allocated, `854.13M`."""
    memory_total: str = ""

    @property
    def uptime_s(self) -> int | None:
        """Seconds; None when it is not told."""
        found = _SPAN.findall(self.uptime)
        return sum(int(number) * _UNITS_S[unit] for number, unit in found) if found else None

    @classmethod
    def from_fields(cls, fields: Fields) -> Vitals:
        told = (fields.raw(name, "") for name in ("uptime", "load1", "memory_used", "memory_total"))
        return cls(*(clean(str(text)) if isinstance(text, str | int | float) else "" for text in told))


@dataclass(frozen=True)
class EmqxNode:
    """One running member of the EMQX cluster."""

    name: str
    version: str
    vitals: Vitals = field(default=Vitals(), compare=False)
    """Changes with every answer, and is no news."""

    @property
    def pod_name(self) -> str:
        return pod_of(self.name)


def nodes_from_json(value: Any) -> tuple[EmqxNode, ...]:
    """Read `GET /nodes`: only members in state Running; stopped ones are absent or marked. Raises Malformed."""
    return tuple(
        EmqxNode(
            name=fields.text("node"),
            version=fields.text("version", ""),
            vitals=Vitals.from_fields(fields),
        )
        for fields in _enveloped(value)
        if _is_running(fields)
    )


def stopped_from_json(value: Any) -> tuple[str, ...]:
    """Names of the members in `GET /nodes` that are not Running. Raises Malformed."""
    return tuple(fields.text("node") for fields in _enveloped(value) if not _is_running(fields))


def _is_running(fields: Fields) -> bool:
    return "error" not in fields and fields.text("node_status", "Running") == "Running"


@dataclass(frozen=True)
class NodeStats:
    """Counts of one node, from its sampler: up to two seconds older than the answer, on each node at other instants."""

    live_connections: int
    sessions: int
    """All channels, live or kept. Of an evacuated node without clients: the sessions that are left, at this moment."""


def node_from_json(value: Any) -> EmqxNode:
    """Read `GET /nodes/{itself}`. Raises Malformed, also for a node that is not running."""
    fields = _envelope(value).child("data")
    if not _is_running(fields):
        raise Malformed("$.data.node_status", "the node is not running")
    return EmqxNode(fields.text("node"), fields.text("version", ""), Vitals.from_fields(fields))


def channels_from_json(value: Any) -> int | None:
    """`connections` of `GET /nodes/{itself}`, which counts sessions, too; None in a member's first moments.

    Without a live client it is the number of sessions that are left; unlike `/stats` it is not sampled.
    """
    found = _envelope(value).child("data").raw("connections")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def node_stats_from_json(value: Any) -> NodeStats:
    """Read `GET /nodes/{itself}/stats`. Raises Malformed."""
    return _stats(_envelope(value).child("data"))


def name_in_greeting(text: str) -> str:
    """The name that a node says at `GET /status`; empty when it says none."""
    found = _GREETING.match(text)
    return found[1] if found else ""


@dataclass(frozen=True)
class NodeReport:
    """What a node says of itself: answered within milliseconds, whatever its peers do."""

    node: EmqxNode
    stats: NodeStats
    eviction: EvictionStatus | None
    """None where the node cannot be asked by itself: one URL for all nodes."""
    eviction_at: datetime | None = None
    """When it told that, where that was before it told its counts."""


def stats_from_json(value: Any) -> Mapping[str, NodeStats]:
    """Read `GET /stats`: counts by node name; a node without `live_connections.count` is left out. Raises Malformed."""
    found: dict[str, NodeStats] = {}
    for fields in _enveloped(value):
        stats = fields.child("stats")
        if "live_connections.count" in stats:
            found[fields.text("node")] = _stats(stats)
    return found


def _stats(stats: Fields) -> NodeStats:
    return NodeStats(
        live_connections=stats.integer("live_connections.count"),
        sessions=stats.integer("sessions.count", 0),
    )


def _enveloped(value: Any) -> list[Fields]:
    return list(_envelope(value).children("data"))


def _envelope(value: Any) -> Fields:
    fields = Fields(value)
    code = fields.raw("code")
    if code != 0:
        raise Malformed("$.code", f"expected 0, found {code!r} ({fields.text('message', 'no message')})")
    return fields
