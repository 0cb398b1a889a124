"""PURE: a record as one line for people. Figures carry their units; what is not known is a question mark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.model import units
from emqx_tui.model.units import count, plural, span
from emqx_tui.model.wire import clean
from emqx_tui.rollout.policy import Approval

Fields = Mapping[str, Any]
COMMAND_CHARACTERS = 240


def line(record: Record) -> str:
    """`12:03:04Z  phase      draining`."""
    return f"{clock(record.at)}  {str(record.event).replace('_', ' '):<10}  {text(record)}".rstrip()


def text(record: Record) -> str:
    """What a record says, without its instant and its event."""
    return clean(" ".join(_WORDS[record.event](record.to_json()).split("\n")))


def clock(at: datetime) -> str:
    return f"{units.clock(at)}Z"


def policy(approval: Approval) -> str:
    """What a person is asked for from here on."""
    return {
        Approval.EVERY_NODE: "a person approves the cut-over and every node",
        Approval.CUT_OVER: "a person approves the cut-over; the nodes follow by themselves",
        Approval.AUTO: "nobody is asked: cut-over and nodes follow by themselves",
    }[approval]


def check(fields: Fields) -> str:
    """`accept-rate fail: evidence (hint)`."""
    hint = f" ({fields['hint']})" if fields.get("hint") else ""
    return f"{fields['check']} {fields['outcome']}: {fields['evidence']}{hint}"


def _plan(fields: Fields) -> str:
    pace = f"{count(fields['conn_evict_rate'])}/s connections, {count(fields['sess_evict_rate'])}/s sessions a node"
    at_once = f", {fields['parallel_drains']} nodes at once" if fields["parallel_drains"] > 1 else ""
    late = ", late removal" if fields["late_removal"] else ""
    silence = "" if fields["freeze_on_silence"] else ", drains on while a recipient is silent"
    about = f", about {span(fields['estimate_s'])}" if fields["estimate_s"] is not None else ""
    how = f"{pace}{at_once}{late}{silence}"
    return (
        f"{fields['from']} to {fields['to']} {fields['verdict']}; policy {fields['approval']}, {how}, "
        f"delay {count(fields['initial_delay_s'])} s{about}, {plural(fields['disconnects'], 'client')} to move"
    )


def differences(fields: Fields) -> list[str]:
    """One line for each difference of a plan."""
    lines = [f"  {d['path']}: {_value(d['before'])} -> {_value(d['after'])}" for d in fields["differences"]]
    extra = [
        f"  {d['path']}: {_value(d['before'])} -> {_value(d['after'])}  (by the server)"
        for d in fields["server_differences"]
    ]
    return [clean(text) for text in lines + extra]


def _value(value: Any) -> str:
    return "absent" if value is None else str(value)


def _check(fields: Fields) -> str:
    accepted = "  [overridden]" if fields.get("overridden") else ""
    how = f"  [--override {fields['check']} accepts it]" if fields.get("can_override") and not accepted else ""
    return check(fields) + accepted + how


def _cut(command: str) -> str:
    """A command may name every address of a Service; the whole of it is in the JSON lines."""
    return command if len(command) <= COMMAND_CHARACTERS else command[: COMMAND_CHARACTERS - 1] + "…"


def _role(fields: Fields) -> str:
    if fields["role"] == "driver":
        return "this console drives"
    if fields["role"] == "spectator":
        return f"{fields['driver']} drives, this console follows"
    return f"{fields['role']}" + (f": {fields['reason']}" if fields["reason"] else ": nobody drives")


def _phase(fields: Fields) -> str:
    return str(fields["phase"]) + (f": {fields['text']}" if fields["text"] else "")


def _step(fields: Fields) -> str:
    nodes = f", {fields['done']}/{fields['total']} nodes away" if fields["total"] else ""
    return f"{fields['step']} {fields['state']}{nodes}"


def _gate(fields: Fields) -> str:
    target = f" {fields['target']}" if fields["target"] else ""
    cost = f", disconnects {plural(fields['clients'], 'client')}" if fields["clients"] else ""
    took = f", about {span(fields['seconds'])}" if fields["seconds"] else ""
    if fields["waits_for"] == "person":
        return f"{fields['gate']}{target} waits for approval{cost}{took}"
    found = "; ".join(check(c) for c in fields["checks"][:3])
    return f"{fields['gate']}{target} not yet: {found}"


def _hold(fields: Fields) -> str:
    what = "frozen" if fields["freeze"] else "held"
    return f"{what} by {fields['by']}: {fields['reason']}"


def _alarm(fields: Fields) -> str:
    limit = f" ({fields['limit']})" if fields["limit"] else ""
    advice = f"; {fields['suggestion']}" if fields["suggestion"] else ""
    return f"{fields['check']}: {fields['evidence']}{limit}{advice}"


def _progress(fields: Fields) -> str:
    drains = "".join(f"  {_drain(drain)}" for drain in fields["draining"])
    missing = f"  missing {count(fields['missing'])}" if fields["missing"] and fields["missing"] > 0 else ""
    eta = f"  eta {span(fields['eta_s'])}" if fields["eta_s"] is not None else ""
    sums = f"blue {count(fields['blue'])}  green {count(fields['green'])}  sum {count(fields['sum'])}"
    return f"{sums}{drains}{missing}{eta}"


def _drain(drain: Fields) -> str:
    pace = f" at {count(drain['rate_per_s'])}/s" if drain["rate_per_s"] else ""
    return f"[{drain['node']} {drain['state']} {count(drain['left'])} of {count(drain['initial'])} left{pace}]"


def _source(fields: Fields) -> str:
    return f"{fields['source']} answers again" if fields["is_ok"] else f"{fields['source']}: {fields['problem']}"


def finished(fields: Fields) -> str:
    """What became of the release, in one line."""
    before, after = fields.get("from"), fields.get("to")
    way = f": {before} to {after}" if before and after and before != after else ""
    parts = []
    if fields.get("drain_s") is not None:
        limit = f" (no drain beats {span(fields['limit_s'])})" if fields.get("limit_s") is not None else ""
        parts.append(f"drained in {span(fields['drain_s'])}{limit}")
    if fields.get("disconnects_per_client") is not None:
        least = "at least " if fields.get("disconnects_at_least") else ""
        parts.append(f"{least}{fields['disconnects_per_client']:.2f} disconnects a client")
    if fields.get("cut_by_canary"):
        parts.append(f"{plural(fields['cut_by_canary'], 'client')} cut by the network in the canary")
    if fields.get("clients_lost") is not None:
        parts.append(f"{plural(fields['clients_lost'], 'client')} lost" if fields["clients_lost"] else "no client lost")
    if fields.get("lowest_sum_ratio") is not None:
        parts.append(f"lowest sum {fields['lowest_sum_ratio']:.2%}{uncounted(fields.get('uncounted') or ())}")
    if fields.get("sessions_left"):
        parts.append(f"{count(fields['sessions_left'])} sessions left behind")
    if fields.get("early_clients"):
        parts.append(f"{plural(fields['early_clients'], 'client')} on green by the cut-over")
    took = f" in {span(fields['duration_s'])}" if fields.get("duration_s") is not None else ""
    word = str(fields["result"]).replace("_", " ")
    return f"{word}{way}{took}" + (f"; {', '.join(parts)}" if parts else "")


def uncounted(gaps: Sequence[Fields]) -> str:
    """` (not counted 02:14:10Z to 02:31:05Z)`."""
    told = ", ".join(f"{gap['from'][11:19]}Z to {gap['to'][11:19]}Z" for gap in gaps)
    return f" (not counted {told})" if told else ""


_WORDS: Mapping[Event, Callable[[Fields], str]] = {
    Event.PLAN: _plan,
    Event.CHECK: _check,
    Event.STARTED: lambda f: f"release {f['from']} to {f['to']} begins, started by {f['by']}",
    Event.CARRIED_ON: lambda f: f"release {f['from']} to {f['to']} of {f['started_by']} is under way: {f['phase']}",
    Event.ROLE: _role,
    Event.PHASE: _phase,
    Event.STEP: _step,
    Event.GATE: _gate,
    Event.APPROVED: lambda f: f"{f['gate']} by {f['by']}",
    Event.POLICY: lambda f: (
        f"{f['approval']}, {count(f['conn_evict_rate'])}/s connections, {count(f['sess_evict_rate'])}/s sessions"
    ),
    Event.HOLD: _hold,
    Event.RESUMED: lambda f: "the hold is lifted",
    Event.ABORT: lambda f: f"back to blue, asked for by {f['by']}",
    Event.ALARM: _alarm,
    Event.ALARM_OVER: lambda f: str(f["check"]),
    Event.INCIDENT: lambda f: f"{f['text']}{'; back since ' + f['back_at'][11:19] + 'Z' if f['back_at'] else ''}",
    Event.COMMAND: lambda f: f"{f['text']}: {_cut(f['command'])}",
    Event.PROBLEM: lambda f: str(f["text"]),
    Event.CLUSTER: lambda f: f"{f['source']}: {f['text']}",
    Event.NOTICE: lambda f: str(f["text"]),
    Event.SOURCE: _source,
    Event.PROGRESS: _progress,
    Event.STOPPING: lambda f: f"{f['reason']}: {f['text']}",
    Event.FINISHED: finished,
}
assert set(_WORDS) == set(Event)
