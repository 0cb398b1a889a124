"""Verdict 2, ports: how the listener Service loses its MQTT port for the time of a hold, and what gives it back.

Clients dial 1883. The operator takes ports from EMQX's listeners in each full pass, and ignores a failed answer.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.case import Case
from tests.cluster.hand import SOON_S, Hand

Object = dict[str, Any]
MQTT = {1883, 8883, 8083, 8084}
OPERATORS_OWN = {8081, 18083}


@pytest.fixture
def hand(case: Case) -> Hand:
    return Hand(case)


def service_ports(case: Case) -> dict[int, Object]:
    return {each["port"]: each for each in case.get("services")["spec"]["ports"]}


def endpoint_ports(case: Case) -> set[int]:
    return {each["port"] for each in case.get("endpoints")["subsets"][0]["ports"]}


def partial() -> str:
    """The last node of the answer is one that boots."""
    mqtt = {"protocol": "mqtt:tcp", "listen_on": "0.0.0.0:1883"}
    data = [
        {"node": "a@a", "listeners": [mqtt]},
        {"node": "b@b", "listeners": [mqtt]},
        {"node": "c@c", "listeners": []},
    ]
    return json.dumps({"code": 0, "data": data})


@pytest.mark.parametrize("answer", ["failed", "partial"])
def test_ports_lost_in_the_last_full_pass_stay_lost_while_held_even_after_a_nulled_status(
    hand: Hand, answer: str
) -> None:
    """Verdict 2: frozen as it says; but a nulled status does not cure it while green is Ready: startedAt is back first.

    The console therefore writes the lost ports into Service and Endpoints itself.
    """
    case = hand.case
    hand.start_cluster()
    before = case.get("services")["spec"]["ports"]
    assert {each["port"] for each in before} == MQTT | OPERATORS_OWN
    wanted = case.get("endpoints")["subsets"][0]["ports"]
    hand.spoil("listeners", *((503, "") if answer == "failed" else (200, partial())))
    hand.begin()
    hand.mend("listeners")
    assert set(service_ports(case)) == endpoint_ports(case) == OPERATORS_OWN
    assert hand.routed() == []
    hand.passes(3)
    assert set(service_ports(case)) == OPERATORS_OWN
    started_at = case.blue_green["startedAt"]
    case.patch("emqxenterprises", {"status": {"blueGreenUpdateStatus": None}}, sub="status")
    assert not case.blue_green
    hand.passes(2)
    assert case.blue_green["startedAt"] > started_at, "the operator began its delay anew"
    assert set(service_ports(case)) == endpoint_ports(case) == OPERATORS_OWN, "the claimed cure"
    case.patch("services", {"spec": {"ports": before}})
    subset = {**case.get("endpoints")["subsets"][0], "ports": wanted}
    case.patch("endpoints", {"subsets": [subset]})
    case.wait_until(lambda: hand.routed() == hand.blue_pods, "way for clients")
    hand.passes(2)
    assert set(service_ports(case)) == endpoint_ports(case) == MQTT | OPERATORS_OWN
    assert sum(case.live().values()) == case.clients, "established connections were never touched"


def test_a_nulled_status_brings_full_passes_while_a_green_pod_is_not_ready(hand: Hand) -> None:
    """Verdict 2 and the abort's third case: the cure works exactly then, and an open valve starts nothing meanwhile."""
    case = hand.case
    hand.start_cluster()
    hand.spoil("listeners")
    hand.begin()
    hand.mend("listeners")
    assert set(service_ports(case)) == OPERATORS_OWN
    unready = hand.green_pods[0]
    case.to_pod(unready, "ready", ready=False)
    case.wait_until(lambda: case.green["status"]["readyReplicas"] == 2, "green that is not Ready")
    case.patch("emqxenterprises", {"status": {"blueGreenUpdateStatus": None}}, sub="status")
    hand.passes()
    case.wait_until(lambda: set(service_ports(case)) == MQTT | OPERATORS_OWN, "ports", within_s=SOON_S)
    ready = sorted({*hand.blue_pods, *hand.green_pods} - {unready})
    assert case.addresses() == ready, "a full pass lists both colours"
    hand.open()
    case.holds_for(25, lambda: case.replicas() == [3, 3] and not hand.starts(), "nothing done without startedAt")
    assert not case.blue_green


@pytest.mark.parametrize("named", [False, True], ids=["ports of EMQX", "ports in serviceTemplate"])
def test_a_failed_answer_costs_node_ports_unless_the_template_names_them(hand: Hand, named: bool) -> None:
    """Verdict 2: the next full pass heals the ports of an operator that is not held, with other node ports.

    The console's pre-flight warns when the MQTT ports do not stand in serviceTemplate.
    """
    case = hand.case
    template: Object = {"type": "NodePort"}
    if named:
        numbers = zip(("mqtt", "mqtts", "ws", "wss"), sorted(MQTT), strict=True)
        template["ports"] = [{"name": name, "port": port, "protocol": "TCP"} for name, port in numbers]
    hand.start_cluster(replicas=2, clients=10, serviceTemplate={"spec": template})
    before = service_ports(case)
    assert set(before) == MQTT | OPERATORS_OWN
    hand.spoil("listeners")
    writes = len(hand.writes("emqxenterprises", "status"))
    hand.nudge()
    case.wait_until(lambda: len(hand.writes("emqxenterprises", "status")) >= writes + 2, "a full pass")
    assert set(service_ports(case)) == (MQTT if named else set()) | OPERATORS_OWN
    hand.mend("listeners")
    hand.nudge()
    case.wait_until(lambda: set(service_ports(case)) == MQTT | OPERATORS_OWN, "ports", within_s=SOON_S)
    after = service_ports(case)
    node_ports = [
        ({port: each["nodePort"] for port, each in found.items() if port in MQTT}) for found in (before, after)
    ]
    assert (node_ports[0] == node_ports[1]) == named
    assert {after[port]["nodePort"] == before[port]["nodePort"] for port in OPERATORS_OWN} == {True}
