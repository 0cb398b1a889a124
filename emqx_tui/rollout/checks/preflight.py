"""The pre-flight checks: what has to be true before a release may start.

A failed check refuses the start; some can be overridden by name. What could not be found out, as where a right to ask
is missing, is reported as such.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.owners import Keeps
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import StatefulSet
from emqx_tui.rollout.change import Owned, Rates, parse_version
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import Policy, is_closed


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
    owned: tuple[Owned, ...] = ()
    """Whose fields the edit changes; none where no edit is at hand."""

    @property
    def resource(self) -> EmqxEnterprise | None:
        return self.snapshot.resource.value

    @property
    def live_sets(self) -> tuple[StatefulSet, ...]:
        return tuple(s for s in self.snapshot.sets if s.replicas > 0)


Finding = tuple[bool | Outcome | None, str]
"""Does it pass (None = not known yet), and the evidence."""


@dataclass(frozen=True)
class PreflightCheck:
    """One row of the pre-flight."""

    name: str
    judge: Callable[[Question], Finding]
    hint: str = ""
    """What to do when it fails."""
    can_override: bool = False

    def run(self, question: Question) -> CheckResult:
        is_good, evidence = self.judge(question)
        if isinstance(is_good, Outcome):
            return CheckResult(self.name, is_good, evidence)
        if is_good is None:
            return CheckResult(self.name, Outcome.WAIT, evidence)
        if is_good:
            return CheckResult(self.name, Outcome.PASS, evidence)
        return CheckResult(self.name, Outcome.FAIL, evidence, self.hint, self.can_override)


def blue_green_given(question: Question) -> Finding:
    """Without the field the operator restarts pods one by one: no evacuation, no gate."""
    resource = question.resource
    if resource is None:
        return None, "the EmqxEnterprise has not been read yet"
    if resource.blue_green is None:
        return False, "no blueGreenUpdate: the operator would restart pods one by one, without evacuation"
    if question.rates is None:
        return False, "connEvictRate or sessEvictRate is missing: EMQX refuses to evacuate without them"
    return True, "blueGreenUpdate with both rates"


def running(question: Question) -> Finding:
    """The operator reports the cluster as Running."""
    resource = question.resource
    if resource is None:
        return None, "the EmqxEnterprise has not been read yet"
    condition = resource.condition
    found = f"{condition.type} {condition.status}" if condition else "no condition"
    return (True, "the operator says Running") if resource.is_running else (False, f"the operator says: {found}")


def no_release(question: Question) -> Finding:
    """No release is under way."""
    resource, live = question.resource, question.live_sets
    if resource is None:
        return None, "the EmqxEnterprise has not been read yet"
    if resource.blue_green_status is not None:
        return False, "a release is under way (status.blueGreenUpdateStatus is set)"
    if len(live) != 1:
        return False, f"{len(live)} StatefulSets want pods: {', '.join(s.name for s in live) or 'none'}"
    return True, "one StatefulSet, no release under way"


def valve_free(question: Question) -> Finding:
    """The delay is a user's own, not one that holds the operator."""
    resource = question.resource
    delay = resource.blue_green.effective_delay_s if resource and resource.blue_green else 0
    if is_closed(delay) and len(question.live_sets) > 1:
        held = f"initialDelaySeconds is {delay}: it holds the operator in the middle of a release whose journal is gone"
        return False, f"{held}; leave it: with another delay the operator would cut clients off"
    if is_closed(delay):
        held = f"initialDelaySeconds is {delay}, a value that holds the operator: left over from a release"
        return False, f"{held}; set the delay that you want"
    return True, f"initialDelaySeconds = {delay}"


def complete(question: Question) -> Finding:
    """Every node is Ready in Kubernetes and Running in EMQX."""
    resource = question.resource
    generation = next((g for g in question.snapshot.generations if g.replicas > 0), None)
    if generation is None or resource is None:
        return None, "no StatefulSet with pods seen"
    wanted = generation.replicas
    if wanted != resource.replicas:
        return False, f"StatefulSet wants {wanted}, the object {resource.replicas}"
    if not generation.are_members_known:
        return None, "pods not read yet"
    if question.snapshot.nodes.value is None:
        is_unknown = generation.ready == wanted
        return None if is_unknown else False, f"{generation.ready}/{wanted} Ready, EMQX not read"
    return generation.is_complete, f"{generation.ready}/{wanted} Ready, {generation.running}/{wanted} in EMQX"


def _versions(question: Question, least: tuple[int, int, int]) -> tuple[set[str], list[str]]:
    """The nodes' versions, and those below `least`; what is not a version counts as old."""
    found = {node.version for node in question.snapshot.nodes.value or ()}
    parsed = {version: parse_version(version) for version in found}
    return found, sorted(version for version, number in parsed.items() if number is None or number < least)


def versions(question: Question) -> Finding:
    """Node evacuation came with 4.4.12."""
    found, old = _versions(question, (4, 4, 12))
    if not found:
        return None, "no EMQX node read yet"
    if old:
        return False, f"EMQX {', '.join(old)} has no evacuation (4.4.12)"
    return True, f"EMQX {', '.join(sorted(found))}"


def sessions_kept(question: Question) -> Finding:
    """A known loss before 4.4.24: reported, and it stops nothing."""
    found, old = _versions(question, (4, 4, 24))
    if not found:
        return None, "no EMQX node read yet"
    if old:
        return True, "note: clean-start clients with a session expiry lose their session on nodes before 4.4.24"
    return True, "sessions are evacuated"


def operator_line(question: Question) -> Finding:
    """Operators 2.1.0 to 2.1.2 move the Service by themselves: there is no cut-over to gate."""
    sets = {s.meta.uid for s in question.live_sets}
    owned = [p for p in question.snapshot.pods.value or () if not p.meta.deleting and p.meta.owner_uid in sets]
    if not owned:
        return None, "no pod seen"
    if any(p.on_serving is None for p in owned):
        return (
            False,
            "pods without the on-serving gate: operator 2.1.0 to 2.1.2 flips the Service by itself; watch only",
        )
    return True, "operator 2.1.3 or later"


def listener_writable_by_us(question: Question) -> Finding:
    """The Service has no selector, so its addresses are the ones that are written."""
    service, endpoints = question.snapshot.listener_service, question.snapshot.listener_endpoints
    if problem := question.snapshot.listener_problem:
        return False, problem
    if service is None or endpoints is None:
        return None, "listener Service or Endpoints not seen"
    if service.selector:
        return False, f"Service {service.name} has a selector: its addresses cannot be switched"
    return (True, f"Service {service.name}") if endpoints.addresses else (False, "Endpoints have no address")


def other_services(question: Question) -> Finding:
    """Services that select the pods bypass the cut-over."""
    resource, services = question.resource, question.snapshot.services.value
    if resource is None or services is None:
        return None, "Services not read yet"
    labels = [dict(p.meta.labels) for p in question.snapshot.pods.value or ()]
    bypass = [
        s.name
        for s in services
        if s.selector
        and s.name not in (resource.service_name, f"{resource.name}-headless")
        and any(all(have.get(k) == v for k, v in s.selector) for have in labels)
    ]
    if bypass:
        return False, f"Services select the pods directly and bypass the cut-over: {', '.join(bypass)}"
    return True, "no other Service selects the pods"


def traffic_policy(question: Question) -> Finding:
    """Policy Local can disconnect every client of a node at the cut-over; the canary shows it."""
    service = question.snapshot.listener_service
    if service is None:
        return None, "listener Service not seen"
    if service.external_traffic_policy == "Local" and service.type in ("NodePort", "LoadBalancer"):
        return False, "externalTrafficPolicy Local: balancers may cut the clients of nodes without an address"
    return True, "externalTrafficPolicy Cluster"


def udp_ports(question: Question) -> Finding:
    """UDP flows move at once."""
    service = question.snapshot.listener_service
    if service is None:
        return None, "listener Service not seen"
    udp = [p.name for p in service.ports if p.protocol == "UDP"]
    return (False, f"UDP ports move at once at the cut-over: {', '.join(udp)}") if udp else (True, "no UDP port")


def brokers_quiet(question: Question) -> Finding:
    """No evacuation, no rebalance."""
    evacuations = question.snapshot.evacuations
    status = evacuations.value
    if status is None:
        return None, evacuations.problem or "EMQX not read yet"
    if status.rebalances:
        return False, f"{status.rebalances} rebalance(s) run in EMQX"
    if status.evacuations:
        return False, f"already evacuated: {', '.join(e.node for e in status.evacuations)}"
    return True, "no evacuation, no rebalance"


def gitops(question: Question) -> Finding:
    """A controller that owns the delay field would open the valve."""
    resource = question.resource
    if resource is None:
        return None, "the EmqxEnterprise has not been read yet"
    found = resource.owners.of("spec.blueGreenUpdate.initialDelaySeconds")
    owners = [owner.manager for owner in found if owner.keeps is Keeps.ALWAYS]
    if owners:
        return (
            False,
            f"initialDelaySeconds is owned by {', '.join(owners)}, which would put it back and free the operator",
        )
    return True, "no GitOps controller owns the delay"


def gitops_template(question: Question) -> Finding:
    """A controller that puts the old template back in a release turns its direction round."""
    theirs = [each for each in question.owned if each.owner.keeps is Keeps.ALWAYS]
    if not theirs:
        return True, "no GitOps controller owns what is changed"
    told = "; ".join(f"{', '.join(each.paths)} is owned by {each.owner.manager}" for each in theirs)
    return False, f"{told}, which would put it back in the middle of the release"


def single_name(question: Question) -> Finding:
    """Another kind of the same name shares labels, pods and Endpoints."""
    names = question.facts.same_name
    return (False, f"same name: {', '.join(names)}") if names else (True, "no other EMQX kind of this name")


def license_secret(question: Question) -> Finding:
    """With several keys in the licence Secret the operator makes a new StatefulSet in every pass."""
    keys = question.facts.license_keys
    if keys is None:
        return Outcome.SKIPPED, "no licence Secret, or it cannot be read"
    if keys > 1:
        return False, f"the licence Secret has {keys} keys: the operator would create StatefulSets without end"
    return True, "the licence Secret has one key"


def capacity(question: Question) -> Finding:
    """Room for a second generation, as far as quotas tell."""
    answer = question.facts.capacity
    if answer is None:
        return Outcome.SKIPPED, "room for a second generation not checked: the quotas cannot be read"
    return answer == "", answer or "quotas leave room for a second generation (room on machines not checked)"


def accept_rate(question: Question) -> Finding:
    """EMQX 4.4 accepts 1000 new connections a second per listener by default."""
    if question.rates is None:
        return Outcome.SKIPPED, "no rates to compare with what the nodes accept"
    nodes, rate = max(1, len(question.snapshot.nodes.value or ())), question.rates.conn_evict_rate_per_s
    accept = "1 node accepts" if nodes == 1 else f"{nodes} nodes accept"
    if rate > 500 * nodes:
        return False, f"{rate:,}/s may be more than {accept} (1,000/s each by default, half of it is safe)"
    return True, f"{rate:,}/s is well below what {accept}"


def _allowed(answer: str | None, good: str) -> Finding:
    """A dry-run's answer: empty means yes."""
    return (None, "not asked yet") if answer is None else (answer == "", answer or good)


def _optional(answer: str | None, good: str, without: str) -> Finding:
    """A right that only a repair needs: its refusal is reported and stops nothing."""
    if answer is None:
        return None, "not asked yet"
    return True, f"note: {without}: {answer}" if answer else good


_GRANT = "grant 'patch {}': see the Role in README"

PREFLIGHT: tuple[PreflightCheck, ...] = (
    PreflightCheck("blue-green", blue_green_given, "give both rates (and save them) first"),
    PreflightCheck("running", running, "wait until it says Running; else see its log and the Events of the object"),
    PreflightCheck("no-release", no_release, "finish or clean up first"),
    PreflightCheck("valve", valve_free),
    PreflightCheck("complete", complete, "wait until every node is Ready and Running"),
    PreflightCheck("emqx-version", versions, "bring these nodes to 4.4.12 or later without a release first"),
    PreflightCheck("operator-line", operator_line, "upgrade the operator to 2.1.3 or later"),
    PreflightCheck("listener", listener_writable_by_us, "let the operator make the Service, without a selector"),
    PreflightCheck("brokers-quiet", brokers_quiet, "stop it first"),
    PreflightCheck("gitops", gitops, "suspend its sync for the release"),
    PreflightCheck(
        "gitops-template", gitops_template, "change it there, or suspend its sync for the release", can_override=True
    ),
    PreflightCheck(
        "dry-run",
        lambda q: _allowed(q.facts.resource_patch, "the server accepts the patch"),
        f"{_GRANT.format('emqxenterprises')}; or change what is refused",
    ),
    PreflightCheck(
        "right-endpoints",
        lambda q: _allowed(q.facts.endpoints_patch, "Endpoints may be written"),
        _GRANT.format("endpoints"),
    ),
    PreflightCheck(
        "right-scale",
        lambda q: _allowed(q.facts.scale_patch, "StatefulSets may be scaled"),
        _GRANT.format("statefulsets/scale"),
    ),
    PreflightCheck(
        "right-journal",
        lambda q: _allowed(q.facts.journal, "journal and lease may be written"),
        "grant the Role in README",
    ),
    PreflightCheck(
        "right-status",
        lambda q: _optional(q.facts.status_patch, "the release status may be repaired", "no status repair possible"),
    ),
    PreflightCheck(
        "right-service",
        lambda q: _optional(
            q.facts.service_patch, "lost Service ports may be put back", "lost ports cannot be put back"
        ),
    ),
    PreflightCheck(
        "emqx-api",
        lambda q: _allowed(q.facts.broker_login, "the management API answers"),
        "is the Role in README granted? other ways to it: --emqx-access",
    ),
    PreflightCheck("single-name", single_name, "remove the other one: both would share pods and Endpoints"),
    PreflightCheck("license", license_secret, "leave one key in it"),
    PreflightCheck("other-services", other_services, "let clients come by the listener Service", can_override=True),
    PreflightCheck("traffic-policy", traffic_policy, "the canary tests it", can_override=True),
    PreflightCheck("udp", udp_ports, "accept it where these clients bear it", can_override=True),
    PreflightCheck("accept-rate", accept_rate, "lower connEvictRate", can_override=True),
    PreflightCheck("capacity", capacity, "raise the quota for the release", can_override=True),
    PreflightCheck("sessions", sessions_kept),
)


def run(question: Question) -> tuple[CheckResult, ...]:
    """All pre-flight checks, in order."""
    return tuple(check.run(question) for check in PREFLIGHT)


def blocking(results: tuple[CheckResult, ...], overrides: tuple[str, ...]) -> tuple[CheckResult, ...]:
    """The checks that keep a release from starting, overrides taken into account."""
    return tuple(r for r in results if r.outcome.is_blocking and not (r.can_override and r.name in overrides))
