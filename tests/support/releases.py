"""Views of one release at its moments, built from values: 100,000 clients, 3 + 3 nodes, 200/s. No clock, no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.evacuation import Evacuation, EvacuationState, GlobalStatus
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import Meta
from emqx_tui.model.nodes import EmqxNode, NodeStats
from emqx_tui.model.reading import Reading
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.model.workloads import Address, DelaySource, Endpoints, EndpointSlice, OwnDelay, Pod, Service, StatefulSet
from emqx_tui.rollout import gate_id
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.decision import (
    AbortCost,
    Alarm,
    CheckResult,
    Decision,
    Gate,
    Limit,
    Outcome,
    Step,
    StepState,
)
from emqx_tui.rollout.forecast.expected import Expected, Fall
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import CLOSED_S, Approval
from emqx_tui.rollout.state.journal import ApprovalRecord, HoldRecord, Journal, Originals, Totals
from emqx_tui.rollout.telling.advice import Advice, Verb
from emqx_tui.rollout.telling.stages import Stage
from emqx_tui.session.views.fleet_view import Role, SourceHealth
from emqx_tui.session.views.view import LogLine, LogSource, View
from tests.support.scripted import NOW, resource

BLUE, GREEN = "emqx-ee-86d7758868", "emqx-ee-745858464d"
STARTED = NOW - timedelta(seconds=372)
CUT_OVER = STARTED + timedelta(seconds=105)
NAMESPACE = "mqtt"


def meta(name: str, *, uid: str = "", owner: str = "", deleting: bool = False, labels: Any = ()) -> Meta:
    return Meta(NAMESPACE, name, uid or f"uid-{name}", "1", STARTED, deleting, 1, tuple(labels), owner)


def stateful_set(name: str, replicas: int, version: str) -> StatefulSet:
    """One generation; owned by the object of `scripted.resource()`."""
    owner = "uid-mqtt-emqx-ee"
    image = f"emqx/emqx-ee:{version}"
    return StatefulSet(meta(name, owner=owner), replicas, replicas, replicas, replicas, 1, "r1", "r1", image)


def pod(owner: str, ordinal: int, **fields: Any) -> Pod:
    name = f"{owner}-{ordinal}"
    base = Pod(meta(name, owner=f"uid-{owner}"), "Running", ip_of(name), "k8s-1", True, True, True, "", 0)
    return replace(base, **fields)


def ip_of(name: str) -> str:
    """Blue in 10.1, green in 10.2."""
    return f"10.{1 if name.startswith(BLUE) else 2}.0.{int(name[-1]) + 1}"


def node_name(pod_name: str) -> str:
    return f"emqx-ee@{pod_name}.emqx-ee-headless.{NAMESPACE}.svc.cluster.local"


def evacuation(pod_name: str, state: EvacuationState, initial: int, left: int) -> Evacuation:
    return Evacuation(node_name(pod_name), state, 200, 200, (), initial, left, initial, left)


def snapshot(
    live: Mapping[str, int],
    *,
    blue: int = 3,
    green: int = 3,
    serving: str = GREEN,
    evacuations: tuple[Evacuation, ...] = (),
    pods: tuple[Pod, ...] | None = None,
    now: datetime = NOW,
    stats_age_s: float = 0.4,
    during_release: bool = True,
    version: str = "4.4.15",
) -> Snapshot:
    """A cluster whose nodes have `live` connections; `blue` and `green` are the sizes of the sets."""
    sets = [stateful_set(BLUE, blue, "4.4.14")] + ([stateful_set(GREEN, green, "4.4.15")] if green else [])
    if pods is None:
        pods = tuple(pod(BLUE, n) for n in range(blue)) + tuple(pod(GREEN, n) for n in range(green))
    names = [p.name for p in pods if p.is_ready]
    members = tuple(EmqxNode(node_name(n), "4.4.14" if n.startswith(BLUE) else "4.4.15") for n in names)
    stats = {node_name(n): NodeStats(live[n], live[n] + 40) for n in names if n in live}
    ips = tuple(p.ip for p in pods if p.name.startswith(serving))
    labels = (("kubernetes.io/service-name", "emqx-ee"),)
    read = now - timedelta(seconds=stats_age_s)
    return Snapshot(
        now,
        NAMESPACE,
        "emqx-ee",
        resource=Reading(resource(version=version, status_version="4.4.14"), now - timedelta(seconds=2)),
        stateful_sets=Reading(tuple(sets), now),
        pods=Reading(pods, now),
        slices=Reading((EndpointSlice(meta("emqx-ee-x1", labels=labels), "emqx-ee", ips),), now),
        nodes=Reading(members, read),
        stats=Reading(stats, read),
        evacuations=Reading(GlobalStatus(evacuations, 0), read),
        blue_uid=f"uid-{BLUE}" if during_release else "",
    )


def journal(**fields: Any) -> Journal:
    base = Journal(
        release_id="r-1",
        uid="uid-mqtt-emqx-ee",
        namespace=NAMESPACE,
        name="emqx-ee",
        console_version="0.1.0",
        created_at=STARTED,
        created_by="ann@bastion",
        from_image="emqx/emqx-ee:4.4.14",
        to_image="emqx/emqx-ee:4.4.15",
        patch={},
        resource_version="1001",
        originals=Originals({}, f"uid-{BLUE}", replicas=3, blue_name=BLUE, delay_s=60),
        rates=Rates(200, 200, 5),
        approval=Approval.EVERY_NODE,
        approvals=(
            ApprovalRecord(1, gate_id.CUT_OVER, "ann@bastion", CUT_OVER, "e1"),
            ApprovalRecord(2, GateId.node(2), "ann@bastion", CUT_OVER + timedelta(seconds=64), "e2"),
        ),
        drained=(f"{BLUE}-2",),
        cut_over_at=CUT_OVER,
        totals=Totals(
            clients=99_999,
            first_drain_at=FIRST_DRAIN,
            lowest_sum=99_760,
            start_sum=100_000,
            evicted=39_532,
            early=21,
            max_missing=240,
        ),
    )
    return replace(base, **fields)


def samples(until: datetime = NOW, *, gap: tuple[float, float] | None = None) -> tuple[Sample, ...]:
    """One a second from half a minute before the start: nodes 2, 1 and 0 drain from 169, 340 and 511 s on."""
    found = []
    for second in range(-30, int((until - STARTED).total_seconds()) + 1):
        if gap and gap[0] <= second <= gap[1]:
            continue
        gone = [min(33_333, max(0, second - begin) * 200) for begin in (511, 340, 169)]
        blue = {f"{BLUE}-{n}": 33_334 - gone[n] - second // 90 for n in range(3) if gone[n] < 33_333}
        green_up = second >= 41
        landed = sum(gone) - (97 if sum(gone) % 33_333 else 0)
        green = {f"{GREEN}-{n}": max(0, landed) // 3 + n * 7 for n in range(3)} if green_up else {}
        found.append(
            Sample(
                STARTED + timedelta(seconds=second),
                sum(blue.values()),
                sum(green.values()) if green_up else None,
                {**blue, **green},
            )
        )
    return tuple(found)


FIRST_DRAIN = CUT_OVER + timedelta(seconds=64)


def stages(until: datetime = NOW) -> tuple[Stage, ...]:
    """What a console that was there from the start has seen: the cut-over and nodes 2, 1, 0 wait 8 s each."""
    found = [
        Stage(STARTED, Phase.STARTING),
        Stage(after(2), Phase.CREATING_GREEN),
        Stage(after(41), Phase.WAITING_DELAY),
    ]
    found += [Stage(after(97), Phase.READY_TO_CUT_OVER, gate_id.CUT_OVER), Stage(CUT_OVER, Phase.CANARY)]
    for ordinal, begin in ((2, 169), (1, 340), (0, 511)):
        found.append(Stage(after(begin - 8), Phase.DRAINING, GateId.node(ordinal)))
        found.append(Stage(after(begin), Phase.DRAINING, is_draining=True))
    found.append(Stage(after(690), Phase.FINISHING))
    return tuple(stage for stage in found if stage.since <= until)


def after(second: float) -> datetime:
    """An instant of the release."""
    return STARTED + timedelta(seconds=second)


def expected(seconds: float = 160.0) -> Expected:
    """Made at the first drain, for drains that take so long each."""
    points = [(0.0, 99_999)]
    for node in range(3):
        points += [(points[-1][0] + 1.0, 33_333 * (3 - node)), (points[-1][0] + 1.0 + seconds, 33_333 * (2 - node))]
    fall = Fall(tuple(points))
    return Expected(FIRST_DRAIN, Rates(200, 200, 5), fall, fall, fall, 100_020)


def steps(active: int, state: StepState, done: int = 0) -> tuple[Step, ...]:
    """The rail of a release whose step number `active` is in `state`."""
    names = ("create-green", "cut-over", "drain", "finish")
    found = []
    for number, name in enumerate(names):
        at = StepState.DONE if number < active else StepState.TODO if number > active else state
        found.append(Step(name, at, done if name == "drain" else 0, 3 if name == "drain" else 0))
    return tuple(found)


def checks(**failing: CheckResult) -> tuple[CheckResult, ...]:
    """The checks of a node's gate; by name with `_` for `-`, others than passing ones."""
    evidence = {
        "kubernetes-data": "watches are alive",
        "broker-data": "EMQX data at most 10 s old",
        "green-complete": "green 3/3 Ready, 3/3 Running in EMQX",
        "valve-closed": "the operator is held",
        "service-addresses": "Service = green only",
        "previous-evicted": "no other node evicts connections",
        "clients-back": "0 clients missing of 66,667 evicted (limit 666)",
        "object-unchanged": "nobody else changed the object",
    }
    return tuple(
        failing.get(name.replace("-", "_"), CheckResult(name, Outcome.PASS, words)) for name, words in evidence.items()
    )


def node_gate(ordinal: int = 0, *, revision: str = "rev-7", **fields: Any) -> Gate:
    name = f"{BLUE}-{ordinal}"
    base = Gate(
        GateId.node(ordinal),
        revision,
        str(ordinal),
        checks(),
        (
            f'curl -u "$EMQX_API_KEY" -X POST http://{name}:8081/api/v4/load_rebalance/{node_name(name)}'
            '/evacuation/start -d \'{"conn_evict_rate":200,"sess_evict_rate":200,"wait_takeover":5}\'',
            f"kubectl -n {NAMESPACE} patch statefulsets {BLUE} --subresource=scale --type=merge"
            f' -p \'{{"spec":{{"replicas":{ordinal}}}}}\'',
        ),
        target=name,
        clients=33_120,
        seconds=171.0,
        rate_per_s=200,
        recipients=tuple((f"{GREEN}-{n}", 22_298 + 7 * n) for n in range(3)),
        is_last_way_back=ordinal == 0,
    )
    return replace(base, **fields)


def cut_over_gate(**fields: Any) -> Gate:
    recipients = tuple((f"{GREEN}-{n}", 0) for n in range(3))
    commands = (f"kubectl -n {NAMESPACE} patch endpoints emqx-ee --type=merge -p '{{\"subsets\":[…]}}'",)
    base = Gate(
        gate_id.CUT_OVER,
        "rev-3",
        "green",
        checks(),
        commands,
        clients=0,
        seconds=60.0,
        recipients=recipients,
    )
    return replace(base, **fields)


LOG = (
    LogLine(STARTED, LogSource.YOU, "start the release to 4.4.15", "kubectl -n mqtt patch emqxenterprises emqx-ee …"),
    LogLine(STARTED + timedelta(seconds=41), LogSource.KUBERNETES, f"{GREEN}-2 is Ready"),
    LogLine(CUT_OVER, LogSource.YOU, "Service to green", "kubectl -n mqtt patch endpoints emqx-ee --type=merge -p '…'"),
    LogLine(NOW - timedelta(seconds=36), LogSource.OPERATOR, f"scaled {BLUE} to 2"),
    LogLine(
        NOW - timedelta(seconds=32),
        LogSource.YOU,
        "drain …86d7758868-1 at 200/s",
        f"curl -X POST http://{BLUE}-1:8081/api/v4/load_rebalance/emqx-ee@{BLUE}-1/evacuation/start -d '…'",
    ),
)
WAY_BACK = AbortCost(True, "", 39_450, 233.0, "abort-2")


def idle(**fields: Any) -> View:
    """No release: three nodes of one set, which is neither blue nor green."""
    live = {f"{BLUE}-{n}": 33_333 + n for n in range(3)}
    found = snapshot(live, green=0, serving=BLUE, during_release=False, version="4.4.14")
    plain = tuple(
        replace(sample, blue=sum(live.values()), green=0, nodes=live)
        for sample in samples(STARTED + timedelta(seconds=372))
    )
    return View(found, Decision(Phase.IDLE), samples=plain, log=LOG[:0], **fields)


def ungated(*, is_stopped: bool = False, **fields: Any) -> View:
    """Begun by `kubectl patch`: the operator has taken node 2 and node 1 is evacuated; nothing of it is ours."""
    live = {f"{BLUE}-1": 27_131, f"{BLUE}-0": 33_120, **{f"{GREEN}-{n}": 13_143 + 7 * n for n in range(3)}}
    found = snapshot(
        live, blue=2, evacuations=(evacuation(f"{BLUE}-1", EvacuationState.EVICTING_CONNS, 33_330, 27_131),)
    )
    strategy = {"connEvictRate": 200, "sessEvictRate": 200, "waitTakeover": 5}
    delay_s = CLOSED_S if is_stopped else 60
    asked = resource(
        version="4.4.15",
        status_version="4.4.14",
        releasing=True,
        condition="BlueGreenUpdating",
        blue_green={"initialDelaySeconds": delay_s, "evacuationStrategy": strategy},
    )
    made = {BLUE: "4.4.14", GREEN: "4.4.15"}
    image = asked.image
    age = {BLUE: timedelta(days=87), GREEN: timedelta(minutes=7)}
    sets = tuple(
        replace(
            each,
            meta=replace(each.meta, created_at=NOW - age[each.name]),
            pod_template=_pod_template(str(replace(image, version=made[each.name])), asked),
        )
        for each in found.stateful_sets.value or ()
    )
    addresses = tuple(Address(ip) for ip in sorted(found.slice_ips or ()))
    found = replace(
        found,
        resource=Reading(asked, NOW - timedelta(seconds=2)),
        stateful_sets=Reading(sets, NOW),
        services=Reading((Service(meta("emqx-ee"), "ClusterIP", (), (), "Cluster"),), NOW),
        endpoints=Reading((Endpoints(meta("emqx-ee"), addresses, ()),), NOW),
        replaced_delay=OwnDelay(60, DelaySource.EVENT) if is_stopped else None,
    )
    health = (SourceHealth(Kind.SECRET, True, NOW),)
    return View(found, Decision(Phase.IDLE), samples=samples(), log=LOG[:0], health=health, **fields)


def _pod_template(image: str, asked: EmqxEnterprise) -> dict[str, Any]:
    """As the operator makes it, as far as it is looked at."""
    container = asked.template["spec"]["emqxContainer"]
    config = container.get("emqxConfig", {})
    env = [{"name": "EMQX_" + key.replace(".", "__").upper(), "value": value} for key, value in config.items()]
    return {"spec": {"containers": [{"name": "emqx", "image": image, "env": [*container.get("env", ()), *env]}]}}


def draining(**fields: Any) -> View:
    """Node 2 is gone, node 1 evicts, node 0 waits its turn."""
    live = {f"{BLUE}-1": 27_131, f"{BLUE}-0": 33_120, **{f"{GREEN}-{n}": 13_143 + 7 * n for n in range(3)}}
    waiting = CheckResult("previous-evicted", Outcome.WAIT, f"{BLUE}-1 still evicts connections")
    gate = node_gate(0, checks=checks(previous_evicted=waiting))
    decision = Decision(
        Phase.DRAINING,
        f"draining {BLUE}-1",
        steps(2, StepState.WAITING, 1),
        gate,
        checks(previous_evicted=waiting),
        abort=WAY_BACK,
        eta_s=341.0,
    )
    found = snapshot(
        live,
        blue=2,
        evacuations=(evacuation(f"{BLUE}-1", EvacuationState.EVICTING_CONNS, 33_330, 27_131),),
    )
    base = View(
        found,
        decision,
        journal=journal(),
        role=Role.DRIVER,
        driver="ann@bastion/812",
        samples=samples(),
        ledger=Ledger(39_532, 39_419, 0, 113, 240, 100),
        log=LOG,
        drain_initial=((f"{BLUE}-2", 33_333), (f"{BLUE}-1", 33_330), (f"{BLUE}-0", 33_333)),
        rates=((f"{BLUE}-1", 199.6),),
        stages=stages(),
        expected=expected(),
    )
    return replace(base, **fields)


def at_gate(**fields: Any) -> View:
    """Nodes 2 and 1 are gone; the gate of node 0, the last way back, waits."""
    base = draining()
    live = {f"{BLUE}-0": 33_120, **{f"{GREEN}-{n}": 22_298 + 7 * n for n in range(3)}}
    decision = replace(
        base.decision, phase_text="", gate=node_gate(0), checks=checks(), steps=steps(2, StepState.WAITING, 2)
    )
    found = snapshot(live, blue=1)
    way_back = replace(WAY_BACK, disconnects=66_915, seconds=370.0, revision="abort-3")
    decision = replace(decision, abort=way_back)
    records = (
        *journal().approvals,
        ApprovalRecord(3, GateId.node(1), "ann@bastion", NOW - timedelta(seconds=203), "e3"),
    )
    totals = replace(journal().totals, evicted=66_663)
    gone = journal(approvals=records, drained=(f"{BLUE}-1", f"{BLUE}-2"), totals=totals)
    done = replace(base, snapshot=found, decision=decision, journal=gone, rates=())
    done = replace(done, ledger=Ledger(66_663, 66_520, 0, 143, 240, 0))
    return replace(done, **fields)


def auto_held(**fields: Any) -> View:
    """A check has stopped the next step; the drain of node 1 goes on."""
    base = draining()
    alarm = Alarm(
        "clients-missing",
        "909 of 39,532 evicted clients have been missing for 34 s",
        Limit(10, clients=395),
        (Advice(Verb.FREEZE, "stops the drain"), Advice(Verb.RESUME, "accepts the loss and goes on")),
    )
    reason = f"{alarm.evidence} (limit 395 for 10 s)"
    hold = HoldRecord("console", NOW - timedelta(seconds=4), reason, auto=True, check="clients-missing")
    decision = replace(base.decision, alarms=(alarm,), steps=steps(2, StepState.HELD, 1))
    held = replace(base, decision=decision, journal=replace(journal(), hold=hold))
    return replace(held, ledger=Ledger(39_532, 38_523, 0, 1_009, 1_009, 100), **fields)


def held(*, freeze: bool = False, **fields: Any) -> View:
    """Somebody pressed h or f."""
    base = draining()
    record = HoldRecord("bob@laptop", NOW - timedelta(seconds=95), "pager rings", freeze=freeze)
    seen = (*base.stages, Stage(record.at, Phase.DRAINING, hold=record, is_draining=not freeze))
    decision = replace(base.decision, steps=steps(2, StepState.HELD, 1))
    held_view = replace(base, decision=decision, journal=replace(journal(), hold=record), stages=seen)
    return replace(held_view, **fields)


def before_cut_over(**fields: Any) -> View:
    """Green is complete; everybody is on blue; the cut-over waits."""
    live = {f"{BLUE}-{n}": 33_333 for n in range(3)} | {f"{GREEN}-{n}": 0 for n in range(3)}
    until = STARTED + timedelta(seconds=104)
    cost = AbortCost(True, "", 0, 45.0, "abort-1")
    decision = Decision(
        Phase.READY_TO_CUT_OVER, "", steps(1, StepState.WAITING), cut_over_gate(), checks(), abort=cost, eta_s=560.0
    )
    base = View(
        snapshot(live, serving=BLUE, now=until),
        decision,
        journal=journal(
            approvals=(), drained=(), cut_over_at=None, totals=Totals(lowest_sum=99_998, start_sum=100_000)
        ),
        role=Role.DRIVER,
        samples=samples(until),
        log=LOG[:2],
        drain_initial=tuple((f"{BLUE}-{n}", 33_333) for n in range(3)),
        stages=stages(until),
    )
    return replace(base, **fields)


def done(**fields: Any) -> View:
    """Everything is on green."""
    end = STARTED + timedelta(seconds=702)
    live = {f"{GREEN}-{n}": 33_333 + n for n in range(3)}
    totals = Totals(
        clients=99_998,
        first_drain_at=STARTED + timedelta(seconds=169),
        drained_at=STARTED + timedelta(seconds=683),
        lowest_sum=99_795,
        start_sum=100_000,
        evicted=99_998,
        finished_at=end,
        early=21,
        max_missing=240,
    )
    records = tuple(
        ApprovalRecord(n + 1, gate, "ann@bastion", CUT_OVER + timedelta(seconds=170 * n), "e")
        for n, gate in enumerate((gate_id.CUT_OVER, *map(GateId.node, (2, 1, 0))))
    )
    base = View(
        snapshot(live, blue=0, now=end),
        Decision(Phase.DONE, steps=steps(4, StepState.DONE)),
        journal=journal(totals=totals, approvals=records, drained=tuple(f"{BLUE}-{n}" for n in (2, 1, 0))),
        role=Role.IDLE,
        samples=samples(end),
        ledger=Ledger(99_998, 99_996, 0, 2, 240, 0),
        log=LOG,
        result="done",
        stages=stages(end),
        expected=expected(),
    )
    return replace(base, **fields)


def with_clients_away(for_s: int, **fields: Any) -> View:
    """Everything is on green but 33,000 clients, who have been away for so long."""
    view = done(**fields)
    assert view.journal
    assert view.journal.totals.drained_at
    since = view.journal.totals.drained_at
    short = tuple(
        Sample(since + timedelta(seconds=second), 0, 67_000, {f"{GREEN}-0": 67_000}) for second in range(1, for_s + 1)
    )
    before = tuple(replace(sample, blue=100_000, green=0) for sample in view.samples if sample.at < CUT_OVER)
    return replace(view, samples=(*before, *short))
