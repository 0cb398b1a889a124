"""PURE: what a rehearsal showed: what was injected, what was noticed and how late, held and approved, and the outcome.

Noticed is the first alarm, hold, failed node, problem or silent source in the console's recording after a fault began,
until the next fault begins or NOTICED_WITHIN_S after it ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emqx_tui.headless.lines import words
from emqx_tui.headless.lines.events import Event, Record, spell
from emqx_tui.headless.report.report import TROUBLE, Report
from emqx_tui.model import units
from emqx_tui.model.wire import clean
from emqx_tui.rollout.telling import wording

NOTICED_WITHIN_S = 300.0


@dataclass(frozen=True)
class Injected:
    """One fault, and what the console made of it."""

    fault: str
    """As it was asked for."""
    at: datetime | None
    """None: it never struck, the release had not come to that."""
    struck: str
    """What it struck; empty when there was nothing to strike."""
    mended_at: datetime | None
    noticed: Record | None = None
    held: Record | None = None


@dataclass(frozen=True)
class Rehearsal:
    """One rehearsal. `report` is None when no release was started."""

    cluster: str
    like: str
    """The cluster whose shape it has; empty for the default."""
    faults: tuple[Injected, ...]
    report: Report | None
    recording: str
    """The file for `replay` and `report`; empty without a release."""
    truth: Mapping[str, int]
    """What the sandbox says of its clients: `clients`, `disconnects`, `lost`; empty when it did not end well."""


def rehearsal(
    cluster: str,
    like: str,
    *,
    asked: Sequence[str],
    told: Sequence[Mapping[str, Any]],
    report: Report | None,
    recording: str,
) -> Rehearsal:
    """`asked` = the faults of the command line; `told` = what the sandbox recorded."""
    struck = {each["fault"]: each for each in told if "at" in each}
    mended = {each["fault"]: _instant(each["mended_at"]) for each in told if "mended_at" in each}
    faults = [
        Injected(name, _instant(found["at"]), found["struck"], mended.get(name))
        if (found := struck.get(name))
        else Injected(name, None, "", None)
        for name in asked
    ]
    truth = next((each for each in reversed(told) if "disconnects" in each), {})
    return Rehearsal(cluster, like, tuple(_answered(faults, report)), report, recording, truth)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _answered(faults: Sequence[Injected], report: Report | None) -> Iterator[Injected]:
    trouble = [record for record in report.timeline if _is_trouble(record)] if report else []
    begun = sorted(fault.at for fault in faults if fault.at is not None)
    for fault in faults:
        if fault.at is None or not fault.struck:
            yield fault
            continue
        until = (fault.mended_at or fault.at) + timedelta(seconds=NOTICED_WITHIN_S)
        until = min([until, *(at for at in begun if at > fault.at)])
        seen = [record for record in trouble if fault.at <= record.at < until]
        held = next((record for record in seen if record.event is Event.HOLD), None)
        yield Injected(fault.fault, fault.at, fault.struck, fault.mended_at, seen[0] if seen else None, held)


def _is_trouble(record: Record) -> bool:
    return record.event in TROUBLE or (record.event is Event.SOURCE and not record.fields["is_ok"])


# -- as a document ---------------------------------------------------------------------------------------------------


def document(found: Rehearsal) -> dict[str, Any]:
    """For `-o json`."""
    report = found.report
    figures = dict(report.figures) if report else {}
    return {
        "event": "rehearsed",
        "cluster": found.cluster,
        "like": found.like or None,
        "result": (report.result or "not ended") if report else "not started",
        "faults": [_fault_json(fault) for fault in found.faults],
        "approvals": [
            {"gate": str(each.record.gate), "by": each.record.by, "at": spell(each.record.at)}
            for each in (report.approvals if report else ())
        ],
        "held": [record.to_json() for record in _holds(report)],
        "duration_s": figures.get("duration_s"),
        "disconnects_per_client": figures.get("disconnects_per_client"),
        "clients_lost": figures.get("clients_lost"),
        "true_disconnects_per_client": _true_per_client(found),
        "true_clients_lost": found.truth.get("lost"),
        "recording": found.recording or None,
    }


def _fault_json(fault: Injected) -> dict[str, Any]:
    return {
        "fault": fault.fault,
        "at": spell(fault.at) if fault.at else None,
        "struck": fault.struck or None,
        "mended_at": spell(fault.mended_at) if fault.mended_at else None,
        "noticed_as": _text(fault.noticed) if fault.noticed else None,
        "noticed_after_s": _after_s(fault, fault.noticed),
        "held_after_s": _after_s(fault, fault.held),
    }


def _after_s(fault: Injected, record: Record | None) -> float | None:
    return None if record is None or fault.at is None else round((record.at - fault.at).total_seconds(), 1)


def _holds(report: Report | None) -> list[Record]:
    return [] if report is None else [r for r in report.timeline if r.event in (Event.HOLD, Event.RESUMED, Event.ABORT)]


def _true_per_client(found: Rehearsal) -> float | None:
    clients = found.truth.get("clients", 0) + found.truth.get("lost", 0)
    return round(found.truth["disconnects"] / clients, 3) if clients else None


# -- as lines --------------------------------------------------------------------------------------------------------

_LABEL = 13


def lines(found: Rehearsal) -> Iterator[str]:
    """For people."""
    report = found.report
    like = f", like {clean(found.like)}" if found.like else ""
    yield _line("REHEARSAL", f"{clean(found.cluster)} on a simulated cluster{like}")
    yield _line("result", _result(report))
    begun = report.journal.created_at if report and report.journal else None
    for number, fault in enumerate(found.faults):
        yield _line("" if number else "faults", _fault(fault, begun))
    if report is None or report.journal is None:
        return
    for number, record in enumerate(_holds(report)):
        yield _line("" if number else "held", f"{_since(record.at, begun)}  {_text(record)}")
    for number, each in enumerate(report.approvals):
        gate = wording.gate(each.record.gate, report.journal)
        yield _line(
            "" if number else "approved", f"{_since(each.record.at, begun)}  {clean(gate)} by {clean(each.record.by)}"
        )
    ratio, truly = report.figures.get("disconnects_per_client"), _true_per_client(found)
    yield _line("disconnects", f"{_ratio(ratio)} a client; truly {_ratio(truly)}")
    lost = report.figures.get("clients_lost")
    yield _line("clients lost", f"{units.count(lost)}; truly {units.count(found.truth.get('lost'))}")
    yield _line("recording", f"{clean(found.recording)} (for replay and report)")


def _result(report: Report | None) -> str:
    if report is None or report.journal is None:
        return "no release was started"
    duration = report.figures.get("duration_s")
    after = f" after {units.span(duration)}" if duration is not None else ""
    last = "" if report.result or not report.phase else f", last phase {clean(report.phase)}"
    return f"{clean(report.result) or 'the release had not ended'}{after}{last}"


def _fault(fault: Injected, begun: datetime | None) -> str:
    if fault.at is None:
        return f"{fault.fault}: never struck, it had not come to that"
    told = f"{_since(fault.at, begun)}  {fault.fault}"
    if not fault.struck:
        return f"{told}: there was nothing to strike"
    told += f" ({clean(fault.struck)}): "
    if fault.noticed is None:
        return told + "NOT NOTICED"
    told += f"noticed after {units.span(_after_s(fault, fault.noticed))}: {_text(fault.noticed)}"
    if fault.held is not None and fault.held is not fault.noticed:
        told += f"; held after {units.span(_after_s(fault, fault.held))}"
    return told


def _since(at: datetime, begun: datetime | None) -> str:
    return units.clock(at) if begun is None else f"+{units.clock_span((at - begun).total_seconds())}"


def _text(record: Record) -> str:
    return clean(words.text(record))


def _ratio(value: float | None) -> str:
    return units.UNKNOWN if value is None else f"{value:.2f}"


def _line(label: str, text: str) -> str:
    return f"{label.ljust(_LABEL)}{text}"
