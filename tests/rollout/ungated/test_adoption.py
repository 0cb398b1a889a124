"""A release without a journal: what the operator does in it, and the journal that taking it over gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.kube_object import fingerprint
from emqx_tui.model.reading import MISSING
from emqx_tui.model.workloads import DelaySource, OwnDelay
from emqx_tui.rollout import intent_handlers
from emqx_tui.rollout.commands import CloseValve, Command, RestoreTemplate, Scale, StartDrain, SwitchEndpoints
from emqx_tui.rollout.decision import RefusalReason
from emqx_tui.rollout.gate_id import LATE_CUT_OVER, START, GateId
from emqx_tui.rollout.intents import Adopt, Approve, Brake, Hold
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import CLOSED_S, Approval
from emqx_tui.rollout.state.expectations import AckWait
from emqx_tui.rollout.state.journal import Uncounted
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.ungated.adoption import why_not_aborted, why_not_adopted
from emqx_tui.rollout.ungated.ungated import LAST_APPLIED, Stage, UngatedRelease, colours, is_there, look
from tests.support import scenes
from tests.support.scenes import DRAINED, OLD_TEMPLATE, USER_DELAY_S, Scene, draining_place, ips, with_place, with_side

BRAKED = OwnDelay(USER_DELAY_S, DelaySource.EVENT)


def ungated(scene: Scene, **knobs: Any) -> Scene:
    """The same cluster, and no console has had a hand in it."""
    return replace(scene, **{"journal": None, "delay_s": USER_DELAY_S, **knobs})


def both(scene: Scene) -> Scene:
    """The Service lists what is Ready of both, as the operator writes it."""
    return replace(scene, addresses=ips(scene.blue) | ips(scene.green))


def creating() -> Scene:
    return ungated(scenes.creating())


def waiting() -> Scene:
    return ungated(scenes.waiting(started_ago_s=10.0))


def evacuating() -> Scene:
    """Disarmed, as where an entry stood in the operator's list: it drains before it takes."""
    scene = both(ungated(scenes.ready(), started_ago_s=USER_DELAY_S + 10.0))
    return with_place(scene, "blue", 2, **draining_place())


def drained() -> Scene:
    return with_place(evacuating(), "blue", 2, **DRAINED)


def taking() -> Scene:
    """The nil rule: a node went with its clients."""
    scene = scenes.without_place(both(ungated(scenes.ready(), started_ago_s=90.0)), "blue", 2)
    scene = with_side(scene, "blue", replicas=2)
    return replace(scene, addresses=ips(scene.blue) | ips(scene.green))


def over() -> Scene:
    return both(ungated(scenes.ready(), started_ago_s=USER_DELAY_S + 10.0))


def finishing() -> Scene:
    return ungated(scenes.finishing())


def stopped(scene: Scene) -> Scene:
    return replace(scene, delay_s=CLOSED_S, replaced_delay=BRAKED)


def seen(scene: Scene) -> UngatedRelease:
    found = look(scene.snapshot())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("scene", "stage", "words", "stopped"),
    [
        (creating, Stage.CREATING_GREEN, "green is being created: ", "green is created to its end"),
        (waiting, Stage.WAITING_DELAY, "green is complete, 50 s of the initial delay left, ", "no further node"),
        (over, Stage.TAKING_BLUE, "blue has 3 of 3 nodes, emqx-ee-66f7b-2 is next", "no further node"),
        (
            evacuating,
            Stage.EVACUATING,
            "emqx-ee-66f7b-2 is being evacuated; blue has 3 of 3 nodes",
            "it stops the next node, not the running one: emqx-ee-66f7b-2 is evacuated to its end",
        ),
        (taking, Stage.TAKING_BLUE, "blue has 2 of 3 nodes, emqx-ee-66f7b-1 is next", "no further node"),
        (finishing, Stage.FINISHING, "blue is gone, green is left", "no further node"),
    ],
)
def test_what_the_operator_does_is_told(scene: Callable[[], Scene], stage: Stage, words: str, stopped: str) -> None:
    found = seen(scene())
    assert (found.stage, found.is_stopped) == (stage, False)
    assert wording.ungated(found).startswith(words.replace("emqx-ee-66f7b", scenes.BLUE_NAME))
    assert wording.stopped(found).startswith(stopped.replace("emqx-ee-66f7b", scenes.BLUE_NAME))
    assert found.delay == OwnDelay(USER_DELAY_S)


def test_without_a_release_there_is_none() -> None:
    assert look(scenes.idle().snapshot()) is None


def test_before_the_object_is_read_two_sets_are_no_release() -> None:
    snapshot = replace(over().snapshot(), resource=MISSING)
    assert (is_there(snapshot), look(snapshot), colours(snapshot)) == (False, None, ("", ""))


@pytest.mark.parametrize("scene", [creating, waiting, evacuating, taking])
def test_the_brake_closes_the_valve_and_nothing_else(scene: Callable[[], Scene]) -> None:
    decision = scene().decide(Brake("ann@host"))
    assert [type(command) for command in decision.commands] == [CloseValve]
    (closing,) = decision.commands
    assert isinstance(closing, CloseValve)
    body = closing.request().body
    assert body["spec"] == {"blueGreenUpdate": {"initialDelaySeconds": CLOSED_S}}
    assert body["metadata"] == {"uid": scenes.UID}, "it loses no race against the operator's status writes"
    assert decision.journal is None
    assert decision.accepted


@pytest.mark.parametrize(
    ("scene", "refused"),
    [
        (scenes.idle(), "no release is under way"),
        (replace(waiting(), delay_s=CLOSED_S), "the operator is held already"),
        (scenes.draining(), "this release has a journal: hold it"),
    ],
    ids=["idle", "held", "a console's"],
)
def test_the_brake_is_refused(scene: Scene, refused: str) -> None:
    decision = scene.decide(Brake("ann@host"))
    assert decision.refused == refused
    assert not any(isinstance(command, CloseValve) for command in decision.commands)


def test_the_brake_needs_a_delay_to_set() -> None:
    snapshot = waiting().snapshot()
    bare = replace(waiting().resource(), blue_green=None)
    decision = intent_handlers.brake(replace(snapshot, resource=replace(snapshot.resource, value=bare)))
    assert (decision.phase, decision.commands, decision.accepted) == (Phase.IDLE, (), "")
    assert "no blueGreenUpdate" in decision.refused


def adopted(scene: Scene, **knobs: Any) -> Scene:
    """The scene with the operator stopped, and the journal that adopting gives it."""
    scene = scene if "delay" in knobs else stopped(scene)
    decision, memory = scene.decided(Adopt("ann@host", seen(scene).revision, **knobs))
    assert decision.accepted.startswith("aborting: " if knobs.get("goes_back") else "adopted: "), decision.refused
    return replace(scene, journal=decision.journal, memory=memory)


@pytest.mark.parametrize(
    ("scene", "phase", "approvals", "late"),
    [
        (creating, Phase.CREATING_GREEN, [START], False),
        (waiting, Phase.WAITING_DELAY, [START], False),
        (over, Phase.READY_TO_CUT_OVER, [START], True),
        (evacuating, Phase.DRAINING, [START, LATE_CUT_OVER, GateId.node(2)], True),
        (drained, Phase.DRAINING, [START, LATE_CUT_OVER, GateId.node(2)], True),
        (taking, Phase.DRAINING, [START, LATE_CUT_OVER, GateId.node(2)], True),
    ],
)
def test_adopting_approves_what_is_done_and_the_table_gives_the_phase(
    scene: Callable[[], Scene], phase: Phase, approvals: list[GateId], late: bool
) -> None:
    after = adopted(scene())
    journal, decision = after.journal, after.decide()
    assert journal is not None
    assert decision.phase is phase
    assert [record.gate for record in journal.approvals] == approvals
    assert (journal.late_removal, journal.approval, journal.is_adopted) == (late, Approval.EVERY_NODE, True)
    assert (journal.from_image, journal.to_image) == ("emqx/emqx-ee:4.4.14", "emqx/emqx-ee:4.4.15")
    assert journal.originals.template == OLD_TEMPLATE
    assert journal.originals.template_mark == fingerprint(OLD_TEMPLATE)
    assert (journal.originals.delay_s, journal.originals.delay_was_absent) == (USER_DELAY_S, False)
    assert journal.hold is None
    assert not decision.alarms


def test_the_journal_of_an_adoption_is_what_a_start_would_have_written() -> None:
    journal = adopted(waiting()).journal
    assert journal is not None
    (approval,) = journal.approvals
    assert (approval.by, approval.at) == ("ann@host", scenes.NOW)
    resource = stopped(waiting()).resource()
    expected = scenes.journal(
        approvals=journal.approvals,
        created_at=scenes.NOW,
        resource_version=resource.meta.resource_version,
        metadata_generation=resource.meta.metadata_generation,
        is_adopted=True,
        totals=journal.totals,
    )
    assert journal == expected


def test_counting_begins_with_the_adoption_and_what_was_before_is_said_not_to_be_known() -> None:
    journal = adopted(evacuating()).journal
    assert journal is not None
    totals, name = journal.totals, f"{scenes.BLUE_NAME}-2"
    assert (totals.initial, totals.baseline[name], totals.clients) == ({name: 100}, 100, None)
    assert totals.green_baseline == 0
    assert totals.is_lower_bound
    begun_at = scenes.ago(USER_DELAY_S + 10.0)
    assert (totals.first_drain_at, totals.uncounted) == (begun_at, (Uncounted(begun_at, scenes.NOW),))
    untouched = adopted(waiting()).journal
    assert untouched is not None
    assert not untouched.totals.uncounted


@pytest.mark.parametrize("scene", [creating, waiting, over, evacuating, taking])
def test_adopted_nothing_advances_before_a_gate_is_approved(scene: Callable[[], Scene]) -> None:
    commands = adopted(scene()).commands()
    assert not [c for c in commands if isinstance(c, StartDrain | SwitchEndpoints | Scale | RestoreTemplate)]


def test_what_the_operator_has_drained_is_scaled_away() -> None:
    scales = [command for command in adopted(drained()).commands() if isinstance(command, Scale)]
    assert [(scale.before, scale.after) for scale in scales] == [(3, 2)]


def test_until_the_operator_has_answered_the_brake_nothing_is_scaled_away() -> None:
    """A pass of before may still act: two scale-downs for one drained node are how clients are cut off."""
    scene = stopped(drained())
    ack = AckWait(scene.resource_version, scene.status_mark, scenes.ago(1), CloseValve.name)
    scene = scenes.remembered(scene, ack=ack)
    after = adopted(scene)
    assert after.memory.expectations.ack == ack
    assert not [command for command in after.commands() if isinstance(command, Scale)]


@pytest.mark.parametrize("scene", [creating, waiting, evacuating, taking])
def test_aborted_it_goes_back(scene: Callable[[], Scene]) -> None:
    after = adopted(scene(), goes_back=True)
    assert after.decide().phase is Phase.ABORTING

    def first(commands: tuple[Command, ...]) -> list[type[Command]]:
        return [type(command) for command in commands if isinstance(command, StartDrain | SwitchEndpoints)]

    assert first(after.commands()) == []


def reverted(scene: Scene) -> Scene:
    return replace(scene, template="old")


@pytest.mark.parametrize(
    ("scene", "adopt", "abort"),
    [
        (stopped(over()), "", ""),
        (over(), "the operator has to be stopped first", "the operator has to be stopped first"),
        (replace(over(), delay_s=CLOSED_S), "your own initialDelaySeconds", "your own initialDelaySeconds"),
        (reverted(stopped(over())), "the object asks for blue's template again", ""),
        (stopped(finishing()), "", "blue is gone: the way back is a new release"),
        (replace(over(), selector=(("app", "emqx"),)), "has a selector", "has a selector"),
        (
            replace(over(), has_service=False),
            "the listener Service or its Endpoints are not there",
            "the listener Service or its Endpoints are not there",
        ),
        (
            replace(over(), has_endpoints=False),
            "the listener Service or its Endpoints are not there",
            "the listener Service or its Endpoints are not there",
        ),
        (replace(over(), third=scenes.third()), "3 StatefulSets want pods", "3 StatefulSets want pods"),
        (with_place(over(), "blue", 0, on_serving=None), "operators 2.1.0 to 2.1.2", "operators 2.1.0 to 2.1.2"),
    ],
    ids=[
        "known",
        "not stopped",
        "delay",
        "reverted",
        "blue gone",
        "selector",
        "no Service",
        "no Endpoints",
        "third",
        "G1",
    ],
)
def test_what_cannot_be_taken_over_says_why(scene: Scene, adopt: str, abort: str) -> None:
    found = seen(scene)
    for why, expected in ((why_not_adopted(found), adopt), (why_not_aborted(found), abort)):
        assert expected in why
        assert bool(why) is bool(expected)
    for goes_back, why in ((False, adopt), (True, abort)):
        decision = scene.decide(Adopt("ann@host", found.revision, goes_back=goes_back))
        assert why in decision.refused
        assert (decision.journal is None) is bool(why)


def test_what_is_not_known_can_be_given() -> None:
    given = OwnDelay(30, DelaySource.GIVEN)
    after = adopted(replace(over(), delay_s=CLOSED_S), delay=given)
    assert after.journal is not None
    assert after.journal.originals.delay_s == 30


def test_the_delay_that_the_brake_replaced_is_known_from_its_event() -> None:
    assert seen(stopped(over())).delay == BRAKED


@pytest.mark.parametrize(
    ("applied", "delay"),
    [
        ('{"spec": {"blueGreenUpdate": {"initialDelaySeconds": 30}}}', OwnDelay(30, DelaySource.APPLIED)),
        ('{"spec": {"blueGreenUpdate": {}}}', OwnDelay(None, DelaySource.APPLIED)),
        (f'{{"spec": {{"blueGreenUpdate": {{"initialDelaySeconds": {CLOSED_S}}}}}}}', None),
        ('{"spec": {"blueGreenUpdate": {"initialDelaySeconds": true}}}', None),
        ('{"spec": {"blueGreenUpdate": {"initialDelaySeconds": "30"}}}', None),
        ('{"spec": {"blueGreenUpdate": 1}}', None),
        ('{"spec": 1}', None),
        ("[]", None),
        ("{", None),
    ],
)
def test_the_delay_that_kubectl_applied_is_known_where_no_event_tells(applied: str, delay: OwnDelay | None) -> None:
    snapshot = replace(over(), delay_s=CLOSED_S).snapshot()
    assert snapshot.resource.value is not None
    raw = {**snapshot.resource.value.raw, "metadata": {"annotations": {LAST_APPLIED: applied}}}
    resource = replace(snapshot.resource.value, raw=raw)
    found = look(replace(snapshot, resource=replace(snapshot.resource, value=resource)))
    assert found is not None
    assert found.delay == delay


def test_a_template_of_another_image_is_no_way_back() -> None:
    scene = stopped(over())
    other = {"spec": {"emqxContainer": {"image": {"repository": "emqx/emqx-ee", "version": "4.4.13"}}}}
    decision = scene.decide(Adopt("ann@host", seen(scene).revision, goes_back=True, template=other))
    assert "blue was not made from the template that was given" in decision.refused


def test_an_unknown_template_leaves_no_way_back_and_says_so() -> None:
    scene = stopped(over())
    snapshot = scene.snapshot()
    sets = tuple(replace(found, pod_template={}) for found in snapshot.stateful_sets.value or ())
    found = look(replace(snapshot, stateful_sets=replace(snapshot.stateful_sets, value=sets)))
    assert found is not None
    assert why_not_adopted(found) == ""
    assert "the template before this release is not known" in why_not_aborted(found)
    after = adopted(scene)
    assert after.journal is not None
    without = replace(after.journal.originals, is_template_known=False)
    cost = scenes.noted(after, originals=without).decide().abort
    assert (cost.possible, "not known" in cost.why_not) == (False, True)


def test_another_cluster_than_the_card_showed_is_refused() -> None:
    decision = over().decide(Adopt("ann@host", "another"))
    assert decision.refusal is RefusalReason.SUPERSEDED
    assert "changed since the card was opened" in decision.refused


def test_other_intents_find_no_release() -> None:
    for intent in (Hold("ann@host"), Approve(START, "", "ann@host")):
        assert over().decide(intent).refused == "no release is running"


def test_a_release_with_a_journal_is_not_adopted() -> None:
    decision = scenes.draining().decide(Adopt("ann@host", "any"))
    assert decision.refusal is RefusalReason.UNDER_WAY
