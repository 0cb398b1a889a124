"""What a session watches in Kubernetes.

Watches never decide. A source that fails reports that and retries; it never raises into the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from emqx_tui.model.claims import INSTANCE_LABEL
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import SERVICE_LABEL
from emqx_tui.rollout.state.journal import journal_name
from emqx_tui.session.inputs import Put
from emqx_tui.session.ports import Kube, Scope

Until = Callable[[Callable[[Snapshot], bool]], Awaitable[None]]
"""Waits for a snapshot of which something is true."""


def scopes(namespace: str, name: str, service: str) -> dict[Kind, Scope]:
    """What a session watches of one cluster."""
    instance = f"{INSTANCE_LABEL}={name}"
    own = journal_name(name)
    return {
        Kind.EMQX_ENTERPRISE: Scope(namespace, field_selector=f"metadata.name={name}"),
        Kind.STATEFUL_SET: Scope(namespace, instance),
        Kind.POD: Scope(namespace, instance),
        Kind.SERVICE: Scope(namespace),
        Kind.ENDPOINTS: Scope(namespace, field_selector=f"metadata.name={service}"),
        Kind.ENDPOINT_SLICE: Scope(namespace, f"{SERVICE_LABEL}={service}"),
        Kind.EVENT: Scope(namespace, field_selector=f"involvedObject.name={name}"),
        Kind.SECRET: Scope(namespace, field_selector=f"metadata.name={own}"),
        Kind.LEASE: Scope(namespace, field_selector=f"metadata.name={own}"),
    }


async def watch_cluster(
    namespace: str,
    name: str,
    *,
    kube: Kube,
    latest: Callable[[], Snapshot],
    until: Until,
    put: Put,
) -> None:
    """Watch everything of one cluster until cancelled."""

    def watch(kind: Kind) -> None:
        resource = latest().resource.value
        scope = scopes(namespace, name, resource.service_name if resource else name)[kind]
        group.create_task(kube.watch(kind, scope, put), name=f"watch {kind.info.plural}")

    async with asyncio.TaskGroup() as group:
        for kind in (
            Kind.EMQX_ENTERPRISE,
            Kind.SECRET,
            Kind.LEASE,
            Kind.STATEFUL_SET,
            Kind.POD,
            Kind.SERVICE,
            Kind.EVENT,
        ):
            watch(kind)
        # The resource names the listener Service, and with it the rest.
        await until(lambda seen: seen.resource.value is not None)
        for kind in (Kind.ENDPOINTS, Kind.ENDPOINT_SLICE):
            watch(kind)
