"""EMQX's management API v4 as one node serves it: a request in, an answer out, no socket.

Owns paths, authentication, envelopes and the framework's own errors. Errors of the evacuation endpoints are HTTP 200
with a `code` of 400; paths are matched undecoded, so a node name with `%40` is unknown.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from emqx_tui.sandbox.emqx import responses
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation import Evacuation, EvacuationRefused
from emqx_tui.sandbox.emqx.evacuation_params import BadParameter, known_node, start_options
from emqx_tui.sandbox.emqx.node import EVACUATION_SINCE, PUBLIC_AVAILABILITY_SINCE, EmqxNode

JSON = "application/json"
TEXT = "text/plain"
PREFIX = "/api/v4"


@dataclass(frozen=True)
class HttpReply:
    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Call:
    """A request as it reached one node."""

    cluster: EmqxCluster
    served_by: EmqxNode
    method: str
    raw_path: str
    body: bytes
    authorization: str | None


Endpoint = Callable[..., HttpReply]


class NotFound(Exception):
    """No such route, or a node in the path that was never a member."""


class Unreachable(Exception):
    """No answer from a management API; the text is the reason that a client would see."""


def request(
    cluster: EmqxCluster, node: str, method: str, raw_path: str, body: bytes = b"", authorization: str | None = None
) -> HttpReply:
    """What `node` answers on its management port; Unreachable when nothing listens there."""
    member = cluster.nodes.get(node)
    if member is None or not member.api_reachable:
        raise Unreachable("connection refused")
    return _answer(Call(cluster, member, method, raw_path, body, authorization))


def _answer(call: Call) -> HttpReply:
    path = call.raw_path.partition("?")[0]
    if (call.method, path) == ("GET", "/status"):
        return _text(200, f"Node {call.served_by.name} is started\nemqx is running")
    served = path.startswith(PREFIX + "/") and _route(call.method, path[len(PREFIX) :])
    if not served:
        return _text(404, "Not found.")
    endpoint, arguments, of_evacuation = served
    if of_evacuation and call.served_by.release < EVACUATION_SINCE:
        return _text(404, "Not found.")
    if not _authorized(call, endpoint):
        realm = ("WWW-Authenticate", 'Basic Realm="minirest-server"')
        return HttpReply(401, TEXT, b"UNAUTHORIZED", (realm,))
    try:
        return endpoint(call, *arguments)
    except NotFound:
        return _text(404, "Not found.")
    except BadParameter as bad:
        return _refusal(bad.rendered(call.served_by.release))
    except EvacuationRefused as refused:
        return _refusal(str(refused))
    except json.JSONDecodeError:
        return _text(400, "Bad Request")


def _authorized(call: Call, endpoint: Endpoint) -> bool:
    if call.served_by.faults.unauthorized:
        return False
    if endpoint is _availability_check and call.served_by.release >= PUBLIC_AVAILABILITY_SINCE:
        return True
    application, secret = _basic(call.authorization or "")
    return secret is not None and call.cluster.credentials.get(application) == secret


@lru_cache(maxsize=64)
def _basic(authorization: str) -> tuple[str, str | None]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", None
    try:
        application, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", None
    return application, secret if colon else None


def _text(status: int, text: str) -> HttpReply:
    return HttpReply(status, TEXT, text.encode())


def _json(value: object, status: int = 200) -> HttpReply:
    return HttpReply(status, JSON, json.dumps(value, separators=(",", ":")).encode())


def _data(value: object) -> HttpReply:
    return _json({"data": value, "code": 0})


def _refusal(message: str) -> HttpReply:
    return _json({"code": 400, "message": message})


def _member(call: Call, name: str) -> EmqxNode | None:
    """The node a path names, None when it has left the cluster."""
    if name not in call.cluster.known_names:
        raise NotFound
    return call.cluster.nodes.get(name)


# nodes, stats, listeners, plugins


def _nodes(call: Call) -> HttpReply:
    now = call.cluster.timeline.now
    return _data([responses.node(member, now) for member in call.cluster.running_nodes()])


def _node(call: Call, name: str) -> HttpReply:
    member = _member(call, name)
    down = {"node": name, "error": "nodedown"}
    return _data(down if member is None else responses.node(member, call.cluster.timeline.now))


def _each(key: str, shape: Callable[[EmqxNode, float], object]) -> Endpoint:
    """An endpoint that answers for every running node."""

    def endpoint(call: Call) -> HttpReply:
        now = call.cluster.timeline.now
        return _data([{"node": member.name, key: shape(member, now)} for member in call.cluster.running_nodes()])

    return endpoint


def _one(shape: Callable[[EmqxNode, float], object]) -> Endpoint:
    """An endpoint that answers for the node in the path."""

    def endpoint(call: Call, name: str) -> HttpReply:
        member = _member(call, name)
        if member is None or not member.running:
            return _json({"message": "nodedown"})
        return _data(shape(member, call.cluster.timeline.now))

    return endpoint


# evacuation


def _status(call: Call) -> HttpReply:
    """Of the node that serves the request, with the counters as its last tick left them."""
    node = call.served_by
    if node.evacuation is not None:
        shape = _evacuation(call, node.evacuation)
        return _json({"status": "enabled", "process": "evacuation", **shape})
    if node.rebalancing:
        shape = responses.rebalance(node, call.cluster.recipients(None))
        return _json({"status": "enabled", "process": "rebalance", **shape})
    return _json({"status": "disabled"})


def _evacuation(call: Call, running: Evacuation) -> responses.Json:
    """Recipients are determined on every request."""
    return responses.evacuation(running, call.cluster.recipients(running.options.migrate_to))


def _global_status(call: Call) -> HttpReply:
    """Of all nodes that answer in time. The others are left out without a word."""
    answering = [n for n in call.cluster.running_nodes() if n is call.served_by or not n.faults.slow]
    evacuations = [{"node": n.name, **_evacuation(call, n.evacuation)} for n in answering if n.evacuation]
    rebalances = [
        {"node": n.name, **responses.rebalance(n, call.cluster.recipients(None))} for n in answering if n.rebalancing
    ]
    return _json({"rebalances": rebalances, "evacuations": evacuations})


def _availability_check(call: Call) -> HttpReply:
    return _json({}, 200 if call.served_by.available else 503)


def _eviction_status(call: Call) -> HttpReply:
    """Live counts, unlike the counters of an evacuation."""
    node = call.served_by
    if node.available:
        return _json({"status": "disabled"})
    return _json({"status": "enabled", "stats": {"connections": node.live, "sessions": node.sessions}})


def _start(call: Call, name: str) -> HttpReply:
    node = known_node(call.cluster, name)
    options = start_options(call.cluster, _parameters(call.body))
    call.cluster.start_evacuation(_reached(node, name), options)
    return _data([])


def _stop(call: Call, name: str) -> HttpReply:
    node = known_node(call.cluster, name)
    call.cluster.stop_evacuation(_reached(node, name))
    return _data([])


def _reached(node: EmqxNode | None, name: str) -> EmqxNode:
    if node is None or not node.running:
        raise BadParameter("Error communicating with node '", name, "'")
    return node


def _parameters(body: bytes) -> dict[str, object]:
    if not body:
        return {}
    try:
        value = json.loads(body)
    except UnicodeDecodeError as broken:
        raise json.JSONDecodeError("not UTF-8", "", 0) from broken
    if not isinstance(value, dict):
        raise json.JSONDecodeError("not an object", "", 0)
    return value


_OF_NODE = "*"
_ROUTES: dict[tuple[str, tuple[str, ...]], Endpoint] = {
    ("GET", ("nodes",)): _nodes,
    ("GET", ("nodes", _OF_NODE)): _node,
    ("GET", ("nodes", _OF_NODE, "stats")): _one(responses.stats),
    ("GET", ("nodes", _OF_NODE, "listeners")): _one(responses.listeners),
    ("GET", ("stats",)): _each("stats", responses.stats),
    ("GET", ("listeners",)): _each("listeners", responses.listeners),
    ("GET", ("plugins",)): _each("plugins", responses.plugins),
}
_EVACUATION_ROUTES: dict[tuple[str, tuple[str, ...]], Endpoint] = {
    ("GET", ("load_rebalance", "status")): _status,
    ("GET", ("load_rebalance", "global_status")): _global_status,
    ("GET", ("load_rebalance", "availability_check")): _availability_check,
    ("GET", ("node_eviction", "status")): _eviction_status,
    ("POST", ("load_rebalance", _OF_NODE, "evacuation", "start")): _start,
    ("POST", ("load_rebalance", _OF_NODE, "evacuation", "stop")): _stop,
}


@lru_cache(maxsize=512)
def _route(method: str, path: str) -> tuple[Endpoint, tuple[str, ...], bool] | None:
    """The endpoint, the node names in the path, and whether it belongs to evacuation."""
    segments = tuple(path[1:].split("/"))
    general = (*segments[:1], _OF_NODE, *segments[2:])
    for pattern, names in ((segments, ()), (general, segments[1:2])):
        for routes, of_evacuation in ((_ROUTES, False), (_EVACUATION_ROUTES, True)):
            endpoint = routes.get((method, pattern))
            if endpoint is not None:
                return endpoint, names, of_evacuation
    return None
