"""One simulated EMQX cluster: its brokers, its clients, and the addresses behind its load balancer.

Owns the membership and the route. Brokers start and stop at once here; the time that a pod takes is up to the caller.
The management API is in `api`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from emqx_tui.sandbox.emqx.channels import Channels
from emqx_tui.sandbox.emqx.evacuation import EvacuationRefused, Options
from emqx_tui.sandbox.emqx.evacuation_process import IDEAL, EvacuationProcess, Profile
from emqx_tui.sandbox.emqx.node import EmqxNode
from emqx_tui.sandbox.timeline import Timeline
from emqx_tui.sandbox.truth import Truth

GIVEN_UP_AFTER_S = 75.0
"""recorded: 62 to 76 s after a node has hung its peers take it for down, and answer without it"""
RESTARTS_AFTER_S = 18.0
"""from the instant at which a node that was taken for down goes on to its restart by EMQX itself"""
RESTART_TAKES_S = 3.0
"""nothing listens while EMQX stops its applications and starts them again"""
LONGEST_WAIT_S = 10**9
"""recorded: with 10^12 s the coordinator crashes again and again, its file on the volume being read anew each time"""
NODEDOWN_FOR_S = 0.027
"""how long `/nodes` lists a member that went down, with an error in place of its figures"""


class Clients(Protocol):
    """The simulated MQTT clients of a cluster, as far as its brokers act on them."""

    size: int
    """all of them, wherever they are"""
    waiting: int
    """offline, and going to connect again"""
    dead: int
    """offline for good"""

    @property
    def keep_sessions(self) -> bool:
        """They connect with clean start 0."""
        ...

    def disconnect(self, node: EmqxNode, count: int, why: str) -> None: ...
    def broker_down(self, node: EmqxNode) -> None: ...
    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int: ...


class EmqxCluster:
    """All brokers of one EmqxEnterprise and the clients they share."""

    def __init__(self, timeline: Timeline, rng: random.Random, *, profile: Profile = IDEAL, name: str = "emqx") -> None:
        self.timeline = timeline
        self.rng = rng
        self.profile = profile
        self.name = name
        self.nodes: dict[str, EmqxNode] = {}
        """members, stopped ones included"""
        self.known_names: set[str] = set()
        """names of all present and former members; EMQX answers differently for unknown names"""
        self.clients: Clients | None = None
        self.truth = Truth()
        self.channels = Channels(self)
        """the clients with sockets, beside `clients`"""
        self.credentials: dict[str, str] = {"admin": "public"}
        """application id -> secret; EMQX's factory default unless replaced"""
        self.route: tuple[str | None, ...] = ()
        self._when_it_goes_on: dict[str, list[Callable[[], None]]] = {}

    # membership

    def add_node(self, name: str, version: str, *, persisted: Mapping[str, object] | None = None) -> EmqxNode:
        """A broker joins and runs. With `persisted`, the evacuation file of its volume, it boots evacuating."""
        if name in self.nodes and self.nodes[name].running:
            raise ValueError(f"{name} is running")
        keeps = self.clients is not None and self.clients.keep_sessions
        node = EmqxNode(
            name, version, booted_at=self.timeline.now, live_keep_sessions=keeps, filters=self.channels.filters
        )
        self._come_up(node)
        self.nodes[name] = node
        self.known_names.add(name)
        if persisted is not None:
            self._evacuate(node, Options.from_file(persisted))
        return node

    def stop_node(self, name: str) -> None:
        """The broker stops: its live clients are disconnected, the sessions in its memory are lost.

        It stays a member that does not answer, and keeps its evacuation file in `persisted`.
        """
        node = self.nodes[name]
        node.restarting = False
        if not node.running:
            return
        node.running = False
        node.stopped_at = self.timeline.now
        node.evacuation = None
        for other in self.seen_by(node)[1:]:
            other.log.append((self.timeline.now, f"[warning] Node {name} is down."))
        self.channels.broker_down(node)
        if self.clients is not None:
            self.clients.broker_down(node)

    def remove_node(self, name: str) -> None:
        """The cluster forgets the member; a running one goes down first."""
        if name in self.nodes:
            self.stop_node(name)
            del self.nodes[name]

    def running_nodes(self) -> list[EmqxNode]:
        return [node for node in self.nodes.values() if node.running]

    def _come_up(self, node: EmqxNode) -> None:
        """What a node lacks in its first moments."""
        for fault, seconds in (("booting", self.profile.plugins_s), ("joining", self.profile.join_s)):
            if seconds:
                setattr(node.faults, fault, True)
                self.timeline.after(seconds, lambda fault=fault: setattr(node.faults, fault, False))

    # hangs and splits

    def seen_by(self, node: EmqxNode) -> list[EmqxNode]:
        """The members that `node` takes for running, itself first: the order depends on who is asked."""
        others = [m for m in self.running_nodes() if m is not node and m.island == node.island and not m.given_up]
        return [node, *others]

    def gone_a_moment_ago(self, node: EmqxNode) -> list[EmqxNode]:
        """Members that have just gone down: they are still listed."""
        since = self.timeline.now - NODEDOWN_FOR_S
        return [m for m in self.nodes.values() if m.stopped_at is not None and m.stopped_at > since and m is not node]

    def waits_for(self, node: EmqxNode, others: Sequence[EmqxNode] | None = None) -> EmqxNode | None:
        """The hung peer that keeps `node` from answering a question about `others`, or about all that it sees."""
        asked = self.seen_by(node) if others is None else others
        return next((m for m in asked if m.hung and not m.given_up), None)

    def hang(self, name: str) -> None:
        """The node stops dead, its connections stay open: a lost machine, a paused VM, SIGSTOP."""
        node = self.nodes[name]
        node.hung = True

        def give_up() -> None:
            node.given_up = node.hung

        self.timeline.after(GIVEN_UP_AFTER_S, give_up)

    def go_on(self, name: str) -> None:
        """It runs again and does what was asked of it; one that was taken for down is alone until EMQX restarts it."""
        node = self.nodes[name]
        node.hung = False
        for done in self._when_it_goes_on.pop(name, []):
            done()
        if node.given_up:
            self.split(name)
            self.heal(name)

    def split(self, name: str) -> None:
        """The node sees only itself, and nobody sees it; its clients stay."""
        self.nodes[name].island = name

    def heal(self, name: str) -> None:
        """The network is whole again: EMQX restarts the node that was alone, a while later."""
        node = self.nodes[name]
        self.timeline.after(RESTARTS_AFTER_S, lambda: self._restart(node))

    def _restart(self, node: EmqxNode) -> None:
        """Its applications stop, the management API among them, and start again; the pod notices nothing."""
        if self.nodes.get(node.name) is node and node.running:
            self.stop_node(node.name)
            node.restarting = True
            self.timeline.after(RESTART_TAKES_S, lambda: self._started_again(node))

    def _started_again(self, node: EmqxNode) -> None:
        if self.nodes.get(node.name) is node and node.restarting:
            self.add_node(node.name, node.version, persisted=node.persisted)

    def when_it_goes_on(self, node: EmqxNode, do: Callable[[], None]) -> None:
        """A request that nobody waits for any more is still carried out."""
        self._when_it_goes_on.setdefault(node.name, []).append(do)

    # clients and the network

    def attach(self, clients: Clients) -> None:
        """Give the cluster its clients, once."""
        if self.clients is not None:
            raise ValueError("the cluster has its clients")
        self.clients = clients
        for node in self.nodes.values():
            node.live_keep_sessions = clients.keep_sessions

    def set_route(self, targets: Sequence[str | None]) -> None:
        """The load balancer's addresses, by node name; None is an address where nothing listens.

        Each new connection takes one of them at random; established ones stay where they are.
        """
        self.route = tuple(targets)

    def routed(self) -> list[EmqxNode | None]:
        nodes = self.nodes
        return [None if name is None else nodes.get(name) for name in self.route]

    def reset_connections(self, node: str, over_s: float = 0.0) -> None:
        """The network cuts the connections `node` has now, in equal parts once a second for `over_s` seconds."""
        target = self.nodes[node]
        self._reset(target, target.live, max(1, math.ceil(over_s)))

    def _reset(self, node: EmqxNode, left: int, steps: int) -> None:
        left = min(left, node.live)
        if left == 0:
            return
        cut = math.ceil(left / steps)
        self.disconnect(node, cut, "reset")
        if steps > 1:
            self.timeline.after(1.0, lambda: self._reset(node, left - cut, steps - 1))

    # evacuation: what the API asks for, and what a running one does

    def start_evacuation(self, node: EmqxNode, options: Options) -> None:
        """Raises EvacuationRefused when one is running or a rebalance owns the node."""
        if node.evacuation is not None:
            raise EvacuationRefused("already_started")
        if node.rebalancing:
            raise EvacuationRefused("eviction_agent_busy")
        self._evacuate(node, options)

    def stop_evacuation(self, node: EmqxNode) -> None:
        """The node accepts clients at once. Raises EvacuationRefused when there is nothing to stop."""
        if node.evacuation is None:
            raise EvacuationRefused("not_started")
        node.evacuation = None
        node.persisted = None
        node.crash_looping = False

    def _evacuate(self, node: EmqxNode, options: Options) -> None:
        node.persisted = options.to_file()
        node.crash_looping = options.wait_takeover > LONGEST_WAIT_S
        EvacuationProcess(node, options, self)

    def evict(self, node: EmqxNode, count: int) -> None:
        self.disconnect(node, count, "evicted")

    def disconnect(self, node: EmqxNode, count: int, why: str) -> None:
        """`count` live clients of `node` lose their connection; `why` is the truth's field to count them in."""
        sockets = self._sockets_among(node, count)
        without_session = self.channels.disconnect(node, sockets, why)
        if self.clients is not None:
            without_session += 0 if self.clients.keep_sessions else count - sockets
            self.clients.disconnect(node, count - sockets, why)
        if why == "evicted":
            node.sent_elsewhere += without_session

    def _sockets_among(self, node: EmqxNode, count: int) -> int:
        """How many of `count` of a node's clients have sockets: in proportion, rounded at random."""
        if node.sockets == 0:
            return 0
        share = math.floor(count * node.sockets / node.live + self.rng.random())
        return max(count - node.cohorts_live, min(share, count, node.sockets))

    def migrate(self, node: EmqxNode, count: int, recipients: list[EmqxNode]) -> int:
        moved = self.channels.migrate(node, count, recipients)
        if self.clients is not None:
            moved += self.clients.migrate(node, count - moved, recipients)
        return moved

    def recipients(self, wanted: Sequence[str] | None) -> list[EmqxNode]:
        """Of the nodes `wanted`, or of all, those that run and are not giving clients away themselves.

        That leaves out whoever asks: an evacuating node is never available.
        """
        members = self.nodes
        asked = members.values() if wanted is None else [members[name] for name in wanted if name in members]
        return [other for other in asked if other.running and other.available and not other.given_up]
