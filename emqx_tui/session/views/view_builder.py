"""Parts of the published View that are worked out from what is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile

from emqx_tui.model.kinds import WATCHED, Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.state.observed import Observations
from emqx_tui.session.records.driving_rights import in_words
from emqx_tui.session.store import Collection, Store
from emqx_tui.session.views.fleet_view import Role, SourceHealth


def missing_right(store: Store) -> str:
    """The right without which the journal is not known, so that nothing may be sent; empty while none is missing."""
    secrets = store.collection(Kind.SECRET)
    if not secrets.is_forbidden:
        return ""
    found = in_words(secrets.problem)
    return f"{found}, so the journal is not known" if found != secrets.problem else found


def role(
    *,
    read_only: bool,
    journal_problem: str,
    is_driver: bool,
    other_driver: str,
    missing: str = "",
    cannot_drive: str = "",
) -> tuple[Role, str]:
    """What this console is to the cluster, and why, where that needs saying.

    `missing` is a right without which nothing can be known, `cannot_drive` one without which nobody drives from here.
    """
    if read_only:
        return Role.WATCH_ONLY, "started with --read-only"
    if missing:
        return Role.WATCH_ONLY, missing
    if journal_problem:
        return Role.WATCH_ONLY, journal_problem
    if is_driver:
        return Role.DRIVER, ""
    if other_driver:
        return Role.SPECTATOR, f"{other_driver} drives"
    if cannot_drive:
        return Role.IDLE, f"this console cannot drive: {cannot_drive}"
    return Role.IDLE, ""


def watches(collections: Mapping[Kind, Collection]) -> tuple[SourceHealth, ...]:
    """How each watch does, those that have not begun left out."""
    return tuple(
        SourceHealth(kind, not found.problem, found.read_at, found.problem, found.is_forbidden, found.is_unreachable)
        for kind in WATCHED
        if (found := collections.get(kind)) is not None and (found.read_at is not None or found.problem)
    )


def brokers(store: Store, seen: Snapshot) -> SourceHealth:
    """How the polls of EMQX do."""
    is_forbidden = store.is_emqx_forbidden and seen.stats.read_at is None
    return SourceHealth(None, not seen.stats.problem, seen.stats.read_at, seen.stats.problem, is_forbidden)


def drain_initial(known: Observations) -> tuple[tuple[str, int], ...]:
    """(blue pod, live connections when its drain, or before it the first one, began)."""
    return tuple(sorted({**known.baseline, **known.initial}.items()))


def leaving_rates(known: Observations) -> tuple[tuple[str, float], ...]:
    """(pod, clients per second leaving it), of draining nodes, over the last ten seconds or so of samples."""
    recent = known.recent
    if len(recent) < 2 or not known.initial:
        return ()
    last = recent[-1]
    lately = list(takewhile(lambda s: (last.at - s.at).total_seconds() <= 10.0, reversed(recent[:-1])))
    first = lately[-1] if lately else recent[-2]
    span = (last.at - first.at).total_seconds()
    draining = [n for n in sorted(known.initial) if n in first.nodes and n in last.nodes and span > 0]
    return tuple((name, max(0.0, (first.nodes[name] - last.nodes[name]) / span)) for name in draining)
