"""JSON of EMQX's management API v4.

Owns field names and types. EMQX's oddities are kept on purpose: `connections` counts retained sessions too and is
`"undefined"` in the first moments of a member, an empty `shutdown_count` is an array, `live_connections` is missing
from `/nodes` before 4.4.19.
"""

from __future__ import annotations

from emqx_tui.sandbox.emqx.evacuation import Evacuation
from emqx_tui.sandbox.emqx.node import LIVE_IN_NODES_SINCE, EmqxNode

Json = dict[str, object]

MAX_CLIENTS_PER_LISTENER = 1_024_000
PLUGINS = (
    ("emqx_eviction_agent", "EMQ X Eviction Agent"),
    ("emqx_management", "EMQ X Management API and CLI"),
    ("emqx_modules", "EMQ X Modules"),
    ("emqx_node_rebalance", "EMQ X Node Rebalance"),
    ("emqx_rule_engine", "EMQ X Rule Engine"),
)
_BOOT_MEMORY_BYTES = 180 * 2**20
_MEMORY_PER_CHANNEL_BYTES = 28 * 2**10
_GIB = 2**30


def node(member: EmqxNode, now: float) -> Json:
    """One element of `/nodes`. A member that is down answers no question: only its name and the error."""
    if not member.running:
        return {"node": member.name, "error": "nodedown"}
    channels = member.channels
    load = 0.2 + channels / 20_000
    shape: Json = {
        "node": member.name,
        "node_status": "Running",
        "version": member.version,
        "otp_release": "24.3.4.2-1/12.3.2.2",
        "uptime": uptime(int(now - member.booted_at)),
        "connections": "undefined" if member.faults.joining else channels,
        "load1": f"{load:.2f}",
        "load5": f"{load * 1.1:.2f}",
        "load15": f"{load * 1.15:.2f}",
        "memory_total": memory(8 * _GIB),
        "memory_used": memory(_BOOT_MEMORY_BYTES + channels * _MEMORY_PER_CHANNEL_BYTES),
        "max_fds": 1_048_576,
        "process_available": 2_097_152,
        "process_used": 412 + 2 * channels,
    }
    if member.release >= LIVE_IN_NODES_SINCE:
        shape["live_connections"] = member.live
    return shape


def uptime(seconds: int) -> str:
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    parts = [f"{d} days", f"{h} hours", f"{m} minutes", f"{s} seconds"]
    first = next((i for i, value in enumerate((d, h, m)) if value), 3)
    return ", ".join(parts[first:])


def memory(size: int) -> str:
    for unit, scale in (("G", _GIB), ("M", 2**20), ("K", 2**10)):
        if size >= scale:
            return f"{size / scale:.2f}{unit}"
    return str(size)


_OF_NODE = ("suboptions", "subscribers", "subscriptions")
_OF_CLUSTER = ("topics", "routes")
_NOT_SIMULATED = ("subscriptions.shared", "retained")


def stats(member: EmqxNode, now: float) -> Json:
    """The sampled counters of one node, each with its highest value so far; of subscriptions only what is now."""
    shape: Json = {**member.sampled(now)}
    counts = dict.fromkeys(_OF_NODE, member.subscriptions) | dict.fromkeys(_OF_CLUSTER, len(member.filters))
    for key, count in (counts | dict.fromkeys(_NOT_SIMULATED, 0)).items():
        shape[f"{key}.count"] = shape[f"{key}.max"] = count
    return shape


def listeners(member: EmqxNode, now: float) -> list[Json]:
    """MQTT listeners, then the management API's own. All clients are on the TCP listener."""
    connected = member.live + member.retained
    sent_elsewhere = {"use_another_server": member.sent_elsewhere} if member.sent_elsewhere else []
    return [
        _mqtt("mqtt:tcp", "0.0.0.0:1883", "mqtt:tcp:external", connected, sent_elsewhere),
        _mqtt("mqtt:ssl", "0.0.0.0:8883", "mqtt:ssl:external", 0, []),
        _mqtt("mqtt:ws:8083", "0.0.0.0:8083", "mqtt:ws:external", 0, []),
        _mqtt("mqtt:wss:8084", "0.0.0.0:8084", "mqtt:wss:external", 0, []),
        {
            "protocol": "http:management",
            "listen_on": "0.0.0.0:8081",
            "acceptors": 2,
            "max_conns": 512,
            "current_conns": 0,
            "shutdown_count": [],
        },
    ]


def _mqtt(protocol: str, listen_on: str, identifier: str, connected: int, shutdown_count: object) -> Json:
    return {
        "protocol": protocol,
        "listen_on": listen_on,
        "identifier": identifier,
        "acceptors": 8,
        "max_conns": MAX_CLIENTS_PER_LISTENER,
        "current_conns": connected,
        "shutdown_count": shutdown_count,
    }


def plugins(member: EmqxNode, now: float) -> list[Json]:
    return [
        {"name": name, "description": description, "active": True, "type": "feature"} for name, description in PLUGINS
    ]


def evacuation(running: Evacuation, recipients: list[EmqxNode]) -> Json:
    """The part that `status` and `global_status` share. Goals of an evacuation are zero in every version."""
    return {
        "state": running.state,
        "connection_eviction_rate": running.options.conn_evict_rate,
        "session_eviction_rate": running.options.sess_evict_rate,
        "connection_goal": 0,
        "session_goal": 0,
        "session_recipients": [recipient.name for recipient in recipients],
        "stats": {
            "initial_connected": running.initial_connected,
            "current_connected": running.current_connected,
            "initial_sessions": running.initial_sessions,
            "current_sessions": running.current_sessions,
        },
    }


def own_rebalance(donor: EmqxNode, recipients: list[EmqxNode]) -> Json:
    """What the donor says of itself: counts in place of the donors, and no goal before the eviction has begun."""
    shape = rebalance(donor, recipients)
    del shape["donors"]
    return {
        **shape,
        "stats": {
            "initial_connected": donor.live,
            "current_connected": donor.live,
            "initial_sessions": 0,
            "current_sessions": 0,
            "current_disconnected_sessions": 0,
        },
    }


def rebalance(donor: EmqxNode, recipients: list[EmqxNode]) -> Json:
    """A donor that gives clients away to balance the cluster, just begun: goals come with the eviction."""
    return {
        "state": "wait_health_check",
        "coordinator_node": donor.name,
        "donors": [donor.name],
        "recipients": [recipient.name for recipient in recipients],
        "connection_eviction_rate": 500,
        "session_eviction_rate": 500,
    }
