"""What a session publishes: views that differ from the last one, notices, the log and the flight log."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from emqx_tui.model.frozen import changed
from emqx_tui.model.reading import Reading
from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.intent_handlers import evidence_of
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.flight_records import journal_fields
from emqx_tui.rollout.telling.incidents import Incident
from emqx_tui.session.inputs import Put, Recalled
from emqx_tui.session.options import Ports
from emqx_tui.session.views.fleet_view import SourceHealth
from emqx_tui.session.views.log import EventLog
from emqx_tui.session.views.lost_clients import clients_away
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.view import Away, View

COUNTING_S = 1.0
"""Wall seconds between two views that differ only in ages, while the screen shows one that grows ..."""
CONFIRM_S = 3.0
"""... and while it shows none: a screen without news for five seconds calls its figures stale."""
FRESH_S = 2.0
"""The EMQX figures of a healthy cluster are never older; older ones are shown with their age."""
KEYS_BEFORE = 50
"""Keys before a release that are kept for its flight log."""
HELD_DOWN_S = 1.0
"""The same key again within this time is not written again."""
AFTER_END_S = 300.0
"""So long after its end a release is recorded, for who comes back late. A console that is left on its last screen for
a night would push the release out of its own recording."""
COUNTED_EVERY_S = 5.0
"""Cluster time between two counts in the flight log."""


class Publisher:
    """Publishes the views of one session."""

    def __init__(self, ports: Ports, publish: Callable[[View], None], context: str = "") -> None:
        self._ports = ports
        self._publish = publish
        self._published_at = float("-inf")
        self._content: View | None = None
        """The last view that was published, for its content."""
        self._sequence = 0
        self._counted_at: datetime | None = None
        self._recorded: Journal | None = None
        """The last journal in the flight log."""
        self._before_release: View | None = None
        self._kept: View | None = None
        """The last view in the flight log."""
        self._away: Away | None = None
        """The last ones in the flight log."""
        self._keys: deque[dict[str, Any]] = deque(maxlen=KEYS_BEFORE)
        """Pressed while no release was under way: kept for one that begins."""
        self._pressed_at = ("", "", float("-inf"))
        self._phase = Phase.IDLE
        """The last one that was told."""
        self.log = EventLog(context)
        self.notice: Notice | None = None
        self.notice_number = 0
        self._unwritten: tuple[datetime, str] | None = None
        """When a person was granted what, whose journal is on its way."""

    def publish(self, view: View) -> None:
        """Publish a view when its content is new, or when ages on the screen are due for an update."""
        wall = self._ports.clock.monotonic()
        every_s = COUNTING_S if is_counting(view) else CONFIRM_S
        is_due = wall - self._published_at >= every_s
        if not is_due and self._content is not None and says_the_same(view, self._content):
            return
        self._content, self._published_at = view, wall
        self._sequence += 1
        numbered = changed(view, sequence=self._sequence)
        self._publish(numbered)
        self._keep(numbered)

    def _keep(self, view: View) -> None:
        """Give the views of a release to the flight log: from the last one before it to a while after its end."""
        recorder = self._ports.recorder
        if recorder is None:
            return
        if view.journal is None:
            self._before_release = view
            return
        if view.result and self._kept is not None and (_is_long_over(view) or says_the_same(view, self._kept)):
            return
        if self._before_release is not None:
            recorder.saw(self._before_release)
            self._before_release = None
        recorder.saw(view)
        self._record_away(view, view.journal)
        self._record_keys()
        self._sources(self._kept.health if self._kept is not None else (), view.health)
        self._kept = view

    def _record_away(self, view: View, journal: Journal) -> None:
        """Record who has not come back: for the minute after the end in which that is not settled, too."""
        away = clients_away(view, journal) if view.result else None
        if away is not None and away != self._away:
            self.record("away", release_id=journal.release_id, clients=away.clients, is_settled=away.is_settled)
        self._away = away

    def _sources(self, before: tuple[SourceHealth, ...], now: tuple[SourceHealth, ...]) -> None:
        """Record what went silent, and what answers again."""
        known = {source.name: source.is_ok for source in before}
        for source in now:
            if source.is_ok is not known.get(source.name, True):
                self.record("source", source=source.name, is_ok=source.is_ok, problem=source.problem)

    def pressed(self, action: str, place: str) -> None:
        """Write a key to the flight log, one that is held down once a while."""
        wall = self._ports.clock.monotonic()
        *last, at = self._pressed_at
        if [action, place] == last and wall - at < HELD_DOWN_S:
            return
        self._pressed_at = (action, place, wall)
        self._keys.append({"at": self._ports.clock.now().isoformat(), "action": action, "place": place})
        seen = self._content
        if seen is not None and seen.journal is not None and not seen.result:
            self._record_keys()

    def _record_keys(self) -> None:
        while self._keys:
            self.record("key", **self._keys.popleft())

    def notify(
        self, notice: Notice, *, asked_at: datetime | None = None, is_unwritten: bool = False, is_again: bool = False
    ) -> None:
        """Answer an intent; the next view carries the answer.

        What `is_unwritten` is logged once the journal stands: it may lose a race, and be decided on again
        (`is_again`), with another answer or with the one that was given. `asked_at`: before it was decided on.
        """
        now = asked_at or self._ports.clock.now()
        if is_unwritten:
            self._unwritten = (now, str(notice))
        else:
            tell = self.log.asked if notice.kind is NoticeKind.ACCEPTED else self.log.say
            tell(now, str(notice))
        if is_again and notice == self.notice:
            return
        self.notice = notice
        self.notice_number += 1
        self.record("notice", kind=str(notice.kind), text=str(notice))

    def written(self, *, stands: bool) -> None:
        """What a person was granted stands in the cluster, or does not."""
        granted, self._unwritten = self._unwritten, None
        if granted is not None and stands:
            self.log.asked(*granted)

    def say(self, words: str) -> None:
        self.log.say(self._ports.clock.now(), words)

    def alarm(self, words: str) -> None:
        """Tell of something that went wrong and that no check has found."""
        self.log.alarm(self._ports.clock.now(), words)
        self.record("problem", text=words)

    def decided(self, before: Decision, decision: Decision, *, is_judged: bool = True) -> None:
        """Log a new phase, new approvals, new incidents, and alarms that begin or end.

        Not `is_judged`: what the phase depends on has not been read yet, so it is told later.
        """
        if is_judged and self._phase is not decision.phase:
            self._phase = decision.phase
            if decision.phase not in _TOLD_OTHERWISE:
                self.say(f"{decision.phase}")
            self.record("phase", phase=str(decision.phase))
        self._approved(before, decision)
        if (gate := decision.gate) is not None and gate.is_open and gate.id != _open_gate(before):
            self.record("gate", gate=str(gate.id), target=gate.target)
        self._failed_nodes(before.incidents, decision.incidents)
        known, now = ({alarm.check for alarm in each.alarms} for each in (before, decision))
        for alarm in decision.alarms:
            if alarm.check not in known:
                self.log.alarm(self._ports.clock.now(), alarm.evidence)
                limit = wording.limit(alarm.limit) or None
                self.record("alarm", check=alarm.check, evidence=alarm.evidence, limit=limit)
        for check in sorted(known - now):
            self.record("alarm-over", check=check)

    def _approved(self, before: Decision, decision: Decision) -> None:
        """Keep the checks that were approved: the journal has their fingerprint only."""
        journal = decision.journal
        if journal is None or journal is before.journal:
            return
        seen = {evidence_of(gate): gate.checks for gate in (before.gate, decision.opened) if gate is not None}
        known = before.journal.approvals if before.journal else ()
        for record in journal.approvals[len(known) :]:
            if record.evidence in seen:
                checks = [[check.name, str(check.outcome), check.evidence] for check in seen[record.evidence]]
                self.record("approval", gate=str(record.gate), fingerprint=record.evidence, checks=checks)

    def _failed_nodes(self, before: tuple[Incident, ...], now: tuple[Incident, ...]) -> None:
        known = {(incident.pod, incident.at): incident for incident in before}
        for incident in now:
            old = known.get((incident.pod, incident.at))
            if old is None:
                self.log.alarm(incident.at, wording.incident(incident))
                self._record_incident("node-failed", incident)
            if incident.is_over and not (old and old.is_over):
                self._record_incident("node-back", incident)
                self.say(f"{incident.colour} {incident.pod} is back in EMQX; {wording.cost(incident)}")

    def _record_incident(self, event: str, incident: Incident) -> None:
        self.record(
            event,
            pod=incident.pod,
            colour=str(incident.colour),
            kind=str(incident.kind),
            since=incident.at.isoformat(),
            clients=incident.cut_off,
            text=wording.incident_so_far(incident),
        )

    def journal(self, journal: Journal | None) -> None:
        """Write the journal that stands in the cluster to the flight log, when it has changed."""
        if self._ports.recorder is None or journal is None or journal is self._recorded:
            return
        if journal != self._recorded:
            self.record("release", **journal_fields(journal))
            self._recorded = journal

    def ended(self, journal: Journal | None, result: str, *, is_elsewhere: bool = False) -> None:
        """Write the end of a release to the flight log."""
        self.journal(journal)
        self.record("closed", result=result, elsewhere=is_elsewhere)

    def counted(self, journal: Journal, sample: Sample) -> None:
        """Write a count of a release to the flight log, now and then: for a console that comes to it later."""
        if self._counted_at is not None and sample.at < self._counted_at + timedelta(seconds=COUNTED_EVERY_S):
            return
        self._counted_at = sample.at
        self.record(
            "counted",
            at=sample.at.isoformat(),
            uid=journal.uid,
            release_id=journal.release_id,
            blue=sample.blue,
            green=sample.green,
            other=sample.other,
            nodes=list(sample.nodes.items()),
        )

    @property
    def is_recording(self) -> bool:
        """There is a flight log."""
        return self._ports.recorder is not None

    def record(self, event: str, **told: Any) -> None:
        """Write to the flight log; without an `at` of its own it is of now."""
        recorder = self._ports.recorder
        if recorder is not None:
            recorder.record(event, {"at": self._ports.clock.now().isoformat(), **told})

    def recall(self, journal: Journal, put: Put) -> None:
        """Read what flight logs say of a release; it comes as Recalled."""
        recorder, loop = self._ports.recorder, asyncio.get_running_loop()

        def tell(samples: tuple[Sample, ...]) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(put, Recalled(journal.release_id, samples))

        if recorder is not None:
            recorder.recall(journal.uid, journal.release_id, tell)


_TOLD_OTHERWISE = frozenset({Phase.IDLE, Phase.DONE, Phase.ABORTED})
"""How a release ended is told when its journal is removed, or why that could not be done."""


def _is_long_over(view: View) -> bool:
    ended_at = view.journal.totals.finished_at if view.journal else None
    return ended_at is not None and (view.now - ended_at).total_seconds() > AFTER_END_S


def _open_gate(decision: Decision) -> GateId | None:
    return decision.gate.id if decision.gate is not None and decision.gate.is_open else None


def is_counting(view: View) -> bool:
    """Something on the screen counts seconds: a release, a source that is silent, old figures."""
    age_s = view.snapshot.stats.age_s(view.now)
    is_old = age_s is not None and age_s > FRESH_S
    return (view.journal is not None and not view.result) or is_old or any(not s.is_ok for s in view.health)


def says_the_same(one: View, other: View) -> bool:
    """They differ in the times of reading at most."""
    return (
        _content(one) == _content(other)
        and len(one.health) == len(other.health)
        and all(map(_is_same_source, one.health, other.health))
        and all(_is_same_undated(getattr(one.snapshot, n), getattr(other.snapshot, n)) for n in _CONTENT_OF_SNAPSHOT)
    )


def _is_same_source(one: SourceHealth, other: SourceHealth) -> bool:
    return one is other or _without_instant(one) == _without_instant(other)


def _without_instant(source: SourceHealth) -> tuple[Any, ...]:
    return (source.kind, source.is_ok, source.problem, source.is_forbidden)


def _is_same_undated(one: Any, other: Any) -> bool:
    return one is other or _undated(one) == _undated(other)


def _undated(value: Any) -> Any:
    """A reading, or a mapping of readings, without the instants; anything else as it is."""
    match value:
        case Reading():
            return (value.value, value.problem, value.unreadable)
        case Mapping():
            return {name: _undated(reading) for name, reading in value.items()}
        case _:
            return value


def _names(kind: type, *left_out: str) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.name not in left_out)


_content = attrgetter(*_names(View, "snapshot", "health", "samples", "driver_seen_s", "sequence"))
_CONTENT_OF_SNAPSHOT = _names(Snapshot, "now")
