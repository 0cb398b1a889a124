"""Brokers that somebody brings: a program per pod, in the pod's own network namespace.

Owns their processes, their data folders and what is asked of their management API by the bed itself. The program's
contract is in `tests/cluster/README.md`; nothing here knows what kind of broker it starts.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emqx_tui.sandbox.apiserver.pod_network import EMQX_PORT
from emqx_tui.sandbox.emqx.api import HttpReply, Unanswered, Unreachable
from emqx_tui.sandbox.emqx.brokers import INSTANCE_LABEL, image_version, node_name, volume_of
from emqx_tui.sandbox.kube.objects import Key, key_of
from tests.cluster.bed.http_tap import Tap, Tape
from tests.cluster.bed.mirror import Mirror
from tests.cluster.bed.pod_namespaces import PodNamespaces

logger = logging.getLogger(__name__)

Object = dict[str, Any]
BROKERS = Path(os.environ.get("EMQX_TUI_CLUSTER_BROKERS") or Path(__file__).parents[1] / "stand_in")
START, VERSIONS = "start", "versions"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""The Python of the bed comes first: the stand-in needs its packages."""
LOOK_EVERY_S = 0.5
ANSWER_S = 5.0
"""A broker that says nothing for so long is not asked any further by the bed."""
NOT_HELD_UP_S = 0.1
"""how long the simulated operator waits at once; it comes back for what takes longer"""


def why_no_brokers(folder: Path) -> str:
    """What the folder lacks, in one line; empty when brokers can be started from it."""
    if not os.access(folder / START, os.X_OK):
        return f"no brokers: {folder} has no program '{START}'; tests/cluster/README.md says what belongs there"
    if len(versions(folder)) < 2:
        return f"no brokers: {folder / VERSIONS} names fewer than two versions, so that there is no release"
    return ""


def versions(folder: Path) -> list[str]:
    """Those that a broker can report, in the order of the file; none without it."""
    path = folder / VERSIONS
    return path.read_text().split() if path.exists() else []


@dataclass
class Node:
    """A broker program."""

    pod: Object
    name: str
    process: asyncio.subprocess.Process
    joined: bool = False
    paused: bool = False
    ending: bool = False
    """somebody wants it to end"""

    @property
    def key(self) -> Key:
        return cluster_of(self.pod)

    def signal(self, how: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)


class BroughtRunner:
    """Runs the program `start` of a folder in each pod; one node of a cluster boots after the other."""

    def __init__(self, program: Path, home: Path, mirror: Mirror, network: str) -> None:
        self.nodes: dict[str, Node] = {}
        """by pod uid, from the start of the process to its end"""
        self.ended: Callable[[Object], None] = lambda pod: None
        """called when a program ended that nobody told to"""
        self._program, self._home, self._mirror = program, home, mirror
        self._namespaces = PodNamespaces(network)
        self._turns: dict[Key, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the kubelet's side

    async def start(self, pod: Object, boot_s: float) -> None:
        uid = pod["metadata"]["uid"]
        await self._namespaces.make(uid, pod["status"]["podIP"])
        async with self._turns.setdefault(cluster_of(pod), asyncio.Lock()):
            node = self.nodes[uid] = await self._run(pod)
            task = asyncio.create_task(self._wait(node))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            seeds = self._seeds(cluster_of(pod))
            while True:
                node.joined = await self._has_joined(node, seeds)
                if node.joined:
                    return
                await asyncio.sleep(LOOK_EVERY_S)

    async def stop(self, pod: Object, stop_s: float, grace_s: float) -> None:
        node = self.nodes.get(pod["metadata"]["uid"])
        if node is not None:
            node.ending = True
            node.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(node.process.wait(), grace_s)
            self.kill(pod)

    def kill(self, pod: Object) -> None:
        node = self.nodes.pop(pod["metadata"]["uid"], None)
        if node is not None:
            node.ending = True
            node.signal(signal.SIGKILL)

    def pause(self, pod: Object, paused: bool) -> None:
        node = self.nodes[pod["metadata"]["uid"]]
        node.paused = paused
        node.signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def forget(self, pod: Object) -> None:
        self.kill(pod)
        self._namespaces.remove(pod["metadata"]["uid"])

    async def _run(self, pod: Object) -> Node:
        """The program in the foreground of a process group of its own; what it says is the pod's log."""
        key, name = cluster_of(pod), node_name(pod)
        folder = self._home.joinpath(*key)
        data = folder / "-".join(volume_of(pod)).replace("/", "-")
        data.mkdir(parents=True, exist_ok=True)
        users = folder / "api-users"
        users.write_text(await self._api_users(key))
        words = [pod["status"]["podIP"], name, image_version(pod), str(data), str(users), *self._seeds(key)]
        with self.log_of(pod).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._namespaces.entered(pod["metadata"]["uid"]),
                *(str(self._program / START), *words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": PATH, "HOME": str(data), "LANG": "C.UTF-8"},
                cwd=data,
                start_new_session=True,
            )
        return Node(pod, name, process)

    def log_of(self, pod: Object) -> Path:
        return self._home / f"{'.'.join(key_of(pod))}.log"

    async def _api_users(self, key: Key) -> str:
        """The Secret that the pod mounts: `user:password` a line. A kubelet waits until it is there."""
        while True:
            secret = self._mirror.find("secrets", key[0], f"{key[1]}-bootstrap-user")
            if secret is not None:
                return base64.b64decode(secret["data"]["bootstrap_user"]).decode()
            await asyncio.sleep(LOOK_EVERY_S)

    def _seeds(self, key: Key) -> list[str]:
        return [node.name for node in self.of(key) if node.joined and not node.ending]

    def of(self, key: Key) -> list[Node]:
        return [node for node in self.nodes.values() if node.key == key]

    async def _has_joined(self, node: Node, seeds: list[str]) -> bool:
        """It says so of itself, and sees one of those it was to join."""
        try:
            status, _ = await self.ask(node.pod, "GET", "/status")
            if status != 200 or not seeds:
                return status == 200
            status, text = await self.ask(node.pod, "GET", "/api/v4/nodes")
            return status == 200 and any(each["node"] in seeds for each in json.loads(text)["data"])
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False

    async def _wait(self, node: Node) -> None:
        code = await node.process.wait()
        logger.info("the broker of %s ended with %s", "/".join(key_of(node.pod)), code)
        if not node.ending:
            self.kill(node.pod)
            self.ended(node.pod)

    # -- the management API

    async def ask(
        self, pod: Object, method: str, path: str, body: bytes = b"", authorization: str | None = None
    ) -> tuple[int, str]:
        """As the first API user unless told otherwise; OSError when no answer comes."""
        reply = await asyncio.to_thread(self.ask_and_wait, pod, method, path, body, authorization)
        return reply.status, reply.body.decode(errors="replace")

    def ask_and_wait(
        self, pod: Object, method: str, path: str, body: bytes = b"", authorization: str | None = None
    ) -> HttpReply:
        connection = http.client.HTTPConnection(pod["status"]["podIP"], EMQX_PORT, timeout=ANSWER_S)
        headers = {"Authorization": authorization or self._authorization(pod)}
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return HttpReply(answer.status, answer.headers.get("Content-Type", ""), answer.read())
        finally:
            connection.close()

    def _authorization(self, pod: Object) -> str:
        users = self._home.joinpath(*cluster_of(pod), "api-users").read_text().splitlines()
        return "Basic " + base64.b64encode(users[0].encode()).decode()


def cluster_of(pod: Object) -> Key:
    """Namespace and name of the EmqxEnterprise that a pod is of."""
    metadata = pod["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(INSTANCE_LABEL, "")


class AskedByOperator:
    """Brought brokers as the simulated operator asks them; it comes back for an answer that takes its time."""

    def __init__(self, runner: BroughtRunner) -> None:
        self._runner = runner
        self._threads = ThreadPoolExecutor(8)
        self._asked: dict[tuple[str, str, str], Future[HttpReply]] = {}

    @property
    def running(self) -> dict[str, Any]:
        """Of a `Broker` the operator looks at the pod only."""
        nodes = self._runner.nodes
        return {uid: SimpleNamespace(pod=node.pod, name=node.name) for uid, node in nodes.items() if node.joined}

    def ask(self, broker: Any, method: str, raw_path: str, body: bytes, authorization: str | None) -> HttpReply:
        key = (broker.name, method, raw_path)
        if key not in self._asked:
            self._asked[key] = self._threads.submit(
                self._runner.ask_and_wait, broker.pod, method, raw_path, body, authorization
            )
        try:
            reply = self._asked[key].result(NOT_HELD_UP_S if method == "GET" else ANSWER_S)
        except TimeoutError:
            if not self._asked[key].done():
                raise Unanswered(broker.name) from None
            reply = None
        except (OSError, http.client.HTTPException):
            reply = None
        del self._asked[key]
        if reply is None:
            raise Unreachable("connection refused")
        return reply


class Forwarded:
    """What a port-forward reaches: the program itself, its connections read along."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def server_of(self, pod: Object) -> Any:
        return _Door(self._tape, pod)


class _Door:
    def __init__(self, tape: Tape, pod: Object) -> None:
        self._tape, self._pod = tape, pod

    async def connect(self) -> tuple[Any, Any]:
        """ConnectionRefusedError also where there is no such address any more."""
        try:
            reader, writer = await asyncio.open_connection(self._pod["status"]["podIP"], EMQX_PORT)
        except OSError as error:
            raise ConnectionRefusedError(str(error)) from error
        tap = Tap(self._tape, *key_of(self._pod))
        return _Read(reader, tap), _Written(writer, tap)


class _Read:
    def __init__(self, reader: asyncio.StreamReader, tap: Tap) -> None:
        self._reader, self._tap = reader, tap

    async def read(self, size: int) -> bytes:
        data = await self._reader.read(size)
        self._tap.received.feed(data)
        return data


class _Written:
    def __init__(self, writer: asyncio.StreamWriter, tap: Tap) -> None:
        self._writer, self._tap = writer, tap
        self.drain, self.close = writer.drain, writer.close

    def write(self, data: bytes) -> None:
        self._tap.sent.feed(data)
        self._writer.write(data)
