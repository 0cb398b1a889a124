"""The way back, before the cut-over: Endpoints to blue, the template word for word, green away, the delay last.

Green may have clients already (the operator lists Ready pods of both colours before it begins to hold): they are
drained back to blue first, never killed. What does not need the operator does not wait for it.
"""

from __future__ import annotations

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout import finish, gates
from emqx_tui.rollout.addresses import endpoint_commands, is_switched, serving
from emqx_tui.rollout.commands import CloseValve, Command, RestoreTemplate, Scale, StopDrain, Target
from emqx_tui.rollout.decision import AbortCost, Outcome
from emqx_tui.rollout.forecast import drain_s
from emqx_tui.rollout.forward import is_empty_by_own_word
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, Phase
from emqx_tui.rollout.policy import next_closed
from emqx_tui.rollout.situation import Situation


def cost(situation: Situation, phase: Phase) -> AbortCost:
    """What going back would cost now."""
    if phase not in BEFORE_CUT_OVER:
        reason = {
            Phase.ABORTING: "an abort is under way",
            Phase.DONE: "the release is done",
            Phase.FINISHING: "blue is gone: the way back is a new release",
        }.get(phase, "after the cut-over this console has no way back yet: hold, or freeze, or go on")
        return AbortCost(False, reason)
    green = situation.green
    on_green = green.live_connections if green else 0
    seconds = None
    if on_green is not None:
        seconds = 60.0 + (drain_s(on_green, 0, situation.journal.rates) if on_green else 0.0)
    return AbortCost(True, "", on_green, seconds, gates.revision(situation, "abort", ()))


def derive(situation: Situation) -> Phase:
    """ABORTED once everything is as it was; LOST when the object is gone; ABORTING until then."""
    snapshot = situation.snapshot
    if snapshot.resource.read_at is None or snapshot.stateful_sets.read_at is None:
        return Phase.ABORTING
    if situation.resource is None or snapshot.blue_set is None:
        return Phase.LOST
    if not situation.is_template_original or not finish.is_gone(situation.green) or situation.is_valve_closed:
        return Phase.ABORTING
    blue = situation.blue
    if blue is None:
        return Phase.ABORTING
    done = all(result.outcome is Outcome.PASS for result in finish.close_out(situation, blue))
    return Phase.ABORTED if done else Phase.ABORTING


def commands(situation: Situation) -> list[Command]:
    """What the abort sends now. A hold stops its scale and its drains, nothing else."""
    if situation.resource is None:
        return []
    restoring = situation.is_template_original and finish.is_gone(situation.green)
    if not situation.is_valve_closed:
        if restoring and situation.is_reset:
            return []
        valve = next_closed(situation.valve_s)
        return [CloseValve(finish.resource_target(situation), valve)] if situation.resource.blue_green else []
    wanted: list[Command] = [c for c in endpoint_commands(situation, Phase.ABORTING) if not restoring]
    wanted += _stop_blue(situation)
    if not situation.is_template_original:
        return wanted + _restore_template(situation)
    if restoring:
        return wanted + finish.commands(situation, situation.blue)
    return wanted + _remove_green(situation)


def _stop_blue(situation: Situation) -> list[Command]:
    return [
        StopDrain(m.pod.meta.namespace, m.name, m.evacuation.node, "abort")
        for m in situation.blue_members
        if m.evacuation
    ]


def _restore_template(situation: Situation) -> list[Command]:
    """Put the template back, if blue is what it was: else the operator's next write would restart it."""
    resource, journal = situation.resource, situation.journal
    blue = situation.snapshot.blue_set
    assert resource is not None
    if situation.stale_kube or blue is None or blue.replicas != situation.wanted:
        return []
    recorded = journal.originals.blue_revision
    if recorded and not blue.update_revision == blue.current_revision == recorded:
        return []
    failure = situation.memory.failures.get(RestoreTemplate.name)
    if failure and (situation.now - failure.at).total_seconds() < 2.0:
        return []
    target = finish.resource_target(situation)
    return [RestoreTemplate(target, resource.template, journal.originals.template)]


def _remove_green(situation: Situation) -> list[Command]:
    """Drain what green has, then scale it to 0, once the operator has answered the template."""
    green, memory = situation.green, situation.memory
    assert green is not None
    if memory.ack is None and memory.sent_at.get("nudge") is None and memory.sent_at.get(RestoreTemplate.name) is None:
        # A console that was started anew does not know whether the operator has read the template: ask it.
        return finish.nudge(situation, "has the operator read the restored template?")
    if situation.is_held or situation.stale_brokers or situation.stale_kube:
        return []
    waiting = [m for m in green.members if m.is_running and not _is_empty(situation, m)]
    if waiting:
        return _drain_green(situation, waiting)
    if memory.ack is not None or green.replicas == 0 or not is_switched(situation, Phase.ABORTING):
        return []
    meta = green.stateful_set.meta
    target = Target(meta.namespace, meta.name, meta.uid, meta.resource_version)
    failure = memory.failures.get(f"scale:{meta.name}")
    if failure and (situation.now - failure.at).total_seconds() < situation.policy.scale_retry_s:
        return []
    return [Scale(target, green.replicas, 0, "abort: green has no client")]


def _is_empty(situation: Situation, member: Member) -> bool:
    """No client and no session, and none can come: drained by its own word, or never used and out of the Service."""
    if member.evacuation is not None:
        return member.is_drained and is_empty_by_own_word(situation, member)
    ips = situation.snapshot.slice_ips
    return member.live_connections == 0 and member.sessions == 0 and ips is not None and member.pod.ip not in ips


def _drain_green(situation: Situation, waiting: list[Member]) -> list[Command]:
    if not serving(situation.blue_members) or not is_switched(situation, Phase.ABORTING):
        return []
    wanted: list[Command] = []
    for member in waiting:
        if member.evacuation is not None and member.evacuation.state is not EvacuationState.UNKNOWN:
            continue
        failure = situation.memory.failures.get(f"drain:{member.name}")
        if failure and (situation.now - failure.at).total_seconds() < situation.policy.start_retry_s:
            continue
        wanted.append(gates.start_drain(situation, member))
    return wanted
