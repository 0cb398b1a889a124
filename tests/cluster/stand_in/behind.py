"""What answers behind the nodes of a stand-in cluster: the sandbox's EMQX, with MQTT sessions for real connections.

Owns the cluster. A node whose pulse stays away hangs for all others, as the sandbox models it; one whose process ended
is down. Ends a while after the last node.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any

from emqx_tui.sandbox.apiserver.pod_network import PodServer
from emqx_tui.sandbox.emqx import api
from emqx_tui.sandbox.emqx.cluster import EmqxCluster
from emqx_tui.sandbox.emqx.evacuation_process import CALIBRATED
from emqx_tui.sandbox.run.real_time_clock import RealTimeClock
from emqx_tui.sandbox.timeline import Timeline
from tests.cluster.stand_in.sessions import Sessions

Object = dict[str, Any]
SILENT_S = 2.0
"""A node without a pulse for so long hangs."""
ALONE_S = 15.0
LOOK_EVERY_S = 0.25


class Behind:
    """One cluster; `api.request` answers for its nodes by their names."""

    store: Any = None

    def __init__(self) -> None:
        self.timeline = Timeline(time.time())
        self.cluster = EmqxCluster(self.timeline, random.Random(), profile=CALIBRATED)
        self.sessions = Sessions(self.cluster)
        self.cluster.attach(self.sessions)
        self._pulses: dict[str, float] = {}
        self._files: dict[str, Any] = {}
        """evacuation files by data folder"""
        self._servers: dict[str, PodServer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def advance(self, seconds: float) -> None:
        self.timeline.run_until(self.timeline.now + seconds)

    def emqx_request(
        self, namespace: str, pod: str, method: str, raw_path: str, body: bytes, authorization: str | None
    ) -> Any:
        return api.request(self.cluster, pod, method, raw_path, body, authorization)

    async def serve(self, door: Path) -> None:
        clock = RealTimeClock(self, 1.0)
        clock.start()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(door))
            listener.listen(512)
            listener.setblocking(False)
            accepting = asyncio.create_task(self._accept(listener))
            await self._watch_pulses()
            accepting.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(False)
            task = asyncio.create_task(self._take(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, connection: socket.socket) -> None:
        """Its first line says what it is; no octet after that line is read here."""
        loop = asyncio.get_running_loop()
        line = b""
        while not line.endswith(b"\n"):
            octet = await loop.sock_recv(connection, 1)
            if not octet:
                connection.close()
                return
            line += octet
        header = json.loads(line)
        match header["kind"]:
            case "life":
                await self._live(header, *await asyncio.open_connection(sock=connection))
            case "http":
                server = self._servers.setdefault(header["node"], PodServer(self, "", header["node"]))
                await loop.connect_accepted_socket(server.server, connection)
            case _:
                await self.sessions.serve(header["node"], *await asyncio.open_connection(sock=connection))

    async def _live(self, header: Object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From a node's first word to the end of its process."""
        name = header["node"]
        users = (line.partition(":") for line in header["users"].splitlines() if line)
        self.cluster.credentials.update({user: password for user, _, password in users})
        self.cluster.add_node(name, header["version"], persisted=self._files.pop(header["data"], None))
        self._pulses[name] = time.monotonic()
        writer.write(b"\n")
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                self._pulses[name] = time.monotonic()
        del self._pulses[name]
        writer.close()
        self._files[header["data"]] = self.cluster.nodes[name].persisted
        self.cluster.nodes[name].hung = False
        self.cluster.stop_node(name)

    async def _watch_pulses(self) -> None:
        last = time.monotonic()
        while time.monotonic() - last < ALONE_S:
            now = time.monotonic()
            for name, at in self._pulses.items():
                last, node = now, self.cluster.nodes[name]
                if not node.hung and now - at > SILENT_S:
                    self.cluster.hang(name)
                elif node.hung and now - at < SILENT_S:
                    self.cluster.go_on(name)
            await asyncio.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(Behind().serve(Path(sys.argv[1])))
