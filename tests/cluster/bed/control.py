"""What a test asks the bed: what really happened to the clients, and what shall go wrong.

Owns a unix socket with a few JSON endpoints; unlike the API server it is reached from outside the namespace.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from emqx_tui.sandbox.emqx.api import HttpReply
from emqx_tui.sandbox.emqx.brokers import Broker, Brokers
from emqx_tui.sandbox.kube.objects import Key
from tests.cluster.bed.brought import BroughtRunner
from tests.cluster.bed.clients import Clients
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
        brought: BroughtRunner | None,
        clients: Clients,
        kubelet: Kubelet,
        servers: PodServers,
        api_server: Program,
        operator: Program | SimulatedOperator,
    ) -> None:
        self._brokers, self._brought, self._clients = brokers, brought, clients
        self._kubelet, self._servers = kubelet, servers
        self._api_server, self._operator = api_server, operator
        self.operator_wanted = True
        self.ended = asyncio.Event()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_tell_errors])
        app.router.add_get("/clusters/{namespace}/{name}", self._cluster)
        app.router.add_post("/clusters/{namespace}/{name}/clients", self._connect)
        app.router.add_post("/clusters/{namespace}/{name}/mark", self._mark)
        app.router.add_post("/namespaces/{namespace}/times", self._times)
        app.router.add_post("/pods/{namespace}/{pod}/{what}", self._pod)
        app.router.add_get("/asked/{namespace}", self._asked)
        app.router.add_post("/answers/{namespace}", self._answers)
        app.router.add_get("/counts/{namespace}", self._counts)
        app.router.add_post("/api-server/{what}", self._serve)
        app.router.add_post("/operator", self._operate)
        app.router.add_get("/operator", self._look_at_operator)
        app.router.add_post("/end", self._end)
        return app

    async def _cluster(self, request: web.Request) -> web.Response:
        return web.json_response(await self._clients.truth(_key(request)))

    async def _connect(self, request: web.Request) -> web.Response:
        self._clients.connect(_key(request), await request.json())
        return web.json_response({})

    async def _mark(self, request: web.Request) -> web.Response:
        self._clients.mark(_key(request))
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
        elif what in ("pause", "continue"):
            self._kubelet.pause(namespace, pod, what == "pause")
        elif what == "hang":
            broker = self._broker(namespace, pod)
            await self._servers.hang(broker.pod, bool(asked["hanging"]))
        elif what == "faults":
            broker = self._broker(namespace, pod)
            node = broker.cluster.nodes[broker.name]
            node.faults = replace(node.faults, **asked)
        elif what == "ask":
            return await self._ask(namespace, pod, asked)
        else:
            raise LookupError(f"nothing is called {what}")
        return web.json_response({})

    async def _ask(self, namespace: str, pod: str, asked: Object) -> web.Response:
        """What that pod's broker answers to a person: its status, and its body as text."""
        if self._brought is not None:
            found = self._kubelet.pod(namespace, pod)
            words = asked["method"], asked["path"], asked["body"].encode(), asked["authorization"]
            status, text = await self._brought.ask(found, *words)
            return web.json_response({"status": status, "body": text})
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
        return web.json_response([each for each in self._servers.tape.log if each["namespace"] == namespace])

    async def _counts(self, request: web.Request) -> web.Response:
        """How often each kind of request came to EMQX through a port-forward."""
        return web.json_response(self._servers.tape.counts.get(request.match_info["namespace"], {}))

    async def _serve(self, request: web.Request) -> web.Response:
        """The API server: `stop` and `start`, or `pause` (it takes connections and never answers) and `continue`."""
        match request.match_info["what"]:
            case "stop":
                self._api_server.stop(signal.SIGKILL)
            case "start":
                self._api_server.start()
            case "pause":
                self._api_server.send(signal.SIGSTOP)
            case "continue":
                self._api_server.send(signal.SIGCONT)
            case what:
                raise LookupError(f"nothing is called {what}")
        return web.json_response({})

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


def _key(request: web.Request) -> Key:
    return request.match_info["namespace"], request.match_info["name"]


@web.middleware
async def _tell_errors(request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
    try:
        return await handler(request)
    except (LookupError, TypeError, ValueError, KeyError, OSError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
