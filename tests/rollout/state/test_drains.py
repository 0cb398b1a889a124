"""What the counts at the begin of a drain are, where the cluster does not tell them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from emqx_tui.rollout.state.drains import evicted
from emqx_tui.rollout.state.observations import observe
from emqx_tui.rollout.state.observed import Observations
from tests.support import scenes as build
from tests.support.scenes import approved, with_place


def test_nobody_is_evicted_by_a_drain_of_an_empty_node_that_the_cluster_never_told_of() -> None:
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=0)
    known = observe(Observations(), before.snapshot(), before.journal)
    for second in range(12):
        drained = replace(with_place(before, "blue", 2, own=0), now=build.NOW + timedelta(seconds=1.0 + second))
        known = observe(known, drained.snapshot(), drained.journal)
    assert (evicted(known), known.initial) == (0, {f"{build.BLUE_NAME}-2": 0})


def test_a_drain_that_the_cluster_never_told_of_is_counted_once_when_it_ends() -> None:
    """As when it is frozen while its broker hangs, and the broker's own word comes back first."""
    before = with_place(approved(build.draining(), "node:2"), "blue", 2, live=300)
    known = observe(Observations(), before.snapshot(), before.journal)
    left = [max(0, 300 - 30 * second) for second in range(12)]
    drained = [with_place(before, "blue", 2, own=300, live=live) for live in left]
    over = [with_place(before, "blue", 2, live=0)] * 3
    for second, scene in enumerate([*drained, *over]):
        now = replace(scene, now=build.NOW + timedelta(seconds=1.0 + second))
        known = observe(known, now.snapshot(), now.journal)
    assert (evicted(known), known.initial) == (300, {f"{build.BLUE_NAME}-2": 300})
