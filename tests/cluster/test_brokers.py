"""Whole releases on brokers that are programs, with MQTT clients that publish and subscribe with QoS 1.

Each test has a bed of its own. The brokers are those of EMQX_TUI_CLUSTER_BROKERS, or else the stand-in: what is said
here holds for both. What happened to clients and messages is what the clients themselves counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.cluster.bed.brought import BROKERS, versions
from tests.cluster.case import Case, Cluster
from tests.cluster.promises import CONSOLE, Watched, is_rehearsal
from tests.support.programs import Headless

CLIENTS = 244
RATE_PER_S = 5
AWAY_S = 5.0
"""No client was offline for longer: it comes back after a second, and a busy machine takes its time."""
PAUSED_S = 90.0
OF_FIGURES = {"drain-stalled", "clients-missing"}
"""alarms that rest on what brokers say of their clients"""
NUDGES = 20
"""in those 90 s; before there was a bound there were 53"""


@pytest.fixture
def case(brought_cluster: Cluster, make_case: Callable[..., Case]) -> Case:
    """A running cluster of the first version that the brokers can report, with its clients."""
    made = make_case(brought_cluster)
    made.start_cluster(clients=CLIENTS, version=versions(BROKERS)[0], rate=RATE_PER_S)
    return made


@pytest.fixture
def blue(case: Case) -> str:
    return versions(BROKERS)[0]


@pytest.fixture
def green(case: Case) -> str:
    return versions(BROKERS)[1]


def no_message_is_lost(case: Case) -> None:
    """Each message that a broker has acknowledged arrived."""
    case.wait_until(lambda: not case.truth()["messages"]["lost"], "messages", within_s=20)
    assert case.truth()["messages"]["acknowledged"] > 1000


def told_is_true(case: Case, finished: Mapping[str, Any]) -> None:
    truth = case.truth()["since_mark"]
    assert finished["disconnects_per_client"] == pytest.approx(truth["evicted"] / CLIENTS, abs=0.005)
    assert (finished["clients_lost"], truth["killed"], truth["refused"], truth["unanswered"]) == (0, 0, 0, 0)


def test_by_policy_auto_every_client_moves_once(case: Case, green: str) -> None:
    watched = Watched(case)
    with case.release(green, "--approve", "auto") as driver:
        assert driver.end(within_s=400) == 0
    truth = case.truth()
    assert truth["since_mark"]["evicted"] == CLIENTS
    assert truth["longest_absence_s"] < AWAY_S
    told_is_true(case, driver.told[-1])
    no_message_is_lost(case)
    watched.check_ended(green, watched.green)


def test_every_node_approved_and_an_abort_after_node_2(case: Case, blue: str, green: str) -> None:
    watched = Watched(case)
    with case.release(green, "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over", "2")
        driver.until_event("gate", gate="node:1", waits_for="person", within_s=90)
        case.wait_until(lambda: watched.sizes()[watched.blue] == 2, "scale-down")
        watched.say("abort", "--confirm", case.name)
        assert driver.end(within_s=300) == 5
    told_is_true(case, driver.told[-1])
    assert case.truth()["longest_absence_s"] < AWAY_S
    no_message_is_lost(case)
    watched.check_ended(blue, watched.blue)


def test_a_green_broker_that_is_stopped_for_90_s_in_a_drain(case: Case, green: str) -> None:
    """Nothing is decided on figures that nobody has, no Ready pod leaves the Endpoints, and nobody is lost for good."""
    watched = Watched(case)
    with case.release(green, "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over", "2")
        case.wait_until(lambda: 20 < case.live()[watched.pod(2)] < 70, "middle of the drain", within_s=60)
        stopped, *_ = ready = watched.pods(watched.green)
        told, began_at = len(driver.told), time.time()
        case.to_pod(stopped, "pause")
        seen: list[str] = []

        def stays_listed() -> bool:
            seen.append(case.console("status", case.name).stdout)
            return set(ready) <= set(case.addresses())

        case.holds_for(PAUSED_S, stays_listed, "a Ready green pod left the Endpoints")
        case.to_pod(stopped, "continue")
        assert nudges(case, began_at) <= NUDGES
        # The first looks may be of before its silence was noticed.
        assert all(says_unknown(status, stopped) for status in seen[len(seen) // 3 :]), seen[-1]
        carry_on(watched, driver, "node:1", "node:0")
        assert driver.process.wait(60) == 0
    checks = {each["check"] for each in driver.told[told:] if each["event"] == "alarm"}
    assert not checks & OF_FIGURES
    watched.everybody_is_back(within_s=120)
    assert watched.sizes() == {watched.blue: 0, watched.green: 3}
    assert case.resource["spec"]["blueGreenUpdate"]["initialDelaySeconds"] == watched.delay_s


def nudges(case: Case, since: float) -> int:
    """Writes of a console to the resource, each of which makes the operator pass; a dry run makes none."""
    sent = [each for each in case.audit("emqxenterprises", since=since) if not is_rehearsal(each)]
    return sum(each.get("userAgent", "").startswith(CONSOLE) for each in sent)


def says_unknown(status: str, pod: str) -> bool:
    """The row of that node tells no number of clients."""
    row = next(line for line in status.splitlines() if line.startswith(pod))
    return "not answering" in row and row.split()[-2:] == ["?", "?"]


def carry_on(watched: Watched, driver: Headless, *gates: str) -> None:
    """A person waits until the broker answers, lifts every hold, for its cause is over, and opens the gates."""
    watched.case.wait_until(lambda: None not in evacuations(watched.case), "answers of all brokers")
    watched.say("resume")
    left = list(gates)

    def step(told: Mapping[str, Any]) -> bool:
        is_gate = told["event"] == "gate" and told.get("waits_for") == "person" and told["gate"] in left
        return is_gate or (told["event"] == "hold" and told["at"] > resumed_at) or told["event"] == "finished"

    resumed_at = driver.until_event("resumed", within_s=60)["at"]
    while (found := driver.until(step, "end", within_s=300))["event"] != "finished":
        if found["event"] == "hold":
            watched.say("resume")
        else:
            left.remove(found["gate"])
            watched.say("approve")


def evacuations(case: Case) -> list[bool | None]:
    """Whether each broker evacuates; None while it does not answer."""
    return [node["evacuating"] for node in case.truth()["nodes"].values()]
