"""`GET pods/NAME/log` over HTTP: the whole log at once, or with `follow` line by line until the container ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from emqx_tui.sandbox.apiserver.watches import is_true
from emqx_tui.sandbox.controllers.pod_log import LogLine, container_log, limited, selected
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.targets import Target

_LOOK_EVERY_S = 0.1
"""Wall seconds between two looks for new lines."""

BrokerLog = Callable[[Object, bool], Sequence[tuple[float, str]]]
"""(pod, before its restart?) -> what its broker wrote behind its first lines: (instant, text)."""


def no_broker(_pod: Object, _previous: bool) -> Sequence[tuple[float, str]]:
    return ()


@dataclass
class PodLogs:
    """Reads the logs of the pods of one store."""

    store: Store
    broker_log: BrokerLog
    now: Callable[[], float]
    catch_up: Callable[[], None]

    async def answer(self, request: web.Request, target: Target) -> web.StreamResponse:
        """The log that a request asks for. ApiError 400 where there is none."""
        lines = self._lines(request, target)
        shown = selected(lines, request.query, self.now())
        if not is_true(request.query.get("follow")):
            return web.Response(body=limited(shown, request.query), content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        # The client may leave before it is answered, or while a line is written.
        with contextlib.suppress(ConnectionResetError):
            await response.prepare(request)
            await response.write("".join(shown).encode())
            await self._follow(request, target, response, lines)
        return response

    async def _follow(
        self, request: web.Request, target: Target, response: web.StreamResponse, seen: list[LogLine]
    ) -> None:
        """Until the container that it began with has ended."""
        first, last_at = seen[0], seen[-1].at
        stamps = {name: value for name, value in request.query.items() if name == "timestamps"}
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.catch_up()
            try:
                lines = self._lines(request, target)
            except ApiError:
                return
            if lines[0] != first:
                return
            if fresh := [line for line in lines if line.at > last_at]:
                last_at = fresh[-1].at
                await response.write("".join(selected(fresh, stamps, self.now())).encode())

    def _lines(self, request: web.Request, target: Target) -> list[LogLine]:
        previous = is_true(request.query.get("previous"))
        pod = self.store.get("pods", target.namespace, target.name or "")
        container = request.query.get("container", "")
        is_broker = container in ("", pod["spec"]["containers"][0]["name"])
        wrote = self.broker_log(pod, previous) if is_broker else ()
        return container_log(pod, container, previous=previous, broker=[LogLine(*each) for each in wrote])
