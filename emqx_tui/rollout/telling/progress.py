"""The progress of a release: its steps, the checks of the running step, and the time left."""

from __future__ import annotations

from collections.abc import Mapping

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.rollout.addresses import is_switched, serving
from emqx_tui.rollout.checks import gate_checks
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import CheckResult, Gate, Step, StepState
from emqx_tui.rollout.forecast.forecast import FINISH_S, GREEN_UP_S, drain_s, drains_at_once, side_by_side_s
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.steps import abort, canary, finish
from emqx_tui.rollout.telling import wording

STEPS: Mapping[str, tuple[Phase, ...]] = {
    "create-green": (Phase.STARTING, Phase.CREATING_GREEN),
    "cut-over": (Phase.WAITING_DELAY, Phase.READY_TO_CUT_OVER, Phase.CANARY, Phase.CUTTING_OVER),
    "drain": (Phase.DRAINING,),
    "finish": (Phase.FINISHING,),
}
"""The steps of a release in order, and the phases of each."""


def checks(context: RolloutContext, phase: Phase) -> tuple[CheckResult, ...]:
    match phase:
        case Phase.CREATING_GREEN | Phase.WAITING_DELAY | Phase.READY_TO_CUT_OVER | Phase.CANARY | Phase.CUTTING_OVER:
            return gate_checks.run(gate_checks.CUT_OVER_CHECKS, context)
        case Phase.DRAINING:
            return gate_checks.run(gate_checks.NODE_CHECKS, context)
        case Phase.FINISHING | Phase.DONE if context.green and context.resource:
            return finish.close_out(context, context.green)
        case Phase.ABORTING | Phase.ABORTED if context.blue and context.resource:
            return finish.close_out(context, context.blue)
    return ()


def phase_text(context: RolloutContext, phase: Phase) -> str:
    green = context.green
    match phase:
        case Phase.CREATING_GREEN if green:
            return wording.strength(green, context.wanted, context.snapshot)
        case Phase.WAITING_DELAY if context.delay_over_at:
            return f"{(context.delay_over_at - context.now).total_seconds():.0f} s of the initial delay left"
        case Phase.CANARY:
            return canary.judge(context).evidence
        case Phase.DRAINING:
            names = [m.name for m in context.blue_evacuating if not m.is_drained]
            return f"draining {', '.join(names)}" if names else ""
    return ""


def steps(context: RolloutContext, phase: Phase, gate: Gate | None) -> tuple[Step, ...]:
    if context.journal.abort:
        return _abort_steps(context, phase)
    at = _step_at(phase)
    gone = context.wanted - (context.snapshot.blue_set.replicas if context.snapshot.blue_set else 0)
    found = []
    for index, name in enumerate(STEPS):
        state = StepState.DONE if index < at else StepState.TODO
        if index == at:
            state = StepState.HELD if context.is_held else StepState.WAITING if gate else StepState.ACTIVE
        done, total = (gone if at >= index else 0, context.wanted) if name == "drain" else (0, 0)
        found.append(Step(name, state, done, total))
    return tuple(found)


def _step_at(phase: Phase) -> int:
    """Index of the step that `phase` belongs to; one more than the last when all are done."""
    if phase is Phase.DONE:
        return len(STEPS)
    return next((index for index, phases in enumerate(STEPS.values()) if phase in phases), 0)


def _abort_steps(context: RolloutContext, phase: Phase) -> tuple[Step, ...]:
    template_back = context.is_template_original
    green_gone = finish.is_gone(context.green)
    done = (template_back and _is_blue_back(context), green_gone and template_back, phase is Phase.ABORTED)
    found, active = [], True
    for name, is_done in zip(("restore", "remove-green", "finish"), done, strict=True):
        state = StepState.DONE if is_done else StepState.ACTIVE if active else StepState.TODO
        active = active and is_done
        found.append(Step(name, state))
    return tuple(found)


def _is_blue_back(context: RolloutContext) -> bool:
    """All of blue serves, and the proxies use it.

    That is so before the first node of green is drained, or green scaled away. From then on it stays so: what the
    addresses lack for a moment, while green leaves or the operator writes them, undoes no step.
    """
    journal, green = context.journal, context.green
    is_green_drained = any(pod.rpartition("-")[0] != journal.originals.blue_name for pod in journal.starts)
    if is_green_drained or green is None or green.replicas == 0:
        return True
    is_whole = len(serving(context.blue_members)) >= abort.blue_size(context)
    return is_whole and is_switched(context, Phase.ABORTING)


def eta_s(context: RolloutContext, phase: Phase) -> float | None:
    """Seconds to the end, gates not counted; None when a count is missing."""
    if phase in FINAL or context.journal.abort:
        return None
    journal, policy = context.journal, context.policy
    total = FINISH_S
    if phase in STEPS["create-green"]:
        total += GREEN_UP_S + journal.originals.delay_s
    elif phase is Phase.WAITING_DELAY and context.delay_over_at:
        total += max(0.0, (context.delay_over_at - context.now).total_seconds())
    if journal.cut_over_at is None and not journal.late_removal and journal.canary_passed_at is None:
        watched = context.observations.canary
        spent = (context.now - watched.since).total_seconds() if watched else 0.0
        total += max(0.0, policy.canary_s - spent)
    drains: list[float] = []
    for member in context.blue_members:
        evacuation = member.evacuation
        if evacuation is not None and evacuation.state is EvacuationState.PROHIBITING:
            continue
        if member.live_connections is None:
            return None
        drains.append(drain_s(member.live_connections, 0, journal.rates))
    return total + side_by_side_s(drains, drains_at_once(journal.parallel_drains, len(drains)))
