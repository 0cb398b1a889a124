"""PURE: the lines around the table: how many clusters there are, details of the one under the cursor, and why the
table is empty."""

from __future__ import annotations

import re
from datetime import datetime

from emqx_tui.model import units
from emqx_tui.session.views.cluster_facts import ClusterState, cluster_state
from emqx_tui.session.views.fleet_view import ClusterRow, FleetView
from emqx_tui.ui.clusters.states import clients_of, driver_words, state, step_word
from emqx_tui.ui.text.marks import clean, elapsed_s, joined
from emqx_tui.ui.text.spans import EMPTY, Line, Tone, line


def call_count(fleet: FleetView) -> Line:
    """`1 needs you`; empty when none does."""
    calling = sum(row.needs_person for row in fleet.rows)
    if not calling:
        return EMPTY
    return line((f"{calling} needs you" if calling == 1 else f"{calling} need you", Tone.CALL))


def counts(fleet: FleetView) -> Line:
    """`3 clusters · 1 in release · 1 needs you`."""
    if not fleet.rows:
        return EMPTY
    releasing = sum(row.is_releasing for row in fleet.rows)
    parts = [line(units.plural(len(fleet.rows), "cluster"))]
    parts += [line(f"{releasing} in release")] if releasing else []
    return joined([*parts, call_count(fleet)])


def fleet_line(fleet: FleetView) -> Line:
    """`12 clusters · 3 in release · 1 held · 2 waiting · 4 behind 4.4.24 · 3 need you`, for a wide screen."""
    if not fleet.rows:
        return EMPTY
    newest = max((row.resource.image.version for row in fleet.rows), key=_order)
    behind = sum(_order(row.resource.image.version) < _order(newest) for row in fleet.rows)
    told = (
        (sum(row.is_releasing for row in fleet.rows), "in release"),
        (sum(cluster_state(row) is ClusterState.UNGATED for row in fleet.rows), "ungated"),
        (sum(row.is_held for row in fleet.rows), "held"),
        (sum(bool(row.gate) for row in fleet.rows), "waiting"),
        (behind, f"behind {clean(newest)}"),
    )
    parts = [line(f"{number} {words}") for number, words in told if number]
    return joined([line(units.plural(len(fleet.rows), "cluster")), *parts, call_count(fleet)])


def _order(version: str) -> tuple[int, ...]:
    """What sorts `4.4.9` before `4.4.10`; a version without numbers is the oldest."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def detail(row: ClusterRow, now: datetime) -> tuple[Line, Line]:
    """Two lines about one row: what it is, and what the numbers rest on, or what is wrong."""
    resource, mark = row.resource, state(row)
    name = f"{clean(resource.namespace)}/{clean(resource.name)}"
    step = step_word(row)
    first = joined(
        [
            line((name, Tone.STRONG)),
            line(mark.span, f" at {step}" if row.is_releasing and step != "?" else ""),
            line(driver_words(row)),
            line((clean(resource.image), Tone.DIM)),
        ]
    )
    if row.unreadable:
        old = f"its figures are from {units.clock(row.read_at)}" if row.is_known else "it was never read"
        return line((name, Tone.STRONG), " · ", (old, Tone.DIM)), line((f"▲ {clean(row.problem)}", Tone.WARN))
    if row.problem:
        return first, line((f"▲ {clean(row.problem)}", Tone.WARN))
    return first, joined([line((counted_words(row, now), Tone.DIM)), *_status_parts(row, now)])


def counted_words(row: ClusterRow, now: datetime) -> str:
    if row.live_connections is not None:
        return f"clients counted {units.age(elapsed_s(row.live_at, now))} ago"
    return "~ with kept sessions, from the status" if clients_of(row) is not None else "clients not known"


def _status_parts(row: ClusterRow, now: datetime) -> list[Line]:
    condition, blue_green = row.resource.condition, row.resource.blue_green
    parts: list[Line] = []
    if blue_green is None:
        parts.append(line(("no blueGreenUpdate: the operator would do a rolling update", Tone.WARN)))
    if condition is None:
        return [*parts, line(("no status yet", Tone.DIM))]
    said = f"{clean(condition.type)} {'true' if condition.status else 'false'}"
    written = units.age(elapsed_s(condition.last_update_at, now))
    parts.append(line((f"status {said}, written {written} ago", Tone.DIM)))
    if condition.message:
        parts.append(line((clean(condition.message), Tone.DIM)))
    return parts


def empty_line(fleet: FleetView, filter_text: str, shown: int) -> Line:
    """The one line in place of the table while there is no row to show; empty when there is."""
    if shown:
        return EMPTY
    where = "in any namespace" if fleet.namespace is None else f"in namespace {clean(fleet.namespace)}"
    if fleet.rows:
        return line(
            ("No cluster matches the filter ", Tone.PLAIN), (clean(filter_text), Tone.STRONG), " (esc clears it)"
        )
    if fleet.problem:
        return line(("✘ ", Tone.BAD), (clean(fleet.problem), Tone.BAD))
    if not fleet.is_synced:
        return line((f"◌ Reading the EmqxEnterprise objects from {clean(fleet.server)} …", Tone.WAIT))
    return line(f"There is no EmqxEnterprise {where} of {clean(fleet.context)}.")
