"""Instants of virtual time as the Kubernetes API writes them.

Virtual time is seconds since the epoch as a float; the wire has RFC 3339 in UTC, whole seconds for `Time` and six
digits for `MicroTime`. Nothing here reads a clock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def _whole(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339(instant: float) -> str:
    """`Time`: cut to the whole second, as Go's marshaller does."""
    return _whole(int(instant))


def parse_rfc3339(text: str) -> float:
    """The instant that `Time` or `MicroTime` text means; ValueError when it is neither."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
