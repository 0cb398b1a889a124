"""EMQX nodes and their counts, from the management API v4 of EMQX Enterprise 4.4.

`connections` in EMQX's `/nodes` counts kept sessions too; here `live_connections` always means open sockets, and it
comes from `/stats`, because `/nodes` has no such field before 4.4.19.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emqx_tui.model.wire import Fields, Malformed


def pod_of(node: str) -> str:
    """Name of the pod that an EMQX node runs in: the first label of its host."""
    return node.partition("@")[2].partition(".")[0]


@dataclass(frozen=True)
class EmqxNode:
    """One running member of the EMQX cluster."""

    name: str
    version: str

    @property
    def pod_name(self) -> str:
        return pod_of(self.name)


def nodes_from_json(value: Any) -> tuple[EmqxNode, ...]:
    """Read `GET /nodes`: only members in state Running; stopped ones are absent or marked. Raises Malformed."""
    return tuple(
        EmqxNode(
            name=fields.text("node"),
            version=fields.text("version", ""),
        )
        for fields in _enveloped(value)
        if "error" not in fields and fields.text("node_status", "Running") == "Running"
    )


@dataclass(frozen=True)
class NodeStats:
    """Counts of one node, from EMQX's 2 s sampler."""

    live_connections: int
    sessions: int
    """All channels, live or kept."""


def stats_from_json(value: Any) -> Mapping[str, NodeStats]:
    """Read `GET /stats`: counts by node name; a node without `live_connections.count` is left out. Raises Malformed."""
    found: dict[str, NodeStats] = {}
    for fields in _enveloped(value):
        stats = fields.child("stats")
        if "live_connections.count" in stats:
            found[fields.text("node")] = NodeStats(
                live_connections=stats.integer("live_connections.count"),
                sessions=stats.integer("sessions.count", 0),
            )
    return found


def _enveloped(value: Any) -> list[Fields]:
    fields = Fields(value)
    code = fields.raw("code")
    if code != 0:
        raise Malformed("$.code", f"expected 0, found {code!r} ({fields.text('message', 'no message')})")
    return list(fields.children("data"))
