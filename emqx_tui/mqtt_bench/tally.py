"""What happened to the clients of a run: counts by reason, and times. PURE but for what it is told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

CLOSED = "closed without a word"
RESET = "connection reset"
NO_PONG = "no answer to a ping"
NO_CONNACK = "no answer to CONNECT"

REASONS = {
    0x00: "normal disconnection",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x89: "server busy",
    0x8A: "banned",
    0x8B: "server shutting down",
    0x8D: "keep alive timeout",
    0x8E: "session taken over",
    0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9F: "connection rate exceeded",
}
"""of version 5, in CONNACK and DISCONNECT"""
RETURN_CODES = {
    1: "unacceptable protocol version",
    2: "identifier rejected",
    3: "server unavailable",
    4: "bad user name or password",
    5: "not authorized",
}
"""of the older versions, in CONNACK"""


def reason(code: int) -> str:
    """`0x9c use another server`, or `3 server unavailable`."""
    if code in RETURN_CODES:
        return f"{code} {RETURN_CODES[code]}"
    return f"0x{code:02x} {REASONS.get(code, '')}".rstrip()


@dataclass
class Tally:
    """Counts of one run; times in seconds of one clock."""

    count: int
    connected: int = 0
    connects: int = 0
    """accepted ones, the first of each client included"""
    reconnects: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """CONNACKs by reason"""
    failed: Counter[str] = field(default_factory=Counter)
    """attempts that never got a CONNACK, by what went wrong"""
    disconnects: Counter[str] = field(default_factory=Counter)
    """of connected clients, by what the broker said last"""
    gave_up: int = 0
    reconnect_times_s: list[float] = field(default_factory=list)
    """from the end of a connection to the next accepted one"""
    all_connected_after_s: float | None = None

    @property
    def lost(self) -> int:
        """Clients that are not connected."""
        return self.count - self.connected

    def as_json(self) -> dict[str, object]:
        times = self.reconnect_times_s
        return {
            "count": self.count,
            "connected": self.connected,
            "lost": self.lost,
            "gave_up": self.gave_up,
            "connects": self.connects,
            "reconnects": self.reconnects,
            "all_connected_after_s": _rounded(self.all_connected_after_s),
            "refused": _counted(self.refused),
            "failed": _counted(self.failed),
            "disconnects": _counted(self.disconnects),
            "reconnect_s": {name: _rounded(percentile(times, share)) for name, share in _PERCENTILES.items()},
        }

    def as_text(self) -> str:
        rows = [
            ("connects", f"{self.connects} ({self.reconnects} of them again)"),
            ("disconnects", _listed(self.disconnects)),
            ("refused", _listed(self.refused)),
            ("failed", _listed(self.failed)),
        ]
        if self.reconnect_times_s:
            times = [f"{n} {percentile(self.reconnect_times_s, share):.2f} s" for n, share in _PERCENTILES.items()]
            rows.append(("back after", ", ".join(times)))
        first = f"{self.connected}/{self.count} connected at the end, {self.lost} lost"
        return "\n".join([first, *(f"{name:<12} {value}" for name, value in rows)])


_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all values do not exceed."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _counted(counter: Counter[str]) -> dict[str, int]:
    return {"total": counter.total(), **dict(counter.most_common())}


def _listed(counter: Counter[str]) -> str:
    if not counter:
        return "0"
    return f"{counter.total()}: " + ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
