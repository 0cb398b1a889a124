"""What is known of one EMQX cluster at one instant, and which of its StatefulSets is blue and which is green.

Colours are decided here and nowhere else: by the UID of the StatefulSet that the plan names as blue. Names in the
custom resource's status may flip during a release, and the sizes of the sets change, so neither decides a colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.evacuation import Evacuation, EvacuationState, EvictionStatus, GlobalStatus
from emqx_tui.model.nodes import EmqxNode, NodeStats
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.workloads import Endpoints, EndpointSlice, OwnDelay, Pod, Service, StatefulSet


class Colour(StrEnum):
    """The user's generations: blue is being left, green is being moved to."""

    BLUE = "blue"
    GREEN = "green"
    NONE = "none"
    """Neither: a third set, or no release is under way."""


@dataclass(frozen=True)
class Member:
    """One pod of a generation with its EMQX node, and what both report. Any part may be missing."""

    pod: Pod
    colour: Colour
    node: EmqxNode | None
    """The broker in the pod, by its own word; kept while it is silent and Kubernetes says that its containers run."""
    is_joined: bool
    """The EMQX cluster lists it as Running, in the view of its majority."""
    live_connections: int | None
    sessions: int | None
    evacuation: Evacuation | None
    own: Reading[EvictionStatus]
    """What the node itself says of its eviction, and whether it answers at all."""

    @property
    def name(self) -> str:
        return self.pod.meta.name

    @property
    def ordinal(self) -> int:
        return self.pod.ordinal

    @property
    def is_running(self) -> bool:
        """Its broker is a Running member of the EMQX cluster and its pod is not going away."""
        return self.node is not None and self.is_joined and not self.pod.meta.deleting

    @property
    def is_suspect(self) -> bool:
        """It does not answer for itself, although Kubernetes says that its containers run: it may hang."""
        return (
            bool(self.own.problem)
            and self.own is not MISSING
            and self.pod.containers_ready
            and not self.pod.meta.deleting
        )

    @property
    def accepts_clients(self) -> bool:
        """A broker with an address that is not evacuated: in the cluster or, if split from it, by its own word."""
        if self.node is None or self.pod.meta.deleting or not self.pod.ip or self.evacuation is not None:
            return False
        # A pod of the same name that was deleted is in EMQX's list for a while: its successor boots.
        return self.pod.containers_ready

    @property
    def is_uncounted(self) -> bool:
        """It may have clients and sessions, and how many is not known: a sum without it would pass for the whole.

        EMQX leaves a node that does not answer out of its list. A pod that never was in EMQX has none: green is Ready
        only once its broker has joined, and may hang later; all other brokers had joined before the release.
        """
        if self.live_connections is not None or self.pod.meta.deleting:
            return False
        is_green = self.colour is Colour.GREEN
        is_up = (self.pod.is_ready or self._was_ready) if is_green else self.pod.containers_ready
        return self.is_running or is_up or self._has_answered

    @property
    def is_up(self) -> bool:
        """A broker whose container runs, or that answers for itself, stands, whatever its readiness probe says."""
        answers = self.own.value is not None and not self.own.problem
        container = self.pod.broker
        runs = container is not None and container.running_since is not None
        return (self.pod.containers_ready or answers or runs) and not self.pod.meta.deleting

    @property
    def _has_answered(self) -> bool:
        """The broker that the container runs now has answered for itself."""
        container, read_at = self.pod.broker, self.own.read_at
        since = container.running_since if container else None
        # Kubernetes tells whole seconds.
        return since is not None and read_at is not None and (read_at - since).total_seconds() > 1.0

    @property
    def _was_ready(self) -> bool:
        """The pod has been Ready since the container started that runs now: the Service may have sent it clients."""
        container = self.pod.broker
        since = container.running_since if container else None
        turned_at = next((c.since for c in self.pod.conditions if c.type == "Ready"), None)
        return since is not None and turned_at is not None and turned_at > since

    @property
    def sessions_left(self) -> int:
        """Sessions that its evacuation leaves behind, as nobody moves them before 4.4.24; 0 before it is drained."""
        return self.sessions if self.is_drained and self.live_connections == 0 and self.sessions else 0

    @property
    def is_drained(self) -> bool:
        """EMQX lists it as `prohibiting` and its last counters are 0."""
        return bool(
            self.evacuation
            and self.evacuation.state is EvacuationState.PROHIBITING
            and self.evacuation.current_connected == 0
            and self.evacuation.current_sessions == 0
        )


@dataclass(frozen=True)
class Generation:
    """One StatefulSet with its members, lowest ordinal first."""

    colour: Colour
    stateful_set: StatefulSet
    members: tuple[Member, ...]
    are_members_known: bool
    """Whether the pods were read at all."""

    @property
    def replicas(self) -> int:
        return self.stateful_set.replicas

    @property
    def version(self) -> str:
        return self.stateful_set.version

    def owns(self, pod: str) -> bool:
        """Whether a pod of this name is of this set, also one that is gone."""
        return pod.rpartition("-")[0] == self.stateful_set.name

    @cached_property
    def running(self) -> int:
        return sum(member.is_running for member in self.members)

    @cached_property
    def ready(self) -> int:
        return sum(member.pod.is_ready and not member.pod.meta.deleting for member in self.members)

    @cached_property
    def is_complete(self) -> bool:
        """As many pods as wanted, all Ready in Kubernetes and Running in EMQX, none going away."""
        return (
            self.replicas > 0
            and len(self.members) == self.replicas
            and self.ready == self.replicas
            and self.running == self.replicas
        )

    @cached_property
    def has_pod_terminating(self) -> bool:
        return any(member.pod.meta.deleting for member in self.members)

    @cached_property
    def live_connections(self) -> int | None:
        """Of all members together, None while one is not counted or the pods are not known."""
        if not self.are_members_known or any(member.is_uncounted for member in self.members):
            return None
        return sum(member.live_connections or 0 for member in self.members)

    def member(self, ordinal: int) -> Member | None:
        return next((m for m in self.members if m.ordinal == ordinal), None)


@dataclass(frozen=True)
class Snapshot:
    """One EMQX cluster at `now`. Every part is a Reading: it may be missing or old."""

    now: datetime
    namespace: str
    name: str
    resource: Reading[EmqxEnterprise] = MISSING
    stateful_sets: Reading[tuple[StatefulSet, ...]] = MISSING
    pods: Reading[tuple[Pod, ...]] = MISSING
    services: Reading[tuple[Service, ...]] = MISSING
    endpoints: Reading[tuple[Endpoints, ...]] = MISSING
    slices: Reading[tuple[EndpointSlice, ...]] = MISSING
    nodes: Reading[tuple[EmqxNode, ...]] = MISSING
    stopped_nodes: tuple[str, ...] = ()
    """Names of the EMQX nodes that the cluster lists, and not as Running."""
    stats: Reading[Mapping[str, NodeStats]] = MISSING
    evacuations: Reading[GlobalStatus] = MISSING
    own: Mapping[str, Reading[EvictionStatus]] = field(default_factory=dict)
    """By pod name."""
    brokers: Mapping[str, EmqxNode] = field(default_factory=dict)
    """By pod name: the broker as it named itself last; `nodes` are those that the cluster lists."""
    blue_uid: str = ""
    """UID of the blue StatefulSet, from the plan or, in a release without a journal, as it is seen; else empty."""
    green_uid: str = ""
    """UID of the green StatefulSet as it was first seen; empty before. It keeps a third set from passing for green."""
    operator_image: Reading[str] = MISSING
    operator_answers: Reading[bool] = MISSING
    """Whether its webhook took the last dry-run of a patch; None when that could not be found out."""
    replaced_delay: OwnDelay | None = None
    """What the newest Event says that the closed valve took the place of; Events live for an hour."""

    def at(self, now: datetime) -> Snapshot:
        """The same cluster at a later `now`. Every fact that is derived here is kept: none may depend on `now`."""
        later = object.__new__(Snapshot)
        vars(later).update(vars(self), now=now)
        return later

    @cached_property
    def sets(self) -> tuple[StatefulSet, ...]:
        """The cluster's own StatefulSets, oldest first."""
        resource = self.resource.value
        owner = resource.meta.uid if resource else ""
        mine = [s for s in self.stateful_sets.value or () if s.meta.owner_uid == owner]
        return tuple(sorted(mine, key=lambda s: (s.meta.created_at is None, s.meta.created_at, s.name)))

    @cached_property
    def generations(self) -> tuple[Generation, ...]:
        """Sets that want or still have pods, blue first."""
        built = [self._generation(s) for s in self.sets]
        alive = [g for g in built if g.replicas > 0 or g.members]
        order = {Colour.BLUE: 0, Colour.GREEN: 1, Colour.NONE: 2}
        return tuple(sorted(alive, key=lambda g: order[g.colour]))

    @cached_property
    def blue_set(self) -> StatefulSet | None:
        """The blue StatefulSet, also when it is down to 0."""
        return next((s for s in self.sets if self.blue_uid and s.meta.uid == self.blue_uid), None)

    @cached_property
    def blue(self) -> Generation | None:
        """The generation being left, also when it is down to 0 without pods."""
        alive = next((g for g in self.generations if g.colour is Colour.BLUE), None)
        return alive or (self._generation(self.blue_set) if self.blue_set else None)

    @cached_property
    def green(self) -> Generation | None:
        """The generation being moved to: the set first seen as such or, while there is none, the newest other set."""
        return next((g for g in self.generations if g.colour is Colour.GREEN), None)

    @cached_property
    def third_sets(self) -> tuple[str, ...]:
        """Sets that want pods and are neither blue nor green: none may be, during a release."""
        return tuple(g.stateful_set.name for g in self.generations if g.colour is Colour.NONE) if self.blue_uid else ()

    @cached_property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for generation in self.generations for member in generation.members)

    @cached_property
    def listener_service(self) -> Service | None:
        name = self.resource.value.service_name if self.resource.value else ""
        return next((s for s in self.services.value or () if s.name == name), None)

    @cached_property
    def listener_problem(self) -> str:
        """What is wrong with the listener Service of a cluster that runs: it does not exist; empty while unknown."""
        resource = self.resource.value
        if resource is None or self.services.value is None or self.listener_service is not None:
            return ""
        return resource.no_service if resource.ready_replicas else ""

    @cached_property
    def listener_endpoints(self) -> Endpoints | None:
        name = self.resource.value.service_name if self.resource.value else ""
        return next((e for e in self.endpoints.value or () if e.name == name), None)

    @cached_property
    def slice_ips(self) -> frozenset[str] | None:
        """Addresses that proxies really use for the listener Service; None when unknown."""
        if self.slices.value is None or self.resource.value is None:
            return None
        name = self.resource.value.service_name
        return frozenset(ip for s in self.slices.value if s.service == name for ip in s.ips)

    @cached_property
    def total_live(self) -> int | None:
        """Live connections of all members together, None while one is not counted or the pods are not known."""
        return self._total(lambda member: member.live_connections)

    @cached_property
    def total_sessions(self) -> int | None:
        """Sessions of all members together, live and kept; None as for `total_live`."""
        return self._total(lambda member: member.sessions)

    def _total(self, count: Callable[[Member], int | None]) -> int | None:
        if self.pods.value is None or any(member.is_uncounted for member in self.members):
            return None
        return sum(count(member) or 0 for member in self.members)

    def _colour(self, stateful_set: StatefulSet) -> Colour:
        if not self.blue_uid:
            return Colour.NONE
        if stateful_set.meta.uid == self.blue_uid:
            return Colour.BLUE
        others = [s for s in self.sets if s.meta.uid != self.blue_uid and (s.replicas > 0 or self._pods_of(s))]
        known = [s for s in others if s.meta.uid == self.green_uid]
        green = (known or others)[-1:]
        return Colour.GREEN if green and green[0].meta.uid == stateful_set.meta.uid else Colour.NONE

    def _pods_of(self, stateful_set: StatefulSet) -> list[Pod]:
        return self._pods_by_owner.get(stateful_set.meta.uid, [])

    @cached_property
    def _pods_by_owner(self) -> dict[str, list[Pod]]:
        """Lowest ordinal first."""
        owned: dict[str, list[Pod]] = {}
        for pod in sorted(self.pods.value or (), key=lambda pod: pod.ordinal):
            owned.setdefault(pod.meta.owner_uid, []).append(pod)
        return owned

    def _generation(self, stateful_set: StatefulSet) -> Generation:
        colour = self._colour(stateful_set)
        members = tuple(self._member(pod, colour) for pod in self._pods_of(stateful_set))
        return Generation(colour, stateful_set, members, self.pods.value is not None)

    def _member(self, pod: Pod, colour: Colour) -> Member:
        listed, own = self._listed(pod), self.own.get(pod.name, MISSING)
        node = self.brokers.get(pod.name) or listed
        if own.problem and own is not MISSING and not pod.containers_ready:
            node = None
        stats = (self.stats.value or {}).get(node.name) if node else None
        evacuation = self._evacuation_of(node.name, own, pod, is_joined=listed is not None) if node else None
        return Member(
            pod=pod,
            colour=colour,
            node=node,
            is_joined=listed is not None,
            live_connections=stats.live_connections if stats else None,
            sessions=stats.sessions if stats else None,
            evacuation=evacuation,
            own=own,
        )

    def _evacuation_of(
        self, node: str, own: Reading[EvictionStatus], pod: Pod, *, is_joined: bool
    ) -> Evacuation | None:
        """Whether it is evacuated is the node's own word: its peers may not see it, or have learnt only then.

        Also while it is silent: what the cluster told before that word is no news. What either told before this broker
        ran was of the one before it.

        A node from which a rebalance takes clients says the same of itself as one that is evacuated. One that is split
        from the cluster takes part in no rebalance there.
        """
        status, word = self.evacuations.value, own.value
        told, told_at = status.of(node) if status else None, self.evacuations.read_at
        runs_since = pod.broker.running_since if pod.broker else None
        if told_at is not None and runs_since is not None and told_at < runs_since:
            told = None
        if word is None or own.read_at is None or (runs_since is not None and own.read_at < runs_since):
            return told
        is_told_later = told_at is not None and told_at > own.read_at
        if not word.enabled or (told and is_told_later):
            return told if is_told_later else None
        if own.problem:
            return told
        if told is None:
            is_rebalanced = status is not None and status.rebalances > 0 and is_joined
            return None if is_rebalanced else Evacuation.by_own_word(node, word)
        return told.counted(word)

    def _listed(self, pod: Pod) -> EmqxNode | None:
        """As the cluster lists it; what it listed before this broker ran was the one before it, of the same name."""
        runs_since, read_at = pod.broker.running_since if pod.broker else None, self.nodes.read_at
        is_older = runs_since is not None and read_at is not None and read_at < runs_since
        return None if is_older else self._node_by_pod.get(pod.name)

    @cached_property
    def _node_by_pod(self) -> dict[str, EmqxNode]:
        return {node.pod_name: node for node in self.nodes.value or ()}
