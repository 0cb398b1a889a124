"""Facts about the operator's own weaknesses and leftovers: crash, hang, ignored refusals, old sets, dropped Events.

What each label means stands in the README here. A test that breaks the operator has a bed of its own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from tests.cluster.acts import PASS_S, only_the_real, scalings, started, starts, status_writes
from tests.cluster.case import CLOSED_S, Case, Cluster
from tests.cluster.hand import BLUE, GREEN, Hand


def test_removing_blue_green_update_crashes_the_operator_for_every_cluster(
    own_cluster: Cluster, make_case: Callable[..., Case]
) -> None:
    """Fact 7, O11: a nil dereference in each pass; whoever else is managed stands still, and webhooks fail."""
    only_the_real(own_cluster, "a process that dies")
    other, case = make_case(own_cluster), make_case(own_cluster)
    Hand(other).start_cluster(replicas=1, clients=0)
    Hand(case).start_held(replicas=2, clients=60)
    operator = lambda: own_cluster.control.get("/operator")  # noqa: E731
    assert operator()["starts"] == 1
    case.patch_spec(blueGreenUpdate=None)
    case.wait_until(lambda: operator()["starts"] >= 4, "third restart", within_s=90)
    log = (own_cluster.folder / "manager.log").read_text(errors="replace")
    assert "nil pointer dereference" in log
    assert "handleBlueGreenUpdate" in log
    assert case.name in [each["metadata"]["name"] for each in case.sets], "a third set, of the plain name"
    assert len(case.sets) == 3
    sick = {"spec": {"template": {"spec": {"emqxContainer": {"emqxACL": ["{allow, all}."]}}}}}
    case.wait_until(
        lambda: "failed calling webhook" in str(other.try_patch("emqxenterprises", sick, dryRun="All")),
        "refusal to change somebody else's resource",
        within_s=30,
    )
    mended = {"spec": {"blueGreenUpdate": {"initialDelaySeconds": 1_000_000_000, "evacuationStrategy": {}}}}
    case.wait_until(
        lambda: case.try_patch("emqxenterprises", mended).get("kind") == "EmqxEnterprise", "accepted repair"
    )
    at_repair = operator()["starts"]
    case.holds_for(30.0, lambda: operator()["starts"] <= at_repair + 1, "no more than the crash that was under way")
    case.wait_until(lambda: operator()["up"], "operator", within_s=20)


def test_a_hanging_api_stops_the_operator_for_every_cluster(
    own_cluster: Cluster, make_case: Callable[..., Case]
) -> None:
    """Fact 10: its HTTP calls have no time-out, and one worker serves all resources of the kind."""
    only_the_real(own_cluster, "its HTTP client")
    other, case = make_case(own_cluster), make_case(own_cluster)
    Hand(other).start_cluster(replicas=1, clients=0)
    hand = Hand(case)
    hand.start_cluster(replicas=2, clients=0)
    for pod in hand.blue_pods:
        case.to_pod(pod, "hang", hanging=True)
    hand.nudge()
    case.wait_until(lambda: time.time() - status_writes(case)[-1] > PASS_S + 5.0, "hanging pass", within_s=60)
    before = len(status_writes(other))
    other.set_version(GREEN)
    other.holds_for(75.0, lambda: len(status_writes(other)) == before and len(other.sets) == 1, "nobody is served")
    for pod in hand.blue_pods:
        case.to_pod(pod, "hang", hanging=False)
    other.wait_until(lambda: len(other.sets) == 2, "pass of the other cluster", within_s=60)


def test_a_refused_start_is_nobodys_concern(case: Case) -> None:
    """Fact 10, O6: rates that are left out go out as 0 and EMQX refuses; the operator does not read the answer."""
    hand = Hand(case)
    hand.start_held(clients=60)
    case.patch_spec(
        blueGreenUpdate={"initialDelaySeconds": 1, "evacuationStrategy": {"connEvictRate": None, "sessEvictRate": None}}
    )
    case.wait_until(lambda: len(starts(case)) == 3, "third start", within_s=90)
    asked = starts(case)
    assert all((each.body["conn_evict_rate"], each.body["sess_evict_rate"]) == (0, 0) for each in asked)
    assert all(each.answer["code"] == 400 for each in asked)
    assert all(15.0 < later.at - earlier.at < 30.0 for earlier, later in itertools.pairwise(asked))
    assert started(case) == ["blue-2", "blue-1", "blue-0"], "it goes on: refused or not, each pass takes a node"
    assert case.truth()["since_mark"]["evicted"] == 0
    events = " ".join(each["message"] for each in case.list("events"))
    assert "Evacuate node" in events
    assert asked[0].answer["message"] not in events
    print(f"answer {asked[0].answer}; killed {case.truth()['since_mark']['killed']} of 60")


def test_a_start_carries_rates_of_now_no_take_over_of_0_and_all_green_nodes(case: Case) -> None:
    """O6: sent once with each start; the next node is the next lower ordinal; a take-over of 0 is not sent at all."""
    hand = Hand(case)
    hand.start_held(replicas=2, clients=0, rate=7, take_over_s=0)
    green = hand.green_pods
    hand.open()
    case.wait_until(lambda: len(starts(case)) == 1, "first start", within_s=20)
    case.patch_spec(
        blueGreenUpdate={"evacuationStrategy": {"connEvictRate": 50, "sessEvictRate": 60, "waitTakeover": 9}}
    )
    case.wait_until(lambda: len(starts(case)) == 2, "second start", within_s=60)
    assert started(case) == ["blue-1", "blue-0"]
    first, second = ({**each.body, "migrate_to": None} for each in starts(case))
    assert first == {"conn_evict_rate": 7, "sess_evict_rate": 7, "migrate_to": None}
    assert second == {"conn_evict_rate": 50, "sess_evict_rate": 60, "wait_takeover": 9, "migrate_to": None}
    for each in starts(case):
        assert sorted(node.partition("@")[2].partition(".")[0] for node in each.body["migrate_to"]) == green


def test_old_sets_stay_and_two_conditions_stay_true(case: Case) -> None:
    """Fact 11, O10: a set at 0 is never deleted and never used again; its claim stays; the column prints one of two."""
    hand = Hand(case)
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "20Mi"}}}
    hand.start_cluster(replicas=1, clients=0, persistent={"spec": storage})
    hand.begin(replicas=1)
    shown = case.kubectl("get", "emqxenterprises", case.name, "--no-headers").split()
    assert shown[1] == "BlueGreenUpdating"
    assert sorted(_true_conditions(case)) == ["BlueGreenUpdating", "Running"], "both, while a release runs"
    hand.open()
    case.wait_until(lambda: case.replicas() == [0, 1], "end of blue", within_s=60)
    case.wait_until(lambda: not case.blue_green and case.phase == "Running", "Running", within_s=90)
    assert _true_conditions(case) == ["Running", "BlueGreenUpdating"], "and when it is over"
    shown = case.kubectl("get", "emqxenterprises", case.name, "--no-headers").split()
    assert shown[1] == "Running", "the column prints the first that is True"
    old = case.blue["metadata"]["name"]
    case.set_version(BLUE, initialDelaySeconds=1_000_000_000)
    case.wait_until(lambda: case.replicas() == [0, 1, 1], "third set for the first version", within_s=30)
    assert old in [each["metadata"]["name"] for each in case.sets]
    case.wait_until(lambda: len(case.list("persistentvolumeclaims")) == 3, "claim of the third set", within_s=30)
    assert f"{case.name}-data-{old}-0" in [each["metadata"]["name"] for each in case.list("persistentvolumeclaims")]


def _true_conditions(case: Case) -> list[str]:
    return [each["type"] for each in case.resource["status"]["conditions"] if each["status"] == "True"]


def test_events_are_dropped_and_merged_by_the_client(case: Case) -> None:
    """Fact 12: 25 for an object, then one in 5 minutes; from the 10th of a kind on they are merged."""
    hand = Hand(case)
    hand.start_held(replicas=1, clients=10)
    for far in range(30):
        before = len(status_writes(case))
        case.set_delay(CLOSED_S + 1000 * (far + 1))
        case.wait_until(lambda before=before: len(status_writes(case)) > before, "pass", within_s=20)
        case.holds_for(1.1, lambda: True, "")
    told = [each for each in case.list("events") if each["involvedObject"]["kind"] == "EmqxEnterprise"]
    merged = [each for each in told if each["message"].startswith("(combined from similar events)")]
    counted = sum(each.get("count") or 1 for each in told)
    assert counted in (25, 26), "whatever happened; one may have been earned meanwhile"
    assert any(each["reason"] == "Evacuate" for each in merged)
    hand.open()
    case.wait_until(lambda: starts(case) and scalings(case), "start and scale-down", within_s=30)
    case.holds_for(5.0, lambda: not _tells_of_acts(case), "no Event tells of them")
    print(f"{len(status_writes(case))} status writes; {counted} events counted, in {len(told)} objects")


def _tells_of_acts(case: Case) -> list[str]:
    acts = ("Evacuate node", "Scale down")
    return [each["message"] for each in case.list("events") if any(word in each["message"] for word in acts)]
