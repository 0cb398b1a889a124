"""Releases by emqx-tui on the real operator: under each policy, held, frozen, by keyboard, with fewer rights.

Each test has a namespace of its own. What `Watched.check_ended` looks at is true of all of them: one generation, the
user's own delay, every client, and no write by the console but those that its design allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.cluster.case import Case
from tests.cluster.promises import Watched
from tests.support.person import Person
from tests.support.programs import Headless, command, environment, run
from tests.support.terminal import Terminal

CLIENTS, PER_NODE = 300, 100
HELD_S = 25.0
"""longer than the operator's own 20 s"""
CANARY_S = 60.0
SAME_STEP_S = 0.05
"""The line is told in the step that sends the command, once the approval stands in the journal."""


def started_after_approval(watched: Watched, driver: Headless) -> None:
    """Each drain has an approval of its own, written down before it began."""
    approved = {
        told["gate"]: datetime.fromisoformat(told["at"]).timestamp()
        for told in driver.told
        if told["event"] == "approved"
    }
    starts = watched.case.asked("evacuation/start")
    assert [each["pod"] for each in starts] == [watched.pod(2), watched.pod(1), watched.pod(0)]
    for each in starts:
        assert approved[f"node:{each['pod'].rpartition('-')[2]}"] <= each["at"] + SAME_STEP_S


def moved_once(watched: Watched) -> None:
    truth = watched.case.truth()["since_mark"]
    assert (truth["evicted"], truth["killed"], truth["refused"]) == (CLIENTS, 0, 0)


def test_every_node_is_approved_from_a_second_terminal(case: Case) -> None:
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over", "2", "1", "0")
        assert driver.end(within_s=120) == 0
        last = driver.told[-1]
        assert (last["result"], last["disconnects_per_client"], last["clients_lost"]) == ("done", 1.0, 0)
    started_after_approval(watched, driver)
    watched.check_ended("4.4.15", watched.green)
    moved_once(watched)


def test_only_the_cut_over_is_approved(case: Case) -> None:
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "cut-over") as driver:
        driver.until_event("gate", gate="cut-over", waits_for="person", within_s=90)
        watched.stands_still(HELD_S)
        assert watched.say("approve").startswith("approved: cut-over")
        assert driver.end(within_s=240) == 0
    started_after_approval(watched, driver)
    watched.check_ended("4.4.15", watched.green)
    moved_once(watched)


def test_auto_drains_three_nodes_at_once(case: Case) -> None:
    case.start_cluster(clients=CLIENTS, rate=5)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "auto", "--parallel-drains", "3") as driver:
        case.wait_until(lambda: len(case.evacuating()) == 3, "three drains", within_s=200)
        assert watched.sizes()[watched.blue] == 3
        assert driver.end(within_s=180) == 0
    assert sorted(watched.asked("start")) == [watched.pod(0), watched.pod(1), watched.pod(2)]
    watched.check_ended("4.4.15", watched.green)
    moved_once(watched)


@pytest.mark.smoke
def test_late_removal_keeps_each_blue_address_until_its_node_is_empty(case: Case) -> None:
    """The price: some clients meet the node that is drained and try again; these do."""
    case.start_cluster(clients=CLIENTS, preset="device")
    watched = Watched(case)
    seen: set[int] = set()

    def is_done(told: Mapping[str, Any]) -> bool:
        listed, live = case.addresses(), case.live()
        blue = [pod for pod in listed if pod.startswith(watched.blue)]
        seen.add(len(blue))
        # A look is not one instant: a node that has just become empty may still be listed, never the other way round.
        assert all(pod in listed or live[pod] == 0 for pod in watched.pods(watched.blue) if pod in live)
        return told["event"] == "finished"

    with case.release("4.4.15", "--approve", "auto", "--late-removal") as driver:
        driver.until(is_done, "end", within_s=240)
        assert driver.process.wait(30) == 0
    assert {3, 0} < seen
    watched.check_ended("4.4.15", watched.green)


def test_hold_and_resume_at_every_gate(case: Case) -> None:
    """Held: while green is built, at the cut-over, during the canary's minute, and before a node."""
    case.start_cluster(clients=CLIENTS, rate=5)
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "auto") as driver:
        driver.until_event("phase", phase="creating green", within_s=60)
        watched.say("hold", "--reason", "gate one")
        # Green comes up all the same: the operator builds it, and no client is touched by that.
        driver.until_event("phase", phase="ready to cut over", within_s=90)
        watched.stands_still(HELD_S)
        assert set(case.addresses()) == set(watched.pods(watched.blue))
        watched.say("resume")
        driver.until_event("phase", phase="canary", within_s=60)
        case.wait_until(lambda: len(case.addresses()) == 5, "canary")
        watched.say("hold", "--reason", "canary")
        watched.stands_still(CANARY_S + 10)
        assert case.truth()["since_mark"]["evicted"] == 0
        watched.say("resume")
        driver.until_event("phase", phase="draining", within_s=120)
        driver.until_event("approved", gate="node:2", within_s=60)
        watched.say("hold", "--reason", "node two drains")
        case.wait_until(lambda: case.live()[watched.pod(2)] == 0, "end of the drain", within_s=60)
        watched.stands_still(HELD_S)
        assert watched.asked("start") == [watched.pod(2)]
        assert watched.sizes()[watched.blue] == 3
        watched.everybody_is_back()
        watched.say("resume")
        assert driver.end(within_s=180) == 0
    assert watched.asked("stop") == []
    started_after_approval(watched, driver)
    watched.check_ended("4.4.15", watched.green)
    moved_once(watched)


def test_freeze_stops_the_drain_and_resume_goes_on_with_it(case: Case) -> None:
    case.start_cluster(clients=CLIENTS, rate=5, preset="device")
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node", "--late-removal") as driver:
        watched.approve(driver, "cut-over:late", "2")
        pod = watched.pod(2)
        case.wait_until(lambda: pod in case.evacuating() and 30 < case.live()[pod] < 80, "drain", within_s=60)
        watched.say("freeze", "--reason", "too fast")
        case.wait_until(lambda: not case.evacuating(), "stop of the drain")
        assert watched.asked("stop") == [pod]
        left = case.live()[pod]
        assert left > 0
        watched.stands_still(HELD_S)
        # It may take new ones (late removal keeps its address); nobody leaves it.
        assert case.live()[pod] >= left
        assert case.evacuating() == []
        watched.say("resume")
        case.wait_until(lambda: pod in case.evacuating(), "drain again")
        watched.approve(driver, "1", "0", within_s=60)
        assert driver.end(within_s=180) == 0
    strangers = [each for each in case.asked("evacuation/stop") if each["way"] != "forwarded"]
    assert strangers == []
    watched.check_ended("4.4.15", watched.green)


def test_a_person_at_a_terminal_releases_by_keyboard(case: Case) -> None:
    case.start_cluster(clients=CLIENTS)
    watched = Watched(case)
    with Terminal(command(*case.flags), columns=120, rows=40, environment=environment(case.home)) as terminal:
        person = Person(terminal)
        person.find()
        terminal.press("enter")
        terminal.until_shown("RUNNING 4.4.14", "3/3 ready", "300", *watched.pods(watched.blue), within_s=30)
        terminal.press("escape")
        person.find()
        person.edit_version("4.4.15")
        person.choose_policy("cut-over")
        person.start("4.4.15")
        person.approve("green", title="Approve: cut over to green", within_s=120)
        terminal.until_shown("DONE 4.4.14 → 4.4.15", within_s=240)
        case.wait_until(lambda: case.find("leases", f"emqx-tui-{case.name}") is None, "removal of the lease")
        terminal.press("q")
    watched.check_ended("4.4.15", watched.green)
    moved_once(watched)


@pytest.mark.smoke
def test_read_only_looks_on_and_names_the_verb_that_is_missing(case: Case) -> None:
    case.start_cluster(clients=CLIENTS)
    before = case.resource
    flags = ["--context", "read-only", *case.flags]
    listed = run(["get", *flags], case.home)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[1].split()[:4] == [case.name, "Running", "4.4.14", "3/3"]
    refused = run(["rollout", case.name, "--set", "image.version=4.4.15", *flags], case.home, within_s=90)
    assert refused.returncode == 1
    assert 'cannot patch resource "endpoints"' in refused.stdout
    assert "grant 'patch endpoints': see the Role in README" in refused.stdout
    assert case.resource["metadata"]["generation"] == before["metadata"]["generation"]
    assert case.find("secrets", f"emqx-tui-{case.name}") is None


def test_rights_on_one_namespace_are_enough_for_a_release(case: Case) -> None:
    case.start_cluster(clients=CLIENTS, preset="device")
    case.allow_namespace_only()
    watched = Watched(case)
    flags = ["--context", "namespace-only", *case.flags]
    told = [case.name, "Running", "4.4.14", "3/3", str(CLIENTS)]

    def is_listed() -> bool:
        # EMQX counts its clients every two seconds.
        listed = run(["get", *flags], case.home)
        assert listed.returncode == 0, listed.stderr
        return listed.stdout.splitlines()[1].split()[:5] == told

    case.wait_until(is_listed, f"row {told}", within_s=10)
    elsewhere = run(["get", "--context", "namespace-only", *case.flags[:2], "-n", "default"], case.home)
    assert elsewhere.returncode != 0
    words = ["rollout", case.name, "--set", "image.version=4.4.15", "--approve", "auto", "--late-removal"]
    with Headless([*words, "-o", "jsonl", *flags], case.home) as driver:
        assert driver.end(within_s=240) == 0
    watched.check_ended("4.4.15", watched.green)
    assert case.audit("emqxenterprises", user="dev")
