"""The verdicts on design K that concern the operator: what a closed valve lets through, and who wins on Endpoints.

Each test acts as a hand with patches and looks at what the real operator does. Labels ("verdict 2") are those of the
table in the README of this folder.
"""

from __future__ import annotations

import pytest

from tests.cluster.case import Case
from tests.cluster.hand import GREEN, OPERATOR, SOON_S, Hand


@pytest.fixture
def hand(case: Case) -> Hand:
    return Hand(case)


def test_a_held_operator_writes_green_and_its_status_and_nothing_else(hand: Hand) -> None:
    """Verdict 1: neither nudges, nor a drained blue node, nor foreign changes to blue make it do more.

    This is what the console's one rule stands on: the valve is closed from the first patch to the end.
    """
    case = hand.case
    hand.start_held()
    hand.drain(hand.blue_pods[-1], hand.green_pods)
    hand.passes()
    assert [each["state"] for each in case.blue_green["evacuationsStatus"]] == ["prohibiting"]
    before = len(case.audit())
    blue, green = case.blue, case.green
    hand.passes(4)
    written = {
        (entry["objectRef"]["resource"], entry["objectRef"].get("subresource", ""), entry["objectRef"].get("name", ""))
        for entry in case.audit()[before:]
        if OPERATOR in entry["user"]["username"] and entry["objectRef"]["resource"] != "events"
    }
    assert written == {
        ("emqxenterprises", "status", case.name),
        ("statefulsets", "", green["metadata"]["name"]),
    }
    assert case.blue["metadata"]["resourceVersion"] == blue["metadata"]["resourceVersion"]
    assert case.green["metadata"]["resourceVersion"] != green["metadata"]["resourceVersion"]
    assert case.green["metadata"]["generation"] == green["metadata"]["generation"]
    # Foreign changes and time are no reason for a pass.
    hand.quiet()
    before = len(case.audit("emqxenterprises", "status", OPERATOR))
    assert "code" not in hand.scale(blue, 2)
    case.holds_for(45, lambda: len(case.audit("emqxenterprises", "status", OPERATOR)) == before, "no pass of its own")
    assert hand.starts() == []
    assert case.replicas() == [2, 3]


def test_a_third_template_makes_a_third_set_even_while_held(hand: Hand) -> None:
    """Verdict 1, 5: it has N pods at once, and then blue at 0 is no reset any more.

    The console holds by itself when it sees a third set.
    """
    case = hand.case
    hand.start_held(replicas=2, clients=0)
    case.set_version("4.4.16")
    case.wait_until(lambda: len(case.sets) == 3, "third set", within_s=SOON_S)
    assert case.replicas() == [2, 2, 2]
    case.wait_until(lambda: hand.running("4.4.16") == 2, "third set in EMQX")
    hand.passes()
    assert case.blue_green["currentStatefulSet"] == case.green["metadata"]["name"], "the pair of oldest sets"
    hand.scale(case.blue, 0)
    case.wait_until(lambda: hand.settled(case.blue), "blue gone")
    hand.passes(3)
    assert case.blue_green.get("startedAt"), "two sets are left: no reset"
    assert not any(hand.ready(pod) for pod in hand.pods(case.sets[2])), "nobody sets its gates"


def test_a_foreign_write_to_endpoints_stays_as_long_as_the_operator_is_held(hand: Hand) -> None:
    """Verdict 2: addresses, their order, nodeName and targetRef stay as written, and clients follow at once."""
    case = hand.case
    hand.start_held(churn_per_s=2.0)
    assert case.addresses() == hand.blue_pods, "green is not listed by the pass that sets startedAt"
    wanted = list(reversed(hand.green_pods))
    hand.switch(wanted)
    case.wait_until(lambda: hand.routed() == hand.green_pods, "clients' way")
    listed = [hand.address(pod) for pod in wanted]
    hand.passes(4)
    assert case.get("endpoints")["subsets"][0]["addresses"] == listed
    before = {pod: case.live().get(pod, 0) for pod in hand.blue_pods}
    case.wait_until(lambda: sum(case.live()[pod] for pod in hand.green_pods) >= 10, "clients on green")
    assert all(case.live()[pod] <= before[pod] for pod in hand.blue_pods)
    assert case.truth()["since_mark"]["evicted"] == case.truth()["since_mark"]["refused"] == 0


def test_a_foreign_write_to_endpoints_is_lost_after_a_reset_and_stays_after_it(hand: Hand) -> None:
    """Verdict 2: while one set is incomplete full passes write both colours; with startedAt back ours stays again.

    The console compares and writes again after each of the operator's writes until names and startedAt are back.
    """
    case = hand.case
    hand.start_held(clients=0)
    hand.switch(hand.green_pods)
    gone = hand.blue_pods[-1]
    uid = case.get("pods", gone)["metadata"]["uid"]
    case.times(boots={"4.4.14": 15.0})
    case.to_pod(gone, "kill")
    case.wait_until(
        lambda: (case.find("pods", gone) or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid, "new pod"
    )
    hand.nudge()
    case.wait_until(lambda: not case.blue_green, "reset", within_s=SOON_S)
    case.wait_until(lambda: case.addresses() == sorted([*hand.blue_pods[:-1], *hand.green_pods]), "both colours")
    hand.hurry(lambda: case.blue_green.get("startedAt"), "startedAt again")
    assert "code" not in hand.switch(hand.green_pods)
    hand.passes(3)
    assert case.addresses() == hand.green_pods


def test_before_started_at_a_foreign_write_to_endpoints_does_not_stay(hand: Hand) -> None:
    """Verdict 2: with one green pod that never becomes Ready the phase has no end, valve closed or not.

    The console answers each of the operator's writes; it nudges only when all green nodes are in EMQX.
    """
    case = hand.case
    hand.start_cluster(clients=0)
    case.times(boots={f"{GREEN}/2": 600.0})
    case.set_version(GREEN)
    case.wait_until(lambda: len(case.sets) == 2 and len(hand.green_pods) == 3, "green")
    ready = sorted([*hand.blue_pods, *hand.green_pods[:2]])
    case.wait_until(lambda: case.addresses() == ready, "green pods in Endpoints", within_s=120)
    for _ in range(2):
        hand.switch(hand.blue_pods)
        case.wait_until(lambda: case.addresses() == ready, "the operator's next write", within_s=45)
    assert not case.blue_green


def test_a_broker_resource_of_the_same_name_writes_endpoints_in_spite_of_the_hold(hand: Hand) -> None:
    """Verdict 1, exception: it has the same labels and no delay, so its passes list both colours, and it adds a set.

    The console's pre-flight refuses to start beside one.
    """
    case = hand.case
    hand.start_held(replicas=2, clients=0)
    hand.switch(hand.green_pods)
    ours = sorted([*hand.blue_pods, *hand.green_pods])
    template = {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx", "version": "4.4.14"}}}}
    made = {
        "apiVersion": "apps.emqx.io/v1beta4",
        "kind": "EmqxBroker",
        "metadata": {"name": case.name},
        "spec": {"replicas": 1, "template": template},
    }
    brokers = f"/apis/apps.emqx.io/v1beta4/namespaces/{case.namespace}/emqxbrokers"
    case.must(case.cluster.call("POST", brokers, made))
    case.wait_until(lambda: case.addresses() == ours, "both colours", within_s=SOON_S)
    assert len(case.sets) == 3
    case.wait_until(lambda: case.addresses() == sorted([*ours, f"{case.name}-0"]), "its own pod", within_s=90)
    assert case.blue_green.get("startedAt"), "held all the time"
    case.must(case.cluster.call("DELETE", f"{brokers}/{case.name}"))
