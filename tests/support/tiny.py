"""A cluster in a few dozen lines, for the state machine: nodes with clients, an operator, proxies, EMQX's evacuation.

It knows the truth (who has how many clients) and what a console sees of it (as old as the last poll). Nothing moves
unless a step is called. It shares no code with the simulated world.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    ForgetReleaseStatus,
    Nudge,
    RestoreDelay,
    RestoreTemplate,
    Scale,
    StartDrain,
    StopDrain,
    WriteEndpoints,
)
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.memory import Memory
from tests.support import scenes as build
from tests.support.scenes import Place, Scene, Side

CLIENTS = 40
"""Of each blue node at the beginning."""
NEXT = {
    EvacuationState.EVICTING_CONNS: EvacuationState.WAITING_TAKEOVER,
    EvacuationState.WAITING_TAKEOVER: EvacuationState.EVICTING_SESSIONS,
    EvacuationState.EVICTING_SESSIONS: EvacuationState.PROHIBITING,
}
Key = tuple[str, int]


@dataclass
class Node:
    live: int = 0
    is_up: bool = True
    is_ready: bool = True
    evacuation: EvacuationState | None = None
    rates: tuple[int, int] = (200, 200)


@dataclass
class Tiny:
    """See the module."""

    n: int
    now: datetime = build.NOW
    template: str = "old"
    delay_s: int | None = build.USER_DELAY_S
    has_status: bool = False
    started_at: datetime | None = None
    generation: int = 1
    version: int = 1000
    status_writes: int = 0
    wants_pass: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    nodes: dict[Key, Node] = field(default_factory=dict)
    addresses: frozenset[Key] = frozenset()
    slices: frozenset[Key] = frozenset()
    offline: int = 0
    killed: int = 0
    """Clients cut off because their node was scaled away."""
    polled: dict[Key, Node] = field(default_factory=dict)
    polled_at: datetime = build.NOW

    def __post_init__(self) -> None:
        self.sizes["blue"] = self.n
        for k in range(self.n):
            self.nodes["blue", k] = Node(CLIENTS)
        self.addresses = self.slices = frozenset(self.nodes)
        self.poll()

    # -- the world's steps ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """The console's figures are renewed."""
        self.polled = {key: replace(node) for key, node in self.nodes.items()}
        self.polled_at = self.now

    def boot(self) -> None:
        for node in self.nodes.values():
            node.is_up = True

    def mirror(self) -> None:
        """The proxies follow the Endpoints; offline clients find a node."""
        self.slices = self.addresses
        self._land()

    def evict(self) -> None:
        """Each evacuation makes one step; what it cuts off reconnects through the proxies."""
        for node in self.nodes.values():
            if node.evacuation is None or not node.is_up:
                continue
            if node.evacuation is EvacuationState.EVICTING_CONNS and node.live:
                gone = min(node.live, max(1, CLIENTS // 2))
                node.live -= gone
                self.offline += gone
            elif node.evacuation in NEXT:
                node.evacuation = NEXT[node.evacuation]
        self._land()

    def _land(self) -> None:
        open_ones = [self.nodes[k] for k in sorted(self.slices) if k in self.nodes and self._accepts(self.nodes[k])]
        for turn in range(self.offline if open_ones else 0):
            open_ones[turn % len(open_ones)].live += 1
        self.offline = 0 if open_ones else self.offline

    @staticmethod
    def _accepts(node: Node) -> bool:
        return node.is_up and node.evacuation is None

    def settle(self) -> None:
        """Two and a half seconds in which everybody does what is due."""
        self.now += timedelta(seconds=2.5)
        self.boot()
        self.evict()
        self.operate()
        self.mirror()
        self.poll()

    def lose(self, key: Key) -> None:
        """The pod dies and is made anew: its clients go elsewhere."""
        self.offline += self.nodes[key].live
        self.nodes[key] = Node(0, is_up=False, is_ready=False)
        self._land()

    @property
    def is_held(self) -> bool:
        """The operator's delay branch is taken."""
        over = self.started_at + timedelta(seconds=self.delay_s or 0) if self.started_at else None
        return over is not None and self.now < over

    def operate(self) -> None:
        """One pass of the operator, if there is reason for one."""
        if not (self.wants_pass or not self.is_held):
            return
        self.wants_pass = False
        if self.template == "new" and "green" not in self.sizes:
            self.sizes["green"] = self.n
            self.nodes |= {("green", k): Node(is_up=False, is_ready=False) for k in range(self.n)}
        self._describe()
        if self.is_held:
            return
        for node in self.nodes.values():
            node.is_ready = node.is_up and node.evacuation is None
        ready = frozenset(key for key, node in self.nodes.items() if node.is_ready)
        self.addresses = ready or self.addresses
        self._describe()

    def _describe(self) -> None:
        """The operator's status: names and startedAt while two sets are complete, nothing while one is."""
        alive = [colour for colour, size in self.sizes.items() if size]
        whole = [c for c in alive if sum(n.is_up for key, n in self.nodes.items() if key[0] == c) == self.sizes[c]]
        if len(whole) < 2:
            self.has_status, self.started_at = False, None
        else:
            green_ready = all(n.is_ready for key, n in self.nodes.items() if key[0] == "green")
            self.has_status = True
            if green_ready and self.started_at is None:
                self.started_at = self.now
        self.version += 1
        self.status_writes += 1

    # -- what commands do -----------------------------------------------------------------------------------------

    def carry_out(self, command: Command) -> EmqxEnterprise | None:
        """Let a command take effect; gives the resource after a patch of it."""
        match command:
            case ApplyTemplate(valve_s=valve):
                self.template = "new"
                return self._patched(valve)
            case CloseValve(valve_s=valve) | Nudge(valve_s=valve):
                return self._patched(valve)
            case RestoreDelay(delay_s=delay):
                return self._patched(delay)
            case RestoreTemplate():
                self.template = "old"
                return self._patched(self.delay_s)
            case ForgetReleaseStatus():
                self.has_status, self.started_at = False, None
                self.version += 1
            case WriteEndpoints(addresses=addresses):
                by_pod = {self._pod(key): key for key in self.nodes}
                self.addresses = frozenset(by_pod[a.pod_name] for a in addresses if a.pod_name in by_pod)
            case StartDrain(pod=pod, rates=rates):
                node = self.nodes[self._key(pod)]
                if node.evacuation is None:
                    node.evacuation = EvacuationState.EVICTING_CONNS
                    node.rates = (rates.conn_evict_rate_per_s, rates.sess_evict_rate_per_s)
            case StopDrain(pod=pod):
                self.nodes[self._key(pod)].evacuation = None
            case Scale(target=target, after=after):
                self._scale("blue" if target.uid == build.BLUE_UID else "green", after)
        return None

    def _patched(self, delay_s: int | None) -> EmqxEnterprise:
        self.delay_s = delay_s
        self.generation += 1
        self.version += 1
        self.wants_pass = True
        return self.view(None, Memory()).resource()

    def _scale(self, colour: str, size: int) -> None:
        for k in range(size, self.sizes[colour]):
            node = self.nodes.pop((colour, k), None)
            if node is not None:
                self.killed += node.live
                self.offline += node.live
        for k in range(self.sizes[colour], size):
            self.nodes[colour, k] = Node(is_up=False, is_ready=False)
        self.sizes[colour] = size
        self._land()

    # -- what a console sees --------------------------------------------------------------------------------------

    def _pod(self, key: Key) -> str:
        return f"{build.BLUE_NAME if key[0] == 'blue' else build.GREEN_NAME}-{key[1]}"

    def _key(self, pod: str) -> Key:
        return ("blue" if pod.startswith(build.BLUE_NAME) else "green", int(pod.rpartition("-")[2]))

    def view(self, journal: Journal | None, memory: Memory) -> Scene:
        is_single = sum(1 for size in self.sizes.values() if size) == 1
        return Scene(
            blue=self._side("blue", build.BLUE_NAME, build.BLUE_UID, "4.4.14", 5000.0),
            green=self._side("green", build.GREEN_NAME, build.GREEN_UID, "4.4.15", 200.0)
            if "green" in self.sizes
            else None,
            addresses=self._ips(self.addresses),
            slices=self._ips(self.slices),
            template=self.template,
            delay_s=self.delay_s,
            has_status=self.has_status,
            started_ago_s=(self.now - self.started_at).total_seconds() if self.started_at else None,
            is_running=is_single and not self.has_status,
            replicas=self.n,
            metadata_generation=self.generation,
            resource_version=str(self.version),
            status_mark=f"status-{self.status_writes}",
            broker_age_s=(self.now - self.polled_at).total_seconds(),
            journal=journal,
            memory=memory,
            now=self.now,
        )

    def _ips(self, keys: frozenset[Key]) -> frozenset[str]:
        return frozenset(f"10.0.{1 if colour == 'blue' else 2}.{k}" for colour, k in keys)

    def _side(self, colour: str, name: str, uid: str, version: str, age_s: float) -> Side:
        places = {k: self._place((c, k), node) for (c, k), node in self.nodes.items() if c == colour}
        return Side(name, uid, places, self.sizes[colour], version, revision=f"{name}-rev", age_s=age_s)

    def _place(self, key: Key, node: Node) -> Place:
        seen = self.polled.get(key, Node(is_up=False))
        return Place(
            live=seen.live if seen.is_up else None,
            sessions=seen.live if seen.is_up else None,
            is_ready=node.is_ready,
            is_joined=seen.is_up,
            containers_ready=node.is_up,
            on_serving=node.is_ready,
            evacuation=seen.evacuation if seen.is_up else None,
            rates=seen.rates,
            own=seen.live if seen.is_up and seen.evacuation else None,
            own_age_s=(self.now - self.polled_at).total_seconds(),
        )
