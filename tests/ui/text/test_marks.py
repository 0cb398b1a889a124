"""Texts cut to a width."""

from __future__ import annotations

import pytest

from emqx_tui.ui.text.marks import fit, fit_middle


@pytest.mark.parametrize("text", ["emqx-enterprise-gateway", "发布集群名称很长很长", "a", ""])
@pytest.mark.parametrize("width", range(12))
def test_cut_texts_never_take_more_cells_than_given(text, width):
    from rich.cells import cell_len

    assert cell_len(fit(text, width)) <= width
    assert cell_len(fit_middle(text, width)) <= width
    if cell_len(text) <= width:
        assert fit(text, width) == fit_middle(text, width) == text
