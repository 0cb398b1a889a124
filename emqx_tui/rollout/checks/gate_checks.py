"""The checks of the gates: each judges the rollout context as pass, wait, fail or skipped, with its evidence.

Missing or old data never passes. A new check is one function and one line in a registry.
"""

from __future__ import annotations

from collections.abc import Callable

from emqx_tui.model import units
from emqx_tui.model.snapshot import Colour
from emqx_tui.model.workloads import port_row
from emqx_tui.rollout.addresses import is_switched
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.telling import wording

Check = Callable[[RolloutContext], CheckResult]


def _passed(name: str, evidence: str) -> CheckResult:
    return CheckResult(name, Outcome.PASS, evidence)


def _wait(name: str, evidence: str, hint: str = "") -> CheckResult:
    return CheckResult(name, Outcome.WAIT, evidence, hint)


def _fail(name: str, evidence: str, hint: str = "") -> CheckResult:
    return CheckResult(name, Outcome.FAIL, evidence, hint)


def broker_data(context: RolloutContext) -> CheckResult:
    """EMQX's figures are fresh."""
    if context.stale_brokers:
        return _wait("broker-data", context.stale_brokers, "is the management API reachable?")
    return _passed("broker-data", f"EMQX data at most {context.policy.max_broker_age_s:.0f} s old")


def kube_data(context: RolloutContext) -> CheckResult:
    """The watches are alive."""
    if context.stale_kube:
        return _wait("kubernetes-data", context.stale_kube, "is the API server reachable?")
    return _passed("kubernetes-data", "watches are alive")


def green_complete(context: RolloutContext) -> CheckResult:
    """All green nodes Ready and Running."""
    green = context.green
    if green is None:
        return _wait("green-complete", "no green StatefulSet yet")
    if green.replicas != context.wanted:
        return _fail("green-complete", f"green wants {green.replicas} nodes, blue had {context.wanted}")
    evidence = f"green {wording.strength(green, green.replicas, context.snapshot)}"
    return _passed("green-complete", evidence) if green.is_complete else _wait("green-complete", evidence)


def valve_closed(context: RolloutContext) -> CheckResult:
    """The operator is held, and its status confirms it."""
    if not context.is_valve_closed:
        return _fail("valve-closed", f"initialDelaySeconds is {context.valve_s}: the operator acts by itself")
    if context.started_at is None:
        return _wait("valve-closed", "the operator has not begun to hold (no startedAt)")
    if context.expectations.ack is not None:
        return _wait("valve-closed", f"the operator has not answered '{context.expectations.ack.command}' yet")
    return _passed("valve-closed", "the operator is held")


def one_green(context: RolloutContext) -> CheckResult:
    """Exactly two sets."""
    if third := context.snapshot.third_sets:
        return _fail(
            "two-sets",
            f"a third StatefulSet wants pods: {', '.join(third)}",
            third_set_removal(context),
        )
    return _passed("two-sets", "one blue and one green StatefulSet")


def third_set_removal(context: RolloutContext) -> str:
    """What a person does about a third set: clients of a node that is scaled away are cut off, counted or not."""
    members = [m for m in context.snapshot.members if m.colour is Colour.NONE]
    may_have_clients = any(m.live_connections or m.is_uncounted for m in members)
    empty = "scale it to 0 while it has no clients"
    return "evacuate its nodes in EMQX, then scale it to 0" if may_have_clients else empty


def template_unchanged(context: RolloutContext) -> CheckResult:
    """The object still asks for what was planned."""
    if context.resource is None:
        return _fail("object-unchanged", "the object is gone or was re-created")
    if not context.is_template_applied:
        return _fail("object-unchanged", "spec.template is not the one of this release: somebody else changed it")
    if context.resource.replicas != context.wanted:
        return _fail("object-unchanged", f"spec.replicas is {context.resource.replicas}, was {context.wanted}")
    return _passed("object-unchanged", "nobody else changed the object")


def operator_unchanged(context: RolloutContext) -> CheckResult:
    """The operator's image is the one that ran when the release was planned."""
    before, now = context.journal.originals.operator_image, context.snapshot.operator_image.value
    if before and now and before != now:
        evidence = f"the operator's image changed from {before} to {now}"
        return _fail("operator-unchanged", evidence, "put the former one back, or abort")
    if before and now:
        return _passed("operator-unchanged", "the operator's image is the same")
    return CheckResult("operator-unchanged", Outcome.SKIPPED, "operator image not compared: it cannot be read")


WITHOUT_OPERATOR = "an open valve stays open, a lost green pod stays lost, an abort waits"
OPERATOR_DOWN = f"the operator is down: {WITHOUT_OPERATOR}"


def operator_answers(context: RolloutContext) -> CheckResult:
    """Its webhook takes patches, as far as this console can know."""
    name, is_up = "operator-answers", context.snapshot.operator_answers.value
    if is_up is None:
        return CheckResult(name, Outcome.SKIPPED, "whether the operator answers is not known")
    if is_up:
        return _passed(name, "the operator answers")
    if "operator-down" not in context.journal.acknowledged:
        return _wait(name, OPERATOR_DOWN, "start it, or resume to go on without")
    who = context.journal.acknowledged_by.get("operator-down", "somebody")
    return CheckResult(name, Outcome.PASS, f"{OPERATOR_DOWN}; accepted by {who}", is_accepted=True)


def ports_unchanged(context: RolloutContext) -> CheckResult:
    """Every port that clients had is still there, node ports included."""
    service, endpoints = context.service, context.endpoints
    if service is None or endpoints is None:
        return _wait("ports-unchanged", "listener Service or Endpoints not seen")
    originals = context.journal.originals
    offered = {port_row(port) for port in service.ports}
    lost = [p for p in originals.service_ports if p not in offered]
    if lost:
        evidence = f"the Service lost or changed port {lost[0][0] or lost[0][1]}"
        return _fail("ports-unchanged", evidence, "it is put back when we may; else do it by hand, or abort")
    reached = {(q.name, q.port, q.protocol) for q in endpoints.ports}
    gone = [p for p in originals.endpoint_ports if p not in reached]
    if gone:
        return _fail("ports-unchanged", f"the Endpoints lost port {gone[0][0] or gone[0][1]}")
    return _passed("ports-unchanged", "Service and Endpoints have the ports they had")


def nothing_foreign(context: RolloutContext) -> CheckResult:
    """No evacuation and no rebalance that is not ours."""
    status = context.snapshot.evacuations.value
    if status is None:
        return _wait("nothing-foreign", "evacuations not read yet")
    if status.rebalances:
        return _fail("nothing-foreign", f"{status.rebalances} rebalance(s) run in EMQX", "stop them first")
    if foreign := context.foreign_evacuations:
        return _fail(
            "nothing-foreign", f"evacuated without approval: {', '.join(foreign)}", "stop it in EMQX, or abort"
        )
    return _passed("nothing-foreign", "no other evacuation, no rebalance")


def delay_over(context: RolloutContext) -> CheckResult:
    """The user's own initial delay."""
    over_at = context.delay_over_at
    if over_at is None:
        return _wait("delay-over", "green is not complete for the operator yet")
    left = (over_at - context.now).total_seconds()
    if left > 0:
        return _wait("delay-over", f"{left:.0f} s of initialDelaySeconds left")
    return _passed("delay-over", f"initial delay of {context.journal.originals.delay_s} s is over")


def blue_whole(context: RolloutContext) -> CheckResult:
    """Blue is as large as it was: the way back is whole."""
    blue = context.blue
    if blue is None:
        return _fail("blue-whole", "the blue StatefulSet is gone")
    evidence = f"blue {wording.in_emqx(blue, context.wanted, context.snapshot)}"
    return _passed("blue-whole", evidence) if blue.running == context.wanted else _wait("blue-whole", evidence)


def service_on_green(context: RolloutContext) -> CheckResult:
    """What proxies use is what the phase asks for."""
    ips = context.snapshot.slice_ips
    if ips is None:
        return _wait("service-addresses", "EndpointSlices not read yet")
    if is_switched(context, Phase.DRAINING):
        late = context.journal.late_removal
        return _passed("service-addresses", "Service = green + blue with clients" if late else "Service = green only")
    return _wait("service-addresses", f"Service has {len(ips)} addresses that are not the wanted ones: being repaired")


def clients_back(context: RolloutContext) -> CheckResult:
    """Evicted clients land on green."""
    ledger = context.observations.ledger
    if ledger.evicted is None or ledger.missing is None:
        if context.observations.initial:
            return _wait("clients-back", "how many clients are missing is not known: a node is not counted")
        return _passed("clients-back", f"no client evicted yet{_sessions_left(context)}")
    if ledger.overdue is None:
        return _wait("clients-back", "how many of the evicted clients are on their way is not known yet")
    limit = context.policy.missing_limit(ledger.evicted)
    clients = units.plural(max(0, ledger.overdue), "client")
    missing = f"{clients} missing of {ledger.evicted:,} evicted (limit {limit:,})"
    evidence = missing + _sessions_left(context)
    if ledger.overdue <= limit:
        return _passed("clients-back", evidence)
    if "clients-missing" not in context.journal.acknowledged:
        return _fail("clients-back", evidence, "wait until they are back, or resume to accept it")
    who = context.journal.acknowledged_by.get("clients-missing", "somebody")
    return CheckResult("clients-back", Outcome.PASS, f"{evidence}: accepted by {who}", is_accepted=True)


def _sessions_left(context: RolloutContext) -> str:
    """What ends with the nodes that are drained: said before each of the next ones."""
    left = {name: count for name, count in context.journal.totals.sessions_left.items() if count}
    if not left:
        return ""
    number, where = sum(left.values()), ", ".join(left)
    stay, end, them = ("stays", "ends", "it") if number == 1 else ("stay", "end", "them")
    return f"; {units.plural(number, 'session')} {stay} behind on {where} and {end} there: EMQX does not move {them}"


def previous_evicted(context: RolloutContext) -> CheckResult:
    """Not more nodes evict at once than planned."""
    evicting = context.evicting
    allowed = context.journal.parallel_drains
    if len(evicting) >= allowed:
        names = ", ".join(m.name for m in evicting)
        return _wait("previous-evicted", f"{names} still evict{'s' if len(evicting) == 1 else ''} connections")
    return _passed("previous-evicted", "no other node evicts connections" if allowed == 1 else "a place is free")


CUT_OVER_CHECKS: tuple[Check, ...] = (
    kube_data,
    broker_data,
    green_complete,
    blue_whole,
    valve_closed,
    operator_answers,
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
    operator_answers,
    service_on_green,
    ports_unchanged,
    previous_evicted,
    clients_back,
    template_unchanged,
    one_green,
    nothing_foreign,
    operator_unchanged,
)


def run(checks: tuple[Check, ...], context: RolloutContext) -> tuple[CheckResult, ...]:
    """All of `checks`, in order."""
    return tuple(judge(check, context) for check in checks)


def judge(check: Check, context: RolloutContext) -> CheckResult:
    """What `check` says; a decision asks for it up to three times."""
    known = context.checked
    found = known.get(check)
    if found is None:
        found = known[check] = check(context)
    return found


def all_pass(results: tuple[CheckResult, ...]) -> bool:
    return not any(result.outcome.is_blocking for result in results)
