"""PURE: the stages of a release as a console saw them: phase, waiting gate, hold, and since when.

The journal keeps approvals and the hold that stands; how long a gate waited, and holds that were lifted, are here only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import needs_person
from emqx_tui.rollout.state.journal import HoldRecord, Journal

MOST = 500
"""Stages that are kept, the newest."""


@dataclass(frozen=True)
class Stage:
    """A stretch of a release in which none of this changes; it lasts until the next one."""

    since: datetime
    phase: Phase
    gate: GateId | None = None
    """The gate that waits for a person."""
    hold: HoldRecord | None = None
    is_draining: bool = False
    """A node gives its clients away."""

    @property
    def is_waiting(self) -> bool:
        """Nothing goes on until a person acts."""
        return not self.is_draining and (self.gate is not None or self.hold is not None)


def waiting_gate(decision: Decision, journal: Journal | None) -> GateId | None:
    """The gate that is open and that nobody but a person opens; a hold comes first."""
    gate = decision.gate
    if gate is None or journal is None or journal.hold is not None:
        return None
    return gate.id if gate.is_open and needs_person(gate.kind, journal.approval) else None


def with_stage(known: tuple[Stage, ...], snapshot: Snapshot, decision: Decision, journal: Journal) -> tuple[Stage, ...]:
    """The stages up to now."""
    is_draining = any(m.evacuation is not None and m.evacuation.evicts_connections for m in snapshot.members)
    gate = waiting_gate(decision, journal)
    now = Stage(snapshot.now, decision.phase, gate, journal.hold, is_draining)
    if known and _state(known[-1]) == _state(now):
        return known
    return (*known[1 - MOST :], now)


def _state(stage: Stage) -> tuple[object, ...]:
    return (stage.phase, stage.gate, stage.hold, stage.is_draining)


def stage_at(stages: tuple[Stage, ...], at: datetime) -> Stage | None:
    """The stage at an instant; None before the first that was seen."""
    return next((stage for stage in reversed(stages) if stage.since <= at), None)


def lasting(stages: tuple[Stage, ...], until: datetime) -> Iterator[tuple[Stage, datetime]]:
    """Every stage with its end; the last one lasts `until`."""
    for stage, after in pairwise(stages):
        yield stage, after.since
    if stages:
        yield stages[-1], max(until, stages[-1].since)
