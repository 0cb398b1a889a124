"""What holds a rollout by itself: each detector with the least that raises it and the most that does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.reading import MISSING, Reading
from emqx_tui.model.series import Ledger, Sample
from emqx_tui.rollout.checks import auto_hold, kubernetes_alarms
from emqx_tui.rollout.checks.stillness import what_waits
from emqx_tui.rollout.decide import DecisionSettings, decide
from emqx_tui.rollout.decision import Decision, Limit
from emqx_tui.rollout.intents import Hold, Resume, SetPolicy
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Policy
from emqx_tui.rollout.state.expectations import AckWait, Failure
from emqx_tui.rollout.state.journal import AbortRecord, HoldRecord
from emqx_tui.rollout.state.memory import Memory
from emqx_tui.rollout.state.observed import Progress, Still
from emqx_tui.rollout.telling.advice import Advice, Verb
from tests.support import scenes as build
from tests.support.scenes import (
    Place,
    Scene,
    ago,
    approved,
    held,
    noted,
    remembered,
    with_place,
    with_side,
    without_place,
)

CREATING, READY, DRAINING = build.creating(), build.ready(), build.draining()
EVICTING = with_place(approved(DRAINING, "node:2"), "blue", 2, **build.draining_place())
TOP, MIDDLE = f"{build.BLUE_NAME}-2", f"{build.BLUE_NAME}-1"


def hung(scene: Scene, for_s: float) -> Scene:
    """The second green node does not answer for itself."""
    name = f"{build.GREEN_NAME}-1"
    silent = with_place(scene, "green", 1, own_problem="did not answer in time", live=None)
    return remembered(silent, suspect_since={name: ago(for_s)})


def unreachable(scene: Scene, for_s: float) -> Scene:
    """No node answers for itself: the way to all of them is cut."""
    for side in ("blue", "green"):
        for ordinal in range(3):
            scene = with_place(scene, side, ordinal, own_problem="cannot connect")
    names = [f"{name}-{ordinal}" for name in (build.BLUE_NAME, build.GREEN_NAME) for ordinal in range(3)]
    return remembered(scene, suspect_since=dict.fromkeys(names, ago(for_s)))


def missing(count: int, for_s: float, on_their_way: int = 0) -> Scene:
    """900 clients were evicted from a node that is empty now; `count` of them are nowhere."""
    scene = with_place(approved(DRAINING, "node:2"), "blue", 2, **build.draining_place("waiting_takeover", 0))
    scene = replace(scene, green=build._green(3, build.Place(live=0)))
    track = ((ago(40), 900 - on_their_way), (ago(12), 900 - on_their_way))
    scene = with_place(scene, "green", 0, live=900 - count)
    return remembered(
        scene,
        initial={TOP: 900},
        baseline={TOP: 900, f"{build.BLUE_NAME}-1": 300, f"{build.BLUE_NAME}-0": 300},
        evicted_track=track,
        ledger=Ledger(evicted=900, missing=count),
        missing_since=ago(for_s),
    )


def losing(lost: int, span_s: float = 60.0, before: int = 300) -> Scene:
    """Node 1, which nobody drains, had `before` clients `span_s` ago."""
    node = f"{build.BLUE_NAME}-1"
    first = Sample(build.NOW - timedelta(seconds=span_s + 0.5), 900, 0, {node: before, TOP: 300})
    return remembered(with_place(DRAINING, "blue", 1, live=before - lost), recent=(first,))


def stalled(state: str, for_s: float) -> Scene:
    scene = with_place(approved(DRAINING, "node:2"), "blue", 2, **build.draining_place(state, 100))
    return remembered(scene, progress={TOP: Progress(EvacuationState(state), 100, ago(for_s))}, initial={TOP: 300})


def refused(count: int, is_refusal: bool = True) -> Scene:
    failure = Failure(ago(0.2), "eviction_agent_busy", count, is_refusal, "start-drain")
    return remembered(approved(DRAINING, "node:2"), failures={f"drain:{TOP}": failure})


def motionless(for_s: float, scene: Scene = approved(DRAINING, "node:2")) -> Scene:  # noqa: B008
    """The approved drain of node 2 waits for a node of green, as it has for so long."""
    waiting = with_place(scene, "green", 1, on_serving=False, is_ready=False)
    still = waiting.decided()[1].observations.still
    return remembered(waiting, still=Still(still.mark if still else (), ago(for_s)))


ALARMS: dict[str, tuple[Scene, set[str]]] = {
    "all is well while green boots": (CREATING, set()),
    "all is well at the gate": (READY, set()),
    "all is well while draining": (EVICTING, set()),
    "valve opened": (replace(READY, delay_s=60), {"valve-open"}),
    "valve field removed": (replace(DRAINING, delay_s=None), {"valve-open"}),
    "valve opened and template put back": (
        replace(DRAINING, delay_s=60, template="old"),
        {"valve-open", "object-changed"},
    ),
    "valve open before the first patch": (build.starting(), set()),
    "valve open at the end": (build.done(), set()),
    "template put back": (replace(DRAINING, template="old"), {"object-changed"}),
    "a third template": (replace(READY, template="other"), {"object-changed"}),
    "another template when blue is gone": (replace(build.finishing(), template="other"), {"object-changed"}),
    "a third set": (replace(DRAINING, third=build.third()), {"third-set"}),
    "a rebalance": (replace(DRAINING, rebalances=2), {"foreign-rebalance"}),
    "an evacuation that nobody approved": (
        with_place(DRAINING, "blue", 1, **build.draining_place()),
        {"foreign-evacuation"},
    ),
    "blue scaled by somebody": (
        remembered(with_side(without_place(DRAINING, "blue", 2), "blue", replicas=2), first_blue_size=3),
        {"blue-shrunk"},
    ),
    "blue scaled by us": (remembered(build.draining(gone=1), first_blue_size=3, blue_scaled_to=2), set()),
    "blue scaled by us, then by somebody": (
        remembered(
            with_side(without_place(build.draining(gone=1), "blue", 1), "blue", replicas=1),
            first_blue_size=3,
            blue_scaled_to=2,
        ),
        {"blue-shrunk"},
    ),
    "blue scaled by the console that drives, seen by another": (
        remembered(noted(build.draining(gone=1), drained=(f"{build.BLUE_NAME}-2",)), first_blue_size=3),
        set(),
    ),
    "blue scaled by one that drove before us, and by somebody": (
        remembered(noted(build.draining(gone=2), drained=(f"{build.BLUE_NAME}-2",)), first_blue_size=3),
        {"blue-shrunk"},
    ),
    "blue scaled up": (remembered(DRAINING, first_blue_size=2), set()),
    "a green pod not Ready for 5 min": (
        remembered(CREATING, unready_since={f"{build.GREEN_NAME}-1": ago(300)}),
        {"green-not-ready"},
    ),
    "a green pod not Ready for less": (
        remembered(CREATING, unready_since={f"{build.GREEN_NAME}-1": ago(299)}),
        set(),
    ),
    "a green pod that was never made": (
        remembered(without_place(CREATING, "green", 2), unready_since={f"{build.GREEN_NAME}-2": ago(300)}),
        {"green-not-ready"},
    ),
    "clients missing for long": (missing(60, 10.0), {"clients-missing"}),
    "clients missing, not long yet": (missing(60, 9.0), set()),
    "clients missing within the budget": (missing(50, 100.0), set()),
    "clients on their way": (missing(60, 100.0, on_their_way=60), set()),
    "a drain without progress": (stalled("evicting_conns", 60.0), {"drain-stalled"}),
    "a drain without progress in sessions": (stalled("evicting_sessions", 61.0), {"drain-stalled"}),
    "a drain that waits for takeover may wait": (stalled("waiting_takeover", 600.0), set()),
    "a drained node may wait": (stalled("prohibiting", 600.0), set()),
    "a start refused three times": (refused(3), {"start-refused"}),
    "a start refused twice": (refused(2), set()),
    "a start without answer": (refused(9, is_refusal=False), set()),
    "a blue broker is gone": (
        remembered(with_place(DRAINING, "blue", 1, is_joined=False), away_since={f"{build.BLUE_NAME}-1": ago(60)}),
        {"broker-gone"},
    ),
    "a blue broker was gone for a while": (
        remembered(with_place(DRAINING, "blue", 1, is_joined=False), away_since={f"{build.BLUE_NAME}-1": ago(59)}),
        set(),
    ),
    "scaling refused three times": (
        remembered(
            DRAINING, failures={f"scale:{build.BLUE_NAME}": Failure(ago(0.2), "forbidden", 3, True, command="scale")}
        ),
        {"command-refused"},
    ),
    "scaling lost three races": (
        remembered(
            DRAINING, failures={f"scale:{build.BLUE_NAME}": Failure(ago(0.2), "conflict", 3, False, command="scale")}
        ),
        set(),
    ),
    "spec.replicas changed": (replace(READY, replicas=4), {"object-changed"}),
    "blue scaled by somebody before the cut-over": (
        with_side(without_place(READY, "blue", 2), "blue", replicas=2),
        {"blue-not-whole"},
    ),
    "blue scaled up by somebody before the cut-over": (with_side(READY, "blue", replicas=4), {"blue-not-whole"}),
    "blue scaled up by somebody in the canary": (
        with_side(build.canary(watched_s=5.0), "blue", replicas=4),
        {"blue-not-whole"},
    ),
    "blue scaled up by somebody in the drains": (with_side(EVICTING, "blue", replicas=4), {"blue-not-whole"}),
    "nothing moves, and nobody is asked": (motionless(300.0), {"no-progress"}),
    "nothing moves for a while": (motionless(299.0), set()),
    "nothing moves, and a check keeps the gate shut": (motionless(300.0, DRAINING), {"no-progress"}),
    "nothing moves, but a person is asked": (
        remembered(DRAINING, still=Still((), ago(600.0))),
        set(),
    ),
    "nothing moves while it is held": (held(motionless(600.0)), set()),
    "ports lost for good": (
        remembered(
            replace(READY, service_ports=build.SERVICE_PORTS[1:]),
            failures={"repair-service": Failure(ago(0.2), "forbidden", 1, is_refusal=True, command="repair-service")},
        ),
        {"ports-lost"},
    ),
    "blue loses clients": (losing(50), {"blue-losing-clients"}),
    "blue loses few": (losing(49), set()),
    "blue loses many of very many": (losing(1500, before=33_000), set()),
    "blue loses too many of very many": (losing(1800, before=33_000), {"blue-losing-clients"}),
    "blue loses clients, seen too shortly": (losing(200, span_s=10.0), set()),
    "blue loses clients by a drain of which only its own node tells": (
        with_place(approved(losing(200), "node:2", "node:1"), "blue", 1, own=100),
        set(),
    ),
    "blue loses clients from the next node, which is approved": (
        with_place(approved(losing(200), "node:2", "node:1"), "blue", 2, **build.draining_place()),
        set(),
    ),
    "blue loses clients from the next node, which nobody approved": (
        with_place(approved(losing(200), "node:2"), "blue", 2, **build.draining_place()),
        {"blue-losing-clients"},
    ),
    "blue loses clients by a drain that was stopped": (
        remembered(losing(200), initial={MIDDLE: 300}, left={MIDDLE: 100}),
        set(),
    ),
    "the operator does not answer": (
        remembered(READY, ack=AckWait("1000", "status-1", ago(60), "nudge")),
        {"operator-silent"},
    ),
    "the operator has time left": (remembered(READY, ack=AckWait("1000", "status-1", ago(59), "nudge")), set()),
    "the operator is down": (
        remembered(replace(READY, operator_up=False), operator_down_since=ago(15)),
        {"operator-down"},
    ),
    "the operator restarts": (remembered(replace(READY, operator_up=False), operator_down_since=ago(14)), set()),
    "the operator was down": (remembered(replace(READY, operator_up=True), operator_down_since=ago(99)), set()),
    "a recipient hangs": (hung(EVICTING, 10.0), {"recipient-silent"}),
    "a recipient hangs, not long yet": (hung(EVICTING, 9.0), set()),
    "a recipient hangs at rest": (hung(DRAINING, 99.0), set()),
    "no node answers: none of them is to blame": (unreachable(EVICTING, 29.0), set()),
    "a recipient hangs: who is on it is not known, so nobody is missing": (
        hung(missing(60, 99.0), 5.0),
        set(),
    ),
    "blind while a node drains": (replace(EVICTING, broker_age_s=30.0), {"broker-data-old"}),
    "blind for a while": (replace(EVICTING, broker_age_s=29.0), set()),
    "blind at rest": (replace(DRAINING, broker_age_s=600.0), set()),
    "the patch is refused": (
        remembered(
            build.starting(),
            failures={"apply-template": Failure(ago(1), "rejected: no", 1, True, command="apply-template")},
        ),
        {"cannot-start"},
    ),
    "the patch got no answer": (
        remembered(
            build.starting(),
            failures={"apply-template": Failure(ago(1), "unreachable", 1, False, command="apply-template")},
        ),
        set(),
    ),
    "somebody changed the object before the first patch": (
        replace(build.starting(), metadata_generation=2, resource_version="901"),
        {"cannot-start"},
    ),
}


@pytest.mark.parametrize(("scene", "expected"), ALARMS.values(), ids=ALARMS)
def test_what_alarms(scene: Scene, expected: set[str]) -> None:
    decision = scene.decide()
    assert {alarm.check for alarm in decision.alarms} == expected
    is_held_before = scene.journal is not None and scene.journal.hold is not None
    assert _is_held(decision) is (bool(expected) or is_held_before)


LIMITS = {
    "clients missing for long": Limit(10.0, 50),
    "blue loses clients": Limit(share_per_min=0.05),
    "a drain without progress": Limit(60.0),
    "a blue broker is gone": Limit(60.0),
    "a green pod not Ready for 5 min": Limit(300.0),
    "the operator is down": Limit(15.0),
    "a recipient hangs": Limit(10.0),
    "blind while a node drains": Limit(30.0),
    "nothing moves, and nobody is asked": Limit(300.0),
}


@pytest.mark.parametrize("name", LIMITS)
def test_an_alarm_says_which_limit_was_passed(name: str) -> None:
    (alarm,) = ALARMS[name][0].decide().alarms
    assert alarm.limit == LIMITS[name]


def test_a_console_remembers_how_large_it_has_seen_blue_first() -> None:
    shrunk = with_side(without_place(DRAINING, "blue", 2), "blue", replicas=2)
    assert shrunk.decide().alarms == (), "one that comes later does not know"
    assert [alarm.check for alarm in replace(shrunk, memory=DRAINING.decided()[1]).decide().alarms] == ["blue-shrunk"]


SINCE = missing(60, 5.0).decided()[1]


@pytest.mark.parametrize(
    ("scene", "since"),
    [
        (missing(60, 5.0), ago(5)),
        (missing(50, 5.0), None),
        (with_place(missing(60, 5.0), "green", 1, own_problem="timed out", live=None), None),
        (replace(missing(60, 5.0), broker_age_s=11.0), None),
    ],
    ids=["missing", "back", "a node does not answer", "nobody was counted of late"],
)
def test_clients_count_as_missing_from_when_they_were_last_not(scene: Scene, since: datetime | None) -> None:
    """Of a time in which not all were counted nobody knows."""
    assert replace(scene, memory=SINCE).decided()[1].observations.missing_since == since


def test_a_console_that_comes_in_the_middle_does_not_take_what_it_has_not_read_for_a_start() -> None:
    """What a person asked for at once is written down, and no hold beside it."""
    seen = replace(DRAINING.snapshot(), stateful_sets=MISSING)
    decision, _ = decide(
        Memory(), seen, DRAINING.journal, SetPolicy("ann@host", "auto"), DecisionSettings(Policy(), "test")
    )
    assert decision.phase is Phase.STARTING
    assert decision.accepted
    assert decision.alarms == ()
    assert not _is_held(decision)


def _is_held(decision: Decision) -> bool:
    return decision.journal is not None and decision.journal.hold is not None


@pytest.mark.parametrize("name", [name for name, (_, expected) in ALARMS.items() if expected])
def test_an_alarm_holds_with_its_evidence_and_stops_advancing(name: str) -> None:
    scene, expected = ALARMS[name]
    decision = scene.decide()
    assert decision.journal is not None
    hold = decision.journal.hold
    assert hold is not None
    assert (hold.auto, hold.by) == (True, "console")
    assert hold.freeze == (hold.check in auto_hold.FREEZING)
    assert hold.check in expected
    first = next(a for a in decision.alarms if a.check == hold.check)
    assert first.evidence in hold.reason
    assert not [c for c in decision.commands if c.advancing]


def test_a_hung_recipient_is_named_and_its_drain_is_stopped() -> None:
    decision = hung(EVICTING, 12.0).decide()
    (alarm,) = decision.alarms
    assert alarm.evidence.startswith(f"{build.GREEN_NAME}-1 has not answered for itself for 12 s")
    assert alarm.evidence.endswith("for Kubernetes it runs and is Ready")
    assert [command.name for command in decision.commands] == ["stop-drain"]


def test_without_the_option_a_hung_recipient_holds_and_the_drain_goes_on() -> None:
    decision = noted(hung(EVICTING, 12.0), freeze_on_silence=False).decide()
    assert decision.journal is not None
    assert decision.journal.hold is not None
    assert not decision.journal.hold.freeze
    assert decision.commands == ()


def test_a_recipient_that_hangs_while_held_stops_the_drain_all_the_same() -> None:
    decision = hung(build.held(EVICTING), 12.0).decide()
    assert decision.journal is not None
    hold = decision.journal.hold
    assert hold is not None
    assert (hold.freeze, hold.auto) == (True, False)
    assert f"{build.GREEN_NAME}-1 has not answered" in hold.reason


@pytest.mark.parametrize("name", [name for name, (_, expected) in ALARMS.items() if expected])
def test_a_lifted_alarm_still_alarms_and_does_not_hold_again(name: str) -> None:
    scene, expected = ALARMS[name]
    lifted = noted(scene, acknowledged=tuple(expected))
    decision = lifted.decide()
    assert {alarm.check for alarm in decision.alarms} == expected
    assert not _is_held(decision)


def test_a_release_that_stands_still_names_the_check_that_it_waits_for() -> None:
    (alarm,) = motionless(300.0).decide().alarms
    assert alarm.evidence == "nothing has moved for 300 s; green-complete: green 2/3 Ready, 3/3 Running in EMQX"


def test_what_is_to_be_done_about_the_check_is_said_with_it() -> None:
    changed = replace(motionless(300.0), operator="emqx/emqx-operator-controller:2.1.4")
    whole = with_place(changed, "green", 1, on_serving=True, is_ready=True)
    assert what_waits(whole.context(), Phase.DRAINING).endswith("(put the former one back, or abort)")


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_says_what_it_saw_and_what_can_be_done(name: str) -> None:
    scene, _ = ALARMS[name]
    for phase in (scene.decide().phase, Phase.ABORTING):
        for alarm in auto_hold.alarms(scene.context(), phase):
            assert alarm.evidence
            assert "None" not in alarm.evidence
            for advice in alarm.advice:
                assert advice.verb in set(Verb)
                assert advice.verb is not Verb.FIX or advice.reason
                assert "None" not in (advice.reason, advice.target)


OURS = with_place(DRAINING, "blue", 1, **build.draining_place())
STOPS = Advice(Verb.FREEZE, "stops it")
BY_HAND = Advice(Verb.FIX, "stop emqx@10.9.9.9 in EMQX: no pod of this cluster, a freeze does not")
LOOK = Advice(Verb.INSPECT_POD, target=f"{build.GREEN_NAME}-1")
BACK_TO_3 = Advice(Verb.FIX, "scale it back to 3")
FEWER = ": clients of the nodes that go are cut off"
UNREADY = {f"{build.GREEN_NAME}-1": ago(300)}
ADVISED: dict[str, tuple[str, Scene, tuple[Advice, ...]]] = {
    "a pod of this cluster is evacuated": ("foreign-evacuation", OURS, (STOPS,)),
    "another node is evacuated": ("foreign-evacuation", replace(DRAINING, foreign=("emqx@10.9.9.9",)), (BY_HAND,)),
    "both are": ("foreign-evacuation", replace(OURS, foreign=("emqx@10.9.9.9",)), (STOPS, BY_HAND)),
    "a rebalance": (
        "foreign-rebalance",
        replace(DRAINING, rebalances=1),
        (Advice(Verb.FIX, "stop it in EMQX: a freeze does not"),),
    ),
    "blue is smaller": (
        "blue-not-whole",
        with_side(without_place(READY, "blue", 2), "blue", replicas=2),
        (BACK_TO_3, Advice(Verb.ABORT, "scales it back, too")),
    ),
    "blue is larger": (
        "blue-not-whole",
        with_side(READY, "blue", replicas=4),
        (Advice(Verb.FIX, f"{BACK_TO_3.reason}{FEWER}"),),
    ),
    "a third set": (
        "third-set",
        replace(DRAINING, third=build.third()),
        (Advice(Verb.FIX, "scale it to 0 while it has no clients"),),
    ),
    "a third set that the object asks for": (
        "third-set",
        replace(DRAINING, third=build.third(), template="other"),
        (Advice(Verb.FIX, "put spec.template of the EmqxEnterprise back, then scale it to 0 while it has no clients"),),
    ),
    "a third set with clients": (
        "third-set",
        replace(DRAINING, third=replace(build.third(), places={0: Place(live=2), 1: Place(live=None)})),
        (Advice(Verb.FIX, "evacuate its nodes in EMQX, then scale it to 0"),),
    ),
    "a third set in an abort": (
        "third-set",
        noted(replace(READY, third=build.third(), template="old"), abort=AbortRecord("ann@host", ago(60), "e")),
        (Advice(Verb.FIX, "scale it to 0 while it has no clients"),),
    ),
    "another size": (
        "object-changed",
        replace(READY, replicas=4),
        (Advice(Verb.FIX, "set spec.replicas back to 3"), Advice(Verb.ABORT)),
    ),
    "another template": ("object-changed", replace(READY, template="other"), ()),
    "another template when blue is gone": (
        "object-changed",
        replace(build.finishing(), template="other"),
        (Advice(Verb.FIX, "put spec.template back to the one of this release"),),
    ),
    "green does not come up": (
        "green-not-ready",
        remembered(CREATING, unready_since=UNREADY),
        (LOOK, Advice(Verb.ABORT)),
    ),
    "green is lost after the cut-over": (
        "green-not-ready",
        remembered(with_place(DRAINING, "green", 1, is_ready=False), unready_since=UNREADY),
        (LOOK,),
    ),
    "clients are missing": (
        "clients-missing",
        missing(60, 12.0),
        (Advice(Verb.FREEZE, "stops the drain"), Advice(Verb.RESUME, "accepts the loss and goes on")),
    ),
    "clients are missing after the drain": (
        "clients-missing",
        with_place(missing(60, 12.0), "blue", 2, **build.draining_place("prohibiting", 0)),
        (Advice(Verb.RESUME, "accepts the loss and goes on"),),
    ),
    "a recipient hangs": (
        "recipient-silent",
        hung(EVICTING, 10.0),
        (LOOK, Advice(Verb.RESUME, "drains on, without that node's figures")),
    ),
    "the valve was opened": (
        "valve-open",
        replace(READY, delay_s=60),
        (Advice(Verb.RESUME, "once you know who writes the field"),),
    ),
    "the operator is down": (
        "operator-down",
        remembered(replace(READY, operator_up=False), operator_down_since=ago(15)),
        (
            Advice(Verb.FIX, "start the operator: what waits for it goes on by itself"),
            Advice(Verb.RESUME, "accepts it and goes on without"),
        ),
    ),
    "nothing moves": ("no-progress", motionless(300.0), (Advice(Verb.RESUME, "goes on waiting"),)),
    "the object was changed before the first patch": (
        "cannot-start",
        replace(build.starting(), metadata_generation=2),
        (Advice(Verb.ABORT, "there is no green set: the delay is put back"),),
    ),
}


@pytest.mark.parametrize(("check", "scene", "advice"), ADVISED.values(), ids=ADVISED)
def test_what_is_advised(check: str, scene: Scene, advice: tuple[Advice, ...]) -> None:
    assert {alarm.check: alarm.advice for alarm in scene.decide().alarms}[check] == advice


@pytest.mark.parametrize(("template", "word"), [("old", "the original template"), ("other", "another template")])
def test_which_template_the_object_asks_for_is_said(template: str, word: str) -> None:
    (alarm,) = replace(DRAINING, template=template).decide().alarms
    assert alarm.evidence == f"the object asks for {word} now: somebody else changed it"


@pytest.mark.parametrize(
    ("check", "is_alarmed", "reason"),
    [
        ("canary", False, "goes on with late removal: a blue address leaves when its node is empty"),
        ("", False, ""),
        ("drain-stalled", False, 'goes on; "drain stalled" does not hold again'),
        ("drain-stalled", True, 'accepts "drain stalled" and goes on'),
        ("third-set", True, "when the check passes"),
        ("third-set", False, "the check passes again"),
    ],
)
def test_what_resuming_does_is_said_before(check: str, is_alarmed: bool, reason: str) -> None:
    assert auto_hold.on_resume(check, is_alarmed=is_alarmed) == Advice(Verb.RESUME, reason)


@pytest.mark.parametrize(
    ("command", "key", "what"),
    [
        ("scale", f"scale:{build.BLUE_NAME}", "scaling"),
        ("switch-endpoints", "switch-endpoints", "writing the Endpoints"),
        ("repair-endpoints", "repair-endpoints", "writing the Endpoints"),
    ],
)
def test_which_step_is_refused_is_said(command: str, key: str, what: str) -> None:
    failures = {key: Failure(ago(0.2), "forbidden", 3, True, command=command)}
    (alarm,) = remembered(DRAINING, failures=failures).decide().alarms
    assert alarm.evidence == f"{what} was refused 3 times: forbidden"


def test_an_abort_says_to_which_size_blue_is_scaled_back() -> None:
    (alarm,) = auto_hold.alarms(LARGER.context(), Phase.ABORTING)
    assert f"{build.BLUE_NAME} wants 4 nodes, the object 3" in alarm.evidence
    assert [(a.verb, a.reason) for a in alarm.advice] == [(Verb.FIX, f"scale {build.BLUE_NAME} back to 3{FEWER}")]


def test_nothing_stands_still_while_something_moves() -> None:
    """Fewer clients on a node that is drained count; what clients do elsewhere does not."""
    scene = approved(EVICTING, "node:1")
    first = scene.decided()[1].observations.still
    assert first is not None
    before = remembered(scene, still=Still(first.mark, ago(200)))
    drained, elsewhere = with_place(before, "blue", 2, live=99, own=99), with_place(before, "blue", 0, live=9)
    for changed, moves in ((drained, True), (elsewhere, False)):
        still = changed.decided()[1].observations.still
        assert still is not None
        assert (still.since == build.NOW) is moves


def test_every_detector_has_raised_its_alarm() -> None:
    silent = {detector.__name__ for detector in auto_hold.DETECTORS}
    for scene, expected in ALARMS.values():
        if not expected or scene.journal is None:
            continue
        decision, memory = scene.decided()
        context = replace(scene.context(), memory=memory)
        silent -= {d.__name__ for d in auto_hold.DETECTORS if d(context, decision.phase) is not None}
    assert silent == {"listener_gone"}, "which the scenes of this table cannot do without"


@pytest.mark.parametrize("phase", [Phase.DONE, Phase.ABORTED, Phase.LOST, Phase.ABORTING])
def test_nothing_alarms_when_nothing_is_driven_forward(phase: Phase) -> None:
    assert auto_hold.alarms(replace(DRAINING, delay_s=60, rebalances=3).context(), phase) == ()


def test_a_persons_hold_is_not_replaced_by_an_alarm() -> None:
    decision = build.held(replace(DRAINING, rebalances=1)).decide()
    assert decision.journal is not None
    assert decision.journal.hold is not None
    assert decision.journal.hold.by == "ann@host"


@pytest.mark.parametrize("phase", [Phase.READY_TO_CUT_OVER, Phase.DRAINING, Phase.ABORTING])
def test_a_removed_listener_is_told(phase: Phase) -> None:
    """A held operator does not make it again."""
    seen = READY.context()
    assert kubernetes_alarms.listener_gone(seen, phase) is None
    gone = replace(seen, snapshot=replace(seen.snapshot, endpoints=Reading((), build.NOW)))
    alarm = kubernetes_alarms.listener_gone(gone, phase)
    assert alarm is not None
    assert "Endpoints" in alarm.evidence
    assert alarm.advice == (Advice(Verb.FIX, "create it again: new connections find no node"),)
    assert kubernetes_alarms.listener_gone(gone, Phase.FINISHING) is None
    assert "listener-gone" in {found.check for found in auto_hold.alarms(gone, phase)}


LARGER = with_side(READY, "blue", replicas=4)


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        pytest.param(replace(READY, replicas=2), ["object-changed"], id="the object asks for fewer"),
        pytest.param(LARGER, ["blue-not-whole"], id="blue was scaled up"),
        pytest.param(replace(LARGER, replicas=4), [], id="blue is as large as the object asks for"),
        pytest.param(replace(LARGER, template="old"), [], id="the template is back: the size is the operator's"),
        pytest.param(with_side(without_place(READY, "blue", 2), "blue", replicas=2), [], id="blue is made whole"),
    ],
)
def test_an_abort_tells_that_it_waits_for_the_nodes_that_the_template_would_cut_off(
    scene: Scene, expected: list[str]
) -> None:
    assert [alarm.check for alarm in auto_hold.alarms(scene.context(), Phase.ABORTING)] == expected


@pytest.mark.parametrize(("for_s", "expected"), [(9.0, []), (10.0, ["recipient-silent"])])
def test_an_abort_tells_that_a_blue_node_does_not_answer(for_s: float, expected: list[str]) -> None:
    silent = remembered(with_place(READY, "blue", 2, own_problem="timed out"), suspect_since={TOP: ago(for_s)})
    found = auto_hold.alarms(silent.context(), Phase.ABORTING)
    assert [alarm.check for alarm in found] == expected
    assert all("no client is sent back until it does" in alarm.evidence for alarm in found)
    going_on = auto_hold.alarms(noted(silent, freeze_on_silence=False).context(), Phase.ABORTING)
    assert all("drains that run go on" in alarm.evidence for alarm in going_on)


def test_resuming_forgets_refusals_and_lets_them_be_tried_again() -> None:
    """Else the same alarm would hold again before anything is tried."""
    hold = HoldRecord("console", build.NOW, "refused", auto=True, check="start-refused")
    decision, memory = noted(refused(3), hold=hold).decided(Resume("ann"))
    assert decision.journal is not None
    assert decision.journal.hold is None
    assert memory.expectations.failures == {}


def test_a_hold_whose_write_lost_its_race_forgets_no_refusal() -> None:
    scene = refused(2)
    ahead, memory = scene.decided(Hold("ann@host"))
    assert _is_held(ahead)
    _, later = replace(scene, memory=memory).decided()
    assert later.expectations.failures == scene.memory.expectations.failures


def test_what_a_person_decides_at_a_console_that_looks_on_bears_no_hold_by_its_checks() -> None:
    scene = hung(EVICTING, 10.0)
    decision = scene.decide(Hold("ann@host"))
    assert decision.journal is not None
    assert decision.decided is not None
    assert (decision.journal.hold and decision.journal.hold.freeze) is True, "the driver freezes the drain"
    assert decision.decided == replace(scene.journal, hold=HoldRecord("ann@host", scene.now, "held by hand"))
