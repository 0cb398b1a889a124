"""Rail, checks, ledger, summary, and the reasons why a key does nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.cells import cell_len

from emqx_tui.headless.looking import status
from emqx_tui.model.kinds import Kind
from emqx_tui.model.reading import Reading
from emqx_tui.model.series import Ledger
from emqx_tui.rollout.decision import AbortCost, CheckResult, Decision, Outcome
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.state.journal import AbortRecord
from emqx_tui.session.views import facts
from emqx_tui.session.views.fleet_view import Role, SourceHealth
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.checks import check_lines, stale_lines
from emqx_tui.ui.rollout.key_reasons import SENDING, key_reasons
from emqx_tui.ui.rollout.ledger import ledger_line
from emqx_tui.ui.rollout.rail import rail as rail_of
from emqx_tui.ui.rollout.summary import summary
from emqx_tui.ui.text.spans import Tone, plain, width
from tests.support import releases
from tests.support.releases import BLUE, NOW


def rail(view: View) -> tuple[str, str]:
    left, right = rail_of(view)
    return plain(left), plain(right)


def test_the_rail_shows_each_step_with_a_sign_and_the_time():
    assert rail(releases.draining()) == (
        " ✔ create green  ✔ cut over  ▶ drain 2 of 3  ○ finish",
        "6:12 gone · 5:41 to go ",
    )


def test_a_step_at_its_gate_and_a_held_one_are_told_apart_by_sign_and_word():
    assert "◆ drain 3 of 3" in rail(releases.at_gate())[0]
    steps, times = rail(releases.held())
    assert "‖ drain 2 of 3" in steps
    assert "held 1:35" in times


def test_the_rail_of_a_long_held_release_fits_into_80_cells():
    view = releases.held()
    later = replace(view, snapshot=replace(view.snapshot, now=view.now + timedelta(minutes=40)))
    steps, times = rail(later)
    assert cell_len(steps) + 1 + cell_len(times) <= 80, steps + times


def test_the_rail_of_an_idle_cluster_tells_what_a_release_would_use():
    assert rail(releases.idle())[0] == (" next release: delay 60 s · takeover 5 s · 200 connections/s · 200 sessions/s")


def test_a_release_that_ended_does_not_go_on_counting():
    view = releases.done()
    later = replace(view, snapshot=replace(view.snapshot, now=view.now + timedelta(hours=3)))
    assert rail(later)[1] == "took 11:42 "


def test_checks_that_do_not_pass_come_first():
    fails = CheckResult("valve-closed", Outcome.FAIL, "the operator acts by itself", "close it")
    waits = CheckResult("broker-data", Outcome.WAIT, "EMQX is silent")
    gate = releases.node_gate(checks=releases.checks(valve_closed=fails, broker_data=waits))
    view = replace(releases.at_gate(), decision=replace(releases.at_gate().decision, gate=gate))
    shown = [plain(found) for found in check_lines(view, 4)]
    assert "the operator acts by itself" in shown[0]
    assert "EMQX is silent" in shown[1]
    assert shown[3] == "✔ 5 more pass"
    assert "acts by itself" in plain(check_lines(view, 1)[0])


def test_hidden_checks_that_do_not_pass_are_counted_as_such():
    waits = [CheckResult(f"c{n}", Outcome.WAIT, f"waits {n}") for n in range(5)]
    gate = releases.node_gate(checks=tuple(waits))
    view = replace(releases.at_gate(), decision=replace(releases.at_gate().decision, gate=gate))
    assert plain(check_lines(view, 3)[-1]) == "3 more, 3 not passing"


def test_a_check_that_compared_nothing_has_no_tick():
    skipped = CheckResult("operator-unchanged", Outcome.SKIPPED, "operator image not compared: it cannot be read")
    passed = CheckResult("two-sets", Outcome.PASS, "one blue and one green StatefulSet")
    gate = releases.node_gate(checks=(passed, skipped, passed))
    view = replace(releases.at_gate(), decision=replace(releases.at_gate().decision, gate=gate))
    assert gate.is_open
    assert plain(check_lines(view, 3)[0]) == "? operator image not compared: it cannot be read"
    assert plain(check_lines(view, 1)[0]) == "✔ 2 checks pass, 1 skipped"


def test_a_silent_source_is_told_with_its_age():
    health = (SourceHealth(Kind.POD, False, NOW - timedelta(seconds=70), "403 forbidden"),)
    assert [plain(found) for found in stale_lines(releases.draining(health=health))] == [
        "▲ pods: 403 forbidden, last read 70 s ago"
    ]


def test_the_ledger_adds_up_in_words():
    assert plain(ledger_line(releases.draining())) == (
        " CLIENTS evicted 39,532 = green 39,419 + back on blue 0 + missing 113 (0.29 %)"
        " · 100 on their way · most missing at once 240 · lowest sum 99,760"
    )


def test_the_ledger_fits_80_cells_and_keeps_what_matters():
    shown = ledger_line(releases.draining(), 80)
    assert width(shown) <= 80
    assert "missing 113 (0.29 %)" in plain(shown)


def test_too_many_missing_are_marked():
    tones = {span.tone for span in ledger_line(releases.auto_held()) if "missing 1,009" in span.text}
    assert tones == {Tone.WARN}


def test_clients_that_moved_unasked_do_not_make_less_than_none_missing():
    view = releases.draining(ledger=Ledger(98_829, 98_829, 0, 0, 250, 0, 928))
    assert plain(ledger_line(view)) == (
        " CLIENTS evicted 98,829 = green 98,829 + back on blue 0 + missing 0 (0.00 %)"
        " · most missing at once 250 · 928 came by themselves · lowest sum 99,760"
    )


def test_clients_on_their_way_are_no_reason_to_worry():
    shown = ledger_line(releases.draining(ledger=Ledger(17_516, 17_316, 0, 200, 200, 200)), 80)
    assert plain(shown).endswith("missing 200 (on their way)")
    assert Tone.WARN not in {span.tone for span in shown}


def test_while_a_node_is_silent_the_ledger_says_that_it_is_from_before():
    view = releases.draining(ledger=Ledger(17_516, 17_316, 0, 200, 200, 200))
    silent = {releases.GREEN + "-0": Reading(None, None, "EMQX did not answer in time")}
    hung = replace(view, snapshot=replace(view.snapshot, own=silent))
    assert any(member.is_suspect for member in hung.snapshot.members)
    assert plain(ledger_line(hung, 80)).endswith("missing 200 (when last counted)")


def test_an_unknown_ledger_is_not_zero():
    view = releases.draining(ledger=Ledger(39_532, None, None, None))
    assert "missing ? (?)" in plain(ledger_line(view))
    unknown = replace(
        releases.draining(ledger=Ledger()),
        journal=releases.journal(totals=replace(releases.journal().totals, clients=100_000)),
    )
    assert plain(ledger_line(unknown)) == " CLIENTS ? · 21 on green by the cut-over · lowest sum 99,760"


def test_before_the_cut_over_nothing_is_said_to_have_come_by_it():
    view = releases.draining(ledger=Ledger(0))
    early = replace(view, decision=replace(view.decision, phase=Phase.CREATING_GREEN))
    said = plain(ledger_line(early))
    assert "by the cut-over" not in said
    assert " on green already" in said


def test_before_the_first_drain_nobody_was_disconnected():
    assert plain(ledger_line(releases.before_cut_over())) == " CLIENTS none evicted yet · lowest sum 99,998"


def test_an_abort_evicts_nobody_of_blue_any_more():
    view = releases.before_cut_over()
    assert view.journal is not None
    aborting = replace(view, journal=replace(view.journal, abort=AbortRecord("ann@host", releases.NOW, "")))
    assert plain(ledger_line(aborting)) == " CLIENTS none evicted before the abort · lowest sum 99,998"


def test_without_a_release_the_line_counts_clients_and_sessions():
    assert plain(ledger_line(releases.idle())) == " CLIENTS 100,002 connected · 100,122 sessions"


def test_the_summary_has_the_figures_people_ask_for():
    assert dict(summary(releases.done())) == {
        "total": "11 min 42 s · 4 approvals, policy every-node",
        "drain": "8 min 34 s with waits for you (1.02 x the limit of 8 min 25 s)",
        "disconnects": "99,998 = 1.00 per client, no client lost",
        "early": "21 clients on green by the cut-over",
        "lowest sum": "99,795 (99.8 % of the start)",
    }


def after_the_end() -> View:
    """The session's own last word: the phase is idle again, the record and the result are kept."""
    view = releases.done()
    return replace(view, decision=Decision(Phase.IDLE), ledger=Ledger(), samples=view.samples)


def test_the_end_stays_on_the_screen_when_the_session_is_idle_again():
    view = after_the_end()
    assert dict(summary(view))["total"].startswith("11 min 42 s")
    assert rail(view) == ("", "took 11:42 ")
    assert plain(ledger_line(view)) == " CLIENTS 99,998 evicted · lowest sum 99,795"


@pytest.mark.parametrize(
    ("for_s", "row"),
    [
        (5, ("away", "33,000 of 100,000 clients of the start: on their way, or lost")),
        (90, ("lost", "33,000 of 100,000 clients of the start")),
    ],
)
def test_who_has_not_come_back_is_told_after_the_end(for_s: int, row: tuple[str, str]) -> None:
    rows = summary(releases.with_clients_away(for_s, decision=Decision(Phase.IDLE), ledger=Ledger()))
    assert row in rows
    assert "no client lost" not in dict(rows)["disconnects"]
    assert [name for name, _ in rows] == ["total", "drain", "disconnects", row[0], "lowest sum", "early"]


def test_an_abort_tells_whom_the_drains_had_evicted_and_no_balance():
    found = releases.draining()
    assert found.journal
    abort = AbortRecord("ann", NOW, "evidence")
    view = replace(found, journal=replace(found.journal, abort=abort), ledger=Ledger(evicted=54_215))
    assert plain(ledger_line(view)) == " CLIENTS 54,215 evicted before the abort · lowest sum 99,760"
    assert "ledger   evicted 54,215 before the abort" in status.lines(view)


def test_clients_cut_off_without_a_drain_are_in_the_summary():
    view = releases.done()
    assert view.journal
    totals = replace(view.journal.totals, killed=1_000)
    rows = dict(summary(replace(view, journal=replace(view.journal, totals=totals))))
    assert rows["disconnects"] == "100,998 = 1.01 per client, no client lost, 1,000 without a drain"


def test_there_is_no_summary_while_a_release_runs():
    assert summary(releases.draining()) == ()


def reasons(view: View | None, **fields) -> dict[str, str]:
    return key_reasons(view, **fields)


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.DRAINING, ""),
        (Phase.FINISHING, "every node is drained"),
        (Phase.ABORTING, "going back already"),
        (Phase.IDLE, "no release is running"),
    ],
)
def test_rates_and_policy_are_offered_while_a_node_or_a_gate_is_left(phase: Phase, reason: str):
    found = reasons(replace(releases.draining(), decision=Decision(phase)))
    assert (found["speed"], found["policy"]) == (reason, reason)


def test_freeze_is_offered_in_a_hold_only_while_something_drains():
    held = releases.held()
    assert held.journal
    assert held.journal.hold
    drains = replace(held, journal=replace(held.journal, hold=replace(held.journal.hold, freeze=False)))
    assert facts.draining(drains)
    assert reasons(drains)["freeze"] == ""
    no_pods = replace(drains.snapshot.pods, value=())
    quiet = replace(drains, snapshot=replace(drains.snapshot, pods=no_pods), in_flight=())
    assert not facts.draining(quiet)
    assert reasons(quiet)["freeze"] == "held already, and no drain runs"
    assert reasons(replace(quiet, in_flight=("start the drain",)))["freeze"] == ""


def test_at_an_open_gate_everything_works_but_take_over_resume_change_and_the_report():
    found = reasons(releases.at_gate())
    assert {action for action, reason in found.items() if reason} == {"take_over", "resume", "change", "report"}


def test_the_way_back_is_closed_when_blue_is_gone():
    gone = AbortCost(False, "blue is gone: the way back is a new release")
    view = releases.at_gate()
    found = reasons(replace(view, decision=replace(view.decision, abort=gone)))
    assert found["abort"] == "blue is gone: the way back is a new release"


def test_an_abort_that_waits_for_blue_can_be_held_and_resumed_but_nothing_else_begins():
    waiting = replace(releases.held(), decision=Decision(Phase.LOST, waits_for_blue=True))
    found = reasons(waiting)
    assert (found["resume"], found["hold"]) == ("", "held already")
    assert found["change"] == "a release is running"
    assert found["speed"] == "no release is running"
    lost = reasons(replace(waiting, decision=Decision(Phase.LOST)))
    assert {lost["resume"], lost["hold"]} == {"no release is running"}


def test_approve_is_greyed_with_the_check_that_does_not_pass():
    assert reasons(releases.draining())["approve"] == f"previous evicted: {BLUE}-1 still evicts connections"


def test_approve_is_greyed_while_held_and_without_a_gate():
    assert reasons(releases.held())["approve"] == "held: resume first (r)"
    no_gate = replace(releases.at_gate(), decision=replace(releases.at_gate().decision, gate=None))
    assert reasons(no_gate)["approve"] == "no gate waits"


def test_approve_is_greyed_when_the_figures_are_old():
    view = releases.at_gate()
    old = Reading(view.snapshot.stats.value, NOW - timedelta(seconds=14))
    view = replace(view, snapshot=replace(view.snapshot, stats=old))
    assert reasons(view)["approve"] == "the brokers' figures are 14 s old (limit 10 s)"
    assert not facts.is_live(view)


def test_a_hold_can_be_made_a_freeze_but_not_a_hold():
    found = reasons(releases.held())
    assert found["hold"] == "held already"
    assert found["freeze"] == ""
    assert found["resume"] == ""
    assert reasons(releases.held(freeze=True))["freeze"] == "frozen already"


@pytest.mark.parametrize("phase", sorted(FINAL))
def test_after_a_release_only_a_change_and_the_report_are_on_offer(phase):
    found = reasons(replace(releases.done(), decision=Decision(phase)))
    assert {action for action, reason in found.items() if not reason} == {"change", "report"}


def test_read_only_and_watch_only_send_nothing_and_say_why():
    found = reasons(releases.at_gate(), is_read_only=True)
    assert {found[action] for action in SENDING} == {"started with --read-only"}
    watching = releases.at_gate(role=Role.WATCH_ONLY, role_reason="no right to scale")
    assert reasons(watching)["hold"] == "watch only: no right to scale"
    assert reasons(None)["approve"] == "nothing is known of the cluster yet"


def test_a_spectator_may_approve_and_hold():
    found = reasons(releases.at_gate(role=Role.SPECTATOR))
    assert not found["approve"]
    assert not found["hold"]


def test_the_way_back_is_on_offer_before_the_cut_over():
    assert not reasons(releases.before_cut_over())["abort"]
    closed = replace(releases.before_cut_over().decision, abort=AbortCost(False, "blue is not whole"))
    assert reasons(replace(releases.before_cut_over(), decision=closed))["abort"] == "blue is not whole"
