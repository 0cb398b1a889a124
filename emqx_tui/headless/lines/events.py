"""PURE: what a headless run tells, one record after the other: the closed list of events and their fields.

Owns the shape of every line: `schema`, `at`, `release_id`, `event`, then the fields that FIELDS documents for that
event, all of them always there, unknown ones null. Programs read these lines: a new event or field is an addition to
this file, and nothing is ever renamed within a schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

SCHEMA = 1


class Event(StrEnum):
    """Everything that can be told."""

    PLAN = "plan"
    """What is going to be done; told once, before anything is sent."""
    CHECK = "check"
    """A pre-flight check that does not pass, was skipped, or is overridden."""
    STARTED = "started"
    """The journal of a new release stands."""
    CARRIED_ON = "carried_on"
    """A release was under way already; it is followed, and driven when nobody else does."""
    ROLE = "role"
    """Who drives has changed."""
    PHASE = "phase"
    STEP = "step"
    """A step of the rail changed its state, or the drain came a node further."""
    GATE = "gate"
    """A gate waits: for a person, or for its checks; told again after a hold."""
    APPROVED = "approved"
    """A gate was opened, by a person or by the policy."""
    POLICY = "policy"
    """The approval policy or the rates were changed."""
    HOLD = "hold"
    """No further step begins."""
    RESUMED = "resumed"
    ABORT = "abort"
    """Somebody asked for the way back."""
    ALARM = "alarm"
    ALARM_OVER = "alarm_over"
    INCIDENT = "incident"
    """A node has failed in the release, or is back."""
    COMMAND = "command"
    """A command of ours left, in kubectl's or curl's words."""
    PROBLEM = "problem"
    """A command of ours failed, or something did not work out."""
    CLUSTER = "cluster"
    """An Event of the operator or of Kubernetes about the cluster."""
    NOTICE = "notice"
    """The answer to an intent, or something to know."""
    SOURCE = "source"
    """A source of data fell silent or came back."""
    PROGRESS = "progress"
    """Counts, every few seconds."""
    STOPPING = "stopping"
    """This console stops following: a signal or --timeout."""
    FINISHED = "finished"
    """Always the last line."""


FIELDS: Mapping[Event, Mapping[str, str]] = {
    Event.PLAN: {
        "from": "version that is left",
        "to": "version that is wanted",
        "verdict": "what the edit does",
        "differences": "list of {path, before, after}; secrets redacted",
        "server_differences": "the same, for what the server would change by itself",
        "conn_evict_rate": "clients per second and node",
        "sess_evict_rate": "sessions per second and node",
        "wait_takeover_s": "seconds between the last connection and the first session",
        "initial_delay_s": "waited out before the cut-over, restored at the end",
        "approval": "policy: every-node, cut-over or auto",
        "parallel_drains": "nodes drained at once",
        "late_removal": "addresses leave the Service only with their empty node",
        "freeze_on_silence": "a drain is stopped when a node that its clients go to does not answer",
        "estimate_s": "estimated duration without waits at gates; null when a count is missing",
        "disconnects": "clients that will be moved; null when a count is missing",
    },
    Event.CHECK: {
        "check": "name",
        "outcome": "pass, wait, fail or skipped",
        "evidence": "what was found",
        "hint": "what to do about it",
        "can_override": "--override NAME accepts it",
        "overridden": "it was accepted",
    },
    Event.STARTED: {"from": "version that is left", "to": "version that is wanted", "by": "who started it"},
    Event.CARRIED_ON: {
        "from": "version that is left",
        "to": "version that is wanted",
        "phase": "where it stands",
        "started_at": "when it began",
        "started_by": "who began it",
    },
    Event.ROLE: {
        "role": "driver, spectator, idle or watch only",
        "driver": "identity of the driver; null without one",
        "reason": "why it is so",
    },
    Event.PHASE: {"phase": "name of the phase", "text": "what is being waited for"},
    Event.STEP: {
        "step": "create-green, cut-over, drain, finish; in an abort restore, remove-green, finish",
        "state": "todo, active, waiting, done, held or failed",
        "done": "nodes done",
        "total": "nodes in all; 0 where nodes are not counted",
    },
    Event.GATE: {
        "gate": "its id: cut-over, cut-over:late or node:<ordinal>",
        "waits_for": "person or checks",
        "target": "the node that is drained, or whose address is taken out first",
        "clients": "how many clients approving disconnects",
        "seconds": "about how long the step takes",
        "token": "what --token has to say",
        "checks": "list of {check, outcome, evidence, hint}: those that keep it shut",
    },
    Event.APPROVED: {"gate": "its id", "number": "of the approval, from 1", "by": "a person, or the policy"},
    Event.POLICY: {
        "approval": "the policy from here on",
        "conn_evict_rate": "clients per second and node from here on",
        "sess_evict_rate": "sessions per second and node from here on",
    },
    Event.HOLD: {
        "by": "a person, or console",
        "reason": "why",
        "freeze": "the running drain is stopped too",
        "auto": "raised by a check",
        "check": "the check that raised it, also when a person froze on top; null for a person's own",
    },
    Event.RESUMED: {},
    Event.ABORT: {"by": "who"},
    Event.ALARM: {
        "check": "name of the detector",
        "evidence": "what was found",
        "limit": "the limit that it is beyond",
        "suggestion": "what to do about it",
    },
    Event.ALARM_OVER: {"check": "name of the detector"},
    Event.INCIDENT: {
        "node": "name of its pod",
        "generation": "blue or green",
        "kind": "pod-lost, restarted or left-emqx",
        "since": "when it failed",
        "clients": "on it when it was last counted, and cut off; null where nobody counted",
        "reason": "how its container ended",
        "back_at": "when it was Ready and in EMQX again; null until then",
        "text": "the same in one sentence",
    },
    Event.COMMAND: {"text": "what it is for", "command": "the equivalent kubectl or curl command, redacted"},
    Event.PROBLEM: {"text": "what did not work"},
    Event.CLUSTER: {
        "source": "operator or kubernetes",
        "text": "reason and message",
        "is_warning": "Kubernetes calls it so",
    },
    Event.NOTICE: {"text": "what to know"},
    Event.SOURCE: {"source": "plural of the kind, or EMQX", "is_ok": "it answers", "problem": "why not"},
    Event.PROGRESS: {
        "phase": "name of the phase",
        "blue": "live connections on the generation that is left",
        "green": "live connections on the generation that is moved to",
        "sum": "of both",
        "draining": "list of {node, state, left, initial, rate_per_s}",
        "missing": "evicted clients that should be back by now and are on neither side",
        "eta_s": "about how long until the end, without waits at gates",
    },
    Event.STOPPING: {"reason": "signal name or timeout", "text": "what goes on without us"},
    Event.FINISHED: {
        "result": "done, failed, waiting, held, aborted or lost_contact",
        "from": "version that is left",
        "to": "version that is wanted",
        "duration_s": "cluster time from the start to the end; null for an unfinished release",
        "drain_s": "cluster time from the first drain command to the last blue node prohibiting without a client",
        "limit_s": "clients / total eviction rate + waitTakeover; null where the rate was changed on the way",
        "disconnects_per_client": "evictions and kills, without natural ones, per client on blue at the first drain",
        "disconnects_at_least": "there were more: nobody counted for a while, or some could not be counted",
        "cut_by_canary": "of the disconnects: clients that the network cut as the canary's address left the Service",
        "clients_lost": "clients of the start that were not seen again; null until that can be known",
        "lowest_sum_ratio": "lowest sum of live connections, a part of that at the start; null if the end was missed",
        "uncounted": "list of {from, to}: in these times nobody counted every client, so it may have been lower",
        "sessions_left": "sessions that drains of blue left behind; they ended with their node",
        "early_clients": "clients that connected to green by the cut-over; null where they were not counted",
    },
}


@dataclass(frozen=True)
class Record:
    """One line."""

    event: Event
    at: datetime
    """Cluster time."""
    release_id: str | None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON, every documented field in the order of FIELDS."""
        unknown = self.fields.keys() - FIELDS[self.event].keys()
        if unknown:
            raise ValueError(f"event {self.event} has no field {', '.join(sorted(unknown))}")
        head = {"schema": SCHEMA, "at": spell(self.at), "release_id": self.release_id, "event": str(self.event)}
        return {**head, **{name: self.fields.get(name) for name in FIELDS[self.event]}}

    def dumps(self) -> str:
        return dumps(self.to_json())


def dumps(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)


def spell(at: datetime) -> str:
    """An instant by RFC 3339, UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
