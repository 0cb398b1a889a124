"""The release: create green, cut over, drain blue node by node.

Protective commands are always sent; advancing ones only when their gate is approved, every check of that gate passes
at this moment, and nothing is held.
"""

from __future__ import annotations

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Member
from emqx_tui.model.workloads import StatefulSet
from emqx_tui.rollout.addresses import endpoint_commands, service_commands, without_dead
from emqx_tui.rollout.checks import gate_checks, gates
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    Scale,
    StartDrain,
    StopDrain,
    Target,
    WriteEndpoints,
)
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.gate_id import START
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import next_closed
from emqx_tui.rollout.steps import finish


def commands(context: RolloutContext, phase: Phase) -> list[Command]:
    """Everything that is to be sent now."""
    wanted = protective(context, phase)
    if phase is Phase.FINISHING:
        wanted += _finishing(context)
    if not context.is_held:
        wanted += advancing(context, phase)
    if phase in (Phase.CANARY, Phase.CUTTING_OVER) and not any(isinstance(c, WriteEndpoints) for c in wanted):
        wanted += without_dead(context)
    return wanted


def protective(context: RolloutContext, phase: Phase) -> list[Command]:
    """Close the valve, nudge, repair Endpoints, stop drains on a freeze: always allowed."""
    if context.resource is None or phase in (Phase.STARTING, Phase.DONE, Phase.LOST):
        return []
    wanted: list[Command] = []
    if closing := close_valve(context, phase):
        if not finish.is_valve_stuck(context):
            return [closing]
        wanted = [closing]
    wanted += [c for c in endpoint_commands(context, phase) if not c.advancing]
    if phase is not Phase.FINISHING:
        wanted += service_commands(context)
    wanted += stops(context, context.snapshot.members)
    if phase is not Phase.FINISHING and closing is None:
        wanted += _passes_needed(context)
    return wanted


def close_valve(context: RolloutContext, phase: Phase) -> CloseValve | None:
    """Close the valve when it is open and should not be: whatever template the object asks for by now."""
    if context.is_valve_closed or phase is Phase.STARTING:
        return None
    if phase is Phase.FINISHING and context.is_reset and finish.is_gone(context.blue):
        return None
    if context.resource is None or context.resource.blue_green is None:
        return None
    return CloseValve(finish.resource_target(context), next_closed(context.valve_s))


def stops(context: RolloutContext, members: tuple[Member, ...]) -> list[Command]:
    """Stop running drains: all of them on a freeze, those at other rates so that they start again at the new ones.

    A freeze also stops what nobody approved: the person who freezes wants no client to be moved.
    """
    wanted: list[Command] = []
    rates = context.journal.rates
    for member in members:
        evacuation = member.evacuation
        if evacuation is None:
            continue
        is_ours = context.is_drain_approved(member)
        is_over = evacuation.state is EvacuationState.PROHIBITING
        if is_over if is_ours else not context.is_frozen:
            continue
        told = (evacuation.conn_evict_rate_per_s, evacuation.sess_evict_rate_per_s)
        other_rate = None not in told and told != (rates.conn_evict_rate_per_s, rates.sess_evict_rate_per_s)
        may_restart = not context.is_held and evacuation.evicts_connections
        if context.is_frozen or (other_rate and may_restart):
            reason = "frozen" if context.is_frozen else "other rates"
            wanted.append(StopDrain(member.pod.namespace, member.name, evacuation.node, reason))
    return wanted


def _passes_needed(context: RolloutContext) -> list[Command]:
    """Nudges: to be seen as complete, to force a reset after a lost pod, to unfreeze a gate."""
    green = context.green
    if context.stale_kube:
        return []
    if green is None or green.replicas == 0:
        applied_s = context.expectations.seconds_since_sent(ApplyTemplate.name, context.now)
        if applied_s < context.policy.ask_again_s or not context.is_settled:
            # It builds green in the very pass that the first patch has caused: a nudge would only get in its way.
            return []
        return finish.nudge(context, "green is gone: let the operator build it")
    if context.stale_brokers:
        return []
    if context.started_at is None:
        all_joined = green.running == green.replicas == context.wanted
        return finish.nudge(context, "all green nodes are in the EMQX cluster") if all_joined else []
    if context.resource and green.replicas != context.resource.replicas and context.is_settled:
        return finish.nudge(context, "green has another size than the object asks for")
    if green.running < green.replicas or len(green.members) < green.replicas:
        return finish.nudge(context, "a green pod is away: let the operator reset and repair")
    if _frozen_gates(context):
        return finish.full_pass(context, "a re-created pod waits for its readiness gate")
    return finish.ask_again(context)


def _frozen_gates(context: RolloutContext) -> list[str]:
    """Green pods that only a full pass can make Ready.

    Blue ones cannot be helped and need not be: with green Ready the operator begins to hold again within the very pass
    that follows a cleared status, and clients of blue are sent by the Endpoints that we write ourselves.
    """
    names = {m.name for m in context.green_members}
    since = context.observations.gate_frozen_since
    limit = context.policy.frozen_gate_s
    return [name for name, at in since.items() if name in names and (context.now - at).total_seconds() >= limit]


def advancing(context: RolloutContext, phase: Phase) -> list[Command]:
    """The next step forward, if its gate is approved and its checks pass now."""
    match phase:
        case Phase.STARTING:
            return _apply_template(context)
        case Phase.CANARY | Phase.CUTTING_OVER:
            if not gate_checks.all_pass(gate_checks.run(gate_checks.CUT_OVER_CHECKS, context)):
                return []
            return [c for c in endpoint_commands(context, phase) if c.advancing]
        case Phase.DRAINING:
            return _next_drain(context) + _next_scale(context)
    return []


def _apply_template(context: RolloutContext) -> list[Command]:
    resource, journal = context.resource, context.journal
    if resource is None or not journal.is_approved(START) or context.stale_kube:
        return []
    if resource.meta.metadata_generation != journal.metadata_generation:
        return []
    if context.snapshot.blue_set is None:
        # Somebody removed it: the operator builds it again first, for nothing else is asked for.
        return []
    failure = context.expectations.failures.get(ApplyTemplate.name)
    if failure and failure.is_refusal:
        return []
    target = finish.resource_target(context)
    return [ApplyTemplate(target, journal.patch, next_closed(context.valve_s), journal.rates)]


def _next_drain(context: RolloutContext) -> list[Command]:
    member = gates.next_node(context)
    if member is None or member.node is None or not context.is_node_approved(member.ordinal):
        return []
    if not gate_checks.all_pass(gate_checks.run(gate_checks.NODE_CHECKS, context)):
        return []
    command = gates.start_drain(context, member)
    return [command] if command.recipients and may_start(context, command) else []


def may_start(context: RolloutContext, command: StartDrain) -> bool:
    """It is not in a pause between two attempts, and no other node may still be about to begin."""
    return context.unanswered_start in ("", command.pod) and not context.is_paused(command)


def _next_scale(context: RolloutContext) -> list[Command]:
    """Scale blue by one when its highest ordinal is drained, by the node's own word, and nothing is in motion."""
    blue = context.blue
    if blue is None or blue.replicas == 0:
        return []
    member = blue.member(blue.replicas - 1)
    if member is None or not may_scale_away(context, member):
        return []
    return scale(blue.stateful_set, blue.replicas - 1, f"{member.name} is drained")


def scale(found: StatefulSet, replicas: int, purpose: str) -> list[Command]:
    """Another size for a StatefulSet."""
    return [Scale(Target.of(found), found.replicas, replicas, purpose)]


def may_scale_away(context: RolloutContext, member: Member) -> bool:
    """Every condition of removing one drained blue node."""
    return not why_not_scaled_away(context, member)


def why_not_scaled_away(context: RolloutContext, member: Member) -> str:
    """The first condition of removing a drained blue node that does not hold, in a few words; empty when all do."""
    conditions = (
        (context.is_node_approved(member.ordinal), "nobody has approved it"),
        (not context.stale_brokers, context.stale_brokers),
        (not context.stale_kube, context.stale_kube),
        (context.is_valve_closed, "the valve is open"),
        (context.expectations.ack is None, "the operator has not answered a patch yet"),
        (context.is_template_applied, "the object asks for another template"),
        (not context.snapshot.third_sets, "a third StatefulSet wants pods"),
        (context.is_settled, "a pod terminates, or a StatefulSet's status lags"),
        (member.is_drained, "it is not drained"),
        (is_empty_by_own_word(context, member), "the node itself has not said that it is empty"),
        (not context.unanswered_start, f"the evacuation of {context.unanswered_start} may still begin"),
    )
    return next((why_not for holds, why_not in conditions if not holds), "")


def is_empty_by_own_word(context: RolloutContext, member: Member) -> bool:
    """The node itself reported, a moment ago, that it is evacuating and has no client left."""
    own = member.own
    if own.value is None or own.problem or not own.is_fresh(context.now, context.policy.max_own_age_s):
        return False
    return own.value.enabled and own.value.connections == 0


def _finishing(context: RolloutContext) -> list[Command]:
    if not finish.is_gone(context.blue):
        return []
    return finish.commands(context, context.green)
