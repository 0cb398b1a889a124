"""PURE: what a flight log tells of the last release in it: facts for a report, without a word of layout.

The journal is carried on by every driver, so that its figures are those of the whole release, although a recording may
have seen a part of it only. What was not recorded is None, never 0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from emqx_tui.headless.lines.events import Event, Record
from emqx_tui.headless.lines.view_diff import journal_diff
from emqx_tui.headless.release.summary import figures
from emqx_tui.headless.report.deviation import Deviation, Measured, Span, seconds_within, waited_s
from emqx_tui.model.series import Sample, Series
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.wire import Malformed, clean
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import ApprovalRecord, Journal, NewerSchema
from emqx_tui.rollout.telling.flight_records import Recording, journal_of, sample_of
from emqx_tui.session.views import facts
from emqx_tui.session.views.view import Away, View

TROUBLE = (Event.HOLD, Event.ABORT, Event.ALARM, Event.INCIDENT, Event.PROBLEM)
"""What a reader looks for first."""

YEARS = range(1970, 9000)
"""Other instants cannot be told in another zone."""

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One value of the template. None = absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Approved:
    """One approval, and the checks as they stood."""

    record: ApprovalRecord
    checks: tuple[tuple[str, str, str], ...] | None
    """(name, outcome, evidence); None where this console did not see the gate."""


@dataclass(frozen=True)
class NodeDrain:
    """What a release did to one node."""

    node: str
    generation: str
    clients: int | None
    """Live connections when its drain began."""
    began_at: datetime | None
    ended_at: datetime | None
    sessions_left: int | None
    frozen_s: float | None
    """Of its duration: the drain was stopped by a freeze; None while the duration is not known."""

    @property
    def duration_s(self) -> float | None:
        return facts.seconds_between(self.began_at, self.ended_at)

    @property
    def drained_s(self) -> float | None:
        """Its duration without the time that it was frozen."""
        return None if self.duration_s is None else self.duration_s - (self.frozen_s or 0.0)


@dataclass(frozen=True)
class Report:
    """One release as a flight log tells it."""

    recording: Recording
    journal: Journal | None
    """As it stood last; None in recordings of older consoles."""
    result: str
    """`done`, `aborted` or `failed`; empty when the recording does not have the end."""
    phase: str
    """The last one; empty when none was recorded."""
    figures: Fields
    """By the names of the `finished` record; empty without a journal."""
    away: Away | None
    """Clients that had not come back when the recording ended; None where it does not tell."""
    changes: tuple[Change, ...]
    approvals: tuple[Approved, ...]
    nodes: tuple[NodeDrain, ...]
    deviation: Deviation | None
    """From the forecast of its start; None where none is kept."""
    samples: tuple[Sample, ...]
    timeline: tuple[Record, ...]
    first_at: datetime | None
    """Of the release, in this recording."""
    last_at: datetime | None
    unreadable: int
    """Records that could not be understood, lines that could not be read among them."""
    dropped: int
    """Records that the disk did not take."""
    others: int
    """Releases in the recording before this one."""

    @property
    def trouble(self) -> tuple[Record, ...]:
        return tuple(record for record in self.timeline if record.event in TROUBLE)


@dataclass(frozen=True)
class _Stand:
    """A journal that was recorded."""

    at: datetime
    journal: Journal
    changes: tuple[Change, ...]


def report(recording: Recording) -> Report | None:
    """The last release of a recording; None when there is none in it."""
    parts = _releases(recording.records)
    if not parts:
        return None
    dated = [(at, told) for told in parts[-1] if (at := _instant(told, "at")) is not None]
    stands, unreadable = _stands(dated)
    journal = stands[-1].journal if stands else None
    if journal is not None:
        stands = [stand for stand in stands if stand.journal.release_id == journal.release_id]
        dated = [(at, told) for at, told in dated if at >= journal.created_at]
    samples = _samples(dated, journal)
    result = next((_text(told, "result") for _, told in reversed(dated) if told["event"] == "closed"), "")
    phases = [_text(told, "phase") for _, told in dated if told["event"] == "phase"]
    away = _away(dated, journal)
    timeline = sorted(_timeline(dated, stands), key=lambda record: record.at)
    nodes = tuple(_nodes(stands))
    return Report(
        recording=recording,
        journal=journal,
        result=result,
        phase=phases[-1] if phases else "",
        figures=_figures(recording, journal, samples, result, away) if journal else {},
        away=away,
        changes=stands[-1].changes if stands else (),
        approvals=_approvals(journal, dated) if journal else (),
        nodes=nodes,
        deviation=_deviation(dated, stands, nodes) if stands else None,
        samples=samples,
        timeline=tuple(timeline),
        first_at=dated[0][0] if dated else None,
        last_at=dated[-1][0] if dated else None,
        unreadable=recording.unreadable + unreadable,
        dropped=sum(_number(told, "records") for told in parts[-1] if told["event"] == "dropped"),
        others=len(parts) - 1,
    )


# -- the records of one release -------------------------------------------------------------------------------------


def _releases(records: Sequence[Fields]) -> list[list[Fields]]:
    """The records of each release: all up to its end, those before it began among them."""
    found: list[list[Fields]] = [[]]
    for told in records:
        # Who has not come back is told after the end.
        part = found[-2] if told["event"] == "away" and len(found) > 1 else found[-1]
        part.append(told)
        if told["event"] == "closed":
            found.append([])
    return [part for part in found if any(_is_of_release(told) for told in part)]


def _is_of_release(told: Fields) -> bool:
    is_begun = told["event"] == "phase" and told.get("phase") != str(Phase.IDLE)
    return is_begun or told["event"] in ("release", "counted", "closed")


Dated = Sequence[tuple[datetime, Fields]]


def _stands(dated: Dated) -> tuple[list[_Stand], int]:
    """The journals, oldest first, and how many could not be read."""
    found, unreadable = [], 0
    for at, told in dated:
        if told["event"] == "release":
            try:
                found.append(_Stand(at, journal_of(told.get("journal")), tuple(_changes(told.get("changes")))))
            except (Malformed, NewerSchema):
                unreadable += 1
    return found, unreadable


def _changes(told: Any) -> Iterator[Change]:
    for row in told if isinstance(told, list) else ():
        if isinstance(row, list) and len(row) == 3 and isinstance(row[0], str):
            yield Change(clean(row[0]), row[1], row[2])


def _samples(dated: Dated, journal: Journal | None) -> tuple[Sample, ...]:
    series = Series()
    for _, told in dated:
        if told["event"] == "counted" and (journal is None or told.get("release_id") == journal.release_id):
            with contextlib.suppress(ValueError, TypeError, KeyError):
                if (sample := sample_of(told)).at.year in YEARS:
                    series.add(sample)
    return series.frozen()


def _away(dated: Dated, journal: Journal | None) -> Away | None:
    """The last ones: as the screen told it."""
    for _, told in reversed(dated):
        if told["event"] == "away" and journal is not None and told.get("release_id") == journal.release_id:
            return Away(_number(told, "clients"), told.get("is_settled") is True)
    return None


def _figures(
    recording: Recording, journal: Journal, samples: tuple[Sample, ...], result: str, away: Away | None
) -> Fields:
    now = samples[-1].at if samples else journal.created_at
    snapshot = Snapshot(now, recording.namespace, recording.name)
    view = View(snapshot, Decision(Phase.IDLE), journal=journal, samples=samples, result=result, away=away)
    found = figures(view, journal)
    is_at_least = found["disconnects_at_least"] or journal.totals.finished_at is None
    return {**found, "disconnects_at_least": is_at_least, "early_clients": journal.totals.early}


def _approvals(journal: Journal, dated: Dated) -> tuple[Approved, ...]:
    seen = {_text(told, "fingerprint"): _checks(told.get("checks")) for _, told in dated if told["event"] == "approval"}
    return tuple(Approved(record, seen.get(record.evidence)) for record in journal.approvals)


def _checks(rows: Any) -> tuple[tuple[str, str, str], ...] | None:
    if not isinstance(rows, list):
        return None
    found = (row for row in rows if isinstance(row, list) and len(row) == 3)
    return tuple((clean(str(name)), clean(str(outcome)), clean(str(evidence))) for name, outcome, evidence in found)


def _nodes(stands: Sequence[_Stand]) -> Iterator[NodeDrain]:
    """Every node that was drained, in the order of the drains; an end that nobody here saw is not known."""
    if not stands:
        return
    journal, began, ended = stands[-1].journal, dict[str, datetime](), dict[str, datetime]()
    unseen = set(stands[0].journal.drained)
    _, frozen = _holds(stands)
    for stand in stands:
        for pod, at in stand.journal.starts.items():
            began.setdefault(pod, at)
        for pod in stand.journal.drained:
            ended.setdefault(pod, stand.at)
    totals = journal.totals
    for pod in sorted({*began, *ended}, key=lambda pod: (pod not in began, began.get(pod, journal.created_at))):
        is_back = pod in totals.initial_back
        began_at, ended_at = began.get(pod), None if pod in unseen else ended.get(pod)
        yield NodeDrain(
            node=pod,
            generation="green" if is_back else "blue",
            clients=totals.initial_back.get(pod) if is_back else totals.initial.get(pod),
            began_at=began_at,
            ended_at=ended_at,
            sessions_left=totals.sessions_left.get(pod, 0) if pod in journal.drained else None,
            frozen_s=None if began_at is None or ended_at is None else seconds_within(frozen, began_at, ended_at),
        )


def _deviation(dated: Dated, stands: Sequence[_Stand], nodes: Sequence[NodeDrain]) -> Deviation | None:
    journal = stands[-1].journal
    forecast, totals = journal.forecast, journal.totals
    if forecast is None:
        return None
    is_done = totals.finished_at is not None and journal.abort is None
    took_s = facts.seconds_between(journal.created_at, totals.finished_at) if is_done else None
    drains = [(node.began_at, node.ended_at) for node in nodes if node.began_at and node.ended_at]
    holds, frozen = _holds(stands)
    waited = waited_s([*_at_gates(dated, journal), *holds], frozen, drains) if is_done else None
    dip = None if totals.start_sum is None or totals.lowest_sum is None else totals.start_sum - totals.lowest_sum
    spent = {node.node: node.drained_s for node in nodes}
    return Deviation(
        total_s=Measured(
            forecast.total_low_s,
            forecast.total_high_s,
            None if took_s is None or waited is None else took_s - waited,
        ),
        waited_s=waited,
        drains_s=tuple(
            (drain.pod, Measured(drain.low_s, drain.high_s, spent.get(drain.pod))) for drain in forecast.drains
        ),
        disconnects=Measured(forecast.disconnects, forecast.disconnects, totals.disconnects if is_done else None),
        offline_at_once=Measured(0, forecast.offline_at_once, dip),
        forecast_rate_per_s=forecast.conn_evict_rate_per_s,
    )


def _at_gates(dated: Dated, journal: Journal) -> Iterator[Span]:
    """From the first time that each gate was seen open until it was approved."""
    opened: dict[str, datetime] = {}
    for at, told in dated:
        if told["event"] == "gate":
            opened.setdefault(_text(told, "gate"), at)
    for record in journal.approvals:
        if (at := opened.get(str(record.gate))) is not None:
            yield at, record.at


def _holds(stands: Sequence[_Stand]) -> tuple[list[Span], list[Span]]:
    """The holds that were lifted, and those of them that stopped a drain, too."""
    holds, frozen = list[Span](), list[Span]()
    for stand, after in pairwise(stands):
        if (hold := stand.journal.hold) is not None:
            (frozen if hold.freeze else holds).append((max(hold.at, stand.at), after.at))
    return holds, frozen


# -- the timeline ----------------------------------------------------------------------------------------------------


def _timeline(dated: Dated, stands: Sequence[_Stand]) -> Iterator[Record]:
    release_id = stands[-1].journal.release_id if stands else None
    if stands:
        journal = stands[0].journal
        versions = facts.versions(journal)
        fields = {"from": versions.before, "to": versions.after, "by": journal.created_by}
        yield Record(Event.STARTED, journal.created_at, release_id, fields)
    before: Journal | None = None
    for stand in stands:
        for event, fields in journal_diff(before, stand.journal):
            yield Record(event, _decided_at(event, fields, stand), release_id, fields)
        before = stand.journal
    phases = {_text(told, "phase") for _, told in dated if told["event"] == "phase"}
    for at, told in dated:
        if told["event"] == "closed" and _text(told, "result") in phases:
            continue
        if (found := _line(told)) is not None:
            yield Record(found[0], at, release_id, found[1])


def _decided_at(event: Event, fields: Fields, stand: _Stand) -> datetime:
    """When it was decided, which is not when it was seen here."""
    journal = stand.journal
    match event:
        case Event.APPROVED:
            return next((a.at for a in journal.approvals if a.number == fields["number"]), stand.at)
        case Event.HOLD if journal.hold is not None:
            return journal.hold.at
        case Event.ABORT if journal.abort is not None:
            return journal.abort.at
        case _:
            return stand.at


def _line(told: Fields) -> tuple[Event, Fields] | None:
    """What one record says; None for those that are told otherwise."""
    match told["event"]:
        case "phase" if told.get("phase") != str(Phase.IDLE):
            return Event.PHASE, {"phase": _text(told, "phase")}
        case "alarm":
            limit = _text(told, "limit") or None
            return Event.ALARM, {"check": _text(told, "check"), "evidence": _text(told, "evidence"), "limit": limit}
        case "alarm-over":
            return Event.ALARM_OVER, {"check": _text(told, "check")}
        case "node-failed" | "node-back":
            return Event.INCIDENT, _incident(told)
        case "command":
            return Event.COMMAND, {"text": _text(told, "text") or "sent", "command": _text(told, "command")}
        case "command-failed" if told.get("lost_race") is not True:
            words = _text(told, "text") or _text(told, "command")
            return Event.PROBLEM, {"text": f"{words}: {_text(told, 'message')}"}
        case "key":
            return Event.NOTICE, {"text": f"key: {_text(told, 'action').replace('_', ' ')} ({_text(told, 'place')})"}
        case "source":
            fields = {"source": _text(told, "source"), "is_ok": told.get("is_ok") is True}
            return Event.SOURCE, {**fields, "problem": _text(told, "problem")}
        case "problem":
            return Event.PROBLEM, {"text": _text(told, "text")}
        case "notice":
            return Event.NOTICE, {"text": _text(told, "text")}
        case "closed":
            return Event.NOTICE, {"text": f"the release is {_text(told, 'result')}"}
        case _:
            return None


def _incident(told: Fields) -> Fields:
    clients = told.get("clients")
    pod, kind = _text(told, "pod"), _text(told, "kind")
    return {
        "node": pod,
        "generation": _text(told, "colour") or None,
        "kind": kind,
        "since": _text(told, "since") or None,
        "clients": clients if isinstance(clients, int) else None,
        "text": _text(told, "text") or f"{pod} {kind}",
    }


def _text(told: Fields, key: str) -> str:
    value = told.get(key)
    return clean(str(value)) if isinstance(value, str | int | float) else ""


def _number(told: Fields, key: str) -> int:
    value = told.get(key)
    return value if isinstance(value, int) else 0


def _instant(told: Fields, key: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(_text(told, key))
        return at if at.tzinfo is not None and at.year in YEARS else None
    return None
