"""The time that is left: what each blue node still needs, side by side where the plan drains so."""

from __future__ import annotations

import pytest

from emqx_tui.rollout.forecast.forecast import FINISH_S
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


def test_unknown_while_a_count_is() -> None:
    assert draining(2_000, None, 2_000).decide().eta_s is None
