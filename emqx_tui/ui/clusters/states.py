"""PURE: what one cluster of the list does, in words, and what sorts before what.

The state comes from the newest condition alone and from the release; the STATUS that kubectl prints is the first
condition that is True, which may be months old.
"""

from __future__ import annotations

from emqx_tui.rollout.phases import Phase
from emqx_tui.session.views.cluster_facts import ClusterState, cluster_state, readiness, row_versions
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.text import glyphs
from emqx_tui.ui.text.gates import gate_name
from emqx_tui.ui.text.marks import NONE, Mark, clean
from emqx_tui.ui.text.spans import Tone

Key = tuple[str, str]

_STEPS = {
    Phase.STARTING: "start",
    Phase.CREATING_GREEN: "green",
    Phase.WAITING_DELAY: "delay",
    Phase.READY_TO_CUT_OVER: "cut-over",
    Phase.CANARY: "canary",
    Phase.CUTTING_OVER: "cut-over",
    Phase.DRAINING: "drain",
    Phase.FINISHING: "finish",
    Phase.ABORTING: "abort",
}


_STATES = {
    ClusterState.DELETING: Mark(glyphs.FAILED, "deleting", Tone.WARN),
    ClusterState.UNREADABLE: Mark(glyphs.ALARM, "unreadable", Tone.BAD),
    ClusterState.HELD: Mark(glyphs.HELD, "held", Tone.WARN),
    ClusterState.NO_DRIVER: Mark(glyphs.ALARM, "no driver", Tone.CALL),
    ClusterState.WAITING: Mark(glyphs.WAITING, "waits for you", Tone.CALL),
    ClusterState.ABORTING: Mark("◂", "aborting", Tone.WARN),
    ClusterState.LOST: Mark(glyphs.FAILED, "lost", Tone.BAD),
    ClusterState.RELEASING: Mark(glyphs.RUNNING, "releasing", Tone.STRONG),
    ClusterState.UNGATED: Mark(glyphs.ALARM, "ungated", Tone.WARN),
    ClusterState.STOPPED: Mark(glyphs.HELD, "stopped", Tone.CALL),
    ClusterState.NEW: Mark(glyphs.STARTING, "new", Tone.WAIT),
    ClusterState.DEGRADED: Mark(glyphs.ALARM, "degraded", Tone.BAD),
    ClusterState.RUNNING: Mark(glyphs.SERVING, "running", Tone.GOOD),
    ClusterState.NOT_RUNNING: Mark(glyphs.ALARM, "not running", Tone.BAD),
}


def state(row: ClusterRow) -> Mark:
    """What a cluster does."""
    return _STATES[cluster_state(row)]


def driver_words(row: ClusterRow) -> str:
    """Who drives the release, or what the operator does in its own, or why that is not known; empty without one."""
    if row.is_mine:
        return "driver: you"
    if row.driver and not row.is_undriven:
        return f"driver: {clean(row.driver.partition('/')[0])}"
    if row.is_undriven:
        return "no driver"
    if row.is_left:
        return "delay still closed"
    if row.ungated:
        from emqx_tui.ui.clusters.ungated import ungated_words

        return ungated_words(row.ungated)
    return clean(row.why_unknown) if row.is_releasing else ""


def step_word(row: ClusterRow) -> str:
    """Where the release stands, or the gate it waits at."""
    if row.gate:
        return gate_name(row.gate)
    if row.ungated:
        from emqx_tui.ui.clusters.ungated import ungated_step

        return ungated_step(row.ungated)
    return _STEPS.get(row.phase, "?" if row.is_releasing else NONE)


def version_words(row: ClusterRow) -> str:
    """`4.4.14→4.4.15` while a release runs, else the version asked for."""
    found = row_versions(row)
    before, after = clean(found.before) or "?", clean(found.after) or "?"
    return before if before == after else f"{before}→{after}"


def clients_of(row: ClusterRow) -> int | None:
    """Live connections, or what the status says where nobody counted."""
    if row.live_connections is not None:
        return row.live_connections
    nodes = row.resource.status_nodes
    return sum(node.connections for node in nodes) if nodes else None


def sort_value(row: ClusterRow, column: str) -> tuple:
    """What the rows are ordered by; names last, so that equal rows keep still."""
    resource = row.resource
    created = resource.meta.created_at
    values: dict[str, object] = {
        "namespace": resource.namespace,
        "name": resource.name,
        "phase": _URGENCY.get(state(row).word, len(_URGENCY)),
        "version": resource.image.version,
        "ready": (readiness(row)[0] or 0) / max(1, readiness(row)[1]),
        "clients": -(clients_of(row) or 0),
        "step": step_word(row),
        "age": -created.timestamp() if created else 0.0,
        "note": row.problem == "",
    }
    return (values[column], resource.namespace, resource.name)


_BY_URGENCY = (
    *("lost", "stopped", "held", "no driver", "waits for you", "unreadable", "degraded", "not running"),
    *("ungated", "aborting", "releasing", "new"),
)
_URGENCY = {word: number for number, word in enumerate(_BY_URGENCY)}
