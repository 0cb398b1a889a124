"""What the bar says in each phase, at each gate and in each hold: the words a person decides on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.snapshot import Colour
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.decision import AbortCost, Alarm, CheckResult, Decision, Limit, Outcome
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import HoldRecord
from emqx_tui.rollout.telling.advice import Advice, Verb
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.headline import MOST_ROWS, bar_lines, gate_words, headline
from emqx_tui.ui.text.spans import Tone, plain, width
from tests.support import releases
from tests.support.releases import BLUE, GREEN, NOW
from tests.support.scripted import resource


def said(view: View) -> tuple[str, str]:
    found = headline(view)
    return plain(found.first), plain(found.second)


def with_decision(view: View, **fields) -> View:
    return replace(view, decision=replace(view.decision, **fields))


def test_a_drain_that_runs_says_how_much_is_left_and_what_comes_then():
    first, second = said(releases.draining())
    assert first == "▶ DRAINING …86d7758868-1 drains: 27,131 of 33,330 left, 2 min 16 s to go"
    assert second == "then it waits for you: drain …86d7758868-0 · 33,120 clients · about 2 min 51 s"


@pytest.mark.parametrize("approval", [Approval.CUT_OVER, Approval.AUTO])
def test_what_comes_next_obeys_the_policy(approval):
    """Under another policy than every-node the next node drains unasked: nobody is promised a gate."""
    view = releases.draining(journal=releases.journal(approval=approval))
    assert said(view)[1].startswith(f"then, without asking (policy {approval.value}): drain …86d7758868-0")
    opened = replace(releases.at_gate(), journal=releases.journal(approval=approval))
    assert "WAITING FOR YOU" not in " ".join(said(opened))


def test_a_loss_that_was_accepted_is_no_tick_and_hides_no_gate():
    evidence = "660 clients missing of 66,663 evicted (limit 666): accepted by ann@bastion"
    check = CheckResult("clients-back", Outcome.PASS, evidence, is_accepted=True)
    journal = releases.journal(acknowledged=("clients-missing",), acknowledged_by={"clients-missing": "ann@bastion"})
    gate = releases.node_gate(checks=releases.checks(clients_back=check))
    alarms = releases.auto_held().decision.alarms
    first, second = said(replace(with_decision(releases.at_gate(), gate=gate, alarms=alarms), journal=journal))
    assert first.startswith("◆ WAITING FOR YOU")
    assert second.endswith(f"▲ {evidence}")
    assert "✔" not in second


def test_clients_that_are_on_green_already_are_counted_before_the_cut_over():
    live = {f"{BLUE}-0": 90_000, f"{GREEN}-0": 100, f"{GREEN}-1": 40, f"{GREEN}-2": 25}
    view = releases.before_cut_over(snapshot=releases.snapshot(live, serving=BLUE))
    assert "165 clients on green already" in said(with_decision(view, gate=None))[0]


def test_at_a_gate_the_loudest_thing_is_that_a_person_is_waited_for():
    found = headline(releases.at_gate())
    assert found.tone is Tone.CALL
    assert plain(found.first) == "◆ WAITING FOR YOU to drain …86d7758868-0 · 33,120 clients · about 2 min 51 s"
    assert plain(found.second) == "press a to read and approve · ✔ all 8 checks pass"


def test_a_check_that_waits_keeps_the_gate_shut_without_alarm():
    waits = CheckResult("service-addresses", Outcome.WAIT, "EndpointSlices not read yet")
    gate = releases.node_gate(checks=releases.checks(service_addresses=waits))
    found = headline(with_decision(releases.at_gate(), gate=gate))
    assert found.tone is Tone.WAIT
    assert plain(found.first).startswith("◌ NOT YET next: drain …86d7758868-0")
    assert plain(found.second) == "waits for: EndpointSlices not read yet"
    assert "press a" not in plain(found.second)


def test_a_check_that_fails_says_not_safe_and_what_to_do():
    fails = CheckResult("nothing-foreign", Outcome.FAIL, "1 rebalance(s) run in EMQX", "stop them first")
    gate = releases.node_gate(checks=(*releases.checks(), fails))
    found = headline(with_decision(releases.draining(), gate=gate))
    assert found.tone is Tone.WARN
    assert plain(found.first).startswith("▲ NOT SAFE YET")
    assert plain(found.second) == "✘ 1 rebalance(s) run in EMQX · stop them first"


def test_an_auto_hold_shows_check_evidence_limit_what_goes_on_and_the_next_key():
    found = headline(releases.auto_held())
    assert found.tone is Tone.CALL
    first, second = said(releases.auto_held())
    assert first == (
        '▲ HELD by check "clients missing" 909 of 39,532 evicted clients have been missing for 34 s'
        " (limit 395 for 10 s)"
    )
    assert second == (
        "the drain of …86d7758868-1 goes on · f freeze: stops the drain · r resume: accepts the loss and goes on"
        " · x abort"
    )


def test_an_auto_hold_whose_alarm_is_over_says_so():
    first, second = said(with_decision(releases.auto_held(), alarms=()))
    assert '"clients missing" found at 12:05:57: 909 of 39,532' in first, "it is not said of now"
    assert 'r resume: goes on; "clients missing" does not hold again' in second


def test_a_failed_canary_says_what_resuming_means():
    view = with_decision(releases.auto_held(), alarms=())
    assert view.journal is not None
    hold = HoldRecord("console", NOW, "8 lost 9; its address is put back", auto=True, check="canary")
    first, second = said(replace(view, journal=replace(view.journal, hold=hold)))
    assert first == '▲ HELD by check "canary" found at 12:06:01: 8 lost 9; its address is put back'
    assert "r resume: goes on with late removal" in second
    assert "passes again" not in second


def test_an_auto_hold_before_the_cut_over_offers_the_way_back():
    view = with_decision(releases.auto_held(), abort=AbortCost(True, "", 0, 30.0, "r"))
    assert said(view)[1].endswith("x abort")


def test_an_auto_hold_in_80_cells_loses_no_word():
    rows = bar_lines(headline(releases.auto_held()), 80)
    assert len(rows) <= MOST_ROWS
    assert all(width(row) <= 80 for row in rows)
    text = " ".join(plain(row).strip() for row in rows)
    assert "(limit 395 for 10 s)" in text
    assert text.endswith("r resume: accepts the loss and goes on · x abort")


def test_long_evidence_is_cut_before_what_may_be_done_is():
    evidence = " ".join(["the evidence of a check that has found a lot to tell"] * 8)
    alarm = replace(releases.auto_held().decision.alarms[0], evidence=evidence)
    rows = bar_lines(headline(with_decision(releases.auto_held(), alarms=(alarm,))), 80)
    assert len(rows) == MOST_ROWS
    assert plain(rows[1]).endswith("…"), "a cut is marked"
    assert plain(rows[3]).endswith("accepts the loss and goes on · x abort")


def test_a_hold_names_who_since_when_why_and_what_goes_on():
    first, second = said(releases.held())
    assert first == "‖ HELD by bob@laptop since 12:04:26 (95 s): pager rings"
    assert second == "the drain of …86d7758868-1 goes on · f freeze: stops the drain · r resume"


def test_a_hold_on_its_way_to_the_cluster_says_so():
    assert said(releases.held(is_unwritten=True))[1].endswith("r resume · not yet written to the cluster")


def test_a_freeze_says_that_drains_are_stopped():
    first, second = said(releases.held(freeze=True))
    assert first.startswith("■ FROZEN by bob@laptop")
    assert "drains are stopped" in second
    assert "goes on" not in second


def test_a_cut_over_that_takes_no_time_is_told_without_one():
    gate = releases.cut_over_gate(seconds=0.0)
    assert gate_words(gate) == "cut over to green"
    assert gate_words(releases.cut_over_gate()) == "cut over to green · about 1 min"


def test_a_freeze_between_two_drains_stops_none():
    view = releases.at_gate()
    assert view.journal
    frozen = HoldRecord("bob@laptop", NOW, "frozen by hand", freeze=True)
    first, second = said(replace(view, journal=replace(view.journal, hold=frozen)))
    assert first.startswith("■ FROZEN by bob@laptop")
    assert second == "nothing runs · r resume"


def test_a_freeze_on_top_of_an_auto_hold_tells_why_it_was_held():
    view = releases.auto_held()
    assert view.journal
    reason = "frozen by hand; held before by check clients-missing: 909 of 39,532 evicted clients have been missing"
    frozen = HoldRecord("ann@bastion", NOW, reason, freeze=True, check="clients-missing")
    first, second = said(replace(view, journal=replace(view.journal, hold=frozen)))
    assert first == f"■ FROZEN by ann@bastion since 12:06:01 (0.0 s): {reason}"
    assert second.startswith("drains are stopped")
    assert second.endswith('r resume: accepts "clients missing" and goes on')


def test_a_hold_with_a_new_alarm_tells_the_alarm():
    view = with_decision(releases.held(), alarms=(Alarm("third-set", "a third StatefulSet wants pods: x"),))
    assert said(view)[1] == "▲ a third StatefulSet wants pods: x · r resume"


def test_an_alarm_without_a_hold_is_the_headline():
    alarm = Alarm(
        "operator-silent",
        "the operator has not answered 'nudge' for 31 s",
        Limit(30),
        (Advice(Verb.FIX, "is it running?"),),
    )
    first, second = said(with_decision(releases.draining(), alarms=(alarm, alarm)))
    assert first == "▲ OPERATOR SILENT the operator has not answered 'nudge' for 31 s (limit 30 s)"
    assert second == "is it running? · 1 more alarm"


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (Phase.STARTING, "STARTING"),
        (Phase.CREATING_GREEN, "CREATING GREEN"),
        (Phase.WAITING_DELAY, "WAITING FOR THE DELAY"),
        (Phase.READY_TO_CUT_OVER, "READY TO CUT OVER"),
        (Phase.CANARY, "CANARY"),
        (Phase.CUTTING_OVER, "CUTTING OVER"),
        (Phase.DRAINING, "DRAINING"),
        (Phase.FINISHING, "FINISHING"),
        (Phase.ABORTING, "GOING BACK TO BLUE"),
    ],
)
def test_every_phase_that_runs_has_a_word_and_a_meaning(phase, word):
    base = releases.before_cut_over()
    first, _ = said(replace(base, decision=Decision(phase)))
    assert first.startswith(f"▶ {word} ")
    assert len(first) > len(word) + 10


def test_every_phase_of_the_table_has_a_headline():
    for phase in Phase:
        first, _ = said(replace(releases.before_cut_over(), decision=Decision(phase)))
        assert first.strip(), phase


def test_the_initial_delay_counts_down_and_tells_the_gate_behind_it():
    waits = CheckResult("delay-over", Outcome.WAIT, "42 s of initialDelaySeconds left")
    gate = releases.cut_over_gate(checks=(waits,))
    decision = Decision(Phase.WAITING_DELAY, "42 s of the initial delay left", gate=gate)
    first, second = said(replace(releases.before_cut_over(), decision=decision))
    assert first == "▶ WAITING FOR THE DELAY 42 s of the initial delay left"
    assert second == "then it waits for you: cut over to green · about 1 min"


def test_what_was_sent_and_not_answered_is_told():
    view = replace(
        releases.before_cut_over(), decision=Decision(Phase.CUTTING_OVER), in_flight=("Service switched: green only",)
    )
    assert said(view)[1] == "sent, not answered yet: Service switched: green only"


def test_done_aborted_lost_and_failed_are_told_apart():
    done = releases.done()
    assert said(done) == (
        "✔ DONE 4.4.14 → 4.4.15 after 11 min 42 s",
        "blue is gone, green serves; your own delay is restored",
    )
    aborted = replace(done, decision=Decision(Phase.ABORTED), result="aborted")
    assert said(aborted)[0].startswith("✔ ABORTED back on 4.4.14")
    assert headline(replace(done, decision=Decision(Phase.LOST), result="")).tone is Tone.BAD
    assert "FAILED" in said(replace(done, decision=Decision(Phase.DRAINING), result="failed"))[0]


def test_what_is_lost_is_told():
    def lost(**seen: Any) -> str:
        view = replace(releases.draining(), decision=Decision(Phase.LOST))
        return said(replace(view, snapshot=replace(view.snapshot, **seen)))[0]

    assert lost(resource=Reading(None, NOW)) == "▲ LOST the object of this release is gone or is another one"
    assert lost(stateful_sets=Reading((), NOW)) == "▲ LOST the StatefulSets of this release are gone"
    assert lost() == "▲ LOST the StatefulSet of blue is gone: there is nothing to go back to, green serves"


def test_an_abort_that_has_lost_blue_still_keeps_clients_on_green():
    lost = replace(releases.draining(), decision=Decision(Phase.LOST))
    assert said(lost)[1] == "nothing is driven any more: look at the cluster before anything else"
    waiting = replace(lost, decision=Decision(Phase.LOST, waits_for_blue=True))
    assert said(waiting)[1].startswith(
        "clients are kept on green; the abort goes on when the operator has built blue again: "
    )
    held = replace(waiting, journal=replace(releases.draining().journal, hold=HoldRecord("ann", NOW, "look")))
    assert said(held)[1].startswith("clients are kept on green; held: it does not go on when ")


def test_an_accepted_alarm_stays_on_the_bar_of_a_gate_that_is_shut():
    view = releases.draining()
    gate = view.decision.gate
    assert gate
    missing = CheckResult("clients-back", Outcome.FAIL, "196 clients missing of 866 evicted (limit 50)")
    shut = replace(gate, checks=(missing,))
    down = Alarm("operator-down", "the operator has been down for 47 s", Limit(15.0), ())
    assert view.journal
    accepted = replace(view.journal, acknowledged=("operator-down",))
    decision = replace(view.decision, gate=shut, alarms=(down,))
    first, second = said(replace(view, decision=decision, journal=accepted))
    assert first.startswith("▲ NOT SAFE YET")
    assert second == f"✘ {missing.evidence} · ▲ {down.evidence}"


def test_idle_is_the_live_view_of_the_cluster():
    first, second = said(releases.idle())
    assert first == "● RUNNING 4.4.14 · 3/3 ready · 100,002 clients"
    assert second == "no release is running; e changes something"


def test_idle_and_not_all_ready_is_no_green_bar():
    view = releases.idle()
    pods = tuple(releases.pod(BLUE, n, is_ready=n != 1) for n in range(3))
    view = replace(view, snapshot=replace(view.snapshot, pods=Reading(pods, NOW)))
    assert headline(view).tone is Tone.WARN
    assert "2/3 ready" in said(view)[0]


def test_a_release_of_somebody_else_is_told_and_not_offered():
    view = releases.idle()
    view = replace(view, snapshot=replace(view.snapshot, resource=Reading(resource(releasing=True), NOW)))
    assert said(view)[0] == "▲ A RELEASE RUNS THAT THIS CONSOLE DID NOT START "


def test_a_release_of_the_operators_own_tells_what_it_does_and_how_to_stop_it():
    first, second = said(releases.ungated())
    assert first == (
        "▲ UNGATED: THE OPERATOR RELEASES BY ITSELF …86d7758868-1 is being evacuated; blue has 2 of 3 nodes; "
        "the Service lists green"
    )
    assert second.endswith("h stops it before its next step")


def test_one_that_is_stopped_tells_where_it_stands_and_to_keep_the_delay():
    first, second = said(releases.ungated(is_stopped=True))
    assert first.startswith("‖ STOPPED, AND WITHOUT A JOURNAL …86d7758868-1 is being evacuated")
    assert second.endswith("t adopts or aborts it · keep the delay: it holds the operator")


def test_watch_only_says_why():
    view = releases.idle(role=Role.WATCH_ONLY, role_reason="no right to patch endpoints")
    assert said(view)[1] == "watch only: no right to patch endpoints"
    first, second = said(releases.at_gate(role=Role.WATCH_ONLY, role_reason="no right to patch endpoints"))
    assert "FOR YOU" not in first
    assert "no right to patch endpoints" in second


def test_without_rights_the_missing_one_is_told_and_a_release_is_not_called_somebody_elses():
    base = releases.idle(role=Role.WATCH_ONLY, role_reason="no right to list secrets")
    unread = replace(base, snapshot=replace(base.snapshot, stats=Reading(None, None, "cannot read Secret x")))
    assert said(unread)[1] == "watch only: no right to list secrets"
    releasing = replace(base.snapshot, resource=Reading(resource(releasing=True), NOW))
    first, second = said(replace(base, snapshot=releasing))
    assert first.startswith("▲ A RELEASE RUNS 4.4.14")
    assert second == "watch only: no right to list secrets"


def test_a_cluster_that_was_never_read_is_not_called_running():
    view = releases.idle()
    view = replace(view, snapshot=replace(view.snapshot, resource=MISSING))
    assert said(view)[0] == "? NOT READ YET not read yet"


def test_an_object_that_cannot_be_read_is_not_lost_and_says_which_field_and_why():
    why = Unreadable("spec.replicas", "expected an integer, found a string")
    base = releases.draining()
    view = replace(
        base, snapshot=replace(base.snapshot, resource=Reading(resource(), None, f"cannot be read: {why}", why))
    )
    first, second = said(view)
    assert first == "▲ CANNOT BE READ spec.replicas: expected an integer, found a string"
    assert second.startswith("what is shown of the object is old · no step begins until it can be read")
    idle = replace(
        releases.idle(),
        snapshot=replace(releases.idle().snapshot, resource=Reading(None, None, f"cannot be read: {why}", why)),
    )
    assert said(idle)[1] == "nothing is known of the object"


def test_unknown_figures_stay_unknown():
    assert gate_words(releases.node_gate(clients=None, seconds=None)) == "drain …86d7758868-0 · ? clients"
    view = releases.draining(rates=(), drain_initial=())
    view = replace(view, snapshot=replace(view.snapshot, stats=MISSING))
    assert said(view)[0] == "▶ DRAINING …86d7758868-1 drains: ? left"


def test_a_drain_that_just_began_goes_by_the_rate_that_was_ordered():
    """The measured one still has samples from before the drain in it."""
    live = {f"{BLUE}-1": 33_130, f"{BLUE}-0": 33_120}
    found = (releases.evacuation(f"{BLUE}-1", EvacuationState.EVICTING_CONNS, 33_330, 33_130),)
    view = releases.draining(snapshot=releases.snapshot(live, blue=2, evacuations=found), rates=((f"{BLUE}-1", 23.0),))
    assert "2 min 46 s to go" in said(view)[0]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (EvacuationState.WAITING_HEALTH_CHECK, "waits for its health check"),
        (EvacuationState.WAITING_TAKEOVER, "has evicted all: waits for takeovers"),
        (EvacuationState.EVICTING_SESSIONS, "moves its sessions: 0 left"),
    ],
)
def test_each_stage_of_a_drain_is_told(state, words):
    live = {f"{BLUE}-1": 0, f"{BLUE}-0": 33_120}
    found = (releases.evacuation(f"{BLUE}-1", state, 33_330, 0),)
    view = releases.draining(snapshot=releases.snapshot(live, blue=2, evacuations=found))
    assert said(view)[0] == f"▶ DRAINING …86d7758868-1 {words}"


def test_empty_nodes_that_go_away_are_told():
    live = {f"{BLUE}-0": 0}
    found = (releases.evacuation(f"{BLUE}-0", EvacuationState.PROHIBITING, 33_330, 0),)
    view = releases.draining(snapshot=releases.snapshot(live, blue=1, evacuations=found))
    assert said(with_decision(view, gate=None))[0] == "▶ DRAINING …86d7758868-0 is empty and goes away"


def test_idle_before_the_pods_are_read_has_the_operators_count():
    view = releases.idle()
    assert "3/3 ready" in said(replace(view, snapshot=replace(view.snapshot, pods=MISSING)))[0]


def test_idle_without_figures_says_what_is_missing():
    view = releases.idle()
    unread = Reading(None, None, "no EMQX pod with an address")
    view = replace(view, snapshot=replace(view.snapshot, stats=unread))
    assert headline(view).tone is Tone.WAIT
    assert said(view) == ("● RUNNING 4.4.14 · 3/3 ready · ? clients", "EMQX: no EMQX pod with an address")


def test_names_shorten_to_what_tells_nodes_apart():
    alarm = Alarm("drain-stalled", f"{BLUE}-1 is evicting with 12 left; {GREEN}-0 refuses")
    first, _ = said(with_decision(releases.draining(), alarms=(alarm,)))
    assert first == "▲ DRAIN STALLED …86d7758868-1 is evicting with 12 left; …745858464d-0 refuses"


def test_ages_of_holds_are_told_from_the_views_own_clock():
    view = releases.held()
    later = replace(view, snapshot=replace(view.snapshot, now=NOW + timedelta(minutes=10)))
    assert "(12 min)" in said(later)[0]


LOST = Incident(IncidentKind.POD_LOST, f"{GREEN}-0", Colour.GREEN, NOW - timedelta(seconds=12), 16_530)


def test_a_lost_node_is_told_before_all_that_follows_from_it():
    first, second = said(with_decision(releases.draining(), incidents=(LOST,)))
    since = f"{LOST.at:%H:%M:%S}Z"
    assert first.startswith("▲ NODE LOST green …")
    assert first.endswith(f"was lost at {since}: 16,530 clients were cut off")
    assert second.startswith("the drain of …86d7758868-1 goes on")
    assert "f freeze: stops it" in second


def test_a_node_that_is_back_is_told_for_a_minute():
    def at(seconds: float) -> str:
        back = replace(LOST, back_at=NOW - timedelta(seconds=seconds))
        return said(with_decision(releases.draining(), incidents=(back,)))[0]

    assert "; back since" in at(30)
    assert at(90).startswith("▶ DRAINING")


def test_a_lost_node_is_told_under_a_persons_hold_too():
    _, second = said(with_decision(releases.held(), incidents=(LOST,)))
    assert second.startswith("▲ green …")
    assert "16,530 clients were cut off" in second
