"""Whole releases on brokers that are programs, with MQTT clients that publish and subscribe with QoS 1.

Each test has a bed of its own. The brokers are those of EMQX_TUI_CLUSTER_BROKERS, or else the stand-in: what is said
here holds for both. What happened to clients and messages is what the clients themselves counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.cluster.bed.brought import BROKERS, versions
from tests.cluster.case import Case, Cluster
from tests.cluster.promises import Watched

CLIENTS = 244
RATE_PER_S = 5
AWAY_S = 5.0
"""No client was offline for longer: it comes back after a second, and a busy machine takes its time."""


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
