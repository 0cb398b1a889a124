"""Nodes that fail in a release: which, since when, how many clients were cut off, and whether they are back.

An incident is told, it does not hold: what follows from it (missing clients, a green that is not complete) does.
A node that the release itself takes away is no incident.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Colour, Generation, Member, Snapshot
from emqx_tui.rollout.state.broker_ends import counted_until, last_count
from emqx_tui.rollout.state.journal import Journal

LEFT_AFTER_S = 10.0
"""A broker that a few answers of EMQX leave out has not left the cluster."""
MOST = 20


class IncidentKind(StrEnum):
    """What happened to a node."""

    POD_LOST = "pod-lost"
    """Its pod was deleted, or another one stands in its place."""
    RESTARTED = "restarted"
    """Its containers ended and start again in the same pod."""
    LEFT_EMQX = "left-emqx"
    """Its pod runs, and EMQX does not list it any more."""


@dataclass(frozen=True)
class Incident:
    """One node that failed."""

    kind: IncidentKind
    pod: str
    colour: Colour
    at: datetime
    clients: int | None
    """On it when it was last counted, or the most since it left EMQX; None where nobody counted."""
    reason: str = ""
    """How its container ended."""
    back_at: datetime | None = None
    """When it was Ready and in EMQX again; None until then."""
    left: int | None = None
    """Of a node that left EMQX: how many of its clients it lost since, by its own count; None until it says."""

    @property
    def is_over(self) -> bool:
        return self.back_at is not None

    @property
    def cut_off(self) -> int | None:
        """Clients that lost their connection; None where nobody counted. A node that only lost its peers keeps them."""
        if self.kind is not IncidentKind.LEFT_EMQX:
            return self.clients
        if self.left is None or self.clients is None:
            return None
        return self.left if self.left * 2 > self.clients else 0


@dataclass(frozen=True)
class Standing:
    """A node as it was when it was last seen to run."""

    uid: str
    restarts: int
    clients: int | None
    counted_at: datetime


@dataclass(frozen=True)
class NodeWatch:
    """The nodes of a release over time. Every change gives a new value."""

    is_begun: bool = False
    standing: Mapping[str, Standing] = field(default_factory=dict)
    """By pod: nodes that ran when they were last seen."""
    absent_since: Mapping[str, datetime] = field(default_factory=dict)
    """By pod: since when EMQX leaves it out while its pod runs."""
    incidents: tuple[Incident, ...] = ()
    """Oldest first, the newest MOST of them."""


def watch(known: NodeWatch, snapshot: Snapshot, journal: Journal | None, recent: tuple[Sample, ...] = ()) -> NodeWatch:
    """Take in a new snapshot; `recent`: the samples of the last two minutes."""
    if journal is None:
        return NodeWatch()
    if snapshot.pods.read_at is None or snapshot.stateful_sets.read_at is None:
        return known
    now = snapshot.now
    found = [] if known.is_begun else list(_before(snapshot, journal))
    standing: dict[str, Standing] = {}
    absent: dict[str, datetime] = {}
    for generation, name, member in _wanted(snapshot, journal):
        before = known.standing.get(name)
        if member is not None and _is_absent(member, snapshot):
            absent[name] = known.absent_since.get(name, now)
        incident = _incident(before, name, generation.colour, member, absent.get(name), now) if before else None
        if incident is not None and before is not None:
            found.append(_with_count(incident, before, member, recent))
        elif member is not None and member.is_running:
            standing[name] = _standing(before, member, snapshot.stats.read_at or now)
        elif before is not None:
            standing[name] = before
    incidents = tuple(_settled(incident, snapshot) for incident in (*known.incidents, *found))
    return NodeWatch(True, standing, absent, incidents[-MOST:])


def _wanted(snapshot: Snapshot, journal: Journal) -> Iterator[tuple[Generation, str, Member | None]]:
    """The places that have a node as long as nobody takes it away on purpose."""
    for generation in (snapshot.blue, snapshot.green):
        if generation is None or (journal.abort and generation.colour is Colour.GREEN):
            continue
        for ordinal in range(generation.replicas):
            name = f"{generation.stateful_set.name}-{ordinal}"
            if name not in journal.drained:
                yield generation, name, generation.member(ordinal)


def _is_absent(member: Member, snapshot: Snapshot) -> bool:
    is_told = snapshot.nodes.value is not None and not snapshot.nodes.problem
    is_up = member.pod.containers_ready and not member.pod.meta.deleting
    return is_told and is_up and not member.is_joined


def _incident(
    before: Standing,
    name: str,
    colour: Colour,
    member: Member | None,
    absent_since: datetime | None,
    now: datetime,
) -> Incident | None:
    """What became of a node that ran; None while it does, or while nobody can tell."""
    if member is None or member.pod.meta.deleting or member.pod.meta.uid != before.uid:
        return Incident(IncidentKind.POD_LOST, name, colour, now, before.clients)
    if member.pod.restarts > before.restarts:
        return Incident(IncidentKind.RESTARTED, name, colour, now, before.clients, last_end(member))
    if absent_since is not None and (now - absent_since).total_seconds() >= LEFT_AFTER_S:
        return Incident(IncidentKind.LEFT_EMQX, name, colour, absent_since, before.clients)
    return None


def last_end(member: Member) -> str:
    """How a container of the node ended last; empty when the pod does not say."""
    ends = (container.ended or container.last for container in member.pod.containers)
    return next((str(end) for end in ends if end is not None), "")


def _with_count(incident: Incident, before: Standing, member: Member | None, recent: tuple[Sample, ...]) -> Incident:
    """Without those who came to the next broker in its pod before anybody heard of its end."""
    until = counted_until(member, before.uid, before.restarts, incident.at)
    if incident.kind is IncidentKind.LEFT_EMQX or before.counted_at <= until:
        return incident
    return replace(incident, clients=last_count(recent, incident.pod, until))


def _standing(before: Standing | None, member: Member, now: datetime) -> Standing:
    counted = member.live_connections
    last = before.clients if before else None
    if counted is None or (counted == 0 and not member.evacuation and last):
        # A broker that stops drops its clients a moment before its pod is seen to stop.
        return Standing(member.pod.meta.uid, member.pod.restarts, last, before.counted_at if before else now)
    return Standing(member.pod.meta.uid, member.pod.restarts, counted, now)


def _settled(incident: Incident, snapshot: Snapshot) -> Incident:
    if incident.is_over:
        return incident
    member = next((m for m in snapshot.members if m.name == incident.pod), None)
    if incident.kind is IncidentKind.LEFT_EMQX and member is not None:
        incident = _counted(incident, member.live_connections)
    is_back = member is not None and member.is_running and member.pod.is_ready
    if incident.kind is IncidentKind.LEFT_EMQX:
        # Peers restart a broker when it joins them again: what that costs is known by its first count.
        is_back = is_back and member is not None and member.live_connections is not None
    return replace(incident, back_at=snapshot.now) if is_back else incident


def _counted(incident: Incident, now_on_it: int | None) -> Incident:
    if now_on_it is None:
        return incident
    most = max(incident.clients or 0, now_on_it)
    return replace(incident, clients=most, left=max(incident.left or 0, most - now_on_it))


def _before(snapshot: Snapshot, journal: Journal) -> Iterator[Incident]:
    """What pods themselves tell of the time before anybody looked here."""
    for generation, name, member in _wanted(snapshot, journal):
        begun_at = journal.cut_over_at if generation.colour is Colour.GREEN else journal.created_at
        if member is None or begun_at is None:
            continue
        created_at = member.pod.meta.created_at
        ends = [c.last.finished_at for c in member.pod.containers if c.last and c.last.finished_at]
        if created_at is not None and created_at > begun_at:
            yield Incident(IncidentKind.POD_LOST, name, generation.colour, created_at, None)
        elif ends and max(ends) > begun_at:
            yield Incident(IncidentKind.RESTARTED, name, generation.colour, max(ends), None, last_end(member))
