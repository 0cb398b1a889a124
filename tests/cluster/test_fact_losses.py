"""Facts about the operator that cost clients, shown on the real one: what it takes away without draining it.

What each label means stands in the README here.
"""

from __future__ import annotations

import itertools
import time

import pytest

from tests.cluster.acts import OPERATOR, PASS_S, is_ready, passes, scalings, started, starts, status_writes
from tests.cluster.case import Case
from tests.cluster.hand import Hand


def _unready(case: Case) -> None:
    """A green pod fails its readiness probe; its broker works."""
    pod = f"{case.green['metadata']['name']}-0"
    case.to_pod(pod, "ready", ready=False)
    case.wait_until(lambda: not is_ready(case.get("pods", pod)), "pod that is not Ready")
    case.wait_until(lambda: case.green["status"].get("readyReplicas") == 2, "set that is not Ready")


def _killed(case: Case) -> dict[str, int]:
    """Clients whose broker went down under them, by pod; pods without any are left out."""
    found = {
        name.partition("@")[2].partition(".")[0]: each["killed"] for name, each in case.truth()["per_node"].items()
    }
    return {pod: count for pod, count in found.items() if count}


def test_operator_alone_kills_every_node_and_drains_none(case: Case) -> None:
    """Fact 5, O7, with nothing wrong at all; also fact 9, O5 and the time per node.

    The list of evacuations that is empty when the status is written comes back as none, since the client clears the
    object before it decodes the answer. So the first pass after the delay takes a pod before it starts its evacuation.
    """
    hand = Hand(case)
    hand.start_held(clients=300, rate=20, take_over_s=5)
    blue, green = hand.blue_pods, hand.green_pods
    assert case.addresses() == blue, "green is not among the Endpoints before the delay is over"
    hand.open(5)
    seen: list[list[str]] = []

    def look() -> bool:
        seen.append(case.addresses())
        return case.replicas() == [0, 3]

    case.wait_until(look, "end of blue", within_s=200)
    case.wait_until(lambda: not case.pods_of(case.blue), "end of its pods")
    case.wait_until(lambda: case.truth()["live"] + case.truth()["lost"] == 300, "clients back, or gone for good")
    downs = scalings(case)
    assert [each.after for each in downs] == [2, 1, 0]
    gaps = [later.at - earlier.at for earlier, later in itertools.pairwise(downs)]
    # 5 s more after a reset, when a pod was still going at the next pass: the delay is counted anew.
    assert all(PASS_S - 5.0 < gap < PASS_S + 15.0 for gap in gaps), "a pass a node, whatever rates and take-over say"
    assert started(case) == ["blue-2", "blue-1", "blue-0"]
    assert all(start.at > down.at for start, down in zip(starts(case), downs, strict=True)), "taken first, then started"
    assert sorted(blue + green) in seen, "Endpoints of both colours"
    counted = case.truth()["since_mark"]
    assert set(_killed(case)) == set(blue)
    assert counted["killed"] > 3 * counted["evicted"], "an eviction lasts no longer than the pod that goes already"
    per_client = (counted["killed"] + counted["evicted"]) / 300
    assert 1.05 < per_client < 1.6, "clients go to blue nodes that are taken next"
    print(f"killed {counted['killed']}, evicted {counted['evicted']}; {per_client:.2f} disconnects per client")
    assert counted["tcp_refused"] > 0, "a node is gone before its address is"
    print(f"seconds per node {gaps}; tcp refused {counted['tcp_refused']}, lost {case.truth()['lost']}")


def test_nil_rule_takes_a_pod_while_a_green_pod_is_not_ready(case: Case) -> None:
    """Fact 5, O7. Then one in each pass, or none until green is Ready, when a pass saw the pod still going (reset)."""
    hand = Hand(case)
    hand.start_held(clients=300, rate=1, take_over_s=60)
    assert "evacuationsStatus" not in case.blue_green
    _unready(case)
    hand.open()
    case.wait_until(lambda: case.replicas() == [2, 3], "undrained scale-down", within_s=15)
    passes_before = len(passes(case))
    case.wait_until(lambda: len(passes(case)) >= passes_before + 2, "two passes more", within_s=60)
    hand.nudge()
    downs = scalings(case)
    assert len(downs) > 1 or not case.blue_green
    assert all(later.at - earlier.at > PASS_S - 5.0 for earlier, later in itertools.pairwise(downs))
    case.wait_until(lambda: hand.settled(case.blue), "end of the pods")
    killed = case.truth()["since_mark"]["killed"]
    assert killed > 75 * len(downs), "of 100 clients on each"
    print(f"killed {killed} of 300 with {len(downs)} pods")


def _refused_sizes(case: Case) -> list[int]:
    refused = [each for each in case.audit("statefulsets", "", OPERATOR) if each["responseStatus"]["code"] == 422]
    return [each["requestObject"]["spec"]["replicas"] for each in refused]


@pytest.mark.smoke
def test_nil_rule_empties_blue_within_seconds_while_the_api_refuses_connections(case: Case) -> None:
    """Fact 5, O7: a failed pass is tried again at once, and each takes a pod."""
    hand = Hand(case)
    hand.start_held(clients=300, rate=1, take_over_s=60)
    for pod in hand.blue_pods + hand.green_pods:
        case.to_pod(pod, "faults", api_down=True)
    hand.open()
    case.wait_until(lambda: len(scalings(case)) == 3, "three scale-downs", within_s=60)
    first, *_, last = scalings(case)
    case.wait_until(lambda: not case.pods_of(case.blue), "end of all blue pods")
    assert [each.after for each in scalings(case)] == [2, 1, 0]
    assert case.truth()["since_mark"]["killed"] >= 300
    assert not starts(case), "no node was evacuated"
    print(f"blue 3 -> 0: {last.at - first.at:.2f} s; killed {case.truth()['since_mark']['killed']} of 300")
    assert last.at - first.at < 15.0
    case.wait_until(lambda: -1 in _refused_sizes(case), "and it asks for -1", within_s=20)


def test_a_stored_evacuation_disarms_the_nil_rule(case: Case) -> None:
    """Fact 5, O7, the other half: with an entry in the list the same faults cost nobody."""
    hand = Hand(case)
    hand.start_held(clients=300)
    assert hand.start(hand.blue_pods[-1], hand.green_pods, rate=1)["code"] == 0
    hand.hurry(lambda: case.blue_green.get("evacuationsStatus"), "stored evacuation")
    _unready(case)
    hand.open()
    before = len(status_writes(case))
    case.holds_for(45.0, lambda: case.replicas() == [3, 3], "nothing is taken")
    assert len(status_writes(case)) >= before + 2, "the operator was at work meanwhile"
    assert not starts(case)
    assert case.truth()["since_mark"]["killed"] == 0


def test_evicted_clients_may_land_on_another_old_node(case: Case) -> None:
    """Fact 9, O5: the node itself leaves the Endpoints a pass after its gate, and refuses clients until then."""
    hand = Hand(case)
    hand.start_held(clients=300)
    top, *rest = reversed(hand.blue_pods)
    assert hand.start(top, hand.green_pods, rate=5)["code"] == 0
    hand.hurry(lambda: case.blue_green.get("evacuationsStatus"), "stored evacuation")
    on_rest = sum(case.live()[pod] for pod in rest)
    hand.open()
    opened_at = time.monotonic()
    case.wait_until(lambda: len(case.addresses()) == 6, "all Ready pods of both colours", within_s=20)
    case.wait_until(lambda: top not in case.addresses(), "node out of the Endpoints", within_s=60)
    gone_s = time.monotonic() - opened_at
    hand.nudge()
    assert PASS_S - 5.0 < gone_s < 2 * PASS_S + 10.0
    assert case.truth()["since_mark"]["refused"] > 0
    case.wait_until(lambda: hand.drained(top), "drained node")
    more = sum(case.live()[pod] for pod in rest) - on_rest
    assert more > 0
    print(f"out of the Endpoints after {gone_s:.0f} s; refused {case.truth()['since_mark']['refused']}")
    print(f"of {case.truth()['since_mark']['evicted']} evicted clients {more} went to old nodes")


def test_with_12_pods_the_drained_one_is_not_the_one_that_is_taken(case: Case) -> None:
    """Fact 6, O6: the top pod is the highest name as text (-9); a StatefulSet removes the highest number (-11)."""
    hand = Hand(case)
    hand.start_held(replicas=12, clients=240, rate=100, take_over_s=1)
    blue = case.blue["metadata"]["name"]
    hand.drain(f"{blue}-9", hand.green_pods)
    hand.hurry(lambda: case.blue_green.get("evacuationsStatus"), "stored evacuation")
    hand.open()
    case.wait_until(lambda: case.replicas()[0] == 9, "three scale-downs", within_s=120)
    hand.nudge()
    assert [each.after for each in scalings(case)] == [11, 10, 9], "three for one drained node"
    case.wait_until(lambda: len(case.pods_of(case.blue)) == 9, "nine pods")
    assert hand.blue_pods[-1] == f"{blue}-8"
    assert not starts(case)
    assert set(_killed(case)) == {f"{blue}-10", f"{blue}-11"}
    print(f"killed without a drain: {_killed(case)}")


def test_operator_starts_at_9_of_12_pods(case: Case) -> None:
    """Fact 6: the same order where it starts by itself; the nil rule takes -11 in that pass."""
    hand = Hand(case)
    hand.start_held(replicas=12, clients=0)
    hand.open()
    case.wait_until(lambda: started(case), "start", within_s=30)
    hand.nudge()
    assert started(case) == ["blue-9"]
    assert case.replicas() == [11, 12]


@pytest.mark.smoke
def test_a_new_annotation_starts_a_release(case: Case) -> None:
    """Fact 8: the webhook copies it into the pod template; only a key that was not there before does it."""
    hand = Hand(case)
    hand.start_cluster(replicas=1, clients=0)
    case.patch("emqxenterprises", {"metadata": {"annotations": {"team": "red"}}})
    case.wait_until(lambda: len(case.sets) == 2, "second set", within_s=30)
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in case.sets}
    assert len(images) == 1, "the same version in both"
    assert case.green["spec"]["template"]["metadata"]["annotations"]["team"] == "red"
    for value in ("blue", None):
        case.patch("emqxenterprises", {"metadata": {"annotations": {"team": value}}})
        hand.passes(2)
        assert len(case.sets) == 2, "another value, or none, starts nothing"
    assert case.resource["spec"]["template"]["metadata"]["annotations"]["team"] == "red", "what was copied stays"


def test_a_new_label_orphans_the_running_set(case: Case) -> None:
    """Fact 8: the operator looks its sets up by all labels of the resource, so it does not see the old one again."""
    hand = Hand(case)
    hand.start_cluster(replicas=2, clients=60, delay_s=1)
    blue = hand.blue_pods
    case.patch("emqxenterprises", {"metadata": {"labels": {"team": "red"}}})
    case.wait_until(lambda: len(case.sets) == 2, "second set", within_s=30)
    case.wait_until(lambda: case.addresses() == hand.green_pods, "Endpoints without the old", within_s=90)
    case.holds_for(45.0, lambda: case.replicas() == [2, 2] and not case.blue_green, "no release, and no end of the old")
    assert not starts(case)
    assert sum(case.live()[pod] for pod in blue) == 60, "its clients stay on it"
