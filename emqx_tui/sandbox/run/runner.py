"""A running sandbox: a world, its clock, and the servers in front of it.

Owns the life of all sockets and of the kubeconfig file. Everything listens on loopback only and is gone when the
context is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

from aiohttp import web

from emqx_tui.sandbox.apiserver.certificates import create_authority
from emqx_tui.sandbox.apiserver.definitions import install_definitions
from emqx_tui.sandbox.apiserver.pod_network import PodNetwork, PodWorld
from emqx_tui.sandbox.apiserver.schema_admission import install
from emqx_tui.sandbox.apiserver.server import ApiServer, WatchOptions
from emqx_tui.sandbox.apiserver.users import ADMIN, create_accounts
from emqx_tui.sandbox.kube.api import KubeApi
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.mqtt.server import BACKLOG, BrokerWorld, MqttServer
from emqx_tui.sandbox.run.kubeconfig import kubeconfig as kubeconfig_of
from emqx_tui.sandbox.run.kubeconfig import write_kubeconfig
from emqx_tui.sandbox.run.real_time_clock import Advancing, RealTimeClock
from emqx_tui.sandbox.timeline import Timeline

ADDRESS = "127.0.0.1"


class ServedWorld(PodWorld, BrokerWorld, Advancing, Protocol):
    """A world that can be put on sockets."""

    timeline: Timeline
    api: KubeApi

    api_down: bool
    on_api_down: list[Callable[[], None]]

    def broker_log(self, pod: Object, previous: bool) -> Sequence[tuple[float, str]]:
        """What the broker in a pod, or the one before its restart, wrote behind its first lines."""
        ...


def prepare(store: Store) -> None:
    """Give the store what a real API server has beyond it: schemas, field ownership, definitions.

    Once is enough; a world that is prepared before anything is created in it has owners of all fields.
    """
    if store.fields is None:
        install(store)
    install_definitions(store)


class Sandbox:
    """`async with Sandbox(world, speed=10) as sandbox:` serves until the block is left."""

    def __init__(
        self,
        world: ServedWorld,
        *,
        speed: float = 1.0,
        port: int = 0,
        mqtt_ports: Sequence[int] = (0,),
        kubeconfig: Path | None = None,
        namespace: str = "default",
    ) -> None:
        """`mqtt_ports` are tried in turn for the listener Service; 0 is any free one."""
        self.world = world
        self.clock = RealTimeClock(world, speed)
        self.mqtt = MqttServer(world)
        self.network = PodNetwork(world, self.mqtt)
        # Bookmarks say how fresh a watch is, and freshness is judged in cluster time.
        self.watches = WatchOptions(bookmark_every_s=max(0.05, 30.0 / speed))
        self.accounts = create_accounts(world.store.resources.values(), namespace)
        self.url = ""
        self.mqtt_port = 0
        """of the listener Service, once entered"""
        self._port = port
        self._mqtt_ports = mqtt_ports
        self._namespace = namespace
        self._authority = create_authority(ADDRESS)
        self._kubeconfig = kubeconfig
        self._exit = contextlib.AsyncExitStack()

    @property
    def speed(self) -> float:
        return self.clock.speed

    @property
    def token(self) -> str:
        """The bearer token of the admin."""
        return self.accounts.tokens[ADMIN]

    @property
    def ca_pem(self) -> bytes:
        return self._authority.ca_pem

    @property
    def kubeconfig_path(self) -> Path:
        if self._kubeconfig is None:
            raise RuntimeError("the sandbox has not been entered")
        return self._kubeconfig

    async def __aenter__(self) -> Sandbox:
        prepare(self.world.store)
        async with self._exit:
            await self._serve()
            await self._serve_mqtt()
            self._write_kubeconfig()
            self._exit.push_async_callback(self.network.close)
            await self.network.start()
            self.clock.start()
            self._exit.push_async_callback(self.clock.stop)
            self._exit = self._exit.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    async def _serve(self) -> None:
        server = ApiServer(
            self.world.store,
            self.world.api,
            self.accounts,
            self.network,
            now=lambda: self.world.timeline.now,
            catch_up=self.clock.catch_up,
            watches=self.watches,
            broker_log=self.world.broker_log,
            is_down=lambda: self.world.api_down,
        )
        self._exit.callback(server.close)
        runner = web.AppRunner(
            server.application(), handle_signals=False, handler_cancellation=True, shutdown_timeout=0.2, access_log=None
        )
        await runner.setup()
        self._exit.push_async_callback(runner.cleanup)
        self.world.on_api_down.append(lambda: _cut(runner))
        site = web.TCPSite(runner, ADDRESS, self._port, ssl_context=self._authority.server_context())
        await site.start()
        self.url = f"https://{ADDRESS}:{runner.addresses[0][1]}"

    async def _serve_mqtt(self) -> None:
        self.mqtt.start()
        self._exit.callback(self.mqtt.close)
        listener = await self._listen_for_mqtt()
        self._exit.callback(listener.close)
        self.mqtt_port = listener.sockets[0].getsockname()[1]

    async def _listen_for_mqtt(self) -> asyncio.Server:
        """At the first port that is free; OSError when none is."""
        loop = asyncio.get_running_loop()
        *others, last = self._mqtt_ports
        for port in others:
            with contextlib.suppress(OSError):
                return await loop.create_server(self.mqtt.at_service, ADDRESS, port, backlog=BACKLOG)
        return await loop.create_server(self.mqtt.at_service, ADDRESS, last, backlog=BACKLOG)

    def _write_kubeconfig(self) -> None:
        if self._kubeconfig is None:
            folder = self._exit.enter_context(tempfile.TemporaryDirectory(prefix="emqx-tui-sandbox-"))
            self._kubeconfig = Path(folder, "kubeconfig")
        content = kubeconfig_of(self.url, self._authority.ca_pem, self.accounts, self._namespace)
        write_kubeconfig(self._kubeconfig, content)


def _cut(runner: web.AppRunner) -> None:
    """Break every connection to the API server."""
    for connection in runner.server.connections if runner.server is not None else ():
        if connection.transport is not None:
            connection.transport.abort()
