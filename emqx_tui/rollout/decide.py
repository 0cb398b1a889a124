"""One decision: a snapshot, the journal and an intent in; the view of the release and the commands to send out.

Level-triggered: everything is derived from what is observed and from the journal, so a console that was restarted
decides as if it had never been away.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from emqx_tui.model.frozen import changed
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout import intent_handlers
from emqx_tui.rollout.checks import auto_hold, gates, stillness
from emqx_tui.rollout.commands import Command, Scale, StartDrain, StopDrain
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Decision
from emqx_tui.rollout.intents import Adopt, Brake, Intent, Resume, Start
from emqx_tui.rollout.lifecycle import locate, settle
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Policy
from emqx_tui.rollout.state import bookkeeping
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.memory import Memory, after_hold, observe
from emqx_tui.rollout.steps import abort, canary, forward
from emqx_tui.rollout.telling import progress


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
    before, memory = memory, observe(memory, snapshot, journal)
    if journal is None:
        return _without_release(memory, snapshot, intent, settings)
    context = RolloutContext(snapshot, journal, memory, settings.policy)
    phase, impossible = locate(context)
    context = _watched(context, phase)
    context, phase = _settled(context, phase, bookkeeping.with_milestones(context, phase))
    answer = intent_handlers.answer(intent, context, phase) if intent else intent_handlers.Answer(context.journal)
    decided = _decided(journal, context.journal, answer.journal)
    context, phase = _settled(context, phase, answer.journal or context.journal)
    alarms = (*impossible, *auto_hold.alarms(context, phase))
    context = _recorded(context, bookkeeping.with_auto_hold(context, phase, alarms))
    if isinstance(intent, Resume) and answer.accepted and context.journal.hold is not None:
        answer = intent_handlers.held_again(answer, context.journal.hold)
        if answer.refused:
            decision, kept = decide(before, snapshot, journal, None, settings)
            return changed(decision, refused=answer.refused, refusal=answer.refusal), kept
    approved, opened = intent_handlers.approve_by_policy(context, phase)
    context, phase = _settled(context, phase, approved)
    answer = changed(answer, opened=opened or answer.opened)
    wanted = _commands(context, phase)
    context = _recorded(context, bookkeeping.with_starts(context, wanted))
    context = _recorded(context, bookkeeping.with_totals(context, phase, wanted))
    return _decision(context, phase, alarms, wanted, answer, decided), _remembered(context, phase, wanted)


def _without_release(
    memory: Memory, snapshot: Snapshot, intent: Intent | None, settings: DecisionSettings
) -> tuple[Decision, Memory]:
    idle = changed(memory, phase=Phase.IDLE, journal=None)
    match intent:
        case None:
            return Decision(Phase.IDLE), idle
        case Brake():
            return intent_handlers.brake(snapshot), idle
        case Start():
            answer = intent_handlers.begin(
                intent,
                snapshot,
                release_id=settings.release_id,
                console_version=settings.console_version,
                now=snapshot.now,
            )
        case Adopt():
            answer = intent_handlers.take_over_ungated(
                intent, snapshot, release_id=settings.release_id, console_version=settings.console_version
            )
        case _:
            return Decision(Phase.IDLE, refused="no release is running"), idle
    if answer.journal is None:
        return Decision(Phase.IDLE, refused=answer.refused, refusal=answer.refusal), idle
    seen = changed(snapshot, blue_uid=answer.journal.blue_uid, green_uid=answer.journal.green_uid)
    decision, kept = decide(memory.afresh(is_stopped=isinstance(intent, Adopt)), seen, answer.journal, None, settings)
    return changed(decision, accepted=answer.accepted), kept


def _decided(stands: Journal, before: Journal, after: Journal | None) -> Journal:
    """The journal that stands, with what a person has decided now: what this console has seen itself is left out."""
    if after is None or after is before:
        return stands
    if after.late_removal != before.late_removal:
        # Who goes on after a canary that failed has read its verdict here; the driver's is on its way.
        stands = changed(stands, canary_failed=before.canary_failed)
    names = (field.name for field in fields(Journal))
    return changed(stands, **{n: getattr(after, n) for n in names if getattr(after, n) != getattr(before, n)})


def _settled(context: RolloutContext, phase: Phase, journal: Journal) -> tuple[RolloutContext, Phase]:
    """The context with another journal, and the phase that follows from it."""
    if journal == context.journal:
        return context, phase
    is_resumed = context.is_held and journal.hold is None
    memory = after_hold(context.memory, journal) if is_resumed else context.memory
    context = changed(context, journal=journal, memory=memory)
    return context, settle(phase, context)


def _recorded(context: RolloutContext, journal: Journal) -> RolloutContext:
    """The context with another journal; the same one, and what it has worked out, when nothing was recorded."""
    return context if journal is context.journal else changed(context, journal=journal)


def _watched(context: RolloutContext, phase: Phase) -> RolloutContext:
    """The context with what is watched: the canary, missing clients, the size of blue, evictions by others."""
    known = canary.watch(context, phase)
    is_counted = not (context.suspects or context.blind)
    is_over = is_counted and context.policy.is_over_limit(known.ledger)
    blue = context.snapshot.blue_set
    missing_since = (known.missing_since or context.now) if is_over else None
    first_size = blue.replicas if known.first_blue_size is None and blue else known.first_blue_size
    still = stillness.watch(context, phase)
    known = changed(
        known,
        missing_since=missing_since,
        first_blue_size=first_size,
        still=still,
        is_uncountable=known.is_uncountable or context.are_others_evicting,
    )
    if known is context.observations:
        return context
    return changed(context, memory=changed(context.memory, observations=known))


def _commands(context: RolloutContext, phase: Phase) -> list[Command]:
    if phase in (Phase.DONE, Phase.ABORTED):
        return []
    if phase is Phase.LOST:
        return abort.without_blue(context)
    return abort.commands(context) if context.journal.abort else forward.commands(context, phase)


def _is_due(context: RolloutContext, command: Command) -> bool:
    """Not in flight, and not sent so lately that what is seen may be from before."""
    awaited = context.expectations
    if command.key in awaited.in_flight or context.is_paused(command):
        return False
    is_of_emqx = isinstance(command, StartDrain | StopDrain)
    own = context.snapshot.own.get(command.pod) if isinstance(command, StartDrain | StopDrain) else None
    read_at = (own or context.snapshot.evacuations).read_at if is_of_emqx else context.now
    return not awaited.is_effect_awaited(command, read_at, context.now)


def _decision(
    context: RolloutContext,
    phase: Phase,
    alarms: tuple[Alarm, ...],
    wanted: list[Command],
    answer: intent_handlers.Answer,
    decided: Journal,
) -> Decision:
    gate = gates.next_gate(context, phase)
    return Decision(
        phase=phase,
        phase_text=progress.phase_text(context, phase),
        steps=progress.steps(context, phase, gate),
        gate=gate,
        checks=gate.checks if gate else progress.checks(context, phase),
        alarms=alarms,
        incidents=context.observations.nodes.incidents,
        starting=tuple(member.name for member in context.starting),
        commands=tuple(command for command in wanted if _is_due(context, command)),
        journal=context.journal,
        decided=decided,
        refused=answer.refused,
        refusal=answer.refusal,
        accepted=answer.accepted,
        opened=answer.opened,
        abort=abort.cost(context, phase),
        waits_for_blue=abort.waits_for_blue(context, phase),
        finished=str(phase) if phase in (Phase.DONE, Phase.ABORTED) else "",
        eta_s=progress.eta_s(context, phase),
    )


def _remembered(context: RolloutContext, phase: Phase, wanted: list[Command]) -> Memory:
    awaited = context.expectations
    scale = next((c for c in wanted if isinstance(c, Scale) and not context.journal.abort), None)
    if scale is not None:
        awaited = changed(awaited, blue_scaled_to=scale.after)
    return changed(context.memory, phase=phase, journal=context.journal, expectations=awaited)
