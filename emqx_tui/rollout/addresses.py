"""The addresses that the listener Service should have in each phase, and the commands that write them.

Addresses are compared as sets: the operator rewrites equal lists in another order. An empty list, or one in which
nobody accepts clients, is never written. What one node sees of another removes no address: a pod whose containers run
stays as long as it answers for itself, and a silent one until Kubernetes, too, says that it is down.
"""

from __future__ import annotations

from collections.abc import Iterable

from emqx_tui.model.snapshot import Member
from emqx_tui.model.workloads import Address, Endpoints, Port, port_row
from emqx_tui.rollout.commands import Command, RepairEndpoints, RepairService, SwitchEndpoints, Target
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.drains import RECONNECT_ALLOWANCE_S


def serving(members: Iterable[Member]) -> tuple[Member, ...]:
    """Members that accept clients now."""
    return tuple(member for member in members if member.accepts_clients)


def canary_member(context: RolloutContext) -> Member | None:
    """The blue node whose address leaves first: the one with the fewest clients, the highest ordinal among equals.

    It has more of them than may be lost unnoticed, where one has: a node without clients tells nothing of the network.
    One whose address has left already stays the canary, whatever the counts say by now.
    """
    candidates = [m for m in serving(context.blue_members) if m.live_connections is not None]
    chosen = context.observations.canary
    if chosen is not None:
        return next((m for m in candidates if m.name == chosen.pod), None)
    present = {a.ip for a in context.endpoints.addresses} if context.endpoints else set()
    out = [m for m in candidates if m.pod.ip not in present]
    if len(out) == 1 and any(m.pod.ip in present for m in context.green_members):
        return out[0]
    telling = [m for m in candidates if (m.live_connections or 0) > context.policy.canary_min_loss]
    if telling:
        return min(telling, key=lambda m: (m.live_connections, -m.ordinal))
    return max(candidates, key=lambda m: (m.live_connections, m.ordinal), default=None)


def wanted_members(context: RolloutContext, phase: Phase) -> tuple[Member, ...]:
    """Members whose addresses the Service should have in `phase`; empty when that cannot be said."""
    blue, green = serving(context.blue_members), serving(context.green_members)
    match phase:
        case Phase.STARTING | Phase.CREATING_GREEN | Phase.WAITING_DELAY | Phase.READY_TO_CUT_OVER | Phase.ABORTING:
            return blue + _green_to_keep(context)
        case Phase.CANARY:
            canary = canary_member(context)
            return () if canary is None else green + tuple(m for m in blue if m.name != canary.name)
        case Phase.CUTTING_OVER | Phase.DRAINING:
            if context.journal.late_removal and green:
                return green + tuple(m for m in context.blue_members if _keeps_address(m))
            return green
        case Phase.FINISHING:
            return green if not context.is_reset else ()
        case Phase.LOST:
            return green
    return ()


def _green_to_keep(context: RolloutContext) -> tuple[Member, ...]:
    """A network that fails the canary cuts clients whose address leaves: green keeps its address with them."""
    journal = context.journal
    if not (journal.canary_failed or journal.late_removal):
        return ()
    since_switch_s = context.expectations.seconds_since_sent(SwitchEndpoints.name, context.now)
    # Whom the canary's switch has cut is on the way to green: that nobody is there yet says nothing.
    are_landing = bool(journal.canary_failed) and not journal.late_removal and since_switch_s < RECONNECT_ALLOWANCE_S
    return tuple(m for m in context.green_members if _keeps_address(m) or (are_landing and m.accepts_clients))


def _keeps_address(member: Member) -> bool:
    """The address stays until the node has no client; an unknown count, or an answer that leaves it out, keeps it."""
    return member.node is not None and bool(member.pod.ip) and member.live_connections != 0


def wanted_ips(context: RolloutContext, phase: Phase) -> frozenset[str]:
    return frozenset(member.pod.ip for member in wanted_members(context, phase))


def is_switched(context: RolloutContext, phase: Phase) -> bool:
    """The proxies use exactly the wanted addresses: seen in the EndpointSlices, not in our own write."""
    wanted = wanted_ips(context, phase)
    return bool(wanted) and context.snapshot.slice_ips == wanted


def endpoint_commands(context: RolloutContext, phase: Phase) -> list[Command]:
    """The write that is needed now, if any: a switch for a step forward, a repair for everything else."""
    endpoints = context.endpoints
    if endpoints is None or context.blind or context.stale_kube:
        return []
    members = wanted_members(context, phase)
    wanted = frozenset(m.pod.ip for m in members)
    present = frozenset(a.ip for a in endpoints.addresses)
    ports = whole_ports(context, endpoints)
    if not _are_open(context, members) or (wanted == present and ports == endpoints.ports):
        return []
    if context.expectations.seconds_since_sent(RepairEndpoints.name, context.now) < context.policy.repair_every_s:
        return []
    only_addresses = ports == endpoints.ports
    if only_addresses and _is_before_cut_over(phase) and not _needs_repair(context, wanted, present):
        return []
    is_step = phase is Phase.CANARY or (phase is Phase.CUTTING_OVER and context.journal.cut_over_at is None)
    make = SwitchEndpoints if is_step else RepairEndpoints
    if not ports:
        return []
    return [_write(make, context, endpoints, members, ports, _purpose(phase, context))]


def _write(
    make: type[RepairEndpoints | SwitchEndpoints],
    context: RolloutContext,
    endpoints: Endpoints,
    members: tuple[Member, ...],
    ports: tuple[Port, ...],
    purpose: str,
) -> Command:
    unready = frozenset(m.name for m in members if not m.pod.containers_ready)
    return make(Target.of(endpoints), addresses_of(members), ports, purpose, context.snapshot.name, unready)


def _are_open(context: RolloutContext, members: tuple[Member, ...]) -> bool:
    """One of them accepts clients, and answers for itself.

    While no node answers, nobody knows which of them do: the Service keeps what it has, if anybody may be there.
    """
    if any(m.accepts_clients and not m.is_suspect for m in members):
        return True
    known = serving(context.snapshot.members)
    present = {a.ip for a in context.endpoints.addresses} if context.endpoints else set()
    is_unknown = all(m.is_suspect and m.pod.ip not in present for m in known)
    return is_unknown and bool(serving(members))


def without_dead(context: RolloutContext) -> list[Command]:
    """Remove dead addresses and restore lost ports while a switch is held or waits for its checks.

    Dead addresses refuse a part of the clients, and a pod's old address can become another pod's. Where no address
    would be left, blue is put back.
    """
    endpoints = context.endpoints
    if endpoints is None or context.blind or context.stale_kube:
        return []
    ports = whole_ports(context, endpoints)
    members = (*context.blue_members, *context.green_members)
    late = context.journal.late_removal
    alive = {m.pod.ip: m for m in members if m.accepts_clients or (late and _keeps_address(m))}
    left = tuple(alive[a.ip] for a in endpoints.addresses if a.ip in alive)
    if not serving(left):
        left = serving(context.blue_members)
    elif len(left) == len(endpoints.addresses) and ports == endpoints.ports:
        return []
    if not left or not ports:
        return []
    if context.expectations.seconds_since_sent(RepairEndpoints.name, context.now) < context.policy.repair_every_s:
        return []
    return [_write(RepairEndpoints, context, endpoints, left, ports, "without those that are gone")]


def addresses_of(members: Iterable[Member]) -> tuple[Address, ...]:
    return tuple(Address(m.pod.ip, m.pod.node_name, m.name, m.pod.meta.uid) for m in members)


def whole_ports(context: RolloutContext, endpoints: Endpoints) -> tuple[Port, ...]:
    """The ports of the Endpoints, with those that they had before the release and lost while the operator holds.

    While it does not hold, its next pass brings them back by itself.
    """
    if context.started_at is None or not context.is_valve_closed:
        return endpoints.ports
    have = {(p.name, p.port, p.protocol) for p in endpoints.ports}
    lost = [row for row in context.journal.originals.endpoint_ports if row not in have]
    return endpoints.ports + tuple(Port(name, port, protocol) for name, port, protocol in lost)


def service_commands(context: RolloutContext) -> list[Command]:
    """The write that gives the listener Service its lost ports back, if it has lost any while the operator holds."""
    service = context.service
    if service is None or context.started_at is None or not context.is_valve_closed or context.stale_kube:
        return []
    rows = context.journal.originals.service_ports
    if not [row for row in rows if row not in {port_row(p) for p in service.ports}]:
        return []
    failure = context.expectations.failures.get(RepairService.name)
    if failure and failure.is_refusal:
        return []
    originals = [Port(*row) for row in rows]
    taken = {(p.port, p.protocol) for p in originals}
    others = [p for p in service.ports if (p.port, p.protocol) not in taken]
    return [RepairService(Target.of(service), (*originals, *others))]


def _is_before_cut_over(phase: Phase) -> bool:
    return phase in (Phase.STARTING, Phase.CREATING_GREEN, Phase.WAITING_DELAY, Phase.READY_TO_CUT_OVER)


def _needs_repair(context: RolloutContext, wanted: frozenset[str], present: frozenset[str]) -> bool:
    """While the operator still writes, only what must not be there is taken out; it adds Ready blue pods by itself."""
    if present - wanted:
        return True
    return context.started_at is not None and bool(wanted - present)


def _purpose(phase: Phase, context: RolloutContext) -> str:
    match phase:
        case Phase.CANARY:
            return "canary: green, and all of blue but one"
        case Phase.CUTTING_OVER | Phase.DRAINING:
            return "green, and blue that still has clients" if context.journal.late_removal else "green only"
        case Phase.FINISHING | Phase.LOST:
            return "green only"
    return "blue only"
