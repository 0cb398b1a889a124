"""Other hands on a release: killed consoles, somebody's kubectl, two people at once, and fewer rights.

Each test has a namespace of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.case import Case, Cluster
from tests.cluster.promises import Watched
from tests.support.programs import Headless

CLIENTS = 300
HELD_S = 25.0
"""longer than the operator's own 20 s"""
FAILED, HELD, ABORTED = 1, 4, 5
"""exit codes"""


def past_first_node(watched: Watched, driver: Headless) -> None:
    watched.approve(driver, "cut-over", "2")
    driver.until_event("gate", gate="node:1", waits_for="person", within_s=90)
    watched.case.wait_until(lambda: watched.sizes()[watched.blue] == 2, "scale-down")


def status(case: Case) -> dict[str, Any]:
    done = case.console("status", case.name, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# -- an operator that is gone


def test_an_operator_that_dies_is_told_at_once_and_stops_the_policy(
    own_cluster: Cluster, make_case: Callable[..., Case]
) -> None:
    """A drain that runs goes on inside EMQX; no policy approves the next one, and a person may."""
    case = make_case(own_cluster)
    case.start_cluster(clients=CLIENTS, rate=5)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "auto") as driver:
        driver.until_event("approved", gate="node:2", within_s=240)
        case.wait_until(lambda: case.live()[watched.pod(2)] < 90, "drain", within_s=60)
        own_cluster.control.post("/operator", {"up": False})
        case.wait_until(lambda: not own_cluster.control.get("/operator")["up"], "death of the operator")
        told = status(case)
        assert any("the operator is down" in problem for problem in told["problems"]), told["problems"]
        # By policy auto nobody is there to lift the hold.
        assert driver.end(within_s=120) == HELD
        assert [each["gate"] for each in driver.told if each["event"] == "approved"] == ["cut-over", "node:2"]
    own_cluster.control.post("/operator", {"up": True})
    case.wait_until(lambda: not status(case)["problems"], "operator", within_s=60)
    watched.say("resume")
    with watched.carry_on("--approve", "auto") as driver:
        assert driver.end(within_s=300) == 0
    watched.everybody_is_back(within_s=70)


# -- consoles that were killed


def test_an_abort_whose_driver_was_killed_is_ended_by_giving_it_again(case: Case) -> None:
    """Nobody drives: the command takes the lease and acts, and names no dead process."""
    case.start_cluster(clients=CLIENTS, rate=5)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        past_first_node(watched, driver)
        watched.say("abort", "--confirm", case.name)
        driver.until_event("phase", phase="aborting", within_s=30)
        driver.kill()
    done = case.console("abort", case.name, "--confirm", case.name, within_s=240)
    assert done.returncode == 0, done.stderr
    assert "nobody drives this release: this console acts on it" in done.stdout
    watched.check_ended("4.4.14", watched.blue)


def test_resume_of_an_approved_cut_over_stays_through_its_canary(case: Case) -> None:
    """No address is out of the Service while nobody looks at it."""
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over")
        case.wait_until(lambda: len(set(watched.pods(watched.blue)) - set(case.addresses())) == 1, "canary")
        watched.say("hold")
        driver.kill()
    done = case.console("resume", case.name, within_s=240)
    assert done.returncode == 0, done.stderr
    assert case.addresses() == watched.pods(watched.green)
    with watched.carry_on("--approve", "auto") as driver:
        assert driver.end(within_s=240) == 0
    watched.check_ended("4.4.15", watched.green)


# -- somebody's kubectl


def test_a_release_that_kubectl_began_is_stopped_and_adopted(case: Case) -> None:
    """List, `status` and the verbs tell one truth; from then on every step waits for its gate."""
    case.start_cluster(clients=CLIENTS, delay_s=120)
    watched = Watched(case)
    case.set_version("4.4.15")
    case.wait_for_green()
    listed = case.console("get", case.name)
    assert "Ungated" in listed.stdout, listed.stdout
    assert status(case)["ungated"] is not None
    watched.say("hold")
    assert watched.is_closed()
    watched.say("adopt", "--confirm", case.name)
    with watched.carry_on() as driver:
        watched.approve(driver, "cut-over", "2", "1", "0")
        assert driver.end(within_s=180) == 0
    watched.check_ended("4.4.15", watched.green)
    assert case.truth()["since_mark"]["evicted"] == CLIENTS


def test_resuming_while_the_cause_stands_says_what_holds(case: Case) -> None:
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        driver.until_event("gate", gate="cut-over", waits_for="person", within_s=90)
        case.kubectl("scale", "statefulset", watched.blue, "--replicas=2")
        driver.until_event("hold", within_s=60)
        done = case.console("resume", case.name)
        assert done.returncode == HELD, done.stdout
        assert "blue-not-whole" in done.stderr
        assert case.console("approve", case.name, "cut-over").returncode == HELD
        case.kubectl("scale", "statefulset", watched.blue, "--replicas=3")


# -- rights and people


def test_without_the_right_to_patch_endpoints_a_console_looks_on(case: Case) -> None:
    """It takes no lease of a release that it could not bring to its end."""
    case.start_cluster(clients=CLIENTS)
    _allow_all_but_endpoints(case)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        past_first_node(watched, driver)
        driver.kill()
    before = case.get("leases", f"emqx-tui-{case.name}")["spec"]
    words = ["rollout", "--context", "namespace-only", *case.flags, "-o", "jsonl", "--approve", "auto", case.name]
    with Headless(words, case.home) as other:
        other.until_event("progress", within_s=60)
        case.holds_for(HELD_S, lambda: watched.sizes()[watched.blue] == 2, "it went on")
    assert case.get("leases", f"emqx-tui-{case.name}")["spec"] == before
    assert watched.asked("start") == [watched.pod(2)]


def _allow_all_but_endpoints(case: Case) -> None:
    rbac = "rbac.authorization.k8s.io"
    rules: list[dict[str, Any]] = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create"]},
        {"apiGroups": ["apps.emqx.io"], "resources": ["*"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets", "services"], "verbs": ["patch", "delete"]},
        {"apiGroups": ["apps"], "resources": ["statefulsets/scale"], "verbs": ["patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["patch", "delete"]},
    ]
    case.create("roles", {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "few"}, "rules": rules})
    made = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "few"},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "few"},
        "subjects": [{"apiGroup": rbac, "kind": "Group", "name": "bed:namespace-only"}],
    }
    case.create("rolebindings", made)


def test_two_people_who_start_at_once_begin_one_release(case: Case) -> None:
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "auto") as one, case.release("4.4.15", "--approve", "auto") as other:
        codes = {one.end(within_s=300), other.end(within_s=300)}
    assert 0 in codes
    assert codes <= {0, FAILED}
    watched.check_ended("4.4.15", watched.green)
    assert watched.asked("start") == [watched.pod(2), watched.pod(1), watched.pod(0)]


def test_an_abort_in_the_middle_of_a_node_tells_what_it_cost(case: Case) -> None:
    """At half of the second node: disconnects are those that the clients saw, or said to be the least."""
    case.start_cluster(clients=CLIENTS, rate=5)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over", "2", "1")
        case.wait_until(lambda: 30 < case.live()[watched.pod(1)] < 60, "middle of the drain", within_s=60)
        watched.say("abort", "--confirm", case.name)
        assert driver.end(within_s=240) == ABORTED
    last, truth = driver.told[-1], case.truth()["since_mark"]
    seen = (truth["evicted"] + truth["killed"]) / CLIENTS
    told = last["disconnects_per_client"]
    assert told <= seen + 0.005
    assert last["disconnects_at_least"] or told == pytest.approx(seen, abs=0.01), (told, seen)
    watched.check_ended("4.4.14", watched.blue)
