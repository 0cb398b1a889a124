"""The list of clusters: what it shows, keys, states of the source, and text from the cluster that must stay text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import _data_table

from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.views.fleet_view import SourceHealth
from emqx_tui.ui.app import ConsoleApp
from emqx_tui.ui.clusters import table as table_module
from emqx_tui.ui.clusters.screen import ClustersScreen
from emqx_tui.ui.clusters.table import ClusterTable
from emqx_tui.ui.objects.screen import ObjectsScreen
from tests.support.scripted import CONTEXT, NOW, SERVER, ScriptedBackend, fleet, row, three_clusters


def console(backend: ScriptedBackend, **fields) -> ConsoleApp:
    return ConsoleApp(backend, **fields)


def shown(app: ConsoleApp) -> list[str]:
    """The lines on the screen, as a person reads them."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def table_rows(app: ConsoleApp) -> list[str]:
    table = app.screen.query_one(ClusterTable)
    return [
        " ".join(cell.__rich__().plain.strip() for cell in table.get_row_at(index)) for index in range(table.row_count)
    ]


async def settle(pilot: Pilot) -> None:
    await pilot.pause()
    await pilot.pause()


async def test_every_cluster_has_a_row_with_its_derived_state():
    app = console(ScriptedBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert table_rows(app) == [
            "mqtt emqx-ee ◆ waits for you 4.4.14→4.4.15 3/3 100,000 node 1 87d",
            "lab emqx-t1 ▲ degraded 4.4.14 2/3 ~120 - 4h",
            "mqtt-stg emqx-ee ● running 4.4.15 3/3 3,012 - 12d",
        ]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 50)])
async def test_the_rows_of_the_first_list_are_drawn_with_the_table(size: tuple[int, int], monkeypatch):
    backend = ScriptedBackend()
    listed, backend.shown_fleet = backend.shown_fleet, replace(backend.shown_fleet, rows=(), is_synced=False)
    laid_out: list[int] = []
    lay_out = ClusterTable._lay_out
    monkeypatch.setattr(ClusterTable, "_lay_out", lambda table: (laid_out.append(table.row_count), lay_out(table))[1])
    app = console(backend)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert laid_out == []
        backend.publish(fleet=listed)
        await settle(pilot)
        table = app.screen.query_one(ClusterTable)
        assert table.row_count == 3
        assert laid_out == [0], "the width that it was laid out for is not the one that it got"
        assert table._widths == table_module.widths(table.scrollable_content_region.width)


async def test_context_server_and_scope_are_on_the_first_line():
    app = console(ScriptedBackend(), is_production=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        first = shown(app)[0]
        for word in (CONTEXT, SERVER, "all namespaces", "LIVE 0.3 s", "PROD"):
            assert word in first


async def test_a_changed_figure_changes_one_cell_and_moves_nothing():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        table = app.screen.query_one(ClusterTable)
        kept = table.get_cell("mqtt/emqx-ee", "name")
        rows = list(backend.shown_fleet.rows)
        rows[0] = replace(rows[0], live_connections=99_766)
        backend.publish(fleet=replace(backend.shown_fleet, rows=tuple(rows)))
        await settle(pilot)
        assert "99,766" in table_rows(app)[0]
        assert table.get_cell("mqtt/emqx-ee", "name") is kept, "a cell that did not change was written again"
        assert table.selected == ("mqtt", "emqx-ee")


async def test_no_cell_is_measured_for_widths_that_are_given(monkeypatch):
    """A thousand clusters are eight thousand cells: measuring them takes as long as all the rest of the first list."""
    measured = []
    monkeypatch.setattr(_data_table, "measure", lambda console, cell, default: measured.append(cell) or default)
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        measured.clear()
        rows = (*backend.shown_fleet.rows, *(row("more", f"c-{number:02}") for number in range(40)))
        backend.publish(fleet=replace(backend.shown_fleet, rows=rows))
        await settle(pilot)
        assert not measured
        table = app.screen.query_one(ClusterTable)
        assert table.virtual_size.height == len(rows) + 1, "all rows can be scrolled to"


async def test_rows_that_are_not_drawn_are_not_worded_until_they_are(monkeypatch):
    worded = []
    cells_of = table_module.cells_of
    monkeypatch.setattr(table_module, "cells_of", lambda row, *more: worded.append(row.key) or cells_of(row, *more))
    rows = [row("more", f"c-{number:02}") for number in range(60)]
    backend = ScriptedBackend(fleet(*rows))
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert 0 < len(set(worded)) < 24
        worded.clear()
        changed = tuple(replace(each, live_connections=99_766) for each in rows)
        backend.publish(fleet=replace(backend.shown_fleet, rows=changed))
        await settle(pilot)
        assert 0 < len(set(worded)) < 24
        await pilot.press("end")
        await settle(pilot)
        assert any("c-59" in text and "99,766" in text for text in shown(app)), "what is known now, not at its arrival"


async def test_rows_come_and_go_and_the_cursor_stays_on_its_cluster():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("down", "down")
        rows = (row("aaa", "aa"), row("aab", "ab"), *backend.shown_fleet.rows[:2])
        backend.publish(fleet=replace(backend.shown_fleet, rows=rows))
        await settle(pilot)
        assert [text.split()[0] for text in table_rows(app)] == ["mqtt", "aa", "ab", "mqtt-stg"]
        assert app.screen.query_one(ClusterTable).selected == ("mqtt-stg", "emqx-ee")


async def test_filter_narrows_and_escape_widens():
    app = console(ScriptedBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"emqx !lab stg")
        await settle(pilot)
        assert [text.split()[0] for text in table_rows(app)] == ["mqtt-stg"]
        await pilot.press("enter")
        assert app.screen.query_one("#filter").display
        await pilot.press("escape")
        await settle(pilot)
        assert len(table_rows(app)) == 3
        assert not app.screen.query_one("#filter").display


async def test_a_filter_without_a_match_says_so():
    app = console(ScriptedBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"[red]zzz")
        await settle(pilot)
        assert "No cluster matches the filter [red]zzz" in "\n".join(shown(app))


async def test_sorting_by_key_and_by_header():
    app = console(ScriptedBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert [text.split()[0] for text in table_rows(app)] == ["mqtt", "lab", "mqtt-stg"], "by urgency"
        await pilot.press("i")
        assert [text.split()[0] for text in table_rows(app)] == ["mqtt-stg", "lab", "mqtt"]
        await pilot.click(ClusterTable, offset=(2, 0))
        await settle(pilot)
        assert [text.split()[0] for text in table_rows(app)] == ["lab", "mqtt", "mqtt-stg"]
        await pilot.press("s", "s", "s")
        assert app.screen.query_one(ClusterTable).sort_column == "version"


@pytest.mark.parametrize(
    ("published", "sentence"),
    [
        pytest.param(
            fleet(is_synced=False, health=()), f"Reading the EmqxEnterprise objects from {SERVER}", id="loading"
        ),
        pytest.param(fleet(), f"There is no EmqxEnterprise in any namespace of {CONTEXT}", id="empty"),
        pytest.param(fleet(namespace="lab"), "There is no EmqxEnterprise in namespace lab", id="empty namespace"),
        pytest.param(
            fleet(is_synced=False, problem="connection refused by 10.0.0.1:6443; trying again"),
            "✘ connection refused by 10.0.0.1:6443; trying again",
            id="unreachable",
        ),
        pytest.param(
            fleet(is_synced=False, problem="no right to list emqxenterprises (apps.emqx.io) in all namespaces"),
            "✘ no right to list emqxenterprises",
            id="forbidden",
        ),
    ],
)
async def test_without_rows_one_line_says_why(published, sentence):
    app = console(ScriptedBackend(published))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        found = [text for text in shown(app) if sentence in text]
        assert len(found) == 1
        assert not app.screen.query_one(ClusterTable).display


async def test_a_lost_source_is_told_above_rows_that_stay():
    lost = (SourceHealth(Kind.EMQX_ENTERPRISE, False, NOW.replace(second=0, minute=5), "reset"),)
    published = replace(three_clusters(), health=lost, problem="the API server does not answer")
    app = console(ScriptedBackend(published))
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(pilot)
        text = "\n".join(shown(app))
        assert "OFFLINE 61 s" in text
        assert "▲ the API server does not answer" in text
        assert len(table_rows(app)) == 3


HOSTILE = ["[red]x[/]", "\x1b[31mred", "a\u202eb\u2066c", "[link=http://x]y", "x\ny", "[/]", "发布-集群"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=["80x24", "200x50"])
async def test_text_from_the_cluster_stays_text(name, size):
    published = fleet(
        row("emqx-ee", "mqtt", problem=f"broken: {name}"),
        replace(row("b", "ns"), gate=GateId.node(1), phase=Phase.DRAINING),
        problem=f"problem {name}",
    )
    rows = list(published.rows)
    resource = rows[0].resource
    rows[0] = replace(rows[0], resource=replace(resource, meta=replace(resource.meta, name=name, namespace=name)))
    app = console(ScriptedBackend(replace(published, rows=tuple(rows), context=name)))
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        app.screen.query_one(ClusterTable).select((name, name))
        await settle(pilot)
        text = "\n".join(shown(app))
        for char in "\x1b\u202e\u2066":
            assert char not in text
        visible = name.replace("\x1b", "�").replace("\u202e", "�").replace("\u2066", "�").replace("\n", " ")
        assert f"problem {visible}" in text
        assert f"broken: {visible}" in text
        assert visible in shown(app)[0]


async def test_enter_opens_the_cluster_under_the_cursor():
    backend = ScriptedBackend()
    app = console(backend)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert backend.opened == [("mqtt", "emqx-ee")]
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, ClustersScreen)
        assert backend.closed == 1


async def test_a_small_terminal_is_told_politely_and_still_works():
    app = console(ScriptedBackend())
    async with app.run_test(size=(60, 18)) as pilot:
        await settle(pilot)
        assert any("60x18: 60x20 is needed" in text for text in shown(app))
        assert len(table_rows(app)) == 3
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert not any("is needed" in text for text in shown(app))


async def test_the_cursor_goes_everywhere():
    rows = [row(f"emqx-{n:02}", "mqtt") for n in range(60)]
    app = console(ScriptedBackend(fleet(*rows)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        table = app.screen.query_one(ClusterTable)
        await pilot.press("down", "j", "up")
        assert table.cursor_row == 1
        await pilot.press("k")
        assert table.cursor_row == 0
        await pilot.press("pagedown")
        assert table.cursor_row > 10
        await pilot.press("pageup")
        assert table.cursor_row == 0
        await pilot.press("end")
        assert table.cursor_row == 59
        await pilot.press("home")
        assert table.cursor_row == 0


async def test_o_opens_what_is_inside_the_cluster():
    app = console(ScriptedBackend())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert isinstance(app.screen, ObjectsScreen)
