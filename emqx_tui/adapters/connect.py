"""Connects to one cluster: builds the Kubernetes and EMQX clients, the clock and the host identity.

Owns the order of building and closing. Loads `kubernetes` and aiohttp, and httpx with the first client of EMQX: the
console imports it in the engine's thread, because they take longer to import than the first screen takes to draw.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emqx_tui.adapters.emqx import DIRECT, PORT_FORWARD
from emqx_tui.adapters.errors import ConfigError
from emqx_tui.adapters.kubernetes.access import Access
from emqx_tui.adapters.kubernetes.client import KubeClient
from emqx_tui.adapters.kubernetes.watch import Pace, scaled
from emqx_tui.adapters.machine.clock import ClusterClock
from emqx_tui.adapters.machine.host import ThisHost
from emqx_tui.model.errors import AdapterError, MalformedAnswer
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Fields, Malformed
from emqx_tui.rollout.requests import KubeRequest

if TYPE_CHECKING:
    from emqx_tui.adapters.emqx.client import EmqxClient, Route

logger = logging.getLogger(__name__)

FIRST_ANSWER_S = 5.0


@dataclass
class Connection:
    """One cluster, connected. Belongs to the loop it was made in."""

    access: Access
    kube: KubeClient
    clock: ClusterClock
    host: ThisHost
    emqx_access: str = PORT_FORWARD
    server_version: str = ""
    """As the server calls itself; empty while it has not answered."""
    problem: AdapterError | None = None
    """Why the first request failed. The watches go on trying."""

    def __post_init__(self) -> None:
        self._clients: list[EmqxClient] = []

    def emqx(self, namespace: str, name: str) -> EmqxClient:
        """A client for the nodes of one EMQX cluster; it is closed with the connection, or before by its user."""
        # A list is shown before anybody is asked for counts.
        from emqx_tui.adapters.emqx.client import EmqxClient

        logger.debug("EMQX of %s/%s by %s", namespace, name, self.emqx_access)
        client = EmqxClient(self._route())
        self._clients.append(client)
        return client

    async def check(self) -> None:
        """Ask the server for its version: synchronises the clock, and keeps what went wrong in `problem`."""
        try:
            answer = await self.kube.request(KubeRequest("GET", "/version", timeout_s=FIRST_ANSWER_S))
            self.server_version, self.problem = Fields(answer).text("gitVersion", ""), None
        except Malformed:
            self.problem = MalformedAnswer(f"{self.access.server}/version: not an answer of the Kubernetes API")
        except AdapterError as error:
            self.problem = error

    async def close(self) -> None:
        """Close everything; a drain that runs inside EMQX is not touched."""
        while self._clients:
            await self._clients.pop().close()
        await self.kube.close()

    def _route(self) -> Route:
        from emqx_tui.adapters.emqx.client import ByUrl, Direct, PortForward

        if self.emqx_access == PORT_FORWARD:
            return PortForward(self.kube)
        if self.emqx_access == DIRECT:
            return Direct(self._pod_address)
        return ByUrl(self.emqx_access)

    async def _pod_address(self, namespace: str, pod: str) -> str:
        path = Kind.POD.info.path(namespace, pod)
        try:
            return (
                Fields(await self.kube.request(KubeRequest("GET", path, timeout_s=5.0)))
                .child("status")
                .text("podIP", "")
            )
        except Malformed as error:
            raise MalformedAnswer(f"{self.access.server}{path}: {error}") from error


async def connect(
    access: Access,
    *,
    emqx_access: str = PORT_FORWARD,
    clock_rate: float = 1.0,
    host: ThisHost | None = None,
) -> Connection:
    """Build the adapters for one cluster and ask it once. Raises ConfigError; anything later is in `problem`."""
    clock = ClusterClock(clock_rate)
    kube = KubeClient(access, on_date=clock.observe, pace=scaled(Pace(), clock_rate))
    connection = Connection(access, kube, clock, host or ThisHost.detect(), emqx_access)
    await connection.check()
    if isinstance(connection.problem, ConfigError):
        await connection.close()
        raise connection.problem
    return connection
