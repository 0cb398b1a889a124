"""The way forward: build green, cut over, drain blue node by node.

Protective commands are given whatever stands in the way; advancing ones only when their gate is approved, every check
of that gate passes at this very moment, and nothing is held.
"""

from __future__ import annotations

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout import finish
from emqx_tui.rollout.addresses import endpoint_commands, is_switched, service_commands, without_dead
from emqx_tui.rollout.checks import gate_checks as checks
from emqx_tui.rollout.checks import gates
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
from emqx_tui.rollout.context import EVICTING, Situation
from emqx_tui.rollout.decision import Outcome
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import next_closed


def derive(situation: Situation) -> Phase:
    """The phase, from what is seen. Memory of what was sent plays no part."""
    journal, snapshot = situation.journal, situation.snapshot
    if snapshot.resource.read_at is None or snapshot.stateful_sets.read_at is None:
        return situation.memory.phase if situation.memory.phase is not Phase.IDLE else Phase.STARTING
    blue = snapshot.blue_set
    if situation.resource is None:
        return Phase.LOST
    if blue is None:
        # Somebody removed it: what is left to do is to set the operator free again with green.
        return _after_cut_over(situation) if snapshot.green is not None else Phase.LOST
    if situation.is_template_original and not situation.is_template_applied and snapshot.green is None:
        return Phase.STARTING
    if journal.cut_over_at is not None:
        return _after_cut_over(situation)
    green = snapshot.green
    if green is None or not green.is_complete or situation.started_at is None:
        return Phase.CREATING_GREEN
    over_at = situation.delay_over_at
    if over_at is None or situation.now < over_at:
        return Phase.WAITING_DELAY
    if not situation.is_cut_over_approved:
        return Phase.READY_TO_CUT_OVER
    if journal.late_removal or journal.canary_passed_at is not None:
        return Phase.CUTTING_OVER
    return Phase.READY_TO_CUT_OVER if journal.canary_failed else Phase.CANARY


def _after_cut_over(situation: Situation) -> Phase:
    blue = situation.blue
    if blue is not None and blue.replicas > 0:
        return Phase.DRAINING
    staying = situation.green
    if staying is None or situation.is_valve_closed or not finish.is_gone(blue):
        return Phase.FINISHING
    done = all(result.outcome is Outcome.PASS for result in finish.close_out(situation, staying))
    return Phase.DONE if done else Phase.FINISHING


def commands(situation: Situation, phase: Phase) -> list[Command]:
    """Everything that is to be sent now."""
    wanted = protective(situation, phase)
    if phase is Phase.FINISHING:
        wanted += _finishing(situation)
    if not situation.is_held:
        wanted += advancing(situation, phase)
    if phase in (Phase.CANARY, Phase.CUTTING_OVER) and not any(isinstance(c, WriteEndpoints) for c in wanted):
        wanted += without_dead(situation)
    return wanted


def protective(situation: Situation, phase: Phase) -> list[Command]:
    """Close the valve, nudge, repair Endpoints, stop what is frozen: always allowed."""
    if situation.resource is None or phase in (Phase.STARTING, Phase.DONE, Phase.LOST):
        return []
    wanted: list[Command] = []
    if closing := close_valve(situation, phase):
        if not finish.is_valve_stuck(situation):
            return [closing]
        wanted = [closing]
    wanted += [c for c in endpoint_commands(situation, phase) if not c.advancing]
    if phase is not Phase.FINISHING:
        wanted += service_commands(situation)
    wanted += stops(situation, situation.blue_evacuating)
    if phase is not Phase.FINISHING and closing is None:
        wanted += _passes_needed(situation)
    return wanted


def close_valve(situation: Situation, phase: Phase) -> CloseValve | None:
    """Close the valve when it is open and should not be: whatever template the object asks for by now."""
    if situation.is_valve_closed or phase is Phase.STARTING:
        return None
    if phase is Phase.FINISHING and situation.is_reset and finish.is_gone(situation.blue):
        return None
    if situation.resource is None or situation.resource.blue_green is None:
        return None
    return CloseValve(finish.resource_target(situation), next_closed(situation.valve_s))


def stops(situation: Situation, members: tuple[Member, ...]) -> list[Command]:
    """Stop running drains: all of them when frozen, those at other rates when they are to go on differently.

    A freeze also stops what nobody approved: the person who freezes wants no client to be moved.
    """
    wanted: list[Command] = []
    rates = situation.journal.rates
    for member in members:
        evacuation = member.evacuation
        if evacuation is None:
            continue
        is_ours = situation.journal.abort is not None or situation.is_node_approved(member.ordinal)
        is_over = evacuation.state is EvacuationState.PROHIBITING
        if is_over if is_ours else not situation.is_frozen:
            continue
        other_rate = (evacuation.conn_evict_rate_per_s, evacuation.sess_evict_rate_per_s) != (
            rates.conn_evict_rate_per_s,
            rates.sess_evict_rate_per_s,
        )
        may_restart = not situation.is_held and evacuation.state in EVICTING
        if situation.is_frozen or (other_rate and may_restart):
            reason = "frozen" if situation.is_frozen else "other rates"
            wanted.append(StopDrain(member.pod.meta.namespace, member.name, evacuation.node, reason))
    return wanted


def _passes_needed(situation: Situation) -> list[Command]:
    """Nudges: to be seen as complete, to force a reset after a lost pod, to unfreeze a gate."""
    green = situation.green
    if situation.stale_kube:
        return []
    if green is None or green.replicas == 0:
        applied_s = situation.memory.seconds_since_sent(ApplyTemplate.name, situation.now)
        if applied_s < situation.policy.ask_again_s or not situation.is_settled:
            # It builds green in the very pass that the first patch has caused: a nudge would only get in its way.
            return []
        return finish.nudge(situation, "green is gone: let the operator build it")
    if situation.stale_brokers:
        return []
    if situation.started_at is None:
        all_joined = green.running == green.replicas == situation.wanted
        return finish.nudge(situation, "all green nodes are in the EMQX cluster") if all_joined else []
    if situation.resource and green.replicas != situation.resource.replicas and situation.is_settled:
        return finish.nudge(situation, "green has another size than the object asks for")
    if green.running < green.replicas or len(green.members) < green.replicas:
        return finish.nudge(situation, "a green pod is away: let the operator reset and repair")
    if _frozen_gates(situation):
        return finish.full_pass(situation, "a re-created pod waits for its readiness gate")
    return finish.ask_again(situation)


def _frozen_gates(situation: Situation) -> list[str]:
    """Green pods that only a full pass can make Ready.

    Blue ones cannot be helped and need not be: with green Ready the operator begins to hold again within the very pass
    that follows a cleared status, and clients of blue are sent by the Endpoints that we write ourselves.
    """
    names = {m.name for m in situation.green_members}
    since = situation.memory.gate_frozen_since
    limit = situation.policy.frozen_gate_s
    return [name for name, at in since.items() if name in names and (situation.now - at).total_seconds() >= limit]


def advancing(situation: Situation, phase: Phase) -> list[Command]:
    """The next step forward, if its gate is approved and its checks pass now."""
    match phase:
        case Phase.STARTING:
            return _apply_template(situation)
        case Phase.CANARY | Phase.CUTTING_OVER:
            if not checks.all_pass(checks.run(checks.CUT_OVER_CHECKS, situation)):
                return []
            return [c for c in endpoint_commands(situation, phase) if c.advancing]
        case Phase.DRAINING:
            return _next_drain(situation) + _next_scale(situation)
    return []


def _apply_template(situation: Situation) -> list[Command]:
    resource, journal = situation.resource, situation.journal
    if resource is None or not journal.is_approved("start") or situation.stale_kube:
        return []
    if resource.meta.metadata_generation != journal.metadata_generation:
        return []
    failure = situation.memory.failures.get(ApplyTemplate.name)
    if failure and failure.is_refusal:
        return []
    target = finish.resource_target(situation)
    return [ApplyTemplate(target, journal.patch, next_closed(situation.valve_s), journal.rates)]


def _next_drain(situation: Situation) -> list[Command]:
    member = gates.next_node(situation)
    if member is None or member.node is None or not situation.is_node_approved(member.ordinal):
        return []
    if not checks.all_pass(checks.run(checks.NODE_CHECKS, situation)):
        return []
    failure = situation.memory.failures.get(f"drain:{member.name}")
    if failure and (situation.now - failure.at).total_seconds() < situation.policy.start_retry_s:
        return []
    command = gates.start_drain(situation, member)
    return [command] if command.recipients else []


def _next_scale(situation: Situation) -> list[Command]:
    """Scale blue by one when its highest ordinal is drained, by the node's own word, and nothing is in motion."""
    blue = situation.blue
    if blue is None or blue.replicas == 0:
        return []
    member = blue.member(blue.replicas - 1)
    if member is None or not may_scale_away(situation, member):
        return []
    failure = situation.memory.failures.get(f"scale:{blue.stateful_set.name}")
    if failure and (situation.now - failure.at).total_seconds() < situation.policy.scale_retry_s:
        return []
    meta = blue.stateful_set.meta
    target = Target(meta.namespace, meta.name, meta.uid, meta.resource_version)
    return [Scale(target, blue.replicas, blue.replicas - 1, f"{member.name} is drained")]


def may_scale_away(situation: Situation, member: Member) -> bool:
    """Every condition of removing one drained blue node."""
    return (
        situation.is_node_approved(member.ordinal)
        and not situation.stale_brokers
        and not situation.stale_kube
        and situation.is_valve_closed
        and situation.memory.ack is None
        and situation.is_template_applied
        and not situation.snapshot.third_sets
        and situation.is_settled
        and member.is_drained
        and is_empty_by_own_word(situation, member)
    )


def is_empty_by_own_word(situation: Situation, member: Member) -> bool:
    """The node itself said, a moment ago, that it evacuates and that no client is left on it."""
    own = member.own
    if own.value is None or own.problem or not own.is_fresh(situation.now, situation.policy.max_own_age_s):
        return False
    return own.value.enabled and own.value.connections == 0


def _finishing(situation: Situation) -> list[Command]:
    if not finish.is_gone(situation.blue):
        return []
    return finish.commands(situation, situation.green)


def drain_command_sent(wanted: tuple[Command, ...] | list[Command]) -> bool:
    """True when one of `wanted` begins a drain."""
    return any(isinstance(command, StartDrain) for command in wanted)


def is_cut_over_seen(situation: Situation, phase: Phase) -> bool:
    """The proxies use the cut-over's addresses."""
    return phase is Phase.CUTTING_OVER and is_switched(situation, phase)
