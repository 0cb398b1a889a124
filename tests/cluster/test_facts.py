"""Facts about the operator, shown on the real one: the valve, and which set it takes for the old one.

What each label means stands in the README here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.cluster.acts import is_ready, only_the_real, scalings, started, status_writes
from tests.cluster.case import Case, Cluster
from tests.cluster.hand import BLUE, Hand


def test_a_delay_raised_at_any_time_holds_start_and_scale_down(case: Case) -> None:
    """Fact 1, O3: the delay counts on every pass, so both destructive acts wait for it, before and in the middle."""
    hand = Hand(case)
    hand.start_held(clients=150)
    case.holds_for(25.0, lambda: not started(case) and case.replicas() == [3, 3], "held before the first act")
    top = hand.blue_pods[-1]
    hand.drain(top, hand.green_pods)
    hand.hurry(lambda: case.blue_green.get("evacuationsStatus"), "stored evacuation")
    case.holds_for(45.0, lambda: case.replicas() == [3, 3], "a drained node stays while the operator is held")
    opened_at = time.monotonic()
    hand.open()
    case.wait_until(lambda: case.replicas() == [2, 3], "scale-down", within_s=20)
    assert time.monotonic() - opened_at < 10.0, "it takes effect with the patch, not with the next 20 s pass"
    hand.nudge()
    case.holds_for(25.0, lambda: not started(case) and case.replicas() == [2, 3], "held in the middle")
    assert case.truth()["since_mark"]["killed"] == 0


def test_a_held_operator_makes_no_pass_but_for_a_patch_or_its_own_start(
    own_cluster: Cluster, make_case: Callable[..., Case]
) -> None:
    """Fact 2: its next pass is due after the whole rest of the delay; a patch that changes nothing wakes it too."""
    only_the_real(own_cluster, "its webhook, and a process that is started anew")
    case = make_case(own_cluster)
    hand = Hand(case)
    hand.start_held(replicas=2, clients=0)
    case.wait_until(lambda: time.time() - status_writes(case)[-1] > 5.0, "silence")
    before = len(status_writes(case))
    case.holds_for(45.0, lambda: len(status_writes(case)) == before, "twice 20 s without a pass")
    case.patch("emqxenterprises", {"status": {"readyReplicas": 1}}, sub="status")
    case.holds_for(5.0, lambda: len(status_writes(case)) == before, "no pass for a status")
    generation = case.resource["metadata"]["generation"]
    assert case.patch("emqxenterprises", {"spec": {}})["metadata"]["generation"] == generation + 1
    case.wait_until(lambda: len(status_writes(case)) > before, "pass for a patch without a change", within_s=10)
    case.wait_until(lambda: time.time() - status_writes(case)[-1] > 3.0, "silence")
    before = len(status_writes(case))
    for up in (False, True):
        own_cluster.control.post("/operator", {"up": up})
    case.wait_until(lambda: len(status_writes(case)) > before, "pass of a new operator", within_s=60)
    case.holds_for(25.0, lambda: not started(case) and case.replicas() == [2, 2], "the new one is held as well")


def test_a_closed_valve_freezes_endpoints_readiness_gates_and_status(case: Case) -> None:
    """Fact 3, O4: a pod that is made anew does not become Ready, and the address of a dead one stays."""
    hand = Hand(case)
    hand.start_held(clients=90)
    lost = [hand.blue_pods[1], hand.green_pods[1]]
    case.wait_until(lambda: time.time() - status_writes(case)[-1] > 3.0, "silence")
    blue_only, status = case.get("endpoints")["subsets"], case.resource["status"]
    dead_ips = {case.get("pods", pod)["status"]["podIP"] for pod in lost}
    assert {f"{case.green['metadata']['name']}-2"} & set(hand.green_pods)
    for pod in lost:
        case.to_pod(pod, "kill")
    case.wait_until(lambda: hand.running(BLUE) == 3 and hand.running("4.4.15") == 3, "brokers of the new pods")

    def frozen() -> bool:
        addresses_are = case.get("endpoints")["subsets"] == blue_only
        return addresses_are and not any(is_ready(case.find("pods", pod)) for pod in lost)

    case.holds_for(45.0, lambda: frozen() and case.resource["status"] == status, "frozen")
    assert dead_ips & {each["ip"] for each in blue_only[0]["addresses"]}, "the address of a pod that is gone"
    hand.passes(1)
    case.wait_until(lambda: case.resource["status"] != status, "status after a nudge", within_s=10)
    case.holds_for(10.0, frozen, "a nudge mends the status only")
    print(f"tcp refused {case.truth()['since_mark']['tcp_refused']} of {case.clients} clients' attempts")


def test_reverting_the_template_takes_the_old_set_all_the_same(case: Case) -> None:
    """Fact 4, O8: size and age decide which set is old; the reverted template only makes it grow back each time."""
    hand = Hand(case)
    hand.start_held(clients=150, rate=1)
    case.set_version(BLUE, initialDelaySeconds=1)
    blue, green = case.blue["metadata"]["name"], case.green["metadata"]["name"]
    case.wait_until(lambda: (3, 2) in _steps(case, blue), "scale-down of the old set", within_s=60)
    case.wait_until(lambda: (2, 3) in _steps(case, blue), "the old set back at its size", within_s=60)
    case.holds_for(100.0, lambda: case.green["spec"]["replicas"] == 3, "no green pod is ever taken")
    assert all(pod.startswith("blue-") for pod in started(case))
    assert not _steps(case, green)
    truth = case.truth()
    assert truth["since_mark"]["killed"] > 0
    print(f"after 2 min: sets {case.replicas()}, steps of blue {_steps(case, blue)}, starts {started(case)}")
    print(f"killed {truth['since_mark']['killed']}, evicted {truth['since_mark']['evicted']} of 150")


def _steps(case: Case, name: str) -> list[tuple[int, int]]:
    return [(each.before, each.after) for each in scalings(case) if each.name == name]


def test_fewer_replicas_during_a_release_turn_its_direction_round(case: Case) -> None:
    """Fact 4: the larger set is never the old one, so the new set would be drained."""
    hand = Hand(case)
    hand.start_held(clients=0)
    blue, green = case.blue["metadata"]["name"], case.green["metadata"]["name"]
    assert case.blue_green["originStatefulSet"] == blue
    case.patch_spec(replicas=2)
    case.wait_until(lambda: case.replicas() == [3, 2], "smaller green set", within_s=20)
    case.wait_until(lambda: hand.settled(case.green), "two green pods")
    hand.hurry(lambda: case.blue_green.get("originStatefulSet") == green, "other direction")
    assert case.blue_green["currentStatefulSet"] == blue
