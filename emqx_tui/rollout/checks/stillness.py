"""Does a release stand still although nobody holds it and no person is asked?

PURE. What a release waits for is either a gate, a hold, an alarm, or something that moves by itself. What should move
and has not for long is told by the `no-progress` alarm, with the check that it waits for.
"""

from __future__ import annotations

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.rollout.addresses import serving
from emqx_tui.rollout.checks import gates
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import needs_person
from emqx_tui.rollout.state.observed import Still
from emqx_tui.rollout.steps.forward import why_not_scaled_away
from emqx_tui.rollout.telling.progress import checks


def watch(context: RolloutContext, phase: Phase) -> Still | None:
    """Since when nothing has moved; None while nothing has to."""
    if not _has_to_move(context, phase):
        return None
    mark, before = _mark(context, phase), context.observations.still
    return before if before is not None and before.mark == mark else Still(mark, context.now)


def _has_to_move(context: RolloutContext, phase: Phase) -> bool:
    if phase in FINAL or context.is_held or not context.is_read:
        return False
    is_delayed = context.delay_over_at is not None and context.now < context.delay_over_at
    states = {m.evacuation.state for m in context.snapshot.members if m.evacuation}
    if (phase is Phase.WAITING_DELAY and is_delayed) or EvacuationState.WAITING_TAKEOVER in states:
        return False
    kind = gates.next_kind(context, phase)
    if kind is None or not needs_person(kind, context.journal.approval):
        return True
    # A person can open no gate that a check keeps shut.
    return gates.is_shut(context, kind)


def _mark(context: RolloutContext, phase: Phase) -> tuple[object, ...]:
    """Differs from the last one when something has moved."""
    seen, resource = context.snapshot, context.resource
    canary = context.observations.canary
    return (
        phase,
        len(context.journal.approvals),
        context.is_template_original,
        context.started_at,
        resource is not None and resource.is_running,
        seen.slice_ips,
        canary and canary.since,
        tuple((s.name, s.replicas) for s in seen.sets),
        tuple(
            (m.name, m.is_running, m.pod.is_ready, m.evacuation and (m.evacuation.state, m.live_connections))
            for m in seen.members
        ),
    )


def what_waits(context: RolloutContext, phase: Phase) -> str:
    """The check that the release waits for, with its evidence, as far as one says no."""
    failing = next((c for c in checks(context, phase) if c.outcome.is_blocking), None)
    if failing is not None:
        hint = f" ({failing.hint})" if failing.hint else ""
        return f"{failing.name}: {failing.evidence}{hint}"
    if phase is not Phase.DRAINING:
        return ""
    blue = context.blue
    top = blue.member(blue.replicas - 1) if blue else None
    if top is not None and top.evacuation is not None:
        return f"{top.name} is not scaled away: {why_not_scaled_away(context, top)}"
    return "" if serving(context.green_members) else "no green node accepts clients"
