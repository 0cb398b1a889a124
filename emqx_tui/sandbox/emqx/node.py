"""One simulated broker: what it holds, what its `/stats` sampler last saw, and the faults a test gave it.

Owns the counts of channels on one node. Whoever changes them calls `touch` first, so that the sampler can stay lazy:
between two changes every sample would show the same, so none has to be taken.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import deque
from collections.abc import Sized
from dataclasses import dataclass, field

from emqx_tui.sandbox.emqx.evacuation import Evacuation

SAMPLE_PERIOD_S = 2.0
"""each node has its own phase: when it began to take samples"""
LOG_LINES = 5000
ACCEPTS_PER_S = 1000
"""default `max_conn_rate` of the external TCP listener in EMQX 4.4"""

Release = tuple[int, int, int]
NEWEST_V4: Release = (4, 4, 26)
EVACUATION_SINCE: Release = (4, 4, 12)
READABLE_ERRORS_SINCE: Release = (4, 4, 17)
LIVE_IN_NODES_SINCE: Release = (4, 4, 19)
ALL_CHANNELS_ARE_SESSIONS_SINCE: Release = (4, 4, 24)
PUBLIC_AVAILABILITY_SINCE: Release = (4, 4, 24)


def release_of(version: str) -> Release:
    """The numbers of an image tag; a tag without numbers behaves like the newest 4.4."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else NEWEST_V4


@dataclass
class Faults:
    """Faults of a node's management API; the broker itself works."""

    api_down: bool = False
    """nothing listens on the API's port"""
    slow: bool = False
    """answers other nodes too late: `global_status` leaves it out"""
    unauthorized: bool = False
    """every request is answered with 401"""
    stats_frozen: bool = False
    """the `/stats` sampler has stopped"""
    booting: bool = False
    """the plugins are not loaded yet: evacuation routes are 404, `/status` is 503, clients are let in"""
    joining: bool = False
    """has just joined: `/nodes` shows `"connections": "undefined"`"""


@dataclass(eq=False)
class EmqxNode:
    """Counts of channels: `live` clients, `retained` sessions of clients that left, `virtual` ones migrated here.

    They are of cohorts and of clients with a socket of their own together.
    """

    name: str
    version: str
    booted_at: float
    live_keep_sessions: bool = False
    """the cohorts here connect with clean start 0"""
    accept_limit_per_s: int = ACCEPTS_PER_S
    tick_delay_s: float = 0.0
    """an overloaded machine: each eviction tick takes this much longer"""
    persisted: dict[str, object] | None = None
    """the evacuation file on the node's volume; still there when the broker is down"""
    hung: bool = False
    """its machine is lost or paused: it neither answers nor closes a connection"""
    given_up: bool = False
    """it hung for so long that its peers take it for down"""
    island: str = ""
    """nodes of one island see each other; empty unless the cluster is split"""
    crash_looping: bool = False
    """the coordinator of evacuations crashes again and again, and with it every route of the plugin"""
    stopped_at: float | None = None
    restarting: bool = False
    """EMQX has stopped it, to start it again at once"""
    rebalancing: bool = False
    """a donor of a running rebalance: owns the eviction switch, so an evacuation cannot"""
    running: bool = True
    live: int = 0
    retained: int = 0
    virtual: int = 0
    unmoved: int = 0
    """sessions of clients with clean start and an expiry interval: before 4.4.24 no evacuation counts or moves them"""
    sockets: int = 0
    """of `live`, the clients with a socket of their own; the others are in cohorts"""
    sockets_clean_start_0: int = 0
    """of `sockets`, those whose sessions every version counts"""
    subscriptions: int = 0
    """cohorts have none"""
    filters: Sized = ()
    """all topic filters of the cluster"""
    evacuation: Evacuation | None = None
    faults: Faults = field(default_factory=Faults)
    log: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    """what it has written since it booted, behind its first lines: (instant, text)"""
    sent_elsewhere: int = 0
    """clients refused with "use another server" since boot, and those evicted that keep no session"""
    release: Release = field(init=False)

    def __post_init__(self) -> None:
        self.release = release_of(self.version)
        self._phase_s = (self.booted_at + zlib.crc32(self.name.encode()) / 2**32 * SAMPLE_PERIOD_S) % SAMPLE_PERIOD_S
        self._sampled_at = self.booted_at
        self._sampled_live = self._sampled_channels = 0
        self._highest_live = self._highest_channels = 0
        self._accept_second = -1
        self._accepted = 0

    @property
    def channels(self) -> int:
        """Every client id that has a process here, connected or not."""
        return self.live + self.retained + self.virtual + self.unmoved

    @property
    def sessions(self) -> int:
        """Sessions as this version counts them: all channels, or before 4.4.24 those of clean start 0."""
        if self.release >= ALL_CHANNELS_ARE_SESSIONS_SINCE:
            return self.channels
        in_cohorts = self.cohorts_live if self.live_keep_sessions else 0
        return self.retained + self.virtual + self.sockets_clean_start_0 + in_cohorts

    @property
    def cohorts_live(self) -> int:
        return self.live - self.sockets

    @property
    def available(self) -> bool:
        """Takes part: neither evacuating nor giving clients away to balance the cluster."""
        return self.evacuation is None and not self.rebalancing

    @property
    def refusing(self) -> bool:
        """Answers every new CONNECT with "use another server"."""
        return not self.available

    @property
    def api_reachable(self) -> bool:
        return self.running and not self.faults.api_down

    def admit(self, arriving: int, now: float) -> int:
        """How many of `arriving` connections the listener accepts within the running second."""
        second = math.floor(now)
        if second != self._accept_second:
            self._accept_second, self._accepted = second, 0
        admitted = max(0, min(arriving, self.accept_limit_per_s - self._accepted))
        self._accepted += admitted
        return admitted

    def touch(self, now: float) -> None:
        """Take the sample that was due since the last change. Call before every change of a count."""
        due_at = now - (now - self._phase_s) % SAMPLE_PERIOD_S
        if due_at > self._sampled_at and not self.faults.stats_frozen:
            self._sampled_at = due_at
            self._sampled_live = live = self.live
            self._sampled_channels = channels = self.channels
            if live > self._highest_live:
                self._highest_live = live
            if channels > self._highest_channels:
                self._highest_channels = channels

    def sampled(self, now: float) -> dict[str, int]:
        """What `/stats` shows: the counts of this node's last sample, and the highest ever sampled."""
        self.touch(now)
        stats: dict[str, int] = {}
        for key in ("connections", "channels", "sessions"):
            stats[f"{key}.count"] = self._sampled_channels
            stats[f"{key}.max"] = self._highest_channels
        stats["live_connections.count"] = self._sampled_live
        stats["live_connections.max"] = self._highest_live
        return stats
