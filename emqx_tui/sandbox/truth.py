"""What really happened to the clients, independent of any API.

Owns counters that only the simulated brokers and clients write. They exist so that a console's numbers can be compared
with reality; nothing in the simulated world may decide by them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter, sub


@dataclass(slots=True)
class Counts:
    """Events since the beginning, for one node or for all."""

    evicted: int = 0
    """live clients disconnected by a node evacuation"""
    killed: int = 0
    """live clients whose broker went down under them"""
    reset: int = 0
    """established connections cut by the network"""
    natural: int = 0
    """clients that went by themselves"""
    refused: int = 0
    """CONNECTs answered with 0x9C (MQTT 5) or return code 3"""
    tcp_refused: int = 0
    """connection attempts to an address where nothing listens"""
    reconnected: int = 0
    """CONNECTs accepted after a disconnect"""
    delayed: int = 0
    """connection attempts that the listener's accept limit pushed into the next second"""
    lost: int = 0
    """clients that will not reconnect"""
    migrated: int = 0
    """sessions pushed away from the node by its evacuation"""
    sessions_lost: int = 0
    """sessions that went down with a broker"""
    sessions_expired: int = 0
    unanswered: int = 0
    """connection attempts to a broker that hangs"""

    @property
    def disconnects(self) -> int:
        """Forced disconnects: evictions, kills and resets."""
        return self.evicted + self.killed + self.reset

    def minus(self, earlier: Counts) -> Counts:
        return Counts(*map(sub, _all(self), _all(earlier)))

    def copy(self) -> Counts:
        return self.minus(Counts())


_all = attrgetter(*(f.name for f in fields(Counts)))

NOWHERE = ""
"""the `per_node` key of what happened at no broker: addresses without one, and clients that ran out of attempts"""


@dataclass
class Truth:
    """The counters of one EMQX cluster, its clients' whereabouts now, and the lowest sum of live clients."""

    total: Counts = field(default_factory=Counts)
    per_node: dict[str, Counts] = field(default_factory=dict)
    live: int = 0
    offline: int = 0
    """clients that are waiting to reconnect; the lost ones are not among them"""
    lowest_live: int = 0
    """lowest sum of live clients since the last `mark`, caught between any two events, not sampled"""
    _marked: Counts = field(default_factory=Counts)

    def add(self, what: str, count: int, node: str = NOWHERE) -> None:
        """Count `count` events of the kind `what`, a field of `Counts`, at `node`."""
        if count:
            of_node = self.per_node.get(node)
            if of_node is None:
                of_node = self.per_node[node] = Counts()
            setattr(of_node, what, getattr(of_node, what) + count)
            setattr(self.total, what, getattr(self.total, what) + count)

    def count_live(self, live: int) -> None:
        """The sum of live clients has changed."""
        self.live = live
        if live < self.lowest_live:
            self.lowest_live = live

    def mark(self) -> None:
        """Let `lowest_live` and `since_mark` start here."""
        self.lowest_live = self.live
        self._marked = self.total.copy()

    def since_mark(self) -> Counts:
        return self.total.minus(self._marked)
