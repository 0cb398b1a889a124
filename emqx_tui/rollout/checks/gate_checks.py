"""The checks that gates rest on: each looks at a situation and says pass, wait or fail, with its evidence.

Missing or old data never passes. A registry, so that a new check is one function and one line.
"""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.model.workloads import port_row
from emqx_tui.rollout.addresses import is_switched
from emqx_tui.rollout.context import Situation
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.phases import Phase

Check = Callable[[Situation], CheckResult]


def _passed(name: str, evidence: str) -> CheckResult:
    return CheckResult(name, Outcome.PASS, evidence)


def _wait(name: str, evidence: str, hint: str = "") -> CheckResult:
    return CheckResult(name, Outcome.WAIT, evidence, hint)


def _fail(name: str, evidence: str, hint: str = "") -> CheckResult:
    return CheckResult(name, Outcome.FAIL, evidence, hint)


def broker_data(situation: Situation) -> CheckResult:
    """EMQX answers, and lately."""
    if situation.stale_brokers:
        return _wait("broker-data", situation.stale_brokers, "is the management API reachable?")
    return _passed("broker-data", f"EMQX data at most {situation.policy.max_broker_age_s:.0f} s old")


def kube_data(situation: Situation) -> CheckResult:
    """The watches are alive."""
    if situation.stale_kube:
        return _wait("kubernetes-data", situation.stale_kube, "is the API server reachable?")
    return _passed("kubernetes-data", "watches are alive")


def green_complete(situation: Situation) -> CheckResult:
    """All green nodes Ready and Running."""
    green = situation.green
    if green is None:
        return _wait("green-complete", "no green StatefulSet yet")
    if green.replicas != situation.wanted:
        return _fail("green-complete", f"green wants {green.replicas} nodes, blue had {situation.wanted}")
    evidence = f"green {green.ready}/{green.replicas} Ready, {green.running}/{green.replicas} Running in EMQX"
    return _passed("green-complete", evidence) if green.is_complete else _wait("green-complete", evidence)


def valve_closed(situation: Situation) -> CheckResult:
    """The operator is held, and has said so."""
    if not situation.is_valve_closed:
        return _fail("valve-closed", f"initialDelaySeconds is {situation.valve_s}: the operator acts by itself")
    if situation.started_at is None:
        return _wait("valve-closed", "the operator has not begun to hold (no startedAt)")
    if situation.memory.ack is not None:
        return _wait("valve-closed", f"the operator has not answered '{situation.memory.ack.command}' yet")
    return _passed("valve-closed", "the operator is held")


def one_green(situation: Situation) -> CheckResult:
    """Exactly two sets."""
    if third := situation.snapshot.third_sets:
        return _fail("two-sets", f"a third StatefulSet wants pods: {', '.join(third)}", "scale it to 0 by hand")
    return _passed("two-sets", "one blue and one green StatefulSet")


def template_unchanged(situation: Situation) -> CheckResult:
    """The object still asks for what was planned."""
    if situation.resource is None:
        return _fail("object-unchanged", "the object is gone or was re-created")
    if not situation.is_template_applied:
        return _fail("object-unchanged", "spec.template is not the one of this release: somebody else changed it")
    if situation.resource.replicas != situation.wanted:
        return _fail("object-unchanged", f"spec.replicas is {situation.resource.replicas}, was {situation.wanted}")
    return _passed("object-unchanged", "nobody else changed the object")


def operator_unchanged(situation: Situation) -> CheckResult:
    """The operator's image is the one of the plan."""
    before, now = situation.journal.originals.operator_image, situation.snapshot.operator_image.value
    if before and now and before != now:
        return _fail("operator-unchanged", f"the operator's image changed from {before} to {now}")
    return _passed("operator-unchanged", "same operator" if before and now else "operator's image not readable")


def ports_unchanged(situation: Situation) -> CheckResult:
    """Every port that clients had is still there, node ports included."""
    service, endpoints = situation.service, situation.endpoints
    if service is None or endpoints is None:
        return _wait("ports-unchanged", "listener Service or Endpoints not seen")
    originals = situation.journal.originals
    lost = [p for p in originals.service_ports if p not in {port_row(port) for port in service.ports}]
    if lost:
        evidence = f"the Service lost or changed port {lost[0][0] or lost[0][1]}"
        return _fail("ports-unchanged", evidence, "it is put back when we may; else do it by hand, or abort")
    gone = [p for p in originals.endpoint_ports if p not in {(q.name, q.port, q.protocol) for q in endpoints.ports}]
    if gone:
        return _fail("ports-unchanged", f"the Endpoints lost port {gone[0][0] or gone[0][1]}")
    return _passed("ports-unchanged", "Service and Endpoints have the ports they had")


def nothing_foreign(situation: Situation) -> CheckResult:
    """No evacuation and no rebalance that is not ours."""
    status = situation.snapshot.evacuations.value
    if status is None:
        return _wait("nothing-foreign", "evacuations not read yet")
    if status.rebalances:
        return _fail("nothing-foreign", f"{status.rebalances} rebalance(s) run in EMQX", "stop them first")
    if foreign := situation.foreign_evacuations:
        return _fail(
            "nothing-foreign", f"evacuated without approval: {', '.join(foreign)}", "stop it in EMQX, or abort"
        )
    return _passed("nothing-foreign", "no other evacuation, no rebalance")


def delay_over(situation: Situation) -> CheckResult:
    """The user's own initial delay."""
    over_at = situation.delay_over_at
    if over_at is None:
        return _wait("delay-over", "green is not complete for the operator yet")
    left = (over_at - situation.now).total_seconds()
    if left > 0:
        return _wait("delay-over", f"{left:.0f} s of initialDelaySeconds left")
    return _passed("delay-over", f"initial delay of {situation.journal.originals.delay_s} s is over")


def blue_whole(situation: Situation) -> CheckResult:
    """Blue is as large as it was: the way back is whole."""
    blue = situation.blue
    if blue is None:
        return _fail("blue-whole", "the blue StatefulSet is gone")
    running = sum(m.is_running for m in blue.members)
    evidence = f"blue {running}/{situation.wanted} Running in EMQX"
    return _passed("blue-whole", evidence) if running == situation.wanted else _wait("blue-whole", evidence)


def service_on_green(situation: Situation) -> CheckResult:
    """What proxies use is what the phase asks for."""
    ips = situation.snapshot.slice_ips
    if ips is None:
        return _wait("service-addresses", "EndpointSlices not read yet")
    if is_switched(situation, Phase.DRAINING):
        late = situation.journal.late_removal
        return _passed("service-addresses", "Service = green + blue with clients" if late else "Service = green only")
    return _wait("service-addresses", f"Service has {len(ips)} addresses that are not the wanted ones: being repaired")


def clients_back(situation: Situation) -> CheckResult:
    """Evicted clients land on green."""
    ledger = situation.memory.ledger
    if ledger.evicted is None or ledger.missing is None:
        return _passed("clients-back", "no client evicted yet")
    beyond = ledger.missing - (ledger.on_their_way or 0)
    limit = missing_limit(situation)
    evidence = f"{max(0, beyond):,} clients missing of {ledger.evicted:,} evicted (limit {limit:,})"
    if beyond > limit and "clients-missing" not in situation.journal.acknowledged:
        return _fail("clients-back", evidence, "wait until they are back, or resume to accept it")
    return _passed("clients-back", evidence)


def missing_limit(situation: Situation) -> int:
    """How many clients may be missing, beyond those on their way."""
    evicted = situation.memory.ledger.evicted or 0
    return max(situation.policy.missing_floor, int(situation.policy.missing_budget * evicted))


def previous_evicted(situation: Situation) -> CheckResult:
    """Not more nodes evict at once than planned."""
    evicting = situation.evicting
    allowed = situation.journal.parallel_drains
    if len(evicting) >= allowed:
        names = ", ".join(m.name for m in evicting)
        return _wait("previous-evicted", f"{names} still evicts connections")
    return _passed("previous-evicted", "no other node evicts connections" if allowed == 1 else "a place is free")


CUT_OVER_CHECKS: tuple[Check, ...] = (
    kube_data,
    broker_data,
    green_complete,
    blue_whole,
    valve_closed,
    delay_over,
    template_unchanged,
    one_green,
    ports_unchanged,
    nothing_foreign,
    operator_unchanged,
)

NODE_CHECKS: tuple[Check, ...] = (
    kube_data,
    broker_data,
    green_complete,
    valve_closed,
    service_on_green,
    ports_unchanged,
    previous_evicted,
    clients_back,
    template_unchanged,
    one_green,
    nothing_foreign,
    operator_unchanged,
)


def run(checks: tuple[Check, ...], situation: Situation) -> tuple[CheckResult, ...]:
    """All of `checks`, in order."""
    return tuple(check(situation) for check in checks)


def all_pass(results: tuple[CheckResult, ...]) -> bool:
    return all(result.outcome is Outcome.PASS for result in results)
