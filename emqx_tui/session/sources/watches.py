"""The sources of a session in Kubernetes: watches and the operator's image. EMQX is asked in `brokers`.

They never decide. A source that fails reports that and retries; it never raises into the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Fields, Malformed
from emqx_tui.rollout.requests import KubeRequest
from emqx_tui.rollout.state.journal import journal_name
from emqx_tui.session.inputs import Put
from emqx_tui.session.ports import Clock, Kube, Scope
from emqx_tui.session.sources import operator_probe
from emqx_tui.session.store import OperatorImage

OPERATOR_EVERY_S = 180.0
"""Between two readings of the operator's image."""


def scopes(namespace: str, name: str, service: str) -> dict[Kind, Scope]:
    """What a session watches of one cluster."""
    instance = f"apps.emqx.io/instance={name}"
    own = journal_name(name)
    return {
        Kind.EMQX_ENTERPRISE: Scope(namespace, field_selector=f"metadata.name={name}"),
        Kind.STATEFUL_SET: Scope(namespace, instance),
        Kind.POD: Scope(namespace, instance),
        Kind.SERVICE: Scope(namespace),
        Kind.ENDPOINTS: Scope(namespace, field_selector=f"metadata.name={service}"),
        Kind.ENDPOINT_SLICE: Scope(namespace, f"kubernetes.io/service-name={service}"),
        Kind.EVENT: Scope(namespace, field_selector=f"involvedObject.name={name}"),
        Kind.SECRET: Scope(namespace, field_selector=f"metadata.name={own}"),
        Kind.LEASE: Scope(namespace, field_selector=f"metadata.name={own}"),
    }


async def watch_cluster(
    namespace: str,
    name: str,
    *,
    kube: Kube,
    clock: Clock,
    latest: Callable[[], Snapshot],
    put: Put,
    probes: bool = True,
) -> None:
    """Watch everything of one cluster, and the operator, until cancelled; `probes`: dry-runs may be sent."""

    def watch(kind: Kind) -> None:
        resource = latest().resource.value
        scope = scopes(namespace, name, resource.service_name if resource else name)[kind]
        group.create_task(kube.watch(kind, scope, put), name=f"watch {kind.info.plural}")

    async with asyncio.TaskGroup() as group:
        group.create_task(_read_operator(kube, clock, put), name="read the operator's image")
        if probes:
            probe = _probe_operator(namespace, name, kube=kube, clock=clock, latest=latest, put=put)
            group.create_task(probe, name="probe the operator")
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
        while latest().resource.value is None:
            await clock.sleep(0.1)
        for kind in (Kind.ENDPOINTS, Kind.ENDPOINT_SLICE):
            watch(kind)


async def _read_operator(kube: Kube, clock: Clock, put: Put) -> None:
    while True:
        put(await read_operator_image(kube))
        await clock.sleep(OPERATOR_EVERY_S)


async def _probe_operator(
    namespace: str, name: str, *, kube: Kube, clock: Clock, latest: Callable[[], Snapshot], put: Put
) -> None:
    while True:
        pause_s = operator_probe.AGAIN_S
        # A colour is known only while a release stands: nothing is asked before.
        if latest().blue_uid:
            answer = await operator_probe.ask(kube, namespace, name)
            put(answer)
            pause_s = operator_probe.EVERY_S if answer.is_up else pause_s
        await clock.sleep(pause_s)


async def read_operator_image(kube: Kube) -> OperatorImage:
    """The image of the operator's Deployment, found by its name or labels; a missing right is no error."""
    try:
        answer = await kube.request(
            KubeRequest("GET", "/apis/apps/v1/deployments", query={"limit": "500"}, timeout_s=10.0)
        )
    except AdapterError as error:
        return OperatorImage(None, error.message)
    try:
        images = [image for item in Fields(answer).children("items") for image in _operator_images(item)]
    except Malformed as error:
        return OperatorImage(None, f"unexpected answer: {error}")
    if images:
        return OperatorImage(images[0])
    return OperatorImage(None, "no Deployment of the EMQX Operator found")


def _operator_images(deployment: Fields) -> list[str]:
    if "emqx-operator" not in deployment.child("metadata").text("name", ""):
        return []
    containers = deployment.child("spec").child("template").child("spec").children("containers")
    images = [container.text("image", "") for container in containers]
    return [image for image in images if "emqx-operator" in image]
