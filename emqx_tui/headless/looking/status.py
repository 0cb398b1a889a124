"""PURE: where a release stands, as a document for programs and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emqx_tui.headless.advice import Cluster, advise, command, set_delay, without_journal
from emqx_tui.headless.lines.events import SCHEMA, spell
from emqx_tui.headless.lines.view_diff import (
    alarm_fields,
    check_fields,
    gate_fields,
    hold_fields,
    incident_fields,
    uncounted_fields,
)
from emqx_tui.headless.lines.words import check, policy, uncounted
from emqx_tui.headless.looking.readiness import why_unreadable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Member
from emqx_tui.model.units import count, plural, span
from emqx_tui.model.wire import clean
from emqx_tui.rollout.checks.auto_hold import on_resume
from emqx_tui.rollout.checks.gate_checks import OPERATOR_DOWN
from emqx_tui.rollout.decision import CheckResult, Outcome, Step
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import needs_person
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.adoption import why_not_aborted, why_not_adopted
from emqx_tui.session.views import facts, node_facts
from emqx_tui.session.views.facts import Driving
from emqx_tui.session.views.node_facts import NodeState
from emqx_tui.session.views.view import View


def document(view: View) -> dict[str, Any]:
    """Everything, for `-o json`; unknown figures are null."""
    remaining_s, deviation = facts.remaining_s(view), facts.deviation(view)
    return {
        "schema": SCHEMA,
        "at": spell(view.now),
        "namespace": view.snapshot.namespace,
        "name": view.snapshot.name,
        **_release(view),
        **_decision(view),
        "nodes": [_node(view, member) for member in view.snapshot.members],
        **_counts(view),
        "eta_s": None if remaining_s is None else round(remaining_s),
        "behind_forecast_s": None if deviation is None else round(deviation.behind_s),
        "problems": list(_problems(view)),
    }


def _release(view: View) -> dict[str, Any]:
    found, resource, journal = facts.unjournaled(view), view.snapshot.resource.value, view.journal
    versions = facts.versions(journal) if journal else None
    return {
        "release_id": journal.release_id if journal else None,
        "phase": str(view.decision.phase),
        "text": view.decision.phase_text or None,
        "result": view.result or None,
        "without_journal": str(found) if found else None,
        "ungated": _ungated(view),
        "from": versions.before if versions else resource.image.version if resource else None,
        "to": versions.after if versions else None,
        "started_at": spell(journal.created_at) if journal else None,
        "started_by": journal.created_by if journal else None,
        "approval": str(journal.approval) if journal else None,
        "role": str(view.role),
        "driver": view.driver or None,
    }


def _ungated(view: View) -> dict[str, Any] | None:
    found = facts.ungated(view)
    if found is None:
        return None
    delay, left_s = found.delay, found.delay_left_s
    return {
        "stage": str(found.stage),
        "text": wording.ungated(found),
        "is_stopped": found.is_stopped,
        "delay_left_s": None if left_s is None else round(left_s),
        "evacuated": [member.name for member in found.evacuated],
        "next": found.next_pod or None,
        "delay": {"seconds": delay.seconds, "source": str(delay.source)} if delay else None,
        "template_known": found.template is not None,
        "why_not_adopt": why_not_adopted(found) or None,
        "why_not_abort": why_not_aborted(found) or None,
    }


def _decision(view: View) -> dict[str, Any]:
    decision, journal, gate = view.decision, view.journal, view.decision.gate
    return {
        "steps": [{"step": s.id, "state": str(s.state), "done": s.done, "total": s.total} for s in decision.steps],
        "gate": gate_fields(gate, for_person=needs_person(gate.kind, journal.approval)) if gate and journal else None,
        "hold": hold_fields(journal.hold) if journal and journal.hold else None,
        "checks": [check_fields(c) for c in decision.checks],
        "alarms": [alarm_fields(a) for a in decision.alarms],
        "incidents": [incident_fields(i) for i in decision.incidents],
        "approvals": [
            {"gate": str(a.gate), "number": a.number, "by": a.by, "at": spell(a.at)}
            for a in (journal.approvals if journal else ())
        ],
        "abort": {
            "possible": decision.abort.possible,
            "why_not": decision.abort.why_not or None,
            "disconnects": decision.abort.disconnects,
        },
    }


def _counts(view: View) -> dict[str, Any]:
    sample, ledger, journal = facts.newest_sample(view), view.ledger, view.journal
    lowest = facts.lowest_sum(view)
    return {
        "connections": {
            "blue": sample.blue if sample else None,
            "green": sample.green if sample else None,
            "sum": sample.sum if sample else None,
        },
        "ledger": {
            "evicted": ledger.evicted,
            "landed": ledger.landed,
            "bounced": ledger.bounced,
            "missing": ledger.missing,
            "on_their_way": ledger.on_their_way,
        },
        "lowest_sum": lowest.clients if lowest else None,
        "uncounted": uncounted_fields(journal) if journal else [],
        "early_clients": facts.early_clients(view),
        "nudges": facts.nudges(view),
    }


def _node(view: View, member: Member) -> dict[str, Any]:
    return {
        "node": member.name,
        "generation": str(member.colour),
        "version": member.node.version if member.node else None,
        "ready": member.pod.is_ready and not member.pod.meta.deleting,
        "state": _state(view, member),
        "not_ready": _not_ready(member),
        "restarts": member.pod.restarts,
        "evacuation": str(member.evacuation.state) if member.evacuation else None,
        "connections": member.live_connections,
        "sessions": member.sessions,
        "initial": facts.initial_clients(view, member.name),
    }


def _not_ready(member: Member) -> dict[str, str | None] | None:
    found = node_facts.why_not_ready(member)
    if found is None:
        return None
    return {
        "reason": redact_text(found.reason),
        "message": redact_text(found.message) or None,
        "image": redact_text(found.image) or None,
    }


def _state(view: View, member: Member) -> str:
    state = node_facts.node_state(view, member)
    return member.pod.trouble if state is NodeState.TROUBLE else str(state)


def lines(view: View) -> list[str]:
    """The same for people; no line is longer than its facts."""
    return [clean(line) for line in _lines(view)]


def _lines(view: View) -> Iterator[str]:
    seen, decision, journal = view.snapshot, view.decision, view.journal
    resource = seen.resource.value
    name = f"{seen.namespace}/{seen.name}"
    if journal is None:
        version = resource.image.version if resource else "?"
        well = "running" if resource and resource.is_running else "not running"
        unread = why_unreadable(view, Kind.SECRET)
        found = facts.ungated(view)
        if found:
            both = facts.ungated_versions(found)
            version = f"{both.before or '?'} to {both.after or '?'}"
        known = "a release is under way that has no journal" if found else "no release is under way"
        release = "its journal cannot be read: a release may be under way" if unread else known
        yield f"{name}  {version}  {well}, {release}"
        if facts.unjournaled(view) is facts.Unjournaled.LEFT:
            yield f"release  {wording.LEFT_CLOSED}; {set_delay(Cluster.of(view))} sets yours"
        if found:
            yield f"release  {without_journal(found, Cluster.of(view))}"
    else:
        versions = facts.versions(journal)
        text = f": {decision.phase_text}" if decision.phase_text else ""
        yield f"{name}  {versions.before} to {versions.after}  {view.result or decision.phase}{text}"
        age = span((view.now - journal.created_at).total_seconds())
        begun = "adopted" if journal.is_adopted else "begun"
        yield f"release  {journal.release_id}, {begun} {age} ago by {journal.created_by}"
        yield f"policy   {journal.approval}: {policy(journal.approval)}"
        yield f"driver   {_driver(view)}"
        yield f"steps    {' · '.join(_step(s) for s in decision.steps)}"
        yield from _nudges(view)
        yield from _waiting(view)
    yield from _nodes(view)
    yield from _clients(view)
    yield from (f"problem  {problem}" for problem in _problems(view))


def _problems(view: View) -> Iterator[str]:
    yield from (f"{source.name}: {source.problem}" for source in view.health if source.problem)
    if view.journal_problem:
        yield view.journal_problem
    if problem := view.snapshot.listener_problem:
        yield problem
    if view.snapshot.operator_answers.value is False and "operator-down" not in (a.check for a in view.decision.alarms):
        yield OPERATOR_DOWN


def _clients(view: View) -> Iterator[str]:
    if early := facts.early_clients(view):
        yield f"early    {plural(early, 'client')} connected to green by the cut-over"
    ledger = view.ledger
    if view.journal and view.journal.abort:
        if ledger.evicted:
            yield f"ledger   evicted {count(ledger.evicted)} before the abort"
    elif ledger.evicted is not None:
        unasked = f", {count(ledger.unasked)} more came by themselves" if ledger.unasked else ""
        yield (
            f"ledger   evicted {count(ledger.evicted)} = landed {count(ledger.landed)} + bounced "
            f"{count(ledger.bounced)} + missing {count(ledger.missing)}, of which {count(ledger.on_their_way)} "
            f"on their way{unasked}"
        )
    if view.journal and (lowest := facts.lowest_sum(view)):
        gaps = uncounted(uncounted_fields(view.journal))
        yield f"lowest   {plural(lowest.clients, 'client')} connected at once{gaps}"


def _driver(view: View) -> str:
    found = facts.driver(view)
    if found is not None and found.kind is Driving.THIS_CONSOLE:
        return "this console"
    if found is not None and found.kind is Driving.ANOTHER:
        return found.name
    return f"nobody: {command('rollout', Cluster.of(view))}"


def _nudges(view: View) -> Iterator[str]:
    """Worth a line once the operator needs more of them than a smooth release does."""
    sent, policy = facts.nudges(view) or 0, view.policy
    if sent > policy.quick_nudges:
        slowest = span(policy.slowest_nudge_s)
        yield f"nudges   the operator was nudged {sent} times; those for one reason slow down to one every {slowest}"


def _step(step: Step) -> str:
    nodes = f" {step.done}/{step.total}" if step.total else ""
    return f"{step.id} {step.state}{nodes}"


def _waiting(view: View) -> Iterator[str]:
    decision, journal = view.decision, view.journal
    if journal is None:
        return
    if journal.hold is not None:
        what = "frozen" if journal.hold.freeze else "held"
        yield f"hold     {what} by {journal.hold.by}: {journal.hold.reason}"
        is_alarmed = any(alarm.check == journal.hold.check for alarm in decision.alarms)
        advice = on_resume(journal.hold.check, is_alarmed=is_alarmed)
        yield f"resume   {advise((advice,), Cluster.of(view))}"
    for incident in decision.incidents:
        yield f"incident {wording.incident_so_far(incident)}"
    if decision.incidents and not decision.gate:
        running, starting = ([m.name for m in found] for found in (facts.draining(view), facts.starting(view)))
        yield f"now      {wording.drains(running, starting) or 'no drain runs'}"
    for alarm in decision.alarms:
        yield f"alarm    {alarm.check}: {wording.alarm(alarm)}"
    gate = decision.gate
    if gate is not None:
        cost = f", disconnects {plural(gate.clients, 'client')}" if gate.clients else ""
        took = f", about {span(gate.seconds)}" if gate.seconds else ""
        who = "a person" if needs_person(gate.kind, journal.approval) else f"policy {journal.approval}"
        waits = f"waits for {who if gate.is_open else 'its checks'}" if journal.hold is None else "is held"
        yield f"gate     {gate.id} {gate.target} {waits}{cost}{took}"
        for result in gate.checks:
            yield f"  {_mark(result)}   {check(check_fields(result))}"
    elif decision.phase not in (Phase.IDLE, Phase.DONE):
        for result in decision.checks:
            if result.outcome.is_blocking:
                yield f"  -      {check(check_fields(result))}"


def _mark(result: CheckResult) -> str:
    if result.is_accepted:
        return "  ! "
    return {Outcome.PASS: "ok  ", Outcome.SKIPPED: "  ? "}.get(result.outcome, "  - ")


def _nodes(view: View) -> Iterator[str]:
    rows = [("NODE", "GENERATION", "VERSION", "STATE", "CONNECTIONS", "SESSIONS")]
    for member in view.snapshot.members:
        node = _node(view, member)
        left = count(node["connections"])
        if member.evacuation and node["initial"] is not None:
            left += f" of {count(node['initial'])}"
        rows.append(
            (
                node["node"],
                node["generation"],
                node["version"] or "?",
                node["state"],
                left,
                count(node["sessions"]),
            )
        )
    yield from table(rows)
    for member in view.snapshot.members:
        if problem := _not_ready(member):
            image = f" (image {problem['image']})" if problem["image"] else ""
            message = f": {problem['message']}" if problem["message"] else ""
            yield f"pod      {member.name} is not Ready: {problem['reason']}{message}{image}"


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns as kubectl aligns them: left, three blanks between."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
