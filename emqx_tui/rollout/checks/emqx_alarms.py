"""Detectors of what is wrong with brokers, with their evacuations, and with the clients that move."""

from __future__ import annotations

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.rollout.checks import gates
from emqx_tui.rollout.commands import StartDrain, StopDrain
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import Alarm, Limit
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.advice import Advice, Verb


def foreign_evacuation(context: RolloutContext, phase: Phase) -> Alarm | None:
    """An evacuation or a rebalance that this release did not approve."""
    status = context.snapshot.evacuations.value
    if status is None:
        return None
    if status.rebalances:
        advice = (Advice(Verb.FIX, "stop it in EMQX: a freeze does not"),)
        return Alarm("foreign-rebalance", f"{status.rebalances} rebalance(s) run in EMQX", advice=advice)
    if foreign := context.foreign_evacuations:
        return Alarm("foreign-evacuation", f"evacuated without approval: {', '.join(foreign)}", advice=_stop(context))
    return None


def _stop(context: RolloutContext) -> tuple[Advice, ...]:
    """A freeze stops the evacuation of every pod of this cluster; of other nodes it cannot."""
    pods = {m.node.name for m in context.snapshot.members if m.node}
    out_of_reach = [node for node in context.foreign_evacuations if node not in pods]
    by_hand = Advice(Verb.FIX, f"stop {', '.join(out_of_reach)} in EMQX: no pod of this cluster, a freeze does not")
    freeze = (Advice(Verb.FREEZE, "stops it"),) if len(out_of_reach) < len(context.foreign_evacuations) else ()
    return (*freeze, by_hand) if out_of_reach else freeze


def broker_gone(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A blue broker that left the cluster and does not come back: it can be neither drained nor scaled away."""
    limit = context.policy.broker_gone_s
    for name, since in context.observations.away_since.items():
        waited = (context.now - since).total_seconds()
        if waited >= limit:
            return Alarm(
                "broker-gone",
                f"{name} has not been in the EMQX cluster for {waited:.0f} s: it cannot be drained",
                Limit(limit),
                (Advice(Verb.INSPECT_POD, "the release goes on when it is back", name),),
            )
    return None


def clients_missing(context: RolloutContext, phase: Phase) -> Alarm | None:
    """Evicted clients do not come back."""
    since, ledger = context.observations.missing_since, context.observations.ledger
    if since is None or context.suspects or context.blind:
        # Those on a node that does not answer are not counted: that says nothing about them.
        return None
    waited = (context.now - since).total_seconds()
    if waited < context.policy.missing_for_s:
        return None
    stop = (Advice(Verb.FREEZE, "stops the drain"),) if context.is_draining else ()
    return Alarm(
        "clients-missing",
        f"{_cause(context)}{ledger.overdue or 0:,} of {ledger.evicted or 0:,} evicted clients have been missing for "
        f"{waited:.0f} s",
        Limit(context.policy.missing_for_s, context.policy.missing_limit(ledger.evicted or 0)),
        (*stop, Advice(Verb.RESUME, "accepts the loss and goes on")),
    )


def _cause(context: RolloutContext) -> str:
    """The newest node that failed with clients on it since the drains began, with a semicolon; empty without one."""
    first_drain_at = context.journal.totals.first_drain_at
    failed = [i for i in context.observations.nodes.incidents if first_drain_at and i.at >= first_drain_at]
    return next((f"{wording.incident(i)}; " for i in reversed(failed) if i.cut_off != 0), "")


def drain_stalled(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A drain whose counts do not fall; of a node that does not answer they are not known."""
    if context.blind:
        return None
    waiting = {EvacuationState.PROHIBITING, EvacuationState.WAITING_TAKEOVER}
    for name, progress in context.observations.progress.items():
        waited = (context.now - progress.since).total_seconds()
        if progress.state not in waiting and waited >= context.policy.stall_s:
            return Alarm(
                "drain-stalled",
                f"{name} is {progress.state} with {progress.left:,} left, without progress for {waited:.0f} s",
                Limit(context.policy.stall_s),
            )
    return None


def start_refused(context: RolloutContext, phase: Phase) -> Alarm | None:
    """EMQX does not begin an evacuation."""
    for failure in context.expectations.refused_again(StartDrain, StopDrain):
        return Alarm("start-refused", f"EMQX refused {failure.count} times: {failure.message}")
    return None


def blue_losing(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A blue node loses clients that nobody drains from it."""
    if phase is not Phase.DRAINING:
        return None
    recent = context.observations.recent
    if len(recent) < 2:
        return None
    last = recent[-1]
    first = next((s for s in recent if (last.at - s.at).total_seconds() <= 60.0), last)
    span = (last.at - first.at).total_seconds()
    if span < 20.0:
        return None
    following = gates.next_node(context)
    limit = max(context.policy.blue_loss_per_min, 3.0 * context.observations.churn_per_min)
    for member in context.blue_members:
        before, after = first.nodes.get(member.name), last.nodes.get(member.name)
        if member.evacuation or member.name in context.observations.initial or not before or after is None:
            continue
        if member is following and context.is_node_approved(member.ordinal):
            # Its drain may have begun and been stopped again between two looks.
            continue
        lost = (before - after) / before * 60.0 / span
        if before - after >= 50 and lost > limit:
            return Alarm(
                "blue-losing-clients",
                f"{member.name} lost {before - after:,} clients in {span:.0f} s without being drained",
                Limit(share_per_min=limit),
            )
    return None


def recipient_silent(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A node that evicted clients go to does not answer for itself: it hangs, and takes its peers' answers with it."""
    since, limit = context.observations.suspect_since, context.policy.suspect_s
    if not any(m.evacuation and m.evacuation.is_running for m in context.blue_members):
        return None
    if len(context.suspects) == len(context.blue_members) + len(context.green_members):
        # The way to all of them is cut, or EMQX is down: `driver_blind` says so, and no node is to blame.
        return None
    for member in context.green_members:
        waited = (context.now - since[member.name]).total_seconds() if member.name in since else 0.0
        if member.is_suspect and waited >= limit:
            ready = "Ready" if member.pod.is_ready else "not Ready"
            return Alarm(
                "recipient-silent",
                f"{member.name} has not answered for itself for {waited:.0f} s; for Kubernetes it runs and is {ready}",
                Limit(limit),
                (
                    Advice(Verb.INSPECT_POD, target=member.name),
                    Advice(Verb.RESUME, "drains on, without that node's figures"),
                ),
            )
    return None


def way_back_silent(context: RolloutContext, phase: Phase) -> Alarm | None:
    """A node of blue, where an abort sends the clients, does not answer for itself."""
    if not context.silent_blue or not context.green_members:
        return None
    names = ", ".join(m.name for m in context.silent_blue)
    stops = "no client is sent back" if context.journal.freeze_on_silence else "drains that run go on"
    evidence = f"{names} does not answer for itself: {stops} until it does"
    advice = (Advice(Verb.INSPECT_POD, target=context.silent_blue[0].name),)
    return Alarm("recipient-silent", evidence, Limit(context.policy.suspect_s), advice)


def driver_blind(context: RolloutContext, phase: Phase) -> Alarm | None:
    """The broker figures have been gone for long while a node drains."""
    reading = context.snapshot.stats
    age = reading.age_s(context.now)
    limit = 3 * context.policy.max_broker_age_s
    if not context.blue_evacuating or age is None or age < limit:
        return None
    why = f": {reading.problem}" if reading.problem else ""
    return Alarm("broker-data-old", f"EMQX's figures are {age:.0f} s old{why}", Limit(limit))
