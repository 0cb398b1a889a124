"""Fold one snapshot after another into what is observed over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.model.frozen import changed
from emqx_tui.model.series import Ledger
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.state.deaths import with_left
from emqx_tui.rollout.state.drains import STOPPED_S, with_drains, with_drains_back, with_ledger
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.rollout.state.observed import Observations
from emqx_tui.rollout.state.samples import with_sample
from emqx_tui.rollout.telling import incidents


def observe(known: Observations, snapshot: Snapshot, journal: Journal | None) -> Observations:
    """Take in a new snapshot."""
    now = snapshot.now
    known = changed(
        known,
        reset_seen_at=_reset_seen_at(known, snapshot, journal),
        unready_since=_unready_since(known.unready_since, snapshot),
        away_since=_since(known.away_since, _away(snapshot), now),
        suspect_since=_since(known.suspect_since, {m.name for m in snapshot.members if m.is_suspect}, now),
        unaddressed_since=_since(known.unaddressed_since, _unaddressed(snapshot), now),
        gate_frozen_since=_since(known.gate_frozen_since, _gate_frozen(snapshot), now),
        operator_down_since=(known.operator_down_since or now) if snapshot.operator_answers.value is False else None,
        nodes=incidents.watch(known.nodes, snapshot, journal, known.recent),
    )
    if journal is not None and not journal.abort:
        known = with_left(known, journal.totals.left, now)
    known = with_sample(known, snapshot, _drained(known, journal) if journal else ())
    if journal is None:
        nothing: dict[str, Any] = {}
        known = changed(known, baseline=nothing, initial=nothing, left=nothing, drained_from=nothing, untold=nothing)
        return changed(known, evacuated_at=nothing, canary=None, ledger=Ledger(), evicted_track=(), progress=nothing)
    if journal.abort:
        return with_drains_back(known, snapshot, journal, journal.abort)
    known = with_drains(known, snapshot, journal)
    return with_ledger(known, snapshot, journal)


def _reset_seen_at(known: Observations, snapshot: Snapshot, journal: Journal | None) -> datetime | None:
    resource = snapshot.resource.value
    if journal is None or resource is None or resource.blue_green_status is not None:
        return None
    return known.reset_seen_at or snapshot.now


def _drained(known: Observations, journal: Journal) -> frozenset[str]:
    """Blue nodes that ended as drained. One that an abort has kept has clients again: it is drained no longer."""
    if journal.abort is None:
        return frozenset(journal.drained)
    filled_at = journal.abort.at + timedelta(seconds=STOPPED_S)
    standing = known.standing
    return frozenset(n for n in journal.drained if n not in standing or standing[n].counted_at <= filled_at)


def _since(before: Mapping[str, datetime], present: set[str], now: datetime) -> dict[str, datetime]:
    return {name: before.get(name, now) for name in sorted(present)}


def _unready_since(before: Mapping[str, datetime], snapshot: Snapshot) -> dict[str, datetime]:
    """The pod says itself since when it is not Ready: a console that comes later does not count anew."""
    unready = _unready(snapshot)
    if not unready:
        return {}
    new = [m for m in snapshot.members if m.name in unready and m.name not in before]
    told = {m.name: c.since for m in new for c in m.pod.conditions if c.type == "Ready" and c.since}
    first = {name: min(at, snapshot.now) for name, at in told.items()}
    return _since({**first, **before}, unready, snapshot.now)


def _unready(snapshot: Snapshot) -> set[str]:
    """Green pods that are not Ready, those that were never made included (a quota, for one)."""
    green = snapshot.green
    if green is None:
        return set()
    wanted = {f"{green.stateful_set.name}-{ordinal}" for ordinal in range(green.replicas)}
    ready = {m.name for m in green.members if m.pod.is_ready}
    return (wanted | {m.name for m in green.members}) - ready


def _unaddressed(snapshot: Snapshot) -> set[str]:
    ips = snapshot.slice_ips
    return set() if ips is None else {m.name for m in snapshot.members if m.pod.ip not in ips}


def _away(snapshot: Snapshot) -> set[str]:
    blue = snapshot.blue
    if blue is None or snapshot.nodes.value is None or snapshot.nodes.problem:
        return set()
    return {m.name for m in blue.members if not m.is_running and not m.pod.meta.deleting and m.ordinal < blue.replicas}


def _gate_frozen(snapshot: Snapshot) -> set[str]:
    return {
        m.name for m in snapshot.members if m.accepts_clients and m.pod.containers_ready and m.pod.on_serving is False
    }
