"""Verdicts 4 and 5: blue scaled by hand, and what the operator does when the old template comes back.

Every case begins with both sets complete and the valve closed, as the console leaves it at any moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.acts import scalings, starts
from tests.cluster.case import Case, Cluster
from tests.cluster.hand import BLUE, OPERATOR, SOON_S, Hand

Object = dict[str, Any]


@pytest.fixture
def hand(case: Case) -> Hand:
    return Hand(case)


def restore_template(case: Case) -> Object:
    """As an abort does, and as a GitOps controller does that knows only the old version."""
    image = {"image": {"version": BLUE}}
    return case.patch_spec(template={"spec": {"emqxContainer": image}})


def scaled_by_hand(hand: Hand, replicas: int) -> None:
    assert "code" not in hand.scale(hand.case.blue, replicas)
    hand.case.wait_until(lambda: hand.settled(hand.case.blue), "settled blue")


def test_blue_scaled_by_hand_stays_while_held_and_stale_preconditions_are_refused(hand: Hand) -> None:
    """Verdict 4: uid and resourceVersion of what was read go along with the console's scale."""
    case = hand.case
    hand.start_held()
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    case.cluster.control.post(f"/clusters/{case.namespace}/{case.name}/mark")
    seen = case.blue["metadata"]
    foreign = hand.scale(
        case.blue, 2, uid="7e1c3b1e-0000-4000-8000-000000000000", resourceVersion=seen["resourceVersion"]
    )
    assert (foreign["code"], foreign["reason"]) == (409, "Conflict")
    precise = {"uid": seen["uid"], "resourceVersion": seen["resourceVersion"]}
    assert hand.scale(case.blue, 2, **precise)["spec"]["replicas"] == 2
    stale = hand.scale(case.blue, 1, **precise)
    assert (stale["code"], stale["reason"]) == (409, "Conflict")
    case.wait_until(lambda: hand.settled(case.blue), "settled blue")
    hand.passes(3)
    assert case.replicas() == [2, 3]
    assert scalings(case) == []
    assert case.truth()["since_mark"]["killed"] == 0
    assert case.blue_green.get("startedAt"), "a settled set is no reset"


@pytest.mark.parametrize("answering", [True, False], ids=["EMQX answers", "EMQX does not answer"])
def test_the_old_template_brings_blue_back_to_full_size_while_held(hand: Hand, answering: bool) -> None:
    """Verdict 4 (GitOps revert), verdict 5 (abort): in the very pass, and without an ack when EMQX does not answer.

    So the console takes blue's size as evidence, not a status write; a revert that it did not do makes it hold.
    """
    case = hand.case
    hand.start_held(clients=0)
    scaled_by_hand(hand, 1)
    written = len(hand.writes("statefulsets"))
    if not answering:
        hand.spoil("nodes")
    patched = int(restore_template(case)["metadata"]["resourceVersion"])
    case.wait_until(lambda: case.replicas() == [3, 3], "blue's old size", within_s=SOON_S)
    names = {each["objectRef"]["name"] for each in hand.writes("statefulsets", after=written)}
    assert case.blue["metadata"]["name"] in names, "the operator wrote it"
    if answering:
        case.wait_until(lambda: hand.version() > patched, "ack")
    else:
        case.holds_for(5, lambda: hand.version() == patched, "no ack")
        hand.mend("nodes")
    case.wait_until(lambda: hand.running(BLUE) == 3, "blue brokers")
    hand.passes(2)
    assert len(case.sets) == 2, "no third set"
    assert starts(case) == []


@pytest.mark.parametrize("first_up", [False, True], ids=["blue at 0", "blue scaled up first"])
def test_the_old_template_makes_a_third_set_when_blue_is_at_0(hand: Hand, first_up: bool) -> None:
    """Verdict 5: a set at 0 is invisible and its name is taken; the console scales blue up before the template."""
    case = hand.case
    hand.start_held(replicas=2, clients=0)
    scaled_by_hand(hand, 0)
    if first_up:
        scaled_by_hand(hand, 2)
        case.wait_until(lambda: hand.running(BLUE) == 2, "blue brokers")
    restore_template(case)
    if first_up:
        hand.passes(2)
        assert case.replicas() == [2, 2]
    else:
        case.wait_until(lambda: len(case.sets) == 3, "third set", within_s=SOON_S)
        assert case.replicas() == [0, 2, 2]
        images = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in case.sets]
        assert images[0] == images[2] != images[1]


def test_the_delay_restored_before_the_reset_scales_blue_below_0(hand: Hand) -> None:
    """Verdict 4: with EMQX silent the stale names and the empty list make the operator ask for -1, and fail.

    The console restores the user's delay only when it has seen the reset.
    """
    case = hand.case
    hand.start_held(replicas=2, clients=0)
    scaled_by_hand(hand, 0)
    hand.spoil("nodes")
    hand.open(5)

    def refused() -> list[Object]:
        written = case.audit("statefulsets", "", OPERATOR)
        return [each for each in written if each["responseStatus"]["code"] == 422]

    case.wait_until(refused, "a refused scale", within_s=SOON_S)
    assert refused()[0]["requestObject"]["spec"]["replicas"] == -1
    assert any(text.endswith("to -1") for text in hand.events("Scale down"))
    hand.mend("nodes")
    case.wait_until(lambda: not case.blue_green, "reset", within_s=SOON_S)
    assert case.replicas() == [0, 2]


def test_an_open_valve_in_the_abort_restores_blue_and_scales_it_down_again(hand: Hand) -> None:
    """Step 5b, worse than read: a pass restores blue; that pass or the next both starts on a pod and scales down.

    Read was "restores a pod and starts on the next one". The console's abort keeps the valve closed to its end.
    """
    case = hand.case
    hand.start_held(rate=1, take_over_s=600)
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    hand.passes()
    hand.open()
    case.wait_until(lambda: case.replicas() == [2, 3], "scale-down of the drained node", within_s=SOON_S)
    case.wait_until(lambda: hand.settled(case.blue), "settled blue")
    assert starts(case) == []
    restore_template(case)
    case.wait_until(lambda: starts(case), "start", within_s=SOON_S)
    blue = case.blue["metadata"]["name"]
    assert all(each.name == blue for each in scalings(case))
    drained, up, down = scalings(case)[:3]
    assert (drained.after, up.after, down.after) == (2, 3, 2)
    assert abs(starts(case)[0].at - down.at) < 3, "the same pass"
    assert starts(case)[0].pod in (f"{blue}-1", f"{blue}-2"), "which one depends on the operator's cache"


def test_after_the_abort_two_full_passes_bring_all_blue_pods_back(hand: Hand) -> None:
    """Verdict 5, end: the first lists only pods whose gate survived, for the listener runs before the gates."""
    case = hand.case
    hand.start_held(clients=0)
    hand.quiet()
    scaled_by_hand(hand, 2)
    restore_template(case)
    case.wait_until(lambda: hand.running(BLUE) == 3, "blue brokers", within_s=SOON_S)
    again = hand.blue_pods[-1]
    hand.passes(2)
    assert not hand.ready(again), "nobody sets its gate while held"
    assert case.replicas() == [3, 3]
    before = len(hand.writes("endpoints"))
    assert "code" not in hand.scale(case.green, 0)
    case.wait_until(lambda: hand.settled(case.green), "green gone")
    hand.nudge()
    case.wait_until(lambda: not case.blue_green, "reset", within_s=SOON_S)
    case.wait_until(lambda: len(hand.writes("endpoints")) > before, "first full pass")
    case.wait_until(lambda: hand.ready(again), "its gate", within_s=SOON_S)
    hand.nudge()
    case.wait_until(lambda: case.addresses() == hand.blue_pods, "second full pass", within_s=SOON_S)
    first = hand.writes("endpoints")[before]["requestObject"]["subsets"][0]["addresses"]
    assert sorted(each["targetRef"]["name"] for each in first) == hand.blue_pods[:-1]
    assert case.replicas() == [3, 0]
    assert case.phase == "Running"


def test_a_restart_of_blue_by_template_is_undone_by_the_old_template_with_another_restart(hand: Hand) -> None:
    """Verdict 5: what somebody puts into blue's template while held goes with the operator's next write of blue.

    The console compares updateRevision with the recorded one before it restores the template.
    """
    case = hand.case
    hand.start_held(replicas=1, clients=0)
    revision = case.blue["status"]["updateRevision"]
    uid = case.pods_of(case.blue)[0]["metadata"]["uid"]
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    case.patch("statefulsets", {"spec": {"template": restarted}}, case.blue["metadata"]["name"])
    case.wait_until(lambda: _uids(hand) not in ([uid], []), "restart")
    [second] = _uids(hand)
    case.wait_until(lambda: hand.running(BLUE) == 1, "blue broker")
    hand.passes(2)
    assert case.blue["status"]["updateRevision"] != revision, "a held operator leaves blue's template alone"
    restore_template(case)
    case.wait_until(lambda: case.blue["status"]["updateRevision"] == revision, "old revision", within_s=SOON_S)
    case.wait_until(lambda: _uids(hand) not in ([second], []), "second restart")


def _uids(hand: Hand) -> list[str]:
    return [pod["metadata"]["uid"] for pod in hand.case.pods_of(hand.case.blue)]


def test_green_scaled_to_0_before_the_old_template_is_made_anew_as_a_third_set(hand: Hand) -> None:
    """F9, refuted in part: no pass sets green back to N; it is invisible then, so a pass makes a third set.

    The console waits for the ack of the old template before it scales green.
    """
    case = hand.case
    hand.start_held(replicas=2, clients=0)
    assert "code" not in hand.scale(case.green, 0)
    case.wait_until(lambda: hand.settled(case.green), "green gone")
    # The first pass may still read green from a cache that is behind.
    hand.passes(3)
    case.wait_until(lambda: len(case.sets) == 3, "third set", within_s=SOON_S)
    assert case.replicas() == [2, 0, 2]


def test_a_rebalance_is_accepted_in_the_middle_of_a_release(hand: Hand) -> None:
    """Verdict 1: over the nodes of both colours, for an old Running entry survives behind BlueGreenUpdating."""
    case = hand.case
    hand.start_held(replicas=2, clients=0)
    # The simulated EMQX knows no rebalance; what counts is that the operator asks for it.
    hand.spoil("/start", 200, '{"code":0,"data":[]}')
    strategy = {"connEvictRate": 10, "sessEvictRate": 10, "waitTakeover": 1, "waitHealthCheck": 1}
    made = {
        "apiVersion": "apps.emqx.io/v2beta1",
        "kind": "Rebalance",
        "metadata": {"name": "foreign"},
        "spec": {"instanceKind": "EmqxEnterprise", "instanceName": case.name, "rebalanceStrategy": strategy},
    }
    assert case.phase == "BlueGreenUpdating"
    case.create("rebalances", made)
    # It is deleted with the namespace: in Processing that would crash the operator, which reads the first of no states.
    case.wait_until(lambda: _rebalance(case) == "Completed", "a rebalance that was accepted", within_s=SOON_S)
    asked = [each for each in case.asked("load_rebalance") if each["way"] == "direct"]
    assert asked[0]["path"].endswith("/start")
    assert all(hand.node(pod) in asked[0]["body"] for pod in (*hand.blue_pods, *hand.green_pods))


def _rebalance(case: Case) -> str:
    return str((case.get("rebalances", "foreign").get("status") or {}).get("phase"))


def test_with_the_operator_down_only_its_own_kind_cannot_be_patched(
    own_cluster: Cluster, make_case: Callable[..., Case]
) -> None:
    """Verdict 5: no nudge, no template, no delay. Endpoints, scale and EMQX work: the console's abort begins there."""
    case = make_case(own_cluster)
    hand = Hand(case)
    hand.start_held(replicas=2, clients=20)
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    case.cluster.control.post("/operator", {"up": False})
    refused = case.try_patch("emqxenterprises", {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 5}}})
    assert refused["code"] == 500
    assert "webhook" in refused["message"]
    assert hand.stop(hand.blue_pods[-1])["code"] == 0
    assert "code" not in hand.switch(hand.green_pods)
    case.wait_until(lambda: hand.routed() == hand.green_pods, "clients' way")
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    scaled_by_hand(hand, 1)
    case.cluster.control.post("/operator", {"up": True})
    case.wait_until(lambda: case.cluster.control.get("/operator")["up"], "operator")
    written = len(hand.writes("emqxenterprises", "status"))
    case.wait_until(lambda: len(hand.writes("emqxenterprises", "status")) > written, "its first pass", within_s=120)
    case.holds_for(10, lambda: case.replicas() == [1, 2] and case.addresses() == hand.green_pods, "held as before")
