"""How to reach one Kubernetes cluster, and as whom.

Owns no file and no connection. Everything secret in it stays out of `repr`, because these values end up in logs and
tracebacks. `kubeconfig_access.py` makes it; `credentials.py` and `http_session.py` use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AccessRequest:
    """What the person asked for, in kubectl's words; empty = not said."""

    kubeconfig: str = ""
    """`--kubeconfig`: this one file instead of KUBECONFIG or the default."""
    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    all_namespaces: bool = False
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    request_timeout_s: float | None = None
    """`--request-timeout`; None or 0 = each request's own."""


@dataclass(frozen=True)
class ClientCertificate:
    """A client certificate and its key, PEM."""

    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Tls:
    """How the server proves itself."""

    ca_pem: str = field(default="", repr=False)
    """Empty = the certificate authorities of this machine."""
    server_name: str = ""
    """The name to expect in the certificate where it is not the server's host."""
    is_unverified: bool = False
    """`insecure-skip-tls-verify`."""


@dataclass(frozen=True)
class Credential:
    """What goes into the requests. Compared as a whole: another one is worth another try after a 401."""

    authorization: str = field(default="", repr=False)
    """Value of the Authorization header, empty for none."""
    certificate: ClientCertificate | None = field(default=None, repr=False)
    """From a plugin, in place of the kubeconfig's."""


@dataclass(frozen=True)
class NoLogin:
    """No credentials but, perhaps, a client certificate."""


@dataclass(frozen=True)
class TokenLogin:
    """A bearer token as written in the kubeconfig."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class TokenFileLogin:
    """A bearer token in a file that somebody renews."""

    path: str
    first: str = field(default="", repr=False)
    """Used while the file cannot be read."""


@dataclass(frozen=True)
class BasicLogin:
    """User name and password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class ExecLogin:
    """A command that prints an ExecCredential."""

    command: str
    api_version: str
    arguments: tuple[str, ...] = field(default=(), repr=False)
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    needs_terminal: bool = False
    """`interactiveMode: Always`."""
    cluster_info: Mapping[str, Any] | None = field(default=None, repr=False)
    """For `provideClusterInfo`: the cluster in the words of ExecCredential."""


Login = NoLogin | TokenLogin | TokenFileLogin | BasicLogin | ExecLogin


@dataclass(frozen=True)
class Access:
    """One cluster, one identity, one namespace."""

    server: str
    """URL without a trailing slash."""
    namespace: str = "default"
    all_namespaces: bool = False
    context: str = ""
    cluster: str = ""
    user: str = ""
    tls: Tls = field(default_factory=Tls)
    certificate: ClientCertificate | None = None
    login: Login = field(default_factory=NoLogin)
    proxy_url: str = ""
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    request_timeout_s: float | None = None
    origin: str = ""
    """Where this was found: the files, or `in-cluster`."""

    @property
    def scope(self) -> str | None:
        """The namespace to look at, None for all of them."""
        return None if self.all_namespaces else self.namespace
