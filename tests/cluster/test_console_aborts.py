"""The way back on the real operator: one generation at the end, the old one, with every client.

Each test has a namespace of its own. What `Watched.check_ended` looks at is true of all of them: blue's pods are there
and Ready, the listener lists them and no other, there is no third StatefulSet, and the user's delay is back.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.case import Case
from tests.cluster.promises import Watched
from tests.support.programs import Headless

ABORTED = 5
"""exit code"""
DEAD_S = 60.0
"""how long nobody drives after a console was killed"""


def abort(watched: Watched) -> None:
    """`emqx-tui abort`, at a second terminal."""
    watched.say("abort", "--confirm", watched.case.name)


def drive_past_first_node(watched: Watched, driver: Headless) -> None:
    """Cut over, drain the highest blue node, and scale it away; the next gate waits."""
    watched.approve(driver, "cut-over", "2")
    driver.until_event("gate", gate="node:1", waits_for="person", within_s=60)
    watched.case.wait_until(lambda: watched.sizes()[watched.blue] == 2, "scale-down")


@pytest.mark.smoke
def test_before_the_cut_over_nobody_is_disconnected(case: Case) -> None:
    case.start_cluster()
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        driver.until_event("gate", gate="cut-over", waits_for="person", within_s=90)
        abort(watched)
        assert driver.end(within_s=120) == ABORTED
    watched.check_ended("4.4.14", watched.blue)
    assert case.truth()["since_mark"]["evicted"] == 0
    assert watched.asked("start") == []


def _ever_on_green(watched: Watched) -> int:
    """Those who are there, and those whom the abort has moved already: both from one look."""
    truth = watched.case.truth()
    there = sum(node["live"] for name, node in truth["nodes"].items() if f"@{watched.green}-" in name)
    return there + truth["since_mark"]["evicted"]


def test_before_the_cut_over_early_clients_of_green_are_drained_back(case: Case) -> None:
    """While the canary is watched green takes new connections: those are moved, nobody else."""
    case.start_cluster(churn_per_s=3.0)
    watched = Watched(case, churning=15)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        watched.approve(driver, "cut-over")
        case.wait_until(lambda: watched.on(watched.green) >= 20, "clients on green", within_s=45)
        abort(watched)
        early = _ever_on_green(watched)
        assert driver.end(within_s=150) == ABORTED
    watched.check_ended("4.4.14", watched.blue)
    assert 0 < case.truth()["since_mark"]["evicted"] <= early + 10
    assert {pod.rpartition("-")[0] for pod in watched.asked("start")} == {watched.green}


def test_after_the_cut_over_with_one_node_of_blue_gone(case: Case) -> None:
    case.start_cluster()
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        drive_past_first_node(watched, driver)
        abort(watched)
        assert driver.end(within_s=200) == ABORTED
    watched.check_ended("4.4.14", watched.blue)
    truth = case.truth()["since_mark"]
    # Those of the drained node moved twice, nobody else did.
    assert (truth["evicted"], truth["refused"]) == (200, 0)
    assert all(live > 0 for pod, live in case.live().items() if pod in watched.pods(watched.blue))


def test_without_a_driver_the_command_goes_all_the_way_back_itself(case: Case) -> None:
    case.start_cluster()
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        drive_past_first_node(watched, driver)
    done = case.console("abort", case.name, "--confirm", case.name, within_s=200)
    assert done.returncode == 0, done.stderr
    assert "aborted" in done.stdout
    watched.check_ended("4.4.14", watched.blue)


def _blue_comes_back(watched: Watched) -> bool:
    """The template is the old one again, and the node that was gone boots."""
    image = watched.case.resource["spec"]["template"]["spec"]["emqxContainer"]["image"]["version"]
    return image == "4.4.14" and watched.sizes()[watched.blue] == 3


def _green_drains(watched: Watched) -> bool:
    """A node of green is evacuated, and some of its clients have left."""
    live = watched.case.live()
    return any(pod.startswith(watched.green) and live[pod] > 0 for pod in watched.case.evacuating())


def _green_goes(watched: Watched) -> bool:
    return watched.sizes()[watched.green] == 0


@pytest.mark.parametrize("is_reached", [_blue_comes_back, _green_drains, _green_goes])
def test_killed_in_its_middle_it_is_carried_on(case: Case, is_reached: Callable[[Watched], bool]) -> None:
    """Nobody drives for a minute in which the operator passes: nothing begins. Then a new console ends it."""
    # Slow enough to be met in the middle.
    case.start_cluster(rate=5)
    case.times(boots={"4.4.14/2": 10})
    watched = Watched(case)
    with case.release("4.4.15", "--approve", "every-node") as driver:
        drive_past_first_node(watched, driver)
        abort(watched)
        case.wait_until(lambda: is_reached(watched), "that point", within_s=120)
        driver.kill()
    starts = watched.asked("start")
    watched.stands_still(DEAD_S, endpoints=False)
    assert watched.asked("start") == starts
    watched.everybody_is_back()
    with watched.carry_on() as driver:
        assert driver.end(within_s=240) == ABORTED
    watched.check_ended("4.4.14", watched.blue)
