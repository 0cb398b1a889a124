"""PURE: what the list of clusters and `emqx-tui get` ask of a row, worked out once; each only words it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import needs_person
from emqx_tui.session.views.fleet_view import ClusterRow

if TYPE_CHECKING:
    from emqx_tui.session.views.view import View


class ClusterState(StrEnum):
    """What a cluster does, in the word that `get` prints."""

    DELETING = "Deleting"
    UNREADABLE = "Unreadable"
    HELD = "Held"
    NO_DRIVER = "NoDriver"
    """A release is under way, and no console drives it."""
    WAITING = "Waiting"
    """For a person, at a gate."""
    ABORTING = "Aborting"
    LOST = "Lost"
    RELEASING = "Releasing"
    UNGATED = "Ungated"
    """The operator runs a release by itself: nobody has to approve anything."""
    STOPPED = "Stopped"
    """A release without a journal stands half-way, and the operator is held."""
    NEW = "New"
    DEGRADED = "Degraded"
    RUNNING = "Running"
    NOT_RUNNING = "NotRunning"


@dataclass(frozen=True)
class Versions:
    """Of a release: the version that blue has, and the one that green has."""

    before: str
    after: str


def cluster_state(row: ClusterRow) -> ClusterState:
    """What a cluster does, the most urgent first."""
    if row.resource.meta.deleting:
        return ClusterState.DELETING
    if row.unreadable:
        return ClusterState.UNREADABLE
    if row.is_held:
        return ClusterState.HELD
    if row.phase is Phase.LOST:
        return ClusterState.LOST
    if row.is_orphan:
        return ClusterState.STOPPED
    if row.is_undriven:
        return ClusterState.NO_DRIVER
    if row.gate:
        return ClusterState.WAITING
    if row.phase is Phase.ABORTING:
        return ClusterState.ABORTING
    if row.phase not in FINAL or (row.is_gated and not row.is_left):
        return ClusterState.RELEASING
    if row.ungated or row.resource.blue_green_status is not None:
        return ClusterState.UNGATED
    return _state_at_rest(row)


def _state_at_rest(row: ClusterRow) -> ClusterState:
    ready, wanted = readiness(row)
    if row.resource.condition is None:
        return ClusterState.NEW
    if ready is not None and ready < wanted:
        return ClusterState.DEGRADED
    return ClusterState.RUNNING if row.resource.is_running else ClusterState.NOT_RUNNING


def readiness(row: ClusterRow) -> tuple[int | None, int]:
    """(pods that are Ready, pods that should be)."""
    ready = row.ready if row.ready is not None else row.resource.ready_replicas
    return ready, row.wanted if row.wanted is not None else row.resource.replicas


def row_versions(row: ClusterRow) -> Versions:
    """The version that is left and the one that is moved to: the same while no release runs.

    From the journal; where that was not read, from what the object asks for and what its status lists.
    """
    if row.to_version:
        return Versions(row.from_version, row.to_version)
    wanted = row.resource.image.version
    if not row.is_releasing:
        return Versions(wanted, wanted)
    older = sorted({node.version for node in row.resource.status_nodes if node.version not in ("", wanted)})
    return Versions(older[0] if older else wanted, wanted)


def with_view(row: ClusterRow, view: View | None) -> ClusterRow:
    """The row with what a session has derived: phase, the gate that waits for a person, hold, and pods."""
    if view is None:
        return row
    # Only where a release runs: what it takes to judge one is half of what a list would load.
    from emqx_tui.session.views import facts

    gate, journal = view.decision.gate, view.journal
    pods = view.snapshot.generations if view.snapshot.pods.read_at is not None else ()
    versions = facts.versions(journal) if journal and facts.is_under_way(view) else Versions("", "")
    return replace(
        row,
        from_version=versions.before,
        to_version=versions.after,
        phase=view.decision.phase,
        gate=gate.id if gate and journal and gate.is_open and needs_person(gate.kind, journal.approval) else None,
        ungated=(found := facts.ungated(view)),
        is_orphan=found is not None and found.is_stopped,
        is_left=facts.unjournaled(view) is facts.Unjournaled.LEFT,
        is_held=bool(journal and journal.hold and not view.result),
        ready=sum(generation.ready for generation in pods) if pods else row.ready,
        wanted=sum(generation.replicas for generation in pods) if pods else row.wanted,
    )
