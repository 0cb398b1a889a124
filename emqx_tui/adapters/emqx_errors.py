"""Errors of httpx, httpcore and EMQX's management API v4 as AdapterError kinds.

Owns what counts as a refusal: EMQX answers many of them with HTTP 200 and a code other than 0 in the body, or with a
message and no code at all. A refusal must never pass for a success.
"""

from __future__ import annotations

import ssl
from typing import Any

import httpcore
import httpx

from emqx_tui.adapters.errors import one_line
from emqx_tui.model.errors import (
    AdapterError,
    Forbidden,
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


def refusal(reply: EmqxReply, where: str) -> AdapterError | None:
    """The failure that an answer stands for, None when it is what was asked for."""
    words = _message(reply.body) or one_line(reply.text, 200)
    match reply.status:
        case 401:
            return Unauthorized(f"{where} does not accept the API key", status=401)
        case 403:
            return Forbidden(f"{where}: {words or 'not allowed'}", status=403)
        case 404:
            return NotFound(f"{where}: {words or 'not found'}", status=404)
        case 408 | 429 | 502 | 504:
            return Unreachable(f"{where}: {words or reply.status}", status=reply.status)
        case status if 400 <= status < 500:
            return Rejected(f"{where}: {words or status}", status=status)
        case 200:
            return _refusal_in_body(reply.body, words, where)
    return None


def _refusal_in_body(body: Any, words: str, where: str) -> AdapterError | None:
    if not isinstance(body, dict):
        return None
    code = body.get("code", 0)
    if code != 0 or body.keys() == {"message"}:
        told = words or f"code {one_line(str(code), 40)}"
        return Rejected(f"{where}: {told}", status=code if isinstance(code, int) else None)
    return None


def _message(body: Any) -> str:
    message = body.get("message") if isinstance(body, dict) else None
    return one_line(message, 200) if isinstance(message, str) else ""


def _words(error: BaseException) -> str:
    return one_line(str(error), 160) or type(error).__name__
