"""The gates of a release: which one is next, what approving it sends, and whether it may be approved now."""

from __future__ import annotations

from functools import lru_cache

from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.snapshot import Member
from emqx_tui.rollout.addresses import addresses_of, canary_member, serving, wanted_members, whole_ports
from emqx_tui.rollout.checks import gate_checks
from emqx_tui.rollout.commands import Scale, StartDrain, SwitchEndpoints, Target
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import CheckResult, Gate
from emqx_tui.rollout.forecast.forecast import drain_s
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.phases import Phase

FRESHNESS = frozenset({"kubernetes-data", "broker-data"})
"""Judged anew when an approval arrives; a figure that was late for a moment is nothing new to look at."""


def next_node(context: RolloutContext) -> Member | None:
    """The blue node that is drained next: the highest ordinal that is neither evacuated nor on its way out."""
    waiting = [m for m in context.blue_members if m.evacuation is None and not m.pod.meta.deleting]
    size = context.blue.replicas if context.blue else 0
    return max((m for m in waiting if m.ordinal < size), key=lambda m: m.ordinal, default=None)


def next_gate(context: RolloutContext, phase: Phase) -> Gate | None:
    """The gate before the next step that nobody has approved yet."""
    match next_kind(context, phase):
        case GateKind.CUT_OVER:
            return cut_over_gate(context)
        case GateKind.NODE:
            member = next_node(context)
            return node_gate(context, member) if member else None
        case GateKind.START | None:
            return None


def next_kind(context: RolloutContext, phase: Phase) -> GateKind | None:
    """The kind of the next gate, without its checks."""
    if phase in (Phase.WAITING_DELAY, Phase.READY_TO_CUT_OVER) and not context.is_cut_over_approved:
        return GateKind.CUT_OVER
    if phase is Phase.DRAINING:
        member = next_node(context)
        if member is not None and not context.is_node_approved(member.ordinal):
            return GateKind.NODE
    return None


def is_shut(context: RolloutContext, kind: GateKind) -> bool:
    """A check keeps the next gate, of this kind, shut."""
    checks = gate_checks.NODE_CHECKS if kind is GateKind.NODE else gate_checks.CUT_OVER_CHECKS
    return any(gate_checks.judge(check, context).outcome.is_blocking for check in checks)


def cut_over_gate(context: RolloutContext) -> Gate:
    """Service to green: nobody is disconnected by it on a network that keeps established connections."""
    results = gate_checks.run(gate_checks.CUT_OVER_CHECKS, context)
    canary = canary_member(context)
    return Gate(
        id=context.journal.cut_over_gate,
        revision=revision(context, str(context.journal.cut_over_gate), results),
        token="green",
        checks=results,
        commands=_switches(context),
        target=canary.name if canary and not context.journal.late_removal else "",
        clients=0,
        seconds=0.0 if context.journal.late_removal else context.policy.canary_s,
        recipients=_recipients(context),
    )


def _switches(context: RolloutContext) -> tuple[str, ...]:
    """What the approved cut-over sends, in this order: without the canary's address, then as the drains need it."""
    endpoints, journal = context.endpoints, context.journal
    if endpoints is None:
        return ()
    is_canary_first = not journal.late_removal and journal.canary_passed_at is None
    phases = (Phase.CANARY, Phase.CUTTING_OVER) if is_canary_first else (Phase.CUTTING_OVER,)
    target, ports = Target(endpoints.namespace, endpoints.name), whole_ports(context, endpoints)
    sets = (addresses_of(wanted_members(context, phase)) for phase in phases)
    return tuple(_described(SwitchEndpoints(target, addresses, ports, "cut over")) for addresses in sets if addresses)


def node_gate(context: RolloutContext, member: Member) -> Gate:
    """Drain one node, and scale it away when it is empty."""
    gate = GateId.node(member.ordinal)
    results = gate_checks.run(gate_checks.NODE_CHECKS, context)
    rates = context.journal.rates
    live = member.live_connections
    blue = context.blue
    described = [_described(start_drain(context, member))]
    if blue is not None:
        target = Target(blue.stateful_set.namespace, blue.stateful_set.name)
        described.append(_described(Scale(target, member.ordinal + 1, member.ordinal)))
    return Gate(
        id=gate,
        revision=revision(context, str(gate), results),
        token=str(member.ordinal),
        checks=results,
        commands=tuple(described),
        target=member.name,
        clients=live,
        seconds=None if live is None else drain_s(live, 0, rates),
        rate_per_s=rates.conn_evict_rate_per_s,
        recipients=_recipients(context),
        is_last_way_back=member.ordinal == 0,
    )


@lru_cache(maxsize=64)
def _described(command: SwitchEndpoints | StartDrain | Scale) -> str:
    """A gate is built with every decision, and what it sends stays the same for minutes."""
    return command.describe()


def start_drain(context: RolloutContext, member: Member) -> StartDrain:
    """The command that begins the drain of `member` towards the other generation's nodes that accept clients."""
    others = context.green_members if member in context.blue_members else context.blue_members
    recipients = tuple(m.node.name for m in serving(others) if m.node)
    node = member.node.name if member.node else member.name
    service = context.resource.service_name if context.resource else ""
    addresses = context.snapshot.slice_ips or frozenset()
    return StartDrain(member.pod.namespace, member.name, node, recipients, context.journal.rates, service, addresses)


def revision(context: RolloutContext, step: str, results: tuple[CheckResult, ...]) -> str:
    """Changes with what a person must have seen: the sets, the rates, and which checks keep the gate shut."""
    journal = context.journal
    return _fingerprint(
        (
            journal.release_id,
            step,
            context.blue.stateful_set.meta.uid if context.blue else "",
            context.green.stateful_set.meta.uid if context.green else "",
            journal.target_mark,
            (journal.rates.conn_evict_rate_per_s, journal.rates.sess_evict_rate_per_s, journal.rates.wait_takeover_s),
            journal.late_removal,
            tuple(
                (r.name, str(r.outcome) if r.outcome.is_blocking else "") for r in results if r.name not in FRESHNESS
            ),
        )
    )


@lru_cache(maxsize=64)
def _fingerprint(seen: tuple[object, ...]) -> str:
    """Worked out with every decision, too."""
    return fingerprint(seen)


def _recipients(context: RolloutContext) -> tuple[tuple[str, int | None], ...]:
    return tuple((m.name, m.live_connections) for m in serving(context.green_members))
