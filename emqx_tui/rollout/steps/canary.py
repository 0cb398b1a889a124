"""The canary: does a node keep its clients when its address leaves the Service?

Some networks end established connections then (eBPF service proxies, some balancers). Clients that leave by
themselves come back through the Service, and so do those that the network cut; green's growth tells how many came. What
the canary loses beyond its share of those that left by themselves is the network's doing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from emqx_tui.model import units
from emqx_tui.rollout.addresses import canary_member, is_switched
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.observed import Canary, Observations

SETTLES_S = 5.0
"""A broker's count may be from before it was restarted for so long: its sampler, and a poll of it."""


@dataclass(frozen=True)
class Verdict:
    """`passed` is None while the canary is still watched."""

    passed: bool | None
    evidence: str


def watch(context: RolloutContext, phase: Phase) -> Observations:
    """Observations with the canary's watch begun, gone on, or dropped."""
    known = context.observations
    if phase is not Phase.CANARY:
        return known if known.canary is None and known.canary_apart_at is None else _unwatched(known)
    member = canary_member(context)
    pod = known.canary.pod if known.canary else member.name if member else ""
    if pod and (_is_apart(context, pod) or _is_moved_by_others(context)):
        return replace(_unwatched(known), canary_apart_at=context.now)
    if known.canary is None:
        if known.canary_apart_at and (context.now - known.canary_apart_at).total_seconds() < SETTLES_S:
            return known
        blue = context.blue.live_connections if context.blue else None
        green = context.green.live_connections if context.green else None
        if member is None or blue is None or green is None or not is_switched(context, phase):
            return known
        canary = Canary(member.name, context.now, member.live_connections or 0, green, blue + green)
        return replace(_unwatched(known), canary=canary, canary_apart_at=known.canary_apart_at)
    arrived, cut = arrivals(context, known.canary), cut_by_network(context, known.canary)
    if arrived is None or cut is None:
        return known
    watched = (context.now - known.canary.since).total_seconds()
    enough = watched >= 10.0 and known.canary.total > 0
    churn = arrived / known.canary.total * 60.0 / watched if enough else known.churn_per_min
    is_over = cut.at_least > _limit(context, known.canary)
    over_since = (known.canary_over_since or context.now) if is_over else None
    return replace(
        known,
        canary_lost=cut.at_least,
        canary_cut=cut.estimate,
        canary_over_since=over_since,
        churn_per_min=churn,
    )


def _unwatched(known: Observations) -> Observations:
    return replace(known, canary=None, canary_apart_at=None, canary_lost=0, canary_cut=0, canary_over_since=None)


def _limit(context: RolloutContext, canary: Canary) -> int:
    """Clients that the canary may lose beyond churn."""
    return max(context.policy.canary_min_loss, math.ceil(context.policy.canary_fraction * canary.clients))


def _is_moved_by_others(context: RolloutContext) -> bool:
    """Somebody evacuates a node or rebalances the cluster: whose clients leave, and where to, says nothing then."""
    status = context.snapshot.evacuations.value
    return bool(context.foreign_evacuations or (status and status.rebalances))


def _is_apart(context: RolloutContext, pod: str) -> bool:
    known = context.observations
    if pod in known.away_since:
        return True
    if known.canary and any(death.pod == pod and death.at >= known.canary.since for death in known.deaths):
        return True
    member = next((m for m in context.blue_members if m.name == pod), None)
    return member is None or member.is_suspect or member.pod.meta.deleting


def arrivals(context: RolloutContext, canary: Canary) -> float | None:
    """New connections since the watch began, wherever they went: green got its share of them."""
    green = context.green.live_connections if context.green else None
    if green is None or context.stale_brokers:
        return None
    return max(0, green - canary.green) / _green_share(context, canary)


def _green_share(context: RolloutContext, canary: Canary) -> float:
    """The part of new connections that goes to green: the Service spreads them evenly over the addresses."""
    places = len([m for m in context.green_members if m.accepts_clients])
    others = len([m for m in context.blue_members if m.accepts_clients and m.name != canary.pod])
    return max(1, places) / max(1, places + others)


@dataclass(frozen=True)
class Cut:
    """Clients of the canary that the network cut."""

    estimate: int
    at_least: int
    """Less what chance explains."""


def cut_by_network(context: RolloutContext, canary: Canary) -> Cut | None:
    """None while the counts are unknown or old.

    Of the connections that arrived, `cut` were the canary's own and the rest natural churn, of which the canary lost
    its share: lost = cut + share x (arrived - cut). Where the canary is all of blue the two cannot be told apart.
    """
    member = next((m for m in context.blue_members if m.name == canary.pod), None)
    arrived = arrivals(context, canary)
    if member is None or member.live_connections is None or arrived is None:
        return None
    share = canary.clients / canary.total if canary.total else 0.0
    lost = canary.clients - member.live_connections
    expected = arrived * share
    if share >= 1.0:
        return Cut(max(0, lost), int(max(0.0, lost - expected - 3.0 * math.sqrt(expected))))
    cut = min(max(0.0, (lost - expected) / (1.0 - share)), lost)
    to_green = _green_share(context, canary)
    variance = share * max(0.0, arrived - cut) + share * expected * (1.0 - to_green) / to_green
    at_least = int(max(0.0, cut - 3.0 * math.sqrt(variance) / (1.0 - share)))
    return Cut(max(0, round(cut)), at_least)


def _away_elsewhere(context: RolloutContext, canary: Canary) -> int:
    """Clients that are gone since the watch began and were not the canary's; 0 while not all nodes are counted."""
    member = next((m for m in context.blue_members if m.name == canary.pod), None)
    blue, green = (g.live_connections if g else None for g in (context.blue, context.green))
    if member is None or member.live_connections is None or blue is None or green is None:
        return 0
    return canary.total - blue - green - (canary.clients - member.live_connections)


def _may_be_others(context: RolloutContext, canary: Canary, limit: int) -> bool:
    """Nodes that die lose clients, too, before Kubernetes says so, and so does one that somebody evacuates."""
    over_since, told_at = context.observations.canary_over_since, context.snapshot.evacuations.read_at
    is_told_since = over_since is not None and told_at is not None and told_at > over_since
    return not is_told_since or _away_elsewhere(context, canary) > limit


def judge(context: RolloutContext) -> Verdict:
    """Passed after the watch; failed once the loss is over the limit and is nobody else's, or the watch is over."""
    canary, policy = context.observations.canary, context.policy
    if canary is None:
        return Verdict(None, "the proxies do not use the canary's addresses yet")
    limit, lost = _limit(context, canary), context.observations.canary_lost
    watched = (context.now - canary.since).total_seconds()
    loss = f"{lost:,} of {units.plural(canary.clients, 'client')} beyond churn in {watched:.0f} s (limit {limit:,})"
    evidence = f"{canary.pod} lost {loss}"
    if lost > limit:
        is_open = watched < policy.canary_s and _may_be_others(context, canary, limit)
        return Verdict(None if is_open else False, evidence)
    if watched < policy.canary_s or cut_by_network(context, canary) is None:
        return Verdict(None, evidence)
    return Verdict(True, evidence)
