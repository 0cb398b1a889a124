"""The way forward as a table: what is seen, and exactly what is sent for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.model.workloads import Port
from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.commands import (
    ApplyTemplate,
    CloseValve,
    Command,
    ForgetReleaseStatus,
    Nudge,
    RepairEndpoints,
    RepairService,
    Scale,
    StartDrain,
    StopDrain,
    SwitchEndpoints,
    Target,
    WriteEndpoints,
)
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import CLOSED_S
from emqx_tui.rollout.state.expectations import AckWait, Failure
from emqx_tui.rollout.steps import forward
from tests.support import scenes as build
from tests.support.scenes import (
    DRAINED,
    Scene,
    ago,
    approved,
    draining_place,
    held,
    noted,
    remembered,
    with_place,
    with_side,
)

TOP = f"{build.BLUE_NAME}-2"
ACK = AckWait("1000", "status-1", ago(3), "nudge")


def told(command: Command) -> str:
    """A command in a few words, all that matters of it included."""
    if isinstance(command, StartDrain | StopDrain):
        assert (command.namespace, command.node) == (build.NAMESPACE, build.node_name(command.pod))
    match command:
        case StartDrain(pod=pod, rates=rates):
            return f"start {pod[-1]} at {rates.conn_evict_rate_per_s}"
        case StopDrain(pod=pod, reason=reason):
            return f"stop {pod[-1]} {reason}"
        case Scale(target=target, before=before, after=after):
            return f"scale {'blue' if target.uid == build.BLUE_UID else 'green'} {before}->{after}"
        case WriteEndpoints(addresses=addresses):
            word = "switch" if isinstance(command, SwitchEndpoints) else "repair"
            return f"{word} {' '.join(sorted(a.ip[5:] for a in addresses))}"
        case CloseValve(valve_s=valve) | Nudge(valve_s=valve):
            return f"{command.name} +{valve - CLOSED_S}"
    return command.name


def sent(scene: Scene) -> list[str]:
    return sorted(told(c) for c in scene.commands())


START, CREATING, JOINED = build.starting(), build.creating(), build.creating(joined=3)
WAITING, READY, CANARY = build.waiting(), build.ready(), build.canary()
CUTTING, DRAINING, FULL = build.cutting_over(), build.draining(), build.drained()
APPROVED = approved(DRAINING, "node:2")
EVICTING = with_place(APPROVED, "blue", 2, **draining_place())
OPENED = replace(FULL, delay_s=60)
(CLOSING,) = OPENED.commands()
REFUSED = {CLOSING.key: Failure(ago(1), "no", 20, True, CLOSING.name, CLOSING)}
BLUE_IPS, GREEN_IPS = "1.0 1.1 1.2", "2.0 2.1 2.2"

TABLE: dict[str, tuple[Scene, list[str]]] = {
    # -- starting
    "starting: one patch": (START, ["apply-template"]),
    "starting: held": (held(START), []),
    "starting: the object moved on": (replace(START, metadata_generation=2), []),
    "starting: only its status moved": (replace(START, resource_version="955"), ["apply-template"]),
    "starting: the watches are old": (replace(START, kube_age_s=91.0), []),
    "starting: the patch was refused": (
        remembered(START, failures={"apply-template": Failure(ago(1), "no", 1, True, command="apply-template")}),
        [],
    ),
    "starting: the patch got no answer": (
        remembered(
            START, failures={"apply-template": Failure(ago(1), "timed out", 1, False, command="apply-template")}
        ),
        ["apply-template"],
    ),
    "starting: in flight": (remembered(START, in_flight=frozenset({"apply-template"})), []),
    # -- creating green
    "creating: green boots": (CREATING, []),
    "creating: the operator has not had the time to begin": (
        remembered(replace(CREATING, green=None), sent_at={"apply-template": ago(9.9)}),
        [],
    ),
    "creating: it was asked, and has begun nothing": (
        remembered(replace(CREATING, green=None), sent_at={"apply-template": ago(10)}),
        ["nudge +1"],
    ),
    "creating: what it had begun is gone": (replace(CREATING, green=None), ["nudge +1"]),
    "creating: all joined, so that the operator sees it": (JOINED, ["nudge +1"]),
    "creating: nudged a moment ago": (remembered(JOINED, sent_at={"nudge": ago(1.9)}), []),
    "creating: nudged 2 s ago": (remembered(JOINED, sent_at={"nudge": ago(2.0)}), ["nudge +1"]),
    "creating: nudging while held": (held(JOINED), ["nudge +1"]),
    "creating: no nudge on old figures": (replace(JOINED, broker_age_s=11.0), []),
    "creating: the operator listed a green pod": (
        replace(CREATING, addresses=CREATING.addresses | {"10.0.2.0"}),
        [f"repair {BLUE_IPS}"],
    ),
    "creating: an address of a dead pod": (
        replace(with_place(CREATING, "blue", 1, has_ip=False), addresses=CREATING.addresses),
        ["repair 1.0 1.2"],
    ),
    "creating: a blue address is missing, the operator will add it": (
        replace(CREATING, addresses=frozenset({"10.0.1.0", "10.0.1.2"})),
        [],
    ),
    "creating: repaired a moment ago": (
        remembered(
            replace(CREATING, addresses=CREATING.addresses | {"10.0.2.0"}), sent_at={"repair-endpoints": ago(0.4)}
        ),
        [],
    ),
    "creating: a repair while held": (
        held(replace(CREATING, addresses=CREATING.addresses | {"10.0.2.0"}), freeze=True),
        [f"repair {BLUE_IPS}"],
    ),
    "creating: no nudge while a third set wants pods": (replace(JOINED, third=build.third()), []),
    # -- waiting and ready
    "waiting: nothing": (WAITING, []),
    "waiting: a blue address is missing while the operator is held": (
        replace(WAITING, addresses=frozenset({"10.0.1.0", "10.0.1.2"})),
        [f"repair {BLUE_IPS}"],
    ),
    "ready: nothing without approval": (READY, []),
    "ready: a green pod is lost": (with_place(READY, "green", 1, is_joined=False, is_ready=False), ["nudge +1"]),
    "ready: a green pod is lost while held": (
        held(with_place(READY, "green", 1, is_joined=False, is_ready=False)),
        ["nudge +1"],
    ),
    "ready: a re-created green pod waits for its gate": (
        remembered(
            with_place(READY, "green", 1, is_ready=False, on_serving=False),
            gate_frozen_since={f"{build.GREEN_NAME}-1": ago(3)},
        ),
        ["forget-release-status"],
    ),
    "ready: a gate that is False for a moment": (
        remembered(
            with_place(READY, "green", 1, is_ready=False, on_serving=False),
            gate_frozen_since={f"{build.GREEN_NAME}-1": ago(2)},
        ),
        [],
    ),
    "ready: the frozen gate's full pass was asked for": (
        remembered(
            with_place(READY, "green", 1, is_ready=False, on_serving=False),
            gate_frozen_since={f"{build.GREEN_NAME}-1": ago(9)},
            sent_at={"forget-release-status": ago(4.9)},
        ),
        [],
    ),
    "ready: the frozen gate's full pass was asked for in vain": (
        remembered(
            with_place(READY, "green", 1, is_ready=False, on_serving=False),
            gate_frozen_since={f"{build.GREEN_NAME}-1": ago(9)},
            sent_at={"forget-release-status": ago(5)},
        ),
        ["forget-release-status"],
    ),
    "ready: a frozen gate of blue is no reason": (
        remembered(
            with_place(READY, "blue", 1, is_ready=False, on_serving=False),
            gate_frozen_since={f"{build.BLUE_NAME}-1": ago(30)},
        ),
        [],
    ),
    "ready: the Service lost ports": (replace(READY, service_ports=build.SERVICE_PORTS[1:]), ["repair-service"]),
    "ready: lost ports, not held yet": (
        replace(READY, service_ports=build.SERVICE_PORTS[1:], has_status=False, started_ago_s=None),
        ["nudge +1"],
    ),
    "ready: lost ports, no right to put them back": (
        remembered(
            replace(READY, service_ports=build.SERVICE_PORTS[1:]),
            failures={"repair-service": Failure(ago(0.2), "forbidden", 1, is_refusal=True, command="repair-service")},
        ),
        [],
    ),
    # -- the valve
    "ready: somebody opened the valve": (replace(READY, delay_s=60), ["close-valve +0"]),
    "draining: somebody opened the valve": (replace(FULL, delay_s=0), ["close-valve +0"]),
    "draining: somebody removed the field": (replace(FULL, delay_s=None), ["close-valve +0"]),
    "draining: opened while held": (held(replace(FULL, delay_s=60)), ["close-valve +0"]),
    "draining: opened, and the template put back": (
        replace(EVICTING, delay_s=60, template="old"),
        ["close-valve +0"],
    ),
    "draining: opened, and it is being closed": (
        remembered(replace(FULL, delay_s=60), in_flight=frozenset({"close-valve"})),
        [],
    ),
    "draining: opened, and closing is refused: the drain is stopped all the same": (
        remembered(
            held(replace(EVICTING, delay_s=60), freeze=True),
            failures={"close-valve": Failure(ago(2), "no", 2, True, command="close-valve")},
        ),
        ["close-valve +0", "stop 2 frozen"],
    ),
    "draining: opened, and closing is refused: the Service is repaired all the same": (
        remembered(
            replace(DRAINING, delay_s=60, addresses=DRAINING.addresses | {"10.0.1.0"}),
            failures={"close-valve": Failure(ago(2), "no", 2, True, command="close-valve")},
        ),
        ["close-valve +0", f"repair {GREEN_IPS}"],
    ),
    "draining: opened, closing lost a race once": (
        remembered(
            held(replace(EVICTING, delay_s=60), freeze=True),
            failures={"close-valve": Failure(ago(1), "409", 1, False, command="close-valve")},
        ),
        ["close-valve +0"],
    ),
    "draining: opened, and closing it was refused a moment ago": (
        remembered(replace(FULL, delay_s=60), failures=REFUSED, metadata_generation=2),
        [],
    ),
    "draining: opened, closing it was refused a moment ago, and somebody opens it once more": (
        remembered(replace(FULL, delay_s=5, metadata_generation=3), failures=REFUSED, metadata_generation=2),
        ["close-valve +0"],
    ),
    # -- canary and cut-over
    "canary: the first address leaves": (CANARY, [f"switch 1.0 1.1 {GREEN_IPS}"]),
    "canary: held": (held(CANARY), []),
    "canary: another operator runs": (replace(CANARY, operator="emqx-operator:9.9.9"), []),
    "canary: not with a check that waits": (remembered(CANARY, ack=ACK), []),
    "canary: not with lost ports": (replace(CANARY, service_ports=build.SERVICE_PORTS[1:]), ["repair-service"]),
    "canary: written, not followed": (
        replace(build.canary(watched_s=0.0), memory=CANARY.memory, slices=build.ips(CANARY.blue)),
        [],
    ),
    "canary: held, and a blue node dies: its address leaves": (
        held(with_place(build.canary(watched_s=5.0), "blue", 0, is_joined=False)),
        ["repair 1.1 2.0 2.1 2.2"],
    ),
    "canary: not held, and a blue node dies: its address leaves": (
        with_place(build.canary(watched_s=5.0), "blue", 0, is_joined=False),
        ["repair 1.1 2.0 2.1 2.2"],
    ),
    "canary: held, and nobody else is left: never an empty list": (
        held(
            with_side(
                with_side(CANARY, "blue", places=dict.fromkeys(range(3), build.Place(live=None, is_joined=False))),
                "green",
                is_settled=True,
            )
        ),
        [],
    ),
    "cutting over: held, and the address of a pod that is gone": (
        held(replace(CUTTING, addresses=CUTTING.addresses | {"10.9.9.9"})),
        [f"repair 1.0 1.1 {GREEN_IPS}"],
    ),
    "cutting over: green only": (CUTTING, [f"switch {GREEN_IPS}"]),
    "cutting over: held": (held(CUTTING), []),
    "cutting over: another operator runs": (replace(CUTTING, operator="emqx-operator:9.9.9"), []),
    "cutting over: one green node is away: back to blue": (
        with_place(CUTTING, "green", 0, is_joined=False),
        ["nudge +1", f"repair {BLUE_IPS}"],
    ),
    "cutting over: the Endpoints lost their ports": (
        replace(CUTTING, endpoint_ports=()),
        [f"repair 1.0 1.1 {GREEN_IPS}"],
    ),
    # -- draining: the Service
    "draining: nothing without approval": (DRAINING, []),
    "draining: the operator listed blue again": (
        replace(DRAINING, addresses=DRAINING.addresses | build.ips(DRAINING.blue)),
        [f"repair {GREEN_IPS}"],
    ),
    "draining: blue listed again while frozen": (
        held(replace(DRAINING, addresses=DRAINING.addresses | {"10.0.1.0"}), freeze=True),
        [f"repair {GREEN_IPS}"],
    ),
    "draining: a green pod is away": (
        with_place(DRAINING, "green", 0, is_joined=False),
        ["nudge +1", "repair 2.1 2.2"],
    ),
    "draining: a green pod came back under another address": (
        replace(DRAINING, addresses=frozenset({"10.0.2.0", "10.0.2.1", "10.9.9.9"})),
        [f"repair {GREEN_IPS}"],
    ),
    "draining: no green node accepts clients: never an empty list": (
        replace(
            with_side(
                DRAINING,
                "green",
                places=dict.fromkeys(range(3), build.Place(live=0, is_joined=False, is_ready=False)),
            ),
            addresses=frozenset({"10.0.1.0"}),
        ),
        ["nudge +1"],
    ),
    "draining: no write on old figures": (
        replace(DRAINING, addresses=DRAINING.addresses | {"10.0.1.0"}, broker_age_s=11.0),
        [],
    ),
    "draining: late removal: a blue node that is empty leaves": (
        replace(
            with_place(noted(approved(DRAINING, "cut-over:late"), late_removal=True), "blue", 2, live=0),
            addresses=DRAINING.addresses | build.ips(DRAINING.blue),
        ),
        [f"repair 1.0 1.1 {GREEN_IPS}"],
    ),
    # -- draining: nodes
    "draining: approved": (APPROVED, ["start 2 at 200"]),
    "draining: approved and held": (held(APPROVED), []),
    "draining: approved, the valve not answered": (remembered(APPROVED, ack=ACK), []),
    "draining: approved while reset": (replace(APPROVED, has_status=False), ["nudge +1"]),
    "draining: approved, another operator runs": (replace(APPROVED, operator="emqx-operator:9.9.9"), []),
    "draining: approved, the Service not on green": (
        replace(APPROVED, slices=DRAINING.addresses | {"10.0.1.0"}),
        [],
    ),
    "draining: approved, the proxies still use blue": (replace(APPROVED, slices=build.ips(APPROVED.blue)), []),
    "draining: approved on old figures": (replace(APPROVED, broker_age_s=11.0), []),
    "draining: approved, but one green is not Ready": (with_place(APPROVED, "green", 0, is_ready=False), []),
    "draining: approved, but its broker is away": (with_place(APPROVED, "blue", 2, is_joined=False), []),
    "draining: approved, a rebalance runs": (replace(APPROVED, rebalances=1), []),
    "draining: a lower node is approved, the highest is not": (approved(DRAINING, "node:0"), []),
    "draining: refused a moment ago": (
        remembered(APPROVED, failures={f"drain:{TOP}": Failure(ago(0.5), "busy", 1, True, command="start-drain")}),
        [],
    ),
    "draining: refused a second ago": (
        remembered(APPROVED, failures={f"drain:{TOP}": Failure(ago(1.0), "busy", 1, True, command="start-drain")}),
        ["start 2 at 200"],
    ),
    "draining: begun, the list is from before": (
        remembered(APPROVED, done_at={("start-drain", f"drain:{TOP}"): ago(1.0)}),
        [],
    ),
    "draining: evicting": (EVICTING, []),
    "draining: evicting, the next is approved": (approved(EVICTING, "node:1"), []),
    "draining: evicting, the next is approved, two at a time": (
        noted(approved(EVICTING, "node:1"), parallel_drains=2),
        ["start 1 at 200"],
    ),
    "draining: waiting for takeover, the next is approved": (
        approved(with_place(APPROVED, "blue", 2, **draining_place("waiting_takeover", 0)), "node:1"),
        ["start 1 at 200"],
    ),
    "draining: drained, the next is approved": (approved(FULL, "node:1"), ["scale blue 3->2", "start 1 at 200"]),
    # -- freeze and rates
    "frozen: the running drain is stopped": (held(EVICTING, freeze=True), ["stop 2 frozen"]),
    "frozen: in the takeover wait too": (
        held(with_place(APPROVED, "blue", 2, **draining_place("waiting_takeover", 0)), freeze=True),
        ["stop 2 frozen"],
    ),
    "frozen: a drained node stays as it is": (held(FULL, freeze=True), []),
    "frozen: a drain that nobody approved is stopped, too": (
        held(with_place(DRAINING, "blue", 1, **draining_place()), freeze=True),
        ["stop 1 frozen"],
    ),
    "frozen: an evacuation of green is stopped, too": (
        held(with_place(DRAINING, "green", 2, **draining_place()), freeze=True),
        ["repair 2.0 2.1", "stop 2 frozen"],
    ),
    "frozen: an evacuation of a third set is stopped, too": (
        held(
            replace(DRAINING, third=replace(build.third(1), places={0: build.Place(**draining_place())})), freeze=True
        ),
        ["stop 0 frozen"],
    ),
    "held: a foreign evacuation of green is left to a freeze": (
        held(with_place(DRAINING, "green", 2, **draining_place())),
        ["repair 2.0 2.1"],
    ),
    "frozen: stopped, the list is from before": (
        remembered(held(EVICTING, freeze=True), done_at={("stop-drain", f"drain:{TOP}"): ago(1.0)}),
        [],
    ),
    "held: a running drain goes on": (held(EVICTING), []),
    "resumed: a stopped drain begins again": (APPROVED, ["start 2 at 200"]),
    "other rates: the drain is stopped first": (
        noted(EVICTING, rates=Rates(50, 200, 5)),
        ["stop 2 other rates"],
    ),
    "other rates: and begins with them": (noted(APPROVED, rates=Rates(50, 200, 5)), ["start 2 at 50"]),
    "other rates: not while held": (held(noted(EVICTING, rates=Rates(50, 200, 5))), []),
    "other rates: no use once the connections are gone": (
        with_place(noted(APPROVED, rates=Rates(50, 200, 5)), "blue", 2, **draining_place("waiting_takeover", 0)),
        [],
    ),
    # -- scaling
    "scale: drained by its own word": (FULL, ["scale blue 3->2"]),
    "scale: held": (held(FULL), []),
    "scale: frozen": (held(FULL, freeze=True), []),
    "scale: sent, being answered": (remembered(FULL, in_flight=frozenset({f"scale:{build.BLUE_NAME}"})), []),
    "scale: lost a race a moment ago": (
        remembered(
            FULL, failures={f"scale:{build.BLUE_NAME}": Failure(ago(0.2), "conflict", 1, False, command="scale")}
        ),
        [],
    ),
    "scale: lost a race a while ago": (
        remembered(
            FULL, failures={f"scale:{build.BLUE_NAME}": Failure(ago(0.25), "conflict", 1, False, command="scale")}
        ),
        ["scale blue 3->2"],
    ),
    "scale: the last": (build.drained(gone=2), ["scale blue 1->0"]),
    "scale: twelve nodes, by number": (build.drained(12, 1), ["scale blue 11->10"]),
    "scale: a lower node is drained, the highest is not": (
        with_place(approved(DRAINING, "node:0"), "blue", 0, **DRAINED),
        [],
    ),
    "scale: nobody approved it": (with_place(DRAINING, "blue", 2, **DRAINED), []),
    "scale: the node was not asked": (with_place(FULL, "blue", 2, own=None), []),
    "scale: the node has a client": (with_place(FULL, "blue", 2, own=1), []),
    "scale: the node's word is old": (with_place(FULL, "blue", 2, own_age_s=5.1), []),
    "scale: the node does not answer now": (with_place(FULL, "blue", 2, own_problem="timed out"), []),
    "scale: the node says it does not evacuate, so its peers are wrong": (
        with_place(FULL, "blue", 2, own_enabled=False),
        ["start 2 at 200"],
    ),
    "scale: the node does not say whether it evacuates": (with_place(FULL, "blue", 2, own_problem="timed out"), []),
    "scale: EMQX does not list it as done": (
        with_place(FULL, "blue", 2, **draining_place("evicting_sessions", 0)),
        [],
    ),
    "scale: its peers left it out of their list, and it says that it evacuates": (
        with_place(FULL, "blue", 2, evacuation=None),
        [],
    ),
    "scale: sessions are left": (with_place(FULL, "blue", 2, sessions_left=1), []),
    "scale: the StatefulSet's status lags": (with_side(FULL, "blue", is_settled=False), []),
    "scale: green's status lags": (with_side(FULL, "green", is_settled=False), []),
    "scale: a pod above is still going away": (
        with_place(build.drained(gone=1), "blue", 2, is_deleting=True, **DRAINED),
        [],
    ),
    "scale: a green pod goes away": (with_place(FULL, "green", 0, is_deleting=True), ["nudge +1", "repair 2.1 2.2"]),
    "scale: the valve is not answered": (remembered(FULL, ack=ACK), []),
    "scale: a third set": (replace(FULL, third=build.third()), []),
    "scale: somebody put the template back": (replace(FULL, template="old"), []),
    "scale: the figures are old": (replace(FULL, broker_age_s=11.0), []),
    "scale: the watches are old": (replace(FULL, kube_age_s=91.0), []),
}


@pytest.mark.parametrize(("scene", "expected"), TABLE.values(), ids=TABLE)
def test_what_is_sent(scene: Scene, expected: list[str]) -> None:
    assert sent(scene) == sorted(expected)


@pytest.mark.parametrize(
    "name",
    [
        "starting: the object moved on",
        "starting: the watches are old",
        "starting: the patch was refused",
    ],
)
def test_a_first_patch_that_may_not_go_does_not_wait_for_the_hold_of_its_alarm(name: str) -> None:
    scene, _ = TABLE[name]
    assert forward.advancing(scene.context(), Phase.STARTING) == []
    assert forward.advancing(START.context(), Phase.STARTING)


def test_the_first_patch_closes_the_valve_and_names_the_object_that_was_seen() -> None:
    (command,) = START.commands()
    assert isinstance(command, ApplyTemplate)
    assert (command.valve_s, command.template_patch, command.rates) == (CLOSED_S, build.PATCH, build.RATES)
    assert command.target.preconditions() == {"uid": build.UID, "resourceVersion": "900"}


def test_a_scale_names_the_very_set_that_was_judged() -> None:
    blue = Target("default", build.BLUE_NAME, build.BLUE_UID, f"rv-{build.BLUE_NAME}")
    assert FULL.commands() == (Scale(blue, 3, 2, f"{TOP} is drained"),)


def test_a_drain_sends_clients_to_green_nodes_that_accept_them() -> None:
    scene = with_place(noted(APPROVED, parallel_drains=1), "green", 1, live=5)
    (command,) = scene.commands()
    assert isinstance(command, StartDrain)
    assert command.pod == TOP
    assert command.node == build.node_name(TOP)
    assert set(command.recipients) == {build.node_name(f"{build.GREEN_NAME}-{k}") for k in range(3)}


LATE = replace(DRAINING, addresses=DRAINING.addresses | {"10.9.9.9"})
PURPOSES: dict[str, tuple[Scene, str]] = {
    "before the cut-over": (replace(READY, addresses=READY.addresses | {"10.0.2.0"}), "blue only"),
    "canary": (CANARY, "canary: green, and all of blue but one"),
    "cut-over": (CUTTING, "green only"),
    "a repair with late removal": (noted(LATE, late_removal=True), "green, and blue that still has clients"),
    "at the end": (replace(build.finishing(), addresses=build.ips(FULL.green, but=(0,))), "green only"),
    "an address that is gone, while held": (
        held(replace(with_place(DRAINING, "green", 1, has_ip=False), addresses=DRAINING.addresses)),
        "green only",
    ),
    "an address that is gone, while a switch is held": (
        held(replace(with_place(CUTTING, "blue", 0, has_ip=False), addresses=CUTTING.addresses)),
        "without those that are gone",
    ),
}


@pytest.mark.parametrize(("scene", "purpose"), PURPOSES.values(), ids=PURPOSES)
def test_a_write_of_addresses_says_what_for(scene: Scene, purpose: str) -> None:
    (write,) = [c for c in scene.commands() if isinstance(c, WriteEndpoints)]
    assert write.purpose == purpose


def test_one_answer_that_leaves_a_node_of_blue_out_takes_no_address_from_its_clients() -> None:
    """The network may cut them: that is why blue is removed late."""
    left_out = {"is_joined": False, "uptime_s": 60, "own": 300, "own_enabled": False}
    scene = with_place(noted(LATE, late_removal=True), "blue", 1, **left_out)
    (write,) = [c for c in scene.commands() if isinstance(c, WriteEndpoints)]
    assert {f"{build.BLUE_NAME}-{n}" for n in range(3)} <= {address.pod_name for address in write.addresses}


AWAY = with_place(DRAINING, "green", 1, is_joined=False)
NUDGES: dict[str, tuple[Scene, str]] = {
    "green is gone": (replace(CREATING, green=None), "green is gone: let the operator build it"),
    "all joined": (JOINED, "all green nodes are in the EMQX cluster"),
    "another size": (with_side(JOINED, "green", replicas=2), "green has another size than the object asks for"),
    "a green node is away": (AWAY, "a green pod is away: let the operator reset and repair"),
}


@pytest.mark.parametrize(("scene", "reason"), NUDGES.values(), ids=NUDGES)
def test_a_nudge_says_why(scene: Scene, reason: str) -> None:
    scene = replace(scene, started_ago_s=100.0, has_status=True) if reason.startswith("green has") else scene
    (nudge,) = [c for c in scene.commands() if isinstance(c, Nudge)]
    assert nudge.reason == reason


def test_a_service_gets_its_lost_ports_back_and_keeps_what_others_added() -> None:
    mqtt, dashboard = build.SERVICE_PORTS
    added, taken = Port("new", 8883, "TCP", "8883", 30085), replace(dashboard, name="mine")
    (repair,) = replace(DRAINING, service_ports=(mqtt, added, taken)).commands()
    assert isinstance(repair, RepairService)
    assert repair.ports == (mqtt, dashboard, added), "under one number there is one port"


def test_endpoints_get_the_very_ports_back_that_they_lost() -> None:
    mqtt, dashboard = build.ENDPOINT_PORTS
    coap = Port("coap", 5683, "UDP")
    rows = tuple((port.name, port.port, port.protocol) for port in (mqtt, coap, dashboard))
    assert DRAINING.journal is not None
    scene = noted(DRAINING, originals=replace(DRAINING.journal.originals, endpoint_ports=rows))
    (repair,) = replace(scene, endpoint_ports=(dashboard,)).commands()
    assert isinstance(repair, RepairEndpoints)
    assert repair.ports == (dashboard, mqtt, coap)


def test_addresses_carry_what_balancers_need_and_ports_come_from_the_object() -> None:
    (command,) = CUTTING.commands()
    assert isinstance(command, SwitchEndpoints)
    first = min(command.addresses, key=lambda a: a.ip)
    assert (first.ip, first.node_name, first.pod_name) == ("10.0.2.0", "worker-0", f"{build.GREEN_NAME}-0")
    assert first.pod_uid == f"uid-{build.GREEN_NAME}-0"
    assert (command.ports, command.instance, command.unready) == (build.ENDPOINT_PORTS, build.NAME, frozenset())
    assert command.target.preconditions() == {"uid": "uid-ep", "resourceVersion": "55"}


REASON = "all green nodes are in the EMQX cluster"


@pytest.mark.parametrize(
    ("count", "pause_s"), [(1, 2.0), (10, 2.0), (11, 4.0), (12, 8.0), (15, 60.0), (99, 60.0)], ids=str
)
def test_nudges_for_one_reason_come_ever_more_seldom(count: int, pause_s: float) -> None:
    """Each makes the operator rewrite a StatefulSet; 53 in two minutes were seen."""
    early = remembered(JOINED, sent_at={"nudge": ago(pause_s - 0.1)}, nudges=(REASON, count))
    due = remembered(JOINED, sent_at={"nudge": ago(pause_s)}, nudges=(REASON, count))
    assert (sent(early), sent(due)) == ([], ["nudge +1"])
    assert [c.slowest_s for c in due.commands() if isinstance(c, Nudge)] == [None if pause_s == 2.0 else 60.0]
    other = remembered(JOINED, sent_at={"nudge": ago(2.0)}, nudges=("another reason", count))
    assert sent(other) == ["nudge +1"]


FROZEN = held(EVICTING, freeze=True)
ALL_LISTED = replace(WAITING, addresses=WAITING.addresses | {"10.0.2.0"})


def tried(scene: Scene, sent: Command, failed_s: float, count: int, *, is_refusal: bool) -> bool:
    """Whether `sent` is tried again, so long after it has failed for the `count`th time."""
    failure = Failure(ago(failed_s), "no", count, is_refusal, sent.name, sent)
    return any(c.key == sent.key for c in remembered(scene, failures={sent.key: failure}).commands())


@pytest.mark.parametrize(
    ("scene", "name", "is_refusal", "count", "pause_s"),
    [
        (OPENED, "close-valve", True, 1, 1.0),
        (OPENED, "close-valve", True, 2, 2.0),
        (OPENED, "close-valve", True, 20, 2.0),
        (OPENED, "close-valve", False, 1, 0.25),
        (OPENED, "close-valve", False, 3, 1.0),
        (JOINED, "nudge", True, 1, 1.0),
        (JOINED, "nudge", True, 4, 8.0),
        (JOINED, "nudge", True, 5, 15.0),
        (FULL, "scale", False, 2, 0.5),
        (FULL, "scale", False, 9, 15.0),
        (APPROVED, "start-drain", True, 2, 2.0),
        (FROZEN, "stop-drain", True, 99, 15.0),
        (ALL_LISTED, "repair-endpoints", False, 4, 2.0),
    ],
)
def test_what_fails_is_tried_ever_more_seldom(
    scene: Scene, name: str, is_refusal: bool, count: int, pause_s: float
) -> None:
    sent = next(c for c in scene.commands() if c.name == name)
    assert not tried(scene, sent, pause_s - 0.01, count, is_refusal=is_refusal)
    assert tried(scene, sent, pause_s, count, is_refusal=is_refusal)


def test_a_command_in_which_anything_has_changed_is_not_kept_waiting() -> None:
    """Another list of addresses, other recipients, a newer version of the object: what made it fail may be over."""
    sent = next(c for c in FULL.commands() if isinstance(c, Scale))
    older = replace(sent, target=replace(sent.target, resource_version="1"))
    assert not tried(FULL, older, 0.24, 9, is_refusal=False)
    assert tried(FULL, older, 0.25, 9, is_refusal=False)


def test_an_evacuation_is_stopped_soon_after_its_silent_node_answers_again() -> None:
    sent = next(c for c in FROZEN.commands() if isinstance(c, StopDrain))
    silent = with_place(FROZEN, "blue", 2, own_problem="connection refused")
    assert not tried(silent, sent, 5.0, 9, is_refusal=False)
    assert tried(FROZEN, sent, 5.0, 9, is_refusal=False)
    assert not tried(FROZEN, sent, 5.0, 9, is_refusal=True), "it was heard, and said no"


def unanswered(for_s: float, nudged_s: float = 60.0) -> Scene:
    """A patch that the operator has left unanswered for so long, in a release where nothing else is to do."""
    ack = AckWait("1000", "status-1", ago(for_s), "close-valve")
    return remembered(DRAINING, ack=ack, sent_at={"nudge": ago(nudged_s)})


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (unanswered(9.9), []),
        (unanswered(10.0), ["nudge +1"]),
        (unanswered(30.0, nudged_s=9.9), []),
        (unanswered(30.0, nudged_s=10.0), ["nudge +1"]),
        (with_place(unanswered(10.0), "green", 1, is_deleting=True), []),
        (replace(unanswered(10.0), kube_age_s=91.0), []),
    ],
    ids=["not yet", "asked again", "nudged a moment ago", "nudged a while ago", "a pod terminates", "old watches"],
)
def test_an_operator_that_leaves_a_patch_unanswered_is_asked_again(scene: Scene, expected: list[str]) -> None:
    found = [told(c) for c in scene.commands() if isinstance(c, Nudge) and "has not answered" in c.reason]
    assert found == expected
    assert all(c.reason == "the operator has not answered 'close-valve'" for c in scene.commands() if found)


OTHER_POD = f"{build.BLUE_NAME}-1"


def test_a_start_without_an_answer_may_still_happen_so_nothing_else_begins() -> None:
    """A start whose client gave up took effect 3 s later (recorded)."""
    waiting = remembered(APPROVED, unanswered_starts={OTHER_POD: ago(20)})
    assert sent(waiting) == []
    assert sent(remembered(FULL, unanswered_starts={OTHER_POD: ago(20)})) == []
    same = remembered(APPROVED, unanswered_starts={f"{build.BLUE_NAME}-2": ago(20)})
    assert sent(same) == ["start 2 at 200"], "to the same node it does no harm"


def test_a_start_without_an_answer_is_settled_by_the_nodes_own_word() -> None:
    denied = with_place(APPROVED, "blue", 1, own=0, own_enabled=False)
    early = remembered(denied, unanswered_starts={OTHER_POD: ago(50)})
    late = remembered(denied, unanswered_starts={OTHER_POD: ago(70)})
    assert (sent(early), sent(late)) == ([], ["start 2 at 200"])


def test_the_start_of_an_evacuation_is_noted_before_it_is_sent() -> None:
    journal = APPROVED.decide().journal
    assert journal is not None
    assert journal.starts == {f"{build.BLUE_NAME}-2": build.NOW}
    again = noted(APPROVED, starts={f"{build.BLUE_NAME}-2": ago(14)}).decide().journal
    late = noted(APPROVED, starts={f"{build.BLUE_NAME}-2": ago(15)}).decide().journal
    assert again is not None
    assert late is not None
    assert (again.starts, late.starts) == (
        {f"{build.BLUE_NAME}-2": ago(14)},
        {f"{build.BLUE_NAME}-2": build.NOW},
    ), "it may have been sent again since"


@pytest.mark.parametrize("scene", [APPROVED, FULL], ids=["no second start", "no scale"])
def test_what_a_console_that_died_has_started_may_still_happen(scene: Scene) -> None:
    started = noted(with_place(scene, "blue", 1, own=0, own_enabled=False), starts={OTHER_POD: ago(70)})
    assert sent(started) == []
    own = remembered(started, starts_sent=frozenset({OTHER_POD}))
    assert sent(own), "this console knows what became of its own"
    assert sent(noted(started, starts={OTHER_POD: ago(76)})), "the node has denied it for long enough"
    begun = with_place(started, "blue", 1, **draining_place("prohibiting", 0))
    assert sent(begun) == sent(noted(begun, starts={})), "or says that it has begun"


def test_nudges_take_another_closed_value_each_time() -> None:
    (first,) = JOINED.commands()
    assert isinstance(first, Nudge)
    (second,) = replace(JOINED, delay_s=first.valve_s).commands()
    assert isinstance(second, Nudge)
    assert second.valve_s != first.valve_s


def test_a_frozen_gate_is_helped_by_a_full_pass_then_a_nudge() -> None:
    frozen = remembered(
        with_place(READY, "green", 1, is_ready=False, on_serving=False),
        gate_frozen_since={f"{build.GREEN_NAME}-1": ago(3)},
    )
    (forget,) = frozen.commands()
    assert forget == ForgetReleaseStatus(Target.of(frozen.resource()), "a re-created pod waits for its readiness gate")
    assert sent(replace(frozen, has_status=False, started_ago_s=None)) == ["nudge +1"]


HELD_SCENES = {
    name: scene for name, (scene, expected) in TABLE.items() if any(c.advancing for c in scene.commands()) or expected
}


@pytest.mark.parametrize("freeze", [False, True], ids=["held", "frozen"])
@pytest.mark.parametrize("scene", HELD_SCENES.values(), ids=HELD_SCENES)
def test_a_hold_stops_every_advancing_command_and_no_repair(scene: Scene, freeze: bool) -> None:
    free = {told(c) for c in scene.commands() if not c.advancing and not isinstance(c, StopDrain)}
    stopped = held(scene, freeze=freeze).commands()
    assert not [c for c in stopped if c.advancing]
    assert {told(c) for c in stopped if not isinstance(c, StopDrain)} == free


def test_phases_along_the_way() -> None:
    seen = [
        build.idle(),
        START,
        CREATING,
        WAITING,
        READY,
        CANARY,
        CUTTING,
        DRAINING,
        FULL,
        build.finishing(),
        build.done(),
    ]
    assert [scene.decide().phase for scene in seen] == [
        Phase.IDLE,
        Phase.STARTING,
        Phase.CREATING_GREEN,
        Phase.WAITING_DELAY,
        Phase.READY_TO_CUT_OVER,
        Phase.CANARY,
        Phase.CUTTING_OVER,
        Phase.DRAINING,
        Phase.DRAINING,
        Phase.FINISHING,
        Phase.DONE,
    ]


def test_the_cut_over_counts_when_the_proxies_were_seen_to_follow() -> None:
    written = replace(CUTTING, addresses=build.ips(CUTTING.green), slices=build.ips(CUTTING.blue))
    lagging = written.decide().journal
    assert lagging is not None
    assert lagging.cut_over_at is None
    followed = replace(written, slices=None).decide()
    assert followed.journal is not None
    assert followed.journal.cut_over_at == build.NOW
    assert followed.phase is Phase.DRAINING


def test_an_object_of_another_uid_is_lost_and_nothing_is_sent() -> None:
    decision = replace(FULL, uid="another").decide()
    assert (decision.phase, decision.commands) == (Phase.LOST, ())


def test_blue_set_removed_by_somebody_leaves_the_end_to_do() -> None:
    """The operator would stay held for ever; without green as well nothing is left to release."""
    assert replace(FULL, blue=None).decide().phase is Phase.FINISHING
    decision = replace(FULL, blue=None, green=None).decide()
    assert (decision.phase, decision.commands) == (Phase.LOST, ())


def test_drained_nodes_and_instants_are_written_down() -> None:
    scene = build.drained(1)
    totals = scene.decide().journal
    assert totals is not None
    assert totals.drained == (f"{build.BLUE_NAME}-0",)
    assert totals.totals.drained_at == build.NOW
    first = APPROVED.decide().journal
    assert first is not None
    assert first.totals.first_drain_at == build.NOW
    assert (first.totals.clients, first.totals.max_missing) == (900, 0)


ANEW = with_side(DRAINING, "green", uid="uid-green-2")


@pytest.mark.parametrize(
    ("scene", "is_noted"),
    [(ANEW, True), (replace(ANEW, template="other"), False), (replace(ANEW, kube_age_s=91.0), False)],
    ids=["built again", "the object asks for another template", "on old watches"],
)
def test_a_green_that_the_operator_has_built_again_is_noted(scene: Scene, is_noted: bool) -> None:
    """Else the newest set would pass for green: one of a third template, and the real one for a third."""
    journal = noted(scene, green_uid=build.GREEN_UID)
    decided = journal.decide().journal
    assert decided is not None
    assert (decided.green_uid == "uid-green-2") is is_noted


# -- blue is removed before the first patch ------------------------------------------------------------------------

AGAIN = with_side(START, "blue", uid="uid-blue-2")


def test_nothing_is_sent_before_the_operator_has_built_blue_again() -> None:
    gone = replace(START, blue=None)
    assert (gone.decide().phase, gone.commands()) == (Phase.LOST, ())
    young = with_side(AGAIN, "blue", revision="")
    assert (young.decide().phase, young.decide().alarms, young.commands()) == (Phase.STARTING, (), ())


def test_a_release_starts_with_the_same_blue_that_was_built_again() -> None:
    noted_first = AGAIN.decide()
    assert noted_first.journal
    assert (noted_first.phase, noted_first.journal.rebuilt_blue_uid) == (Phase.STARTING, "uid-blue-2")
    (command,) = replace(AGAIN, journal=noted_first.journal).commands()
    assert isinstance(command, ApplyTemplate)
