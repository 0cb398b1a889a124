"""The one HTTP session to an API server: TLS, TCP keep-alive, proxies, impersonation.

Owns every connection of a KubeClient. Keep-alive and TCP_USER_TIMEOUT are set on each socket, because neither aiohttp
nor `kubernetes.aio` has a time-out for one read: without them a half-open link looks like a quiet cluster. The session
is handed to the library's REST client, so that the websockets of the port-forward share it. Proxies are looked up here:
aiohttp's `trust_env` would also send `~/.netrc` passwords and proxy the loopback.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from emqx_tui import __version__
from emqx_tui.adapters.errors import ConfigError, one_line
from emqx_tui.adapters.kubernetes.access import Access, ClientCertificate, Tls
from emqx_tui.adapters.kubernetes.library import Configuration, RESTClientObject, aiohttp
from emqx_tui.adapters.kubernetes.proxy import proxy_of
from emqx_tui.adapters.lean_import import without_authorities
from emqx_tui.adapters.tls import client_context

CONNECTIONS = 256
"""Watches and tunnels hold one each: nine a cluster and three a pod."""
_READ_BUFFER = 1 << 21
"""Half of the longest watch line that is taken: etcd's objects end at 1.5 MiB."""


class KubeLink:
    """The REST client and its session, made in the running loop."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.server = access.server
        self.proxy = proxy_of(access, os.environ)
        self._tls = tls_context(access.tls) if access.server.startswith("https:") else None
        self._certificate = access.certificate
        self._retired: aiohttp.ClientSession | None = None
        if self._tls and access.certificate:
            load_certificate(self._tls, access.certificate)
        self.session = self._new_session()
        self.rest = self._new_rest_client()

    async def use_certificate(self, certificate: ClientCertificate) -> None:
        """Present this client certificate from now on.

        Connections that showed another one live until the certificate changes again: requests under way end well.
        """
        if self._tls is None or certificate == self._certificate:
            return
        load_certificate(self._tls, certificate)
        self._certificate = certificate
        before, self._retired = self._retired, self.session
        self.session = self._new_session()
        self.rest.pool_manager = self.session
        if before:
            await before.close()

    async def close(self) -> None:
        for session in (self._retired, self.session):
            if session:
                await session.close()
        await self.rest.close()

    def websocket_options(self) -> dict[str, Any]:
        """What `session.ws_connect` needs besides URL and headers; the library passes the same to its requests."""
        options: dict[str, Any] = {"proxy": self.proxy} if self.proxy else {}
        if self._tls and self.access.tls.server_name:
            options["server_hostname"] = self.access.tls.server_name
        return options

    def _new_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=self._connector_tls(), socket_factory=keepalive_socket)
        return aiohttp.ClientSession(
            connector=connector,
            headers=_headers(self.access),
            read_bufsize=_READ_BUFFER,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    def _connector_tls(self) -> ssl.SSLContext | bool:
        """aiohttp's own context trusts nobody here: a proxy behind https needs one even before a plain server."""
        is_encrypted = (self.proxy or "").startswith("https:")
        return self._tls or (client_context() if is_encrypted else True)

    def _new_rest_client(self) -> RESTClientObject:
        configuration = Configuration(host=self.server)
        configuration.proxy = self.proxy or None
        if self._tls and self.access.tls.server_name:
            configuration.tls_server_name = self.access.tls.server_name
        with without_authorities():
            # The library builds a TLS context of its own, which is unused here.
            rest = RESTClientObject(configuration)
        rest.pool_manager = self.session
        return rest


def _user_agent() -> str:
    return f"emqx-tui/{__version__}"


def _headers(access: Access) -> CIMultiDict[str]:
    """Headers of every request; impersonation may repeat a name, which the library's own dict cannot."""
    headers = CIMultiDict({"User-Agent": _user_agent()})
    if access.as_user:
        headers["Impersonate-User"] = access.as_user
    for group in access.as_groups:
        headers.add("Impersonate-Group", group)
    return headers


def keepalive_socket(address: Any) -> socket.socket:
    """A TCP socket with keep-alive and TCP_USER_TIMEOUT: a dead peer is noticed within half a minute."""
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 15),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 30_000),
    ):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
    return sock


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the server's certificate is checked against. Raises ConfigError."""
    context = client_context(tls.ca_pem)
    if tls.is_unverified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_certificate(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Load a client certificate; `ssl` reads files only, so the key is in one for a moment. Raises ConfigError."""
    with tempfile.TemporaryDirectory(prefix="emqx-tui-") as folder:
        file = Path(folder) / "client.pem"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(certificate.certificate.rstrip() + b"\n" + certificate.key)
        try:
            context.load_cert_chain(file)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(f"the client certificate cannot be used ({one_line(str(error))})") from error
