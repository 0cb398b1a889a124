"""Every exception class of the libraries has a kind here: a new one in a new version fails this test."""

from __future__ import annotations

import inspect
import ssl

import aiohttp
import httpcore
import httpx
import pytest
from kubernetes.aio.client import exceptions as kubernetes_exceptions
from yarl import URL

from emqx_tui.adapters.emqx import errors as emqx_errors
from emqx_tui.adapters.kubernetes import errors as kube_errors
from emqx_tui.model.errors import Conflict, Forbidden, MalformedAnswer, NotFound, Rejected, Unauthorized, Unreachable

KUBERNETES = {
    "OpenApiException": Rejected,
    "ApiTypeError": Rejected,
    "ApiValueError": Rejected,
    "ApiAttributeError": Rejected,
    "ApiKeyError": Rejected,
    "ApiException": Rejected,
    "BadRequestException": Rejected,
    "NotFoundException": NotFound,
    "UnauthorizedException": Unauthorized,
    "ForbiddenException": Forbidden,
    "ServiceException": Unreachable,
    "ConflictException": Conflict,
    "UnprocessableEntityException": Rejected,
}
STATUS_OF = {"NotFound": 404, "Unauthorized": 401, "Forbidden": 403, "Service": 503, "Conflict": 409}

AIOHTTP = {
    "ClientConnectionError": Unreachable,
    "ClientConnectionResetError": Unreachable,
    "ClientConnectorCertificateError": Unreachable,
    "ClientConnectorDNSError": Unreachable,
    "ClientConnectorError": Unreachable,
    "ClientConnectorSSLError": Unreachable,
    "ClientError": Unreachable,
    "ClientHttpProxyError": Unreachable,
    "ClientOSError": Unreachable,
    "ClientPayloadError": Unreachable,
    "ClientProxyConnectionError": Unreachable,
    "ClientResponseError": Unreachable,
    "ClientSSLError": Unreachable,
    "ConnectionTimeoutError": Unreachable,
    "ContentTypeError": MalformedAnswer,
    "InvalidURL": Rejected,
    "InvalidUrlClientError": Rejected,
    "InvalidUrlRedirectClientError": Rejected,
    "NonHttpUrlClientError": Rejected,
    "NonHttpUrlRedirectClientError": Rejected,
    "RedirectClientError": Unreachable,
    "ServerConnectionError": Unreachable,
    "ServerDisconnectedError": Unreachable,
    "ServerFingerprintMismatch": Unreachable,
    "ServerTimeoutError": Unreachable,
    "SocketTimeoutError": Unreachable,
    "TooManyRedirects": MalformedAnswer,
    "UnixClientConnectorError": Unreachable,
    "UploadAbortedError": Unreachable,
    "WSServerHandshakeError": Unreachable,
}

HTTPX = {
    "HTTPError": None,
    "RequestError": Unreachable,
    "TransportError": Unreachable,
    "TimeoutException": Unreachable,
    "ConnectTimeout": Unreachable,
    "ReadTimeout": Unreachable,
    "WriteTimeout": Unreachable,
    "PoolTimeout": Unreachable,
    "NetworkError": Unreachable,
    "ConnectError": Unreachable,
    "ReadError": Unreachable,
    "WriteError": Unreachable,
    "CloseError": Unreachable,
    "ProxyError": Unreachable,
    "ProtocolError": Unreachable,
    "LocalProtocolError": Rejected,
    "RemoteProtocolError": Unreachable,
    "UnsupportedProtocol": Rejected,
    "DecodingError": MalformedAnswer,
    "TooManyRedirects": MalformedAnswer,
    "HTTPStatusError": MalformedAnswer,
    "InvalidURL": Rejected,
    "CookieConflict": None,
    "StreamError": None,
    "StreamConsumed": None,
    "StreamClosed": None,
    "ResponseNotRead": None,
    "RequestNotRead": None,
}
"""None: abstract, or a misuse of the library that must not be hidden."""

HTTPCORE = {
    "TimeoutException": Unreachable,
    "ConnectTimeout": Unreachable,
    "ReadTimeout": Unreachable,
    "WriteTimeout": Unreachable,
    "PoolTimeout": Unreachable,
    "NetworkError": Unreachable,
    "ConnectError": Unreachable,
    "ReadError": Unreachable,
    "WriteError": Unreachable,
    "ProxyError": Unreachable,
    "ProtocolError": Unreachable,
    "LocalProtocolError": Rejected,
    "RemoteProtocolError": Unreachable,
    "UnsupportedProtocol": Rejected,
    "ConnectionNotAvailable": Unreachable,
}


def exceptions_of(module, base: type = Exception) -> dict[str, type]:
    found = {name: value for name, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, base)}
    return {
        value.__name__: value
        for value in found.values()
        if value.__module__.split(".")[0] == module.__name__.split(".")[0]
    }


def aiohttp_exceptions() -> dict[str, type]:
    found, queue = {}, [aiohttp.ClientError]
    while queue:
        kind = queue.pop()
        found[kind.__name__] = kind
        queue += [child for child in kind.__subclasses__() if child.__module__.startswith("aiohttp.")]
    return found


@pytest.mark.parametrize(
    ("known", "present"),
    [
        (KUBERNETES, exceptions_of(kubernetes_exceptions)),
        (AIOHTTP, aiohttp_exceptions()),
        (HTTPX, exceptions_of(httpx)),
        (HTTPCORE, exceptions_of(httpcore)),
    ],
    ids=["kubernetes", "aiohttp", "httpx", "httpcore"],
)
def test_no_class_is_unknown(known, present):
    assert not set(present) - set(known)
    assert len(set(present) & set(known)) > 10


@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes(name):
    kind = getattr(kubernetes_exceptions, name)
    status = next((code for start, code in STATUS_OF.items() if name.startswith(start)), 400)
    error = kind(status=status, reason="r") if issubclass(kind, kubernetes_exceptions.ApiException) else kind("m")
    assert isinstance(error, kube_errors.LIBRARY_ERRORS)
    assert type(kube_errors.from_library(error, "https://k")) is KUBERNETES[name]


def aiohttp_error(kind: type) -> BaseException:
    """An instance without the live objects that the library would put into it."""
    error = kind.__new__(kind)
    error.args = ()
    key = type("Key", (), {"host": "h", "port": 1, "ssl": True, "is_ssl": True})()
    stand_ins = {
        "status": 503,
        "message": "m",
        "headers": {},
        "request_info": type("Info", (), {"real_url": "u"})(),
        "history": (),
        "_conn_key": key,
        "_os_error": OSError(111, "refused"),
        "_certificate_error": ssl.SSLCertVerificationError("bad"),
        "_path": "/p",
        "_url": URL("http://h"),
        "_description": None,
        "_host": "h",
        "_port": 1,
        "expected": b"",
        "got": b"",
        "host": "h",
        "port": 1,
    }
    for name, value in stand_ins.items():
        try:
            setattr(error, name, value)
        except AttributeError:
            continue
    return error


@pytest.mark.parametrize("name", sorted(aiohttp_exceptions()))
def test_aiohttp(name):
    error = aiohttp_error(aiohttp_exceptions()[name])
    assert isinstance(error, kube_errors.LIBRARY_ERRORS)
    told = kube_errors.from_library(error, "https://k")
    assert type(told) is AIOHTTP[name]
    assert "https://k" in told.message or told.status


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(104, "Connection reset by peer"),
        BrokenPipeError(32, "Broken pipe"),
        OSError(113, "No route to host"),
        ssl.SSLError(1, "wrong version"),
        ssl.SSLCertVerificationError("bad"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_sockets(error):
    for module in (kube_errors, emqx_errors):
        assert isinstance(error, module.LIBRARY_ERRORS)
        assert type(module.from_library(error, "x")) is Unreachable


@pytest.mark.parametrize(
    ("library", "name"), [(httpx, name) for name in HTTPX] + [(httpcore, name) for name in HTTPCORE]
)
def test_httpx_and_httpcore(library, name):
    expected = (HTTPX if library is httpx else HTTPCORE)[name]
    kind = getattr(library, name)
    error = kind.__new__(kind)
    assert isinstance(error, emqx_errors.LIBRARY_ERRORS) == (expected is not None)
    if expected is not None:
        assert type(emqx_errors.from_library(error, "pod x")) is expected


@pytest.mark.parametrize("module", [kube_errors, emqx_errors])
def test_a_stranger_is_not_swallowed(module):
    assert not isinstance(KeyError("x"), module.LIBRARY_ERRORS)
    with pytest.raises(TypeError):
        module.from_library(KeyError("x"), "x")
