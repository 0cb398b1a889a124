"""The time that is left: what each blue node still needs, side by side where the plan drains so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emqx_tui.rollout.forecast.forecast import FINISH_S, GREEN_UP_S
from emqx_tui.rollout.policy import Policy
from tests.support import scenes
from tests.support.scenes import DRAINED, Scene, noted, with_place


def draining(*counts: int | None, parallel: int = 1) -> Scene:
    scene = scenes.draining(len(counts))
    for ordinal, live in enumerate(counts):
        scene = with_place(scene, "blue", ordinal, live=live)
    return noted(scene, parallel_drains=parallel)


@pytest.mark.parametrize(
    ("scene", "left_s"),
    [
        (draining(2_000, 2_000, 2_000), 45),
        (draining(2_000, 2_000, 2_000, parallel=2), 30),
        (draining(2_000, 2_000, 2_000, parallel=3), 15),
        (draining(2_000, 2_000, 2_000, parallel=8), 15),
        (with_place(draining(2_000, 2_000, 2_000), "blue", 2, **DRAINED), 30),
    ],
    ids=["one by one", "two at once", "all at once", "no more at once than there are", "one is drained"],
)
def test_each_node_takes_its_batches_and_the_takeover_wait(scene: Scene, left_s: float) -> None:
    assert scene.decide().eta_s == FINISH_S + left_s


@pytest.mark.parametrize("scene", [scenes.starting(), scenes.creating()], ids=["starting", "creating"])
def test_before_green_is_up_its_boot_the_delay_and_the_canary_are_to_come(scene: Scene) -> None:
    drains_s = 3 * (2 + 5)
    to_come = GREEN_UP_S + scenes.USER_DELAY_S + scene.policy.canary_s
    assert scene.decide().eta_s == FINISH_S + to_come + drains_s


@pytest.mark.parametrize(
    ("scene", "to_come_s"),
    [
        (scenes.waiting(started_ago_s=10.0), 50 + Policy().canary_s),
        (scenes.ready(), Policy().canary_s),
        (scenes.canary(watched_s=2.0), Policy().canary_s - 2),
        (noted(scenes.ready(), late_removal=True), 0),
        (scenes.cutting_over(), 0),
    ],
    ids=["delay", "canary", "canary watched", "late removal", "canary passed"],
)
def test_the_delay_and_the_canary_count_as_long_as_they_are_to_come(scene: Scene, to_come_s: float) -> None:
    assert scene.decide().eta_s == FINISH_S + to_come_s + 3 * (2 + 5)


@pytest.mark.parametrize(("gone", "done"), [(0, (0, 3)), (1, (1, 3)), (3, (3, 3))])
def test_the_step_of_the_drains_counts_the_nodes_that_are_gone(gone: int, done: tuple[int, int]) -> None:
    (drain,) = [step for step in scenes.draining(gone=gone).decide().steps if step.id == "drain"]
    assert (drain.done, drain.total) == done


def test_a_blue_that_was_removed_is_gone_as_a_whole() -> None:
    steps = {step.id: step for step in replace(scenes.finishing(), blue=None).decide().steps}
    assert steps["drain"].done == 3


def test_unknown_while_a_count_is() -> None:
    assert draining(2_000, None, 2_000).decide().eta_s is None
