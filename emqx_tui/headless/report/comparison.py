"""PURE: two releases side by side, such as staging against production: the figures, and how much the second differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emqx_tui.headless.report.report import Report
from emqx_tui.headless.report.report_document import SCHEMA
from emqx_tui.model import units
from emqx_tui.model.wire import clean


@dataclass(frozen=True)
class Compared:
    """One figure of both; None where it is not known."""

    name: str
    unit: str
    """`s`, `ratio`, or empty for a count or a word."""
    first: float | int | str | None
    second: float | int | str | None

    @property
    def difference(self) -> float | None:
        """Second less first, of numbers."""
        if isinstance(self.first, str | None) or isinstance(self.second, str | None):
            return None
        return self.second - self.first


def compared(first: Report, second: Report) -> tuple[Compared, ...]:
    """The figures of two releases."""
    rows = zip(_figures(first), _figures(second), strict=True)
    return tuple(Compared(name, unit, one, other) for (name, unit, one), (_, _, other) in rows)


def _figures(found: Report) -> Iterator[tuple[str, str, Any]]:
    journal, told = found.journal, found.figures
    yield "cluster", "", f"{found.recording.namespace}/{found.recording.name}"
    yield "result", "", found.result or None
    yield "from", "", journal.from_image if journal else None
    yield "to", "", journal.to_image if journal else None
    yield "evictions a second and node", "", journal.rates.conn_evict_rate_per_s if journal else None
    yield "parallel drains", "", journal.parallel_drains if journal else None
    yield "clients at the first drain", "", journal.totals.clients if journal else None
    yield "duration", "s", told.get("duration_s")
    yield "beyond the forecast", "s", found.deviation.total_s.deviation if found.deviation else None
    yield "drains", "s", told.get("drain_s")
    drained = (s for node in found.nodes if (s := node.drained_s) is not None)
    yield "longest drain, without freezes", "s", max(drained, default=None)
    yield "nodes drained", "", len(found.nodes)
    yield "disconnects", "", journal.totals.disconnects if journal else None
    yield "disconnects per client", "ratio", told.get("disconnects_per_client")
    yield "clients lost", "", told.get("clients_lost")
    yield "lowest sum, of the start", "ratio", told.get("lowest_sum_ratio")
    yield "sessions left behind", "", told.get("sessions_left")
    yield "approvals", "", len(found.approvals)
    yield "troubles", "", len(found.trouble)


def document(rows: Sequence[Compared]) -> dict[str, Any]:
    """For `-o json`."""
    return {
        "schema": SCHEMA,
        "figures": [
            {"figure": row.name, "unit": row.unit or None, "a": row.first, "b": row.second, "b_less_a": row.difference}
            for row in rows
        ],
    }


def lines(rows: Sequence[Compared]) -> Iterator[str]:
    """For people."""
    cells = [("", "A", "B", "B less A"), *(_cells(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(row: Compared) -> tuple[str, str, str, str]:
    difference = row.difference
    sign = "" if not difference else "+" if difference > 0 else "-"
    told = "" if difference is None else f"{sign}{_spelled(abs(difference), row.unit)}"
    return row.name, _spelled(row.first, row.unit), _spelled(row.second, row.unit), told


def _spelled(value: float | int | str | None, unit: str) -> str:
    if value is None:
        return units.UNKNOWN
    if isinstance(value, str):
        return clean(value)
    if unit == "ratio":
        return f"{value:.3f}"
    return units.span(value) if unit == "s" else units.count(round(value))
