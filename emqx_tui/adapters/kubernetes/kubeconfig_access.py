"""From a merged kubeconfig to one Access: which context, which cluster, which credentials.

Owns kubectl's precedences: data beats file, a token file beats the token beside it, a token beats a plugin. Refuses
what client-go refuses (two kinds of credentials at once, a CA with verification off), and says so before anything is
sent.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import (
    Access,
    AccessRequest,
    BasicLogin,
    ClientCertificate,
    ExecLogin,
    Login,
    NoLogin,
    Tls,
    TokenFileLogin,
    TokenLogin,
)
from emqx_tui.adapters.kubernetes.kubeconfig import Entry, KubeConfig, absolute, nothing_found, read_config
from emqx_tui.adapters.tls import certificates

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_EXEC_EXTENSION = "client.authentication.k8s.io/exec"


def load_access(
    wanted: AccessRequest,
    environment: Mapping[str, str] | None = None,
    *,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """The cluster and identity that kubectl would use for the same flags and variables. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    config = read_config(wanted.kubeconfig, environment)
    access = select(config, wanted) if not config.is_empty else in_cluster(wanted, environment, service_account)
    if access is None:
        raise ConfigError(nothing_found(config, environment))
    if access.as_groups and not access.as_user:
        # kubectl refuses it too; an API server answers every request with an error of its own.
        raise ConfigError("groups to impersonate are given, and no user: give --as USER, or leave out --as-group")
    return access


def select(config: KubeConfig, wanted: AccessRequest) -> Access:
    """The access that flags and the merged files lead to. Raises ConfigError."""
    context = _context(config, wanted)
    cluster_name = wanted.cluster or (context.text("cluster") if context else "")
    user_name = wanted.user or (context.text("user") if context else "")
    cluster = _named(config.clusters, cluster_name, "cluster", config)
    user = _named(config.users, user_name, "user", config) if user_name else None
    tls = _tls(cluster)
    return Access(
        server=_server(cluster, tls),
        namespace=wanted.namespace or (context.text("namespace") if context else "") or "default",
        all_namespaces=wanted.all_namespaces,
        context=context.name if context else "",
        cluster=cluster_name,
        user=user_name,
        tls=tls,
        certificate=_certificate(user) if user else None,
        login=_login(user, cluster, tls) if user else NoLogin(),
        proxy_url=_proxy(cluster),
        as_user=wanted.as_user or (user.text("as") if user else ""),
        as_groups=wanted.as_groups or _as_groups(user),
        request_timeout_s=wanted.request_timeout_s,
        origin=config.origin,
    )


def in_cluster(wanted: AccessRequest, environment: Mapping[str, str], folder: Path) -> Access | None:
    """The service account of the pod we run in, None outside a pod. Raises ConfigError."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    token = folder / "token"
    if not (host and port and token.exists()):
        return None
    host = f"[{host}]" if ":" in host else host
    namespace = folder / "namespace"
    own = environment.get("POD_NAMESPACE") or (namespace.read_text().strip() if namespace.exists() else "")
    return Access(
        server=f"https://{host}:{port}",
        namespace=wanted.namespace or own or "default",
        all_namespaces=wanted.all_namespaces,
        context="in-cluster",
        user="service account",
        tls=Tls(ca_pem=_certificates(_file_bytes(str(folder / "ca.crt"), "certificate authority"), folder / "ca.crt")),
        login=TokenFileLogin(str(token)),
        as_user=wanted.as_user,
        as_groups=wanted.as_groups,
        request_timeout_s=wanted.request_timeout_s,
        origin="in-cluster",
    )


def _context(config: KubeConfig, wanted: AccessRequest) -> Entry | None:
    name = wanted.context or config.current_context
    if not name:
        if wanted.cluster:
            return None
        raise ConfigError(f"{config.origin} sets no current-context; give --context ({_known(config.contexts)})")
    return _named(config.contexts, name, "context", config)


def _named(entries: Mapping[str, Entry], name: str, kind: str, config: KubeConfig) -> Entry:
    if not name:
        raise ConfigError(f"the context names no {kind} in {config.origin}; give --{kind} ({_known(entries)})")
    if name not in entries:
        raise ConfigError(f"no {kind} named {name!r} in {config.origin} ({_known(entries)})")
    return entries[name]


def _known(entries: Mapping[str, Entry]) -> str:
    names = sorted(entries)
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"known: {shown}" if names else "none is known"


def _server(cluster: Entry, tls: Tls) -> str:
    server = cluster.text("server").rstrip("/")
    if not server:
        raise ConfigError(f"{cluster.where}.server in {cluster.file}: missing; it is the URL of the API server")
    if "://" not in server:
        has_tls = bool(tls.ca_pem or tls.is_unverified)
        server = f"{'https' if has_tls else 'http'}://{server}"
    parts = _url(server)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{cluster.where}.server in {cluster.file}: expected https://HOST:PORT")
    return parts.scheme + server[len(parts.scheme) :]


def _url(text: str) -> SplitResult | None:
    """The parts of a URL, its scheme in small letters; None where it is none."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _tls(cluster: Entry) -> Tls:
    authority = _data_or_file(cluster, "certificate-authority")
    is_unverified = cluster.flag("insecure-skip-tls-verify")
    if authority and is_unverified:
        place = f"{cluster.where} in {cluster.file}"
        raise ConfigError(f"{place}: a certificate authority and insecure-skip-tls-verify exclude each other")
    place = f"{cluster.where}.certificate-authority in {cluster.file}"
    pem = _certificates(authority, place) if authority else ""
    return Tls(pem, cluster.text("tls-server-name"), is_unverified)


def _certificates(bundle: bytes, place: str | Path) -> str:
    if not (pem := certificates(bundle)):
        raise ConfigError(f"{place}: no PEM certificate in it")
    return pem


def _certificate(user: Entry) -> ClientCertificate | None:
    certificate, key = _data_or_file(user, "client-certificate"), _data_or_file(user, "client-key")
    if bool(certificate) != bool(key):
        missing = "client-key" if certificate else "client-certificate"
        raise ConfigError(f"{user.where} in {user.file}: {missing} (or {missing}-data) is missing")
    return ClientCertificate(certificate, key) if certificate else None


def _login(user: Entry, cluster: Entry, tls: Tls) -> Login:
    token, token_file = user.text("token"), user.path("tokenFile")
    name = user.text("username")
    place = f"{user.where} in {user.file}"
    if name and (token or token_file):
        raise ConfigError(f"{place}: both a token and a user name; keep one of them")
    if token_file:
        return TokenFileLogin(token_file, token)
    if token:
        return TokenLogin(token.strip())
    if name:
        return BasicLogin(name, user.text("password"))
    if (plugin := user.mapping("exec")) is not None:
        return _exec(Entry(user.name, plugin, user.file, f"{user.where}.exec"), cluster, tls)
    if user.body.get("auth-provider"):
        raise ConfigError(f"{place}: auth-provider is not supported; use an exec plugin (kubelogin, gcloud, aws)")
    return NoLogin()


def _exec(plugin: Entry, cluster: Entry, tls: Tls) -> ExecLogin:
    command, version = plugin.text("command"), plugin.text("apiVersion")
    if not command:
        raise ConfigError(f"{plugin.where}.command in {plugin.file}: missing")
    if version not in _EXEC_VERSIONS:
        expected = " or ".join(_EXEC_VERSIONS)
        found = "not supported" if version else "missing"
        raise ConfigError(f"{plugin.where}.apiVersion in {plugin.file}: {found}; expected {expected}")
    return ExecLogin(
        command=absolute(command, plugin.file) if os.sep in command else command,
        api_version=version,
        arguments=tuple(_strings(plugin, "args")),
        environment=tuple(_environment(plugin)),
        install_hint=plugin.text("installHint"),
        needs_terminal=plugin.text("interactiveMode") == "Always",
        cluster_info=_cluster_info(cluster, tls) if plugin.flag("provideClusterInfo") else None,
    )


def _cluster_info(cluster: Entry, tls: Tls) -> dict[str, Any]:
    info: dict[str, Any] = {"server": _server(cluster, tls)}
    if tls.ca_pem:
        info["certificate-authority-data"] = base64.b64encode(tls.ca_pem.encode()).decode()
    if tls.server_name:
        info["tls-server-name"] = tls.server_name
    if tls.is_unverified:
        info["insecure-skip-tls-verify"] = True
    if proxy := _proxy(cluster):
        info["proxy-url"] = proxy
    for extension in cluster.items("extensions"):
        if isinstance(extension, Mapping) and extension.get("name") == _EXEC_EXTENSION:
            info["config"] = extension.get("extension")
    return info


def _strings(entry: Entry, key: str) -> list[str]:
    """A list of texts; null among them is empty, as for kubectl."""
    values = ["" if item is None else item for item in entry.items(key)]
    if not all(isinstance(item, str) for item in values):
        raise ConfigError(f"{entry.where}.{key} in {entry.file}: expected a list of strings; put the values in quotes")
    return values


def _environment(plugin: Entry) -> list[tuple[str, str]]:
    found = []
    for index, item in enumerate(plugin.items("env")):
        if not isinstance(item, Mapping):
            raise ConfigError(f"{plugin.where}.env[{index}] in {plugin.file}: expected a name and a value")
        variable = Entry("", item, plugin.file, f"{plugin.where}.env[{index}]")
        found.append((variable.text("name"), variable.text("value")))
    return found


def _as_groups(user: Entry | None) -> tuple[str, ...]:
    return tuple(_strings(user, "as-groups")) if user else ()


def _proxy(cluster: Entry) -> str:
    proxy = cluster.text("proxy-url")
    if not proxy:
        return ""
    parts = _url(proxy)
    if parts is None or parts.scheme not in ("http", "https"):
        what = f"{parts.scheme} is" if parts and parts.scheme.startswith("socks") else "this is"
        raise ConfigError(
            f"{cluster.where}.proxy-url in {cluster.file}: {what} not supported; use an http proxy,"
            " or an SSH port forwarding and its local address as server"
        )
    return parts.scheme + proxy[len(parts.scheme) :]


def _data_or_file(entry: Entry, key: str) -> bytes:
    """The bytes of `<key>-data` or, without it, of the file that `<key>` names."""
    if data := entry.text(f"{key}-data"):
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ConfigError(f"{entry.where}.{key}-data in {entry.file}: not base64") from error
    path = entry.path(key)
    return _file_bytes(path, f"{entry.where}.{key} of {entry.file}") if path else b""


def _file_bytes(path: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path} ({what}): {error.strerror}") from error
