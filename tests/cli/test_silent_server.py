"""An API server that takes every request and answers none but the first: each command leaves with 6, and in time."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.programs import environment

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{}}}}]
"""
VERSION = b'{"major": "1", "minor": "32", "gitVersion": "v1.32.0"}'
TIMEOUT_S = 2.0
STARTS_S = 25.0
"""A Python process on a busy machine, and the poll of what it waits for."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """/version is answered, as by a server whose store hangs; everything else is taken and kept waiting."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError), contextlib.closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"GET /version"):
                    await reader.read()
                    return
                lines = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                writer.write(lines % len(VERSION) + VERSION)
                await writer.drain()

    async def serve(ready: Callable[[int], None], end: asyncio.Event) -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            ready(server.sockets[0].getsockname()[1])
            await end.wait()

    ports: queue.Queue[int] = queue.Queue()
    loop, end = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(ports.put, end),))
    thread.start()
    yield ports.get(timeout=10)
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


@pytest.mark.parametrize(
    "words",
    [
        ("get",),
        ("get", "emqx-ee"),
        ("status", "emqx-ee"),
        ("status", "emqx-ee", "-o", "json"),
        ("hold", "emqx-ee"),
        ("approve", "emqx-ee"),
        ("resume", "emqx-ee"),
        ("abort", "emqx-ee", "--confirm", "emqx-ee"),
        ("rollout", "emqx-ee"),
        ("rollout", "emqx-ee", "--set", "image.version=4.4.15"),
    ],
    ids=" ".join,
)
def test_every_command_leaves_with_six_within_the_request_timeout(
    words: tuple[str, ...], port: int, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG.format(port=port))
    program = [sys.executable, "-m", "emqx_tui", *words, "--request-timeout", f"{TIMEOUT_S:.0f}s"]
    began = time.monotonic()
    done = subprocess.run(
        program,
        env=environment(tmp_path, KUBECONFIG=str(file)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 6, done.stdout + done.stderr
    assert time.monotonic() - began < TIMEOUT_S + STARTS_S
    assert "did not answer in time" in done.stdout + done.stderr
