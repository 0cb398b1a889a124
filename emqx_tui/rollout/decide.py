"""The decision: what is thought of a snapshot, and what is to be sent.

The engine is level-triggered: everything is derived from what is seen. Each call is a pure function of its
arguments, so a console that was killed decides as if it had never been away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Colour, Snapshot
from emqx_tui.rollout import abort, canary, finish, forward, intent_handlers
from emqx_tui.rollout.addresses import is_switched
from emqx_tui.rollout.checks import auto_hold, gate_checks, gates
from emqx_tui.rollout.commands import Command, Scale, StartDrain, StopDrain
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, CheckResult, Decision, Gate, RefusalReason, Step, StepState
from emqx_tui.rollout.forecast import FINISH_S, GREEN_UP_S, drain_s
from emqx_tui.rollout.intents import Intent, Start
from emqx_tui.rollout.journal import HoldRecord, Journal
from emqx_tui.rollout.memory import Memory, after_hold, observe
from emqx_tui.rollout.observations import returned
from emqx_tui.rollout.phases import FINAL, Phase, is_allowed
from emqx_tui.rollout.policy import Policy


@dataclass(frozen=True)
class DecisionSettings:
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
    settings: DecisionSettings,
) -> tuple[Decision, Memory]:
    """Judge `snapshot`; give the decision and the memory to keep. Never raises for what a cluster can look like."""
    memory = observe(memory, snapshot, journal)
    if journal is None:
        return _without_release(memory, snapshot, intent, settings)
    context = RolloutContext(snapshot, journal, memory, settings.policy)
    phase = _derive(context)
    memory = _trends(context, phase)
    context = replace(context, memory=memory)
    answer = None
    if intent is not None:
        # The person was looking at what has come true, which a console that does not drive has not written down.
        context = replace(context, journal=_record(context, phase, ()))
        phase = _derive(context)
        answer = intent_handlers.answer(intent, context, phase)
        resumed = context.is_held and answer.journal is not None and answer.journal.hold is None
        context = replace(context, journal=answer.journal or context.journal)
        if resumed:
            context = replace(context, memory=after_hold(context.memory, context.journal))
        phase = _derive(context)
    alarms = (*_impossible(memory.phase, phase), *auto_hold.alarms(context, phase))
    context = replace(context, journal=_record(context, phase, alarms))
    phase = _derive(context)
    context = replace(context, journal=intent_handlers.approve_by_policy(context, phase))
    phase = _derive(context)
    wanted = _commands(context, phase)
    context = replace(context, journal=_totals(context, phase, wanted))
    gate = gates.next_gate(context, phase)
    decision = Decision(
        phase=phase,
        phase_text=_phase_text(context, phase),
        steps=_steps(context, phase, gate),
        gate=gate,
        checks=_checks(context, phase),
        alarms=alarms,
        commands=tuple(c for c in wanted if _is_due(context, c)),
        journal=context.journal,
        refused=answer.refused if answer else "",
        refusal=answer.refusal if answer else RefusalReason.NOT_NOW,
        accepted=answer.accepted if answer else "",
        abort=abort.cost(context, phase),
        finished=str(phase) if phase in (Phase.DONE, Phase.ABORTED) else "",
        eta_s=_eta_s(context, phase),
    )
    return decision, _remember(context, phase, wanted)


def _without_release(
    memory: Memory, snapshot: Snapshot, intent: Intent | None, settings: DecisionSettings
) -> tuple[Decision, Memory]:
    if isinstance(intent, Start):
        answer = intent_handlers.begin(
            intent,
            snapshot,
            release_id=settings.release_id,
            console_version=settings.console_version,
            now=snapshot.now,
        )
        if answer.journal is not None:
            seen = replace(snapshot, blue_uid=answer.journal.originals.blue_uid)
            decision, kept = decide(memory.afresh(), seen, answer.journal, None, settings)
            return replace(decision, accepted=answer.accepted), kept
        return Decision(Phase.IDLE, refused=answer.refused, refusal=answer.refusal), replace(memory, phase=Phase.IDLE)
    refused = "no release is running" if intent is not None else ""
    return Decision(Phase.IDLE, refused=refused), replace(memory, phase=Phase.IDLE)


def _derive(context: RolloutContext) -> Phase:
    return abort.derive(context) if context.journal.abort else forward.derive(context)


def _is_due(context: RolloutContext, command: Command) -> bool:
    """Not in flight, and not sent so lately that what is seen may be from before."""
    awaited, snapshot = context.expectations, context.snapshot
    if command.key in awaited.in_flight:
        return False
    failure = awaited.failures.get(command.key)
    if failure is not None:
        pause_s = context.policy.refused_retry_s if failure.is_refusal else context.policy.retry_s
        if failure.is_within(pause_s, context.now):
            return False
    read_at = snapshot.evacuations.read_at if isinstance(command, StartDrain | StopDrain) else context.now
    return not awaited.is_effect_awaited(command, read_at, context.now)


def _impossible(before: Phase, after: Phase) -> tuple[Alarm, ...]:
    """A step that the table does not know: somebody changed the cluster under us, or we are wrong. Hold either way."""
    if before in FINAL or is_allowed(before, after):
        return ()
    return (Alarm("impossible-phase", f"the cluster went from '{before}' to '{after}', which no release does"),)


def _trends(context: RolloutContext, phase: Phase) -> Memory:
    known = canary.watch(context, phase)
    watched = replace(context, memory=replace(context.memory, observations=known))
    blue, first_size = context.snapshot.blue_set, known.first_blue_size
    known = replace(
        known,
        missing_since=(known.missing_since or context.now) if auto_hold.is_missing_over_limit(watched) else None,
        first_blue_size=first_size if first_size is not None else (blue.replicas if blue else None),
    )
    return replace(context.memory, observations=known)


def _record(context: RolloutContext, phase: Phase, alarms: tuple[Alarm, ...]) -> Journal:
    """Write down what has come true: green's UID, the canary's verdict, the cut-over, an auto-hold."""
    journal, now = context.journal, context.now
    if phase in FINAL or journal.abort:
        return journal
    green = context.green
    if green is not None and not journal.green_uid and green.colour is Colour.GREEN:
        journal = replace(journal, green_uid=green.stateful_set.meta.uid)
    if phase is Phase.CANARY:
        verdict = canary.judge(context)
        if verdict.passed is True:
            journal = replace(journal, canary_passed_at=now)
        elif verdict.passed is False:
            hold = HoldRecord(
                "console", now, f"canary: {verdict.evidence}; its address is put back", auto=True, check="canary"
            )
            journal = replace(journal, canary_failed=verdict.evidence, hold=journal.hold or hold)
    if forward.is_cut_over_seen(context, phase) and context.is_cut_over_approved:
        journal = replace(journal, cut_over_at=now)
    if journal.hold is None:
        pressing = next((a for a in alarms if a.check not in journal.acknowledged), None)
        if pressing is not None:
            reason = f"{pressing.evidence} ({pressing.limit})" if pressing.limit else pressing.evidence
            journal = replace(journal, hold=HoldRecord("console", now, reason, auto=True, check=pressing.check))
    return journal


def _commands(context: RolloutContext, phase: Phase) -> list[Command]:
    if phase in (Phase.DONE, Phase.ABORTED, Phase.LOST):
        return []
    return abort.commands(context) if context.journal.abort else forward.commands(context, phase)


def _totals(context: RolloutContext, phase: Phase, wanted: list[Command]) -> Journal:
    """Counters that a later driver needs."""
    journal, known, now = context.journal, context.observations, context.now
    totals = journal.totals
    if totals.first_drain_at is None and not journal.abort and forward.drain_command_sent(wanted):
        clients = context.blue.live_connections if context.blue else None
        totals = replace(totals, first_drain_at=now, clients=clients)
    drained = set(journal.drained)
    if journal.cut_over_at is not None and not journal.abort:
        drained |= {m.name for m in context.blue_members if m.is_drained and forward.is_empty_by_own_word(context, m)}
    if totals.drained_at is None and len(drained) >= context.wanted:
        totals = replace(totals, drained_at=now)
    lows = [n for n in (totals.lowest_sum, known.lowest_sum) if n is not None]
    totals = replace(
        totals,
        lowest_sum=min(lows) if lows else None,
        start_sum=totals.start_sum if totals.start_sum is not None else known.start_sum,
        evicted=max(totals.evicted, known.ledger.evicted or 0),
        returned=max(totals.returned, returned(known, context.snapshot)),
        initial_back=known.initial_back,
        killed=max(totals.killed, known.killed),
        baseline=known.baseline,
        initial=known.initial,
        green_baseline=known.green_baseline,
        finished_at=totals.finished_at or (now if phase in (Phase.DONE, Phase.ABORTED) else None),
    )
    return replace(journal, totals=totals, drained=tuple(sorted(drained)))


def _remember(context: RolloutContext, phase: Phase, wanted: list[Command]) -> Memory:
    awaited = context.expectations
    scale = next((c for c in wanted if isinstance(c, Scale) and not context.journal.abort), None)
    if scale is not None:
        awaited = replace(awaited, blue_scaled_to=scale.after)
    return replace(context.memory, phase=phase, expectations=awaited)


def _checks(context: RolloutContext, phase: Phase) -> tuple[CheckResult, ...]:
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


def _phase_text(context: RolloutContext, phase: Phase) -> str:
    green = context.green
    match phase:
        case Phase.CREATING_GREEN if green:
            return f"{green.ready}/{context.wanted} green nodes Ready, {green.running} in EMQX"
        case Phase.WAITING_DELAY if context.delay_over_at:
            return f"{(context.delay_over_at - context.now).total_seconds():.0f} s of the initial delay left"
        case Phase.CANARY:
            return canary.judge(context).evidence
        case Phase.DRAINING:
            names = [m.name for m in context.blue_evacuating if not m.is_drained]
            return f"draining {', '.join(names)}" if names else ""
    return ""


def _steps(context: RolloutContext, phase: Phase, gate: Gate | None) -> tuple[Step, ...]:
    if context.journal.abort:
        return _abort_steps(context, phase)
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
    gone = context.wanted - (context.snapshot.blue_set.replicas if context.snapshot.blue_set else 0)
    steps = []
    for index, name in enumerate(("create-green", "cut-over", "drain", "finish")):
        state = StepState.DONE if index < at else StepState.TODO
        if index == at:
            state = StepState.HELD if context.is_held else StepState.WAITING if gate else StepState.ACTIVE
        done, total = (gone if at >= 2 else 0, context.wanted) if name == "drain" else (0, 0)
        steps.append(Step(name, state, done, total))
    return tuple(steps)


def _abort_steps(context: RolloutContext, phase: Phase) -> tuple[Step, ...]:
    template_back = context.is_template_original
    on_blue = is_switched(context, Phase.ABORTING)
    green_gone = finish.is_gone(context.green)
    done = (template_back and on_blue, green_gone and template_back, phase is Phase.ABORTED)
    steps, active = [], True
    for name, is_done in zip(("restore", "remove-green", "finish"), done, strict=True):
        state = StepState.DONE if is_done else StepState.ACTIVE if active else StepState.TODO
        active = active and is_done
        steps.append(Step(name, state))
    return tuple(steps)


def _eta_s(context: RolloutContext, phase: Phase) -> float | None:
    """Seconds to the end, gates not counted; None when a count is missing."""
    if phase in FINAL or context.journal.abort:
        return None
    journal, policy = context.journal, context.policy
    order = (Phase.STARTING, Phase.CREATING_GREEN)
    total = FINISH_S
    if phase in order:
        total += GREEN_UP_S + journal.originals.delay_s
    elif phase is Phase.WAITING_DELAY and context.delay_over_at:
        total += max(0.0, (context.delay_over_at - context.now).total_seconds())
    if journal.cut_over_at is None and not journal.late_removal and journal.canary_passed_at is None:
        watched = context.observations.canary
        spent = (context.now - watched.since).total_seconds() if watched else 0.0
        total += max(0.0, policy.canary_s - spent)
    for member in context.blue_members:
        evacuation = member.evacuation
        if evacuation is not None and evacuation.state is EvacuationState.PROHIBITING:
            continue
        if member.live_connections is None:
            return None
        total += drain_s(member.live_connections, 0, journal.rates)
    return total
