"""PURE: alarms, failed nodes, holds and gates in words.

The one place for them: the journal keeps some of these sentences, and every console and both front ends show the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from emqx_tui.model import units
from emqx_tui.model.snapshot import Generation, Snapshot
from emqx_tui.rollout.decision import Alarm, Limit
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.state.journal import HoldRecord, Journal
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind
from emqx_tui.rollout.ungated.ungated import Stage, UngatedRelease


def alarm(found: Alarm) -> str:
    """What an alarm has found, and the limit that it passed."""
    return f"{found.evidence} ({limit(found.limit)})" if found.limit else found.evidence


def limit(found: Limit | None) -> str:
    """`limit 60 s`, `limit 395 for 10 s`, `limit 10% a minute`; empty without one."""
    if found is None:
        return ""
    if found.share_per_min is not None:
        return f"limit {found.share_per_min:.0%} a minute"
    clients = "" if found.clients is None else f"{found.clients:,} for "
    return f"limit {clients}{found.seconds:.0f} s"


def failure(found: Incident) -> str:
    """Which node failed, how and when."""
    since = f"{units.clock(found.at)}Z"
    reason = f" ({found.reason})" if found.reason else ""
    what = {
        IncidentKind.POD_LOST: f"was lost at {since}",
        IncidentKind.RESTARTED: f"restarted at {since}{reason}",
        IncidentKind.LEFT_EMQX: f"left the EMQX cluster at {since}, its pod runs",
    }[found.kind]
    return f"{found.colour} {found.pod} {what}"


def incident(found: Incident) -> str:
    """Which node failed, when, and how many clients were cut off."""
    return f"{failure(found)}: {cost(found)}"


def incident_so_far(found: Incident) -> str:
    """The same, and since when the node is back."""
    back = f"; back since {units.clock(found.back_at)}Z" if found.back_at else ""
    return f"{incident(found)}{back}"


def cost(found: Incident) -> str:
    """How many clients were cut off, or that they were not."""
    on_it, cut_off = found.clients, found.cut_off
    if on_it is None:
        return "nobody counted the clients on it"
    if on_it == 0:
        return "no client was on it"
    if cut_off is None:
        return f"{units.plural(on_it, 'client')} {'was' if on_it == 1 else 'were'} on it"
    if cut_off == 0:
        return f"{units.plural(on_it, 'client')} {'stays' if on_it == 1 else 'stay'} connected to it"
    return f"{units.plural(cut_off, 'client')} {'was' if cut_off == 1 else 'were'} cut off"


def strength(found: Generation, wanted: int, snapshot: Snapshot) -> str:
    """How many nodes of a set are Ready and in EMQX, as far as that was read: what was not is no zero."""
    both = f"{found.ready}/{wanted} Ready, {in_emqx(found, wanted, snapshot)}"
    return both if found.are_members_known else _NO_PODS


def in_emqx(found: Generation, wanted: int, snapshot: Snapshot) -> str:
    """How many nodes of a set are in EMQX, as far as that was read."""
    if not found.are_members_known:
        return _NO_PODS
    return _NO_EMQX if snapshot.nodes.value is None else f"{found.running}/{wanted} Running in EMQX"


_NO_PODS, _NO_EMQX = "pods not read yet", "not read in EMQX yet"


def drains(running: Sequence[str], starting: Sequence[str]) -> str:
    """What EMQX does by itself with these nodes, whoever holds; empty without one."""
    goes_on = f"the drain of {', '.join(running)} goes on" if running else ""
    starts = f"the drain of {', '.join(starting)} is starting" if starting else ""
    return "; ".join(part for part in (goes_on, starts) if part)


def held(hold: HoldRecord) -> str:
    """Who holds since when, and why."""
    word = "frozen" if hold.freeze else "held"
    return f"{word} by {hold.by} since {units.clock(hold.at)}Z: {hold.reason}"


def gate(which: GateId, journal: Journal) -> str:
    """A gate by what it opens: the name of the pod that is drained, or the cut-over."""
    if which.kind is GateKind.NODE:
        return f"{journal.originals.blue_name}-{which.ordinal}"
    return f"{which.kind} with late removal" if which.is_late else str(which.kind)


LEFT_CLOSED = "no release stands, but the delay still holds the operator: a release ended before it was set back"


def ungated(found: UngatedRelease) -> str:
    """What the operator does in a release of its own, or where it stands while it is held."""
    listed = "; the Service lists green" if found.is_listed else ""
    return f"{_stage(found)}{listed}"


def _stage(found: UngatedRelease) -> str:
    blue, green = found.blue, found.green
    left = f"blue has {blue.replicas} of {units.plural(found.replicas, 'node')}" if blue else "blue is gone"
    coming = f", {found.next_pod} is next" if found.next_pod and not found.is_stopped else ""
    match found.stage:
        case Stage.CREATING_GREEN:
            ready = f"{green.ready}/{found.replicas} Ready" if green and green.are_members_known else _NO_PODS
            return f"green is being created: {ready if green else 'not seen yet'}"
        case Stage.WAITING_DELAY if found.delay_left_s is not None:
            return f"green is complete, {units.span(found.delay_left_s)} of the initial delay left{coming}"
        case Stage.WAITING_DELAY:
            return "green is complete, blue is whole"
        case Stage.EVACUATING:
            names = ", ".join(m.name for m in found.evacuated if m.evacuation and m.evacuation.is_running)
            return f"{names} is being evacuated; {left}"
        case Stage.TAKING_BLUE:
            return f"{left}{coming}"
        case Stage.FINISHING:
            return "blue is gone, green is left"
    assert_never(found.stage)


def stopped(found: UngatedRelease) -> str:
    """What closing the valve stops, and what it does not."""
    if found.stage is Stage.EVACUATING:
        names = ", ".join(m.name for m in found.evacuated if m.evacuation and m.evacuation.is_running)
        return f"it stops the next node, not the running one: {names} is evacuated to its end"
    if found.stage is Stage.CREATING_GREEN:
        return "green is created to its end; then nothing follows"
    return "no further node is taken; a step that the operator has begun by now may still be done"
