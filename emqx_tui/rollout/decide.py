"""The decision: what is thought of a snapshot, and what is to be sent.

The engine is level-triggered: everything is derived from what is seen. Each call is a pure function of its
arguments, so a console that was killed decides as if it had never been away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Colour, Snapshot
from emqx_tui.rollout import abort as backward
from emqx_tui.rollout import canary, finish, forward
from emqx_tui.rollout import intent_handlers as answers
from emqx_tui.rollout.addresses import is_switched
from emqx_tui.rollout.checks import auto_hold as detectors
from emqx_tui.rollout.checks import gate_checks as checks
from emqx_tui.rollout.checks import gates
from emqx_tui.rollout.commands import Command, StartDrain, StopDrain
from emqx_tui.rollout.context import Situation
from emqx_tui.rollout.decision import Alarm, CheckResult, Decision, Gate, Step, StepState
from emqx_tui.rollout.forecast import FINISH_S, GREEN_UP_S, drain_s
from emqx_tui.rollout.intents import Intent, Start
from emqx_tui.rollout.journal import HoldRecord, Journal
from emqx_tui.rollout.memory import Memory, after_hold, is_effect_awaited, observe, returned
from emqx_tui.rollout.phases import FINAL, Phase, is_allowed
from emqx_tui.rollout.policy import Policy


@dataclass(frozen=True)
class Context:
    """What does not change during a session."""

    policy: Policy
    console_version: str
    release_id: str = ""
    """For the next release that is begun; unique."""


def decide(
    memory: Memory,
    snapshot: Snapshot,
    journal: Journal | None,
    intent: Intent | None,
    context: Context,
) -> tuple[Decision, Memory]:
    """Judge `snapshot`; give the decision and the memory to keep. Never raises for what a cluster can look like."""
    memory = observe(memory, snapshot, journal)
    if journal is None:
        return _without_release(memory, snapshot, intent, context)
    situation = Situation(snapshot, journal, memory, context.policy)
    phase = _derive(situation)
    memory = _trends(situation, phase)
    situation = replace(situation, memory=memory)
    accepted, refused = "", ""
    if intent is not None:
        # The person was looking at what has come true, which a console that does not drive has not written down.
        situation = replace(situation, journal=_record(situation, phase, ()))
        phase = _derive(situation)
        answer = answers.answer(intent, situation, phase)
        accepted, refused = answer.accepted, answer.refused
        resumed = situation.is_held and answer.journal is not None and answer.journal.hold is None
        situation = replace(situation, journal=answer.journal or situation.journal)
        if resumed:
            situation = replace(situation, memory=after_hold(situation.memory, situation.journal))
        phase = _derive(situation)
    alarms = (*_impossible(memory.phase, phase), *detectors.alarms(situation, phase))
    situation = replace(situation, journal=_record(situation, phase, alarms))
    phase = _derive(situation)
    situation = replace(situation, journal=answers.approve_by_policy(situation, phase))
    phase = _derive(situation)
    wanted = _commands(situation, phase)
    situation = replace(situation, journal=_totals(situation, phase, wanted))
    gate = gates.next_gate(situation, phase)
    decision = Decision(
        phase=phase,
        phase_text=_phase_text(situation, phase),
        steps=_steps(situation, phase, gate),
        gate=gate,
        checks=_checks(situation, phase),
        alarms=alarms,
        commands=tuple(c for c in wanted if _is_due(situation, c)),
        journal=situation.journal,
        refused=refused,
        accepted=accepted,
        abort=backward.cost(situation, phase),
        finished=str(phase) if phase in (Phase.DONE, Phase.ABORTED) else "",
        eta_s=_eta_s(situation, phase),
    )
    return decision, _remember(situation, phase, wanted)


def _without_release(
    memory: Memory, snapshot: Snapshot, intent: Intent | None, context: Context
) -> tuple[Decision, Memory]:
    if isinstance(intent, Start):
        answer = answers.begin(
            intent,
            snapshot,
            release_id=context.release_id,
            console_version=context.console_version,
            now=snapshot.now,
        )
        if answer.journal is not None:
            clean = Memory(recent=memory.recent, ack=memory.ack)
            seen = replace(snapshot, blue_uid=answer.journal.originals.blue_uid)
            decision, kept = decide(clean, seen, answer.journal, None, context)
            return replace(decision, accepted=answer.accepted), kept
        return Decision(Phase.IDLE, refused=answer.refused), replace(memory, phase=Phase.IDLE)
    refused = "no release is running" if intent is not None else ""
    return Decision(Phase.IDLE, refused=refused), replace(memory, phase=Phase.IDLE)


def _derive(situation: Situation) -> Phase:
    return backward.derive(situation) if situation.journal.abort else forward.derive(situation)


def _is_due(situation: Situation, command: Command) -> bool:
    """Not in flight, and not sent so lately that what is seen may be from before."""
    memory, snapshot = situation.memory, situation.snapshot
    if command.key in memory.in_flight:
        return False
    failure = memory.failures.get(command.key)
    if failure is not None:
        pause_s = situation.policy.refused_retry_s if failure.is_refusal else situation.policy.retry_s
        if (situation.now - failure.at).total_seconds() < pause_s:
            return False
    read_at = snapshot.evacuations.read_at if isinstance(command, StartDrain | StopDrain) else situation.now
    return not is_effect_awaited(memory, command.key, command.name, read_at, situation.now)


def _impossible(before: Phase, after: Phase) -> tuple[Alarm, ...]:
    """A step that the table does not know: somebody changed the cluster under us, or we are wrong. Hold either way."""
    if before in FINAL or is_allowed(before, after):
        return ()
    return (Alarm("impossible-phase", f"the cluster went from '{before}' to '{after}', which no release does"),)


def _trends(situation: Situation, phase: Phase) -> Memory:
    memory = canary.watch(situation, phase)
    over = detectors.is_missing_over_limit(replace(situation, memory=memory))
    blue = situation.snapshot.blue_set
    known = memory.blue_replicas
    return replace(
        memory,
        missing_since=(memory.missing_since or situation.now) if over else None,
        blue_replicas=known if known is not None else (blue.replicas if blue else None),
    )


def _record(situation: Situation, phase: Phase, alarms: tuple[Alarm, ...]) -> Journal:
    """Write down what has come true: green's UID, the canary's verdict, the cut-over, an auto-hold."""
    journal, now = situation.journal, situation.now
    if phase in FINAL or journal.abort:
        return journal
    green = situation.green
    if green is not None and not journal.green_uid and green.colour is Colour.GREEN:
        journal = replace(journal, green_uid=green.stateful_set.meta.uid)
    if phase is Phase.CANARY:
        verdict = canary.judge(situation)
        if verdict.passed is True:
            journal = replace(journal, canary_passed_at=now)
        elif verdict.passed is False:
            hold = HoldRecord(
                "console", now, f"canary: {verdict.evidence}; its address is put back", auto=True, check="canary"
            )
            journal = replace(journal, canary_failed=verdict.evidence, hold=journal.hold or hold)
    if forward.is_cut_over_seen(situation, phase) and situation.is_cut_over_approved:
        journal = replace(journal, cut_over_at=now)
    if journal.hold is None:
        pressing = next((a for a in alarms if a.check not in journal.acknowledged), None)
        if pressing is not None:
            reason = f"{pressing.evidence} ({pressing.limit})" if pressing.limit else pressing.evidence
            journal = replace(journal, hold=HoldRecord("console", now, reason, auto=True, check=pressing.check))
    return journal


def _commands(situation: Situation, phase: Phase) -> list[Command]:
    if phase in (Phase.DONE, Phase.ABORTED, Phase.LOST):
        return []
    return backward.commands(situation) if situation.journal.abort else forward.commands(situation, phase)


def _totals(situation: Situation, phase: Phase, wanted: list[Command]) -> Journal:
    """Counters that a later driver needs."""
    journal, memory, now = situation.journal, situation.memory, situation.now
    totals = journal.totals
    if totals.first_drain_at is None and not journal.abort and forward.drain_command_sent(wanted):
        clients = situation.blue.live_connections if situation.blue else None
        totals = replace(totals, first_drain_at=now, clients=clients)
    drained = set(journal.drained)
    if journal.cut_over_at is not None and not journal.abort:
        drained |= {
            m.name for m in situation.blue_members if m.is_drained and forward.is_empty_by_own_word(situation, m)
        }
    if totals.drained_at is None and len(drained) >= situation.wanted:
        totals = replace(totals, drained_at=now)
    lows = [n for n in (totals.lowest_sum, memory.lowest_sum) if n is not None]
    totals = replace(
        totals,
        lowest_sum=min(lows) if lows else None,
        start_sum=totals.start_sum if totals.start_sum is not None else memory.start_sum,
        evicted=max(totals.evicted, memory.ledger.evicted or 0),
        returned=max(totals.returned, returned(memory, situation.snapshot)),
        initial_back=memory.initial_back,
        killed=max(totals.killed, memory.killed),
        baseline=memory.baseline,
        initial=memory.initial,
        green_baseline=memory.green_baseline,
        finished_at=totals.finished_at or (now if phase in (Phase.DONE, Phase.ABORTED) else None),
    )
    return replace(journal, totals=totals, drained=tuple(sorted(drained)))


def _remember(situation: Situation, phase: Phase, wanted: list[Command]) -> Memory:
    memory = situation.memory
    scale = next((c for c in wanted if c.name == "scale" and not situation.journal.abort), None)
    own = (scale.before, scale.after) if scale is not None and hasattr(scale, "before") else memory.own_scale  # type: ignore[union-attr]
    return replace(memory, phase=phase, own_scale=own)


def _checks(situation: Situation, phase: Phase) -> tuple[CheckResult, ...]:
    match phase:
        case Phase.CREATING_GREEN | Phase.WAITING_DELAY | Phase.READY_TO_CUT_OVER | Phase.CANARY | Phase.CUTTING_OVER:
            return checks.run(checks.CUT_OVER_CHECKS, situation)
        case Phase.DRAINING:
            return checks.run(checks.NODE_CHECKS, situation)
        case Phase.FINISHING | Phase.DONE if situation.green and situation.resource:
            return finish.close_out(situation, situation.green)
        case Phase.ABORTING | Phase.ABORTED if situation.blue and situation.resource:
            return finish.close_out(situation, situation.blue)
    return ()


def _phase_text(situation: Situation, phase: Phase) -> str:
    green = situation.green
    match phase:
        case Phase.CREATING_GREEN if green:
            return f"{green.ready}/{situation.wanted} green nodes Ready, {green.running} in EMQX"
        case Phase.WAITING_DELAY if situation.delay_over_at:
            return f"{(situation.delay_over_at - situation.now).total_seconds():.0f} s of the initial delay left"
        case Phase.CANARY:
            return canary.judge(situation).evidence
        case Phase.DRAINING:
            names = [m.name for m in situation.blue_evacuating if not m.is_drained]
            return f"draining {', '.join(names)}" if names else ""
    return ""


def _steps(situation: Situation, phase: Phase, gate: Gate | None) -> tuple[Step, ...]:
    if situation.journal.abort:
        return _abort_steps(situation, phase)
    order = {
        Phase.STARTING: 0,
        Phase.CREATING_GREEN: 0,
        Phase.WAITING_DELAY: 1,
        Phase.READY_TO_CUT_OVER: 1,
        Phase.CANARY: 1,
        Phase.CUTTING_OVER: 1,
        Phase.DRAINING: 2,
        Phase.FINISHING: 3,
        Phase.DONE: 4,
    }
    at = order.get(phase, 0)
    gone = situation.wanted - (situation.snapshot.blue_set.replicas if situation.snapshot.blue_set else 0)
    steps = []
    for index, name in enumerate(("create-green", "cut-over", "drain", "finish")):
        state = StepState.DONE if index < at else StepState.TODO
        if index == at:
            state = StepState.HELD if situation.is_held else StepState.WAITING if gate else StepState.ACTIVE
        done, total = (gone if at >= 2 else 0, situation.wanted) if name == "drain" else (0, 0)
        steps.append(Step(name, state, done, total))
    return tuple(steps)


def _abort_steps(situation: Situation, phase: Phase) -> tuple[Step, ...]:
    template_back = situation.is_template_original
    on_blue = is_switched(situation, Phase.ABORTING)
    green_gone = finish.is_gone(situation.green)
    done = (template_back and on_blue, green_gone and template_back, phase is Phase.ABORTED)
    steps, active = [], True
    for name, is_done in zip(("restore", "remove-green", "finish"), done, strict=True):
        state = StepState.DONE if is_done else StepState.ACTIVE if active else StepState.TODO
        active = active and is_done
        steps.append(Step(name, state))
    return tuple(steps)


def _eta_s(situation: Situation, phase: Phase) -> float | None:
    """Seconds to the end, gates not counted; None when a count is missing."""
    if phase in FINAL or situation.journal.abort:
        return None
    journal, policy = situation.journal, situation.policy
    order = (Phase.STARTING, Phase.CREATING_GREEN)
    total = FINISH_S
    if phase in order:
        total += GREEN_UP_S + journal.originals.delay_s
    elif phase is Phase.WAITING_DELAY and situation.delay_over_at:
        total += max(0.0, (situation.delay_over_at - situation.now).total_seconds())
    if journal.cut_over_at is None and not journal.late_removal and journal.canary_passed_at is None:
        watched = situation.memory.canary
        spent = (situation.now - watched.since).total_seconds() if watched else 0.0
        total += max(0.0, policy.canary_s - spent)
    for member in situation.blue_members:
        evacuation = member.evacuation
        if evacuation is not None and evacuation.state is EvacuationState.PROHIBITING:
            continue
        if member.live_connections is None:
            return None
        total += drain_s(member.live_connections, 0, journal.rates)
    return total
