"""NO_PROXY in every form that Go knows, and what kubectl does with the same variables."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil

import pytest

from emqx_tui.adapters.kubernetes.proxy import environment_proxy, is_direct
from tests.support.stream_server import serving

NO_PROXY: list[tuple[str, str, bool]] = [
    # server, NO_PROXY, direct
    ("k8s.corp:6443", "", False),
    ("k8s.corp:6443", "*", True),
    ("k8s.corp:6443", "x, * ,y", True),
    ("k8s.corp:6443", "k8s.corp", True),
    ("K8S.Corp:6443", "k8s.CORP", True),
    ("k8s.corp:6443", "corp", True),
    ("k8s.corp:6443", ".corp", True),
    ("k8s.corp:6443", "*.corp", True),
    ("k8s.corp:6443", ".k8s.corp", False),
    ("k8s.corp:6443", "*.k8s.corp", False),
    ("xk8s.corp:6443", "k8s.corp", False),
    ("k8s.corp:6443", "*corp", False),
    ("k8s.corp:6443", "k8s.*", False),
    ("k8s.corp:6443", "k8s.corp:6443", True),
    ("k8s.corp:6443", "k8s.corp:443", False),
    ("k8s.corp:6443", ".corp:6443", True),
    ("k8s.corp:443", "k8s.corp:443", True),
    ("k8s.corp:6443", ":6443", False),
    ("k8s.corp:6443", "k8s.corp:", True),
    ("k8s.corp:6443", " a , k8s.corp ", True),
    ("k8s.corp:6443", ",,", False),
    ("10.1.2.3:6443", "10.1.2.3", True),
    ("10.1.2.3:6443", "10.1.2.3:6443", True),
    ("10.1.2.3:6443", "10.1.2.3:443", False),
    ("10.1.2.3:6443", "10.0.0.0/8", True),
    ("10.1.2.3:6443", "10.1.2.3/8", True),
    ("10.1.2.3:6443", "10.2.0.0/16", False),
    ("10.1.2.3:6443", "10.0.0.0/255.0.0.0", False),
    ("10.1.2.3:6443", "10.0.0.0/99", False),
    ("10.1.2.3:6443", ".3", False),
    ("10.1.2.3:6443", "3", False),
    ("10.1.2.3:6443", "10.*", False),
    ("10.1.2.3:6443", "::ffff:10.1.2.3", True),
    ("[fd00::1]:6443", "fd00::1", True),
    ("[fd00::1]:6443", "[fd00::1]:6443", True),
    ("[fd00::1]:6443", "[fd00::1]:443", False),
    ("[fd00::1]:6443", "fd00::/8", True),
    ("[fd00::1]:6443", "10.0.0.0/8", False),
    ("localhost:6443", "", True),
    ("127.0.0.1:6443", "", True),
    ("127.9.9.9:6443", "", True),
    ("[::1]:6443", "", True),
]


def host_and_port(server: str) -> tuple[str, str]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), port


@pytest.mark.parametrize(("server", "no_proxy", "direct"), NO_PROXY)
def test_no_proxy(server: str, no_proxy: str, direct: bool) -> None:
    assert is_direct(*host_and_port(server), no_proxy) is direct


@pytest.mark.parametrize(
    ("server", "environment", "proxy"),
    [
        ("https://k", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://k", {"https_proxy": "p:1"}, "http://p:1"),
        ("https://k", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q"}, "http://p:1"),
        ("https://k", {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://q"}, ""),
        ("http://k", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("https://k", {"HTTPS_PROXY": "http://p:1", "no_proxy": "k:443"}, ""),
        ("http://k", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "k:443"}, "http://p:1"),
    ],
)
def test_variables(server: str, environment: dict[str, str], proxy: str) -> None:
    assert environment_proxy(server, environment) == proxy


KUBECTL = shutil.which("kubectl")
OUTSIDE = [row for row in NO_PROXY if row[0].endswith(":6443")]


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is missing: NO_PROXY is not compared with the real one")
async def test_real_kubectl_asks_the_same_servers_through_the_proxy() -> None:
    """A proxy of the test's own is told by its password which row of the table asks it."""
    asked: set[str] = set()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.add(base64.b64decode(head.partition("Proxy-Authorization: Basic ")[2].split()[0]).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n")
        writer.close()

    limit = asyncio.Semaphore(6)

    async def ask(row: int, port: int, name: str, no_proxy: str) -> None:
        address = f"http://row:{row}@127.0.0.1:{port}"
        words = [str(KUBECTL), "--server", f"https://{name}", "--request-timeout=1s", "get", "--raw", "/version"]
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HTTPS_PROXY": address, "NO_PROXY": no_proxy}
        async with limit:
            quiet = asyncio.subprocess.DEVNULL
            child = await asyncio.create_subprocess_exec(*words, env=environment, stdout=quiet, stderr=quiet)
            await child.wait()

    async with serving(proxy) as (_, port):
        await asyncio.gather(*(ask(row, port, name, no_proxy) for row, (name, no_proxy, _) in enumerate(OUTSIDE)))
    assert [case for row, case in enumerate(OUTSIDE) if (f"row:{row}" in asked) is case[2]] == []
