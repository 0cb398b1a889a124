"""The checks that gates rest on: what passes, what waits, what fails; old and missing data never pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.reading import MISSING
from emqx_tui.model.series import Ledger
from emqx_tui.rollout.checks import gate_checks
from emqx_tui.rollout.context import RolloutContext
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.rollout.policy import CLOSED_S
from emqx_tui.rollout.state.expectations import AckWait
from emqx_tui.rollout.state.journal import Totals
from tests.support import scenes as build
from tests.support.scenes import Scene, noted, remembered, with_place, with_side, without_place

PASS, WAIT, FAIL, SKIPPED = Outcome.PASS, Outcome.WAIT, Outcome.FAIL, Outcome.SKIPPED
Check = Callable[[RolloutContext], CheckResult]

READY, DRAINING = build.ready(), build.draining()
ACK = AckWait("999", "status-0", build.ago(3), "nudge")
BOOTING = build.Place(live=None, is_ready=False, is_joined=False, containers_ready=False)
LOST_PORT = replace(READY, service_ports=build.SERVICE_PORTS[1:])
OTHER_NODE_PORT = replace(
    READY, service_ports=(replace(build.SERVICE_PORTS[0], node_port=31999), *build.SERVICE_PORTS[1:])
)
NAMELESS = ("", 8883, "TCP")


def ports_before(**ports: Any) -> Scene:
    """The journal kept these, which nothing has by now."""
    return noted(READY, originals=replace(READY.journal.originals, **ports))


def ledger(evicted: int, missing: int, on_their_way: int | None = 0) -> Scene:
    books = Ledger(evicted=evicted, landed=evicted - missing, bounced=0, missing=missing, on_their_way=on_their_way)
    return remembered(DRAINING, ledger=books)


def resource_gone(scene: Scene) -> Scene:
    return replace(scene, uid="another-uid")


TABLE: dict[str, tuple[Check, Scene, Outcome, str]] = {
    "kubernetes data: fresh": (gate_checks.kube_data, READY, PASS, "alive"),
    "kubernetes data: too old": (gate_checks.kube_data, replace(READY, kube_age_s=91.0), WAIT, "91 s old"),
    "kubernetes data: young, of a broken watch": (
        gate_checks.kube_data,
        replace(READY, kube_problem="connection refused"),
        WAIT,
        "EmqxEnterprise: connection refused",
    ),
    "operator answers: it does": (gate_checks.operator_answers, replace(READY, operator_up=True), PASS, "answers"),
    "operator answers: nobody could ask": (gate_checks.operator_answers, READY, SKIPPED, "not known"),
    "operator answers: it is down": (
        gate_checks.operator_answers,
        replace(READY, operator_up=False),
        WAIT,
        "an open valve stays open, a lost green pod stays lost, an abort waits",
    ),
    "operator answers: down, and somebody goes on without": (
        gate_checks.operator_answers,
        noted(
            replace(READY, operator_up=False),
            acknowledged=("operator-down",),
            acknowledged_by={"operator-down": "ann@host"},
        ),
        PASS,
        "accepted by ann@host",
    ),
    "broker data: fresh": (gate_checks.broker_data, READY, PASS, ""),
    "broker data: at the limit": (gate_checks.broker_data, replace(READY, broker_age_s=10.0), PASS, ""),
    "broker data: too old": (gate_checks.broker_data, replace(READY, broker_age_s=10.5), WAIT, "stats"),
    "broker data: one node hangs": (
        gate_checks.broker_data,
        build.with_place(READY, "green", 1, own_problem="did not answer in time"),
        WAIT,
        f"{build.GREEN_NAME}-1 does not answer for itself: did not answer in time",
    ),
    "green complete: all up": (gate_checks.green_complete, READY, PASS, "3/3 Ready, 3/3 Running"),
    "green complete: none yet": (gate_checks.green_complete, replace(READY, green=None), WAIT, "no green"),
    "green complete: one boots": (gate_checks.green_complete, build.creating(joined=2), WAIT, "2/3 Ready, 2/3 Running"),
    "green complete: one not in EMQX": (
        gate_checks.green_complete,
        with_place(READY, "green", 1, is_joined=False),
        WAIT,
        "3/3 Ready, 2/3 Running",
    ),
    "green complete: one not Ready": (
        gate_checks.green_complete,
        with_place(READY, "green", 1, is_ready=False),
        WAIT,
        "2/3 Ready, 3/3 Running",
    ),
    "green complete: one goes away": (
        gate_checks.green_complete,
        with_place(READY, "green", 1, is_deleting=True),
        WAIT,
        "2/3 Ready, 2/3 Running",
    ),
    "green complete: one pod missing": (gate_checks.green_complete, without_place(READY, "green", 2), WAIT, "2/3"),
    "green complete: of another size": (
        gate_checks.green_complete,
        with_side(READY, "green", replicas=2),
        FAIL,
        "green wants 2 nodes, blue had 3",
    ),
    "valve: closed and answered": (gate_checks.valve_closed, READY, PASS, "held"),
    "valve: open": (gate_checks.valve_closed, replace(READY, delay_s=60), FAIL, "initialDelaySeconds is 60"),
    "valve: absent is open": (gate_checks.valve_closed, replace(READY, delay_s=None), FAIL, "is 0"),
    "valve: int32 max is not ours": (gate_checks.valve_closed, replace(READY, delay_s=2**31 - 1), FAIL, ""),
    "valve: not begun to hold": (gate_checks.valve_closed, replace(READY, started_ago_s=None), WAIT, "no startedAt"),
    "valve: reset": (gate_checks.valve_closed, replace(READY, has_status=False), WAIT, "no startedAt"),
    "valve: not answered": (gate_checks.valve_closed, remembered(READY, ack=ACK), WAIT, "has not answered 'nudge'"),
    "two sets: yes": (gate_checks.one_green, READY, PASS, ""),
    "two sets: a third": (gate_checks.one_green, replace(READY, third=build.third()), FAIL, build.THIRD_NAME),
    "two sets: a relic at 0": (
        gate_checks.one_green,
        replace(READY, third=replace(build.third(0), places={}, replicas=0)),
        PASS,
        "",
    ),
    "object: as planned": (gate_checks.template_unchanged, READY, PASS, ""),
    "object: template put back": (
        gate_checks.template_unchanged,
        replace(READY, template="old"),
        FAIL,
        "somebody else",
    ),
    "object: a third template": (
        gate_checks.template_unchanged,
        replace(READY, template="other"),
        FAIL,
        "somebody else",
    ),
    "object: size changed": (gate_checks.template_unchanged, replace(READY, replicas=5), FAIL, "is 5, was 3"),
    "object: another one": (gate_checks.template_unchanged, resource_gone(READY), FAIL, "re-created"),
    "operator: the same": (gate_checks.operator_unchanged, READY, PASS, "image is the same"),
    "operator: another image": (
        gate_checks.operator_unchanged,
        replace(READY, operator="emqx/emqx-operator-controller:2.3.0"),
        FAIL,
        "to emqx/emqx-operator-controller:2.3.0",
    ),
    "operator: not readable": (gate_checks.operator_unchanged, replace(READY, operator=""), SKIPPED, "not compared"),
    "ports: as before": (gate_checks.ports_unchanged, READY, PASS, ""),
    "ports: one lost in the Service": (gate_checks.ports_unchanged, LOST_PORT, FAIL, "mqtt-tcp-1883"),
    "ports: another node port": (gate_checks.ports_unchanged, OTHER_NODE_PORT, FAIL, "mqtt-tcp-1883"),
    "ports: one lost in the Endpoints": (
        gate_checks.ports_unchanged,
        replace(READY, endpoint_ports=build.ENDPOINT_PORTS[1:]),
        FAIL,
        "Endpoints lost port mqtt-tcp-1883",
    ),
    "ports: one without a name lost in the Service": (
        gate_checks.ports_unchanged,
        ports_before(service_ports=((*NAMELESS, "8883", 0),)),
        FAIL,
        "the Service lost or changed port 8883",
    ),
    "ports: one without a name lost in the Endpoints": (
        gate_checks.ports_unchanged,
        ports_before(endpoint_ports=(NAMELESS,)),
        FAIL,
        "the Endpoints lost port 8883",
    ),
    "ports: more than before are fine": (
        gate_checks.ports_unchanged,
        replace(READY, service_ports=(*build.SERVICE_PORTS, replace(build.SERVICE_PORTS[0], name="new", port=8883))),
        PASS,
        "",
    ),
    "foreign: nothing": (gate_checks.nothing_foreign, READY, PASS, ""),
    "foreign: a rebalance": (gate_checks.nothing_foreign, replace(READY, rebalances=1), FAIL, "1 rebalance(s)"),
    "foreign: a node of ours without approval": (
        gate_checks.nothing_foreign,
        with_place(READY, "blue", 2, **build.draining_place()),
        FAIL,
        f"{build.BLUE_NAME}-2",
    ),
    "foreign: a green node": (
        gate_checks.nothing_foreign,
        with_place(DRAINING, "green", 0, **build.draining_place()),
        FAIL,
        f"{build.GREEN_NAME}-0",
    ),
    "foreign: a node that nobody knows": (
        gate_checks.nothing_foreign,
        replace(READY, foreign=("emqx@10.9.9.9",)),
        FAIL,
        "emqx@10.9.9.9",
    ),
    "foreign: our own drain": (gate_checks.nothing_foreign, build.drained(), PASS, ""),
    "foreign: our own drain, its pod gone, EMQX still lists it": (
        gate_checks.nothing_foreign,
        replace(build.draining(gone=1), foreign=(build.node_name(f"{build.BLUE_NAME}-2"),)),
        PASS,
        "",
    ),
    "delay: over": (gate_checks.delay_over, READY, PASS, "60 s is over"),
    "delay: runs": (gate_checks.delay_over, build.waiting(started_ago_s=10.0), WAIT, "50 s"),
    "delay: over to the second": (gate_checks.delay_over, build.waiting(started_ago_s=60.0), PASS, ""),
    "delay: not begun": (gate_checks.delay_over, replace(READY, started_ago_s=None), WAIT, "not complete"),
    "blue whole: yes": (gate_checks.blue_whole, READY, PASS, "3/3"),
    "blue whole: one away": (gate_checks.blue_whole, with_place(READY, "blue", 0, is_joined=False), WAIT, "2/3"),
    "blue whole: its gate may be frozen": (
        gate_checks.blue_whole,
        with_place(READY, "blue", 0, is_ready=False),
        PASS,
        "",
    ),
    "blue whole: scaled by somebody": (
        gate_checks.blue_whole,
        with_side(without_place(READY, "blue", 2), "blue", replicas=2),
        WAIT,
        "2/3",
    ),
    "blue whole: gone": (gate_checks.blue_whole, replace(READY, blue=None), FAIL, "gone"),
    "service: on green": (gate_checks.service_on_green, DRAINING, PASS, "green only"),
    "service: on green, and blue leaves late": (
        gate_checks.service_on_green,
        noted(replace(DRAINING, addresses=DRAINING.addresses | build.ips(DRAINING.blue)), late_removal=True),
        PASS,
        "green + blue with clients",
    ),
    "service: blue is still in": (
        gate_checks.service_on_green,
        replace(DRAINING, addresses=DRAINING.addresses | {"10.0.1.0"}),
        WAIT,
        "4 addresses",
    ),
    "service: written, but the proxies lag": (
        gate_checks.service_on_green,
        replace(DRAINING, slices=build.ips(DRAINING.blue)),
        WAIT,
        "3 addresses",
    ),
    "service: a green node is away, its address still listed": (
        gate_checks.service_on_green,
        with_place(DRAINING, "green", 2, is_joined=False),
        WAIT,
        "",
    ),
    "clients: nobody evicted yet": (gate_checks.clients_back, DRAINING, PASS, "no client evicted"),
    "clients: sessions that stay behind are said": (
        gate_checks.clients_back,
        noted(DRAINING, totals=Totals(sessions_left={f"{build.BLUE_NAME}-2": 1_200, f"{build.BLUE_NAME}-1": 34})),
        PASS,
        f"no client evicted yet; 1,234 sessions stay behind on {build.BLUE_NAME}-2, {build.BLUE_NAME}-1 and end there",
    ),
    "clients: one session stays behind": (
        gate_checks.clients_back,
        noted(DRAINING, totals=Totals(sessions_left={f"{build.BLUE_NAME}-2": 1})),
        PASS,
        f"; 1 session stays behind on {build.BLUE_NAME}-2 and ends there: EMQX does not move it",
    ),
    "clients: evicted, and not every node was counted since": (
        gate_checks.clients_back,
        remembered(DRAINING, initial={f"{build.BLUE_NAME}-2": 300}),
        WAIT,
        "a node is not counted",
    ),
    "clients: one of them": (gate_checks.clients_back, ledger(900, 1), PASS, "1 client missing of 900"),
    "clients: within the floor": (gate_checks.clients_back, ledger(900, 50), PASS, "50 clients missing of 900"),
    "clients: over the floor": (gate_checks.clients_back, ledger(900, 51), FAIL, "51 clients missing of 900"),
    "clients: on their way": (gate_checks.clients_back, ledger(900, 251, 201), PASS, "50 clients missing"),
    "clients: one percent of many": (gate_checks.clients_back, ledger(100_000, 1000), PASS, "limit 1,000"),
    "clients: over one percent of many": (gate_checks.clients_back, ledger(100_000, 1001), FAIL, "limit 1,000"),
    "clients: over, and a person accepted it": (
        gate_checks.clients_back,
        noted(ledger(900, 500), acknowledged=("clients-missing",), acknowledged_by={"clients-missing": "ann@bastion"}),
        PASS,
        "500 clients missing of 900 evicted (limit 50): accepted by ann@bastion",
    ),
    "clients: within the limit, whatever was accepted before": (
        gate_checks.clients_back,
        noted(ledger(900, 50), acknowledged=("clients-missing",)),
        PASS,
        "50 clients missing of 900 evicted (limit 50)",
    ),
    "clients: how many are on their way is not known": (
        gate_checks.clients_back,
        ledger(900, 500, None),
        WAIT,
        "not known yet",
    ),
    "previous: none evicts": (gate_checks.previous_evicted, DRAINING, PASS, ""),
    "previous: one evicts": (
        gate_checks.previous_evicted,
        with_place(build.approved(DRAINING, "node:2"), "blue", 2, **build.draining_place()),
        WAIT,
        f"{build.BLUE_NAME}-2 still evicts",
    ),
    "previous: a state that is not known counts as evicting": (
        gate_checks.previous_evicted,
        with_place(build.approved(DRAINING, "node:2"), "blue", 2, **build.draining_place("unknown")),
        WAIT,
        "",
    ),
    "previous: one waits for takeover": (
        gate_checks.previous_evicted,
        with_place(build.approved(DRAINING, "node:2"), "blue", 2, **build.draining_place("waiting_takeover", 0)),
        PASS,
        "",
    ),
    "previous: one of two places taken": (
        gate_checks.previous_evicted,
        noted(with_place(build.approved(DRAINING, "node:2"), "blue", 2, **build.draining_place()), parallel_drains=2),
        PASS,
        "a place is free",
    ),
}


@pytest.mark.parametrize(("check", "scene", "outcome", "evidence"), TABLE.values(), ids=TABLE)
def test_a_check(check: Check, scene: Scene, outcome: Outcome, evidence: str) -> None:
    result = check(scene.context())
    assert (result.outcome, evidence in result.evidence) == (outcome, True), result
    assert result.name == NAME_OF[check]
    assert isinstance(result.hint, str)


@pytest.mark.parametrize(
    ("check", "unread", "evidence"),
    [
        (gate_checks.green_complete, "nodes", "green 3/3 Ready, not read in EMQX yet"),
        (gate_checks.green_complete, "pods", "green pods not read yet"),
        (gate_checks.blue_whole, "nodes", "blue not read in EMQX yet"),
        (gate_checks.blue_whole, "pods", "blue pods not read yet"),
    ],
)
def test_nodes_that_were_not_read_are_not_counted_as_none(check: Check, unread: str, evidence: str) -> None:
    scene, seen = READY, replace(READY.snapshot(), **{unread: MISSING})
    assert scene.journal is not None
    result = check(RolloutContext(seen, scene.journal, scene.memory, scene.policy))
    assert (result.outcome, result.evidence) == (WAIT, evidence)


@pytest.mark.parametrize(
    ("place", "removal"),
    [
        (build.Place(live=0), "scale it to 0 while it has no clients"),
        (build.Place(live=5), "evacuate its nodes in EMQX, then scale it to 0"),
        (build.Place(live=None), "evacuate its nodes in EMQX, then scale it to 0"),
        (
            build.Place(live=None, is_ready=False, is_joined=False, containers_ready=False),
            "scale it to 0 while it has no clients",
        ),
    ],
    ids=["empty", "with clients", "not counted", "never came up"],
)
def test_a_third_set_that_is_not_counted_may_have_clients(place: build.Place, removal: str) -> None:
    third = build.third()
    scene = replace(READY, third=replace(third, places=dict.fromkeys(third.places, place)))
    assert gate_checks.one_green(scene.context()).hint == removal


@pytest.mark.parametrize(
    ("check", "missing", "evidence"),
    [
        (gate_checks.ports_unchanged, "services", "listener Service or Endpoints not seen"),
        (gate_checks.ports_unchanged, "endpoints", "listener Service or Endpoints not seen"),
        (gate_checks.service_on_green, "slices", "EndpointSlices not read yet"),
        (gate_checks.nothing_foreign, "evacuations", "evacuations not read yet"),
    ],
)
def test_what_was_not_seen_is_waited_for(check: Check, missing: str, evidence: str) -> None:
    context = replace(DRAINING.context(), snapshot=replace(DRAINING.snapshot(), **{missing: MISSING}))
    assert check(context) == CheckResult(NAME_OF[check], WAIT, evidence)


def test_every_registered_check_is_in_the_table() -> None:
    tested = {check for check, _, _, _ in TABLE.values()}
    assert {*gate_checks.CUT_OVER_CHECKS, *gate_checks.NODE_CHECKS} <= tested


@pytest.mark.parametrize(
    ("registry", "scene"),
    [(gate_checks.CUT_OVER_CHECKS, READY), (gate_checks.NODE_CHECKS, DRAINING)],
    ids=["cut-over", "node"],
)
def test_nothing_passes_of_which_nothing_was_read(registry: tuple[Check, ...], scene: Scene) -> None:
    seen = scene.snapshot()
    blank = type(seen)(seen.now, seen.namespace, seen.name, blue_uid=seen.blue_uid)
    context = replace(scene.context(), snapshot=blank)
    results = gate_checks.run(registry, context)
    passed = {r.name for r in results if r.outcome is PASS}
    assert passed <= {"two-sets", "previous-evicted", "clients-back", "operator-unchanged", "operator-answers"}
    assert not gate_checks.all_pass(results)
    assert {r.name for r in results if r.outcome is WAIT} >= {"kubernetes-data", "broker-data"}


@pytest.mark.parametrize(
    ("registry", "scene"),
    [(gate_checks.CUT_OVER_CHECKS, READY), (gate_checks.NODE_CHECKS, DRAINING)],
    ids=["cut-over", "node"],
)
def test_all_pass_when_all_is_well_whatever_the_size(registry: tuple[Check, ...], scene: Scene) -> None:
    for n in (1, 3, 12):
        grown = build.ready(n) if scene is READY else build.draining(n)
        assert gate_checks.all_pass(gate_checks.run(registry, grown.context()))


def test_the_closed_value_itself_is_what_the_check_knows() -> None:
    assert gate_checks.valve_closed(replace(READY, delay_s=CLOSED_S + 999).context()).outcome is PASS
    assert gate_checks.valve_closed(replace(READY, delay_s=CLOSED_S + 1000).context()).outcome is FAIL


NAMES = {
    "kubernetes-data": (gate_checks.kube_data, replace(READY, kube_age_s=91.0)),
    "broker-data": (gate_checks.broker_data, replace(READY, broker_age_s=10.5)),
    "green-complete": (gate_checks.green_complete, replace(READY, green=None)),
    "blue-whole": (gate_checks.blue_whole, replace(READY, blue=None)),
    "valve-closed": (gate_checks.valve_closed, replace(READY, delay_s=60)),
    "operator-answers": (gate_checks.operator_answers, replace(READY, operator_up=False)),
    "delay-over": (gate_checks.delay_over, replace(READY, started_ago_s=None)),
    "object-unchanged": (gate_checks.template_unchanged, replace(READY, template="old")),
    "two-sets": (gate_checks.one_green, replace(READY, third=build.third())),
    "ports-unchanged": (gate_checks.ports_unchanged, replace(READY, service_ports=build.SERVICE_PORTS[1:])),
    "operator-unchanged": (gate_checks.operator_unchanged, replace(READY, operator="another")),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_check_has_one_name_and_says_something_whatever_it_finds(name: str) -> None:
    check, failing = NAMES[name]
    found = [check(scene.context()) for scene in (READY, failing)]
    assert [result.name for result in found] == [name, name]
    assert [result.outcome.is_blocking for result in found] == [False, True]
    assert all(result.evidence for result in found)


NAME_OF: dict[Check, str] = {check: name for name, (check, _) in NAMES.items()} | {
    gate_checks.service_on_green: "service-addresses",
    gate_checks.previous_evicted: "previous-evicted",
    gate_checks.clients_back: "clients-back",
    gate_checks.nothing_foreign: "nothing-foreign",
}
