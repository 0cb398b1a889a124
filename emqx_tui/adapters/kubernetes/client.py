"""The Kubernetes API over `kubernetes.aio`'s REST client, with plain dicts.

Owns one REST client and its credential. None of the library's generated classes is used: they cost half a second and 30
MiB and lose fields they do not know. Nor is its Watch, which hides lost connections and expired versions. Every error
leaves as an AdapterError. The session is opened by the first request, and belongs to the event loop that sent it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.body_lines import LineSplitter
from emqx_tui.adapters.kubernetes.credentials import Credential, Credentials, credentials_for
from emqx_tui.adapters.kubernetes.errors import LIBRARY_ERRORS, from_library, from_status
from emqx_tui.adapters.kubernetes.http_session import KubeLink
from emqx_tui.adapters.kubernetes.library import aiohttp
from emqx_tui.adapters.kubernetes.watch import Contact, Pace, Reflector
from emqx_tui.model.errors import AdapterError, MalformedAnswer, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Unparsable, read_json
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.session.ports import LineSink, Scope, WatchSink

logger = logging.getLogger(__name__)

CLOSE_S = 1.0
"""How long to wait for the close frame of a websocket: the program must end within a second or two."""

LONGEST_BODY_S = 86_400.0
"""A log is followed for a day at most; who reads it asks again."""

DateSink = Callable[[datetime, float, float], None]
"""Takes the server's Date and the monotonic instants of sending and receiving."""


SPARE_S = 5.0
"""aiohttp's own timer must not fire together with ours: in that instant it takes a cancellation for its time-out."""


class KubeClient:
    """Implements `session.ports.Kube`, and opens the websockets that port-forward runs on."""

    def __init__(
        self,
        access: Access,
        *,
        watch_window_s: float = 55.0,
        on_date: DateSink | None = None,
        pace: Pace | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.access = access
        self._pace = pace or Pace(window_s=watch_window_s)
        self._on_date = on_date
        self._credentials = credentials or credentials_for(access)
        self._random = random.Random()
        self.contact = Contact()
        self._link: KubeLink | None = None
        self._is_closed = False

    @property
    def server(self) -> str:
        return self.access.server

    async def request(self, request: KubeRequest) -> Any:
        """Send one request, return the parsed body. Raises AdapterError; Unreachable leaves the effect unknown."""
        raw = await self._body(request)
        if not raw:
            return {}
        try:
            return read_json(raw)
        except Unparsable as error:
            raise MalformedAnswer(f"{self.server}{request.path}: the answer cannot be read: {error}") from error

    async def text(self, request: KubeRequest) -> str:
        """Send one request, return the body as it is, bytes that are not UTF-8 replaced. Raises AdapterError."""
        return (await self._body(request)).decode(errors="replace")

    async def _body(self, request: KubeRequest) -> bytes:
        timeout_s = self.access.request_timeout_s or request.timeout_s
        try:
            async with await self.send(request, total_s=2 * timeout_s + SPARE_S, answer_s=timeout_s) as response:
                async with asyncio.timeout(timeout_s):
                    return await response.read()
        except LIBRARY_ERRORS as error:
            failure = from_library(error, self.server)
            logger.info("%s %s: %s", request.method, request.path, failure.message)
            self.contact.lost()
            raise failure from error

    async def lines(self, request: KubeRequest, sink: LineSink) -> None:
        """Send one request and hand its body over line by line, as it comes, until it ends. Raises AdapterError."""
        splitter = LineSplitter(sink)
        try:
            response = await self.send(request, total_s=LONGEST_BODY_S, answer_s=request.timeout_s)
            try:
                async for chunk in response.content.iter_any():
                    splitter.feed(chunk)
            finally:
                response.close()
        except LIBRARY_ERRORS as error:
            raise from_library(error, self.server) from error
        splitter.end()

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        """List and watch until cancelled: survives 410, resets and half-open links, tells them as Lost and Alive."""
        await Reflector(self, kind, scope, sink, self._pace, self._random).run()

    async def send(self, request: KubeRequest, *, total_s: float, answer_s: float) -> aiohttp.ClientResponse:
        """Send one request and return the open answer, renewing the credential once after a 401.

        Its status line has to come within `answer_s`, its end within `total_s`; a plugin's run counts in neither.
        Raises AdapterError for a status of 400 and more, and the library's errors as they are.
        """
        credential = await self._credentials.present()
        response = await self._send_as(credential, request, total_s, answer_s)
        if response.status == 401 and await self._credentials.renew(credential):
            response.release()
            response = await self._send_as(await self._credentials.present(), request, total_s, answer_s)
        if response.status >= 400:
            async with response:
                error = from_status(response.status, await response.read(), self.server)
            logger.info("%s %s: %s %s", request.method, request.path, error.status, error.message)
            raise error
        self.contact.answered()
        return response

    async def websocket(
        self, path: str, query: Mapping[str, str], protocols: tuple[str, ...]
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket through the API server. Raises AdapterError."""
        credential = await self._credentials.present()
        try:
            return await self._connect_websocket(credential, path, query, protocols)
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 401 and await self._credentials.renew(credential):
                return await self._second_websocket(path, query, protocols)
            raise await self._refusal(error, path, query) from error
        except LIBRARY_ERRORS as error:
            raise from_library(error, self.server) from error

    async def close(self) -> None:
        """Close every connection; later requests fail as Unreachable."""
        self._is_closed = True
        if self._link:
            link, self._link = self._link, None
            await link.close()

    async def _send_as(
        self, credential: Credential, request: KubeRequest, total_s: float, answer_s: float
    ) -> aiohttp.ClientResponse:
        link = await self._open(credential)
        url = self.server + request.path
        if request.query:
            url += "?" + urlencode(request.query, quote_via=quote)
        headers = _headers(credential, request.content_type)
        sent_at = time.monotonic()
        async with asyncio.timeout(answer_s):
            answer = await link.rest.request(
                request.method, url, headers=headers, body=request.body, _request_timeout=total_s
            )
        self._tell_date(answer.response, sent_at)
        return answer.response

    async def _open(self, credential: Credential) -> KubeLink:
        if self._is_closed:
            raise Unreachable(f"{self.server}: the connection is closed")
        if self._link is None:
            self._link = KubeLink(self.access)
        if credential.certificate:
            await self._link.use_certificate(credential.certificate)
        return self._link

    async def _connect_websocket(
        self, credential: Credential, path: str, query: Mapping[str, str], protocols: tuple[str, ...]
    ) -> aiohttp.ClientWebSocketResponse:
        link = await self._open(credential)
        return await link.session.ws_connect(
            self.server + path,
            params=query,
            headers=_headers(credential, None),
            protocols=protocols,
            heartbeat=20.0,
            max_msg_size=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),  # pyright: ignore[reportCallIssue]  (untyped attrs)
            **link.websocket_options(),
        )

    async def _second_websocket(
        self, path: str, query: Mapping[str, str], protocols: tuple[str, ...]
    ) -> aiohttp.ClientWebSocketResponse:
        try:
            return await self._connect_websocket(await self._credentials.present(), path, query, protocols)
        except aiohttp.WSServerHandshakeError as error:
            raise await self._refusal(error, path, query) from error
        except LIBRARY_ERRORS as error:
            raise from_library(error, self.server) from error

    async def _refusal(
        self, error: aiohttp.WSServerHandshakeError, path: str, query: Mapping[str, str]
    ) -> AdapterError:
        """Why an upgrade was refused: aiohttp drops the body, so the server is asked again without the upgrade."""
        try:
            await self.request(KubeRequest("GET", path, query=query, timeout_s=5.0))
        except AdapterError as told:
            if told.status == error.status:
                return told
        return from_library(error, self.server)

    def _tell_date(self, response: aiohttp.ClientResponse, sent_at: float) -> None:
        if self._on_date is None or not (date := response.headers.get("Date")):
            return
        try:
            told = parsedate_to_datetime(date)
        except ValueError:
            return
        if told.tzinfo is not None:
            self._on_date(told, sent_at, time.monotonic())


def _headers(credential: Credential, content_type: str | None) -> dict[str, str]:
    headers = {"Authorization": credential.authorization} if credential.authorization else {}
    if content_type:
        headers |= {"Accept": "application/json", "Content-Type": content_type}
    return headers
