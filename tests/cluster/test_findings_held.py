"""Findings F6-F9: what comes before the hold grips, what a closed valve freezes, and when closed means closed.

A hand does to the real operator what the console does, or must not do.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.acts import scalings
from tests.cluster.case import Case
from tests.cluster.hand import BLUE, GREEN, SOON_S, Hand

Object = dict[str, Any]
ENDLESS_S = 1_000_000


@pytest.fixture
def hand(case: Case) -> Hand:
    return Hand(case)


def on_green(hand: Hand) -> int:
    live = hand.case.live()
    return sum(live.get(pod, 0) for pod in hand.green_pods)


def test_f6_green_gets_clients_before_any_cut_over_when_its_pods_come_one_by_one(hand: Hand) -> None:
    """F6: until startedAt nothing is held, so each Ready green pod is listed; green to 0 then kills those clients.

    The console answers such writes with blue only, and drains green in an abort that finds clients there.
    """
    case = hand.case
    hand.start_cluster(clients=90, churn_per_s=5.0)
    case.times(boots={f"{GREEN}/2": 90.0})
    case.set_version(GREEN)
    case.wait_until(lambda: len(case.sets) == 2, "green")
    case.wait_until(lambda: on_green(hand) >= 10, "early clients on green", within_s=120)
    assert not case.blue_green
    assert set(hand.green_pods[:2]) <= set(case.addresses())
    early = on_green(hand)
    assert "code" not in hand.scale(case.green, 0)
    case.wait_until(lambda: case.truth()["since_mark"]["killed"] >= early, "killed clients")
    print(f"killed {case.truth()['since_mark']['killed']}")


def test_f7_stop_and_start_with_an_open_valve_lists_a_node_that_refuses(hand: Hand) -> None:
    """F7: a pass between the two sets the gate; the next one lists the pod. With a closed valve nothing moves.

    The console stops and starts (a rate, a freeze) with the valve closed only.
    """
    case = hand.case
    hand.start_held(churn_per_s=5.0)
    sentinel, middle, top = hand.blue_pods
    for pod in (sentinel, top):
        assert hand.start(pod, hand.green_pods, rate=1, take_over_s=ENDLESS_S)["code"] == 0
    hand.passes()
    open_s = 1
    hand.open(open_s)
    without_top = sorted([middle, *hand.green_pods])
    case.wait_until(lambda: case.addresses() == without_top, "both evacuating nodes out", within_s=90)
    assert hand.stop(top)["code"] == 0
    hand.open(2)
    case.wait_until(lambda: hand.ready(top), "its gate", within_s=SOON_S)
    assert hand.start(top, hand.green_pods, rate=1, take_over_s=ENDLESS_S)["code"] == 0
    refused = _refused(case, top)
    hand.open(3)
    case.wait_until(lambda: top in case.addresses(), "an evacuating node in Endpoints", within_s=SOON_S)
    case.wait_until(lambda: _refused(case, top) > refused, "refused clients", within_s=SOON_S)
    case.wait_until(lambda: case.addresses() == without_top, "out again", within_s=90)
    print(f"refused {_refused(case, top) - refused}")
    hand.passes()
    assert hand.stop(top)["code"] == 0
    hand.passes(2)
    assert case.addresses() == without_top
    assert not hand.ready(top)
    assert scalings(case) == []


def _refused(case: Case, pod: str) -> int:
    return sum(counts["refused"] for node, counts in case.truth()["per_node"].items() if f"@{pod}." in node)


def test_f8_a_green_pod_that_came_anew_while_held_stays_unready_until_the_status_is_nulled(hand: Hand) -> None:
    """F8: no pass saw it away, so there was no reset, and held passes set no gates. Nulling the status cures it.

    The console nudges at once when a pod of either set is lost, and nulls the status when it missed that.
    """
    case = hand.case
    hand.start_held(clients=0)
    hand.quiet()
    lost = hand.green_pods[-1]
    uid = case.get("pods", lost)["metadata"]["uid"]
    case.to_pod(lost, "kill")
    case.wait_until(
        lambda: (case.find("pods", lost) or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid, "new pod"
    )
    case.wait_until(lambda: hand.running(GREEN) == 3, "its broker")
    started_at = case.blue_green["startedAt"]
    hand.passes(4)
    assert case.blue_green["startedAt"] == started_at
    case.holds_for(20, lambda: not hand.ready(lost), "not Ready")
    case.patch("emqxenterprises", {"status": {"blueGreenUpdateStatus": None}}, sub="status")
    hand.hurry(lambda: hand.ready(lost), "Ready")
    hand.hurry(lambda: case.blue_green.get("startedAt"), "startedAt anew")
    assert case.replicas() == [3, 3]
    assert scalings(case) == []


def test_f9_a_rate_write_is_a_nudge_and_resets_the_release_while_a_pod_terminates(hand: Hand) -> None:
    """F9, verdict 4: the reset lists both colours and, valve closed or not, scales nothing back.

    The console passes rates in the body of its own start and leaves those of the resource alone.
    """
    case = hand.case
    hand.start_held(clients=0)
    hand.quiet()
    writes = len(hand.writes("emqxenterprises", "status"))
    _write_rate(case, 31)
    case.wait_until(lambda: len(hand.writes("emqxenterprises", "status")) > writes, "a pass", within_s=SOON_S)
    assert case.blue_green.get("startedAt")
    hand.switch(hand.green_pods)
    case.times(stop_s=25.0)
    assert "code" not in hand.scale(case.blue, 2)
    case.wait_until(lambda: case.blue["status"].get("currentReplicas") == 2, "pod that ends")
    _write_rate(case, 32)
    case.wait_until(lambda: not case.blue_green, "reset", within_s=SOON_S)
    case.wait_until(lambda: set(hand.blue_pods[:2]) <= set(case.addresses()), "both colours", within_s=SOON_S)
    case.wait_until(lambda: hand.settled(case.blue), "end of the pod")
    hand.hurry(lambda: case.blue_green.get("startedAt"), "startedAt anew")
    assert case.replicas() == [2, 3]
    assert scalings(case) == []


def _write_rate(case: Case, rate: int) -> None:
    case.patch_spec(blueGreenUpdate={"evacuationStrategy": {"connEvictRate": rate, "sessEvictRate": rate}})


def test_f9_a_pass_in_flight_acts_on_an_open_valve_after_it_was_closed(hand: Hand) -> None:
    """F9: a pass whose first refresh fails writes no status, so nothing conflicts, and it goes on with what it loaded.

    So closed counts from the first status write after the patch, not from the patch. The console never opens.
    """
    case = hand.case
    hand.start_held(replicas=2)
    hand.quiet()
    hand.switch(hand.green_pods)
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    hand.passes()
    assert case.blue_green["evacuationsStatus"][0]["state"] == "prohibiting"
    pods = [*hand.blue_pods, *hand.green_pods]
    for pod in pods:
        case.to_pod(pod, "hang", hanging=True)
    writes = len(hand.writes("emqxenterprises", "status"))
    hand.open()
    case.holds_for(3, lambda: case.replicas() == [2, 2], "the pass waits for an answer")
    hand.nudge()
    case.holds_for(2, lambda: case.replicas() == [2, 2], "closed, as everybody can read")
    assert len(hand.writes("emqxenterprises", "status")) == writes
    for pod in pods:
        case.to_pod(pod, "hang", hanging=False)
    case.wait_until(lambda: case.replicas() == [1, 2], "a scale-down after the valve was closed", within_s=SOON_S)
    assert case.resource["spec"]["blueGreenUpdate"]["initialDelaySeconds"] > 1_000_000
    case.wait_until(lambda: len(hand.writes("emqxenterprises", "status")) > writes, "ack", within_s=SOON_S)
    hand.passes(2)
    assert case.replicas() == [1, 2]


def test_f9_a_blue_pod_with_a_volume_comes_back_evacuating(hand: Hand) -> None:
    """F9: in an abort, blue's re-created nodes go on with the evacuation they were removed in; `stop` ends it.

    Until then EMQX refuses to drain green to them. The console stops whatever blue node evacuates first.
    """
    case = hand.case
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    hand.start_held(replicas=2, clients=20, persistent={"spec": storage})
    hand.switch(hand.green_pods)
    top = hand.blue_pods[-1]
    hand.drain(top, hand.green_pods)
    assert "code" not in hand.scale(case.blue, 1)
    case.wait_until(lambda: hand.settled(case.blue), "settled blue")
    assert "code" not in hand.scale(case.blue, 2)
    case.wait_until(lambda: hand.running(BLUE) == 2, "blue brokers")
    assert case.evacuating() == [top]
    refused = hand.start(hand.green_pods[0], hand.blue_pods)
    assert (refused["code"], "unavailable" in refused["message"]) == (400, True)
    assert hand.stop(top)["code"] == 0
    assert hand.start(hand.green_pods[0], hand.blue_pods)["code"] == 0
