"""The bed, from inside its own namespaces: network, names, programs, kubelet, clients.

Run by `outside.py` as the first process of a PID namespace: whatever it started ends with it. Prints one line when all
is up, or one line that says what failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from emqx_tui.sandbox.apiserver.port_forward import forward
from emqx_tui.sandbox.clients.routes import Routes
from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.emqx.evacuation_process import IDEAL
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.run.real_time_clock import RealTimeClock
from emqx_tui.sandbox.timeline import Timeline
from tests.cluster.bed.brought import AskedByOperator, BroughtRunner, Forwarded
from tests.cluster.bed.clients import MqttClients, SimulatedClients
from tests.cluster.bed.control import Control
from tests.cluster.bed.kube import Kube, Refused, path_of
from tests.cluster.bed.kubelet import Kubelet
from tests.cluster.bed.mirror import Mirror
from tests.cluster.bed.names import Names
from tests.cluster.bed.pod_namespaces import make_bridge
from tests.cluster.bed.pod_servers import DirectBrokers, PodServers
from tests.cluster.bed.programs import (
    API_PORT,
    WEBHOOK_PORT,
    Failed,
    Keys,
    api_server,
    controller_manager,
    etcd,
    listens,
    operator,
    until,
)
from tests.cluster.bed.remote_store import RemoteStore
from tests.cluster.bed.runners import SimulatedRunner
from tests.cluster.bed.simulated_operator import RELEASE, SimulatedOperator, kinds, webhooks
from tests.cluster.bed.surroundings import (
    KUBELET_PORT,
    install_kinds,
    install_machines,
    install_operator_deployment,
    install_rights,
    install_webhooks,
    manifests_of,
)

Object = dict[str, Any]
WATCHED = (
    *("pods", "services", "secrets", "endpointslices", "persistentvolumeclaims"),
    *("emqxenterprises", "emqxplugins"),
)
PODS, MACHINES, SERVICES = "10.244.0.1/16", "172.18.0.1/24", "10.96.0.1/16"
RESTART_S = 3.0


def make_network(*, is_brought: bool) -> None:
    """All addresses of the bed are this namespace's own, but for those of pods that are programs."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for network in (MACHINES, SERVICES) if is_brought else (PODS, MACHINES, SERVICES):
        subprocess.run(["ip", "address", "add", network, "dev", "lo"], check=True)
    if is_brought:
        make_bridge(PODS)


class Clock:
    """The timeline in real time; the shape that `RealTimeClock` drives."""

    def __init__(self) -> None:
        self.timeline = Timeline(time.time())

    def advance(self, seconds: float) -> None:
        self.timeline.run_until(self.timeline.now + seconds)


class Bed:
    """Everything that runs."""

    def __init__(
        self, folder: Path, binaries: Path, seed: int, brought: Path | None, *, is_real: bool, reads: bool
    ) -> None:
        self.folder, self.binaries = folder, binaries
        self.keys = Keys(folder)
        self.clock = Clock()
        self.real_time = RealTimeClock(self.clock, 1.0)
        self.rng = random.Random(seed)
        inner = f"https://127.0.0.1:{API_PORT}"
        self.kube = Kube(inner, self.keys.tokens["kubelet"], str(folder / "ca.pem"))
        manager = self.keys.kubeconfig("controllers.json", inner, "controllers")
        self.etcd = etcd(folder, binaries / "etcd")
        self.api = api_server(folder, binaries / "kube-apiserver", reads=reads)
        self.controllers = controller_manager(folder, binaries / "kube-controller-manager", manager)
        self.mirror = Mirror(self.kube, WATCHED)
        self.brokers = Brokers(self.mirror, self.clock.timeline, self.rng, IDEAL)
        self.servers = PodServers(self.brokers)
        self.brought = None if brought is None else BroughtRunner(brought, folder / "brokers", self.mirror, PODS)
        self.forwarded = self.servers if self.brought is None else Forwarded(self.servers.tape)
        self.simulated = None if is_real else self._simulated_operator()
        self.operator = self.simulated or operator(
            folder, binaries / "operator" / "emqx-operator", self.keys.kubeconfig("operator.json", inner, "operator")
        )
        self.routes = Routes(self.mirror, self.brokers, ebpf=False)
        runner = self.brought or SimulatedRunner(self.brokers, self.servers)
        self.kubelet = Kubelet(self.kube, self.mirror, runner)
        self.names = Names(self.mirror, folder / "hosts")
        clients = SimulatedClients(self.brokers) if self.brought is None else self._mqtt_clients(self.brought)
        self.control = Control(self.brokers, self.brought, clients, self.kubelet, self.servers, self.api, self.operator)

    def _mqtt_clients(self, runner: BroughtRunner) -> MqttClients:
        runner.ended = self.kubelet.ended
        clients = MqttClients(runner, self.routes)
        self.mirror.on("emqxenterprises", clients.on_enterprise)
        return clients

    def _simulated_operator(self) -> SimulatedOperator:
        store = RemoteStore(API_PORT, self.keys.tokens["operator"], str(self.folder / "ca.pem"))
        direct = DirectBrokers(self.brokers, self.servers) if self.brought is None else AskedByOperator(self.brought)
        return SimulatedOperator(store, self.mirror, self.clock.timeline, self.rng, direct)

    async def run(self, listener: socket.socket) -> None:
        tasks: list[asyncio.Task[Any]] = []
        async with self.kube:
            try:
                await self._start_programs()
                await self._install()
                self._connect()
                self.real_time.start()
                tasks += [asyncio.create_task(work) for work in (self.mirror.run(), self.real_time.broken())]
                tasks.append(asyncio.create_task(self._keep_operator()))
                runners = [await self._serve_kubelet(), await self._serve_control()]
                if self.simulated is not None:
                    runners.append(await self.simulated.serve(self.folder))
                proxy = await asyncio.start_server(self._carry, sock=listener)
                self.operator.start()
                await until(self.operator, lambda: listens(WEBHOOK_PORT), "webhook")
                self._tell()
                tasks.append(asyncio.create_task(self.control.ended.wait()))
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                del runners, proxy
            finally:
                for task in tasks:
                    task.cancel()

    def _tell(self) -> None:
        print(json.dumps({"up": True}), flush=True)

    async def _start_programs(self) -> None:
        self.etcd.start()
        await until(self.etcd, lambda: listens(2379), "client port")
        self.api.start()
        await until(self.api, lambda: listens(API_PORT), "TLS port")
        await self._ready()

    async def _ready(self) -> None:
        end = time.monotonic() + 60.0
        while True:
            try:
                await self.kube.text("/readyz")
                return
            except (Refused, OSError) as error:
                if time.monotonic() > end or not self.api.is_up:
                    raise self.api.failed(f"not ready: {error}") from error
            await asyncio.sleep(0.1)

    async def _install(self) -> None:
        ca = self.keys.authority.ca_pem
        await install_machines(self.kube, self.kubelet.addresses)
        await install_rights(self.kube)
        brought = self.binaries / "operator"
        is_real = self.simulated is None
        definitions = manifests_of(brought / "crd") if is_real else kinds()
        names = await install_kinds(self.kube, definitions, ca)
        release = (brought / "VERSION").read_text().split()[0] if is_real else RELEASE
        await install_operator_deployment(self.kube, f"emqx/emqx-operator-controller:{release}")
        for name in names:
            await self._established(name)
        # Earlier, its garbage collector would not know the kinds.
        self.controllers.start()
        await install_webhooks(self.kube, manifests_of(brought / "webhook") if is_real else webhooks(), ca)

    async def _established(self, name: str) -> None:
        end = time.monotonic() + 60.0
        while True:
            found = await self.kube.call("GET", path_of("customresourcedefinitions", None, name))
            conditions = (found.get("status") or {}).get("conditions") or ()
            if any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
                return
            if time.monotonic() > end:
                raise self.api.failed(f"{name} is not established")
            await asyncio.sleep(0.1)

    def _connect(self) -> None:
        self.mirror.on("services", self.routes.on_service)
        self.mirror.on("endpointslices", self.routes.on_slice)
        self.mirror.on("emqxenterprises", self.routes.on_enterprise)
        self.mirror.on("persistentvolumeclaims", self._on_claim)

    def _on_claim(self, event: str, claim: Object) -> None:
        if event == "DELETED":
            self.brokers.forget_claim(claim)

    async def _keep_operator(self) -> None:
        """As a kubelet would: started again when it ended by itself."""
        while True:
            await asyncio.sleep(RESTART_S)
            if self.control.operator_wanted and self.operator.starts and not self.operator.is_up:
                self.operator.start()

    # -- sockets

    async def _serve_kubelet(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/portForward/{namespace}/{pod}", self._port_forward)
        app.router.add_get("/portForward/{namespace}/{pod}/{uid}", self._port_forward)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._log)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        await web.TCPSite(runner, "172.18.0.1", KUBELET_PORT, ssl_context=tls).start()
        for machine in self.kubelet.addresses.machines:
            await web.TCPSite(runner, self.kubelet.addresses.host_ip(machine), KUBELET_PORT, ssl_context=tls).start()
        return runner

    async def _port_forward(self, request: web.Request) -> web.StreamResponse:
        pod = self.mirror.find("pods", request.match_info["namespace"], request.match_info["pod"])
        if pod is None:
            return web.Response(status=404, text="pod does not exist")
        try:
            return await forward(request, self.forwarded, pod, parameter="port")
        except ApiError as refused:
            return web.Response(status=refused.code, text=refused.message)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        """Of a broker that is a program: what it has said so far."""
        pod = self.mirror.find("pods", request.match_info["namespace"], request.match_info["pod"])
        if pod is None or self.brought is None:
            return web.Response(status=404, text="no log")
        return web.FileResponse(self.brought.log_of(pod), headers={"Content-Type": "text/plain"})

    async def _serve_control(self) -> web.AppRunner:
        runner = web.AppRunner(self.control.application(), access_log=None)
        await runner.setup()
        await web.UnixSite(runner, str(self.folder / "control.sock")).start()
        return runner

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection from outside the namespace to the API server."""
        try:
            there, back = await asyncio.open_connection("127.0.0.1", API_PORT)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--binaries", type=Path, required=True)
    parser.add_argument("--listener", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--simulated", action="store_true", help="the simulated operator, not the real one")
    parser.add_argument("--brokers", type=Path, help="a folder with a broker program, in place of simulated brokers")
    parser.add_argument("--audit-reads", action="store_true", help="log requests that change nothing, too")
    parser.add_argument("--outer-port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.basicConfig(filename=asked.folder / "bed.log", level=logging.INFO, format="%(asctime)s %(message)s")
    listener = socket.socket(fileno=asked.listener)
    try:
        make_network(is_brought=asked.brokers is not None)
        bed = Bed(
            asked.folder,
            asked.binaries,
            asked.seed,
            asked.brokers,
            is_real=not asked.simulated,
            reads=asked.audit_reads,
        )
        outer = f"https://127.0.0.1:{asked.outer_port}"
        bed.keys.kubeconfig("kubeconfig", outer, "admin", "namespace-only", "read-only")
        asyncio.run(bed.run(listener))
    except (Failed, Refused, OSError, subprocess.CalledProcessError) as failed:
        logging.exception("the bed is down")
        print(json.dumps({"up": False, "why": str(failed)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
