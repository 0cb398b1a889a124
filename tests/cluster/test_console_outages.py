"""The API server away or silent under a console, and somebody who opens the valve.

Each test that stops or pauses the API server has a bed of its own. "Opened" is a delay of an hour here: it is open for
the console, and the operator begins nothing by it while the test runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cluster.case import CLOSED_S, Case, Cluster, received_at
from tests.cluster.promises import CONSOLE, STORED, Watched
from tests.support.programs import wait_until

Object = dict[str, Any]
CLIENTS = 300
OPEN_S = 3600
AWAY_S = 28.0
CLOSED_WITHIN_S = 8.0
"""of the opening; a watch that was asleep took 13 to 20 s"""
REQUEST_TIMEOUT_S = 10.0
HELD, UNREACHABLE = 4, 6
"""exit codes"""


@pytest.fixture
def own_case(own_cluster: Cluster, make_case: Callable[..., Case]) -> Case:
    return make_case(own_cluster)


def closings(case: Case, since: float) -> list[Object]:
    """A console's tries to close the valve, in order."""
    sent = [each for each in case.audit("emqxenterprises", since=since) if each["userAgent"].startswith(CONSOLE)]
    return [each for each in sent if _delay_of(each["requestObject"]) >= CLOSED_S]


def _delay_of(body: Any) -> int:
    return body["spec"].get("blueGreenUpdate", {}).get("initialDelaySeconds", 0) if isinstance(body, dict) else 0


def until_closed(watched: Watched) -> None:
    watched.case.wait_until(watched.is_closed, "closed valve", within_s=CLOSED_WITHIN_S)


def test_away_in_mid_drain_while_somebody_opens_the_valve(own_case: Case) -> None:
    """Whatever is approved by policy is approved on data of after the outage, and the valve is closed before."""
    case = own_case
    case.start_cluster(clients=CLIENTS, rate=5)
    watched = Watched(case)
    control = case.cluster.control
    with case.release("4.4.15", "--approve", "auto") as driver:
        driver.until_event("approved", gate="node:2", within_s=240)
        case.wait_until(lambda: 20 < case.live()[watched.pod(2)] < 80, "middle of the drain", within_s=60)
        down_at = time.time()
        control.post("/api-server/stop")
        wait_until(lambda: time.time() > down_at + AWAY_S, "end of the outage", within_s=AWAY_S + 5)
        control.post("/api-server/start")
        wait_until(lambda: _is_opened(case), "opened valve", within_s=60, every_s=0.05)
        until_closed(watched)
        # The console can be faster than the test's next line.
        closed_at = received_at(closings(case, down_at)[0])
        begun = [each for each in case.asked("evacuation/start") if down_at < each["at"] < closed_at]
        scaled = [each for each in case.audit("statefulsets", "scale", since=down_at) if received_at(each) < closed_at]
        assert (begun, scaled) == ([], [])
        # By policy auto nobody is there to lift the hold.
        assert driver.end(within_s=60) == HELD
        assert not [each for each in driver.told if each["event"] == "approved" and each["gate"] == "node:1"]
    watched.say("resume")
    with watched.carry_on("--approve", "auto") as driver:
        assert driver.end(within_s=300) == 0
    watched.everybody_is_back(within_s=70)
    assert watched.sizes() == {watched.blue: 0, watched.green: 3}


def _is_opened(case: Case) -> bool:
    """Somebody's patch, tried until the API server takes it."""
    try:
        answer = case.try_patch("emqxenterprises", {"spec": {"blueGreenUpdate": {"initialDelaySeconds": OPEN_S}}})
    except httpx.TransportError:
        return False
    return answer.get("kind") == "EmqxEnterprise"


def test_closing_the_valve_does_not_lose_its_race(case: Case) -> None:
    """The patch that closes it is bound to the object, not to a version of it that the operator replaces."""
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over", "2")
        driver.until_event("gate", gate="node:1", waits_for="person", within_s=90)
        for _ in range(3):
            opened_at = time.time()
            case.set_delay(OPEN_S)
            until_closed(watched)
            first = closings(case, opened_at)[0]
            assert first["responseStatus"]["code"] < STORED
            assert first["requestObject"]["metadata"].keys() == {"uid"}
            driver.until_event("hold", within_s=30)
            watched.say("resume")
        watched.approve(driver, "1", "0", within_s=90)
        assert driver.end(within_s=180) == 0
    watched.check_ended("4.4.15", watched.green)


@pytest.mark.parametrize("verb", ["status", "hold"])
def test_an_api_server_that_accepts_and_does_not_answer(own_case: Case, verb: str) -> None:
    """Out of reach is what it is called, after one request's time-out and the start of the program."""
    case = own_case
    case.start_cluster(clients=0, replicas=1)
    case.cluster.control.post("/api-server/pause")
    try:
        began = time.monotonic()
        done = case.console(verb, case.name, "--request-timeout", f"{REQUEST_TIMEOUT_S:g}s", within_s=60)
        took_s = time.monotonic() - began
    finally:
        case.cluster.control.post("/api-server/continue")
    assert done.returncode == UNREACHABLE, done.stderr or done.stdout
    assert took_s < 2 * REQUEST_TIMEOUT_S
