"""PURE: the status bar of the rollout screen: what matters most now, and below it why, or what to do.

The most urgent thing wins; what is not known is told as not known; no result is told before the cluster shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from emqx_tui.model import units
from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout.checks.auto_hold import on_resume
from emqx_tui.rollout.decision import Alarm, Gate, Outcome
from emqx_tui.rollout.gate_id import GateKind
from emqx_tui.rollout.phases import BEFORE_CUT_OVER, Phase
from emqx_tui.rollout.policy import needs_person
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.advice import Advice, Verb
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.advice import DOT, advise, key_words
from emqx_tui.ui.rollout.names import blocked_words, check_words, short_names, tail, version_words
from emqx_tui.ui.shell.keymap import Area, spelled
from emqx_tui.ui.text.glyphs import ALARM, DONE, FAILED, FROZEN, HELD, RUNNING, SERVING, STARTING, WAITING
from emqx_tui.ui.text.spans import EMPTY, Line, Span, Tone, crop, line, wrap


@dataclass(frozen=True)
class Headline:
    """What the bar says: two lines, up to `MOST_ROWS` where evidence is longer than the screen is wide."""

    tone: Tone
    """Of the whole bar."""
    first: Line
    second: Line = EMPTY


MOST_ROWS = 4


def bar_lines(found: Headline, cells: int) -> list[Line]:
    """The bar in `cells`: at least two lines, so that nothing below moves when words change.

    Long evidence leaves two rows to what goes on and what may be done; what is cut is marked.
    """
    first, second = (wrap(spans, cells - 2) if spans else [EMPTY] for spans in (found.first, found.second))
    rows_of_second = max(MOST_ROWS - len(first), min(len(second), 2))
    rows_of_first = MOST_ROWS - min(len(second), rows_of_second)
    kept = [*_first_rows(first, rows_of_first, cells - 2), *_first_rows(second, rows_of_second, cells - 2)]
    return [(Span(" "), *part) if part else EMPTY for part in kept]


def _first_rows(rows: list[Line], most: int, cells: int) -> list[Line]:
    if len(rows) <= most:
        return rows
    return [*rows[: most - 1], crop((*rows[most - 1], Span(" " * cells)), cells)]


_PHASES = {
    Phase.STARTING: ("STARTING", "the template is being patched; no client is disconnected"),
    Phase.CREATING_GREEN: ("CREATING GREEN", "the operator creates green; nobody is moved yet"),
    Phase.WAITING_DELAY: (
        "WAITING FOR THE DELAY",
        "green is complete; your initialDelaySeconds run; nobody is moved yet",
    ),
    Phase.READY_TO_CUT_OVER: ("READY TO CUT OVER", "green is complete; nobody is moved yet"),
    Phase.CANARY: ("CANARY", "one blue address has left the Service; its node is watched for lost connections"),
    Phase.CUTTING_OVER: ("CUTTING OVER", "new connections go to green; connected clients stay where they are"),
    Phase.DRAINING: ("DRAINING", "clients move from blue to green, node by node"),
    Phase.FINISHING: ("FINISHING", "blue is gone; your own delay is restored once the operator has seen that"),
    Phase.ABORTING: ("GOING BACK TO BLUE", "clients move back to blue; then green is removed"),
}


def headline(view: View) -> Headline:
    """What matters most now."""
    found = _loudest(view)
    return replace(found, first=short_names(found.first, view), second=short_names(found.second, view))


def _loudest(view: View) -> Headline:
    if view.decision.phase is Phase.IDLE and facts.unjournaled(view) and not view.unreadable:
        return _idle(view)
    if ending := _ending(view):
        return ending
    if view.unreadable:
        return _unreadable(view)
    if view.decision.phase is Phase.IDLE:
        return _idle(view)
    if view.journal and view.journal.hold:
        return _held(view, view.journal.hold)
    if alarms := facts.pressing_alarms(view):
        return _alarmed(view, alarms)
    if incidents := facts.open_incidents(view):
        return _node_failed(view, incidents)
    gate = view.decision.gate
    if gate and (_waits(view, gate) or _is_blocked(gate) or not _is_moving(view)):
        return _at_gate(view, gate)
    return _running(view)


def _waits(view: View, gate: Gate) -> bool:
    """The gate is open, and stays shut until a person opens it."""
    return gate.is_open and _needs_person(view, gate)


def _needs_person(view: View, gate: Gate) -> bool:
    return view.journal is None or needs_person(gate.kind, view.journal.approval)


def _is_blocked(gate: Gate) -> bool:
    return any(check.outcome is Outcome.FAIL for check in gate.checks)


def _is_moving(view: View) -> bool:
    """Something runs by itself towards the gate: that is what a person wants to read, not that the gate is shut."""
    return facts.is_draining(view) or view.decision.phase is Phase.WAITING_DELAY


def _word(glyph: str, word: str) -> tuple[str, Tone]:
    return f"{glyph} {word} ", Tone.STRONG


def _what_is_lost(view: View) -> str:
    found, journal = view.snapshot.resource.value, view.journal
    if found is None or journal is None or found.meta.uid != journal.uid:
        return "the object of this release is gone or is another one"
    if view.snapshot.green is None:
        return "the StatefulSets of this release are gone"
    return "the StatefulSet of blue is gone: there is nothing to go back to, green serves"


def _still_done(view: View) -> str:
    """An abort cannot go back without blue, but does not leave its clients without an address."""
    if not view.decision.waits_for_blue or view.journal is None or view.snapshot.green is None:
        return "nothing is driven any more"
    then = "held: it does not go on" if view.journal.hold else "the abort goes on"
    return f"clients are kept on green; {then} when the operator has built blue again"


def _ending(view: View) -> Headline | None:
    phase, result = view.decision.phase, view.result
    took = facts.duration_s(view)
    after = f" after {units.span(took)}" if took is not None else ""
    if phase is Phase.LOST:
        first = line(_word(ALARM, "LOST"), _what_is_lost(view))
        return Headline(Tone.BAD, first, line(f"{_still_done(view)}: look at the cluster before anything else"))
    if result == "failed":
        first = line(_word(FAILED, f"FAILED{after}"), view.decision.phase_text)
        return Headline(Tone.BAD, first, line(str(view.notice or "")))
    if phase is Phase.DONE or result == "done":
        first = line(_word(DONE, "DONE"), f"{version_words(view)}{after}")
        return Headline(Tone.GOOD, first, line("blue is gone, green serves; your own delay is restored"))
    if phase is Phase.ABORTED or result == "aborted":
        first = line(_word(DONE, "ABORTED"), f"back on {_blue_version(view)}{after}")
        return Headline(Tone.WARN, first, line("blue serves as before; green is gone"))
    return None


def _blue_version(view: View) -> str:
    return facts.versions(view.journal).before if view.journal else "the old version"


def _unreadable(view: View) -> Headline:
    first = line(_word(ALARM, "CANNOT BE READ"), str(view.unreadable))
    known = "what is shown of the object is old" if view.snapshot.resource.value else "nothing is known of the object"
    keys = f"{key_words(Verb.HOLD)}{DOT}{key_words(Verb.FREEZE)}"
    stays = f"no step begins until it can be read{DOT}{keys}" if view.journal else ""
    return Headline(Tone.BAD, first, line(DOT.join(part for part in (known, stays) if part)))


def _idle(view: View) -> Headline:
    resource = view.snapshot.resource.value
    if resource is None:
        return Headline(Tone.WARN, line(_word("?", "NOT READ YET"), view.snapshot.resource.problem))
    ready, wanted = _ready_pods(view, resource.ready_replicas), resource.replicas
    clients = f"{units.count(view.snapshot.total_live)} clients"
    figures = DOT.join((resource.image.version, f"{ready}/{wanted} ready", clients))
    if resource.blue_green_status is not None or len(view.snapshot.generations) > 1:
        if view.role is Role.WATCH_ONLY:
            found = facts.ungated(view)
            first = line(_word(ALARM, "A RELEASE RUNS"), wording.ungated(found) if found else figures)
            return Headline(Tone.WARN, first, line(f"watch only: {view.role_reason}"))
        return _ungated(view, clients)
    if view.role is Role.WATCH_ONLY:
        second = line(f"watch only: {view.role_reason}")
    elif view.decision.alarms:
        second = line((f"{ALARM} {view.decision.alarms[0].evidence}", Tone.WARN))
    elif facts.unjournaled(view) is facts.Unjournaled.LEFT:
        key = (spelled(Area.ROLLOUT, "change"), Tone.KEY)
        second = line((f"{ALARM} {wording.LEFT_CLOSED}", Tone.WARN), DOT, key, " sets yours")
    else:
        second = line("no release is running; ", (spelled(Area.ROLLOUT, "change"), Tone.KEY), " changes something")
    if not facts.is_live(view):
        age_s = view.snapshot.stats.age_s(view.now)
        why = view.snapshot.stats.problem or f"figures are {units.age(age_s)} old"
        said = second if view.role is Role.WATCH_ONLY else line(f"EMQX: {why}")
        return Headline(Tone.WAIT, line(_word(SERVING, "RUNNING"), figures), said)
    if not resource.is_running or ready < wanted:
        word = resource.condition.type if resource.condition and not resource.is_running else "degraded"
        return Headline(Tone.WARN, line(_word(ALARM, word.upper()), figures), second)
    return Headline(Tone.GOOD, line(_word(SERVING, "RUNNING"), figures), second)


def _ungated(view: View, clients: str) -> Headline:
    """A release without a journal: the operator's own, or one that stands half-way with the operator held."""
    found = facts.ungated(view)
    if found is None:
        first = line(_word(ALARM, "A RELEASE RUNS THAT THIS CONSOLE DID NOT START"))
        return Headline(Tone.WARN, first, line(f"{clients}{DOT}whether it has a journal is not known"))
    where = wording.ungated(found)
    versions = " to ".join(each.version or "?" if each else "?" for each in (found.blue, found.green))
    figures = f"{versions}{DOT}{clients}"
    if found.is_stopped:
        first = line(_word(HELD, "STOPPED, AND WITHOUT A JOURNAL"), where)
        key = (spelled(Area.ROLLOUT, "take_over"), Tone.KEY)
        ways = (DOT, key, " adopts or aborts it", DOT, "keep the delay: it holds the operator")
        return Headline(Tone.CALL, first, line(figures, *ways))
    first = line(_word(ALARM, "UNGATED: THE OPERATOR RELEASES BY ITSELF"), where)
    ways = (DOT, (spelled(Area.ROLLOUT, "hold"), Tone.KEY), " stops it before its next step")
    return Headline(Tone.WARN, first, line(figures, *ways))


def _ready_pods(view: View, told: int) -> int:
    """Pods that are Ready; what the operator last said where no pod is known."""
    generations = view.snapshot.generations
    are_known = any(generation.are_members_known for generation in generations)
    return sum(generation.ready for generation in generations) if are_known else told


def _held(view: View, hold: HoldRecord) -> Headline:
    if hold.auto:
        return _auto_held(view, hold)
    since = f"since {units.clock(hold.at)} ({units.age(facts.held_s(view, hold))})"
    reason = f": {hold.reason}" if hold.reason else ""
    goes_on = _goes_on(view, hold)
    if hold.freeze:
        first = line(_word(FROZEN, f"FROZEN by {hold.by}"), f"{since}{reason}")
        stopped = "drains are stopped: nodes keep their clients and get no new ones"
        second = f"{stopped if facts.was_draining(view) else 'nothing runs'}{DOT}{_resuming(view, hold)}"
    else:
        first = line(_word(HELD, f"HELD by {hold.by}"), f"{since}{reason}")
        second = DOT.join((goes_on or "nothing runs", advise(_after_hold(is_busy=bool(goes_on)))))
    others = [alarm for alarm in view.decision.alarms if alarm.check != hold.check]
    if incident := next(iter(facts.open_incidents(view)), None):
        second = f"{ALARM} {wording.incident_so_far(incident)}{DOT}{second}"
    if others:
        second = f"{ALARM} {others[0].evidence}{DOT}{_resuming(view, hold)}"
    if view.is_unwritten:
        second += f"{DOT}not yet written to the cluster"
    return Headline(Tone.WARN, first, line(f"{second}"))


def _resuming(view: View, hold: HoldRecord) -> str:
    """What resuming does to a person's hold; one on top of a check's hold accepts what the check has found."""
    return advise((on_resume(hold.check, is_alarmed=_alarm_of(view, hold) is not None),))


def _alarm_of(view: View, hold: HoldRecord) -> Alarm | None:
    return next((alarm for alarm in view.decision.alarms if alarm.check == hold.check), None)


def _auto_held(view: View, hold: HoldRecord) -> Headline:
    alarm = _alarm_of(view, hold)
    word = "FROZEN" if hold.freeze else "HELD"
    found = wording.alarm(alarm) if alarm else f"found at {units.clock(hold.at)}: {hold.reason}"
    first = line(_word(ALARM, f'{word} by check "{check_words(hold.check)}"'), found)
    told = first[-1].text
    new = [i for i in facts.open_incidents(view)[:1] if wording.failure(i) not in told]
    parts = [
        *(f"{ALARM} {wording.incident_so_far(i)}" for i in new),
        _goes_on(view, hold),
        advise(_way_on(view, hold, alarm)),
    ]
    return Headline(Tone.CALL, first, _also(view, DOT.join(part for part in parts if part), but=hold.check))


def _way_on(view: View, hold: HoldRecord, alarm: Alarm | None) -> tuple[Advice, ...]:
    """What may be done about a hold of a check: what the check advises, and always how to go on and how to go back."""
    found = list(alarm.advice) if alarm else []
    if not found and alarm and facts.is_draining(view):
        found.append(Advice(Verb.FREEZE, "stops the drain"))
    if not any(each.verb is Verb.RESUME for each in found):
        found.append(on_resume(hold.check, is_alarmed=alarm is not None))
    if view.decision.abort.possible and not any(each.verb is Verb.ABORT for each in found):
        found.append(Advice(Verb.ABORT))
    return tuple(found)


def _after_hold(*, is_busy: bool) -> tuple[Advice, ...]:
    stop = (Advice(Verb.FREEZE, "stops the drain"),) if is_busy else ()
    return (*stop, Advice(Verb.RESUME))


def _goes_on(view: View, hold: HoldRecord) -> str:
    return "" if hold.freeze else _drains(view)


def _drains(view: View) -> str:
    """What EMQX does by itself; empty when no drain runs or is starting."""
    running, starting = ([tail(m.name) for m in found] for found in (facts.draining(view), facts.starting(view)))
    return wording.drains(running, starting)


def _alarmed(view: View, alarms: tuple[Alarm, ...]) -> Headline:
    alarm, more = alarms[0], len(alarms) - 1
    first = line(_word(ALARM, check_words(alarm.check).upper()), wording.alarm(alarm))
    rest = f"{DOT}{units.plural(more, 'more alarm')}" if more else ""
    return Headline(Tone.WARN, first, line(f"{advise(alarm.advice) or view.decision.phase_text}{rest}"))


_FAILED = {
    IncidentKind.POD_LOST: "NODE LOST",
    IncidentKind.RESTARTED: "NODE RESTARTED",
    IncidentKind.LEFT_EMQX: "NODE LEFT EMQX",
}


def _node_failed(view: View, incidents: tuple[Incident, ...]) -> Headline:
    """What broke, when and what it cost; below, what goes on by itself and what may be done."""
    incident, more = incidents[0], len(incidents) - 1
    others = f" (and {units.plural(more, 'more node')})" if more else ""
    first = line(_word(ALARM, _FAILED[incident.kind]), f"{wording.incident_so_far(incident)}{others}")
    running, gate = _drains(view), view.decision.gate
    parts = [running or "no drain runs"]
    if gate and gate.is_open:
        parts.append(_then(view, gate))
    elif gate:
        parts.append(f"the next step waits for: {facts.not_passing(gate)[0].evidence}")
    stop = (Advice(Verb.FREEZE, "stops it"),) if running else ()
    parts.append(advise((*stop, Advice(Verb.HOLD))))
    return Headline(Tone.WARN, first, _also(view, DOT.join(parts)))


def _at_gate(view: View, gate: Gate) -> Headline:
    what = f"next: {gate_words(gate)}"
    problem = blocked_words(facts.why_no_intent(view))
    if gate.is_open and not _needs_person(view, gate):
        first = line(_word(RUNNING, "NEXT"), gate_words(gate))
        return Headline(Tone.PLAIN, first, _also(view, f"policy {_policy(view)} opens it: nobody is asked"))
    if gate.is_open and problem:
        return Headline(Tone.WARN, line(_word(WAITING, "WAITING"), what), _also(view, problem))
    if gate.is_open:
        first = line(_word(WAITING, "WAITING FOR YOU"), f"to {gate_words(gate)}")
        running = meanwhile(view)
        passed = f"{_passed(gate)}{f'{DOT}{running}' if running else ''}"
        key = (spelled(Area.ROLLOUT, "approve"), Tone.KEY)
        return Headline(Tone.CALL, first, line("press ", key, f" to read and approve{DOT}{passed}"))
    blocking = facts.not_passing(gate)
    first_check = blocking[0]
    more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
    why = f"{first_check.evidence}{more}"
    if first_check.outcome is Outcome.FAIL:
        hint = f"{DOT}{first_check.hint}" if first_check.hint else ""
        return Headline(Tone.WARN, line(_word(ALARM, "NOT SAFE YET"), what), _also(view, f"{FAILED} {why}{hint}"))
    return Headline(Tone.WAIT, line(_word(STARTING, "NOT YET"), what), _also(view, f"waits for: {why}"))


def _passed(gate: Gate) -> str:
    """That all checks pass, and what passes only because somebody accepted it."""
    accepted = [check for check in gate.checks if check.is_accepted]
    if accepted:
        return f"{ALARM} {accepted[0].evidence}"
    return f"{DONE} all {len(gate.checks)} checks pass"


def _policy(view: View) -> str:
    return view.journal.approval.value if view.journal else ""


def _then(view: View, gate: Gate) -> str:
    """What comes after what runs now, by the policy that holds now."""
    if _needs_person(view, gate):
        return f"then it waits for you: {gate_words(gate)}"
    return f"then, without asking (policy {_policy(view)}): {gate_words(gate)}"


def _early(view: View) -> str:
    """Before the cut-over a few clients may be on green already: they are counted, not denied."""
    early = facts.early_clients(view) if view.decision.phase in BEFORE_CUT_OVER else None
    return f"{DOT}{units.plural(early, 'client')} on green already" if early else ""


def _running(view: View) -> Headline:
    word, meaning = _PHASES.get(view.decision.phase, (view.decision.phase.value.upper(), ""))
    meaning += _early(view)
    drains, gate = meanwhile(view) or _leaving(view), view.decision.gate
    first = line(_word(RUNNING, word), drains or view.decision.phase_text or meaning)
    if gate:
        second = _then(view, gate)
    elif drains or view.decision.phase_text:
        second = meaning
    else:
        second = in_flight(view)
    return Headline(Tone.PLAIN, first, line(f"{DOT.join(part for part in (_accepted(view), second) if part)}"))


def _accepted(view: View, but: str = "") -> str:
    """An alarm that stands although somebody has accepted it; not that of the check `but`."""
    standing = next((alarm for alarm in view.decision.alarms if alarm.check != but), None)
    return f"{ALARM} {standing.evidence}" if standing else ""


def _also(view: View, words: str, but: str = "") -> Line:
    """What is said, and behind it an alarm that stands all the same."""
    return line(DOT.join(part for part in (words, _accepted(view, but)) if part))


def in_flight(view: View) -> str:
    """What was sent and is not answered yet."""
    return f"sent, not answered yet: {view.in_flight[0]}" if view.in_flight else ""


def meanwhile(view: View) -> str:
    """What runs inside EMQX now."""
    return "; ".join(f"{tail(member.name)} {_doing(view, member)}" for member in facts.draining(view))


def _doing(view: View, member: Member) -> str:
    evacuation = member.evacuation
    if evacuation is None or evacuation.state is EvacuationState.EVICTING_CONNS:
        left, initial = member.live_connections, facts.initial_clients(view, member.name)
        eta = facts.drain_remaining_s(view, member)
        of = f" of {units.count(initial)}" if initial is not None else ""
        to_go = f", {units.span(eta)} to go" if eta is not None else ""
        return f"drains: {units.count(left)}{of} left{to_go}"
    if evacuation.state is EvacuationState.WAITING_TAKEOVER:
        return "has evicted all: waits for takeovers"
    if evacuation.state is EvacuationState.EVICTING_SESSIONS:
        return f"moves its sessions: {units.count(evacuation.current_sessions)} left"
    if evacuation.state is EvacuationState.UNKNOWN:
        return "is being evacuated, in a state that this console does not know"
    return "waits for its health check"


def _leaving(view: View) -> str:
    """Blue nodes that are empty, and what happens to them."""
    blue = view.snapshot.blue
    gone = [member for member in blue.members if member.pod.meta.deleting or member.is_drained] if blue else []
    verb = "is empty and goes away" if len(gone) == 1 else "are empty and go away"
    return f"{', '.join(tail(member.name) for member in gone)} {verb}" if gone else ""


def gate_words(gate: Gate) -> str:
    """The step behind a gate, its size and its length: `drain …86d7758868-0 · 33,120 clients · about 2 min 46 s`."""
    parts = ["cut over to green" if gate.kind is GateKind.CUT_OVER else f"drain {tail(gate.target)}"]
    if gate.kind is GateKind.NODE:
        parts.append(f"{units.count(gate.clients)} clients")
    if gate.seconds:
        parts.append(f"about {units.span(gate.seconds)}")
    return DOT.join(parts)
