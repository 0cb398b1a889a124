"""What both front ends ask of a View, from views of one release at its moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.headless.looking import status
from emqx_tui.headless.release import rollout
from emqx_tui.headless.release.exit_status import Leaving, Result, ending
from emqx_tui.headless.release.summary import summary
from emqx_tui.headless.verbs import verbs
from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.series import Ledger
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.decision import Alarm, CheckResult, Outcome
from emqx_tui.rollout.forecast.start_forecast import StartForecast
from emqx_tui.rollout.gate_id import GateId, GateKind
from emqx_tui.rollout.policy import Approval, needs_person
from emqx_tui.rollout.state.journal import AbortRecord, HoldRecord, Totals, Uncounted
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind
from emqx_tui.session.views import facts, node_facts
from emqx_tui.session.views.cluster_facts import ClusterState, cluster_state, with_view
from emqx_tui.session.views.facts import Driving, LowestSum, MaxMissing, Obstacle
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.node_facts import NodeState
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.headline import headline
from emqx_tui.ui.rollout.key_reasons import key_reasons
from emqx_tui.ui.rollout.ledger import ledger_line
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.releases import BLUE, CUT_OVER, GREEN, NOW, STARTED
from tests.support.scripted import row


def evacuated(state: EvacuationState, left: int = 10) -> View:
    found = (releases.evacuation(f"{BLUE}-1", state, 33_330, left),)
    return releases.draining(snapshot=releases.snapshot({f"{BLUE}-1": left, f"{BLUE}-0": 9}, blue=2, evacuations=found))


@pytest.mark.parametrize("state", list(EvacuationState))
def test_a_drain_runs_until_it_prohibits_and_a_state_that_is_not_known_runs(state: EvacuationState) -> None:
    running = [member.name for member in facts.draining(evacuated(state))]
    assert running == ([] if state is EvacuationState.PROHIBITING else [f"{BLUE}-1"])


STARTING = releases.at_gate()
STARTING = replace(STARTING, decision=replace(STARTING.decision, gate=None, starting=(f"{BLUE}-0",)))
HOLD = HoldRecord("ann@bastion", NOW, "held by hand")
LOST = Incident(IncidentKind.POD_LOST, f"{GREEN}-0", Colour.GREEN, NOW, 5)


@pytest.mark.parametrize(
    ("tell", "words"),
    [
        (lambda view: told(held(view, HOLD)), "the drain of …86d7758868-0 is starting · f freeze: stops the drain"),
        (lambda view: told(held(view, replace(HOLD, freeze=True))), "drains are stopped"),
        (lambda view: told(failed(view)), "the drain of …86d7758868-0 is starting · "),
        (lambda view: "\n".join(status.lines(failed(view))), f"now      the drain of {BLUE}-0 is starting"),
        (rollout.left_behind, "the drain inside EMQX goes on to its end"),
        (verbs.left_behind, "the drain goes on inside EMQX"),
        (lambda view: str(ending(held(view, HOLD), Leaving(on_hold=True))), "None"),
        (lambda view: key_reasons(held(view, HOLD))["freeze"] or "f works", "f works"),
    ],
    ids=["held", "frozen", "a node failed", "status", "rollout leaves", "a verb leaves", "exit on hold", "the key f"],
)
def test_no_front_end_denies_a_drain_that_is_starting(tell: Callable[[View], str], words: str) -> None:
    quiet = replace(STARTING, decision=replace(STARTING.decision, starting=()))
    assert words in tell(STARTING)
    assert words not in tell(quiet)


def held(view: View, hold: HoldRecord) -> View:
    assert view.journal
    return replace(view, journal=replace(view.journal, hold=hold))


def failed(view: View) -> View:
    return replace(view, decision=replace(view.decision, incidents=(LOST,)))


def told(view: View) -> str:
    return plain(headline(view).second)


def test_the_drain_of_a_silent_node_that_may_never_start_keeps_nobody() -> None:
    view, seen = held(STARTING, HOLD), STARTING.snapshot
    silent = replace(view, snapshot=replace(seen, own={f"{BLUE}-0": Reading(None, NOW, "no answer")}))
    assert ending(silent, Leaving(on_hold=True)) is Result.HELD


def test_no_drain_beats_the_rate_of_as_many_nodes_as_there_are() -> None:
    journal = releases.journal(totals=Totals(clients=100_000), parallel_drains=8)
    assert facts.drain_limit_s(journal) == 171.7
    assert facts.drain_limit_s(replace(journal, parallel_drains=1)) == 505.0
    assert facts.drain_limit_s(replace(journal, totals=Totals())) is None


def test_a_rate_that_was_changed_on_the_way_gives_no_limit() -> None:
    """The last one may have come a moment before the end."""
    rate = releases.journal().rates.conn_evict_rate_per_s
    journal = releases.journal(
        totals=Totals(clients=100_000), forecast=StartForecast(600, 700, 100_000, 100_000, 200, rate, ())
    )
    assert facts.drain_limit_s(journal) == 505.0
    faster = replace(journal, rates=replace(journal.rates, conn_evict_rate_per_s=900))
    assert facts.drain_limit_s(faster) is None


def test_nobody_knows_how_long_a_hold_takes() -> None:
    assert facts.remaining_s(releases.draining()) == 341.0
    assert facts.remaining_s(releases.held()) is None
    assert facts.remaining_s(releases.done()) is None


@pytest.mark.parametrize(
    ("approval", "kind", "asked"),
    [
        (Approval.EVERY_NODE, GateKind.NODE, True),
        (Approval.CUT_OVER, GateKind.NODE, False),
        (Approval.CUT_OVER, GateKind.CUT_OVER, True),
        (Approval.AUTO, GateKind.CUT_OVER, False),
    ],
)
def test_the_policy_says_who_is_asked(approval: Approval, kind: GateKind, asked: bool) -> None:
    assert needs_person(kind, approval) is asked


def test_an_open_gate_waits_for_a_person_unless_the_policy_opens_it_or_somebody_holds() -> None:
    assert facts.waits_for_person(releases.at_gate())
    assert not facts.waits_for_person(releases.draining())
    held = HoldRecord("bob", NOW, "x")
    for changed in ({"approval": Approval.AUTO}, {"hold": held}):
        view = releases.at_gate()
        assert view.journal
        assert not facts.waits_for_person(replace(view, journal=replace(view.journal, **changed)))


def test_what_keeps_a_gate_shut_is_told_worst_first() -> None:
    waits = CheckResult("broker-data", Outcome.WAIT, "silent")
    fails = CheckResult("two-sets", Outcome.FAIL, "a third one")
    gate = releases.node_gate(checks=(waits, *releases.checks(), fails))
    assert [check.name for check in facts.not_passing(gate)] == ["two-sets", "broker-data"]
    view = replace(releases.at_gate(), decision=replace(releases.at_gate().decision, gate=gate))
    blocked = facts.why_not_approved(view)
    assert blocked
    assert (blocked.by, blocked.check) == (Obstacle.CHECK, fails)


@pytest.mark.parametrize(
    ("view", "by"),
    [
        (releases.at_gate(role=Role.WATCH_ONLY), Obstacle.WATCH_ONLY),
        (releases.done(), Obstacle.NO_RELEASE),
        (releases.held(), Obstacle.HELD),
        (replace(releases.at_gate(), decision=replace(releases.at_gate().decision, gate=None)), Obstacle.NO_GATE),
        (releases.draining(), Obstacle.CHECK),
    ],
)
def test_each_obstacle_to_an_approval(view: View, by: Obstacle) -> None:
    blocked = facts.why_not_approved(view)
    assert blocked
    assert blocked.by is by
    assert facts.why_not_approved(releases.at_gate()) is None


def test_who_drives() -> None:
    def driving(**fields) -> Driving | None:
        found = facts.driver(releases.draining(**fields))
        return found.kind if found else None

    assert driving() is Driving.THIS_CONSOLE
    assert driving(role=Role.SPECTATOR, driver="bob@laptop/1") is Driving.ANOTHER
    assert driving(role=Role.WATCH_ONLY, driver="bob@laptop/1") is Driving.ANOTHER, "one that only looks says so, too"
    assert driving(role=Role.IDLE, driver="") is Driving.NOBODY
    assert facts.driver(releases.idle()) is None


def with_totals(view: View, **fields) -> View:
    assert view.journal
    return replace(view, journal=replace(view.journal, totals=replace(view.journal.totals, **fields)))


def test_what_a_restart_has_not_seen_is_as_the_journal_says_or_not_known() -> None:
    view = replace(releases.draining(), samples=())
    assert facts.max_missing(view) == MaxMissing(240, is_at_least=False)
    assert facts.max_missing(with_totals(view, max_missing=500)) == MaxMissing(500, is_at_least=False)
    away = Uncounted(NOW - timedelta(seconds=40), NOW - timedelta(seconds=5))
    assert facts.max_missing(with_totals(view, uncounted=(away,))) == MaxMissing(240, is_at_least=True)
    early = Uncounted(CUT_OVER - timedelta(seconds=60), CUT_OVER)
    assert facts.max_missing(with_totals(view, uncounted=(early,))) == MaxMissing(240, is_at_least=False)
    kept_by_nobody = with_totals(view, max_missing=None, early=None)
    assert facts.max_missing(kept_by_nobody) is None
    assert facts.early_clients(kept_by_nobody) is None


def test_the_lowest_sum_says_when_nobody_counted() -> None:
    away = Uncounted(NOW - timedelta(seconds=40), NOW - timedelta(seconds=5))
    view = with_totals(releases.draining(), uncounted=(away,))
    assert view.journal
    assert facts.lowest_sum(view) == LowestSum(99_760, 0.9976, (away,))
    told = f"{away.since:%H:%M:%S}Z to {away.until:%H:%M:%S}Z"
    assert f"lowest   99,760 clients connected at once (not counted {told})" in status.lines(view)
    assert status.document(view)["uncounted"] == summary(view, Result.DONE, NOW).to_json()["uncounted"]
    shown = f"lowest sum 99,760, not counted {told.replace('Z', '')}"
    assert shown in plain(ledger_line(view, 240))


def test_clients_that_came_to_green_before_the_cut_over_are_counted() -> None:
    assert facts.early_clients(with_totals(releases.draining(), early=165)) == 165
    live = {f"{BLUE}-0": 90_000, f"{GREEN}-0": 100, f"{GREEN}-1": 40, f"{GREEN}-2": 25}
    before = releases.before_cut_over(snapshot=releases.snapshot(live, serving=BLUE))
    assert facts.early_clients(before) == 165
    assert facts.early_clients(releases.idle()) is None


def test_who_is_overdue_is_told_apart_from_who_is_on_the_way() -> None:
    assert facts.overdue(releases.draining()) == 13
    assert facts.overdue(releases.draining(ledger=Ledger(10, 5, 0, 5, 5, None))) is None
    aborting = releases.journal(abort=AbortRecord("ann@host", NOW, ""))
    assert facts.overdue(releases.draining(journal=aborting)) is None, "the ledger of the way forward stands still"
    assert releases.auto_held().policy.is_over_limit(releases.auto_held().ledger)
    assert not releases.draining().policy.is_over_limit(releases.draining().ledger)


def test_an_accepted_alarm_presses_no_longer() -> None:
    view = releases.auto_held()
    assert view.journal
    assert [alarm.check for alarm in facts.pressing_alarms(view)] == ["clients-missing"]
    accepted = replace(view, journal=replace(view.journal, acknowledged=("clients-missing",)))
    assert facts.pressing_alarms(accepted) == ()
    other = Alarm("third-set", "x")
    both = replace(accepted, decision=replace(accepted.decision, alarms=(*accepted.decision.alarms, other)))
    assert facts.pressing_alarms(both) == (other,)


def test_a_node_serves_when_the_service_sends_clients_to_it() -> None:
    def states(view: View) -> dict[str, set[NodeState]]:
        found = view.snapshot.members
        return {c: {node_facts.node_state(view, m) for m in found if m.colour == c} for c in ("blue", "green")}

    assert states(releases.before_cut_over()) == {"blue": {NodeState.SERVING}, "green": {NodeState.OUT_OF_SERVICE}}
    after = states(releases.at_gate())
    assert after == {"blue": {NodeState.OUT_OF_SERVICE}, "green": {NodeState.SERVING}}
    unread = releases.at_gate()
    unread = replace(unread, snapshot=replace(unread.snapshot, slices=MISSING))
    assert states(unread) == {"blue": {NodeState.RUNNING}, "green": {NodeState.RUNNING}}


def test_a_row_takes_what_a_session_has_derived() -> None:
    plain = row(version="4.4.15", status_version="4.4.14", releasing=True)
    waiting = with_view(plain, releases.at_gate())
    assert (waiting.gate, waiting.ready, waiting.wanted) == (GateId.node(0), 4, 4)
    assert cluster_state(waiting) is ClusterState.WAITING
    view = releases.at_gate()
    assert view.journal
    by_policy = with_view(plain, replace(view, journal=replace(view.journal, approval=Approval.AUTO)))
    assert cluster_state(by_policy) is ClusterState.RELEASING
    assert cluster_state(with_view(plain, releases.held())) is ClusterState.HELD
    assert with_view(plain, None) is plain


def test_a_release_that_ended_took_its_time() -> None:
    view = releases.done()
    later = replace(view, snapshot=replace(view.snapshot, now=NOW + timedelta(hours=3)))
    assert facts.duration_s(later) == 702
    assert facts.seconds_between(STARTED, None) is None
    assert facts.is_live(releases.draining())
    old = replace(view, snapshot=replace(view.snapshot, stats=Reading({}, STARTED)))
    assert not facts.is_live(old)
