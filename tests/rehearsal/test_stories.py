"""Whole stories from a seed: whatever breaks and whoever does what, every promise is kept and every figure is true.

EMQX_TUI_STORIES is how many (default: what fits a plain run), EMQX_TUI_STORY names one seed to tell it alone. A seed
that fails is told as the smallest story that still does.
"""

from __future__ import annotations

import os

import pytest

from tests.support.story import told

STORIES = int(os.environ.get("EMQX_TUI_STORIES", "300"))
ONE = os.environ.get("EMQX_TUI_STORY")
PER_TEST = 10


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", [int(ONE)] if ONE else range(0, STORIES, PER_TEST))
def test_every_story_ends_well_or_says_why_not(first: int) -> None:
    seeds = [first] if ONE else range(first, min(first + PER_TEST, STORIES))
    broken = [story for seed in seeds if (story := told(seed))]
    assert not broken, "".join(broken)
