"""What a driver keeps from one decision to the next. Safety does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from emqx_tui.model.frozen import changed
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state import observations
from emqx_tui.rollout.state.expectations import Expectations
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.observed import Observations


@dataclass(frozen=True)
class Memory:
    """The phase that was seen last, what is awaited, and what only shows over time."""

    phase: Phase = Phase.IDLE
    journal: Journal | None = None
    """The journal under which `phase` was settled."""
    was_held: bool = False
    expectations: Expectations = field(default_factory=Expectations)
    observations: Observations = field(default_factory=Observations)

    def afresh(self, *, is_stopped: bool = False) -> Self:
        """Another release begins, or this one has ended: only the recent counts and the brokers that run go on.

        `is_stopped`: the operator was stopped in it. Until it has answered that patch, a pass of before may still act.
        """
        awaited = Expectations(ack=self.expectations.ack) if is_stopped else Expectations()
        known = self.observations
        return type(self)(expectations=awaited, observations=Observations(recent=known.recent, standing=known.standing))

    def took_over(self, since: datetime) -> Self:
        """This console drives from now on; `since` then nobody else was seen to."""
        return changed(self, observations=changed(self.observations, driven_since=since))


def observe(memory: Memory, snapshot: Snapshot, journal: Journal | None) -> Memory:
    """Take in a new snapshot."""
    memory = changed(
        memory,
        expectations=memory.expectations.observed(snapshot.resource.value),
        observations=observations.observe(memory.observations, snapshot, journal),
    )
    return after_hold(memory, journal)


def after_hold(memory: Memory, journal: Journal | None) -> Memory:
    """Refusals are forgotten when a hold is lifted: else they would hold again before anything is tried anew."""
    is_held = journal is not None and journal.hold is not None
    if is_held is memory.was_held:
        return memory
    expectations = memory.expectations if is_held else memory.expectations.forgiven()
    return changed(memory, was_held=is_held, expectations=expectations)
