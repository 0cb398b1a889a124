"""What the forecast said before the start, beside what simulated releases took; tests/bench measures a thousand."""

from __future__ import annotations

import pytest

from emqx_tui.rollout.forecast.forecast import at_start
from tests.bench.forecast_coverage import line_of
from tests.support.random_release import random_release


@pytest.mark.parametrize("seed", [1, 4, 5, 8])
def test_the_truth_lies_inside_a_narrow_band(seed: int) -> None:
    found = random_release(seed, longest_drain_s=40.0)
    assert found.is_inside, line_of(found)
    assert found.deviation <= 0.1, line_of(found)
    assert found.run.view is not None
    assert found.run.view.journal is not None
    assert found.run.view.journal.forecast == at_start(found.forecast)
