"""The words of the rollout screen for every view of whole releases in the simulated world: they fit, and they agree."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views.view import View
from emqx_tui.ui.cards.gate_card import gate_card
from emqx_tui.ui.rollout.checks import check_lines, stale_lines
from emqx_tui.ui.rollout.headline import MOST_ROWS, bar_lines, headline
from emqx_tui.ui.rollout.key_reasons import key_reasons
from emqx_tui.ui.rollout.ledger import ledger_line
from emqx_tui.ui.rollout.log import long_entry, short_log
from emqx_tui.ui.rollout.nodes import NodeRow, columns_for, fit_rows, node_rows, row_line
from emqx_tui.ui.rollout.rail import rail
from emqx_tui.ui.rollout.summary import summary
from emqx_tui.ui.text.spans import crop, plain, width
from tests.support.rehearsal.rehearse import Script, rehearse

pytestmark = pytest.mark.xdist_group("rehearsed views")
"""One worker takes all of them, so that the two releases are played once."""


def views_of(name: str, approval: Approval, limit_s: float) -> list[View]:
    found: list[View] = []
    script = Script(approval=approval, act=lambda session, view: found.append(view), think_s=3.0)
    rehearse(scenario(name, clients=3_000), script, limit_s=limit_s)
    return found


@pytest.fixture(scope="module")
def smooth() -> list[View]:
    return views_of("smooth", Approval.EVERY_NODE, 3_600.0)


@pytest.fixture(scope="module")
def troubled() -> list[View]:
    return views_of("green-never-ready", Approval.AUTO, 900.0)


@pytest.fixture(params=["smooth", "troubled"])
def views(request) -> list[View]:
    return request.getfixturevalue(request.param)


def test_everything_fits_in_every_width(views):
    for view in views[::3]:
        for cells in (80, 200):
            rows = bar_lines(headline(view), cells)
            assert 2 <= len(rows) <= MOST_ROWS
            table = [row_line(row, columns_for(cells)) for row in node_rows(view)]
            assert all(width(row) <= cells for row in (*rows, *table, *short_log(view.log, 5, cells)))
            assert width(ledger_line(view, cells)) <= cells
            assert all(
                crop(text, cells) is not None for text in (*rail(view), *check_lines(view, 4), *stale_lines(view))
            )
    assert all(cell_len(plain(text)) <= 80 for entry in views[-1].log for text in long_entry(entry, 80, is_opened=True))


def test_the_bar_and_the_keys_never_contradict_each_other(views):
    for view in views:
        reasons, found = key_reasons(view), headline(view)
        calls = "WAITING FOR YOU" in plain(found.first)
        assert calls == (not reasons["approve"]) or (view.journal and view.journal.hold), plain(found.first)
        if not reasons["approve"]:
            assert view.decision.gate
            assert not gate_card(view.decision.gate, view).blocked


def test_every_phase_of_the_way_is_told(smooth):
    told = [plain(headline(view).first) for view in smooth]
    words = ("RUNNING", "CREATING GREEN", "WAITING FOR THE DELAY", "WAITING FOR YOU to cut over", "CANARY", "DRAINING")
    for word in (*words, "FINISHING", "DONE"):
        assert any(word in text for text in told), word


def test_the_end_has_its_figures(smooth):
    rows = dict(summary(smooth[-1]))
    assert {"total", "drain", "disconnects", "lowest sum"} <= set(rows)


def test_no_row_of_a_node_comes_and_goes(smooth):
    during = [view for view in smooth if view.decision.phase is Phase.DRAINING]
    names = [[row.name for row in node_rows(view)] for view in during]
    assert all(found == names[0] for found in names)
    assert all(isinstance(row, NodeRow) for row in fit_rows(node_rows(during[0]), 6))


def test_green_that_never_comes_up_ends_in_a_hold_with_its_reason(troubled):
    first = plain(headline(troubled[-1]).first)
    assert first.startswith('▲ HELD by check "green not ready"')
    assert "has not been Ready for" in first


def test_an_accident_does_not_fill_the_log(troubled):
    told = [entry for entry in troubled[-1].log if entry.text.startswith("Service repaired")]
    assert len(told) == 1
    assert told[0].count >= 30
    assert len(troubled[-1].log) < 20
