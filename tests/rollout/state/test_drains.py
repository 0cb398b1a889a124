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
