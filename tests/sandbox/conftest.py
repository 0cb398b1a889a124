"""A served world and the official client, for contract tests over loopback."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from emqx_tui.sandbox.run.runner import Sandbox
from emqx_tui.sandbox.run.subnets import claim_subnet
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World, WorldConfig


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any


class Kube:
    """The official asyncio client, used the generic way: any path, dicts in and out, no exceptions."""

    def __init__(self, api: Any) -> None:
        self.api = api

    async def open(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None, **headers: str
    ) -> Any:
        sent = {"Accept": "application/json", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        serialized = self.api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            body=body,
            header_params=sent,
            auth_settings=["BearerToken"],
        )
        method, url, made_headers, made_body, params = await serialized
        response = await self.api.call_api(method, url, made_headers, made_body, params, _request_timeout=30)
        return response.response

    async def request(self, method: str, path: str, query: Any = None, body: Any = None, **headers: str) -> Answer:
        response = await self.open(method, path, query, body, **headers)
        return Answer(response.status, response.headers, json.loads(await response.text()))

    async def merge(self, path: str, body: Any, query: Any = None) -> Answer:
        return await self.request("PATCH", path, query, body, Content_Type="application/merge-patch+json")


ClientOf = Callable[..., AbstractAsyncContextManager[Kube]]


@pytest.fixture
def client_of() -> ClientOf:
    """Clients that find their way by the kubeconfig: `client_of(sandbox, context)`."""
    # Imported here, because it takes long and most tests of this folder need no client.
    from kubernetes.aio import client, config

    @asynccontextmanager
    async def connect(sandbox: Sandbox, context: str = "admin") -> AsyncIterator[Kube]:
        configuration = client.Configuration()
        await config.load_kube_config(str(sandbox.kubeconfig_path), context, configuration)
        async with client.ApiClient(configuration) as api:
            yield Kube(api)

    return connect


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """An empty cluster."""
    async with Sandbox(World(WorldConfig(clients=0), seed=1)) as sandbox:
        yield sandbox


@pytest.fixture
async def running() -> AsyncIterator[Sandbox]:
    """The cluster emqx-ee, Running, its pods on addresses of their own."""
    subnet = claim_subnet(random.Random())
    try:
        async with Sandbox(scenario("smooth", clients=300, pod_subnet=subnet.cidr)) as sandbox:
            yield sandbox
    finally:
        subnet.release()


@pytest.fixture
async def kube(sandbox: Sandbox, client_of: ClientOf) -> AsyncIterator[Kube]:
    async with client_of(sandbox) as kube:
        yield kube


@pytest.fixture
async def running_kube(running: Sandbox, client_of: ClientOf) -> AsyncIterator[Kube]:
    async with client_of(running) as kube:
        yield kube
