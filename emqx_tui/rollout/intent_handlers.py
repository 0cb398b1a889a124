"""The answer to an intent: a changed journal, or a refusal in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import assert_never

from emqx_tui.model import units
from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import port_row
from emqx_tui.rollout.change import Rates, ReleaseSpec
from emqx_tui.rollout.checks import auto_hold, gates
from emqx_tui.rollout.checks.auto_hold import LIFTABLE
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Decision, Gate, RefusalReason
from emqx_tui.rollout.gate_id import START, GateId
from emqx_tui.rollout.intents import (
    Abort,
    Adopt,
    Approve,
    Brake,
    Freeze,
    Hold,
    Intent,
    Resume,
    SetPolicy,
    SetRates,
    Start,
    TakeOver,
)
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import Approval, needs_person
from emqx_tui.rollout.state.journal import AbortRecord, HoldRecord, Journal, Originals
from emqx_tui.rollout.steps import abort
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.adoption import adopt
from emqx_tui.rollout.ungated.ungated import close_valve, look


@dataclass(frozen=True)
class Answer:
    """Exactly one of `accepted` and `refused` is set, when a person asked."""

    journal: Journal | None
    accepted: str = ""
    refused: str = ""
    refusal: RefusalReason = RefusalReason.NOT_NOW
    opened: Gate | None = None
    """The gate that was approved, as it was judged."""


def begin(intent: Start, snapshot: Snapshot, *, release_id: str, console_version: str, now: datetime) -> Answer:
    """Open a journal for the plan, if the object is still the one that was planned with."""
    plan = intent.plan
    resource = snapshot.resource.value
    if resource is None or resource.meta.uid != plan.uid:
        return _superseded(None, "the object is gone or was re-created since the plan was made")
    if resource.meta.metadata_generation != plan.metadata_generation:
        return _superseded(None, "the object was changed since the plan was made: look at it again")
    live = [s for s in snapshot.sets if s.replicas > 0]
    service, endpoints = snapshot.listener_service, snapshot.listener_endpoints
    if len(live) != 1 or service is None or endpoints is None:
        return Answer(None, refused="the cluster is not as it was planned: one StatefulSet and its Service are needed")
    blue = live[0]
    originals = Originals(
        template=resource.template,
        template_mark=resource.template_mark,
        delay_s=plan.delay_s,
        delay_was_absent=plan.delay_was_absent,
        replicas=resource.replicas,
        blue_uid=blue.meta.uid,
        blue_name=blue.name,
        blue_revision=blue.update_revision,
        service_ports=tuple(port_row(p) for p in service.ports),
        endpoint_ports=tuple((p.name, p.port, p.protocol) for p in endpoints.ports),
        operator_image=snapshot.operator_image.value or "",
    )
    journal = Journal(
        **{field.name: getattr(plan, field.name) for field in fields(ReleaseSpec)},
        release_id=release_id,
        console_version=console_version,
        created_at=now,
        created_by=intent.by,
        originals=originals,
        overrides=intent.overrides,
    )
    evidence = fingerprint([plan.target_mark, plan.resource_version, list(intent.overrides)])
    opened = journal.with_approval(START, intent.by, now, evidence)
    return Answer(opened, accepted=f"release {plan.from_version} to {plan.to_version} begins")


def brake(snapshot: Snapshot) -> Decision:
    """Close the valve of a release that the operator runs by itself."""
    found, resource = look(snapshot), snapshot.resource.value
    if found is None or resource is None:
        return Decision(Phase.IDLE, refused="no release is under way")
    if found.is_stopped:
        return Decision(Phase.IDLE, refused="the operator is held already")
    if (close := close_valve(resource)) is None:
        return Decision(Phase.IDLE, refused="the object has no blueGreenUpdate: there is no delay to set")
    return Decision(Phase.IDLE, commands=(close,), accepted=f"the valve is being closed: {wording.stopped(found)}")


def take_over_ungated(intent: Adopt, snapshot: Snapshot, *, release_id: str, console_version: str) -> Answer:
    """Open a journal for a release that has none."""
    found = adopt(intent, snapshot, release_id=release_id, console_version=console_version)
    if found.journal is None:
        return Answer(None, refused=found.refused, refusal=found.refusal)
    done = "aborting: back to blue" if intent.goes_back else "adopted: from here on every step waits for its gate"
    return Answer(found.journal, accepted=done)


def _superseded(journal: Journal | None, refused: str) -> Answer:
    return Answer(journal, refused=refused, refusal=RefusalReason.SUPERSEDED)


def answer(intent: Intent, context: RolloutContext, phase: Phase) -> Answer:
    """Answer an intent about a release that has begun."""
    journal, now = context.journal, context.now
    waits_for_blue = abort.waits_for_blue(context, phase)
    if phase in FINAL and not waits_for_blue:
        return Answer(journal, refused=f"the release is {phase}: nothing to do")
    match intent:
        case Start() | Adopt():
            return Answer(journal, refused="a release is under way already", refusal=RefusalReason.UNDER_WAY)
        case Brake():
            return Answer(journal, refused="this release has a journal: hold it")
        case TakeOver():
            return Answer(journal, accepted="this console takes over")
        case Approve():
            return _approve(intent, context, phase)
        case Hold(by=by, reason=reason):
            told = "held: the drain that runs goes on" if context.is_draining else "held: no further step begins"
            told = "held: clients stay on green, also when blue is built again" if waits_for_blue else told
            return _hold(journal, HoldRecord(by, now, reason or "held by hand"), told)
        case Freeze(by=by, reason=reason):
            record = HoldRecord(by, now, reason or "frozen by hand", freeze=True)
            told = "frozen: the running drain is stopped" if context.is_draining else "frozen: no further step begins"
            return _hold(journal, record, told)
        case Resume():
            return _resume(context, phase, intent.by)
        case SetRates():
            return _set_rates(intent, journal)
        case SetPolicy(policy=word):
            if word not in set(Approval):
                return Answer(journal, refused=f"unknown policy {word!r}: {', '.join(Approval)}")
            return Answer(replace(journal, approval=Approval(word)), accepted=f"approval policy is now {word}")
        case Abort():
            return _abort(intent, context, phase)
    assert_never(intent)


def _hold(journal: Journal, record: HoldRecord, accepted: str) -> Answer:
    present = journal.hold
    if present is not None and (present.freeze or not record.freeze):
        return Answer(journal, refused="frozen already" if present.freeze else "held already")
    return Answer(replace(journal, hold=_on_top_of(present, record) if present else record), accepted=accepted)


def _on_top_of(present: HoldRecord, record: HoldRecord) -> HoldRecord:
    """A freeze of what is held already: why it was held is still what resuming accepts."""
    who = f"check {present.check}" if present.check else present.by
    return replace(record, check=present.check, reason=f"{record.reason}; held before by {who}: {present.reason}")


def _resume(context: RolloutContext, phase: Phase, by: str) -> Answer:
    journal = context.journal
    hold = journal.hold
    if hold is None:
        return Answer(journal, refused="nothing is held")
    resumed = replace(journal, hold=None)
    if hold.check in LIFTABLE:
        accepted = (*journal.acknowledged, hold.check)
        resumed = replace(resumed, acknowledged=accepted, acknowledged_by={**journal.acknowledged_by, hold.check: by})
    if journal.canary_failed and not journal.late_removal:
        resumed = replace(resumed, late_removal=True)
        return Answer(resumed, accepted="goes on with late removal: a blue address leaves when its node is empty")
    return Answer(resumed, accepted=_resumed_words(hold, auto_hold.alarms(context, phase)))


def _resumed_words(hold: HoldRecord, alarms: tuple[Alarm, ...]) -> str:
    """What was lifted: a figure is accepted as it is now, a fact is over, else it would hold again.

    Where the check does not alarm now, the figure is that of the hold.
    """
    if hold.check in LIFTABLE:
        alarm = next((alarm for alarm in alarms if alarm.check == hold.check), None)
        found = f": {wording.alarm(alarm)}" if alarm else f", found at {units.clock(hold.at)}Z: {hold.reason}"
        return f"resumed, accepting {hold.check}{found}"
    return f"resumed: {hold.check} passes again" if hold.check else "resumed"


def _set_rates(intent: SetRates, journal: Journal) -> Answer:
    rates = (intent.conn_evict_rate_per_s, intent.sess_evict_rate_per_s)
    if min(rates) < 1:
        return Answer(journal, refused="rates are at least 1 per second")
    new = Rates(*rates, journal.rates.wait_takeover_s)
    if new == journal.rates:
        return Answer(journal, refused=f"the rates are {rates[0]:,}/s and {rates[1]:,}/s already")
    return Answer(replace(journal, rates=new), accepted=f"rates are now {rates[0]:,}/s and {rates[1]:,}/s")


def _approve(intent: Approve, context: RolloutContext, phase: Phase) -> Answer:
    journal, hold = context.journal, context.journal.hold
    if hold is not None:
        return Answer(journal, refused=wording.held(hold), refusal=RefusalReason.HELD)
    gate = gates.next_gate(context, phase)
    if gate is None or gate.id != intent.gate:
        waiting = f"gate '{gate.id}' waits" if gate else "no gate waits"
        return Answer(journal, refused=f"'{intent.gate}' is not to be approved now: {waiting}")
    if gate.revision != intent.revision:
        return _superseded(journal, "the cluster has changed since the card was opened: look at it again")
    if not gate.is_open:
        bad = next(c for c in gate.checks if c.outcome.is_blocking)
        return Answer(journal, refused=f"not now: {bad.evidence}")
    evidence = evidence_of(gate)
    approved, last = [gate.id], gate.id.ordinal
    if last is not None:
        approved += [GateId.node(ordinal) for ordinal in range(last - 1, max(-1, last - intent.count), -1)]
    for each in approved:
        journal = journal.with_approval(each, intent.by, context.now, evidence)
    names = ", ".join(wording.gate(each, journal) for each in approved)
    return Answer(journal, accepted=f"approved: {names}", opened=gate)


def held_again(answer: Answer, hold: HoldRecord) -> Answer:
    """What resuming came to when a check holds again at once: a fact that still stands is not to be accepted."""
    if hold.check in LIFTABLE:
        return replace(answer, accepted=f"{answer.accepted}, and held again: {hold.reason}")
    return Answer(None, refused=f"{hold.check} still holds: {hold.reason}", refusal=RefusalReason.HELD)


def _abort(intent: Abort, context: RolloutContext, phase: Phase) -> Answer:
    journal = context.journal
    price = abort.cost(context, phase)
    if not price.possible:
        return Answer(journal, refused=f"no abort now: {price.why_not}")
    if price.revision != intent.revision:
        return _superseded(journal, "the cluster has changed since the card was opened: look at it again")
    evidence = fingerprint([str(phase), price.disconnects])
    record = AbortRecord(intent.by, context.now, evidence)
    return Answer(replace(journal, abort=record, hold=None), accepted="aborting: back to blue")


def evidence_of(gate: Gate) -> str:
    """The fingerprint of a gate's checks, as approvals keep it."""
    return fingerprint([[check.name, str(check.outcome), check.evidence] for check in gate.checks])


def approve_by_policy(context: RolloutContext, phase: Phase) -> tuple[Journal, Gate | None]:
    """The journal, and the gate that the policy leaves to the console and that it opens: every check passes now.

    That the operator answered some time ago is not enough: it is asked again as soon as the gate is open.
    """
    journal, kind = context.journal, gates.next_kind(context, phase)
    if context.is_held or kind is None or needs_person(kind, journal.approval):
        return journal, None
    gate = gates.next_gate(context, phase)
    if gate is None or not gate.is_open:
        return journal, None
    answered = context.snapshot.operator_answers
    if answered.value and (answered.age_s(context.now) or 0.0) > context.policy.max_operator_age_s:
        return journal, None
    approved = journal.with_approval(gate.id, f"policy {journal.approval}", context.now, evidence_of(gate))
    return approved, gate
