"""At the same instant list, screen, cards, `get`, `status`, the lines and the end say the same, and it is so.

Releases and accidents are rehearsed; whenever a View is published, what every front end says of it is compared with
what the others say and with the simulated clients and Service.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import pytest

from emqx_tui.headless.lines.view_diff import progress
from emqx_tui.headless.looking import rows, status
from emqx_tui.headless.release.exit_status import Result
from emqx_tui.headless.release.summary import summary as finished
from emqx_tui.rollout.intents import SetPolicy
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval, needs_person
from emqx_tui.rollout.telling import wording
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World
from emqx_tui.session.session import Session
from emqx_tui.session.views import facts
from emqx_tui.session.views.cluster_facts import with_view
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.session.views.view import View
from emqx_tui.ui.cards.abort_card import abort_card
from emqx_tui.ui.cards.gate_card import gate_card
from emqx_tui.ui.clusters.states import state, step_word, version_words
from emqx_tui.ui.rollout.checks import check_lines
from emqx_tui.ui.rollout.headline import headline
from emqx_tui.ui.rollout.nodes import node_rows
from emqx_tui.ui.rollout.rail import rail
from emqx_tui.ui.rollout.summary import summary
from emqx_tui.ui.text.spans import plain
from tests.support.rehearsal.rehearse import Run, Script, rehearse

CLIENTS = 3_000
LAG = 850
"""Clients that may move between a poll and the instant of the truth: four seconds at 200/s, and churn."""
CHURN = 150
"""Clients that come to one of three nodes between its last count and its end, two seconds later."""
TWO_TICKS = 450
"""Evicted in two seconds, and churn."""


@dataclass(frozen=True)
class Seen:
    """A View, and what was true when it was published."""

    view: View
    evicted: int
    offline: int
    """Clients on no node, those that gave up among them."""
    killed: int
    """Clients whose node went away under them."""
    in_service: frozenset[str]
    """Pods to which the Service sends clients, in this look or the one before: a watch is a moment late."""


@dataclass(frozen=True)
class Told:
    run: Run
    seen: list[Seen]

    def while_(self, *phases: Phase) -> list[Seen]:
        return [each for each in self.seen if each.view.decision.phase in phases and not each.view.result]


def in_service(world: World) -> set[str]:
    """Pods that the EndpointSlices of the Service list: what proxies go by."""
    slices = [each for each in world.store.list("endpointslices", "default") if _service(each) == "emqx-ee"]
    return {point["targetRef"]["name"] for each in slices for point in each["endpoints"] if point.get("targetRef")}


def _service(each: dict[str, Any]) -> str:
    return each["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")


@functools.cache
def told(
    name: str,
    approval: Approval,
    switch_to: str = "",
    resume_after_s: float | None = None,
    kill_at: int = 0,
    preset: str = "mqttx-default",
    clients: int = CLIENTS,
) -> Told:
    world = scenario("smooth" if name == OPERATOR_GOES else name, clients=clients, preset=preset)
    truth, seen = world.cluster().truth, []
    switched: list[str] = []
    before: set[str] = set()

    def act(session: Session, view: View) -> None:
        gone = truth.since_mark()
        now = in_service(world)
        seen.append(Seen(view, gone.evicted, truth.offline + gone.lost, gone.killed, frozenset(now | before)))
        before.clear()
        before.update(now)
        if switch_to and not switched and facts.draining(view):
            switched.append(switch_to)
            session.submit(SetPolicy("ann@bastion", switch_to))
        if name == OPERATOR_GOES and not switched and facts.draining(view):
            switched.append(name)
            world.operator.down = True
            world.timeline.after(60.0, lambda: setattr(world.operator, "down", False))

    script = Script(approval=approval, act=act, resume_after_s=resume_after_s)
    kills = ((kill_at, "after"),) if kill_at else ()
    run = rehearse(world, script, limit_s=2_400.0, kill_at=kills, dead_for_s=40.0)
    return Told(run, seen)


def row_of(view: View) -> ClusterRow:
    resource = view.snapshot.resource.value
    assert resource is not None
    return with_view(ClusterRow(resource, view.now, Phase.IDLE), view)


def short_name(pod: str) -> str:
    """As the bar shortens it: the revision and the ordinal."""
    return "-".join(pod.rsplit("-", 2)[-2:])


def bar(view: View) -> str:
    found = headline(view)
    return f"{plain(found.first)} {plain(found.second)}"


OPERATOR_GOES = "operator goes"
"""No scenario of the sandbox: the operator is down for a minute, from the first drain on."""
RUNS = {
    "every node": ("smooth", Approval.EVERY_NODE),
    "auto from the first drain on": ("smooth", Approval.EVERY_NODE, "auto"),
    "a green node lost": ("node-lost", Approval.EVERY_NODE, "", 30.0),
    "a broker that hangs": ("hung-peer", Approval.EVERY_NODE, "", 30.0),
    "a broker that is split off": ("split", Approval.EVERY_NODE, "", 30.0),
    "a slow node": ("slow-drain", Approval.CUT_OVER, "", 30.0),
    "green never ready": ("green-never-ready", Approval.AUTO),
    "a network that cuts connections": ("network-resets", Approval.CUT_OVER, "", 30.0),
    "the operator goes in a drain": (OPERATOR_GOES, Approval.EVERY_NODE, "", 30.0),
}


def one_worker(run: str) -> pytest.MarkDecorator:
    """One worker takes all tests of one run, so that it is played once."""
    return pytest.mark.xdist_group(f"told: {run}")


@pytest.fixture(params=[pytest.param(words, id=run, marks=one_worker(run)) for run, words in RUNS.items()])
def played(request: pytest.FixtureRequest) -> Told:
    return told(*request.param)


def under_way(played: Told) -> list[View]:
    views = [each.view for each in played.seen]
    return [v for v in views if facts.is_under_way(v) and v.snapshot.resource.value and v.snapshot.slices.value]


def test_list_get_screen_and_status_agree_on_who_is_waited_for(played: Told) -> None:
    for view in under_way(played):
        row, said = row_of(view), " ".join(status.lines(view))
        is_waiting = facts.waits_for_person(view)
        assert (state(row).word == "waits for you") is is_waiting, view.decision.phase
        assert (rows.item(row, view.now)["phase"] == "Waiting") is is_waiting
        assert ("waits for a person" in said) is (is_waiting or ("waits for a person" in said and _is_open(view)))
        if "WAITING FOR YOU" in bar(view):
            assert is_waiting
        assert step_word(row) != "?"


def _is_open(view: View) -> bool:
    gate, journal = view.decision.gate, view.journal
    return gate is not None and journal is not None and gate.is_open and needs_person(gate.kind, journal.approval)


def test_no_sentence_promises_a_question_that_the_policy_does_not_ask(played: Told) -> None:
    for view in under_way(played):
        gate, journal = view.decision.gate, view.journal
        if gate is None or journal is None or needs_person(gate.kind, journal.approval):
            continue
        assert "waits for you" not in bar(view).lower(), (journal.approval, bar(view))
        card = gate_card(gate, view)
        assert "waits for you" not in " ".join(plain(line) for _, lines in card.rows for line in lines)


def test_every_front_end_names_the_same_versions_and_states(played: Told) -> None:
    for view in under_way(played):
        journal = view.journal
        assert journal
        row, document, found = row_of(view), status.document(view), facts.versions(journal)
        assert (document["from"], document["to"]) == (found.before, found.after)
        assert version_words(row) == f"{found.before}→{found.after}"
        assert rows.cells(row, view.now, all_namespaces=False, wide=False)[2] == version_words(row).replace("→", "->")
        shown = {each.name: each.mark.word for each in node_rows(view)}
        for node in document["nodes"]:
            assert shown[node["node"]] == node["state"], node
        assert rows.item(row, view.now)["ready"] == sum(node["ready"] for node in document["nodes"])


def test_who_serves_is_whom_the_service_sends_clients_to(played: Told) -> None:
    for each in played.while_(Phase.READY_TO_CUT_OVER, Phase.DRAINING):
        serving = {n["node"] for n in status.document(each.view)["nodes"] if n["state"] == "serving"}
        assert serving <= each.in_service, (each.view.decision.phase, serving - each.in_service)


def test_time_to_go_is_told_by_all_or_by_none_and_never_while_held(played: Told) -> None:
    for view in under_way(played):
        told_by = {
            "to go" in plain(rail(view)[1]),
            status.document(view)["eta_s"] is not None,
            progress(view)["eta_s"] is not None,
        }
        assert len(told_by) == 1
        if view.journal and view.journal.hold:
            assert told_by == {False}


def test_the_ledger_is_what_happened_to_the_clients(played: Told) -> None:
    for each in played.seen:
        ledger = status.document(each.view)["ledger"]
        if (
            ledger["evicted"] is not None
            and not each.view.result
            and not (each.view.journal and each.view.journal.abort)
        ):
            assert abs(ledger["evicted"] - each.evicted) <= LAG, each.view.decision.phase
        overdue = facts.overdue(each.view)
        assert overdue == progress(each.view)["missing"]
        if overdue is not None and overdue > LAG:
            assert overdue <= each.offline + LAG


def test_what_a_failed_node_cost_is_told_alike_by_all_and_is_what_its_clients_saw(played: Told) -> None:
    for each in played.seen:
        view = each.view
        cut_off = sum(incident.cut_off or 0 for incident in view.decision.incidents)
        assert cut_off <= each.killed + CHURN, "those on a node that only lost its peers are connected still"
        if not facts.is_under_way(view):
            continue
        said = " ".join(status.lines(view))
        for incident in view.decision.incidents:
            assert wording.incident(incident) in said
        for incident in facts.open_incidents(view)[:1]:
            shown = short_name(incident.pod)
            assert shown in bar(view), "the bar names the node that failed"
    last = played.seen[-1]
    if last.view.decision.incidents:
        assert sum(incident.cut_off or 0 for incident in last.view.decision.incidents) >= last.killed - CHURN


@pytest.mark.parametrize("run", ["a green node lost", "a broker that hangs", "a broker that is split off"])
def test_each_accident_names_its_node_in_the_bar_the_list_of_nodes_and_the_log(
    run: str, request: pytest.FixtureRequest
) -> None:
    request.applymarker(one_worker(run))
    played = told(*RUNS[run])
    node = next(incident.pod for each in played.seen for incident in each.view.decision.incidents)
    troubled = [v for v in under_way(played) if any(not i.is_over for i in v.decision.incidents)]
    assert troubled
    for view in troubled:
        row = next((each for each in node_rows(view) if each.name == node), None)
        assert row is None or row.mark.word != "serving", row
    lines = [entry.text for entry in played.seen[-1].view.log]
    assert [text for text in lines if node in text and "back in EMQX" in text]
    assert [entry for entry in played.seen[-1].view.log if entry.is_alarm and node in entry.text]


def test_nothing_over_a_limit_has_a_tick(played: Told) -> None:
    for view in under_way(played):
        for line in check_lines(view, 20):
            if "clients missing of" in plain(line) and view.policy.is_over_limit(view.ledger):
                assert not plain(line).startswith("✔"), plain(line)
                assert plain(line).startswith("▲")


@one_worker("clients that do not come back")
def test_a_loss_that_somebody_accepted_is_said_with_the_name() -> None:
    # So many that the last drain outlasts the hold.
    played = told("smooth", Approval.EVERY_NODE, "", 30.0, preset="emqtt_bench-default", clients=3 * CLIENTS)
    said = [
        plain(line)
        for view in under_way(played)
        if view.journal and "clients-missing" in view.journal.acknowledged and view.policy.is_over_limit(view.ledger)
        for line in check_lines(view, 20)
    ]
    over = [line for line in said if "clients missing of" in line]
    assert over, "such clients never come back, more than the limit allows"
    assert all("accepted by sim@host" in line for line in over)


def test_what_going_back_costs_is_who_is_on_green(played: Told) -> None:
    for view in under_way(played):
        cost, green = view.decision.abort, view.snapshot.green
        if not cost.possible or cost.disconnects is None or green is None:
            continue
        assert cost.disconnects == status.document(view)["abort"]["disconnects"] == green.live_connections
        costs = dict(abort_card(view).rows)["Costs"]
        assert plain(costs[0]).startswith(f"{cost.disconnects:,} disconnects")


def test_what_is_in_flight_is_said_by_what_it_does(played: Told) -> None:
    commands = {words for each in played.seen for words in each.view.in_flight}
    assert commands
    assert not [words for words in commands if ":" in words.split(" ")[0] or "-" in words.split(" ")[0]]


@one_worker("every node")
def test_the_end_is_told_alike_by_the_screen_and_the_last_line() -> None:
    played = told(*RUNS["every node"])
    view = played.run.view
    assert view
    assert view.journal
    line, shown = finished(view, Result.DONE, view.now).to_json(), dict(summary(view))
    assert line["early_clients"] == facts.early_clients(view)
    assert f"the limit of {round(line['limit_s'])} s" in shown["drain"]
    assert abs(view.journal.totals.disconnects - played.run.truth.disconnects) <= LAG
    assert facts.duration_s(view) == pytest.approx(line["duration_s"], abs=0.1)


@one_worker("every node")
def test_a_console_that_comes_to_a_drain_knows_nothing_that_it_has_not_seen() -> None:
    first = told(*RUNS["every node"])
    start = next(n for n, write in enumerate(first.run.writes, 1) if write.endswith("evacuation/start"))
    played = told("smooth", Approval.EVERY_NODE, kill_at=start)
    assert played.run.consoles == 2
    for each in played.while_(Phase.DRAINING):
        most, way = facts.max_missing(each.view), each.view.ledger.on_their_way
        assert most is None or most.clients <= LAG, most
        assert way is None or way <= each.offline + TWO_TICKS, "nobody is on the way who has landed"
    view = played.run.view
    assert view
    assert view.journal
    assert abs(view.journal.totals.evicted - played.run.truth.evicted) <= LAG


@one_worker("the operator goes in a drain")
def test_an_operator_that_is_down_is_said_by_every_front_end_until_it_is_back() -> None:
    played = told(*RUNS["the operator goes in a drain"])
    down = [v for v in under_way(played) if any(alarm.check == "operator-down" for alarm in v.decision.alarms)]
    assert down
    for view in down:
        document = status.document(view)
        assert any("operator" in told["evidence"] for told in document["alarms"]), document["alarms"]
        assert "operator" in bar(view), bar(view)
    after = [view for view in under_way(played) if view.now > down[-1].now]
    assert after
    for view in after:
        # What held stays on the bar until somebody resumes, with the time at which it was true.
        assert "been down" not in bar(view) or "found at" in bar(view), bar(view)
        assert not [told for told in status.document(view)["alarms"] if "operator" in told["evidence"]]
    assert played.run.result == "done"
