"""The sources of a session: watches of Kubernetes and polls of EMQX, all into one inbox.

They never decide. A source that fails reports that and retries; it never raises into the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emqx_tui.model.api_version import V4
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Rejected, Unauthorized
from emqx_tui.model.evacuation import EvictionStatus, GlobalStatus
from emqx_tui.model.kinds import Kind
from emqx_tui.model.nodes import nodes_from_json, stats_from_json
from emqx_tui.model.snapshot import Colour, Member, Snapshot
from emqx_tui.model.wire import Fields, Malformed, clean
from emqx_tui.model.workloads import Secret
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest, KubeRequest
from emqx_tui.rollout.state.journal import journal_name
from emqx_tui.session import operator_probe
from emqx_tui.session.inputs import Put
from emqx_tui.session.ports import Clock, Emqx, Kube, Scope
from emqx_tui.session.store import BrokerAnswer, OperatorImage, OwnAnswer

POLL_S = 1.0
OPERATOR_EVERY_S = 60.0
MAX_TRIES = 3
"""How many nodes are asked in one round before the round counts as failed."""


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

    async def read_operator() -> None:
        while True:
            put(await read_operator_image(kube))
            await clock.sleep(OPERATOR_EVERY_S)

    async def probe_operator() -> None:
        while True:
            # A colour is known only while a release stands: nothing is asked before.
            if latest().blue_uid:
                put(await operator_probe.ask(kube, namespace, name))
            await clock.sleep(operator_probe.EVERY_S)

    async with asyncio.TaskGroup() as group:
        group.create_task(read_operator(), name="read the operator's image")
        if probes:
            group.create_task(probe_operator(), name="probe the operator")
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


class Brokers:
    """Asks EMQX once a second, one node for all, and each evacuated node for itself."""

    def __init__(
        self,
        namespace: str,
        name: str,
        *,
        kube: Kube,
        emqx: Emqx,
        clock: Clock,
        latest: Callable[[], Snapshot],
        put: Put,
    ) -> None:
        self._namespace = namespace
        self._name = name
        self._kube = kube
        self._emqx = emqx
        self._clock = clock
        self._latest = latest
        self._put = put
        self._has_credentials = False
        self._is_forbidden = False
        self._preferred = ""

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            snapshot = self._latest()
            await asyncio.gather(self._ask_cluster(snapshot), self._ask_evacuated(snapshot))
            await self._clock.sleep(POLL_S)

    async def log_in(self) -> str:
        """Read the operator's API credentials; why not, in one line, or empty."""
        name = f"{self._name}{V4.credentials_suffix}"
        path = Kind.SECRET.info.path(self._namespace, name)
        try:
            secret = Secret.from_json(await self._kube.request(KubeRequest("GET", path)))
        except AdapterError as error:
            self._is_forbidden = isinstance(error, Forbidden)
            return f"cannot read Secret {name}: {error.message}"
        except Malformed as error:
            return f"Secret {name}: {error}"
        self._is_forbidden = False
        found = credentials(secret.texts.get(V4.credentials_key, ""))
        if found is None:
            return f"Secret {name} has no line key:secret"
        self._emqx.set_credentials(*found)
        self._has_credentials = True
        return ""

    async def _ask_cluster(self, snapshot: Snapshot) -> None:
        if not self._has_credentials and (problem := await self.log_in()):
            self._put(BrokerAnswer(None, None, None, "", problem, self._is_forbidden))
            return
        candidates = self._candidates(snapshot)
        problem = "no EMQX pod with an address is running"
        for pod in candidates[:MAX_TRIES]:
            answer = await self._ask(pod)
            if answer.nodes is not None and answer.stats is not None:
                self._preferred = pod
                self._put(answer)
                return
            problem = answer.problem
        self._preferred = ""
        self._put(BrokerAnswer(None, None, None, "", problem))

    def _candidates(self, snapshot: Snapshot) -> list[str]:
        """Pods to ask, best first: the one that answered last, then nodes that are not evacuated, green before blue."""

        def rank(member: Member) -> tuple[bool, bool, bool, bool, str]:
            return (
                member.name != self._preferred or member.evacuation is not None,
                member.evacuation is not None,
                member.node is None,
                member.colour is not Colour.GREEN,
                member.name,
            )

        able = [m for m in snapshot.members if m.pod.ip and not m.pod.meta.deleting and m.pod.phase == "Running"]
        return [member.name for member in sorted(able, key=rank)]

    async def _ask(self, pod: str) -> BrokerAnswer:
        try:
            nodes, stats, evacuations = await asyncio.gather(
                self._get(pod, V4.nodes_path()),
                self._get(pod, V4.stats_path()),
                self._get(pod, V4.evacuations_path()),
            )
            return BrokerAnswer(
                nodes_from_json(nodes.body), stats_from_json(stats.body), GlobalStatus.from_json(evacuations.body), pod
            )
        except Unauthorized as error:
            self._has_credentials = False
            return BrokerAnswer(None, None, None, pod, f"{pod}: {error.message}")
        except AdapterError as error:
            return BrokerAnswer(None, None, None, pod, f"{pod}: {error.message}")
        except Malformed as error:
            return BrokerAnswer(None, None, None, pod, f"{pod}: unexpected answer: {error}")

    async def _get(self, pod: str, path: str) -> EmqxReply:
        reply = await self._emqx.request(EmqxRequest(self._namespace, pod, "GET", path))
        if reply.status == 404:
            raise NotFound(f"{path} is not served: is the plugin loaded?", status=404)
        if reply.status != 200 or reply.body is None:
            raise Rejected(f"{path} answered {reply.status} {clean(reply.text[:80])}", status=reply.status)
        return reply

    async def _ask_evacuated(self, snapshot: Snapshot) -> None:
        pods = [m.name for m in snapshot.members if m.evacuation and m.pod.ip and not m.pod.meta.deleting]
        if self._has_credentials:
            await asyncio.gather(*(self._ask_own(pod) for pod in pods))

    async def _ask_own(self, pod: str) -> None:
        try:
            reply = await self._get(pod, V4.own_status_path())
            self._put(OwnAnswer(pod, EvictionStatus.from_json(reply.body)))
        except AdapterError as error:
            self._put(OwnAnswer(pod, None, error.message))
        except Malformed as error:
            self._put(OwnAnswer(pod, None, f"unexpected answer: {error}"))


def credentials(text: str) -> tuple[str, str] | None:
    """The AppID and AppSecret in the bootstrap file: the operator's own line, which is the last, else any."""
    rows = [line.strip().partition(":") for line in text.splitlines() if ":" in line]
    pairs = [(key, secret) for key, _, secret in rows if key and secret]
    own = [pair for pair in pairs if pair[0] == V4.operator_user]
    return (own or pairs)[-1] if pairs else None


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
