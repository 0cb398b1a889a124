"""The log of a release: Events of the cluster and what this console did, by time, bounded.

A line that repeats within REPEAT_S is counted, not added, and moves to its newest time: while a fault lasts, the same
repair is sent every few seconds and would push out everything else. Phases, answers and journal lines are never merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from emqx_tui.model.workloads import ClusterEvent
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    ForgetReleaseStatus,
    Nudge,
    RepairEndpoints,
    RepairService,
    RestoreDelay,
    RestoreTemplate,
    Scale,
    StartDrain,
    StopDrain,
    SwitchEndpoints,
    in_context,
)
from emqx_tui.rollout.gate_id import START
from emqx_tui.rollout.policy import CLOSED_S
from emqx_tui.rollout.redaction import redact_text
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.telling import wording
from emqx_tui.session.views.view import LogLine, LogSource

LIMIT = 500
REPEAT_S = 600.0
"""A line that comes again later than this begins anew."""
EARLIER = 20
"""Instants of repeats that a line keeps."""
_WORDS = {
    "apply-template": "template, closed valve and rates patched",
    "close-valve": "valve closed",
    "nudge": "operator nudged",
    "forget-release-status": "release status cleared, for one full pass",
    "switch-endpoints": "Service switched",
    "repair-endpoints": "Service repaired",
    "repair-service": "ports of the Service put back",
    "start-drain": "drain",
    "stop-drain": "drain stopped",
    "scale": "scaled",
    "restore-template": "template restored",
    "restore-delay": "initial delay restored",
}


class EventLog:
    """At most LIMIT lines, oldest first."""

    def __init__(self, context: str = "") -> None:
        self._context = context
        self._lines: list[LogLine] = []
        self._seen: dict[str, int] = {}
        self._frozen: tuple[LogLine, ...] | None = None

    def lines(self) -> tuple[LogLine, ...]:
        if self._frozen is None:
            self._frozen = tuple(self._lines)
        return self._frozen

    def events(self, events: Iterable[ClusterEvent]) -> None:
        """Kubernetes Events that are new or were counted up."""
        for event in events:
            known = self._seen.get(event.meta.uid, 0)
            if event.last_at is None or known == event.count:
                continue
            self._seen[event.meta.uid] = event.count
            if event.component == "emqx-tui":
                continue
            times = event.count - known if 0 < known < event.count else 1
            source = LogSource.OPERATOR if event.component.startswith("emqx") else LogSource.KUBERNETES
            text = f"{event.reason}: {_message(event.message)}"
            self._repeat(LogLine(event.last_at, source, redact_text(text), is_alarm=event.type == "Warning"), times)
        if len(self._seen) > 4 * LIMIT:
            self._seen = dict(list(self._seen.items())[-2 * LIMIT :])

    def past(self, journal: Journal) -> None:
        """What the journal records of the time before this session."""
        self._journal(journal.created_at, f"release {journal.to_image} begun by {journal.created_by}")
        self.approved(journal)
        if journal.canary_passed_at is not None:
            self._journal(journal.canary_passed_at, "canary passed")
        if journal.cut_over_at is not None:
            self._journal(journal.cut_over_at, "cut over: new connections go to green")
        if journal.hold is not None:
            word = "frozen" if journal.hold.freeze else "held"
            self._journal(journal.hold.at, f"{word} by {journal.hold.by}: {journal.hold.reason}", is_alarm=True)
        if journal.abort is not None:
            self._journal(journal.abort.at, f"abort asked for by {journal.abort.by}", is_alarm=True)

    def approved(self, journal: Journal, known: int = 0) -> None:
        """The approvals in the journal after the first `known`: given before this console looked, or at another one."""
        for record in journal.approvals[known:]:
            if record.gate != START:
                self._journal(record.at, f"{wording.gate(record.gate, journal)} approved by {record.by}")

    def _journal(self, at: datetime, words: str, *, is_alarm: bool = False) -> None:
        self._add(LogLine(at, LogSource.JOURNAL, redact_text(words), is_alarm=is_alarm))

    def sent(self, at: datetime, command: Command) -> None:
        self._repeat(LogLine(at, LogSource.YOU, command_words(command), in_context(command.describe(), self._context)))

    def done(self, at: datetime, command: Command, note: str) -> None:
        if note:
            self._repeat(LogLine(at, LogSource.CONSOLE, f"{command_words(command)}: {note}"))

    def failed(self, at: datetime, command: Command, message: str, *, is_routine: bool = False) -> None:
        """`is_routine`: no alarm."""
        text = f"{command_words(command)} failed: {redact_text(message)}"
        self._repeat(LogLine(at, LogSource.CONSOLE, text, is_alarm=not is_routine))

    def say(self, at: datetime, words: str) -> None:
        self._add(LogLine(at, LogSource.CONSOLE, redact_text(words)))

    def asked(self, at: datetime, words: str) -> None:
        """What the person at this console asked for, and was granted: before what came of it at the same instant."""
        self._add(LogLine(at, LogSource.YOU, redact_text(words)), is_cause=True)

    def alarm(self, at: datetime, words: str) -> None:
        self._repeat(LogLine(at, LogSource.CONSOLE, redact_text(words), is_alarm=True))

    def _repeat(self, line: LogLine, times: int = 1) -> None:
        """Add it, or count it up where the same was told a while ago."""
        before = next((known for known in reversed(self._lines) if _is_same(known, line)), None)
        if before is not None:
            self._lines.remove(before)
            first, last = sorted((before, line), key=lambda each: each.at)
            line = replace(
                last,
                count=before.count + times,
                first_at=min(before.began_at, first.at),
                earlier=(*before.earlier, first.at)[-EARLIER:],
            )
        self._add(line)

    def _add(self, line: LogLine, *, is_cause: bool = False) -> None:
        lines = self._lines
        at = len(lines)
        while at > 0 and (lines[at - 1].at > line.at or (is_cause and lines[at - 1].at == line.at)):
            at -= 1
        lines.insert(at, line)
        del lines[: max(0, len(lines) - LIMIT)]
        self._frozen = None


def _is_same(known: LogLine, line: LogLine) -> bool:
    if known.text != line.text or known.source is not line.source or known.is_alarm is not line.is_alarm:
        return False
    return abs(line.at - known.at) <= timedelta(seconds=REPEAT_S)


def command_words(command: Command) -> str:
    """What a command does, and why it is sent where that is not plain."""
    what = _WORDS[command.name]
    match command:
        case StartDrain(pod=pod):
            return f"{what} {pod}"
        case StopDrain(pod=pod, reason=reason):
            return _because(f"{what} {pod}", reason)
        case Scale(target=target, after=after, purpose=purpose):
            return _because(f"{what} {target.name} to {after}", purpose)
        case SwitchEndpoints(purpose=purpose) | RepairEndpoints(purpose=purpose):
            return _because(what, purpose)
        case Nudge(reason=reason, slowest_s=slowest_s):
            slower = f" (nudges slow down to one every {slowest_s:.0f} s)" if slowest_s else ""
            return _because(what, reason) + slower
        case ForgetReleaseStatus(reason=reason):
            return _because(what, reason)
        case ApplyTemplate() | CloseValve() | RepairService() | RestoreTemplate() | RestoreDelay():
            return what
        case _:
            assert_never(command)


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


_DELAY = re.compile(r"Delay (\d{1,12}) seconds")


def _message(message: str) -> str:
    """An Event's message; the operator counts down a delay of decades while the valve is closed."""
    found = _DELAY.fullmatch(message)
    return "waits: the delay is closed" if found and int(found[1]) > CLOSED_S // 2 else message
