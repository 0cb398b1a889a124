"""What is asked of EMQX: every node about itself, every second in a release, and seldom one of them about the cluster.

A peer that hangs keeps every node from answering questions that fan out over the cluster, for a minute; what a node is
asked about itself it answers within milliseconds all the while (recorded). So every figure of a node comes from that
node, on its own connection, and the one that does not answer is the one that hangs. Only membership, rebalances and the
states of evacuations are asked of the cluster: of one node in turn, never two at a time, never while a node is suspect.

In a release every node tells its counts every second: sums and the lowest sum are made of them. A node whose drain
has begun tells its eviction status every second, too, because its scale-down rests on it; that of the others changes
only by somebody else's hand, and is asked for less often. A cluster at rest is asked no more than 60 times a minute
and node. Its counts stay younger than two seconds, which is how often EMQX itself takes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from datetime import datetime

from emqx_tui.model.api_version import V4, credentials
from emqx_tui.model.errors import AdapterError, Forbidden, MalformedAnswer, NotFound, Rejected, Unauthorized
from emqx_tui.model.evacuation import EvacuationState, EvictionStatus, GlobalStatus
from emqx_tui.model.kinds import Kind
from emqx_tui.model.nodes import (
    EmqxNode,
    NodeReport,
    NodeStats,
    channels_from_json,
    name_in_greeting,
    node_from_json,
    node_stats_from_json,
    nodes_from_json,
    stopped_from_json,
)
from emqx_tui.model.secret import Secret
from emqx_tui.model.snapshot import Colour, Member, Snapshot
from emqx_tui.model.wire import Malformed, clean
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest, KubeRequest
from emqx_tui.session.inputs import Put
from emqx_tui.session.ports import Clock, Emqx, Kube
from emqx_tui.session.store import ClusterAnswer, NodeReports, OwnAnswer, PodKey

POLL_S = 1.0
REST_POLL_S = 1.5
"""While no release stands and nothing is evacuated."""
EVICTION_EVERY_S = 2.0
"""In a release a blue node whose drain has not begun is asked so often whether somebody else evacuates it ..."""
SELDOM_EVICTION_EVERY_S = 6.0
"""... and a green node, or one of a cluster at rest, so often: the operator evacuates neither."""
CLUSTER_EVERY_S = 5.0
"""Between two questions about the cluster, unless what a node has told of itself waits for the answer."""
IDENTITY_EVERY_S = 60.0
"""A node's version changes with its container only, and a container that starts anew is asked anew."""
ROUND_S = 0.5
"""Wall seconds for which a round waits for answers; later ones come with the next round."""
TIMEOUT_S = 3.0
"""Of a question, in wall time."""
SILENT_S = 1.5
"""Where the cluster's clock runs faster than the wall's, a node that lets a question wait for TIMEOUT_S of cluster time
is said to be silent, but not before so many wall seconds: a busy machine keeps its questions waiting, too."""


@dataclass
class _Node:
    """What is known here of the broker in one pod."""

    node: EmqxNode | None = None
    identified_at: datetime | None = None
    eviction: EvictionStatus | None = None
    eviction_at: datetime | None = None
    question: asyncio.Task[OwnAnswer] | None = None
    asked_at: tuple[datetime, float] | None = None
    """The last question, by the cluster's clock and by the wall's."""
    is_silent: bool = False
    """It has let a question wait from one round to the next, and has not answered since."""


@dataclass
class Brokers:
    """Asks until it is cancelled, and puts what it hears into the session's inbox."""

    namespace: str
    name: str
    kube: Kube
    emqx: Emqx
    clock: Clock
    latest: Callable[[], Snapshot]
    put: Put
    drains: Callable[[], Container[str]] = tuple
    """The pods whose drain this release has begun, or is about to."""
    round_s: float = ROUND_S
    _nodes: dict[PodKey, _Node] = field(default_factory=dict)
    _has_credentials: bool = False
    _is_forbidden: bool = False
    _is_at_rest: bool = False
    _cluster_question: asyncio.Task[None] | None = None
    _cluster_asked_at: datetime | None = None
    _asked_at: dict[str, datetime] = field(default_factory=dict)
    """By pod: when it was last asked about the cluster."""
    _has_joined: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                snapshot = self.latest()
                self._is_at_rest = is_at_rest(snapshot)
                await self._round(group, snapshot)
                await self.clock.sleep(REST_POLL_S if self._is_at_rest else POLL_S)

    async def log_in(self) -> str:
        """Read the operator's API credentials; why not, in one line, or empty."""
        name = f"{self.name}{V4.credentials_suffix}"
        path = Kind.SECRET.info.path(self.namespace, name)
        try:
            secret = Secret.from_json(await self.kube.request(KubeRequest("GET", path)))
        except AdapterError as error:
            self._is_forbidden = isinstance(error, Forbidden)
            return f"cannot read Secret {name}: {error.message}"
        except Malformed as error:
            return f"Secret {name}: {error}"
        self._is_forbidden = False
        found = credentials(secret.texts.get(V4.credentials_key, ""))
        if found is None:
            return f"Secret {name} has no line key:secret"
        self.emqx.set_credentials(*found)
        self._has_credentials = True
        return ""

    # -- one round

    async def _round(self, group: asyncio.TaskGroup, snapshot: Snapshot) -> None:
        if not self._has_credentials and (problem := await self.log_in()):
            self.put(NodeReports((), problem, self._is_forbidden))
            return
        able = {
            _key(m): m for m in snapshot.members if m.pod.ip and not m.pod.meta.deleting and m.pod.phase == "Running"
        }
        self._nodes = {key: self._nodes.get(key, _Node()) for key in able}
        if not able:
            self.put(NodeReports((), "no EMQX pod with an address is running"))
            return
        self._ask_cluster_when_due(group, snapshot, able)
        awaited = self._ask_nodes(group, able)
        if awaited:
            await asyncio.wait(awaited, timeout=self.round_s)
        answers = tuple(answer for key, node in self._nodes.items() if (answer := self._taken(key, node)))
        self.put(NodeReports(answers, asked=frozenset(able)))

    def _ask_nodes(self, group: asyncio.TaskGroup, able: dict[PodKey, Member]) -> list[asyncio.Task[OwnAnswer]]:
        """Ask each node that owes no answer; the questions that this round waits for."""
        awaited: list[asyncio.Task[OwnAnswer]] = []
        for key, member in able.items():
            node = self._nodes[key]
            if node.question is not None:
                node.is_silent = node.is_silent or not node.question.done()
                continue
            node.asked_at = self.clock.now(), self.clock.monotonic()
            node.question = group.create_task(self._ask_own(member, node), name=f"ask {member.name} about itself")
            if not node.is_silent:
                awaited.append(node.question)
        return awaited

    def _taken(self, key: PodKey, node: _Node) -> OwnAnswer | None:
        question = node.question
        if question is None:
            return None
        if not question.done():
            return self._overdue(key, node)
        node.question = None
        answer = question.result()
        node.is_silent = node.is_silent and answer.report is None
        return answer

    def _overdue(self, key: PodKey, node: _Node) -> OwnAnswer | None:
        """No answer, if it has been waited for long enough."""
        if not node.is_silent or node.asked_at is None:
            return None
        asked_at, wall = node.asked_at
        if (self.clock.now() - asked_at).total_seconds() < TIMEOUT_S or self.clock.monotonic() - wall < SILENT_S:
            return None
        return OwnAnswer(key, None, f"EMQX in pod {key[0]} did not answer in time")

    # -- a node about itself

    async def _ask_own(self, member: Member, known: _Node) -> OwnAnswer:
        key = _key(member)
        try:
            return OwnAnswer(key, await self._report(member, known))
        except (AdapterError, Malformed) as error:
            # It may have started anew: what it said before is asked again.
            known.identified_at = known.eviction_at = None
            return self._no_answer(member, known, error)

    def _no_answer(self, member: Member, known: _Node, error: AdapterError | Malformed) -> OwnAnswer:
        key = _key(member)
        match error:
            case Unauthorized():
                self._has_credentials = False
                return OwnAnswer(key, None, error.message)
            case NotFound():
                known.node = None
                why = "is the plugin loaded?" if member.pod.is_ready else "the node is starting"
                return OwnAnswer(key, None, f"{error.message}: {why}")
            case Malformed():
                known.node = None
                return OwnAnswer(key, None, f"unexpected answer: {error}")
            case _:
                return OwnAnswer(key, None, error.message)

    async def _report(self, member: Member, known: _Node) -> NodeReport:
        pod = member.name
        node = await self._identity(pod, known)
        stats = node_stats_from_json((await self._get(pod, V4.node_stats_path(node.name))).body)
        if self._is_eviction_due(member, known):
            known.eviction = await self._eviction(pod)
            known.eviction_at = self.clock.now()
        if known.eviction is not None and known.eviction.connections == 0:
            stats = await self._with_what_is_left(pod, node, stats)
        return NodeReport(node, stats, known.eviction, known.eviction_at)

    def _is_eviction_due(self, member: Member, known: _Node) -> bool:
        is_evacuated = member.evacuation is not None or (known.eviction is not None and known.eviction.enabled)
        if is_evacuated or member.name in self.drains():
            return True
        is_seldom = self._is_at_rest or member.colour is Colour.GREEN
        every_s = SELDOM_EVICTION_EVERY_S if is_seldom else EVICTION_EVERY_S
        return _is_due(known.eviction_at, every_s, self.clock.now())

    async def _eviction(self, pod: str) -> EvictionStatus | None:
        """None where one URL serves all nodes: whoever answers would speak of itself."""
        try:
            return EvictionStatus.from_json((await self._get(pod, V4.own_status_path())).body)
        except Rejected:
            return None

    async def _with_what_is_left(self, pod: str, node: EmqxNode, stats: NodeStats) -> NodeStats:
        """Before 4.4.24 sessions stay behind that no status of an evacuation counts; `/nodes/{itself}` does."""
        left = channels_from_json((await self._get(pod, V4.node_path(node.name))).body)
        return stats if left is None else replace(stats, sessions=left)

    async def _identity(self, pod: str, known: _Node) -> EmqxNode:
        now = self.clock.now()
        if known.node is not None and not _is_due(known.identified_at, IDENTITY_EVERY_S, now):
            return known.node
        name = known.node.name if known.node else await self._name(pod)
        known.node = node_from_json((await self._get(pod, V4.node_path(name))).body)
        known.identified_at = now
        return known.node

    async def _name(self, pod: str) -> str:
        """As the cluster lists it, or as the node itself says."""
        listed = next((node.name for node in self.latest().nodes.value or () if node.pod_name == pod), "")
        if listed:
            return listed
        reply = await self.emqx.request(self._question(pod, V4.greeting_path()))
        name = name_in_greeting(reply.text)
        if reply.status != 200 or not name:
            raise MalformedAnswer(
                f"the node is starting ({V4.greeting_path()} answered {reply.status})", status=reply.status
            )
        return name

    # -- one node about the cluster

    def _ask_cluster_when_due(self, group: asyncio.TaskGroup, snapshot: Snapshot, able: dict[PodKey, Member]) -> None:
        now, running = self.clock.now(), self._cluster_question
        if (running is not None and not running.done()) or any(node.is_silent for node in self._nodes.values()):
            return
        is_due = _is_due(self._cluster_asked_at, CLUSTER_EVERY_S, now)
        if not (is_due or self._is_change_awaited(snapshot)):
            return
        pod = self._in_turn(able)
        if pod is not None:
            self._cluster_asked_at = self._asked_at[pod] = now
            self._cluster_question = group.create_task(self._ask_cluster(pod), name=f"ask {pod} about the cluster")

    def _in_turn(self, able: dict[PodKey, Member]) -> str | None:
        """Of those that answer for themselves who was asked longest ago; not evacuated ones and green first."""

        def rank(member: Member) -> tuple[bool, datetime | None, bool, str]:
            asked_at = self._asked_at.get(member.name)
            return (member.evacuation is not None, asked_at, member.colour is not Colour.GREEN, member.name)

        answering = [m for m in able.values() if not m.own.problem or m.own.read_at is None]
        never = [m for m in answering if m.name not in self._asked_at and m.evacuation is None]
        chosen = min(never or [m for m in answering if m.name in self._asked_at] or answering, key=rank, default=None)
        return chosen.name if chosen else None

    def _is_change_awaited(self, snapshot: Snapshot) -> bool:
        """A node says of itself what the cluster has not told yet: it joins, is evacuated, or is empty and not done."""
        self._has_joined |= {m.name for m in snapshot.members if m.is_joined}
        told = snapshot.evacuations.value
        for member in snapshot.members:
            word = member.own.value
            if member.node is None or word is None or member.own.problem:
                continue
            evacuation = told.of(member.node.name) if told else None
            is_done = evacuation is not None and evacuation.state is EvacuationState.PROHIBITING
            is_untold = word.enabled is not (evacuation is not None)
            is_emptied = word.enabled and word.connections == 0 and not is_done
            if is_untold or is_emptied or (not member.is_joined and member.name not in self._has_joined):
                return True
        return False

    async def _ask_cluster(self, pod: str) -> None:
        try:
            listed = (await self._get(pod, V4.nodes_path())).body
            evacuations = GlobalStatus.from_json((await self._get(pod, V4.evacuations_path())).body)
            nodes = nodes_from_json(listed)
            self.put(ClusterAnswer(pod, nodes, evacuations, stopped=stopped_from_json(listed)))
        except AdapterError as error:
            self._has_credentials = self._has_credentials and not isinstance(error, Unauthorized)
            self.put(ClusterAnswer(pod, None, None, f"{pod}: {error.message}"))
        except Malformed as error:
            self.put(ClusterAnswer(pod, None, None, f"{pod}: unexpected answer: {error}"))

    # -- requests

    def _question(self, pod: str, path: str) -> EmqxRequest:
        return EmqxRequest(self.namespace, pod, "GET", path, timeout_s=TIMEOUT_S)

    async def _get(self, pod: str, path: str) -> EmqxReply:
        reply = await self.emqx.request(self._question(pod, path))
        if reply.status == 404:
            raise NotFound(f"{path} is not served", status=404)
        if reply.status != 200 or reply.body is None:
            raise MalformedAnswer(f"{path} answered {reply.status} {clean(reply.text[:80])}", status=reply.status)
        return reply


def is_at_rest(snapshot: Snapshot) -> bool:
    """No release stands, of a console's or the operator's own, and no node is evacuated."""
    resource = snapshot.resource.value
    is_released = resource is None or resource.blue_green_status is not None or bool(snapshot.blue_uid)
    return not is_released and not any(member.evacuation for member in snapshot.members)


def _is_due(asked_at: datetime | None, every_s: float, now: datetime) -> bool:
    return asked_at is None or (now - asked_at).total_seconds() >= every_s


def _key(member: Member) -> PodKey:
    return member.name, member.pod.meta.uid
