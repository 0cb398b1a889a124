"""Words of the list and of the top line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.reading import Reading
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.view import ClusterRow, SourceHealth
from emqx_tui.ui.clusters import rows as clusters
from emqx_tui.ui.shell.identity import Identity, fleet_live, identity_line, view_live
from emqx_tui.ui.text import marks as present
from emqx_tui.ui.text import spans
from tests.support.scripted import CONTEXT, NOW, SERVER, fleet, resource, row, three_clusters, view


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "running"),
        ({"ready": 2}, "degraded"),
        ({"condition": None}, "new"),
        ({"condition": "Failed"}, "not running"),
        ({"releasing": True, "condition": "BlueGreenUpdating"}, "operator alone"),
        ({"phase": Phase.DRAINING}, "releasing"),
        ({"phase": Phase.DRAINING, "gate": "node:1"}, "waits for you"),
        ({"phase": Phase.DRAINING, "gate": "node:1", "is_held": True}, "held"),
        ({"phase": Phase.ABORTING}, "aborting"),
        ({"phase": Phase.LOST}, "lost"),
        ({"phase": Phase.DONE}, "running"),
    ],
)
def test_the_state_is_derived(fields, word):
    assert clusters.state(row(**fields)).word == word


def test_a_release_that_a_console_gates_is_not_called_the_operators_own():
    """Its journal is known only once the cluster is opened; the closed valve can be seen in the list."""
    held = {"initialDelaySeconds": 1_000_000_002, "evacuationStrategy": {"connEvictRate": 200, "sessEvictRate": 200}}
    assert clusters.state(row(releasing=True, blue_green=held)).word == "releasing"
    assert clusters.state(row(releasing=True)).word == "operator alone"


def test_a_true_running_condition_that_is_not_the_newest_does_not_count():
    found = row(condition="BlueGreenUpdating").resource
    running = replace(found.conditions[0], type="Running", status=True)
    old = replace(found, conditions=(replace(found.conditions[0], status=False), running))
    assert clusters.state(replace(row(), resource=old)).word == "not running"


def test_every_state_has_a_word_and_a_glyph_of_its_own_tone():
    rows = [row(), row(ready=1), row(gate="cut-over", phase=Phase.READY_TO_CUT_OVER), row(is_held=True)]
    marks = [clusters.state(found) for found in rows]
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
    assert clusters.version_words(row(**fields)) == words


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
    cells = clusters.cells(row(**fields), NOW, clusters.widths(80))
    assert spans.plain(cells["clients"]) == words


@pytest.mark.parametrize("total", [79, 100, 120, 200, 400])
def test_columns_fill_the_room_and_nothing_sticks_out(total):
    room = clusters.widths(total)
    assert sum(room.values()) <= total
    long = row("a" * 80, "n" * 80, gate="node:12", phase=Phase.DRAINING, live=12_345_678, problem="p" * 300)
    for key, cell in clusters.cells(long, NOW, room).items():
        assert spans.width(cell) <= room[key], key


WHY = "spec.replicas: expected an integer, found a string"


def unreadable(**fields) -> ClusterRow:
    found = row(problem=f"cannot be read: {WHY}", phase=Phase.DRAINING, gate="node:1", **fields)
    return replace(found, unreadable=WHY, read_at=NOW - timedelta(seconds=200))


def test_an_object_that_cannot_be_read_says_so_and_its_last_figures_are_called_old():
    found = unreadable()
    cells = {name: spans.plain(cell) for name, cell in clusters.cells(found, NOW, clusters.widths(80)).items()}
    assert cells["phase"] == "▲ unreadable"
    assert (cells["version"], cells["ready"], cells["step"].strip()) == ("4.4.14", "3/3", "old 3min")
    first, second = clusters.detail(found, NOW)
    assert "its figures are from 12:02:41" in spans.plain(first)
    assert spans.plain(second) == f"▲ cannot be read: {WHY}"


def test_an_object_that_was_never_read_has_no_figures_at_all():
    nothing = EmqxEnterprise.from_json({"metadata": {"namespace": "mqtt", "name": "emqx-ee"}})
    found = replace(unreadable(), resource=nothing)
    cells = {name: spans.plain(cell) for name, cell in clusters.cells(found, NOW, clusters.widths(80)).items()}
    assert (cells["version"], cells["ready"], cells["clients"]) == ("?", "?", "?")
    assert "it was never read" in spans.plain(clusters.detail(found, NOW)[0])


@pytest.mark.parametrize("column", [column.key for column in clusters.columns(clusters.widths(300))])
def test_every_column_sorts(column):
    rows = [*three_clusters().rows, row(condition=None), row(live=5)]
    assert len(sorted(rows, key=lambda found: clusters.sort_value(found, column))) == 5


@pytest.mark.parametrize(
    ("wanted", "names"),
    [("", 3), ("emqx-ee", 2), ("emqx-ee !stg", 1), ("WAITS", 1), ("4.4.15", 2), ("!", 3), ("lab mqtt", 0)],
)
def test_filters(wanted, names):
    assert sum(clusters.matches(found, wanted) for found in three_clusters().rows) == names


# --- the top line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_cluster_is_named_at_every_width(width):
    live = fleet_live(three_clusters())
    identity = Identity(("prod-eu", "mqtt", "emqx-ee"), SERVER, "", live, is_production=True, is_read_only=True)
    line = identity_line(identity, width)
    text = spans.plain(line)
    assert spans.width(line) == width
    for part in ("prod-eu ▸ mqtt ▸ emqx-ee", "LIVE", "PROD", "READ-ONLY"):
        assert part in text


def test_long_names_lose_their_middle_not_their_ends():
    live = fleet_live(three_clusters())
    long = ("gke_company-production_europe-west1_main", "messaging-core-team", "emqx-enterprise-customer-gateway-7")
    text = spans.plain(identity_line(Identity(long, SERVER, "", live, is_production=True), 80))
    assert "gke_" in text
    assert "ain ▸ " in text
    assert "way-7" in text
    assert "PROD" in text


@pytest.mark.parametrize(
    ("width", "shown", "hidden"),
    [
        (140, ("3 clusters · 1 in release · 1 waits for you", SERVER), ()),
        (84, ("1 waits for you", SERVER, "all namespaces"), ("3 clusters",)),
        (80, (SERVER, "all namespaces"), ("3 clusters",)),
    ],
)
def test_what_gives_way_in_the_list(width, shown, hidden):
    listed = three_clusters()
    identity = Identity(
        (CONTEXT,),
        SERVER,
        "all namespaces",
        fleet_live(listed),
        middle=clusters.counts(listed),
        short_middle=clusters.waiting_count(listed),
        is_production=False,
    )
    text = spans.plain(identity_line(identity, width))
    assert all(part in text for part in shown)
    assert not any(part in text for part in hidden)


BROKEN = SourceHealth("pods", False, NOW - timedelta(seconds=30), "reset")


@pytest.mark.parametrize(
    ("health", "quiet_s", "word"),
    [
        ((), 0.0, "LIVE"),
        ((SourceHealth("pods", True, NOW),), 0.0, "LIVE"),
        ((SourceHealth("pods", False, None),), 0.0, "reading"),
        ((SourceHealth("a", True, NOW), BROKEN), 0.0, "STALE pods 30 s"),
        ((BROKEN,), 0.0, "OFFLINE 30 s"),
        ((SourceHealth("pods", True, NOW),), 7.0, "STALE no news for 7.0 s"),
    ],
)  # fmt: skip
def test_liveness_says_age_and_source(health, quiet_s, word):
    assert word in fleet_live(fleet(row(live=5), health=health), quiet_s).text


def test_what_may_not_be_read_is_not_called_stale():
    """Nothing of it is old: there is a right missing, which is told where it matters."""
    forbidden = (SourceHealth(name, False, None, "secrets is forbidden", True) for name in ("secrets", "EMQX"))
    health = (SourceHealth("pods", True, NOW), *forbidden)
    found = view(health=health)
    later = replace(found, snapshot=replace(found.snapshot, now=NOW + timedelta(seconds=40)))
    assert view_live(found).text == view_live(later).text == "● LIVE 0.0 s"


def test_old_figures_are_not_called_live():
    assert "STALE 40 s" in fleet_live(fleet(row(live=5, live_age_s=40))).text
    found = view()
    old = Reading(resource(), NOW - timedelta(seconds=40))
    assert "STALE 40 s" in view_live(replace(found, snapshot=replace(found.snapshot, resource=old))).text


# --- shared words ------------------------------------------------------------------------------------------------


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
    assert present.object_age(seconds) == text


@pytest.mark.parametrize("text", ["emqx-enterprise-gateway", "发布集群名称很长很长", "a", ""])
@pytest.mark.parametrize("width", range(12))
def test_cut_texts_never_take_more_cells_than_given(text, width):
    from rich.cells import cell_len

    assert cell_len(present.fit(text, width)) <= width
    assert cell_len(present.fit_middle(text, width)) <= width
    if cell_len(text) <= width:
        assert present.fit(text, width) == present.fit_middle(text, width) == text
