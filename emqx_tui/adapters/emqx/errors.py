"""Errors of httpx, httpcore and EMQX's management API v4 as AdapterError kinds.

Only two statuses are failures of the way to EMQX: 401 and 404. Everything else is an answer and left to the session,
because EMQX 4.4 says most refusals with HTTP 200 and a code in the body, and some of them mean that all is well.
"""

from __future__ import annotations

import ssl

import httpcore

from emqx_tui.adapters.emqx.library import httpx
from emqx_tui.adapters.errors import one_line
from emqx_tui.model.errors import (
    AdapterError,
    MalformedAnswer,
    NotFound,
    Rejected,
    Unauthorized,
    Unreachable,
)
from emqx_tui.rollout.requests import EmqxReply

_TIMEOUTS = (TimeoutError, httpx.TimeoutException, httpcore.TimeoutException)
_BAD_REQUESTS = (
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpcore.UnsupportedProtocol,
    httpcore.LocalProtocolError,
)
_BAD_ANSWERS = (httpx.DecodingError, httpx.TooManyRedirects, httpx.HTTPStatusError)
_LOST = (
    httpx.RequestError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.ConnectionNotAvailable,
    OSError,
)
LIBRARY_ERRORS = (*_TIMEOUTS, *_BAD_REQUESTS, *_BAD_ANSWERS, *_LOST)

STALE_CONNECTION = (
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
    httpcore.RemoteProtocolError,
    httpcore.ReadError,
    httpcore.WriteError,
)
"""What a kept-alive connection that the other side has closed answers with."""


def from_library(error: BaseException, where: str) -> AdapterError:
    """The failure behind a library's exception; `where` names the node."""
    if isinstance(error, _TIMEOUTS):
        return Unreachable(f"{where} did not answer in time")
    if isinstance(error, _BAD_REQUESTS):
        return Rejected(f"{where}: the request could not be built ({_words(error)})")
    if isinstance(error, _BAD_ANSWERS):
        return MalformedAnswer(f"{where}: not an answer of EMQX ({_words(error)})")
    if isinstance(error, httpx.ConnectError | httpcore.ConnectError | ssl.SSLError):
        return Unreachable(f"cannot connect to {where}: {_words(error)}")
    if isinstance(error, _LOST):
        return Unreachable(f"{where}: the connection was lost ({_words(error)})")
    raise TypeError(f"no kind for {type(error).__name__}") from error


def from_reply(reply: EmqxReply, where: str) -> AdapterError | None:
    """The failure that an answer stands for, None when it is the session's to judge."""
    match reply.status:
        case 401:
            return Unauthorized(f"{where} does not accept the API key", status=401)
        case 404:
            return NotFound(f"{where}: {_message(reply) or 'not found'}", status=404)
        case _:
            return None


def _message(reply: EmqxReply) -> str:
    message = reply.body.get("message") if isinstance(reply.body, dict) else reply.text
    return one_line(message, 200) if isinstance(message, str) else ""


def _words(error: BaseException) -> str:
    return one_line(str(error), 160) or type(error).__name__
