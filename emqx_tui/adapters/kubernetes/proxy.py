"""PURE: which proxy the environment names for a server, by the rules of Go's `golang.org/x/net/http/httpproxy`.

kubectl follows them, Python's `urllib` and aiohttp's `trust_env` do not: NO_PROXY knows networks, ports, leading dots,
`*.` and `*`, and the loopback is never proxied.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from emqx_tui.adapters.kubernetes.access import Access

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORTS = {"http": "80", "https": "443"}


def proxy_of(access: Access, environment: Mapping[str, str]) -> str:
    """The URL of the proxy between: the kubeconfig's, else the environment's; empty for none."""
    return access.proxy_url or environment_proxy(access.server, environment)


def environment_proxy(server: str, environment: Mapping[str, str]) -> str:
    """The URL of the proxy for `server`, empty for none."""
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    proxy = environment.get(name.upper()) or environment.get(name) or ""
    no_proxy = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    host, port = parts.hostname or "", str(parts.port or _PORTS.get(parts.scheme, ""))
    if not proxy or is_direct(host, port, no_proxy):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def is_direct(host: str, port: str, no_proxy: str) -> bool:
    """True when `host` is asked without a proxy: the loopback, or an entry of `no_proxy` fits."""
    host, address = host.lower().strip(), _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_fits(entry, host, address, port) for each in no_proxy.split(",") if (entry := each.strip().lower()))


def _fits(entry: str, host: str, address: Address | None, port: str) -> bool:
    if entry == "*":
        return True
    if network := _network(entry):
        return address is not None and address in network
    name, wanted_port = _split(entry)
    if not name or (wanted_port and wanted_port != port):
        return False
    if (wanted := _address(name)) is not None:
        return wanted == address
    # A name never fits an address: `.1` is not the end of 10.0.0.1.
    return address is None and _fits_domain(name.removeprefix("*") if name.startswith("*.") else name, host)


def _fits_domain(domain: str, host: str) -> bool:
    """`a.b` fits itself and what is below it, `.a.b` only what is below it."""
    if domain.startswith("."):
        return host.endswith(domain)
    return host == domain or host.endswith(f".{domain}")


def _split(entry: str) -> tuple[str, str]:
    """Host and port of `host`, `host:port`, `address` or `[address]:port`; the host is empty where nothing fits."""
    if found := re.fullmatch(r"\[([^\]]*)\]:([^:\[\]]*)|([^:\[\]]*):([^:\[\]]*)", entry):
        return found[1] or found[3] or "", found[2] or found[4] or ""
    return entry, ""


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not re.fullmatch(r"[^/]+/\d+", entry):
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
