"""What the released operators do by themselves: they take blue away undrained, a node a pass.

Seen on a real control plane with the real operator 2.2.29, whose times these are. Letters as in `operator_trace`; the
patch comes at 10.
"""

from __future__ import annotations

import pytest

from tests.support.operator_trace import HOLD, started


@pytest.mark.parametrize("operator", ["G2", "G3"])
def test_every_pass_with_an_empty_list_scales_down_and_then_starts_the_drain_of_the_pod_it_took(operator: str) -> None:
    trace = started(5, operator=operator)
    trace.to(400)
    acts = [act for act in trace.acts(since=51) if "Delay" not in act]
    assert acts[:4] == ["55 B to 2", "55 start B-2", "75 B to 1", "75 start B-1"]
    assert not [act for act in acts if "evacuated" in act]
    assert trace.replicas("B") == 0
    assert trace.update is None
    truth = trace.world.cluster().truth.total
    assert truth.killed > 2 * truth.evicted, "a start that comes after the scale-down has little time"


def test_a_list_that_is_not_empty_is_all_that_keeps_blue() -> None:
    trace = started(HOLD, operator="G3")
    trace.to(60)
    trace.start_evacuation("B-2", towards="G")
    trace.to(61)
    trace.delay(HOLD - 1)
    trace.to(62)
    trace.delay(1)
    trace.to(63)
    assert trace.acts(since=62) == []
    assert trace.replicas("B") == 3


def test_a_delay_that_ends_with_an_empty_list_costs_a_node() -> None:
    trace = started(HOLD, operator="G3")
    trace.to(100)
    trace.delay(1)
    trace.to(101)
    assert trace.acts(since=100) == ["100 B to 2", "100 start B-2"]
