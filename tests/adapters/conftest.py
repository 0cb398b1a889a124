"""What the tests of adapters share: an API server on a socket, clients of it, and certificates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from emqx_tui.adapters.kubernetes.access import Access, TokenLogin
from emqx_tui.adapters.kubernetes.client import KubeClient
from emqx_tui.adapters.kubernetes.watch import Pace
from tests.support.api_server import ApiServer, failure
from tests.support.authority import Authority

FAST = Pace(window_s=1.0, grace_s=0.3, backoff_s=(0.02, 0.1), forbidden_s=0.2)


async def eventually(condition: Callable[[], Any], *, within_s: float = 8.0) -> Any:
    """Wait until `condition` is true, and return what it returned."""
    async with asyncio.timeout(within_s):
        while not (found := condition()):  # noqa: ASYNC110  any condition, with no event to wait for
            await asyncio.sleep(0.005)
        return found


@pytest.fixture
async def api():
    server = ApiServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client_of():
    """Make KubeClients that are closed at the end."""
    made: list[KubeClient] = []

    def make(server: ApiServer, **options: Any) -> KubeClient:
        access = options.pop("access", None) or Access(server.url, login=TokenLogin("good"))
        made.append(KubeClient(access, **{"pace": FAST, **options}))
        return made[-1]

    yield make
    for kube in made:
        await kube.close()


@pytest.fixture
def until():
    return eventually


@pytest.fixture
def status_answer():
    return failure


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)
