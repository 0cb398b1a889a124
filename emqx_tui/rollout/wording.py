"""PURE: alarms, failed nodes, holds and gates in words.

The one place for them: the journal keeps some of these sentences, and every console and both front ends show the same.
"""

from __future__ import annotations

from emqx_tui.model import units
from emqx_tui.rollout.decision import Alarm, Limit
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.incidents import Incident, IncidentKind
from emqx_tui.rollout.state.journal import HoldRecord, Journal


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


def held(hold: HoldRecord) -> str:
    """Who holds since when, and why."""
    word = "frozen" if hold.freeze else "held"
    return f"{word} by {hold.by} since {units.clock(hold.at)}Z: {hold.reason}"


def gate(which: GateId, journal: Journal) -> str:
    """A gate by what it opens: the name of the pod that is drained, or the cut-over."""
    if which.kind is GateKind.NODE:
        return f"{journal.originals.blue_name}-{which.ordinal}"
    return f"{which.kind} with late removal" if which.is_late else str(which.kind)
