"""EMQX's management API v4 as one node serves it: a request in, an answer out, no socket.

Owns paths, authentication, envelopes and the framework's own errors. Errors of the evacuation endpoints are HTTP 200
with a `code` of 400; paths are matched undecoded, so a node name with `%40` is unknown. A question that fans out over
the cluster is not answered while a peer hangs; what a node is asked about itself is.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from emqx_tui.sandbox.emqx import responses
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation import Evacuation, EvacuationRefused
from emqx_tui.sandbox.emqx.evacuation_params import (
    BadParameter,
    MalformedParameter,
    NodeNotReached,
    erlang_term,
    known_node,
    start_options,
)
from emqx_tui.sandbox.emqx.node import EVACUATION_SINCE, PUBLIC_AVAILABILITY_SINCE, EmqxNode

JSON = "application/json"
TEXT = "text/plain"
_ENCODER = json.JSONEncoder(separators=(",", ":"))
PREFIX = "/api/v4"
DROPPED_AFTER_S = 60.0
"""A request that waits for a hung peer is dropped without an answer after so long."""


@dataclass(frozen=True)
class HttpReply:
    status: int
    content_type: str
    content: object
    """The JSON value; octets where it is none."""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else _ENCODER.encode(self.content).encode()


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


class Unanswered(Exception):
    """The request was taken, and no answer comes while a node hangs. A GET may be asked again: it changes nothing."""


class _Crash(Exception):
    """The endpoint crashed."""


def request(
    cluster: EmqxCluster, node: str, method: str, raw_path: str, body: bytes = b"", authorization: str | None = None
) -> HttpReply:
    """What `node` answers on its management port; Unreachable when nothing listens there, Unanswered in a hang."""
    member = cluster.nodes.get(node)
    if member is None or not member.api_reachable:
        raise Unreachable("connection refused")
    call = Call(cluster, member, method, raw_path, body, authorization)
    if member.hung:
        raise _unanswered(call, member)
    return _answer(call)


def _unanswered(call: Call, hung: EmqxNode) -> Unanswered:
    """A write is carried out when the node goes on, be the caller there or not."""
    if call.method != "GET":
        call.cluster.when_it_goes_on(hung, lambda: _carry_out(call))
    return Unanswered(hung.name)


def _carry_out(call: Call) -> None:
    with contextlib.suppress(Unanswered):
        _answer(call)


def _answer(call: Call) -> HttpReply:
    node, path = call.served_by, call.raw_path.partition("?")[0]
    if (call.method, path) == ("GET", "/status"):
        running = "not running" if node.faults.booting else "running"
        return _text(503 if node.faults.booting else 200, f"Node {node.name} is started\nemqx is {running}")
    if not path.startswith(PREFIX + "/"):
        return _text(404, "")
    endpoint, arguments, of_evacuation = _route(call.method, path[len(PREFIX) :]) or (_unknown, (), False)
    if not _authorized(call, endpoint):
        realm = ("WWW-Authenticate", 'Basic Realm="minirest-server"')
        return HttpReply(401, "" if endpoint is _unknown else TEXT, b"UNAUTHORIZED", (realm,))
    if of_evacuation and (node.release < EVACUATION_SINCE or node.faults.booting or node.crash_looping):
        return _text(404, "Not found.")
    try:
        if endpoint in _FANS_OUT and (hung := call.cluster.waits_for(node)):
            raise _unanswered(call, hung)
        return endpoint(call, *arguments)
    except (_Crash, MalformedParameter):
        return _text(500, "Internal Error")
    except NotFound:
        return _text(404, "Not found.")
    except NodeNotReached as unreached:
        return _refusal(unreached.rendered(call.served_by.release))
    except BadParameter as bad:
        return _refusal(bad.rendered(call.served_by.release))
    except EvacuationRefused as refused:
        return _refusal(refused.rendered(call.served_by.release))
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
    return HttpReply(status, JSON, value)


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


def _unknown(call: Call) -> HttpReply:
    raise NotFound


def _nodes(call: Call) -> HttpReply:
    """The cluster as the serving node sees it, those who went down a moment ago included."""
    cluster, now = call.cluster, call.cluster.timeline.now
    seen = [*cluster.seen_by(call.served_by), *cluster.gone_a_moment_ago(call.served_by)]
    return _data([responses.node(member, now) for member in seen])


def _node(call: Call, name: str) -> HttpReply:
    if not name:
        return _nodes(call)
    member = _seen(call, name)
    down = {"node": name, "error": "nodedown"}
    return _data(down if member is None else responses.node(member, call.cluster.timeline.now))


def _seen(call: Call, name: str) -> EmqxNode | None:
    """The node in the path if the serving one reaches it, None if it is down for it; Unanswered while it hangs."""
    member = _member(call, name)
    if member is None or member not in call.cluster.seen_by(call.served_by):
        return None
    if hung := call.cluster.waits_for(call.served_by, [member]):
        raise _unanswered(call, hung)
    return member


def _each(key: str, shape: Callable[[EmqxNode, float], object]) -> Endpoint:
    """An endpoint that answers for every running node."""

    def endpoint(call: Call) -> HttpReply:
        now, seen = call.cluster.timeline.now, call.cluster.seen_by(call.served_by)
        return _data([{"node": member.name, key: shape(member, now)} for member in seen])

    return endpoint


def _one(shape: Callable[[EmqxNode, float], object]) -> Endpoint:
    """An endpoint that answers for the node in the path."""

    def endpoint(call: Call, name: str) -> HttpReply:
        member = _seen(call, name)
        if member is None:
            return _data({"error": "nodedown"}) if shape is responses.listeners else _json({"message": "nodedown"})
        return _data(shape(member, call.cluster.timeline.now))

    return endpoint


# evacuation


def _status(call: Call) -> HttpReply:
    """Of the node that serves the request, with the counters as its last tick left them.

    The coordinator works out its recipients by remote calls first, and evicts nobody while one of them hangs.
    """
    node = call.served_by
    if node.evacuation is not None:
        if hung := _hung_recipient(call, node.evacuation.options.migrate_to):
            node.evacuation.waits_for = hung
            raise _unanswered(call, hung)
        shape = _evacuation(call, node.evacuation)
        return _json({"status": "enabled", "process": "evacuation", **shape})
    if node.rebalancing:
        shape = responses.own_rebalance(node, call.cluster.recipients(None))
        return _json({"status": "enabled", "process": "rebalance", **shape})
    return _json({"status": "disabled"})


def _hung_recipient(call: Call, migrate_to: Sequence[str] | None) -> EmqxNode | None:
    nodes = call.cluster.nodes
    wanted = None if migrate_to is None else [nodes[name] for name in migrate_to if name in nodes]
    return call.cluster.waits_for(call.served_by, wanted)


def _evacuation(call: Call, running: Evacuation) -> responses.Json:
    """Recipients are determined on every request."""
    return responses.evacuation(running, call.cluster.recipients(running.options.migrate_to))


def _global_status(call: Call) -> HttpReply:
    """Of all nodes that answer in time. The others are left out without a word."""
    answering = [n for n in call.cluster.seen_by(call.served_by) if n is call.served_by or not n.faults.slow]
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
    params = _parameters(call)
    wanted = params.get("migrate_to")
    if isinstance(wanted, list) and (hung := _hung_recipient(call, [str(each) for each in wanted])):
        raise _unanswered(call, hung)
    options = start_options(call.cluster, params)
    call.cluster.start_evacuation(_reached(call, node, name), options)
    return _data([])


def _stop(call: Call, name: str) -> HttpReply:
    node = known_node(call.cluster, name)
    call.cluster.stop_evacuation(_reached(call, node, name))
    return _data([])


def _reached(call: Call, node: EmqxNode | None, name: str) -> EmqxNode:
    if node is None or node not in call.cluster.seen_by(call.served_by):
        raise NodeNotReached(name)
    if hung := call.cluster.waits_for(call.served_by, [node]):
        raise _unanswered(call, hung)
    return node


def _parameters(call: Call) -> dict[str, object]:
    """The body's, and before them those of the query. An empty list is no parameters, any other value a crash."""
    query: dict[str, object] = dict(parse_qsl(call.raw_path.partition("?")[2], keep_blank_values=True))
    try:
        value = json.loads(call.body) if call.body else {}
    except UnicodeDecodeError as broken:
        raise json.JSONDecodeError("not UTF-8", "", 0) from broken
    if isinstance(value, list) and value:
        raise BadParameter("Unknown evacuation param: ", erlang_term(value[0]))
    if not isinstance(value, dict | list):
        raise _Crash
    return {**query, **(value if isinstance(value, dict) else {})}


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


_FANS_OUT = frozenset(
    {_nodes, _global_status, *(_ROUTES["GET", (what,)] for what in ("stats", "listeners", "plugins"))}
)
"""Asked of every node that the serving one sees."""


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
