"""The list of clusters: states, cells and the lines around the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.gate_id import CUT_OVER, GateId
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.ui.clusters.cells import cells_of, shown_columns, widths
from emqx_tui.ui.clusters.filters import matches
from emqx_tui.ui.clusters.lines import counts, detail, fleet_line
from emqx_tui.ui.clusters.states import sort_value, state, version_words
from emqx_tui.ui.text import spans
from tests.support.scripted import NOW, fleet, row, three_clusters


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "running"),
        ({"ready": 2}, "degraded"),
        ({"condition": None}, "new"),
        ({"condition": "Failed"}, "not running"),
        ({"releasing": True, "condition": "BlueGreenUpdating"}, "ungated"),
        ({"phase": Phase.DRAINING}, "releasing"),
        ({"phase": Phase.DRAINING, "gate": GateId.node(1)}, "waits for you"),
        ({"phase": Phase.DRAINING, "gate": GateId.node(1), "is_held": True}, "held"),
        ({"phase": Phase.ABORTING}, "aborting"),
        ({"phase": Phase.LOST}, "lost"),
        ({"phase": Phase.DONE}, "running"),
    ],
)
def test_the_state_is_derived(fields, word):
    assert state(row(**fields)).word == word


def test_a_release_that_a_console_gates_is_not_called_the_operators_own():
    """Its journal is known only once the cluster is opened; the closed valve can be seen in the list."""
    held = {"initialDelaySeconds": 1_000_000_002, "evacuationStrategy": {"connEvictRate": 200, "sessEvictRate": 200}}
    assert state(row(releasing=True, blue_green=held)).word == "releasing"
    assert state(row(releasing=True)).word == "ungated"


def test_a_true_running_condition_that_is_not_the_newest_does_not_count():
    found = row(condition="BlueGreenUpdating").resource
    running = replace(found.conditions[0], type="Running", status=True)
    old = replace(found, conditions=(replace(found.conditions[0], status=False), running))
    assert state(replace(row(), resource=old)).word == "not running"


def test_every_state_has_a_word_and_a_glyph_of_its_own_tone():
    rows = [row(), row(ready=1), row(gate=CUT_OVER, phase=Phase.READY_TO_CUT_OVER), row(is_held=True)]
    marks = [state(found) for found in rows]
    assert len({mark.word for mark in marks}) == len({mark.glyph for mark in marks}) == len(marks)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"version": "4.4.15"}, "4.4.15"),
        ({"version": "4.4.15", "status_version": "4.4.14"}, "4.4.15"),
        ({"version": "4.4.15", "status_version": "4.4.14", "releasing": True}, "4.4.14→4.4.15"),
        ({"version": "4.4.15", "releasing": True}, "4.4.15"),
    ],
)
def test_versions(fields, words):
    assert version_words(row(**fields)) == words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"live": 100_000}, "100,000"),
        ({"live": 0}, "0"),
        ({}, "~100,000"),
        ({"condition": None}, "?"),
    ],
)
def test_clients_from_the_status_are_marked_and_unknown_is_no_zero(fields, words):
    cells = cells_of(row(**fields), NOW, widths(80))
    assert spans.plain(cells["clients"]) == words


@pytest.mark.parametrize("total", [79, 100, 120, 200, 400])
def test_columns_fill_the_room_and_nothing_sticks_out(total):
    room = widths(total)
    assert sum(room.values()) <= total
    long = row("a" * 80, "n" * 80, gate=GateId.node(12), phase=Phase.DRAINING, live=12_345_678, problem="p" * 300)
    for key, cell in cells_of(long, NOW, room).items():
        assert spans.width(cell) <= room[key], key


WHY = Unreadable("spec.replicas", "expected an integer, found a string")


def unreadable(**fields) -> ClusterRow:
    found = row(problem=f"cannot be read: {WHY}", phase=Phase.DRAINING, gate=GateId.node(1), **fields)
    return replace(found, unreadable=WHY, read_at=NOW - timedelta(seconds=200))


def test_an_object_that_cannot_be_read_says_so_and_its_last_figures_are_called_old():
    found = unreadable()
    cells = {name: spans.plain(cell) for name, cell in cells_of(found, NOW, widths(80)).items()}
    assert cells["phase"] == "▲ unreadable"
    assert (cells["version"], cells["ready"], cells["step"].strip()) == ("4.4.14", "3/3", "old 3min")
    first, second = detail(found, NOW)
    assert "its figures are from 12:02:41" in spans.plain(first)
    assert spans.plain(second) == f"▲ cannot be read: {WHY}"


def test_an_object_that_was_never_read_has_no_figures_at_all():
    nothing = EmqxEnterprise.from_json({"metadata": {"namespace": "mqtt", "name": "emqx-ee"}})
    found = replace(unreadable(), resource=nothing)
    cells = {name: spans.plain(cell) for name, cell in cells_of(found, NOW, widths(80)).items()}
    assert (cells["version"], cells["ready"], cells["clients"]) == ("?", "?", "?")
    assert "it was never read" in spans.plain(detail(found, NOW)[0])


@pytest.mark.parametrize("column", [column.key for column in shown_columns(widths(300))])
def test_every_column_sorts(column):
    rows = [*three_clusters().rows, row(condition=None), row(live=5)]
    assert len(sorted(rows, key=lambda found: sort_value(found, column))) == 5


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("", 3),
        ("emqx-ee", 2),
        ("emqx-ee !stg", 1),
        ("WAITS", 1),
        ("4.4.15", 2),
        ("!", 3),
        ("lab mqtt", 0),
        (r"^mqtt\b", 2),
        (r"4\.4\.1[45]$ lab", 0),
        ("!^mqtt", 1),
        ("emqx-(t1|x)", 1),
        ("(", 0),
        ("4.4.15 !(", 2),
    ],
)
def test_filters(wanted, names):
    assert sum(matches(found, wanted) for found in three_clusters().rows) == names


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("-l app=mqtt", ["a", "c"]),
        ("-lapp=mqtt", ["a", "c"]),
        ("-l app==mqtt,tier=gold", ["a"]),
        ("-l app!=mqtt", ["b"]),
        ("-l tier", ["a"]),
        ("-l !tier", ["b", "c"]),
        ("c -l app=mqtt", ["c"]),
        ("-l", ["a", "b", "c"]),
    ],
)
def test_labels_are_asked_for_as_kubectl_spells_it(wanted, names):
    rows = [row("a", labels={"app": "mqtt", "tier": "gold"}), row("b"), row("c", labels={"app": "mqtt"})]
    assert [found.resource.name for found in rows if matches(found, wanted)] == names


def test_the_fleet_in_figures():
    rows = [
        row("a", phase=Phase.DRAINING, releasing=True, gate=GateId.node(1), version="4.4.9"),
        row("b", phase=Phase.DRAINING, releasing=True, is_held=True, version="4.4.24"),
        row("c", version="4.4.15"),
        row("d", version="4.4.24"),
    ]
    told = spans.plain(fleet_line(fleet(*rows)))
    assert told == "4 clusters · 2 in release · 1 held · 1 waiting · 2 behind 4.4.24 · 2 need you"
    assert spans.plain(counts(fleet(*rows))) == "4 clusters · 2 in release · 2 need you"
    assert spans.plain(fleet_line(fleet(row("a")))) == "1 cluster"
    assert fleet_line(fleet()) == ()


def test_whatever_is_under_way_sorts_before_what_is_at_rest():
    under_way = [row(phase=Phase.DRAINING), row(releasing=True), row(phase=Phase.ABORTING), row(condition=None)]
    assert all(sort_value(found, "phase") < sort_value(row(), "phase") for found in under_way)
