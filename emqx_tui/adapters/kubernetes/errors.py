"""Errors of `kubernetes.aio`, aiohttp and the sockets under them, as AdapterError kinds.

Owns the one table from HTTP status to kind, and the reading of a Kubernetes `Status`. Anything whose effect is unknown
is Unreachable: the engine then looks at the cluster again instead of guessing.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

from emqx_tui.adapters.errors import one_line
from emqx_tui.adapters.kubernetes.library import ApiException, OpenApiException, aiohttp
from emqx_tui.model.errors import (
    AdapterError,
    Conflict,
    Expired,
    Forbidden,
    MalformedAnswer,
    NotFound,
    Rejected,
    Unauthorized,
    Unreachable,
)
from emqx_tui.model.wire import Unparsable, read_json

_BY_STATUS: dict[int, type[AdapterError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Unreachable,
    409: Conflict,
    410: Expired,
    429: Unreachable,
}

LIBRARY_ERRORS = (OpenApiException, aiohttp.ClientError, OSError, asyncio.TimeoutError, ssl.SSLError)
"""Every class that a request can raise; ssl.SSLError and TimeoutError are OSErrors, named for the reader."""


def from_status(status: int, body: str | bytes, where: str) -> AdapterError:
    """The failure that an HTTP status of 400 or more stands for; `where` names the server or the request."""
    message, reason = _status_words(body)
    kind = _BY_STATUS.get(status) or (Unreachable if status >= 500 else Rejected)
    if kind is Unauthorized:
        message = f"{where} does not accept these credentials (401{_tail(message)})"
    return kind(message or f"{where} answered {status}", status=status, reason=reason)


def from_status_object(value: Any, where: str) -> AdapterError:
    """The failure in an ERROR event of a watch."""
    code = value.get("code") if isinstance(value, dict) else None
    return from_status(code if isinstance(code, int) else 500, json.dumps(value), where)


def from_library(error: BaseException, where: str) -> AdapterError:
    """The failure behind a library's exception; `where` names the server."""
    match error:
        case ApiException():
            return from_status(error.status or 0, error.body or str(error.reason or ""), where)
        case OpenApiException():
            return Rejected(f"the request could not be built: {one_line(str(error))}")
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return Unreachable(f"{where}: its certificate is not trusted ({_certificate_problem(error)})")
        case aiohttp.ClientConnectorSSLError() | aiohttp.ServerFingerprintMismatch() | ssl.SSLError():
            return Unreachable(f"{where}: TLS failed ({_words(error)})")
        case aiohttp.ClientHttpProxyError():
            return Unreachable(f"{where}: the proxy answered {error.status} {one_line(error.message)}")
        case aiohttp.ClientProxyConnectionError():
            return Unreachable(f"{where}: the proxy does not answer ({_words(error)})")
        case aiohttp.WSServerHandshakeError():
            return from_status(error.status, error.message, where)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return Rejected(f"{where}: not a usable URL ({_words(error)})")
        case aiohttp.ContentTypeError() | aiohttp.TooManyRedirects():
            return MalformedAnswer(f"{where}: not an answer of the Kubernetes API ({_words(error)})")
        case aiohttp.ClientResponseError():
            return from_status(error.status, error.message, where)
        case TimeoutError():
            return Unreachable(f"{where} did not answer in time")
        case aiohttp.ClientConnectorDNSError():
            return Unreachable(f"{where}: the host name is not known")
        case aiohttp.ClientConnectorError():
            return Unreachable(f"cannot connect to {where}: {_words(error)}")
        case aiohttp.ClientError() | OSError():
            return Unreachable(f"{where}: the connection was lost ({_words(error)})")
        case _:
            raise TypeError(f"no kind for {type(error).__name__}") from error


def _status_words(body: str | bytes) -> tuple[str, str]:
    """Message and reason of a `Status`, or the text itself where the answer is something else."""
    try:
        value = read_json(body)
    except Unparsable:
        return one_line(body), ""
    if not isinstance(value, dict):
        return one_line(body), ""
    message, reason = value.get("message"), value.get("reason")
    return (
        one_line(message) if isinstance(message, str) else "",
        one_line(reason, 60) if isinstance(reason, str) else "",
    )


def _tail(message: str) -> str:
    return f": {message}" if message and message != "Unauthorized" else ""


def _certificate_problem(error: BaseException) -> str:
    inner = getattr(error, "certificate_error", error)
    return one_line(getattr(inner, "verify_message", "") or str(inner), 160)


def _words(error: BaseException) -> str:
    strerror = getattr(getattr(error, "os_error", error), "strerror", None)
    return one_line(str(strerror or error) or type(error).__name__, 160)
