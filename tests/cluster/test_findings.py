"""Findings F1-F5: what an open valve costs, whatever the intention was.

They were found in a model of the operator; here a hand does the same to the real one. The console keeps the valve
closed from the first patch of a release to its end, drains by itself and scales blue by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.acts import scalings, starts
from tests.cluster.case import Case, Cluster
from tests.cluster.hand import SOON_S, Hand

Object = dict[str, Any]
ENDLESS_S = 1_000_000
"""a `wait_takeover` that no evacuation gets past"""
NOTHING = '{"rebalances":[],"evacuations":[]}'


@pytest.fixture
def hand(case: Case) -> Hand:
    return Hand(case)


def cordon(hand: Hand, *pods: str, take_over_s: int = ENDLESS_S) -> None:
    """The slowest evacuation that EMQX accepts."""
    for pod in pods:
        assert hand.start(pod, hand.green_pods, rate=1, take_over_s=take_over_s)["code"] == 0


def stored(hand: Hand) -> list[str]:
    """Pods in the list of evacuations that the resource shows, with their state."""
    listed = hand.case.blue_green.get("evacuationsStatus") or ()
    return [f"{each['node'].partition('@')[2].partition('.')[0]} {each['state']}" for each in listed]


def unready(hand: Hand, pod: str) -> None:
    """Its readiness probe fails; its broker works."""
    hand.case.to_pod(pod, "ready", ready=False)
    ready = len(hand.green_pods) - 1
    hand.case.wait_until(lambda: hand.case.green["status"].get("readyReplicas", 0) == ready, "green that is not Ready")


def taken(case: Case) -> list[int]:
    """Sizes that the operator gave blue, one after the other."""
    blue = case.blue["metadata"]["name"]
    return [each.after for each in scalings(case) if each.name == blue]


@pytest.mark.parametrize("endless", [False, True], ids=["short take-over", "endless take-over"])
def test_f1_a_cordon_is_a_slow_drain_that_ends_with_the_nodes_removed(hand: Hand, endless: bool) -> None:
    """F1: at 1 client/s every node is empty one day, and the operator removes it with nobody at the keyboard.

    An endless take-over keeps the nodes, and cuts their clients off all the same. The console places no cordon at all:
    blue leaves Endpoints and keeps its clients.
    """
    case = hand.case
    hand.start_held(replicas=2, clients=20)
    hand.switch(hand.green_pods)
    cordon(hand, *hand.blue_pods, take_over_s=ENDLESS_S if endless else 1)
    hand.passes()
    assert len(stored(hand)) == 2
    hand.open()
    blue = hand.blue_pods
    case.wait_until(lambda: sum(case.live().get(pod, 0) for pod in blue) == 0, "empty blue", within_s=SOON_S)
    if endless:
        case.holds_for(45, lambda: case.replicas() == [2, 2], "blue keeps its nodes")
        assert taken(case) == []
    else:
        case.wait_until(lambda: case.replicas() == [0, 2], "blue removed", within_s=90)
        assert taken(case) == [1, 0]
    assert case.truth()["since_mark"]["evicted"] >= 20


def stale_and_drained(hand: Hand, **how: Any) -> None:
    """Blue's top node is drained and listed so; pods outlive their brokers; EMQX does not answer any more."""
    hand.start_held(**how)
    hand.case.times(linger_s=60.0)
    hand.switch(hand.green_pods)
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    hand.passes()
    assert stored(hand) == [f"{hand.blue_pods[-1]} prohibiting"]
    hand.spoil("nodes")
    hand.spoil("global_status")


def test_f2_one_drained_node_costs_the_next_one_too_while_its_pod_lingers(hand: Hand) -> None:
    """F2: while the list cannot be refreshed the drained pod, which ends, is still the top pod: blue shrinks again.

    The console scales blue itself, by one, against the node's own count of clients, and again only when the pod of the
    last one is gone.
    """
    case = hand.case
    stale_and_drained(hand)
    next_one = hand.blue_pods[1]
    clients = case.live()[next_one]
    hand.open()
    case.wait_until(lambda: taken(case) == [2], "scale-down of the drained node", within_s=SOON_S)
    # Before the next pass: with the old list of nodes it would not find the pod, and crash.
    hand.mend("nodes")
    case.wait_until(lambda: taken(case) == [2, 1], "a second scale-down", within_s=SOON_S)
    case.wait_until(lambda: case.truth()["since_mark"]["killed"] >= clients > 0, "clients of the second node")
    assert starts(case) == []
    print(f"killed {case.truth()['since_mark']['killed']}")


def test_f2_silence_of_emqx_while_a_drained_pod_ends_crashes_the_operator(
    own_cluster: Cluster, make_case: Callable[..., Case]
) -> None:
    """F2, and known from reading: the top pod of no pods. It crashes again until the pod is gone, for all clusters.

    With a closed valve the operator never looks for the top pod.
    """
    case = make_case(own_cluster)
    stale_and_drained(hand := Hand(case), replicas=2, clients=10)
    hand.open()
    case.wait_until(lambda: taken(case) == [1], "scale-down of the drained node", within_s=SOON_S)
    control = case.cluster.control
    case.wait_until(lambda: control.get("/operator")["starts"] > 1, "a crash", within_s=SOON_S)
    assert "index out of range [0] with length 0" in (case.cluster.folder / "manager.log").read_text()
    case.wait_until(lambda: control.get("/operator")["starts"] > 2, "another crash", within_s=SOON_S)
    hand.mend("nodes")
    hand.mend("global_status")


def test_f3_with_all_of_blue_cordoned_no_new_client_gets_in(hand: Hand) -> None:
    """F3: Endpoints list blue only and stay so while held; each new connection is refused, for as long as it lasts.

    The console's switch is a write of Endpoints, with no cordon, so there is always an address that accepts; it ends
    the outage here.
    """
    case = hand.case
    hand.start_held(preset="emqtt_bench-reconnect")
    assert hand.routed() == hand.blue_pods
    for pod in hand.blue_pods:
        assert hand.start(pod, hand.green_pods, rate=100, take_over_s=ENDLESS_S)["code"] == 0
    case.wait_until(lambda: case.truth()["live"] == 0, "evicted clients")
    refused = case.truth()["since_mark"]["refused"]
    hand.passes(2)
    case.holds_for(20, lambda: case.truth()["live"] == 0, "nobody gets in")
    assert case.truth()["since_mark"]["refused"] > refused
    print(f"refused {case.truth()['since_mark']['refused']}")
    hand.switch(hand.green_pods)
    case.wait_until(lambda: case.truth()["live"] == case.clients, "all on green")


def test_f4_a_list_that_was_not_empty_when_the_valve_opened_is_no_safety(hand: Hand) -> None:
    """F4, worse than found: EMQX leaves a slow node out of one answer, and that very pass takes a pod undrained.

    It needs no failed refresh: the empty list is nil as soon as the status was written. The console never opens the
    valve, and takes an empty list as no proof of anything.
    """
    case = hand.case
    hand.start_held(rate=1)
    hand.switch(hand.green_pods)
    cordon(hand, hand.blue_pods[0])
    hand.passes()
    assert len(stored(hand)) == 1
    hand.open()
    case.holds_for(25, lambda: case.replicas() == [3, 3] and not starts(case), "idle while the list is not empty")
    clients = case.live()[hand.blue_pods[-1]]
    assert clients > 5
    hand.spoil("global_status", 200, NOTHING)
    case.wait_until(lambda: taken(case) == [2], "an undrained scale-down", within_s=SOON_S)
    hand.nudge()
    hand.mend("global_status")
    case.wait_until(lambda: case.truth()["since_mark"]["killed"] >= clients - 5, "killed clients")
    print(f"killed {case.truth()['since_mark']['killed']}")


def test_f5_a_stale_list_makes_an_abort_take_a_blue_node_away(hand: Hand) -> None:
    """F5a: a green pod that is not Ready freezes the list, so an opened valve removes a node that is in use again.

    Step 5b restores it one pass later. Refuted: that this goes on for ever; once the pod ends in front of a refresh,
    the status is reset, and startedAt does not come back. The console's abort keeps the valve closed.
    """
    case = hand.case
    hand.start_held()
    top = hand.blue_pods[-1]
    hand.drain(top, hand.green_pods)
    hand.passes()
    unready(hand, hand.green_pods[0])
    assert hand.stop(top)["code"] == 0
    hand.passes()
    assert stored(hand) == [f"{top} prohibiting"], "although EMQX lists none"
    case.set_version("4.4.14", initialDelaySeconds=1)
    case.wait_until(lambda: taken(case)[:2] == [2, 3], "down and up", within_s=120)
    assert starts(case) == []


def test_f5_without_a_healthy_green_the_list_is_never_stored(hand: Hand) -> None:
    """F5b: green's brokers are down, so the status is reset; nudges store nothing, and full passes go on.

    The console's switch back does not need the operator: it writes Endpoints itself.
    """
    case = hand.case
    hand.start_held(replicas=2, clients=20)
    case.times(boots={"4.4.15": 600.0})
    for pod in hand.green_pods:
        case.to_pod(pod, "restart")
    hand.nudge()
    case.wait_until(lambda: not case.blue_green, "reset", within_s=SOON_S)
    assert hand.start(hand.blue_pods[0], hand.blue_pods[1:], rate=1, take_over_s=ENDLESS_S)["code"] == 0
    hand.passes(3)
    assert not case.blue_green
    case.wait_until(lambda: case.addresses() == hand.blue_pods[1:], "blue that accepts", within_s=SOON_S)
    hand.open()
    case.holds_for(25, lambda: case.replicas() == [2, 2] and not starts(case), "no effect of an open valve")
