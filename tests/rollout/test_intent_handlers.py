"""What becomes of an intent: a changed journal, or one sentence of refusal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from emqx_tui.rollout.change import Rates
from emqx_tui.rollout.commands import StartDrain, drain_key
from emqx_tui.rollout.decision import Decision, Outcome, RefusalReason
from emqx_tui.rollout.forecast.forecast import FINISH_S, GREEN_UP_S, drain_s
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, START, GateId
from emqx_tui.rollout.intent_handlers import evidence_of
from emqx_tui.rollout.intents import Abort, Approve, Freeze, Hold, Intent, Resume, SetPolicy, SetRates, Start, TakeOver
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.journal import AbortRecord, HoldRecord, Journal
from tests.support import scenes as build
from tests.support.scenes import Scene, approved, held, noted, plan, remembered, with_place, with_side, without_place

BY = "ann@host"
UNDER_WAY: dict[str, Scene] = {
    "starting": build.starting(),
    "creating": build.creating(),
    "waiting": build.waiting(),
    "ready": build.ready(),
    "canary": build.canary(watched_s=5.0),
    "cutting over": build.cutting_over(),
    "draining": build.draining(),
    "finishing": build.finishing(),
}


def journal_of(decision: Decision) -> Journal:
    assert decision.journal is not None
    return decision.journal


def refusal(scene: Scene, intent: Intent) -> str:
    """The sentence; the journal must not have changed by it."""
    decision = scene.decide(intent)
    assert decision.accepted == ""
    assert decision.journal == scene.decide().journal
    return decision.refused


# -- start --------------------------------------------------------------------------------------------------------


def test_a_start_opens_a_journal_and_gives_the_one_patch() -> None:
    decision = build.idle().decide(Start(plan(), BY, overrides=("udp",)))
    journal = journal_of(decision)
    assert decision.accepted == "release 4.4.14 to 4.4.15 begins"
    assert decision.phase is Phase.STARTING
    assert journal.originals.blue_uid == build.BLUE_UID
    assert journal.originals.delay_s == build.USER_DELAY_S
    assert journal.originals.template == build.OLD_TEMPLATE
    assert journal.originals.service_ports[0] == ("mqtt-tcp-1883", 1883, "TCP", "1883", 30083)
    assert journal.originals.operator_image == build.OPERATOR
    assert [a.gate for a in journal.approvals] == [START]
    assert journal.overrides == ("udp",)
    assert [c.name for c in decision.commands] == ["apply-template"]


def test_the_journal_of_a_start_is_the_plan_and_what_there_was_before() -> None:
    journal = journal_of(build.idle().decide(Start(plan(), BY)))
    expected = build.journal(created_at=build.NOW, green_uid="")
    assert replace(journal, approvals=(), totals=expected.totals) == replace(expected, approvals=())


@pytest.mark.parametrize("is_absent", [True, False])
def test_whether_the_user_had_given_a_delay_is_kept(is_absent: bool) -> None:
    decision = build.idle().decide(Start(plan(delay_was_absent=is_absent), BY))
    assert journal_of(decision).originals.delay_was_absent is is_absent


def test_the_approval_of_a_start_keeps_on_what_it_rests() -> None:
    starts = [
        Start(plan(), BY),
        Start(plan(), BY, overrides=("udp",)),
        Start(plan(resource_version="901"), BY),
        Start(plan(target_mark="another"), BY),
    ]
    kept = {journal_of(build.idle().decide(start)).approvals[0].evidence for start in starts}
    assert len(kept) == len(starts)


REFUSED_STARTS: dict[str, tuple[Scene, str]] = {
    "the object is gone": (replace(build.idle(), uid="another"), "gone or was re-created"),
    "somebody changed the object": (replace(build.idle(), metadata_generation=2), "was changed since"),
    "two sets are alive": (replace(build.idle(), green=build.ready().green), "not as it was planned"),
    "its Service is gone": (replace(build.idle(), has_service=False), "not as it was planned"),
    "the Endpoints of its Service are gone": (replace(build.idle(), has_endpoints=False), "not as it was planned"),
    "no set is alive": (with_side(build.idle(), "blue", replicas=0, places={}), "not as it was planned"),
}


@pytest.mark.parametrize(("scene", "sentence"), REFUSED_STARTS.values(), ids=REFUSED_STARTS)
def test_a_start_on_another_ground_than_planned_is_refused(scene: Scene, sentence: str) -> None:
    decision = scene.decide(Start(plan(), BY))
    assert sentence in decision.refused
    assert decision.journal is None
    assert decision.commands == ()


def test_status_writes_of_the_operator_do_not_outdate_a_plan() -> None:
    assert replace(build.idle(), resource_version="955", status_mark="x").decide(Start(plan(), BY)).accepted


@pytest.mark.parametrize("scene", UNDER_WAY.values(), ids=UNDER_WAY)
def test_one_release_at_a_time(scene: Scene) -> None:
    assert refusal(scene, Start(plan(), BY)) == "a release is under way already"


@pytest.mark.parametrize(
    "intent",
    [Hold(BY), Freeze(BY), Resume(BY), Approve(CUT_OVER, "x", BY), SetRates(BY, 1, 1), Abort(BY, "x")],
    ids=lambda i: type(i).__name__,
)
def test_without_a_release_there_is_nothing_to_answer(intent: Intent) -> None:
    decision = build.idle().decide(intent)
    assert (decision.refused, decision.journal) == ("no release is running", None)


def test_a_release_that_is_done_takes_no_intent() -> None:
    assert "done" in refusal(build.done(), Hold(BY))


# -- approve ------------------------------------------------------------------------------------------------------


def approving(scene: Scene, count: int = 1, by: str = BY) -> Approve:
    gate = scene.decide().gate
    assert gate is not None
    return Approve(gate.id, gate.revision, by, count)


def gates(journal: Journal) -> list[str]:
    return [str(a.gate) for a in journal.approvals]


def test_an_approval_opens_its_gate_and_the_step_begins() -> None:
    scene = build.draining()
    decision = scene.decide(approving(scene))
    record = journal_of(decision).approvals[-1]
    assert (record.gate, record.by, record.at) == (GateId.node(2), BY, build.NOW)
    assert record.evidence
    assert decision.accepted == f"approved: {build.BLUE_NAME}-2"
    assert [c.name for c in decision.commands] == ["start-drain"]


def test_an_approval_of_a_superseded_revision_is_refused() -> None:
    scene = build.draining()
    stale = approving(noted(scene, rates=Rates(50, 50, 5)))
    assert "changed since the card was opened" in refusal(scene, stale)


def test_an_approval_of_another_gate_is_refused() -> None:
    scene = build.draining()
    revision = approving(scene).revision
    for gate in (GateId.node(1), GateId.node(0), CUT_OVER, START):
        assert "'node:2' waits" in refusal(scene, Approve(gate, revision, BY))
    assert "no gate waits" in refusal(build.creating(), Approve(CUT_OVER, revision, BY))


def test_an_approval_of_a_shut_gate_is_refused_with_the_first_evidence() -> None:
    scene = build.waiting(started_ago_s=10.0)
    assert refusal(scene, approving(scene)) == "not now: 50 s of initialDelaySeconds left"


def test_an_approval_twice_is_refused() -> None:
    scene = build.draining()
    intent = approving(scene)
    again = replace(scene, journal=journal_of(scene.decide(intent)))
    assert "is not to be approved now" in refusal(again, intent)


@pytest.mark.parametrize(
    ("count", "opened"),
    [
        (-3, ["node:2"]),
        (0, ["node:2"]),
        (1, ["node:2"]),
        (2, ["node:2", "node:1"]),
        (3, ["node:2", "node:1", "node:0"]),
        (99, ["node:2", "node:1", "node:0"]),
    ],
)
def test_the_next_n_nodes_may_be_approved_at_once(count: int, opened: list[str]) -> None:
    scene = build.draining()
    journal = journal_of(scene.decide(approving(scene, count)))
    assert gates(journal)[2:] == opened


def test_a_count_does_not_reach_from_the_cut_over_to_the_nodes() -> None:
    scene = build.ready()
    assert gates(journal_of(scene.decide(approving(scene, 5)))) == ["start", "cut-over"]


@pytest.mark.parametrize(("freeze", "word"), [(False, "held"), (True, "frozen")])
def test_approving_while_held_is_refused_naming_the_hold(freeze: bool, word: str) -> None:
    """Nothing that is approved in a hold may begin by the resume alone."""
    scene = noted(build.draining(), hold=HoldRecord(BY, build.ago(90), "dashboards", freeze=freeze))
    decision = scene.decide(approving(scene))
    assert decision.refused == f"{word} by {BY} since {build.ago(90):%H:%M:%SZ}: dashboards"
    assert decision.refusal is RefusalReason.HELD
    assert "node:2" not in gates(journal_of(decision))
    assert decision.commands == ()
    assert "node:2" not in gates(journal_of(scene.decide(Resume(BY))))


POLICIES: dict[str, tuple[Scene, Approval, list[str]]] = {
    "every node: the cut-over waits": (build.ready(), Approval.EVERY_NODE, []),
    "every node: a node waits": (build.draining(), Approval.EVERY_NODE, []),
    "cut-over: the cut-over waits": (build.ready(), Approval.CUT_OVER, []),
    "cut-over: nodes follow": (build.draining(), Approval.CUT_OVER, ["node:2"]),
    "auto: the cut-over follows": (build.ready(), Approval.AUTO, ["cut-over"]),
    "auto: nodes follow": (build.draining(), Approval.AUTO, ["node:2"]),
    "auto: not while a check waits": (build.waiting(), Approval.AUTO, []),
    "auto: not while held": (held(build.draining()), Approval.AUTO, []),
    "auto: not while frozen": (held(build.draining(), freeze=True), Approval.AUTO, []),
    "auto: not with an alarm": (replace(build.draining(), third=build.third()), Approval.AUTO, []),
}


@pytest.mark.parametrize(("scene", "policy", "opened"), POLICIES.values(), ids=POLICIES)
def test_what_a_policy_approves_by_itself(scene: Scene, policy: Approval, opened: list[str]) -> None:
    scene = noted(scene, approval=policy)
    assert scene.journal is not None
    journal = journal_of(scene.decide())
    assert gates(journal)[len(scene.journal.approvals) :] == opened
    shown = noted(scene, approval=Approval.EVERY_NODE).decide().gate
    evidence = evidence_of(shown) if shown else ""
    for approval in journal.approvals[len(scene.journal.approvals) :]:
        assert (approval.by, approval.at, approval.evidence) == (f"policy {policy}", build.NOW, evidence)


# -- hold, freeze, resume -----------------------------------------------------------------------------------------


TOP_POD = f"{build.BLUE_NAME}-2"
START_APPROVED = approved(build.draining(), "node:2")


@pytest.mark.parametrize(
    ("scene", "is_draining"),
    [
        (build.ready(), False),
        (build.draining(), False),
        (with_place(approved(build.draining(), "node:2"), "blue", 2, **build.draining_place()), True),
        (with_place(approved(build.draining(), "node:2"), "blue", 2, **build.draining_place("prohibiting", 0)), False),
        (remembered(START_APPROVED, in_flight=frozenset({drain_key(TOP_POD)})), True),
        (remembered(START_APPROVED, done_at={(StartDrain.name, drain_key(TOP_POD)): build.ago(0.5)}), True),
        (remembered(START_APPROVED, done_at={(StartDrain.name, drain_key(TOP_POD)): build.ago(40)}), False),
        (noted(START_APPROVED, starts={TOP_POD: build.ago(1)}), True),
    ],
    ids=[
        "before the cut-over",
        "between two drains",
        "in a drain",
        "drained",
        "a start is on its way",
        "EMQX has not told of a start yet",
        "EMQX has told nothing of a start",
        "another console has noted a start",
    ],
)
def test_a_hold_and_a_freeze_say_what_goes_on_and_what_is_stopped(scene: Scene, is_draining: bool) -> None:
    going_on = "the drain that runs goes on" if is_draining else "no further step begins"
    stopped = "the running drain is stopped" if is_draining else "no further step begins"
    assert scene.decide(Hold(BY)).accepted == f"held: {going_on}"
    assert scene.decide(Freeze(BY)).accepted == f"frozen: {stopped}"


@pytest.mark.parametrize(
    ("scene", "starting"),
    [
        (build.draining(), ()),
        (START_APPROVED, (TOP_POD,)),
        (with_place(START_APPROVED, "blue", 2, **build.draining_place()), ()),
        (held(remembered(START_APPROVED, in_flight=frozenset({drain_key(TOP_POD)}))), (TOP_POD,)),
        (remembered(START_APPROVED, done_at={(StartDrain.name, drain_key(TOP_POD)): build.ago(0.5)}), (TOP_POD,)),
        (held(remembered(START_APPROVED, done_at={(StartDrain.name, drain_key(TOP_POD)): build.ago(40)})), ()),
        (held(remembered(START_APPROVED, unanswered_starts={TOP_POD: build.ago(5)})), (TOP_POD,)),
        (held(noted(START_APPROVED, starts={TOP_POD: build.ago(1)})), (TOP_POD,)),
        (held(noted(START_APPROVED, starts={TOP_POD: build.ago(20)}), freeze=True), ()),
        (held(noted(START_APPROVED, starts={TOP_POD: build.ago(20)}, abort=AbortRecord(BY, build.NOW, "e"))), ()),
    ],
    ids=[
        "between two drains",
        "about to be sent",
        "seen",
        "on its way",
        "answered, not seen yet",
        "seen to have done nothing",
        "without an answer",
        "noted by another console",
        "noted, and stopped by a freeze",
        "noted, and stopped by an abort",
    ],
)
def test_a_decision_names_the_drains_that_are_starting(scene: Scene, starting: tuple[str, ...]) -> None:
    assert scene.decide().starting == starting


@pytest.mark.parametrize("scene", UNDER_WAY.values(), ids=UNDER_WAY)
@pytest.mark.parametrize("intent", [Hold(BY), Freeze(BY)], ids=["hold", "freeze"])
def test_holding_is_always_allowed_and_sends_nothing_advancing(scene: Scene, intent: Intent) -> None:
    decision = scene.decide(intent)
    hold = journal_of(decision).hold
    assert decision.accepted
    assert hold is not None
    assert (hold.by, hold.auto, hold.freeze) == (BY, False, isinstance(intent, Freeze))
    assert not [c for c in decision.commands if c.advancing]


def test_holding_twice_says_so_and_freezing_a_hold_is_more() -> None:
    assert refusal(held(build.draining()), Hold(BY)) == "held already"
    assert refusal(held(build.draining(), freeze=True), Freeze(BY)) == "frozen already"
    assert refusal(held(build.draining(), freeze=True), Hold(BY)) == "frozen already"
    frozen = journal_of(held(build.draining()).decide(Freeze(BY))).hold
    assert frozen is not None
    assert frozen.freeze


def test_a_freeze_on_top_of_an_auto_hold_keeps_why_it_held() -> None:
    """What resuming accepts is the check's finding, whoever stopped the drain meanwhile."""
    found = HoldRecord("console", build.ago(9), "909 of 39532 are missing", auto=True, check="clients-missing")
    frozen = journal_of(noted(build.draining(), hold=found).decide(Freeze(BY, "pager")))
    assert frozen.hold
    assert (frozen.hold.by, frozen.hold.auto, frozen.hold.freeze) == (BY, False, True)
    assert frozen.hold.check == "clients-missing"
    assert frozen.hold.reason == "pager; held before by check clients-missing: 909 of 39532 are missing"
    resumed = journal_of(noted(build.draining(), hold=frozen.hold).decide(Resume(BY)))
    assert (resumed.hold, resumed.acknowledged) == (None, ("clients-missing",))


@pytest.mark.parametrize("scene", UNDER_WAY.values(), ids=UNDER_WAY)
@pytest.mark.parametrize("freeze", [False, True], ids=["held", "frozen"])
def test_resume_lifts_either_and_goes_on_where_it_was(scene: Scene, freeze: bool) -> None:
    decision = held(scene, freeze=freeze).decide(Resume(BY))
    assert journal_of(decision).hold is None
    assert decision.accepted == "resumed"
    assert decision.commands == scene.decide().commands


def test_resuming_what_is_not_held_is_refused() -> None:
    assert refusal(build.draining(), Resume(BY)) == "nothing is held"


def test_lifting_an_accepted_figure_is_remembered_and_lifting_a_fact_is_not() -> None:
    liftable = held(build.draining(), auto=True, check="drain-stalled")
    lifted = journal_of(liftable.decide(Resume(BY)))
    assert (lifted.acknowledged, lifted.acknowledged_by) == (("drain-stalled",), {"drain-stalled": BY})
    fact = held(build.draining(), auto=True, check="third-set")
    assert journal_of(fact.decide(Resume(BY))).acknowledged == ()


@pytest.mark.parametrize("auto", [True, False], ids=["held by its check", "held by a person"])
def test_resuming_while_a_fact_still_holds_is_refused_and_changes_nothing(auto: bool) -> None:
    check = "foreign-rebalance" if auto else ""
    scene = held(replace(build.draining(), rebalances=1), auto=auto, check=check)
    decision = scene.decide(Resume(BY))
    assert (decision.accepted, decision.refusal) == ("", RefusalReason.HELD)
    assert decision.refused.startswith("foreign-rebalance still holds: ")
    assert scene.journal is not None
    assert journal_of(decision).hold == scene.journal.hold


def test_resuming_while_another_figure_is_over_its_limit_says_that_it_is_held_again() -> None:
    """A person accepts one finding at a time."""
    scene = with_side(without_place(build.draining(), "blue", 2), "blue", replicas=2)
    scene = held(remembered(scene, first_blue_size=3), auto=True, check="drain-stalled")
    decision = scene.decide(Resume(BY))
    journal = journal_of(decision)
    assert (journal.acknowledged, journal.hold and journal.hold.check) == (("drain-stalled",), "blue-shrunk")
    found = f"drain-stalled, found at {build.ago(1):%H:%M:%S}Z: a look first"
    assert decision.accepted.startswith(f"resumed, accepting {found}, and held again: ")


def test_a_figure_is_accepted_as_it_is_now_and_not_as_it_held() -> None:
    """Between the hold and who resumes lie hours, perhaps."""
    scene = with_side(without_place(build.draining(), "blue", 2), "blue", replicas=2)
    scene = held(remembered(scene, first_blue_size=3), auto=True, check="blue-shrunk")
    (now,) = scene.decide().alarms
    assert scene.decide(Resume(BY)).accepted == f"resumed, accepting blue-shrunk: {now.evidence}"


def test_taking_over_changes_nothing_in_the_journal() -> None:
    decision = build.draining().decide(TakeOver(BY))
    assert decision.accepted == "this console takes over"
    assert decision.journal == build.draining().decide().journal


FAILED_CANARY = noted(approved(build.ready(), "cut-over"), canary_failed="lost 30 of 300")
HELD_AFTER_CANARY: dict[str, Scene] = {
    "by the canary": held(FAILED_CANARY, auto=True, check="canary"),
    "by a person, who was first": held(FAILED_CANARY),
    "by a person, who froze it": held(FAILED_CANARY, freeze=True),
    "by another alarm": held(FAILED_CANARY, auto=True, check="operator-silent"),
}


@pytest.mark.parametrize("scene", HELD_AFTER_CANARY.values(), ids=HELD_AFTER_CANARY)
def test_a_failed_canary_resumes_into_late_removal_with_a_gate_of_its_own(scene: Scene) -> None:
    decision = scene.decide(Resume(BY))
    assert journal_of(decision).late_removal
    assert "late removal" in decision.accepted
    assert decision.gate is not None
    assert decision.gate.id == LATE_CUT_OVER
    assert not [c for c in decision.commands if c.advancing]


def test_late_removal_is_not_cut_over_by_the_approval_of_the_plain_cut_over() -> None:
    scene = noted(FAILED_CANARY, late_removal=True)
    assert scene.decide().phase is Phase.READY_TO_CUT_OVER
    approved_late = scene.decide(approving(scene))
    assert approved_late.phase is Phase.CUTTING_OVER


# -- rates and policy ---------------------------------------------------------------------------------------------


def test_other_rates_are_noted_and_the_takeover_wait_stays() -> None:
    assert journal_of(build.draining().decide(SetRates(BY, 50, 60))).rates == Rates(50, 60, 5)
    assert journal_of(build.draining().decide(SetRates(BY, 1, 1))).rates == Rates(1, 1, 5)


@pytest.mark.parametrize(
    ("intent", "sentence"),
    [
        (SetRates(BY, 0, 200), "at least 1"),
        (SetRates(BY, 200, -1), "at least 1"),
        (SetRates(BY, 200, 200), "already"),
        (SetPolicy(BY, "sometimes"), "unknown policy 'sometimes'"),
        (SetPolicy(BY, ""), "unknown policy"),
    ],
    ids=["0 connections", "-1 sessions", "the same", "no such policy", "no policy"],
)
def test_settings_that_are_refused(intent: Intent, sentence: str) -> None:
    assert sentence in refusal(build.draining(), intent)


def test_another_policy_counts_from_here_on() -> None:
    decision = build.draining().decide(SetPolicy(BY, "auto"))
    journal = journal_of(decision)
    assert journal.approval is Approval.AUTO
    assert gates(journal)[-1] == "node:2"


# -- abort --------------------------------------------------------------------------------------------------------

BEFORE = ["starting", "creating", "waiting", "ready", "canary", "cutting over", "draining"]


def aborting(scene: Scene) -> Abort:
    return Abort(BY, scene.decide().abort.revision)


@pytest.mark.parametrize("name", BEFORE)
def test_abort_is_on_offer_while_blue_is_there(name: str) -> None:
    scene = UNDER_WAY[name]
    decision = scene.decide(aborting(scene))
    assert scene.decide().abort.possible
    assert decision.accepted == "aborting: back to blue"
    assert decision.phase in (Phase.ABORTING, Phase.ABORTED)
    assert decision.alarms == ()
    record = journal_of(decision).abort
    assert record is not None
    assert (record.by, record.at) == (BY, build.NOW)


def test_an_abort_keeps_on_what_it_rests() -> None:
    """The phase, and whom it disconnects."""
    traffic = with_place(UNDER_WAY["ready"], "green", 0, live=40)
    records = [journal_of(s.decide(aborting(s))).abort for s in (UNDER_WAY["waiting"], UNDER_WAY["ready"], traffic)]
    assert len({record.evidence for record in records if record}) == 3


@pytest.mark.parametrize("name", BEFORE)
def test_abort_lifts_a_hold_so_that_the_way_back_is_free(name: str) -> None:
    scene = held(UNDER_WAY[name], freeze=True)
    decision = scene.decide(aborting(scene))
    assert journal_of(decision).hold is None


@pytest.mark.parametrize(
    "scene",
    [build.finishing(), with_side(build.draining(gone=2), "blue", replicas=0)],
    ids=["blue is gone", "its last pod is going"],
)
def test_abort_is_refused_after_the_last_blue_scale_with_the_reason(scene: Scene) -> None:
    cost = scene.decide().abort
    assert not cost.possible
    assert "a new release" in cost.why_not
    assert cost.why_not in refusal(scene, Abort(BY, cost.revision))


def test_abort_of_a_superseded_situation_is_refused() -> None:
    scene = build.waiting()
    stale = aborting(noted(scene, rates=Rates(50, 50, 5)))
    assert "changed since the card was opened" in refusal(scene, stale)


def test_aborting_twice_is_refused() -> None:
    scene = build.waiting()
    under_way = replace(scene, journal=journal_of(scene.decide(aborting(scene))))
    assert "an abort is under way" in refusal(under_way, aborting(scene))


@pytest.mark.parametrize(
    ("change", "disconnects"),
    [
        (lambda scene: scene, 0),
        (lambda scene: with_place(scene, "green", 0, live=40), 40),
        (lambda scene: with_place(scene, "green", 0, live=None), None),
        (lambda scene: replace(scene, green=None), 0),
    ],
    ids=["nobody on green", "early traffic on green", "one node is not counted", "no green yet"],
)
def test_what_an_abort_would_cost_now(change: Callable[[Scene], Scene], disconnects: int | None) -> None:
    cost = change(build.ready()).decide().abort
    assert cost.possible
    assert cost.disconnects == disconnects
    assert cost.seconds == (None if disconnects is None else FINISH_S + (6 if disconnects else 0))


@pytest.mark.parametrize(
    ("is_up", "age_s", "is_approved"),
    [(True, 3.0, True), (True, 3.1, False), (False, 1.0, False), (None, 0.0, True)],
    ids=["just asked", "asked before", "down", "nobody may ask"],
)
def test_the_policy_approves_on_a_fresh_answer_of_the_operator_only(
    is_up: bool | None, age_s: float, is_approved: bool
) -> None:
    scene = replace(noted(build.ready(), approval=Approval.AUTO), operator_up=is_up, operator_age_s=age_s)
    journal = scene.decide().journal
    assert journal is not None
    assert (CUT_OVER in {approval.gate for approval in journal.approvals}) is is_approved


def test_a_gate_that_opened_shows_only_passing_checks() -> None:
    gate = replace(build.ready(), operator_up=True).decide().gate
    assert gate is not None
    assert {c.outcome for c in gate.checks} == {Outcome.PASS}


def test_an_abort_takes_the_drain_back_the_close_out_and_the_boot_of_blue() -> None:
    traffic = with_place(build.ready(), "green", 0, live=401)
    drain = drain_s(401, 0, build.RATES)
    assert traffic.decide().abort.seconds == FINISH_S + drain
    shrunk = with_side(build.without_place(traffic, "blue", 2), "blue", replicas=2)
    assert shrunk.decide().abort.seconds == FINISH_S + GREEN_UP_S + drain
    assert build.ready().decide().abort.seconds == FINISH_S
