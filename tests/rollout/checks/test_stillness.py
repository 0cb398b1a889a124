"""What a release that stands still waits for."""

from __future__ import annotations

from emqx_tui.rollout.checks.stillness import what_waits
from emqx_tui.rollout.phases import Phase
from tests.support import scenes as build
from tests.support.scenes import approved, with_place

READY, DRAINING = build.ready(), build.draining()


def test_nothing_that_waits_is_an_empty_word() -> None:
    assert what_waits(READY.context(), Phase.READY_TO_CUT_OVER) == ""
    assert what_waits(approved(DRAINING, "node:2").context(), Phase.DRAINING) == ""


def test_a_node_that_is_not_scaled_away_is_named_while_draining_only() -> None:
    empty = with_place(approved(DRAINING, "node:2"), "blue", 2, **build.draining_place("waiting_takeover", 0)).context()
    assert what_waits(empty, Phase.DRAINING) == f"{build.BLUE_NAME}-2 is not scaled away: it is not drained"
    assert what_waits(empty, Phase.STARTING) == ""
