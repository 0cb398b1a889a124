"""PURE: what happened between two views, as records.

Owns the comparison and the pace of repetitive lines. The same view twice tells nothing; a view after a gap tells all
that is different, so that no line depends on having seen every view in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from emqx_tui.headless.advice import Cluster, advise
from emqx_tui.headless.lines.events import Event, Record, spell
from emqx_tui.rollout.decision import Alarm, CheckResult, Gate, Outcome, Step, StepState
from emqx_tui.rollout.gate_id import START, GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import needs_person
from emqx_tui.rollout.state.journal import HoldRecord, Journal
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.incidents import Incident
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import LogLine, LogSource, View

PROGRESS_EVERY_S = 10.0
"""Cluster time between two progress lines ..."""
PROGRESS_WALL_S = 1.0
"""... and the least wall time, for simulated clusters whose time runs fast."""
GATE_AGAIN_S = 10.0
"""Cluster time after which a gate whose failing checks have changed is told again."""


@dataclass(frozen=True)
class Told:
    """What has been told so far."""

    view: View | None = None
    journal: Journal | None = None
    """The last one that was told, as the cluster has it."""
    since: datetime | None = None
    """Log lines from before this instant are not told."""
    gate: tuple[GateId, bool, tuple[str, ...]] | None = None
    gate_at: datetime | None = None
    progress_at: datetime | None = None
    progress_wall: float = float("-inf")


def begin(view: View) -> Told:
    """Tell nothing of what was there before `view`."""
    return Told(view, facts.written(view), view.now)


def diff(told: Told, view: View, wall: float) -> tuple[list[Record], Told]:
    """The records of what is new in `view`, at `wall` (monotonic seconds), and what has been told with them."""
    journal = view.journal
    release_id = journal.release_id if journal else None

    def record(event: Event, **fields: Any) -> Record:
        return Record(event, view.now, release_id, fields)

    records: list[Record] = []
    before = told.view
    if before is not None:
        for finder in (_roles, _phases, _steps, _incidents, _alarms, _sources, _notices):
            records += [record(event, **fields) for event, fields in finder(before, view)]
    if (stands := facts.written(view)) is not None:
        records += [record(event, **fields) for event, fields in journal_diff(told.journal, stands)]
        told = replace(told, journal=stands)
    # The clock of whoever wrote an Event may be ahead: nothing that is seen is still to come.
    records += [Record(event, min(at, view.now), release_id, fields) for event, at, fields in _log(told, view)]
    gate, told = _gate(told, view)
    records += [record(Event.GATE, **fields) for fields in gate]
    if _is_progress_due(told, view, wall):
        records.append(record(Event.PROGRESS, **progress(view)))
        told = replace(told, progress_at=view.now, progress_wall=wall)
    return records, replace(told, view=view)


Found = Iterator[tuple[Event, Mapping[str, Any]]]


def _roles(before: View, view: View) -> Found:
    is_other = (before.role, before.driver, before.role_reason) != (view.role, view.driver, view.role_reason)
    if is_other and view.journal is not None and not view.result:
        yield Event.ROLE, {"role": str(view.role), "driver": view.driver or None, "reason": view.role_reason or None}


def journal_diff(old: Journal | None, new: Journal) -> Found:
    """What persons and checks have decided since `old`; None tells all that `new` has."""
    if old is None or old.release_id != new.release_id:
        # Its start is told by the record of that name.
        yield from _approvals(new, {a.number for a in new.approvals if a.gate == START})
        if new.hold is not None:
            yield Event.HOLD, hold_fields(new.hold)
        return
    yield from _approvals(new, {a.number for a in old.approvals})
    if (old.approval, old.rates) != (new.approval, new.rates):
        rates = (new.rates.conn_evict_rate_per_s, new.rates.sess_evict_rate_per_s)
        fields = {"approval": str(new.approval), "conn_evict_rate": rates[0], "sess_evict_rate": rates[1]}
        yield Event.POLICY, fields
    if old.abort is None and new.abort is not None:
        yield Event.ABORT, {"by": new.abort.by}
    if old.hold != new.hold:
        yield (Event.HOLD, hold_fields(new.hold)) if new.hold is not None else (Event.RESUMED, {})


def _approvals(journal: Journal, known: set[int]) -> Found:
    for approval in journal.approvals:
        if approval.number not in known:
            yield Event.APPROVED, {"gate": str(approval.gate), "number": approval.number, "by": approval.by}


def hold_fields(hold: HoldRecord) -> Mapping[str, Any]:
    """A hold as the fields of its record."""
    return {
        "by": hold.by,
        "reason": hold.reason,
        "freeze": hold.freeze,
        "auto": hold.auto,
        "check": hold.check or None,
    }


def uncounted_fields(journal: Journal) -> list[Mapping[str, str]]:
    """The times in which nobody counted, as records of their ends."""
    return [{"from": spell(gap.since), "to": spell(gap.until)} for gap in journal.totals.uncounted]


def _phases(before: View, view: View) -> Found:
    if before.decision.phase is not view.decision.phase and view.decision.phase is not Phase.IDLE:
        yield Event.PHASE, {"phase": str(view.decision.phase), "text": view.decision.phase_text or None}


def _steps(before: View, view: View) -> Found:
    known = {step.id: (_state(step, before), step.done) for step in before.decision.steps}
    for step in view.decision.steps:
        old, new = known.get(step.id), (_state(step, view), step.done)
        if old != new and (old is not None or step.state is not StepState.TODO):
            yield Event.STEP, {"step": step.id, "state": str(new[0]), "done": step.done, "total": step.total}


def _state(step: Step, view: View) -> StepState:
    """Waiting means waiting for a person; what the policy opens by itself is active."""
    gate, journal = view.decision.gate, view.journal
    by_policy = gate is not None and journal is not None and not needs_person(gate.kind, journal.approval)
    return StepState.ACTIVE if step.state is StepState.WAITING and by_policy else step.state


def _incidents(before: View, view: View) -> Found:
    """A node that has failed, and again when it is back."""
    known = {(i.pod, i.at, i.is_over) for i in before.decision.incidents}
    for incident in view.decision.incidents:
        if (incident.pod, incident.at, incident.is_over) not in known:
            yield Event.INCIDENT, incident_fields(incident)


def incident_fields(incident: Incident) -> Mapping[str, Any]:
    """A node that has failed as the fields of its record."""
    return {
        "node": incident.pod,
        "generation": str(incident.colour),
        "kind": str(incident.kind),
        "since": spell(incident.at),
        "clients": incident.cut_off,
        "reason": incident.reason or None,
        "back_at": spell(incident.back_at) if incident.back_at else None,
        "text": wording.incident(incident),
    }


def _alarms(before: View, view: View) -> Found:
    old = {alarm.check for alarm in before.decision.alarms}
    new = {alarm.check for alarm in view.decision.alarms}
    for alarm in view.decision.alarms:
        if alarm.check not in old:
            yield Event.ALARM, {**alarm_fields(alarm), "suggestion": advise(alarm.advice, Cluster.of(view)) or None}
    for check in sorted(old - new):
        yield Event.ALARM_OVER, {"check": check}


def alarm_fields(alarm: Alarm) -> dict[str, Any]:
    return {"check": alarm.check, "evidence": alarm.evidence, "limit": wording.limit(alarm.limit) or None}


def _sources(before: View, view: View) -> Found:
    known = {source.name: source.is_ok or source.read_at is None for source in before.health}
    for source in view.health:
        if known.get(source.name, True) is not source.is_ok and source.read_at is not None:
            fields = {"source": source.name, "is_ok": source.is_ok, "problem": source.problem or None}
            yield Event.SOURCE, fields


def _notices(before: View, view: View) -> Found:
    if view.notice and view.notice_number != before.notice_number:
        yield Event.NOTICE, {"text": str(view.notice)}


# -- the log ------------------------------------------------------------------------------------------------------

Line = tuple[Event, datetime, Mapping[str, Any]]


def _log(told: Told, view: View) -> list[Line]:
    """Commands, failures and Events that are new, each repeat too. A line that arrives late is told late."""
    before = told.view.log if told.view else ()
    if before is view.log:
        return []
    known = {(at, line.text) for line in before for at in (*line.earlier, line.at)}
    fresh = [
        replace(line, at=at) for line in view.log for at in (*line.earlier, line.at) if (at, line.text) not in known
    ]
    recent = [line for line in fresh if told.since is None or line.at >= told.since]
    return [found for line in recent if (found := _line(line, view)) is not None]


def _line(line: LogLine, view: View) -> Line | None:
    match line.source:
        case LogSource.YOU if line.command:
            return Event.COMMAND, line.at, {"text": line.text, "command": line.command}
        case LogSource.OPERATOR | LogSource.KUBERNETES:
            fields = {"source": str(line.source), "text": line.text, "is_warning": line.is_alarm}
            return Event.CLUSTER, line.at, fields
        case LogSource.CONSOLE if line.is_alarm and not _is_told_otherwise(view, line.text):
            return Event.PROBLEM, line.at, {"text": line.text}
    return None


def _is_told_otherwise(view: View, text: str) -> bool:
    """As an alarm, or as a node that failed: what that costs may have become more since."""
    is_alarm = any(text == alarm.evidence for alarm in view.decision.alarms)
    return is_alarm or any(text.startswith(wording.failure(incident)) for incident in view.decision.incidents)


# -- gates and progress -------------------------------------------------------------------------------------------


def _gate(told: Told, view: View) -> tuple[list[Mapping[str, Any]], Told]:
    gate, journal = view.decision.gate, facts.written(view) or view.journal
    if gate is None and view.is_unwritten:
        # An approval that is on its way may lose a race: then the gate waits as it did.
        return [], told
    if gate is None or journal is None or journal.hold or view.result:
        # While it is held nobody can approve: resumed, its gate is told again.
        return [], replace(told, gate=None)
    for_person = needs_person(gate.kind, journal.approval)
    if not for_person and all(check.outcome is not Outcome.FAIL for check in gate.checks):
        return [], told
    state = (gate.id, gate.is_open, tuple(check.name for check in facts.not_passing(gate)))
    if state == told.gate:
        return [], told
    is_same = told.gate is not None and told.gate[0] == gate.id
    is_recent = told.gate_at is not None and (view.now - told.gate_at).total_seconds() < GATE_AGAIN_S
    was_open = is_same and told.gate is not None and told.gate[1]
    if is_same and is_recent and not (gate.is_open and not was_open):
        return [], told
    return [gate_fields(gate, for_person=for_person)], replace(told, gate=state, gate_at=view.now)


def gate_fields(gate: Gate, *, for_person: bool) -> Mapping[str, Any]:
    """A gate as the fields of its record."""
    return {
        "gate": str(gate.id),
        "waits_for": "person" if for_person and gate.is_open else "checks",
        "target": gate.target or None,
        "clients": gate.clients,
        "seconds": gate.seconds,
        "token": gate.token,
        "checks": [check_fields(check) for check in facts.not_passing(gate)],
    }


def check_fields(check: CheckResult) -> dict[str, Any]:
    return {
        "check": check.name,
        "outcome": str(check.outcome),
        "evidence": check.evidence,
        "hint": check.hint or None,
    }


def _is_progress_due(told: Told, view: View, wall: float) -> bool:
    if not facts.is_under_way(view):
        return False
    if wall - told.progress_wall < PROGRESS_WALL_S:
        return False
    return told.progress_at is None or (view.now - told.progress_at).total_seconds() >= PROGRESS_EVERY_S


def progress(view: View) -> Mapping[str, Any]:
    """The counts as the fields of a progress record."""
    sample, remaining_s = facts.newest_sample(view), facts.remaining_s(view)
    return {
        "phase": str(view.decision.phase),
        "blue": sample.blue if sample else None,
        "green": sample.green if sample else None,
        "sum": sample.sum if sample else None,
        "draining": [_draining(view, member.name) for member in view.snapshot.members if member.evacuation],
        "missing": facts.overdue(view),
        "eta_s": None if remaining_s is None else round(remaining_s),
    }


def _draining(view: View, name: str) -> dict[str, Any]:
    member = next(m for m in view.snapshot.members if m.name == name)
    rate = dict(view.rates).get(name)
    assert member.evacuation is not None
    return {
        "node": name,
        "state": str(member.evacuation.state),
        "left": member.live_connections,
        "initial": facts.initial_clients(view, name),
        "rate_per_s": None if rate is None else round(rate),
    }
