"""The node table: what each row says, which columns fit, and what is counted together when rows do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len

from emqx_tui.model.evacuation import EvacuationState, GlobalStatus
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.snapshot import Colour
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.layout import share
from emqx_tui.ui.rollout.nodes import (
    NodeRow,
    Weight,
    columns_for,
    fit_rows,
    header_line,
    node_rows,
    row_count,
    row_line,
)
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.releases import BLUE, GREEN, NOW, evacuation


def rows(view: View) -> dict[str, NodeRow]:
    return {row.name: row for row in node_rows(view)}


def shown(view: View, cells: int) -> list[str]:
    layout = columns_for(cells)
    return [plain(header_line(layout)), *(plain(row_line(row, layout)) for row in node_rows(view))]


def with_pods(view: View, *pods) -> View:
    return replace(view, snapshot=replace(view.snapshot, pods=Reading(pods, NOW)))


def test_blue_comes_first_and_in_the_order_in_which_it_is_drained():
    assert [row.name for row in node_rows(releases.draining())] == [
        f"{BLUE}-2",
        f"{BLUE}-1",
        f"{BLUE}-0",
        f"{GREEN}-0",
        f"{GREEN}-1",
        f"{GREEN}-2",
    ]


@pytest.mark.parametrize("view", [releases.idle(), releases.draining(), releases.done()])
def test_rows_are_counted_without_making_them(view):
    assert row_count(view) == len(node_rows(view)) > 0


def test_a_row_that_did_not_change_is_not_written_anew():
    layout = columns_for(80)
    first, again = (node_rows(releases.draining()) for _ in range(2))
    assert [row_line(row, layout) is row_line(same, layout) for row, same in zip(first, again, strict=True)] == [
        True
    ] * 6


def test_the_table_at_80_cells():
    assert shown(releases.draining(), 80)[:5] == [
        " NODE          GEN   VER    STATE                  CLIENTS      OF   RATE   ETA",
        " …86d7758868-2 blue  4.4.14 ✔ gone                       0  33,333      -     -",
        " …86d7758868-1 blue  4.4.14 ▶ evicting       ▉────  27,131  33,330  200/s  2:16",
        " …86d7758868-0 blue  4.4.14 ■ out of Service        33,120  33,333      -     -",
        " …745858464d-0 green 4.4.15 ● serving               13,143                     ",
    ]


@pytest.mark.parametrize("cells", [60, 75, 79, 80, 100, 101, 120, 200])
def test_every_width_is_kept(cells):
    assert all(cell_len(row) <= cells for row in shown(releases.draining(), cells))


def test_a_wide_table_has_sessions_whole_names_and_the_same_order():
    wide = shown(releases.draining(), 200)
    assert "SESSIONS" in wide[0]
    assert f"{BLUE}-1" in wide[2]
    assert "27,171" in wide[2]
    narrow = [title for title in columns_for(80).titles if title not in ("VER",)]
    assert [title for title in columns_for(200).titles if title in narrow] == narrow


@pytest.mark.parametrize(
    ("state", "word", "weight"),
    [
        (EvacuationState.WAITING_HEALTH_CHECK, "health check", Weight.BUSY),
        (EvacuationState.EVICTING_CONNS, "evicting", Weight.BUSY),
        (EvacuationState.WAITING_TAKEOVER, "takeover wait", Weight.BUSY),
        (EvacuationState.EVICTING_SESSIONS, "sessions", Weight.BUSY),
        (EvacuationState.UNKNOWN, "unknown state", Weight.TROUBLE),
        (EvacuationState.PROHIBITING, "not empty", Weight.TROUBLE),
    ],
)
def test_every_evacuation_state_has_a_word(state, word, weight):
    view = releases.draining()
    found = GlobalStatus((evacuation(f"{BLUE}-1", state, 33_330, 27_131),), 0)
    view = replace(view, snapshot=replace(view.snapshot, evacuations=Reading(found, NOW)))
    row = rows(view)[f"{BLUE}-1"]
    assert (row.mark.word, row.weight) == (word, weight)


def test_an_empty_node_that_prohibits_is_drained():
    live = {f"{BLUE}-1": 0, f"{BLUE}-0": 5}
    found = (evacuation(f"{BLUE}-1", EvacuationState.PROHIBITING, 33_330, 0),)
    view = releases.draining(snapshot=releases.snapshot(live, blue=2, evacuations=found))
    row = rows(view)[f"{BLUE}-1"]
    assert row.mark.text == "✔ drained"
    assert row.progress == 1.0


def test_pods_in_trouble_are_told_by_the_containers_own_word():
    pods = (
        releases.pod(GREEN, 0, is_ready=False, trouble="ImagePullBackOff"),
        releases.pod(GREEN, 1, is_ready=False),
        releases.pod(GREEN, 2, meta=releases.meta(f"{GREEN}-2", owner=f"uid-{GREEN}", deleting=True)),
    )
    found = rows(with_pods(releases.draining(), *pods))
    assert found[f"{GREEN}-0"].mark.text == "▲ ImagePullBackOff"
    assert found[f"{GREEN}-0"].weight is Weight.TROUBLE
    assert found[f"{GREEN}-2"].mark.word == "stopping"


def test_a_pod_that_emqx_does_not_list_is_starting_or_in_trouble():
    view = releases.draining()
    nodes = tuple(node for node in view.snapshot.nodes.value or () if GREEN not in node.name)
    view = replace(view, snapshot=replace(view.snapshot, nodes=Reading(nodes, NOW)))
    assert rows(view)[f"{GREEN}-0"].mark.word == "not in EMQX"
    starting = with_pods(view, releases.pod(GREEN, 0, is_ready=False))
    assert rows(starting)[f"{GREEN}-0"].mark.word == "starting"
    unread = replace(view, snapshot=replace(view.snapshot, nodes=MISSING))
    assert rows(unread)[f"{GREEN}-0"].mark.word == "not read"


def test_a_green_pod_that_is_in_emqx_but_not_ready_is_told():
    view = releases.before_cut_over()
    pods = tuple(releases.pod(GREEN, n) for n in range(3))
    view = with_pods(view, *pods)
    unready = (releases.pod(GREEN, 0, is_ready=False), *pods[1:])
    assert rows(with_pods(view, *unready))[f"{GREEN}-0"].mark.text == "◌ not Ready"
    assert rows(view)[f"{GREEN}-0"].mark.text == "■ out of Service"


def test_a_place_without_a_pod_is_told():
    view = with_pods(releases.draining(), releases.pod(GREEN, 0))
    assert rows(view)[f"{GREEN}-2"].mark.word == "no pod yet"


def test_old_figures_carry_a_question_mark():
    view = releases.draining()
    old = Reading(view.snapshot.stats.value, NOW - timedelta(seconds=30))
    view = replace(view, snapshot=replace(view.snapshot, stats=old))
    assert "?27,131" in shown(view, 80)[2]


def test_unknown_figures_are_not_zero():
    view = releases.draining()
    view = replace(view, snapshot=replace(view.snapshot, stats=MISSING), rates=())
    row = rows(view)[f"{BLUE}-1"]
    assert (row.live, row.eta_s, row.progress) == (None, None, None)
    assert " ? " in shown(view, 80)[2]


def test_all_of_blue_stays_in_the_table_when_it_is_gone():
    found = rows(releases.done())
    assert [found[f"{BLUE}-{n}"].mark.word for n in range(3)] == ["gone"] * 3


def test_without_a_release_nodes_have_no_generation():
    assert {row.colour for row in node_rows(releases.idle())} == {Colour.NONE}
    assert len(node_rows(releases.idle())) == 3


def many(count: int) -> list[NodeRow]:
    """`count` + `count` nodes: blue gone above 5, 5 evicting, green serving."""
    base = node_rows(releases.draining())
    gone, busy, waiting, green = base[0], base[1], base[2], base[3]
    blue = [
        (gone if n > 5 else busy if n == 5 else waiting)._replace(name=f"b-{n}", key=f"b-{n}")
        for n in range(count - 1, -1, -1)
    ]
    return blue + [green._replace(name=f"g-{n}", key=f"g-{n}") for n in range(count)]


def test_rows_that_fit_are_all_shown():
    assert fit_rows(many(3), 6) == many(3)


@pytest.mark.parametrize("room", [4, 6, 8, 9, 12, 20])
def test_twelve_and_twelve_nodes_fit_and_the_busy_one_is_seen(room):
    found = fit_rows(many(12), room)
    assert len(found) <= room
    assert any(isinstance(row, NodeRow) and row.weight is Weight.BUSY for row in found)


def test_counted_rows_say_how_many_what_and_how_much():
    found = fit_rows(many(12), 9)
    assert "● 12 green nodes serving: 13,143 to 13,143 clients each, 157,716 in all" in found
    assert "✔ 6 blue nodes gone" in fit_rows(many(12), 5)


def test_no_more_rows_are_counted_together_than_must_be():
    found = fit_rows(many(12), 16)
    assert len(found) == 16
    assert sum(isinstance(row, NodeRow) and row.colour is Colour.GREEN for row in found) == 3
    assert found[-1] == "● 9 more green nodes serving: 13,143 to 13,143 clients each, 118,287 in all"


def test_very_many_nodes_leave_room_for_the_plot():
    assert share(50, 2, 100, 0).table == 22
    assert share(50, 2, 100, 0).plot >= 14
    assert share(24, 2, 100, 0) == share(24, 2, 8, 0)
    assert share(50, 2, 24, 0).table == 25


def test_counted_rows_give_no_total_without_one_of_them():
    rows = many(12)
    found = fit_rows([*rows[:-1], rows[-1]._replace(live=None)], 9)
    assert "● 12 green nodes serving" in found


def test_rows_that_still_do_not_fit_are_told():
    trouble = [row._replace(weight=Weight.TROUBLE) for row in many(12)]
    found = fit_rows(trouble, 5)
    assert len(found) == 5
    assert found[-1] == "… 20 more rows: enlarge the window"
    assert fit_rows(trouble, 0) == []
