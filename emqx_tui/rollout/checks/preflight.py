"""What is looked at before a release may start.

A failed check refuses the start; those that a person may judge better can be overridden by name. What could not be
found out (a right that is missing for a mere question) is said and does not pass for good news.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import StatefulSet
from emqx_tui.rollout.change import Rates, parse_version
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import Policy, is_closed

GITOPS = ("argocd", "kustomize-controller", "helm-controller", "flux", "fleet", "argo-cd")
"""Beginnings of field managers that put their own value back: holding through a field they own cannot work."""


@dataclass(frozen=True)
class Facts:
    """What has to be asked for once, before a start: answers of dry-runs and reads. None = not asked yet."""

    resource_patch: str | None = None
    """Answer to the dry-run of the release patch: empty = accepted, else the refusal."""
    endpoints_patch: str | None = None
    scale_patch: str | None = None
    status_patch: str | None = None
    service_patch: str | None = None
    broker_login: str | None = None
    """Empty = the management API took our credentials."""
    journal: str | None = None
    """Empty = the journal Secret and the Lease can be written."""
    same_name: tuple[str, ...] = ()
    license_keys: int | None = None
    """How many keys the licence Secret has; None = not readable or none."""
    capacity: str | None = None
    """Empty = the namespace's quotas leave room for a second generation; else why not. None = not readable."""


@dataclass(frozen=True)
class Question:
    """What the pre-flight checks look at."""

    snapshot: Snapshot
    rates: Rates | None
    policy: Policy
    facts: Facts = field(default_factory=Facts)

    @property
    def resource(self) -> EmqxEnterprise | None:
        return self.snapshot.resource.value

    @property
    def live_sets(self) -> tuple[StatefulSet, ...]:
        return tuple(s for s in self.snapshot.sets if s.replicas > 0)


PreflightCheck = Callable[[Question], CheckResult]


def _result(name: str, ok: bool | None, good: str, bad: str, hint: str = "", override: bool = False) -> CheckResult:
    outcome = Outcome.WAIT if ok is None else Outcome.PASS if ok else Outcome.FAIL
    return CheckResult(name, outcome, good if ok else bad, "" if ok else hint, can_override=override and ok is False)


def blue_green_given(question: Question) -> CheckResult:
    """Without the field the operator restarts pods one by one: no evacuation, no gate."""
    resource = question.resource
    given = bool(resource and resource.blue_green)
    ok = (given and question.rates is not None) if resource else None
    bad = (
        "the object has no blueGreenUpdate: the operator would restart pods one by one, without evacuation"
        if not given
        else "connEvictRate or sessEvictRate is missing: EMQX refuses to evacuate without them"
    )
    return _result("blue-green", ok, "blueGreenUpdate with both rates", bad, "give both rates (and save them) first")


def running(question: Question) -> CheckResult:
    """The cluster is well before it is touched."""
    resource = question.resource
    if resource is None:
        return _result("running", None, "", "the object is not read yet")
    condition = resource.condition
    found = f"{condition.type} {condition.status}" if condition else "no condition"
    return _result("running", resource.is_running, "the operator says Running", f"the operator says: {found}")


def no_release(question: Question) -> CheckResult:
    """Nobody's release is under way."""
    resource = question.resource
    if resource is None:
        return _result("no-release", None, "", "the object is not read yet")
    if resource.blue_green_status is not None:
        return _result("no-release", False, "", "a release is under way (status.blueGreenUpdateStatus is set)")
    count = len(question.live_sets)
    bad = f"{count} StatefulSets want pods: " + (", ".join(s.name for s in question.live_sets) or "none")
    return _result("no-release", count == 1, "one StatefulSet, no release under way", bad, "finish or clean up first")


def valve_free(question: Question) -> CheckResult:
    """The valve does not hold already."""
    resource = question.resource
    delay = resource.blue_green.effective_delay_s if resource and resource.blue_green else 0
    bad = f"initialDelaySeconds is {delay}, a value that holds the operator: left over from a release"
    return _result("valve", not is_closed(delay), f"initialDelaySeconds = {delay}", bad, "set the delay that you want")


def complete(question: Question) -> CheckResult:
    """All nodes Ready and Running."""
    snapshot = question.snapshot
    generation = next((g for g in snapshot.generations if g.replicas > 0), None)
    if generation is None or question.resource is None:
        return _result("complete", None, "", "no StatefulSet with pods seen")
    evidence = f"{generation.ready}/{generation.replicas} Ready, {generation.running}/{generation.replicas} in EMQX"
    same = generation.replicas == question.resource.replicas
    bad = evidence if same else f"StatefulSet wants {generation.replicas}, the object {question.resource.replicas}"
    return _result("complete", generation.is_complete and same, evidence, bad, "wait until the cluster is whole")


def _older(found: set[str], least: tuple[int, int, int]) -> list[str]:
    """Versions below `least`; what is no version counts as old."""
    parsed = {version: parse_version(version) for version in found}
    return sorted(version for version, number in parsed.items() if number is None or number < least)


def versions(question: Question) -> CheckResult:
    """Evacuation needs 4.4.12, the operator's webhook 4.4.14."""
    found = {node.version for node in question.snapshot.nodes.value or ()}
    if not found:
        return _result("emqx-version", None, "", "no EMQX node read yet")
    old = _older(found, (4, 4, 12))
    return _result(
        "emqx-version", not old, f"EMQX {', '.join(sorted(found))}", f"EMQX {', '.join(old)} has no evacuation (4.4.12)"
    )


def sessions_kept(question: Question) -> CheckResult:
    """A known loss before 4.4.24."""
    found = {node.version for node in question.snapshot.nodes.value or ()}
    old = _older(found, (4, 4, 24))
    if not found:
        return _result("sessions", None, "", "no EMQX node read yet")
    evidence = "clean-start clients with a session expiry lose their session on nodes before 4.4.24"
    good = "sessions are evacuated" if not old else f"note: {evidence}"
    return CheckResult("sessions", Outcome.PASS, good)


def operator_line(question: Question) -> CheckResult:
    """Operators 2.1.0 to 2.1.2 move the Service by themselves: there is no cut-over to gate."""
    pods = [p for p in question.snapshot.pods.value or () if not p.meta.deleting]
    owned = [p for p in pods if p.meta.owner_uid in {s.meta.uid for s in question.live_sets}]
    if not owned:
        return _result("operator-line", None, "", "no pod seen")
    gated = all(p.on_serving is not None for p in owned)
    bad = "pods without the on-serving gate: operator 2.1.0 to 2.1.2 flips the Service by itself; watch only"
    return _result("operator-line", gated, "operator 2.1.3 or later", bad)


def listener_writable_by_us(question: Question) -> CheckResult:
    """The Service has no selector, so that its addresses are what is written."""
    service = question.snapshot.listener_service
    endpoints = question.snapshot.listener_endpoints
    if problem := question.snapshot.listener_problem:
        return _result("listener", False, "", problem)
    if service is None or endpoints is None:
        return _result("listener", None, "", "listener Service or Endpoints not seen")
    if service.selector:
        return _result(
            "listener", False, "", f"Service {service.name} has a selector: its addresses cannot be switched"
        )
    return _result("listener", bool(endpoints.addresses), f"Service {service.name}", "Endpoints have no address")


def other_services(question: Question) -> CheckResult:
    """Services that select the pods bypass the switch."""
    resource = question.resource
    pods = question.snapshot.pods.value or ()
    if resource is None or question.snapshot.services.value is None:
        return _result("other-services", None, "", "Services not read yet")
    labels = [dict(p.meta.labels) for p in pods]
    bypass = [
        s.name
        for s in question.snapshot.services.value
        if s.selector
        and s.name not in (resource.service_name, f"{resource.name}-headless")
        and any(all(have.get(k) == v for k, v in s.selector) for have in labels)
    ]
    bad = f"Services select the pods directly and bypass the cut-over: {', '.join(bypass)}"
    return _result("other-services", not bypass, "no other Service selects the pods", bad, override=True)


def traffic_policy(question: Question) -> CheckResult:
    """Policy Local can cut every client of a node at the switch; the canary shows it."""
    service = question.snapshot.listener_service
    if service is None:
        return _result("traffic-policy", None, "", "listener Service not seen")
    local = service.external_traffic_policy == "Local" and service.type in ("NodePort", "LoadBalancer")
    bad = "externalTrafficPolicy Local: balancers may cut the clients of nodes without an address"
    return _result(
        "traffic-policy", not local, "externalTrafficPolicy Cluster", bad, "the canary tests it", override=True
    )


def udp_ports(question: Question) -> CheckResult:
    """UDP flows move at once."""
    service = question.snapshot.listener_service
    udp = [p.name for p in service.ports if p.protocol == "UDP"] if service else []
    if service is None:
        return _result("udp", None, "", "listener Service not seen")
    return _result(
        "udp", not udp, "no UDP port", f"UDP ports move at once at the cut-over: {', '.join(udp)}", override=True
    )


def brokers_quiet(question: Question) -> CheckResult:
    """No evacuation, no rebalance."""
    status = question.snapshot.evacuations.value
    if status is None:
        return _result("brokers-quiet", None, "", question.snapshot.evacuations.problem or "EMQX not read yet")
    if status.rebalances:
        return _result("brokers-quiet", False, "", f"{status.rebalances} rebalance(s) run in EMQX")
    names = ", ".join(e.node for e in status.evacuations)
    return _result("brokers-quiet", not names, "no evacuation, no rebalance", f"already evacuated: {names}", "stop it")


def gitops(question: Question) -> CheckResult:
    """A controller that owns the delay field would open the valve."""
    resource = question.resource
    if resource is None:
        return _result("gitops", None, "", "the object is not read yet")
    owners = [o for o in resource.delay_owners if o.lower().startswith(GITOPS)]
    bad = f"initialDelaySeconds is owned by {', '.join(owners)}, which would put it back and free the operator"
    return _result("gitops", not owners, "no GitOps controller owns the delay", bad, "suspend its sync for the release")


def single_name(question: Question) -> CheckResult:
    """Another kind of the same name shares labels, pods and Endpoints."""
    names = question.facts.same_name
    return _result("single-name", not names, "no other EMQX kind of this name", f"same name: {', '.join(names)}")


def license_secret(question: Question) -> CheckResult:
    """A licence Secret with several keys makes a new StatefulSet every pass."""
    keys = question.facts.license_keys
    bad = f"the licence Secret has {keys} keys: the operator would build sets without end"
    return _result("license", keys is None or keys <= 1, "licence Secret is plain", bad)


def _answer(name: str, answer: str | None, good: str, hint: str) -> CheckResult:
    return _result(name, None if answer is None else answer == "", good, answer or "not asked yet", hint)


def right_resource(question: Question) -> CheckResult:
    """Server dry-run of the release patch."""
    return _answer("dry-run", question.facts.resource_patch, "the server accepts the patch", "")


def right_endpoints(question: Question) -> CheckResult:
    """Server dry-run of an Endpoints write."""
    hint = "without 'patch endpoints' only watching and holding is possible"
    return _answer("right-endpoints", question.facts.endpoints_patch, "Endpoints may be written", hint)


def right_scale(question: Question) -> CheckResult:
    """Server dry-run of a scale write."""
    hint = "without 'patch statefulsets/scale' only watching and holding is possible"
    return _answer("right-scale", question.facts.scale_patch, "StatefulSets may be scaled", hint)


def _optional(name: str, answer: str | None, good: str, without: str) -> CheckResult:
    """A right that only a repair needs: a refusal is said and stops nothing."""
    if answer is None:
        return _result(name, None, "", "not asked yet")
    return CheckResult(name, Outcome.PASS, f"note: {without}: {answer}" if answer else good)


def right_status(question: Question) -> CheckResult:
    """Server dry-run of a status write: needed for two repairs only."""
    answer = question.facts.status_patch
    return _optional("right-status", answer, "the release status may be repaired", "no status repair possible")


def right_service(question: Question) -> CheckResult:
    """Server dry-run of a write to the listener Service: needed when it loses ports as the operator begins to hold."""
    answer = question.facts.service_patch
    return _optional("right-service", answer, "lost Service ports may be put back", "lost ports cannot be put back")


def right_journal(question: Question) -> CheckResult:
    """Our own Secret and Lease."""
    return _answer(
        "right-journal", question.facts.journal, "journal and lease may be written", "grant the Role in README"
    )


def broker_login(question: Question) -> CheckResult:
    """The management API takes our credentials."""
    return _answer("emqx-api", question.facts.broker_login, "the management API answers", "see --emqx-access")


def capacity(question: Question) -> CheckResult:
    """Room for a second generation, as far as quotas tell."""
    answer = question.facts.capacity
    if answer is None:
        return CheckResult(
            "capacity", Outcome.PASS, "note: quotas not readable; room for a second generation not checked"
        )
    good = "quotas leave room for a second generation (room on machines not checked)"
    return _result("capacity", answer == "", good, answer, "raise the quota for the release", override=True)


def accept_rate(question: Question) -> CheckResult:
    """EMQX 4.4 accepts 1000 new connections a second per listener by default."""
    nodes = max(1, len(question.snapshot.nodes.value or ()))
    rate = question.rates.conn_evict_rate_per_s if question.rates else 0
    limit = 500 * nodes
    bad = f"{rate:,}/s may be more than {nodes} nodes accept (1,000/s each by default, half of it is safe)"
    return _result(
        "accept-rate", rate <= limit, f"{rate:,}/s is well below what {nodes} nodes accept", bad, override=True
    )


PREFLIGHT: tuple[PreflightCheck, ...] = (
    blue_green_given,
    running,
    no_release,
    valve_free,
    complete,
    versions,
    operator_line,
    listener_writable_by_us,
    brokers_quiet,
    gitops,
    right_resource,
    right_endpoints,
    right_scale,
    right_journal,
    right_status,
    right_service,
    broker_login,
    single_name,
    license_secret,
    other_services,
    traffic_policy,
    udp_ports,
    accept_rate,
    capacity,
    sessions_kept,
)


def run(question: Question) -> tuple[CheckResult, ...]:
    """All pre-flight checks, in order."""
    return tuple(check(question) for check in PREFLIGHT)


def blocking(results: tuple[CheckResult, ...], overrides: tuple[str, ...]) -> tuple[CheckResult, ...]:
    """The checks that keep a release from starting, overrides taken into account."""
    return tuple(r for r in results if r.outcome is not Outcome.PASS and not (r.can_override and r.name in overrides))
