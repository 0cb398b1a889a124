"""Situations for the tests of the rollout: a cluster of N blue and N green nodes at any step, made of model values.

A `Scene` is the whole of what `decide` is given. The functions named after the steps give one at which all is well;
`with_place`, `with_side`, `seen` and `dataclasses.replace` turn single knobs of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from emqx_tui.model.containers import Container, PodCondition
from emqx_tui.model.emqx_enterprise import BlueGreenStatus, BlueGreenUpdate, Condition, EmqxEnterprise, Image
from emqx_tui.model.evacuation import Evacuation, EvacuationState, EvictionStatus, GlobalStatus
from emqx_tui.model.kube_object import Meta, fingerprint
from emqx_tui.model.nodes import EmqxNode, NodeStats, Vitals
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import (
    Address,
    Endpoints,
    EndpointSlice,
    OwnDelay,
    Pod,
    Port,
    Service,
    StatefulSet,
    port_row,
)
from emqx_tui.rollout.change import Plan, Rates
from emqx_tui.rollout.commands import Command
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decide import DecisionSettings, decide
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.gate_id import START, GateId
from emqx_tui.rollout.intents import Intent
from emqx_tui.rollout.policy import CLOSED_S, Approval, Policy
from emqx_tui.rollout.state.expectations import Expectations
from emqx_tui.rollout.state.journal import ApprovalRecord, HoldRecord, Journal, Originals
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.rollout.state.observed import Canary, Observations

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NAMESPACE, NAME, UID = "default", "emqx-ee", "uid-cr"
BLUE_UID, GREEN_UID, THIRD_UID = "uid-blue", "uid-green", "uid-third"
BLUE_NAME, GREEN_NAME, THIRD_NAME = "emqx-ee-66f7b", "emqx-ee-9c8d4", "emqx-ee-5b4f9"
USER_DELAY_S = 60
RATES = Rates(200, 200, 5)
OPERATOR = "emqx/emqx-operator-controller:2.2.29"
SERVICE_PORTS = (
    Port("mqtt-tcp-1883", 1883, "TCP", "1883", 30083),
    Port("http-dashboard", 18083, "TCP", "18083", 30084),
)
ENDPOINT_PORTS = (Port("mqtt-tcp-1883", 1883, "TCP"), Port("http-dashboard", 18083, "TCP"))
OLD_TEMPLATE = {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.14"}}}}
NEW_TEMPLATE = {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.15"}}}}
OTHER_TEMPLATE = {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.16"}}}}
PATCH = {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}
_TEMPLATES = {"old": OLD_TEMPLATE, "new": NEW_TEMPLATE, "other": OTHER_TEMPLATE}
SETTINGS = DecisionSettings(Policy(), "test", "release-1")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@dataclass(frozen=True)
class Place:
    """One node and its pod. Counts are clients; None = not known."""

    live: int | None = 300
    sessions: int | None = 0
    is_ready: bool = True
    is_joined: bool = True
    is_deleting: bool = False
    containers_ready: bool = True
    on_serving: bool | None = True
    has_ip: bool = True
    trouble: str = ""
    evacuation: EvacuationState | None = None
    sessions_left: int = 0
    rates: tuple[int, int] = (200, 200)
    own: int | None = None
    """What the node says of its live connections; None = it was not asked."""
    own_enabled: bool = True
    own_age_s: float = 0.5
    own_problem: str = ""
    uptime_s: int | None = None
    """As the node itself says."""
    pod_uid: str = ""
    """Empty = the one it has always had."""
    created_at: datetime | None = None
    """None = long ago."""
    restarts: int = 0
    initial: int = 300
    """Clients when its evacuation began."""
    containers: tuple[Container, ...] = ()
    conditions: tuple[PodCondition, ...] = ()


@dataclass(frozen=True)
class Side:
    """One StatefulSet and its nodes by ordinal."""

    name: str
    uid: str
    places: Mapping[int, Place]
    replicas: int
    version: str
    is_settled: bool = True
    is_observed: bool = True
    """Its controller has seen the newest spec."""
    revision: str = ""
    age_s: float = 1000.0


def side(name: str, uid: str, version: str, n: int, age_s: float, place: Place | None = None) -> Side:
    return Side(name, uid, dict.fromkeys(range(n), place or Place()), n, version, revision=f"{name}-rev", age_s=age_s)


def pod_name(of: Side, ordinal: int) -> str:
    return f"{of.name}-{ordinal}"


def node_name(pod: str) -> str:
    return f"emqx-ee@{pod}.emqx-ee-headless.default.svc.cluster.local"


def ip(of: Side, ordinal: int) -> str:
    return f"10.0.{ {BLUE_UID: 1, GREEN_UID: 2}.get(of.uid, 3) }.{ordinal}"


def ips(of: Side | None, *, but: tuple[int, ...] = ()) -> frozenset[str]:
    return frozenset(ip(of, k) for k in of.places if k not in but) if of else frozenset()


@dataclass(frozen=True)
class Scene:
    """A cluster as it is seen at NOW, the journal of the release and what the driver remembers."""

    blue: Side | None
    green: Side | None
    third: Side | None = None
    addresses: frozenset[str] = frozenset()
    slices: frozenset[str] | None = None
    """None = as the Endpoints."""
    template: str = "new"
    delay_s: int | None = CLOSED_S
    has_status: bool = True
    started_ago_s: float | None = 100.0
    is_running: bool = False
    replicas: int = 3
    service_ports: tuple[Port, ...] = SERVICE_PORTS
    endpoint_ports: tuple[Port, ...] = ENDPOINT_PORTS
    has_service: bool = True
    has_endpoints: bool = True
    rebalances: int = 0
    foreign: tuple[str, ...] = ()
    """Names of evacuated nodes that are no node of ours."""
    operator: str = OPERATOR
    metadata_generation: int = 2
    resource_version: str = "1000"
    status_mark: str = "status-1"
    broker_age_s: float = 0.5
    kube_age_s: float = 5.0
    operator_up: bool | None = None
    """Whether the operator's webhook takes patches; None = nobody could ask."""
    operator_age_s: float = 0.0
    """Since it was asked."""
    kube_problem: str = ""
    """Why the watch of the EmqxEnterprise is broken; empty while it answers."""
    journal: Journal | None = None
    memory: Memory = field(default_factory=Memory)
    policy: Policy = field(default_factory=Policy)
    now: datetime = NOW
    uid: str = UID
    traffic_policy: str = "Cluster"
    selector: tuple[tuple[str, str], ...] = ()
    replaced_delay: OwnDelay | None = None

    # -- what it looks like ---------------------------------------------------------------------------------------

    @property
    def sides(self) -> tuple[Side, ...]:
        return tuple(s for s in (self.blue, self.green, self.third) if s is not None)

    def snapshot(self, blue_uid: str | None = None) -> Snapshot:
        at = self.now - timedelta(seconds=self.kube_age_s)
        read = self.now - timedelta(seconds=self.broker_age_s)
        journal = self.journal
        if blue_uid is None:
            blue_uid = journal.blue_uid if journal else ""
        joined = [(s, k, p) for s in self.sides for k, p in s.places.items() if p.is_joined]
        return Snapshot(
            now=self.now,
            namespace=NAMESPACE,
            name=NAME,
            resource=Reading(self.resource(), at, self.kube_problem),
            stateful_sets=Reading(tuple(_stateful_set(s) for s in self.sides), at),
            pods=Reading(tuple(_pod(s, k, p) for s in self.sides for k, p in s.places.items()), at),
            services=Reading((self._service(),) if self.has_service else (), at),
            endpoints=Reading((self._endpoints(),) if self.has_endpoints else (), at),
            slices=Reading((self._slice(),), at),
            nodes=Reading(tuple(EmqxNode(node_name(pod_name(s, k)), s.version) for s, k, _ in joined), read),
            stats=Reading(
                {
                    node_name(pod_name(s, k)): NodeStats(p.live, p.sessions or 0)
                    for s, k, p in joined
                    if p.live is not None
                },
                read,
            ),
            evacuations=Reading(GlobalStatus(tuple(self._evacuations()), self.rebalances), read),
            own={
                pod_name(s, k): self._own(p)
                for s in self.sides
                for k, p in s.places.items()
                if p.own is not None or p.own_problem
            },
            brokers={
                pod_name(s, k): EmqxNode(
                    node_name(pod_name(s, k)), s.version, Vitals(f"0 minutes, {p.uptime_s} seconds")
                )
                for s in self.sides
                for k, p in s.places.items()
                if p.uptime_s is not None
            },
            blue_uid=blue_uid,
            green_uid=journal.green_uid if journal else "",
            operator_image=Reading(self.operator, at) if self.operator else MISSING,
            operator_answers=MISSING
            if self.operator_up is None
            else Reading(self.operator_up, self.now - timedelta(seconds=self.operator_age_s)),
            replaced_delay=self.replaced_delay,
        )

    def context(self) -> RolloutContext:
        assert self.journal is not None
        return RolloutContext(self.snapshot(), self.journal, self.memory, self.policy)

    def decide(self, intent: Intent | None = None) -> Decision:
        return self.decided(intent)[0]

    def decided(self, intent: Intent | None = None) -> tuple[Decision, Memory]:
        return decide(self.memory, self.snapshot(), self.journal, intent, replace(SETTINGS, policy=self.policy))

    def commands(self) -> tuple[Command, ...]:
        return self.decide().commands

    def resource(self) -> EmqxEnterprise:
        template: Mapping[str, Any] = _TEMPLATES[self.template]
        image = template["spec"]["emqxContainer"]["image"]
        started = None if self.started_ago_s is None else self.now - timedelta(seconds=self.started_ago_s)
        status = BlueGreenStatus(started, ()) if self.has_status else None
        kind = "Running" if self.is_running else "BlueGreenUpdating"
        return EmqxEnterprise(
            meta=_meta(NAME, self.uid, self.resource_version, generation=self.metadata_generation),
            replicas=self.replicas,
            image=Image("", image["repository"], image["version"]),
            blue_green=BlueGreenUpdate(self.delay_s, 5, 200, 200),
            service_name=NAME,
            persistent=False,
            conditions=(Condition(kind, True, "", "", self.now - timedelta(seconds=3)),),
            status_nodes=(),
            ready_replicas=3,
            blue_green_status=status,
            status_mark=self.status_mark,
            raw={"spec": {"template": template}},
        )

    def _evacuations(self):
        for s in self.sides:
            for k, p in s.places.items():
                if p.evacuation is None:
                    continue
                yield Evacuation(
                    node=node_name(pod_name(s, k)),
                    state=p.evacuation,
                    conn_evict_rate_per_s=p.rates[0],
                    sess_evict_rate_per_s=p.rates[1],
                    recipients=(),
                    initial_connected=p.initial,
                    current_connected=p.live or 0,
                    initial_sessions=0,
                    current_sessions=p.sessions_left,
                )
        for name in self.foreign:
            yield Evacuation(name, EvacuationState.EVICTING_CONNS, 500, 500, (), 100, 100, 0, 0)

    def _own(self, place: Place) -> Reading[EvictionStatus]:
        at = self.now - timedelta(seconds=place.own_age_s)
        if place.own is None:
            return Reading(None, None, place.own_problem)
        counts = (place.own, 0) if place.own_enabled else (None, None)
        return Reading(EvictionStatus(place.own_enabled, *counts), at, place.own_problem)

    def _service(self) -> Service:
        return Service(_meta(NAME, "uid-svc", "7"), "NodePort", self.selector, self.service_ports, self.traffic_policy)

    def _endpoints(self) -> Endpoints:
        addresses = tuple(Address(found) for found in sorted(self.addresses))
        return Endpoints(_meta(NAME, "uid-ep", "55"), addresses, self.endpoint_ports)

    def _slice(self) -> EndpointSlice:
        found = self.addresses if self.slices is None else self.slices
        return EndpointSlice(_meta(f"{NAME}-abcde", "uid-slice", "56"), NAME, tuple(sorted(found)))


def _meta(name: str, uid: str, version: str, *, owner: str = "", generation: int = 1, age_s: float = 1000.0) -> Meta:
    return Meta(NAMESPACE, name, uid, version, ago(age_s), False, generation, (), owner)


def _stateful_set(s: Side) -> StatefulSet:
    ready = sum(p.is_ready for p in s.places.values())
    seen = s.replicas if s.is_settled else s.replicas + 1
    return StatefulSet(
        meta=_meta(s.name, s.uid, f"rv-{s.name}", owner=UID, age_s=s.age_s),
        replicas=s.replicas,
        status_replicas=seen,
        current_replicas=seen,
        ready_replicas=ready,
        observed_generation=1 if s.is_observed else 0,
        current_revision=s.revision,
        update_revision=s.revision,
        image=f"emqx/emqx-ee:{s.version}",
        pod_template={"spec": {"containers": [{"name": "emqx", "image": f"emqx/emqx-ee:{s.version}"}]}},
    )


def _pod(s: Side, ordinal: int, p: Place) -> Pod:
    name = pod_name(s, ordinal)
    meta = _meta(name, p.pod_uid or f"uid-{name}", "9", owner=s.uid)
    meta = replace(meta, created_at=p.created_at or meta.created_at, deleting=p.is_deleting)
    return Pod(
        meta=meta,
        phase="Running",
        ip=ip(s, ordinal) if p.has_ip else "",
        node_name=f"worker-{ordinal}",
        is_ready=p.is_ready,
        containers_ready=p.containers_ready,
        on_serving=p.on_serving,
        trouble=p.trouble,
        restarts=p.restarts,
        containers=p.containers,
        conditions=p.conditions,
    )


# -- turning knobs ------------------------------------------------------------------------------------------------


def with_side(scene: Scene, colour: str, **knobs: Any) -> Scene:
    """`scene` with other values of its blue, green or third StatefulSet."""
    found: Side = getattr(scene, colour)
    return replace(scene, **{colour: replace(found, **knobs)})


def with_place(scene: Scene, colour: str, ordinal: int, **knobs: Any) -> Scene:
    """`scene` with other values of one node."""
    found: Side = getattr(scene, colour)
    changed = replace(found.places.get(ordinal, Place()), **knobs)
    return with_side(scene, colour, places={**found.places, ordinal: changed})


def without_place(scene: Scene, colour: str, ordinal: int) -> Scene:
    found: Side = getattr(scene, colour)
    return with_side(scene, colour, places={k: p for k, p in found.places.items() if k != ordinal})


def noted(scene: Scene, **fields: Any) -> Scene:
    """`scene` with other values in the journal."""
    assert scene.journal is not None
    return replace(scene, journal=replace(scene.journal, **fields))


def remembered(scene: Scene, **fields: Any) -> Scene:
    """`scene` with other values in the driver's memory."""
    memory = scene.memory
    parts = {"expectations": memory.expectations, "observations": memory.observations}
    changed = {name: _turned(part, fields) for name, part in parts.items()}
    return replace(scene, memory=replace(memory, **changed, **fields))


def _turned(part: Expectations | Observations, fields: dict[str, Any]) -> Any:
    """`part` with those of `fields` that are its own, which are taken out of them."""
    return replace(part, **{name: fields.pop(name) for name in part.__dataclass_fields__ if name in fields})


def held(scene: Scene, *, freeze: bool = False, auto: bool = False, check: str = "") -> Scene:
    return noted(scene, hold=HoldRecord("ann@host", ago(1), "a look first", freeze=freeze, auto=auto, check=check))


def approved(scene: Scene, *gates: str) -> Scene:
    assert scene.journal is not None
    journal = scene.journal
    for gate in gates:
        journal = journal.with_approval(GateId.from_text(gate), "ann@host", ago(10), "evidence")
    return replace(scene, journal=journal)


def draining_place(state: str = "evicting_conns", live: int = 100, **knobs: Any) -> dict[str, Any]:
    """Knobs of a node that is being evacuated, and says so itself."""
    return {"evacuation": EvacuationState(state), "live": live, "own": live, **knobs}


DRAINED = draining_place("prohibiting", 0)
"""Knobs of a node that is drained by EMQX's word and by its own."""


# -- the steps ----------------------------------------------------------------------------------------------------


def plan(**fields: Any) -> Plan:
    given: dict[str, Any] = {
        "namespace": NAMESPACE,
        "name": NAME,
        "uid": UID,
        "resource_version": "900",
        "metadata_generation": 1,
        "from_image": "emqx/emqx-ee:4.4.14",
        "to_image": "emqx/emqx-ee:4.4.15",
        "from_version": "4.4.14",
        "to_version": "4.4.15",
        "patch": PATCH,
        "differences": (),
        "delay_s": USER_DELAY_S,
        "delay_was_absent": False,
        "rates": RATES,
        "approval": Approval.EVERY_NODE,
        "target_mark": fingerprint(NEW_TEMPLATE),
    }
    return Plan(**{**given, **fields})


def journal(n: int = 3, approval: Approval = Approval.EVERY_NODE, **fields: Any) -> Journal:
    given: dict[str, Any] = {
        "release_id": "release-1",
        "uid": UID,
        "namespace": NAMESPACE,
        "name": NAME,
        "console_version": "test",
        "created_at": ago(300),
        "created_by": "ann@host",
        "from_image": "emqx/emqx-ee:4.4.14",
        "to_image": "emqx/emqx-ee:4.4.15",
        "patch": PATCH,
        "resource_version": "900",
        "metadata_generation": 1,
        "originals": Originals(
            template=OLD_TEMPLATE,
            template_mark=fingerprint(OLD_TEMPLATE),
            delay_s=USER_DELAY_S,
            replicas=n,
            blue_uid=BLUE_UID,
            blue_name=BLUE_NAME,
            blue_revision=f"{BLUE_NAME}-rev",
            service_ports=tuple(port_row(p) for p in SERVICE_PORTS),
            endpoint_ports=tuple((p.name, p.port, p.protocol) for p in ENDPOINT_PORTS),
            operator_image=OPERATOR,
        ),
        "rates": RATES,
        "approval": approval,
        "approvals": (ApprovalRecord(1, START, "ann@host", ago(300), "evidence"),),
        "target_mark": fingerprint(NEW_TEMPLATE),
        "green_uid": GREEN_UID,
    }
    return Journal(**{**given, **fields})


def _blue(n: int, place: Place | None = None) -> Side:
    return side(BLUE_NAME, BLUE_UID, "4.4.14", n, 5000.0, place)


def _green(n: int, place: Place | None = None) -> Side:
    return side(GREEN_NAME, GREEN_UID, "4.4.15", n, 200.0, place or Place(live=0))


def third(n: int = 3) -> Side:
    return side(THIRD_NAME, THIRD_UID, "4.4.16", n, 20.0, Place(live=0))


def idle(n: int = 3) -> Scene:
    """No release: one set, Running."""
    blue = _blue(n)
    return Scene(
        blue,
        None,
        addresses=ips(blue),
        template="old",
        delay_s=USER_DELAY_S,
        has_status=False,
        is_running=True,
        replicas=n,
        metadata_generation=1,
        resource_version="900",
    )


def starting(n: int = 3, **fields: Any) -> Scene:
    """The journal stands, the template is the old one."""
    return replace(idle(n), journal=journal(n, green_uid="", **fields))


def creating(n: int = 3, joined: int = 1, **fields: Any) -> Scene:
    """The operator builds green: `joined` of its nodes are up."""
    blue = _blue(n)
    down = Place(live=None, sessions=None, is_ready=False, is_joined=False, containers_ready=False, on_serving=False)
    up = Place(live=0)
    green = replace(_green(n), places={k: up if k < joined else down for k in range(n)})
    return Scene(
        blue, green, addresses=ips(blue), has_status=False, started_ago_s=None, replicas=n, journal=journal(n, **fields)
    )


def waiting(n: int = 3, started_ago_s: float = 10.0, **fields: Any) -> Scene:
    """Both sets are complete; the user's delay runs."""
    blue, green = _blue(n), _green(n)
    return Scene(
        blue, green, addresses=ips(blue), started_ago_s=started_ago_s, replicas=n, journal=journal(n, **fields)
    )


def ready(n: int = 3, **fields: Any) -> Scene:
    """The delay is over; the cut-over's gate waits."""
    return waiting(n, started_ago_s=100.0, **fields)


def canary(n: int = 3, watched_s: float | None = None, **fields: Any) -> Scene:
    """The cut-over is approved; with `watched_s` the last node's address is out for so long."""
    scene = approved(ready(n, **fields), "cut-over")
    if watched_s is None:
        return scene
    assert scene.blue
    out = n - 1
    watch = Canary(pod_name(scene.blue, out), ago(watched_s), 300, 0, 300 * n)
    out_of_service = replace(scene, addresses=ips(scene.blue, but=(out,)) | ips(scene.green))
    return remembered(out_of_service, canary=watch)


def cutting_over(n: int = 3, **fields: Any) -> Scene:
    """The canary has passed; blue is still in the Service."""
    return noted(canary(n, watched_s=60.0, **fields), canary_passed_at=ago(1))


def draining(n: int = 3, gone: int = 0, **fields: Any) -> Scene:
    """The Service is on green; the `gone` highest blue nodes are drained and scaled away."""
    blue, green = _blue(n - gone), _green(n, Place(live=300 * gone // n))
    left = replace(blue, replicas=n - gone)
    scene = Scene(
        left,
        green,
        addresses=ips(green),
        replicas=n,
        journal=journal(n, cut_over_at=ago(60), canary_passed_at=ago(65), **fields),
    )
    scene = approved(scene, "cut-over")
    return approved(scene, *(f"node:{k}" for k in range(n - 1, n - 1 - gone, -1)))


def drained(n: int = 3, gone: int = 0, **fields: Any) -> Scene:
    """The highest blue node is approved and drained; it waits to be scaled away."""
    top = n - gone - 1
    return with_place(approved(draining(n, gone, **fields), f"node:{top}"), "blue", top, **DRAINED)


def finishing(n: int = 3, *, is_reset: bool = False, **fields: Any) -> Scene:
    """Blue is at 0 and without pods."""
    scene = draining(n, n, **fields)
    at_end = replace(scene, has_status=not is_reset, is_running=is_reset, started_ago_s=300.0)
    return remembered(at_end, reset_seen_at=ago(10) if is_reset else None)


def second_pass_done(scene: Scene) -> Scene:
    """The nudge after the reset was sent and answered."""
    return remembered(
        scene, reset_seen_at=ago(20), sent_at={"nudge": ago(10)}, done_at={("nudge", "nudge"): ago(9.9)}, ack=None
    )


def done(n: int = 3, **fields: Any) -> Scene:
    return replace(finishing(n, is_reset=True, **fields), delay_s=USER_DELAY_S)
