"""PURE: readings of a View that several words modules share: versions, times, who drains, why nothing may be sent."""

from __future__ import annotations

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.session.view import Role, View
from emqx_tui.ui.text import units
from emqx_tui.ui.text.marks import clean
from emqx_tui.ui.text.spans import Line, Span

BUSY = frozenset(
    {
        EvacuationState.WAITING_HEALTH_CHECK,
        EvacuationState.EVICTING_CONNS,
        EvacuationState.WAITING_TAKEOVER,
        EvacuationState.EVICTING_SESSIONS,
    }
)


def evicting(view: View) -> list[Member]:
    """Members whose clients are being moved away now."""
    return [member for member in view.snapshot.members if member.evacuation and member.evacuation.state in BUSY]


SETTLE_TICKS = 10
"""A drain's measured rate counts from then on; before, the samples from before its start are still in it."""


def pace_per_s(view: View, member: Member) -> float | None:
    """Clients per second that leave a node that evicts: as measured, at first as ordered; None when none do."""
    evacuation = member.evacuation
    measured = dict(view.rates).get(member.name)
    if evacuation is None or evacuation.state is not EvacuationState.EVICTING_CONNS:
        return None
    ordered = evacuation.conn_evict_rate_per_s
    initial, left = dict(view.drain_initial).get(member.name), member.live_connections
    is_settled = initial is not None and left is not None and initial - left >= SETTLE_TICKS * ordered
    return measured if is_settled and measured is not None else float(ordered) or None


def eta_s(view: View, member: Member) -> float | None:
    """Seconds until a node that evicts has no client left, at its pace; None while that is not known."""
    pace, left = pace_per_s(view, member), member.live_connections
    return left / pace if left is not None and pace is not None and pace >= 1 else None


def tail(name: str) -> str:
    """The end of a pod's name that tells it from its neighbours: `…86d7758868-1`."""
    parts = name.rsplit("-", 2)
    return f"…{parts[1]}-{parts[2]}" if len(parts) == 3 else name


def short_names(spans: Line, view: View) -> Line:
    """The line with every pod's name shortened to its end; nodes of one release differ there only."""
    names = {member.name for member in view.snapshot.members}
    found = []
    for span in spans:
        text = span.text
        for name in names:
            text = text.replace(name, tail(name)) if name in text else text
        found.append(Span(text, span.tone))
    return tuple(found)


def check_words(name: str) -> str:
    """A check's identifier as words."""
    return name.replace("-", " ")


def duration_s(view: View) -> float | None:
    """Seconds since the release began, or that it took; None without one."""
    if view.journal is None:
        return None
    end = view.journal.totals.finished_at or view.now
    return max(0.0, (end - view.journal.created_at).total_seconds())


def version_of(image: str) -> str:
    """The tag of an image, the whole of it when it has none."""
    tag = image.rpartition(":")[2]
    return tag if tag and "/" not in tag else image


def from_version(view: View) -> str:
    """The version that is being left."""
    return version_of(view.journal.from_image) if view.journal else "the old version"


def versions(view: View) -> str:
    """`4.4.14 → 4.4.15` during a release, else the version that is wanted."""
    if view.journal:
        return f"{version_of(view.journal.from_image)} → {version_of(view.journal.to_image)}"
    return view.snapshot.resource.value.image.version if view.snapshot.resource.value else ""


SILENT_S = 10.0
"""A driver that has not renewed its lease for this long is worth a word."""


def driver_words(view: View) -> str:
    """Who drives; of another driver also how long it has been silent."""
    match view.role:
        case Role.DRIVER:
            return "driver: you"
        case Role.WATCH_ONLY:
            return "watch only"
        case Role.SPECTATOR:
            silent = view.driver_seen_s is not None and view.driver_seen_s > SILENT_S
            since = f", silent for {units.age(view.driver_seen_s)}" if silent else ""
            return f"driver: {clean(view.driver.partition('/')[0])}{since}"
        case Role.IDLE:
            return "no driver" if view.journal and view.decision.phase not in FINAL else ""


def ready_pods(view: View) -> int:
    """Pods that are Ready; what the operator last said where no pod is known."""
    if view.snapshot.generations:
        return sum(generation.ready for generation in view.snapshot.generations)
    return view.snapshot.resource.value.ready_replicas if view.snapshot.resource.value else 0


def has_ended(view: View) -> bool:
    """A release has come to its end in this session's sight, and its record is still at hand."""
    return view.journal is not None and (bool(view.result) or view.decision.phase in (Phase.DONE, Phase.ABORTED))


def cannot_act(view: View | None, is_read_only: bool = False) -> str:
    """Why no intent can be given now; empty when one can."""
    if is_read_only:
        return "started with --read-only"
    if view is None:
        return "nothing is known of the cluster yet"
    if view.role is Role.WATCH_ONLY:
        return f"watch only: {view.role_reason or 'rights are missing'}"
    return ""
