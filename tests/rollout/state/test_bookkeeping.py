"""What a later driver needs of the counts is in the journal."""

from __future__ import annotations

from emqx_tui.rollout.state.journal import AbortRecord
from tests.support import scenes as build
from tests.support.scenes import ago, approved, draining_place, noted, remembered, with_place

TOP, GREEN = f"{build.BLUE_NAME}-2", f"{build.GREEN_NAME}-0"


def test_the_counts_from_before_the_drains_are_written_down() -> None:
    scene = with_place(approved(build.draining(), "node:2"), "blue", 2, **draining_place())
    scene = remembered(scene, baseline={TOP: 310}, initial={TOP: 305}, green_baseline=7)
    journal = scene.decide().journal
    assert journal is not None
    assert journal.totals.baseline == {TOP: 310}
    assert journal.totals.initial == {TOP: 305}
    assert journal.totals.green_baseline == 7


def test_the_counts_from_before_the_drains_back_are_written_down() -> None:
    scene = noted(build.draining(), abort=AbortRecord("ann@host", ago(60), "e"))
    journal = remembered(scene, initial_back={GREEN: 41}).decide().journal
    assert journal is not None
    assert journal.totals.initial_back == {GREEN: 41}
