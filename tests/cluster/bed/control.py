"""What a test asks the bed: what really happened to the clients, and what shall go wrong.

Owns a unix socket with a few JSON endpoints; unlike the API server it is reached from outside the namespace.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from aiohttp import web

from emqx_tui.sandbox.clients.cohorts import add_clients
from emqx_tui.sandbox.clients.routes import Routes
from emqx_tui.sandbox.emqx.api import HttpReply
from emqx_tui.sandbox.emqx.brokers import Broker, Brokers
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from tests.cluster.bed.kubelet import Kubelet
from tests.cluster.bed.pod_servers import PodServers
from tests.cluster.bed.programs import Program
from tests.cluster.bed.simulated_operator import SimulatedOperator

Object = dict[str, Any]


class Control:
    """The endpoints; every body and answer is a JSON object."""

    def __init__(
        self,
        brokers: Brokers,
        routes: Routes,
        kubelet: Kubelet,
        servers: PodServers,
        operator: Program | SimulatedOperator,
    ) -> None:
        self._brokers, self._routes, self._kubelet, self._servers = brokers, routes, kubelet, servers
        self._operator = operator
        self.operator_wanted = True
        self.ended = asyncio.Event()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_tell_errors])
        app.router.add_get("/clusters/{namespace}/{name}", self._cluster)
        app.router.add_post("/clusters/{namespace}/{name}/clients", self._clients)
        app.router.add_post("/clusters/{namespace}/{name}/mark", self._mark)
        app.router.add_post("/namespaces/{namespace}/times", self._times)
        app.router.add_post("/pods/{namespace}/{pod}/{what}", self._pod)
        app.router.add_get("/asked/{namespace}", self._asked)
        app.router.add_post("/answers/{namespace}", self._answers)
        app.router.add_post("/operator", self._operate)
        app.router.add_get("/operator", self._look_at_operator)
        app.router.add_post("/end", self._end)
        return app

    def _find(self, request: web.Request) -> EmqxCluster:
        key = (request.match_info["namespace"], request.match_info["name"])
        if key not in self._brokers.clusters:
            raise LookupError(f"no cluster {'/'.join(key)}")
        return self._brokers.clusters[key]

    async def _cluster(self, request: web.Request) -> web.Response:
        cluster = self._find(request)
        clients, truth = cluster.clients, cluster.truth
        nodes = {
            name: {
                "running": node.running,
                "live": node.live,
                "sessions": node.sessions,
                "evacuating": node.evacuation is not None,
                "version": node.version,
            }
            for name, node in cluster.nodes.items()
        }
        return web.json_response(
            {
                "nodes": nodes,
                "route": list(cluster.route),
                "live": truth.live,
                "lowest_live": truth.lowest_live,
                "size": 0 if clients is None else clients.size,
                "waiting": 0 if clients is None else clients.waiting,
                "lost": 0 if clients is None else clients.dead,
                "since_mark": asdict(truth.since_mark()),
                "per_node": {name: asdict(counts) for name, counts in truth.per_node.items()},
            }
        )

    async def _clients(self, request: web.Request) -> web.Response:
        asked = await request.json()
        cluster = self._find(request)
        churn_per_s = float(asked.get("churn_per_s", 0.0))
        clients = add_clients(
            cluster, asked.get("preset", "mqttx-default"), int(asked["size"]), churn_per_s=churn_per_s
        )
        clients.connect_all_at_once()
        return web.json_response({})

    async def _mark(self, request: web.Request) -> web.Response:
        self._find(request).truth.mark()
        return web.json_response({})

    async def _times(self, request: web.Request) -> web.Response:
        asked = await request.json()
        namespace = request.match_info["namespace"]
        self._kubelet.times[namespace] = replace(self._kubelet.times.get(namespace, self._kubelet.plain), **asked)
        return web.json_response({})

    async def _pod(self, request: web.Request) -> web.Response:
        namespace, pod, what = (request.match_info[part] for part in ("namespace", "pod", "what"))
        asked = await request.json()
        if what == "kill":
            await self._kubelet.kill(namespace, pod)
        elif what == "restart":
            await self._kubelet.restart(namespace, pod)
        elif what == "ready":
            await self._kubelet.set_ready(namespace, pod, bool(asked["ready"]))
        elif what == "hang":
            broker = self._broker(namespace, pod)
            await self._servers.hang(broker.pod, bool(asked["hanging"]))
        elif what == "faults":
            broker = self._broker(namespace, pod)
            node = broker.cluster.nodes[broker.name]
            node.faults = replace(node.faults, **asked)
        elif what == "ask":
            return self._ask(namespace, pod, asked)
        else:
            raise LookupError(f"nothing is called {what}")
        return web.json_response({})

    def _ask(self, namespace: str, pod: str, asked: Object) -> web.Response:
        """What that pod's broker answers to a person: its status, and its body as text."""
        reply = self._servers.by_hand.emqx_request(
            namespace, pod, asked["method"], asked["path"], asked["body"].encode(), asked["authorization"]
        )
        return web.json_response({"status": reply.status, "body": reply.body.decode(errors="replace")})

    async def _answers(self, request: web.Request) -> web.Response:
        """`{"path": "listeners", "status": 503, "body": ""}` is what the operator gets; without a status the truth."""
        asked = await request.json()
        spoiled = None
        if "status" in asked:
            spoiled = HttpReply(int(asked["status"]), "application/json", asked.get("body", "").encode())
        self._servers.spoil(request.match_info["namespace"], asked["path"], spoiled)
        return web.json_response({})

    def _broker(self, namespace: str, pod: str) -> Broker:
        broker = self._brokers.at_pod(namespace, pod)
        if broker is None:
            raise LookupError(f"no broker in {namespace}/{pod}")
        return broker

    async def _asked(self, request: web.Request) -> web.Response:
        namespace = request.match_info["namespace"]
        return web.json_response([each for each in self._servers.log if each["namespace"] == namespace])

    async def _operate(self, request: web.Request) -> web.Response:
        """`{"up": false}` ends the operator, `{"up": true}` starts it again, at once."""
        asked = await request.json()
        self.operator_wanted = bool(asked["up"])
        if not self.operator_wanted:
            self._operator.stop(signal.SIGKILL)
        elif not self._operator.is_up:
            self._operator.start()
        return web.json_response({})

    async def _end(self, request: web.Request) -> web.Response:
        self.ended.set()
        return web.json_response({})

    async def _look_at_operator(self, request: web.Request) -> web.Response:
        kind = "simulated" if isinstance(self._operator, SimulatedOperator) else "real"
        return web.json_response({"kind": kind, "up": self._operator.is_up, "starts": self._operator.starts})


@web.middleware
async def _tell_errors(request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
    try:
        return await handler(request)
    except (LookupError, TypeError, ValueError, KeyError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
