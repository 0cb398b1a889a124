"""The driver's lock: one console drives, any number look on, everybody may hold.

Another's lease is judged by the renewals that we see ourselves, never by its timestamps; a driver of this very host
whose process is gone is succeeded at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from emqx_tui.model.workloads import Lease
from emqx_tui.session.ports import Clock, Host


@dataclass(frozen=True)
class LeaseWatch:
    """The lease as last seen, and since when (monotonic wall seconds) it has not been renewed."""

    lease: Lease | None = None
    seen_at: float = 0.0


def observe(watch: LeaseWatch, lease: Lease | None, clock: Clock) -> LeaseWatch:
    """Take in what the watch tells."""
    if lease is None:
        return replace(watch, lease=None)
    known = watch.lease
    renewed = (
        known is None or known.meta.resource_version != lease.meta.resource_version or known.holder != lease.holder
    )
    return LeaseWatch(lease, clock.monotonic() if renewed else watch.seen_at)


def is_free(watch: LeaseWatch, host: Host, clock: Clock) -> bool:
    """True when nobody else drives: no lease, released, ours, expired before our eyes, or its process is dead."""
    lease = watch.lease
    if lease is None or lease.holder in ("", host.identity) or host.is_dead(lease.holder):
        return True
    return clock.monotonic() - watch.seen_at > lease.duration_s


def seconds_until_free(watch: LeaseWatch, clock: Clock) -> float:
    """Wall seconds until an unrenewed lease counts as expired."""
    if watch.lease is None:
        return 0.0
    return max(0.0, watch.lease.duration_s - (clock.monotonic() - watch.seen_at))
