"""When a broker ended, and who was on it until then.

A watch that was silent for a while brings the end late: what was counted in the pod since then are clients of the next
broker, not of the one that ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Member

WHOLE_SECONDS = timedelta(seconds=1)
"""Kubernetes tells instants without their fractions."""


def counted_until(member: Member | None, uid: str, restarts: int, now: datetime) -> datetime:
    """Counts up to then are those of a broker that has ended; `member` stands in its place now.

    It ran in the pod `uid`, whose container had been restarted `restarts` times: the last end that Kubernetes tells of
    may be that of the broker before it.
    """
    if member is None:
        return now
    if member.pod.meta.uid != uid:
        told = member.pod.meta.created_at
    else:
        container = member.pod.broker
        last = container.last if container and container.restarts > restarts else None
        end = (container and container.ended) or last
        told = end.finished_at if end else None
    return now if told is None else min(now, told + WHOLE_SECONDS)


def last_count(recent: Iterable[Sample], pod: str, until: datetime) -> int | None:
    """Clients on it in the newest sample that is not later; None without any."""
    counts = [sample.nodes[pod] for sample in recent if sample.at <= until and pod in sample.nodes]
    return counts[-1] if counts else None
