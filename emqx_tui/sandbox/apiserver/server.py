"""The Kubernetes API over HTTP.

Owns authentication, discovery paths, content negotiation and the `Date` header, which has virtual time, so that clients
can compute ages. Objects are read and written by `KubeApi` alone.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import web

from emqx_tui.sandbox.apiserver import discovery
from emqx_tui.sandbox.apiserver.bodies import read_body
from emqx_tui.sandbox.apiserver.openapi_index import OpenApiIndex
from emqx_tui.sandbox.apiserver.pod_logs import BrokerLog, PodLogs, no_broker
from emqx_tui.sandbox.apiserver.pod_network import PodNetwork
from emqx_tui.sandbox.apiserver.port_forward import forward
from emqx_tui.sandbox.apiserver.representations import Form, wanted_form
from emqx_tui.sandbox.apiserver.users import Accounts
from emqx_tui.sandbox.apiserver.watches import Wakeups, is_true, open_watch
from emqx_tui.sandbox.kube.api import KubeApi, Reply
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.rbac import User, check_right
from emqx_tui.sandbox.kube.resources import Resource
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.targets import Target, parse_target, unknown_path, verb_of

logger = logging.getLogger(__name__)

_OPEN_PATHS = frozenset({"/healthz", "/livez", "/readyz", "/version"})
_BODY_LIMIT = 8 * 1024 * 1024
_USER: web.RequestKey[User] = web.RequestKey("user", User)


@dataclass
class WatchOptions:
    """How watches behave where real servers differ; tests change it."""

    gone: Literal["event", "status"] = "event"
    """A version that is forgotten: an ERROR event in the stream, or HTTP 410."""
    bookmark_every_s: float = 30.0


@dataclass
class ApiServer:
    """The aiohttp application around a store."""

    store: Store
    api: KubeApi
    accounts: Accounts
    network: PodNetwork
    now: Callable[[], float]
    catch_up: Callable[[], None] = lambda: None
    """Called before each request, so that it sees the world as of now and not as of the last tick."""
    watches: WatchOptions = field(default_factory=WatchOptions)
    broker_log: BrokerLog = no_broker
    is_down: Callable[[], bool] = lambda: False
    """Every connection is dropped without an answer."""

    def __post_init__(self) -> None:
        self._wakeups = Wakeups(self.store)
        self._logs = PodLogs(self.store, self.broker_log, self.now, self.catch_up)
        self._openapi = OpenApiIndex(self.store.resources.values())

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._frame], client_max_size=_BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", self._dispatch)
        application.on_response_prepare.append(self._stamp)
        return application

    def close(self) -> None:
        self._wakeups.close()

    async def _stamp(self, _request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(self.now(), usegmt=True)
        response.headers["Cache-Control"] = "no-cache, private"

    # -- authentication

    @web.middleware
    async def _frame(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self.is_down():
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=503)
        try:
            # Anybody may see these; a token that nobody has is refused everywhere, as by a real server.
            if request.path.rstrip("/") not in _OPEN_PATHS or _bearer(request):
                request[_USER] = self._authenticate(request)
            self.catch_up()
            return await handler(request)
        except ApiError as refused:
            return _json(refused.status(), refused.code)
        except web.HTTPRequestEntityTooLarge:
            too_large = ApiError(413, "RequestEntityTooLarge", f"limit is {_BODY_LIMIT}")
            return _json(too_large.status(), 413)

    def _authenticate(self, request: web.Request) -> User:
        token = _bearer(request)
        user = self.accounts.by_token(token) if token else None
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        name = request.headers.get("Impersonate-User")
        if not name:
            return user
        impersonated = self.accounts.impersonated(user, name)
        if impersonated is None:
            message = f'users "{name}" is forbidden: User "{user.name}" cannot impersonate resource "users"'
            raise ApiError(403, "Forbidden", f'{message} in API group "" at the cluster scope')
        return impersonated

    # -- routing

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        path = urlsplit(request.raw_path).path.rstrip("/") or "/"
        if request.method == "GET":
            answer = self._discover(request, path)
            if answer is not None:
                return answer
        target = parse_target(path, self.store.resources)
        if target.plural == "pods" and target.subresource == "portforward":
            return await self._port_forward(request, target)
        if request.method == "GET" and target.plural == "pods" and target.subresource == "log":
            check_right(request[_USER], "get", target)
            return await self._logs.answer(request, target)
        if request.method == "GET" and is_true(request.query.get("watch")):
            return await self._watch(request, target)
        return await self._object_request(request, path, target)

    def _discover(self, request: web.Request, path: str) -> web.Response | None:
        resources = self.store.resources.values()
        document: Object | None
        match path.strip("/").split("/"):
            case ["healthz" | "livez" | "readyz", *_]:
                return web.Response(text="ok")
            case ["version"]:
                document = discovery.version()
            case ["api"]:
                document = discovery.core_versions(request.host)
            case ["api", "v1"]:
                document = discovery.resource_list(resources, "v1")
            case ["apis"]:
                document = discovery.group_list(resources)
            case ["apis", group]:
                document = discovery.group(resources, group)
            case ["apis", group, version]:
                document = discovery.resource_list(resources, f"{group}/{version}")
            case ["openapi", "v2"]:
                body, media_type = self._openapi.v2(request.headers.get("Accept", ""))
                return web.Response(body=body, headers={"Content-Type": media_type})
            case ["openapi", "v3", *rest]:
                document = self._openapi.document("/".join(rest)) if rest else self._openapi.index()
            case [""]:
                document = {"paths": ["/api", "/api/v1", "/apis", "/healthz", "/openapi/v2", "/openapi/v3", "/version"]}
            case _:
                return None
        if document is None:
            raise unknown_path()
        return _json(document)

    async def _port_forward(self, request: web.Request, target: Target) -> web.StreamResponse:
        check_right(request[_USER], "get" if request.method == "GET" else "create", target)
        pod = self.store.get("pods", target.namespace, target.name or "")
        return await forward(request, self.network, pod)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        verb, fields = verb_of("GET", target, watch=True), request.query.get("fieldSelector")
        check_right(request[_USER], verb, target, fields)
        form = _form(request)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        try:
            watch = open_watch(self.store, target, request.query, form, self.watches.bookmark_every_s)
        except ApiError as refused:
            if refused.code != 410 or self.watches.gone == "status":
                raise
            with contextlib.suppress(ConnectionResetError):
                await response.prepare(request)
                await response.write(_line({"type": "ERROR", "object": refused.status()}))
            return response
        # The client may leave before it is answered, or while a line is written.
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(request)
            async for batch in watch.events(self._wakeups, self.now):
                if batch:
                    await response.write(b"".join(_line(event) for event in batch))
        return response

    async def _object_request(self, request: web.Request, path: str, target: Target) -> web.Response:
        form = _form(request)
        reply = self.api.request(
            request.method,
            path,
            request.query,
            await read_body(request),
            request.content_type,
            request[_USER],
            manager=request.headers.get("User-Agent", "unknown").partition("/")[0],
        )
        body = reply.body if reply.status >= 400 else self._formed(form, target, reply)
        response = _json(body, reply.status)
        for text in reply.warnings:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{quoted}"')
        return response

    def _formed(self, form: Form, target: Target, reply: Reply) -> Object:
        resource: Resource = target.resource
        body = reply.body
        if body.get("kind") == f"{resource.kind}List":
            return form.many(resource, body, self.now())
        if body.get("kind") == resource.kind and not resource.virtual:
            return form.one(resource, body, self.now())
        return body


def _bearer(request: web.Request) -> str:
    """The token of a request, empty without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _form(request: web.Request) -> Form:
    form = wanted_form(request.headers.get("Accept", "*/*"), request.query.get("includeObject"))
    if form is None:
        raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")
    return form


def _json(body: Object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=_compact(body) + b"\n", content_type="application/json")


def _compact(body: Object) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _line(event: Object) -> bytes:
    return _compact(event) + b"\n"
