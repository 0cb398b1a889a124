"""PURE: a report in sentences and tables, the same for every form; `report_forms.py` only draws it.

All text of a recording passes `clean` here. What is not known says so; it is never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from emqx_tui.headless.lines import words
from emqx_tui.headless.lines.events import Record
from emqx_tui.headless.report.deviation import Measured
from emqx_tui.headless.report.report import Approved, NodeDrain, Report
from emqx_tui.model import units
from emqx_tui.model.series import Sample, summarise
from emqx_tui.model.wire import clean
from emqx_tui.rollout.state.journal import Journal, Uncounted
from emqx_tui.rollout.telling import wording
from emqx_tui.session.views.view import Away

UNKNOWN = "unknown"
MOST_ROWS = 500
"""Of the timeline, in forms for people; the JSON has all."""


@dataclass(frozen=True)
class Table:
    header: tuple[str, ...]
    """Empty where the first column names what the second one says."""
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    title: str
    tables: tuple[Table, ...] = ()
    lines: tuple[str, ...] = ()
    """Shown below the tables."""
    samples: tuple[Sample, ...] = ()
    """For a plot above the tables."""


@dataclass(frozen=True)
class Page:
    title: str
    sections: tuple[Section, ...]


def page(found: Report, console_version: str) -> Page:
    """The whole report. `console_version` = of the console that makes it."""
    where = clean(f"{found.recording.namespace}/{found.recording.name}")
    sections = (
        Section("Release", (Table((), tuple(_release(found))),)),
        _changed(found),
        _approvals(found),
        _connections(found),
        _nodes(found),
        _forecast(found),
        _trouble(found),
        _timeline(found),
        Section("Versions", (Table((), tuple(_versions(found, console_version))),)),
        Section("Recording", (Table((), tuple(_recorded(found))),), tuple(_gaps(found))),
    )
    return Page(f"EMQX release report: {where}", sections)


Row = tuple[str, str]


def instant(at: datetime | None) -> str:
    """`2026-11-28 10:05:19Z`."""
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _known(value: Any, spelled: str) -> str:
    return UNKNOWN if value is None else spelled


def _span(seconds: float | None) -> str:
    return _known(seconds, units.span(seconds))


def _count(value: int | None) -> str:
    return _known(value, units.count(value))


# -- what the release was --------------------------------------------------------------------------------------------


def _release(found: Report) -> Iterator[Row]:
    journal, figures = found.journal, found.figures
    yield "Cluster", clean(f"{found.recording.name} in namespace {found.recording.namespace}")
    yield "Result", _result(found)
    if journal is None:
        yield "Details", "this recording has no journal: it was written by an older console, or begins after the end"
        return
    totals = journal.totals
    yield "From", clean(journal.from_image)
    yield "To", clean(journal.to_image)
    yield "Started", clean(f"{instant(journal.created_at)} by {journal.created_by}")
    yield "Ended", instant(totals.finished_at)
    yield "Duration", _span(figures["duration_s"])
    yield "Policy", words.policy(journal.approval)
    rates = journal.rates
    sessions = f"{units.count(rates.sess_evict_rate_per_s)}/s sessions"
    pace = f"{units.count(rates.conn_evict_rate_per_s)}/s connections and {sessions} a node"
    at_once = f", {journal.parallel_drains} nodes at once" if journal.parallel_drains > 1 else ""
    yield "Rates", f"{pace}, {rates.effective_wait_takeover_s} s for takeover{at_once}"
    limit = f" (no drain beats {_span(figures['limit_s'])})" if figures["limit_s"] is not None else ""
    yield "Drains", f"{_span(figures['drain_s'])}{limit}"
    yield "Clients on blue at the first drain", _count(totals.clients)
    yield "Disconnects", _disconnects(journal, figures)
    yield "Clients lost", _lost(journal, figures, found.away)
    yield "Lowest sum of connections", _lowest(journal, figures)
    yield "Not counted", "; ".join(map(_gap, _joined(totals.uncounted))) or "never"
    yield "Sessions left behind", _count(figures["sessions_left"])
    yield "Clients on green by the cut-over", _count(figures["early_clients"])


def _result(found: Report) -> str:
    if found.result:
        return clean(found.result)
    last = f", last phase {found.phase}" if found.phase else ""
    hold = found.journal.hold if found.journal else None
    held = f", {wording.held(hold)}" if hold else ""
    return clean(f"{UNKNOWN}: the recording does not have the end of the release{last}{held}")


def _disconnects(journal: Journal, figures: Mapping[str, Any]) -> str:
    totals, ratio = journal.totals, figures["disconnects_per_client"]
    least = "at least " if figures["disconnects_at_least"] else ""
    parts = {
        "evicted": totals.evicted,
        "moved back by the abort": totals.returned,
        "cut off by failed nodes": totals.killed,
        "cut by the network in the canary": totals.cut_by_canary,
    }
    told = ", ".join(f"{units.count(number)} {what}" for what, number in parts.items() if number)
    a_client = f", {ratio:.2f} a client" if ratio is not None else ""
    return f"{least}{units.count(totals.disconnects)}{a_client}{f' ({told})' if told else ''}"


def _lost(journal: Journal, figures: Mapping[str, Any], away: Away | None) -> str:
    lost = figures["clients_lost"]
    if lost is None and away is not None:
        return f"{UNKNOWN}: {units.plural(away.clients, 'client')} on their way, or lost, when the recording ended"
    still = " (the release has not ended here)" if journal.totals.finished_at is None else ""
    return _known(lost, units.count(lost)) + still


def _lowest(journal: Journal, figures: Mapping[str, Any]) -> str:
    totals, ratio = journal.totals, figures["lowest_sum_ratio"]
    if totals.lowest_sum is None or (ratio is None and totals.start_sum):
        return UNKNOWN
    of = f" of {units.count(totals.start_sum)} at the start ({ratio:.2%})" if ratio is not None else ""
    return f"{units.count(totals.lowest_sum)}{of}{', where it was counted' if totals.uncounted else ''}"


def _joined(gaps: Sequence[Uncounted]) -> list[Uncounted]:
    """Gaps that follow each other without a count between them are one."""
    found: list[Uncounted] = []
    for gap in gaps:
        if found and found[-1].until == gap.since:
            gap = replace(gap, since=found.pop().since)
        found.append(gap)
    return found


def _gap(gap: Uncounted) -> str:
    return f"{instant(gap.since)} to {instant(gap.until)}"


def _changed(found: Report) -> Section:
    rows = tuple((change.path, _value(change.before), _value(change.after)) for change in found.changes)
    tables = (Table(("Field", "Before", "After"), rows),) if rows else ()
    return Section("What was changed", tables, () if rows else (f"{UNKNOWN}: it was not recorded",))


def _value(value: Any) -> str:
    if value is None:
        return "absent"
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


# -- who approved what -----------------------------------------------------------------------------------------------


def _approvals(found: Report) -> Section:
    journal = found.journal
    if journal is None:
        return Section("Approvals", lines=(f"{UNKNOWN}: they were not recorded",))
    rows = tuple(_approval(approval, journal) for approval in found.approvals)
    lines = [f"{check}: accepted as the release was started" for check in journal.overrides]
    lines += [f"hold of {check}: lifted by {by}" for check, by in journal.acknowledged_by.items()]
    if journal.abort is not None:
        lines.append(f"abort: {instant(journal.abort.at)} by {journal.abort.by}")
    return Section(
        "Approvals", (Table(("No.", "Gate", "By", "At", "Evidence"), rows),), tuple(clean(line) for line in lines)
    )


def _approval(approval: Approved, journal: Journal) -> tuple[str, ...]:
    record = approval.record
    gate = wording.gate(record.gate, journal)
    return (str(record.number), clean(gate), clean(record.by), instant(record.at), _evidence(approval))


def _evidence(approval: Approved) -> str:
    told = f"fingerprint {clean(approval.record.evidence)}"
    if approval.checks is None:
        return told
    return "; ".join(f"{name} {outcome}: {evidence}" for name, outcome, evidence in approval.checks) + f" ({told})"


# -- what was counted ------------------------------------------------------------------------------------------------


def _connections(found: Report) -> Section:
    samples = found.samples
    if not samples:
        return Section("Connections", lines=(f"{UNKNOWN}: no count was recorded",))
    rows = tuple(
        _summary(name, [value(sample) for sample in samples])
        for name, value in (("blue", lambda s: s.blue), ("green", lambda s: s.green), ("sum", lambda s: s.sum))
    )
    told = f"{units.plural(len(samples), 'count')} from {instant(samples[0].at)} to {instant(samples[-1].at)}"
    return Section("Connections", (Table(("", "Lowest", "Highest", "Average", "End"), rows),), (told,), samples)


def _summary(name: str, values: list[int | None]) -> tuple[str, ...]:
    figures = summarise(values)
    average = None if figures.average is None else round(figures.average)
    return (name, *map(_count, (figures.minimum, figures.maximum, average, figures.current)))


def _nodes(found: Report) -> Section:
    if not found.nodes:
        told = "no drain was recorded" if found.journal else f"{UNKNOWN}: drains were not recorded"
        return Section("Nodes", lines=(told,))
    header = ("Node", "Generation", "Clients", "Drain began", "Drain ended", "Took", "Sessions left")
    return Section("Nodes", (Table(header, tuple(map(_node, found.nodes))),))


def _node(node: NodeDrain) -> tuple[str, ...]:
    return (
        clean(node.node),
        node.generation,
        _count(node.clients),
        instant(node.began_at),
        instant(node.ended_at),
        _span(node.duration_s) + (f", {_span(node.frozen_s)} of it frozen" if node.frozen_s else ""),
        _count(node.sessions_left),
    )


# -- what was forecast -----------------------------------------------------------------------------------------------


def _forecast(found: Report) -> Section:
    deviation, journal = found.deviation, found.journal
    if deviation is None or journal is None:
        return Section("Forecast", lines=(f"{UNKNOWN}: the release keeps none",))
    rows = (
        ("Total, without waits", *_in_seconds(deviation.total_s)),
        *((f"Drain of {clean(node)}", *_in_seconds(drain)) for node, drain in deviation.drains_s),
        ("Disconnects", *_in_clients(deviation.disconnects)),
        ("Offline at once", *_in_clients(deviation.offline_at_once)),
    )
    lines = [f"waited for people, in no forecast: {_span(deviation.waited_s)}"]
    if journal.rates.conn_evict_rate_per_s != deviation.forecast_rate_per_s:
        forecast, last = deviation.forecast_rate_per_s, journal.rates.conn_evict_rate_per_s
        lines.append(
            f"made for {units.per_s(forecast)} a node; the rate was changed, to {units.per_s(last)} in the end"
        )
    if journal.abort is not None:
        lines.append("made for the way to green: the release was aborted")
    return Section("Forecast", (Table(("", "Forecast at the start", "Came", "Deviation"), rows),), tuple(lines))


def _in_seconds(one: Measured) -> tuple[str, str, str]:
    away = one.deviation
    told = UNKNOWN if away is None else "inside" if not away else f"{units.span(abs(away))} {_side(away)}"
    return f"{units.span(one.low)} to {units.span(one.high)}", _span(one.came), told


def _in_clients(one: Measured) -> tuple[str, str, str]:
    away = one.deviation
    band = units.count(one.high) if one.low in (0, one.high) else f"{units.count(one.low)} to {units.count(one.high)}"
    came = None if one.came is None else round(one.came)
    told = UNKNOWN if away is None else "none" if not away else f"{units.count(round(abs(away)))} {_side(away)}"
    return f"up to {band}" if one.low < one.high else band, _count(came), told


def _side(away: float) -> str:
    return "more" if away > 0 else "less"


# -- what happened ---------------------------------------------------------------------------------------------------


def _trouble(found: Report) -> Section:
    if not found.trouble:
        return Section("What went wrong", lines=("nothing was recorded: no hold, no alarm, no failed node or command",))
    return Section("What went wrong", (_records(found.trouble),), tuple(_canary(found.journal)))


def _canary(journal: Journal | None) -> Iterator[str]:
    if journal is not None and journal.canary_failed:
        yield f"the canary failed: {clean(journal.canary_failed)}"


def _timeline(found: Report) -> Section:
    left_out = len(found.timeline) - MOST_ROWS
    lines = (f"{units.plural(left_out, 'more record')}: -o json has them",) if left_out > 0 else ()
    return Section("Timeline", (_records(found.timeline[:MOST_ROWS]),), lines)


def _records(records: Sequence[Record]) -> Table:
    rows = tuple((instant(each.at), str(each.event).replace("_", " "), words.text(each)) for each in records)
    return Table(("At", "What", "Details"), rows)


def _versions(found: Report, console_version: str) -> Iterator[Row]:
    journal = found.journal
    yield "EMQX before", clean(journal.from_image) if journal else UNKNOWN
    yield "EMQX after", clean(journal.to_image) if journal else UNKNOWN
    yield "EMQX Operator", (clean(journal.originals.operator_image) if journal else "") or UNKNOWN
    yield "emqx-tui that began the release", (clean(journal.console_version) if journal else "") or UNKNOWN
    yield "emqx-tui that recorded it", clean(found.recording.console) or UNKNOWN
    yield "emqx-tui that made this report", console_version


def _recorded(found: Report) -> Iterator[Row]:
    yield "Release", clean(found.journal.release_id) if found.journal else UNKNOWN
    yield "From", instant(found.first_at)
    yield "To", instant(found.last_at)


def _gaps(found: Report) -> Iterator[str]:
    """What this recording does not have."""
    recording = found.recording
    if recording.lacks_beginning:
        yield "older parts of this recording may be gone: it was cut to its largest size"
    if recording.is_cut:
        yield "the last line is cut: the console died as it wrote it"
    if found.unreadable:
        yield f"{units.plural(found.unreadable, 'line')} could not be read"
    if found.dropped:
        yield f"the disk did not take {units.plural(found.dropped, 'record')}"
    if found.others:
        yield f"{units.plural(found.others, 'earlier release')} in this recording: this report is of the last one"
    if found.journal is not None and found.first_at is not None and not found.samples:
        yield "no count of connections was recorded"
