"""When a broker ended, and who was on it until then.

A watch that was silent for a while brings the end late: what was counted in the pod since then are clients of the next
broker, not of the one that ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Member

UNCOUNTED_S = 12.0
"""Counts further apart leave a stretch of which nobody knows. A driver renews its lease more often than this."""
DROPS_BEFORE_S = 5.0
"""A broker that stops drops its clients some samples before it is seen to be gone."""
SAMPLED_LATE_S = 3.0
"""A count is up to two seconds old, and EMQX evicts in rounds of one."""
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
        told = min((at for at in (end and end.finished_at, member.pod.meta.deleting_since) if at), default=None)
    return now if told is None else min(now, told + WHOLE_SECONDS)


def last_count(recent: Iterable[Sample], pod: str, until: datetime) -> int | None:
    """Clients on it in the newest sample that is not later; None without any."""
    counts = [sample.nodes[pod] for sample in recent if sample.at <= until and pod in sample.nodes]
    return counts[-1] if counts else None


def least_left(recent: Iterable[Sample], pod: str, rate_per_s: int, until: datetime) -> int:
    """Clients that a drain cannot have evicted by `until`, by the counts of the last seconds: a broker that stops cuts
    them off. 0 where nobody counted."""
    since = until - timedelta(seconds=DROPS_BEFORE_S)
    late = [(until - s.at, s.nodes[pod]) for s in recent if since <= s.at <= until and pod in s.nodes]
    left = (n - round(rate_per_s * (age.total_seconds() + SAMPLED_LATE_S)) for age, n in late)
    return max(left, default=0)
