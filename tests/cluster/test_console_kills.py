"""`kill -9` of whoever drives, at each step, and three minutes of the real operator without a console.

Nothing that nobody approved happens meanwhile: no evacuation begins, blue is not scaled, none of its pods goes, and
nobody is cut off beyond the drain that was approved and goes on inside EMQX. Then a new console ends the release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.cluster.case import Case
from tests.cluster.promises import Watched
from tests.support.programs import Headless

DEAD_S = 180.0
CLIENTS, PER_NODE = 300, 100


@dataclass(frozen=True)
class Point:
    """Where the console dies."""

    name: str
    is_reached: Callable[[Watched], object]
    approved: tuple[str, ...] = ()
    """gates, in order"""
    late: bool = False
    """with late removal: no canary's minute"""
    settles: bool = True
    """the operator holds here, so that Endpoints stay as they are; it does not before green is complete"""
    drains: int | None = None
    """the blue node that is being drained"""


def _is_patched(watched: Watched) -> bool:
    return watched.is_closed()


def _waits_for_cut_over(watched: Watched) -> bool:
    status = watched.case.console("status", watched.case.name)
    return "cut-over" in status.stdout and bool(watched.case.blue_green.get("startedAt"))


def _has_canary(watched: Watched) -> bool:
    return len(watched.case.addresses()) == 5


def _is_cut_over(watched: Watched) -> bool:
    return watched.case.addresses() == watched.pods(watched.green)


def _drains(ordinal: int) -> Callable[[Watched], bool]:
    def is_draining(watched: Watched) -> bool:
        pod = watched.pod(ordinal)
        return pod in watched.case.evacuating() and 0 < watched.case.live()[pod] < PER_NODE - 10

    return is_draining


def _is_empty(watched: Watched) -> bool:
    """Drained, and not yet scaled away."""
    pod = watched.pod(2)
    return pod in watched.case.evacuating() and watched.case.live()[pod] == 0


def _is_one_gone(watched: Watched) -> bool:
    return watched.sizes()[watched.blue] == 2


def _is_blue_gone(watched: Watched) -> bool:
    return watched.sizes()[watched.blue] == 0


def _is_reset(watched: Watched) -> bool:
    """The operator forgot the release; the valve is still closed."""
    return _is_blue_gone(watched) and watched.is_reset() and watched.is_closed()


NODES = ("2", "1", "0")
POINTS = (
    Point("the first patch is stored", _is_patched, settles=False),
    Point("the cut-over waits", _waits_for_cut_over),
    Point("the canary is watched", _has_canary, ("cut-over",)),
    Point("the Service has moved", _is_cut_over, ("cut-over",)),
    Point("the first node drains", _drains(2), ("cut-over", "2"), drains=2),
    Point("the first node is empty", _is_empty, ("cut-over:late", "2"), late=True, drains=2),
    Point("the first node is scaled away", _is_one_gone, ("cut-over:late", "2"), late=True),
    Point("the last node drains", _drains(0), ("cut-over:late", *NODES), late=True, drains=0),
    Point("the last node is scaled away", _is_blue_gone, ("cut-over:late", *NODES), late=True, settles=False),
    Point("the delay is about to be restored", _is_reset, ("cut-over:late", *NODES), late=True, settles=False),
)


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name.replace(" ", "-"))
def test_a_console_killed_when(case: Case, point: Point) -> None:
    # With late removal a client can meet the node that is drained: these try again.
    case.start_cluster(clients=CLIENTS, rate=10, preset="device" if point.late else "mqttx-default")
    watched = Watched(case)
    words = ["--approve", "every-node", *(["--late-removal"] if point.late else [])]
    with case.release("4.4.15", *words) as driver:
        watched.approve(driver, *point.approved)
        case.wait_until(lambda: point.is_reached(watched), point.name, within_s=90)
        driver.kill()
    drained = [int(gate) for gate in point.approved if gate.isdigit()]
    _nobody_drives(watched, point, drained)
    with watched.carry_on("--approve", "auto") as driver:
        assert driver.end(within_s=300) == 0
    watched.check_ended("4.4.15", watched.green)
    assert watched.asked("start") == [watched.pod(2), watched.pod(1), watched.pod(0)]
    assert watched.asked("stop") == []
    if not point.late:
        assert case.truth()["since_mark"]["evicted"] == CLIENTS


def _nobody_drives(watched: Watched, point: Point, drained: list[int]) -> None:
    case = watched.case
    kept = {watched.pod(ordinal) for ordinal in range(3) if ordinal not in drained}
    before = {pod: live for pod, live in case.live().items() if pod in kept}
    # What was sent before it died takes its course.
    size = watched.sizes()[watched.blue]
    case.wait_until(lambda: len(watched.pods(watched.blue)) == size, "end of the pods that were scaled away")
    watched.stands_still(DEAD_S, endpoints=point.settles)
    assert watched.is_closed()
    assert watched.asked("start") == [watched.pod(ordinal) for ordinal in drained]
    after = case.live()
    # With late removal those who were evicted may come back to blue; nobody leaves it.
    assert all(after[pod] >= live if point.late else after[pod] == live for pod, live in before.items())
    assert case.truth()["since_mark"]["evicted"] <= PER_NODE * len(drained) + (CLIENTS if point.late else 0)
    if point.drains is not None:
        assert after[watched.pod(point.drains)] == 0
        assert watched.pod(point.drains) in watched.pods(watched.blue)
    watched.everybody_is_back(within_s=70)
    assert case.truth()["since_mark"]["killed"] == 0


def test_one_console_after_the_other(case: Case) -> None:
    """Killed in each step of one release, and followed at once by another each time."""
    case.start_cluster(clients=CLIENTS, rate=10)
    watched = Watched(case)

    def then(driver: Headless, is_reached: Callable[[Watched], object], *gates: str) -> None:
        with driver:
            watched.approve(driver, *gates)
            case.wait_until(lambda: is_reached(watched), "that point", within_s=120)
            driver.kill()

    then(case.release("4.4.15", "--approve", "every-node"), _is_patched)
    then(watched.carry_on(), _waits_for_cut_over)
    then(watched.carry_on(), _has_canary, "cut-over")
    then(watched.carry_on(), _drains(2), "2")
    then(watched.carry_on(), _is_one_gone)
    then(watched.carry_on(), _drains(1), "1")
    then(watched.carry_on(), _is_blue_gone, "0")
    with watched.carry_on() as driver:
        assert driver.end(within_s=120) == 0
    watched.check_ended("4.4.15", watched.green)
    assert watched.asked("start") == [watched.pod(2), watched.pod(1), watched.pod(0)]
    assert case.truth()["since_mark"]["evicted"] == CLIENTS
