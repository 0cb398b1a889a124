"""Ages as kubectl prints them, and texts cut to a width."""

from __future__ import annotations

import pytest

from emqx_tui.ui.text.marks import fit, fit_middle, object_age


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (323, "5m23s"), (700, "11m"), (3 * 3600, "3h"),
        (4 * 3600 + 1800, "4h30m"), (9 * 3600, "9h"), (47 * 3600, "47h"), (50 * 3600, "2d2h"), (87 * 86_400, "87d"),
        (800 * 86_400, "2y70d"),
        (3000 * 86_400, "8y"), (None, "-"), (-5, "0s"),
    ],
)  # fmt: skip
def test_ages_of_objects_look_like_kubectls(seconds, text):
    assert object_age(seconds) == text


@pytest.mark.parametrize("text", ["emqx-enterprise-gateway", "发布集群名称很长很长", "a", ""])
@pytest.mark.parametrize("width", range(12))
def test_cut_texts_never_take_more_cells_than_given(text, width):
    from rich.cells import cell_len

    assert cell_len(fit(text, width)) <= width
    assert cell_len(fit_middle(text, width)) <= width
    if cell_len(text) <= width:
        assert fit(text, width) == fit_middle(text, width) == text
