"""Nodes that fail in a release: what is told of them, and what is no incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.containers import Container, Termination
from emqx_tui.model.nodes import EmqxNode, NodeStats
from emqx_tui.model.series import Sample
from emqx_tui.model.snapshot import Colour, Snapshot
from emqx_tui.rollout.checks.emqx_alarms import clients_missing
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import AbortRecord, Journal
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.rollout.state.observed import Observations
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind, NodeWatch, watch
from tests.support import scenes as build
from tests.support.scenes import Scene, ago, approved, noted, with_place, with_side, without_place

GREEN = f"{build.GREEN_NAME}-0"
DRAINING = with_place(approved(build.draining(), "node:2"), "green", 0, live=250)
KILLED = Termination("OOMKilled", 137, "", ago(-1))


def at(scene: Scene, seconds: float) -> Scene:
    return replace(scene, now=build.NOW + timedelta(seconds=seconds))


def watched(*scenes: Scene, journal: Journal | None = None) -> NodeWatch:
    known = NodeWatch()
    for scene in scenes:
        known = watch(known, scene.snapshot(), journal or scene.journal)
    return known


def told(known: NodeWatch) -> list[tuple[IncidentKind, str, int | None, str]]:
    return [(i.kind, i.pod, i.clients, i.reason) for i in known.incidents]


def test_a_green_pod_that_is_gone_is_told_with_the_clients_that_it_had():
    known = watched(DRAINING, at(without_place(DRAINING, "green", 0), 2))
    assert told(known) == [(IncidentKind.POD_LOST, GREEN, 250, "")]
    assert known.incidents[0].at == build.NOW + timedelta(seconds=2)
    assert not known.incidents[0].is_over


def test_another_pod_in_its_place_is_a_lost_pod_until_it_serves():
    again = with_place(
        DRAINING, "green", 0, pod_uid="other", created_at=build.NOW, is_joined=False, is_ready=False, live=None
    )
    known = watched(DRAINING, at(again, 2))
    assert told(known) == [(IncidentKind.POD_LOST, GREEN, 250, "")]
    back = with_place(DRAINING, "green", 0, pod_uid="other", created_at=build.NOW, live=0)
    known = watch(known, at(back, 60).snapshot(), back.journal)
    assert known.incidents[0].back_at == build.NOW + timedelta(seconds=60)
    assert len(known.incidents) == 1


def test_a_container_that_restarts_says_how_it_ended():
    container = Container("emqx", "emqx/emqx-ee:4.4.15", False, 1, "", "", ago(0), None, KILLED)
    again = with_place(DRAINING, "green", 0, restarts=1, is_joined=False, live=None, containers=(container,))
    assert told(watched(DRAINING, at(again, 2))) == [(IncidentKind.RESTARTED, GREEN, 250, "OOMKilled, exit code 137")]


def test_who_came_to_the_next_broker_before_a_late_watch_told_of_its_start_was_not_on_the_one_that_ended():
    """The watch on pods was silent for a minute."""
    container = Container("emqx", "", True, 1, "", "", None, None, KILLED)
    samples = tuple(Sample(build.NOW + timedelta(seconds=at_s), 900, n, {GREEN: n}) for at_s, n in ((1, 40), (59, 250)))
    known = watched(at(DRAINING, 60))
    late = at(with_place(DRAINING, "green", 0, restarts=1, live=250, containers=(container,)), 61)
    known = watch(known, late.snapshot(), late.journal, samples)
    assert told(known) == [(IncidentKind.RESTARTED, GREEN, 40, "OOMKilled, exit code 137")]


def test_a_broker_that_leaves_emqx_while_its_pod_runs_is_told_after_a_while_with_the_instant():
    away = with_place(DRAINING, "green", 0, is_joined=False, live=None)
    known = watched(DRAINING, at(away, 2), at(away, 8))
    assert not known.incidents
    known = watch(known, at(away, 13).snapshot(), away.journal)
    assert told(known) == [(IncidentKind.LEFT_EMQX, GREEN, 250, "")]
    assert known.incidents[0].at == build.NOW + timedelta(seconds=2)


def away(live: int | None, seconds: float, *, is_joined: bool = False) -> Snapshot:
    """The green node says of itself how many clients it has; EMQX lists it or does not."""
    seen = at(with_place(DRAINING, "green", 0, is_joined=is_joined, live=live), seconds).snapshot()
    node = EmqxNode(build.node_name(GREEN), "4.4.15")
    stats = {} if live is None else {node.name: NodeStats(live, 0)}
    return replace(seen, brokers={GREEN: node}, stats=replace(seen.stats, value={**(seen.stats.value or {}), **stats}))


def test_a_node_that_only_lost_its_peers_keeps_its_clients_until_it_is_restarted():
    def seen(known: NodeWatch, *snapshots: Snapshot) -> NodeWatch:
        for snapshot in snapshots:
            known = watch(known, snapshot, DRAINING.journal)
        return known

    begun = watched(DRAINING)
    silent = seen(begun, away(None, 2), away(None, 13)).incidents[0]
    assert (wording.incident(silent).rpartition(": ")[2], silent.cut_off) == ("250 clients were on it", None)
    known = seen(begun, away(251, 2), away(700, 13))
    split = known.incidents[0]
    assert (wording.incident(split).rpartition(": ")[2], split.cut_off) == ("700 clients stay connected to it", 0)
    known = seen(known, away(None, 30, is_joined=True))
    assert not known.incidents[0].is_over, "what its return costs is not known yet"
    back = seen(known, away(12, 31, is_joined=True)).incidents[0]
    assert wording.cost(back) == "688 clients were cut off"
    assert (back.cut_off, back.is_over) == (688, True)


def test_the_count_from_before_the_broker_closed_its_listeners_is_what_was_cut_off():
    closing = with_place(DRAINING, "green", 0, live=0)
    assert told(watched(DRAINING, at(closing, 1), at(without_place(DRAINING, "green", 0), 2)))[0][2] == 250


@pytest.mark.parametrize(
    ("counts", "clients"),
    [
        ((250, 120), 120),
        ((250, None), 250),
        ((250, None, 0), 250),
        ((120, 0, 0), 120),
        ((0, 0), 0),
        ((None, None), None),
    ],
    ids=str,
)
def test_a_node_that_stays_is_no_incident_and_one_that_goes_had_those_who_were_counted_last(
    counts: tuple[int | None, ...], clients: int | None
):
    looks = [at(with_place(DRAINING, "green", 0, live=live), second) for second, live in enumerate(counts)]
    assert not watched(*looks).incidents
    lost = at(without_place(DRAINING, "green", 0), len(counts))
    assert told(watched(*looks, lost)) == [(IncidentKind.POD_LOST, GREEN, clients, "")]


def test_a_node_that_its_drain_has_emptied_had_nobody():
    full, empty = (with_place(DRAINING, "blue", 2, **build.draining_place(live=live)) for live in (300, 0))
    known = watched(full, at(empty, 1), at(without_place(DRAINING, "blue", 2), 2))
    assert [incident.clients for incident in known.incidents] == [0]


def test_what_the_release_takes_away_itself_is_no_incident():
    gone = noted(at(without_place(DRAINING, "blue", 2), 2), drained=(f"{build.BLUE_NAME}-2",))
    assert not watched(DRAINING, gone).incidents
    scaled = at(with_side(without_place(DRAINING, "blue", 2), "blue", replicas=2), 2)
    assert not watched(DRAINING, scaled).incidents
    assert watched(DRAINING, at(without_place(DRAINING, "blue", 2), 2)).incidents


def test_green_is_watched_when_blue_is_gone_and_not_when_an_abort_takes_it_away():
    alone = replace(DRAINING, blue=None)
    lost = at(without_place(alone, "green", 0), 2)
    assert told(watched(alone, lost)) == [(IncidentKind.POD_LOST, GREEN, 250, "")]
    aborted = noted(alone, abort=AbortRecord("ann@host", ago(9), "revision"))
    assert not watched(alone, lost, journal=aborted.journal).incidents


def test_a_console_that_comes_later_reads_it_from_the_pods():
    container = Container("emqx", "emqx/emqx-ee:4.4.15", True, 1, "", "", ago(5), None, KILLED)
    scene = with_place(DRAINING, "green", 0, restarts=1, containers=(container,))
    known = watched(noted(scene, cut_over_at=ago(100)))
    assert told(known) == [(IncidentKind.RESTARTED, GREEN, None, "OOMKilled, exit code 137")]
    assert known.incidents[0].is_over


@pytest.mark.parametrize(
    ("side", "ended_ago_s", "is_told"),
    [("blue", 199, True), ("blue", 200, False), ("green", 99, True), ("green", 100, False), ("green", 150, False)],
)
def test_before_anybody_looked_blue_counts_from_the_start_on_and_green_from_the_cut_over_on(
    side: str, ended_ago_s: float, is_told: bool
):
    ended = replace(KILLED, finished_at=ago(ended_ago_s))
    container = Container("emqx", "emqx/emqx-ee:4.4.15", True, 1, "", "", ago(0), None, ended)
    scene = with_place(DRAINING, side, 0, restarts=1, containers=(container,))
    known = watched(noted(scene, created_at=ago(200), cut_over_at=ago(100)))
    assert [incident.at for incident in known.incidents] == [ago(ended_ago_s)] * is_told


def test_an_incident_is_told_in_one_sentence_with_the_instant_and_the_cost():
    lost = Incident(IncidentKind.POD_LOST, GREEN, Colour.GREEN, build.NOW, 16_530)
    assert wording.incident(lost) == f"green {GREEN} was lost at {build.NOW:%H:%M:%S}Z: 16,530 clients were cut off"
    restarted = replace(lost, kind=IncidentKind.RESTARTED, clients=None, reason="OOMKilled, exit code 137")
    assert "(OOMKilled, exit code 137): nobody counted the clients on it" in wording.incident(restarted)


@pytest.mark.parametrize("clients", [16_530, None])
def test_the_hold_for_missing_clients_names_its_cause_first(clients: int | None):
    lost = Incident(IncidentKind.POD_LOST, GREEN, Colour.GREEN, ago(20), clients)
    scene = noted(DRAINING, totals=replace(DRAINING.journal.totals, first_drain_at=ago(60)))
    observed = Observations(nodes=NodeWatch(incidents=(lost,)), missing_since=ago(12))
    context = replace(scene.context(), memory=Memory(observations=observed))
    alarm = clients_missing(context, Phase.DRAINING)
    assert alarm is not None
    assert alarm.evidence.startswith(f"{wording.incident(lost)}; 0 of 0 evicted")


@pytest.mark.parametrize(
    ("at_s", "clients", "is_named"), [(60, 1, True), (60, 0, False), (61, 1, False)], ids=["cut off", "empty", "before"]
)
def test_a_node_is_a_cause_from_the_first_drain_on_if_one_client_was_on_it(at_s: float, clients: int, is_named: bool):
    lost = Incident(IncidentKind.POD_LOST, GREEN, Colour.GREEN, ago(at_s), clients)
    scene = noted(DRAINING, totals=replace(DRAINING.journal.totals, first_drain_at=ago(60)))
    observed = Observations(nodes=NodeWatch(incidents=(lost,)), missing_since=ago(12))
    alarm = clients_missing(replace(scene.context(), memory=Memory(observations=observed)), Phase.DRAINING)
    assert alarm is not None
    assert (GREEN in alarm.evidence) is is_named
