"""What the cards say before something irreversible, what has to be typed, and what is sent then."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.reading import Reading
from emqx_tui.model.series import Ledger
from emqx_tui.rollout.change import Draft, ReleaseOptions
from emqx_tui.rollout.decision import AbortCost, CheckResult, Decision, Outcome
from emqx_tui.rollout.forecast.start_forecast import StartForecast
from emqx_tui.rollout.gate_id import GateId
from emqx_tui.rollout.intents import Abort, Approve, SetPolicy, Start
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval, Policy
from emqx_tui.runbook import Gate, Runbook
from emqx_tui.session.views.fleet_view import Role
from emqx_tui.session.views.view import EditPreview, View
from emqx_tui.ui.cards.abort_card import renew_abort
from emqx_tui.ui.cards.card import Card
from emqx_tui.ui.cards.gate_card import gate_card as card_of_gate
from emqx_tui.ui.cards.gate_card import renew_gate
from emqx_tui.ui.cards.policy_card import is_looser, renew_policy
from emqx_tui.ui.cards.start_card import renew_start
from emqx_tui.ui.cards.start_card import start_card as card_of_start
from emqx_tui.ui.text.spans import TIE, plain
from tests.support import releases
from tests.support.releases import BLUE, NOW
from tests.support.scripted import Asked as AskedFor
from tests.support.scripted import figures, resource


def row(card: Card, label: str) -> str:
    return "\n".join(plain(spans) for name, lines in card.rows if name == label for spans in lines).replace(TIE, " ")


def gate_card(view: View) -> Card:
    assert view.decision.gate
    return card_of_gate(view.decision.gate, view)


def with_gate(view: View, **fields) -> View:
    assert view.decision.gate
    return replace(view, decision=replace(view.decision, gate=replace(view.decision.gate, **fields)))


def test_a_nodes_card_tells_size_speed_length_and_where_its_clients_go():
    card = gate_card(releases.at_gate())
    assert card.title == f"Approve: drain {BLUE}-0"
    assert "33,120 clients are disconnected at 200/s: about 2 min 51 s" in row(card, "Next")
    assert "its pod is removed once the node itself says that it is empty" in row(card, "Next")
    assert row(card, "Go to").startswith("3 green nodes (22,298 to 22,312 each)")
    assert "66,520 of 66,663 evicted are on green · missing 143 (0.21 %)" in row(card, "Go to")


@pytest.mark.parametrize(
    ("ledger", "told"),
    [
        pytest.param(
            Ledger(evicted=66_090, landed=66_090, bounced=0, missing=0, unasked=1),
            "66,090 of 66,090 evicted are on green · missing 0 (0.00 %)",
            id="some came by themselves",
        ),
        pytest.param(Ledger(evicted=500), "500 evicted so far; how many are back is not known", id="not known"),
    ],
)
def test_a_nodes_card_never_tells_a_negative_or_an_invented_loss(ledger: Ledger, told: str):
    assert told in row(gate_card(replace(releases.at_gate(), ledger=ledger)), "Go to")


def test_a_nodes_card_shows_every_check_and_every_command():
    card = gate_card(releases.at_gate())
    assert row(card, "Checks").count("✔") == 8
    assert "evacuation/start" in row(card, "Command")
    assert "--subresource=scale" in row(card, "Command")


def test_the_word_for_a_node_is_its_number_and_the_approval_names_the_revision():
    card = gate_card(releases.at_gate())
    assert [asked.token for asked in card.asked] == ["0"]
    assert card.intent("ann@bastion") == Approve(GateId.node(0), "rev-7", "ann@bastion")


def test_the_last_way_back_is_said():
    assert gate_card(releases.at_gate()).warning.startswith("Last way back")
    assert not gate_card(with_gate(releases.at_gate(), is_last_way_back=False)).warning


def test_what_happened_since_the_last_gate_is_said():
    since = row(gate_card(releases.at_gate()), "Since")
    assert since == "node 1 approved by ann@bastion 3 min 23 s ago · 2 of 3 nodes drained · at most 240 missing at once"


def test_checks_that_do_not_pass_stand_alone_and_block():
    waits = CheckResult("clients-back", Outcome.WAIT, "ledger not known")
    card = gate_card(with_gate(releases.at_gate(), checks=releases.checks(clients_back=waits)))
    assert row(card, "Checks").splitlines()[0] == "◌ ledger not known"
    assert card.blocked == "clients back: ledger not known"


def test_old_figures_block_even_when_no_check_says_so():
    view = releases.at_gate()
    old = Reading(view.snapshot.stats.value, NOW - timedelta(seconds=21))
    card = gate_card(replace(view, snapshot=replace(view.snapshot, stats=old)))
    assert card.blocked == "the brokers' figures are 21 s old (limit 10 s)"


def test_what_counts_as_old_follows_the_policy_of_a_fast_cluster():
    view = replace(releases.at_gate(), policy=Policy().at_rate(30))
    for age_s, blocked in ((29, ""), (31, "the brokers' figures are 31 s old (limit 30 s)")):
        old = Reading(view.snapshot.stats.value, NOW - timedelta(seconds=age_s))
        assert gate_card(replace(view, snapshot=replace(view.snapshot, stats=old))).blocked == blocked


def test_a_hold_and_missing_rights_block():
    assert "held" in gate_card(replace(releases.at_gate(), journal=releases.held().journal)).blocked
    card = gate_card(releases.at_gate(role=Role.WATCH_ONLY, role_reason="no right to scale"))
    assert card.blocked == "watch only: no right to scale"


def test_unknown_figures_on_a_card_are_told_as_unknown():
    card = gate_card(with_gate(releases.at_gate(), clients=None, seconds=None, recipients=()))
    assert "an unknown number of clients are disconnected at 200/s: for a time that is not known" in row(card, "Next")
    assert "no green node accepts clients" in row(card, "Go to")


def test_the_cut_over_card_says_that_nobody_is_cut_off_and_what_the_canary_does():
    card = gate_card(releases.before_cut_over())
    assert [asked.token for asked in card.asked] == ["green"]
    assert "clients that are connected stay where they are" in row(card, "Next")
    assert "one blue address leaves first, its node is watched" in row(card, "Next")
    assert row(card, "Way back").startswith("now, x: 0 disconnects, 45 s")


def test_the_cut_over_card_tells_what_nobody_is_asked_for_any_more():
    assert row(gate_card(releases.before_cut_over()), "Then") == "every node waits for you"
    by_themselves = releases.journal(approvals=(), approval=Approval.CUT_OVER)
    card = gate_card(releases.before_cut_over(journal=by_themselves))
    assert row(card, "Then") == "nobody is asked again: 99,999 clients are disconnected at 200/s, node by node"
    assert not row(gate_card(releases.at_gate()), "Then")


def test_late_removal_has_other_consequences_on_its_card():
    view = releases.before_cut_over(journal=releases.journal(approvals=(), late_removal=True))
    assert "a blue address leaves when its node has no client" in row(gate_card(view), "Next")


def test_a_gate_that_no_longer_waits_has_no_card():
    renew = renew_gate(GateId.node(0))
    assert renew(releases.at_gate(), None) is not None
    assert renew(releases.before_cut_over(), None) is None
    assert renew(None, None) is None


@pytest.mark.parametrize("what", ["revision", "gate"])
def test_another_revision_is_another_card(what):
    other = {"revision": {"revision": "rev-8"}, "gate": {"id": GateId.node(1)}}[what]
    assert gate_card(releases.at_gate()).revision != gate_card(with_gate(releases.at_gate(), **other)).revision


def test_figures_that_move_are_no_other_revision():
    view = releases.at_gate()
    assert gate_card(view).revision == gate_card(replace(with_gate(view, clients=1), ledger=Ledger())).revision


# --- start ---


def preview(*checks: CheckResult, **fields) -> EditPreview:
    draft = Draft.of(resource())
    draft.template["spec"]["emqxContainer"]["image"]["version"] = "4.4.15"  # type: ignore[index]
    fields.setdefault("forecast", figures())
    return AskedFor(7, draft, ReleaseOptions()).answer(*checks, **fields)


PASSES = CheckResult("rights", Outcome.PASS, "all rights by dry-run")
SESSIONS = CheckResult("sessions", Outcome.FAIL, "sessions of clean-start clients are lost", can_override=True)


def start_card(found: EditPreview, view: View | None = None, overrides: tuple[str, ...] = ()) -> Card:
    card = card_of_start(found, view or releases.idle(), overrides)
    assert card
    return card


def test_the_start_card_has_plan_expectation_changes_and_the_patch():
    card = start_card(preview(PASSES))
    assert card.title == "Start: emqx-ee 4.4.14 → 4.4.15"
    assert "3 × up to 3 min 7 s" in row(card, "Plan")
    assert "100,000 disconnects, one per client" in row(card, "Expect")
    assert row(card, "Changes") == "template.spec.emqxContainer.image.version  4.4.14 → 4.4.15"
    assert "kubectl -n mqtt patch emqxenterprises emqx-ee --type=merge" in row(card, "Command")
    assert '"initialDelaySeconds":1000000000' in row(card, "Command")
    assert not card.blocked


def test_the_word_that_starts_is_the_new_version():
    card = start_card(preview(PASSES))
    assert [asked.token for asked in card.asked] == ["4.4.15"]
    intent = card.intent("ann@bastion")
    assert isinstance(intent, Start)
    assert (intent.plan.to_version, intent.by, intent.overrides) == ("4.4.15", "ann@bastion", ())


def test_a_failed_check_has_to_be_accepted_by_its_name():
    card = start_card(preview(PASSES, SESSIONS))
    assert [asked.token for asked in card.asked] == ["sessions", "4.4.15"]
    intent = card.intent("ann")
    assert isinstance(intent, Start)
    assert intent.overrides == ("sessions",)


def test_a_check_that_was_accepted_before_is_not_asked_again():
    card = start_card(preview(PASSES, SESSIONS), overrides=("sessions",))
    assert [asked.token for asked in card.asked] == ["4.4.15"]
    intent = card.intent("ann")
    assert isinstance(intent, Start)
    assert intent.overrides == ("sessions",)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            preview(PASSES, dry_run_ok=False, dry_run="422 spec.x"),
            "the server did not accept the change: 422 spec.x",
        ),
        (preview(PASSES, dry_run_ok=None), "the server did not accept the change: not asked yet"),
        (preview(CheckResult("gitops", Outcome.FAIL, "argocd owns it")), "a check does not pass: argocd owns it"),
        (preview(CheckResult("data", Outcome.WAIT, "not read yet")), "a check does not pass: not read yet"),
    ],
    ids=["refused", "not asked", "fatal", "waits"],
)
def test_what_blocks_a_start(found, reason):
    assert start_card(found).blocked == reason


def test_a_second_release_cannot_be_started():
    assert start_card(preview(PASSES), releases.draining()).blocked == "a release is running already"


def test_the_start_card_goes_with_its_draft_and_with_the_object_that_was_read():
    found = preview(PASSES)
    assert found.plan
    renew = renew_start(found)
    first = renew(releases.idle(), found)
    assert first is not None

    def later(**fields) -> Card:
        plan = replace(found.plan, **fields)
        card = renew(releases.idle(), replace(found, number=8, plan=plan))
        assert card is not None
        return card

    assert later(resource_version="1002").revision == first.revision, "a status write changes nothing of what starts"
    forecast = StartForecast(300, 330, 15_000, 15_000, 200, 200, ())
    assert later(forecast=forecast).revision == first.revision, "clients that come and go change nothing of it either"
    assert later(metadata_generation=2).revision != first.revision
    assert later(patch={"spec": {}}).revision != first.revision
    assert renew(releases.idle(), replace(found, number=8, plan=None)) is None


def test_the_start_card_has_the_words_of_its_gate():
    card = card_of_start(preview(PASSES), None, (), Runbook({Gate.START: ("Call the desk.",)}))
    assert card is not None
    assert row(card, "Runbook") == "Call the desk."


def test_an_older_answer_or_none_leaves_the_start_card_as_it_is():
    found = preview(PASSES)
    renew = renew_start(found)
    first = renew(releases.idle(), found)
    assert first
    for other in (None, replace(found, number=6, plan=None)):
        again = renew(releases.idle(), other)
        assert again
        assert (again.revision, again.rows) == (first.revision, first.rows)


def test_without_counts_nothing_is_promised():
    card = start_card(preview(PASSES, forecast=None))
    assert row(card, "Plan") == "no estimate: counts are missing"
    assert row(card, "Expect") == "not known: counts are missing"


# --- abort, policy ---


def test_the_abort_card_tells_the_price_and_asks_for_the_clusters_name():
    card = renew_abort(releases.before_cut_over(), None)
    assert card is not None
    assert row(card, "Next") == "green is removed; every client stays where it is"
    assert row(card, "Costs") == "0 disconnects · about 45 s"
    assert [asked.token for asked in card.asked] == ["emqx-ee"]
    assert card.intent("ann") == Abort("ann", "abort-1")


def test_an_abort_that_cannot_be_is_blocked_with_the_reason():
    gone = AbortCost(False, "blue is gone: the way back is a new release")
    card = renew_abort(releases.draining(decision=replace(releases.draining().decision, abort=gone)), None)
    assert card is not None
    assert card.blocked == "blue is gone: the way back is a new release"
    costly = replace(releases.at_gate().decision, abort=AbortCost(True, "", 66_900, 360.0, "r"))
    card = renew_abort(releases.at_gate(decision=costly), None)
    assert card is not None
    assert "clients that are on green go back to blue" in row(card, "Next")


def test_an_abort_without_the_operator_says_what_waits_for_it():
    view = releases.draining()
    assert renew_abort(view, None).warning == ""
    down = replace(view, snapshot=replace(view.snapshot, operator_answers=Reading(False, NOW)))
    assert renew_abort(down, None).warning == "The operator is down: green is emptied and removed once it is back."


def test_there_is_nothing_to_abort_without_a_release():
    assert renew_abort(releases.idle(), None) is None


def test_a_looser_policy_asks_for_its_name_and_a_stricter_one_is_none():
    assert is_looser(Approval.AUTO, Approval.EVERY_NODE)
    assert not is_looser(Approval.EVERY_NODE, Approval.CUT_OVER)
    card = renew_policy(Approval.AUTO)(releases.at_gate(), None)
    assert card is not None
    assert [asked.token for asked in card.asked] == ["auto"]
    assert card.intent("ann") == SetPolicy("ann", "auto")
    over = releases.at_gate(decision=Decision(Phase.DONE))
    assert renew_policy(Approval.AUTO)(over, None) is None


@pytest.mark.parametrize(
    ("role", "driver", "told"),
    [
        (Role.DRIVER, "me@here/1", ""),
        (Role.IDLE, "", "this console becomes the driver: nobody drives this release"),
        (Role.SPECTATOR, "ann@laptop/7", "ann@laptop drives and carries it out; this console takes over if it stops"),
    ],
)
def test_a_card_says_what_approving_makes_of_this_console(role: Role, driver: str, told: str):
    view = replace(releases.at_gate(), role=role, driver=driver)
    assert row(gate_card(view), "Driver") == told
    abort = renew_abort(view, None)
    assert abort is not None
    assert row(abort, "Driver") == told
