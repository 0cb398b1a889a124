"""The way back as a table: Endpoints, blue whole, template, green drained and away, the delay last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from emqx_tui.model.containers import Container, PodCondition
from emqx_tui.model.series import Sample
from emqx_tui.rollout.commands import RepairEndpoints, RestoreTemplate, Scale, StartDrain, StopDrain
from emqx_tui.rollout.decision import StepState
from emqx_tui.rollout.intents import Hold, Resume
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.expectations import AckWait, Failure
from emqx_tui.rollout.state.journal import AbortRecord
from emqx_tui.rollout.state.observed import Broker
from tests.support import scenes as build
from tests.support.scenes import (
    DRAINED,
    Place,
    Scene,
    ago,
    draining_place,
    held,
    noted,
    remembered,
    with_place,
    with_side,
)

ABORT = AbortRecord("ann@host", ago(60), "evidence")
ACK = AckWait("1000", "status-1", ago(3), "restore-template")
RESTORED = {("restore-template", "restore-template"): ago(30)}
ASKED = {("nudge", "nudge"): ago(30)}
SCALED = ["scale green to 0"]


def aborting(scene: Scene) -> Scene:
    return noted(scene, abort=ABORT)


def restored(scene: Scene) -> Scene:
    """The template is the old one again, the operator has answered that, and green has left the Service a while ago."""
    away = {f"{build.GREEN_NAME}-{ordinal}": ago(20) for ordinal in range(3)}
    return remembered(replace(aborting(scene), template="old"), done_at=RESTORED, unaddressed_since=away)


def just_unaddressed(seconds: float) -> Scene:
    """Green's node 1 has left the Service that long before the counts were read."""
    read_at = OLD.now - timedelta(seconds=OLD.broker_age_s)
    since = {**OLD.memory.observations.unaddressed_since, f"{build.GREEN_NAME}-1": read_at - timedelta(seconds=seconds)}
    return remembered(OLD, unaddressed_since=since)


def reset(ordinal: int) -> Scene:
    """Green's node is empty and out of the Service; a moment ago it had clients."""
    recent = (Sample(ago(20), 900, 10, {f"{build.GREEN_NAME}-{ordinal}": 10}), Sample(ago(1), 910, 0, {}))
    return remembered(OLD, recent=recent)


def sent(scene: Scene) -> list[str]:
    words = []
    for c in scene.commands():
        match c:
            case StartDrain(pod=pod) | StopDrain(pod=pod):
                assert (c.namespace, c.node) == (build.NAMESPACE, build.node_name(pod))
                words.append(f"{c.name} {pod[-7:]}")
            case Scale(target=target, after=after):
                words.append(f"scale {'green' if target.uid == build.GREEN_UID else 'blue'} to {after}")
            case RepairEndpoints(addresses=addresses):
                words.append("repair " + " ".join(sorted(a.ip[5:] for a in addresses)))
            case _:
                words.append(c.name)
    return sorted(words)


WAITING, READY = build.waiting(), build.ready()
BACK = aborting(READY)
OLD = restored(READY)
BLUE_IPS = "1.0 1.1 1.2"


def silent_green(containers_ready: bool, had: int | None) -> Scene:
    """Green's node 1 is not in EMQX's list now; a moment ago it had `had` clients."""
    scene = with_place(OLD, "green", 1, is_joined=False, live=None, sessions=None, containers_ready=containers_ready)
    name = f"{build.GREEN_NAME}-1"
    recent = Sample(ago(20), 900, had or 0, {name: had} if had is not None else {})
    return remembered(scene, recent=(recent,))


def refusing(*, ready_until: float) -> Scene:
    """Green's node 1 refuses the key; its container runs for five minutes, and is not Ready since `ready_until`."""
    container = Container("emqx", "", False, 0, "", "", ago(300), None, None)
    return with_place(
        silent_green(containers_ready=False, had=None),
        "green",
        1,
        is_ready=False,
        own_problem="the management API refused the key",
        containers=(container,),
        conditions=(PodCondition("Ready", "False", since=ago(ready_until)),),
    )


def counted_on_green(clients: int, *, ago_s: float) -> dict[str, Broker]:
    name = f"{build.GREEN_NAME}-1"
    return {name: Broker(f"uid-{name}/0", clients, ago(900), ago(ago_s), is_evacuated=False)}


SHRUNK = with_side(build.without_place(BACK, "blue", 2), "blue", replicas=2)
EARLY_TRAFFIC = with_place(OLD, "green", 0, live=40)
DRAINING_GREEN = with_place(OLD, "green", 0, **draining_place(live=20))


def silent_blue(scene: Scene, for_s: float) -> Scene:
    """Blue's node 2 has not answered for so long."""
    silent = with_place(scene, "blue", 2, own=None, own_problem="no answer")
    since = {f"{build.BLUE_NAME}-2": ago(for_s)}
    return remembered(silent, suspect_since=since)


def test_a_drain_of_blue_is_stopped_by_its_own_node() -> None:
    scene = with_place(BACK, "blue", 2, **draining_place())
    (stop,) = [c for c in scene.commands() if isinstance(c, StopDrain)]
    assert (stop.pod, stop.node, stop.reason) == (
        f"{build.BLUE_NAME}-2",
        build.node_name(f"{build.BLUE_NAME}-2"),
        "abort",
    )


DRAINED_GREEN = with_place(OLD, "green", 0, **DRAINED)

ALL_SILENT = with_side(
    with_side(
        aborting(build.canary(watched_s=10.0)),
        "green",
        places=dict.fromkeys(range(3), Place(live=0, own=None, own_problem="no answer")),
    ),
    "blue",
    places=dict.fromkeys(range(3), Place(own=None, own_problem="no answer")),
)

TABLE: dict[str, tuple[Scene, list[str]]] = {
    "template back, blue is in the Service": (BACK, ["restore-template"]),
    "while green boots": (aborting(build.creating()), ["restore-template"]),
    "Endpoints and template at once": (
        aborting(build.canary(watched_s=10.0)),
        [f"repair {BLUE_IPS}", "restore-template"],
    ),
    "template put back even while held: it cuts nobody off": (held(BACK), ["restore-template"]),
    "a blue evacuation is stopped first of all": (
        with_place(BACK, "blue", 2, **draining_place()),
        ["repair 1.0 1.1", "restore-template", "stop-drain 66f7b-2"],
    ),
    "a re-created blue node that boots evacuating is stopped": (
        replace(with_place(OLD, "blue", 1, **draining_place("prohibiting", 0)), addresses=frozenset({"10.0.1.0"})),
        ["repair 1.0 1.2", "stop-drain 66f7b-1"],
    ),
    "a drain into a blue node that hangs is stopped": (silent_blue(DRAINING_GREEN, 10.0), ["stop-drain 9c8d4-0"]),
    "not for a node that was late once": (silent_blue(DRAINING_GREEN, 9.0), []),
    "a drained node of green stays drained while blue hangs": (silent_blue(DRAINED_GREEN, 10.0), []),
    "a drain into a hung node goes on where that was asked for": (
        noted(silent_blue(DRAINING_GREEN, 10.0), freeze_on_silence=False),
        [],
    ),
    "the valve is closed before anything else": (replace(BACK, delay_s=60), ["close-valve"]),
    "the valve is closed with the template back too": (replace(OLD, delay_s=60), ["close-valve"]),
    "blue is made whole first": (SHRUNK, ["repair 1.0 1.1", "scale blue to 3"]),
    "the valve cannot be closed: what needs no operator goes on": (
        remembered(
            replace(aborting(build.canary(watched_s=10.0)), delay_s=60),
            failures={"close-valve": Failure(ago(2), "no", 2, True, command="close-valve")},
        ),
        ["close-valve", f"repair {BLUE_IPS}"],
    ),
    "not onto a blue of another revision: the operator would restart it": (
        with_side(BACK, "blue", revision="another"),
        [],
    ),
    "no addresses of nodes that do not answer, while green does": (
        with_side(
            aborting(build.canary(watched_s=10.0)),
            "blue",
            places=dict.fromkeys(range(3), Place(own=None, own_problem="no answer")),
        ),
        ["restore-template"],
    ),
    "no node answers for itself: the Service keeps what it has": (ALL_SILENT, ["restore-template"]),
    "no node answers for itself, and the Service has none of them: as their pods say": (
        replace(ALL_SILENT, addresses=frozenset({"10.9.9.9"})),
        [f"repair {BLUE_IPS}", "restore-template"],
    ),
    "blue is made whole: its scale failed a moment ago": (
        remembered(
            SHRUNK, failures={f"scale:{build.BLUE_NAME}": Failure(ago(0.2), "conflict", 1, False, command="scale")}
        ),
        ["repair 1.0 1.1"],
    ),
    "blue is made whole: its scale failed a while ago": (
        remembered(
            SHRUNK, failures={f"scale:{build.BLUE_NAME}": Failure(ago(0.25), "conflict", 1, False, command="scale")}
        ),
        ["repair 1.0 1.1", "scale blue to 3"],
    ),
    "not before blue's controller has seen its size": (with_side(BACK, "blue", is_observed=False), []),
    "not on old watches": (replace(BACK, kube_age_s=91.0), []),
    "lost a race a moment ago": (
        remembered(
            BACK, failures={"restore-template": Failure(ago(0.2), "conflict", 1, False, command="restore-template")}
        ),
        [],
    ),
    "lost a race a while ago": (
        remembered(
            BACK, failures={"restore-template": Failure(ago(0.25), "conflict", 1, False, command="restore-template")}
        ),
        ["restore-template"],
    ),
    "restored: blue gets the size that its owner wants by now": (
        replace(OLD, replicas=4),
        ["scale blue to 4", "scale green to 0"],
    ),
    "restored: green has nobody": (OLD, ["scale green to 0"]),
    "restored: who came to green as it left the Service is not counted yet": (just_unaddressed(3.9), []),
    "restored: by now it would be counted": (just_unaddressed(4.0), ["scale green to 0"]),
    "restored: a console that was started anew does not know for how long": (remembered(OLD, unaddressed_since={}), []),
    "restored: not before the operator has answered": (remembered(OLD, ack=ACK), []),
    "restored: by a console that was started anew: it asks first": (remembered(OLD, done_at={}), ["nudge"]),
    "restored: it asked, and was answered": (remembered(OLD, done_at=ASKED), ["scale green to 0"]),
    "restored: the answer to the restore was lost: it asks": (
        remembered(
            OLD,
            done_at={("nudge", "nudge"): ago(200)},
            sent_at={"nudge": ago(200), "restore-template": ago(30)},
            failures={"restore-template": Failure(ago(10), "unreachable", 1, False, command="restore-template")},
        ),
        ["nudge"],
    ),
    "restored: the asking nudge failed: it asks again": (
        remembered(
            OLD,
            done_at={},
            sent_at={"nudge": ago(5)},
            failures={"nudge": Failure(ago(5), "409", 1, False, command="nudge")},
        ),
        ["nudge"],
    ),
    "restored: held": (held(OLD), []),
    "restored: on old figures": (replace(OLD, broker_age_s=11.0), []),
    "restored: green is in the Service": (
        replace(OLD, addresses=OLD.addresses | {"10.0.2.0"}),
        [f"repair {BLUE_IPS}"],
    ),
    "restored: green has left the Service, the proxies lag": (
        replace(OLD, slices=OLD.addresses | {"10.0.2.0"}),
        [],
    ),
    "restored: a scale that lost a race waits": (
        remembered(
            OLD, failures={f"scale:{build.GREEN_NAME}": Failure(ago(0.2), "conflict", 1, False, command="scale")}
        ),
        [],
    ),
    "restored: a scale that lost a race is tried again": (
        remembered(
            OLD, failures={f"scale:{build.GREEN_NAME}": Failure(ago(0.25), "conflict", 1, False, command="scale")}
        ),
        ["scale green to 0"],
    ),
    "restored: green has clients: they are drained, not killed": (EARLY_TRAFFIC, ["start-drain 9c8d4-0"]),
    "restored: a network has reset green's clients: who comes back by an old address is not killed": (
        reset(0),
        ["start-drain 9c8d4-0"],
    ),
    "restored: a node whose clients were reset is drained": (with_place(reset(0), "green", 0, **DRAINED), SCALED),
    "restored: green has sessions": (with_place(OLD, "green", 2, sessions=3), ["start-drain 9c8d4-2"]),
    "restored: green's count is unknown": (with_place(OLD, "green", 2, live=None), ["start-drain 9c8d4-2"]),
    "restored: green is draining": (DRAINING_GREEN, []),
    "restored: green's drain is held": (held(EARLY_TRAFFIC), []),
    "restored: refused to drain a moment ago": (
        remembered(
            EARLY_TRAFFIC,
            failures={f"drain:{build.GREEN_NAME}-0": Failure(ago(0.5), "busy", 1, True, command="start-drain")},
        ),
        [],
    ),
    "restored: refused to drain a second ago": (
        remembered(
            EARLY_TRAFFIC,
            failures={f"drain:{build.GREEN_NAME}-0": Failure(ago(1.0), "busy", 1, True, command="start-drain")},
        ),
        ["start-drain 9c8d4-0"],
    ),
    "restored: the higher was refused a moment ago: the other goes first": (
        remembered(
            with_place(EARLY_TRAFFIC, "green", 2, live=9),
            failures={f"drain:{build.GREEN_NAME}-2": Failure(ago(0.5), "busy", 1, True, command="start-drain")},
        ),
        ["start-drain 9c8d4-0"],
    ),
    "restored: green is drained": (with_place(OLD, "green", 0, **DRAINED), ["scale green to 0"]),
    "restored: green is drained by EMQX's word alone": (
        with_place(OLD, "green", 0, **{**DRAINED, "own": None}),
        [],
    ),
    "restored: nobody on blue accepts clients": (
        with_side(EARLY_TRAFFIC, "blue", places=dict.fromkeys(range(3), Place(is_joined=False, live=None))),
        [],
    ),
    "restored: a green node that never came up is lost anyway": (
        silent_green(containers_ready=False, had=None),
        ["scale green to 0"],
    ),
    "restored: a green node that never joined": (
        with_place(silent_green(containers_ready=True, had=None), "green", 1, is_ready=False),
        ["scale green to 0"],
    ),
    "restored: a green node that is Ready, and that this console has not counted": (
        silent_green(containers_ready=True, had=None),
        [],
    ),
    "restored: a green node that was Ready, refuses the key, and was never counted here": (
        refusing(ready_until=60),
        [],
    ),
    "restored: a green node that was not Ready since its container started, and refuses the key": (
        refusing(ready_until=400),
        ["scale green to 0"],
    ),
    "restored: a green node that refuses the key, counted ten minutes ago with clients": (
        remembered(refusing(ready_until=400), standing=counted_on_green(40, ago_s=600)),
        [],
    ),
    "restored: a green node that was Ready and refuses the key, with nobody on it before it left the Service": (
        remembered(refusing(ready_until=60), standing=counted_on_green(0, ago_s=21)),
        [],
    ),
    "restored: a green node that was Ready and refuses the key, with nobody on it after it left the Service": (
        remembered(refusing(ready_until=60), standing=counted_on_green(0, ago_s=10)),
        ["scale green to 0"],
    ),
    "restored: a green node with clients is left out of one answer": (silent_green(containers_ready=True, had=40), []),
    "restored: a green node whose broker is dead": (
        silent_green(containers_ready=False, had=40),
        ["scale green to 0"],
    ),
    "green goes: wait for its pods": (with_side(OLD, "green", replicas=0), []),
}


@pytest.mark.parametrize(("scene", "expected"), TABLE.values(), ids=TABLE)
def test_what_the_abort_sends(scene: Scene, expected: list[str]) -> None:
    assert sent(scene) == sorted(expected)
    assert scene.decide().phase is Phase.ABORTING


WITHOUT_BLUE: dict[str, tuple[Scene, list[str]]] = {
    "new clients go to green": (
        replace(OLD, blue=None, addresses=frozenset({"10.0.1.0", "10.0.1.1", "10.0.1.2"})),
        ["repair 2.0 2.1 2.2"],
    ),
    "green is not drained to nowhere": (
        replace(DRAINING_GREEN, blue=None, addresses=frozenset({"10.0.1.0", "10.0.1.1", "10.0.1.2"})),
        ["repair 2.1 2.2", "stop-drain 9c8d4-0"],
    ),
    "the object is another one": (replace(OLD, blue=None, uid="another"), []),
}


@pytest.mark.parametrize("name", WITHOUT_BLUE)
def test_what_is_sent_when_somebody_has_removed_blue(name: str) -> None:
    scene, expected = WITHOUT_BLUE[name]
    assert scene.decide().phase is Phase.LOST
    assert sent(scene) == expected


REBUILT = with_side(OLD, "blue", uid="uid-blue-2")


def test_an_abort_goes_on_when_the_operator_has_built_the_same_blue_again() -> None:
    lost, memory = REBUILT.decided()
    assert (lost.phase, lost.journal and lost.journal.rebuilt_blue_uid) == (Phase.LOST, "uid-blue-2")
    back = replace(REBUILT, journal=lost.journal, memory=memory)
    assert (back.decide().phase, back.decide().alarms) == (Phase.ABORTING, ())
    addresses = build.ips(REBUILT.blue)
    assert sent(back) == ["repair 3.0 3.1 3.2"]
    assert sent(replace(back, addresses=addresses, slices=addresses)) == ["scale green to 0"]


WAITING_FOR_BLUE = replace(OLD, blue=None)


def test_an_abort_that_waits_for_blue_can_be_held_and_goes_on_when_it_is_resumed() -> None:
    waiting = WAITING_FOR_BLUE.decide(Hold("ann@host"))
    assert (waiting.phase, waiting.waits_for_blue) == (Phase.LOST, True)
    assert waiting.accepted == "held: clients stay on green, also when blue is built again"
    rebuilt = replace(REBUILT, journal=waiting.journal)
    assert (rebuilt.decide().phase, rebuilt.decide().journal) == (Phase.LOST, waiting.journal)
    resumed = rebuilt.decide(Resume("ann@host"))
    assert resumed.accepted == "resumed"
    going_on = replace(REBUILT, journal=resumed.journal).decide()
    assert going_on.journal is not None
    assert going_on.journal.rebuilt_blue_uid == "uid-blue-2"


@pytest.mark.parametrize(
    ("scene", "refused"),
    [
        (replace(WAITING_FOR_BLUE, uid="another"), "the release is lost: nothing to do"),
        (replace(WAITING_FOR_BLUE, green=None, journal=replace(OLD.journal, abort=None)), "the release is lost"),
    ],
    ids=["the object is another one", "no abort"],
)
def test_what_is_lost_for_good_is_not_held(scene: Scene, refused: str) -> None:
    decision = scene.decide(Hold("ann@host"))
    assert decision.refused.startswith(refused)
    assert not decision.waits_for_blue


def test_no_other_abort_is_offered_while_one_waits_for_blue() -> None:
    assert WAITING_FOR_BLUE.decide().abort.why_not == "an abort is under way: it waits for blue"


@pytest.mark.parametrize(
    "scene",
    [
        with_side(REBUILT, "blue", revision="another"),
        with_side(REBUILT, "blue", name=build.THIRD_NAME),
        replace(REBUILT, kube_age_s=600.0),
        replace(REBUILT, uid="another"),
        replace(REBUILT, journal=replace(build.draining().journal, abort=None)),
    ],
    ids=["another template", "another set", "on old data", "another object", "no abort"],
)
def test_no_other_set_is_taken_for_blue(scene: Scene) -> None:
    journal = scene.decide().journal
    assert journal is not None
    assert journal.rebuilt_blue_uid == ""


def test_the_template_goes_back_word_for_word_onto_what_was_seen() -> None:
    (command,) = BACK.commands()
    assert isinstance(command, RestoreTemplate)
    assert command.original == build.OLD_TEMPLATE
    assert command.target.uid == build.UID
    assert command.generation == BACK.metadata_generation
    blue = BACK.snapshot().blue_set
    assert blue is not None
    assert command.is_same_blue(blue)


def test_greens_clients_go_to_blue() -> None:
    (command,) = EARLY_TRAFFIC.commands()
    assert isinstance(command, StartDrain)
    assert set(command.recipients) == {build.node_name(f"{build.BLUE_NAME}-{k}") for k in range(3)}


def gone(scene: Scene) -> Scene:
    return with_side(scene, "green", replicas=0, places={})


GREEN_GONE = gone(OLD)
RESET = remembered(replace(GREEN_GONE, has_status=False, is_running=True), reset_seen_at=ago(10))
END: dict[str, tuple[Scene, list[str]]] = {
    "green is gone: let the operator see it": (GREEN_GONE, ["nudge"]),
    "reset: a second full pass": (RESET, ["nudge"]),
    "reset just now: not yet": (remembered(RESET, reset_seen_at=ago(2.4)), []),
    "second pass sent, not answered": (
        remembered(RESET, sent_at={"nudge": ago(3)}, in_flight=frozenset({"nudge"})),
        [],
    ),
    "second pass done": (build.second_pass_done(RESET), ["restore-delay"]),
    "second pass done, but a blue address is missing": (
        replace(build.second_pass_done(RESET), addresses=frozenset({"10.0.1.0"})),
        ["nudge"],
    ),
    "the delay is back": (replace(build.second_pass_done(RESET), delay_s=build.USER_DELAY_S), []),
}


@pytest.mark.parametrize(("scene", "expected"), END.values(), ids=END)
def test_the_end_of_an_abort(scene: Scene, expected: list[str]) -> None:
    assert sent(scene) == expected


def test_aborted_once_everything_is_as_it_was() -> None:
    decision = AT_END.decide()
    assert (decision.phase, decision.finished, decision.alarms) == (Phase.ABORTED, "aborted", ())
    assert decision.journal is not None
    assert decision.journal.totals.finished_at == build.NOW


def test_an_abort_before_the_first_patch_is_done_at_once() -> None:
    decision = aborting(build.starting()).decide()
    assert (decision.phase, decision.commands, decision.finished) == (Phase.ABORTED, (), "aborted")


AT_END = replace(build.second_pass_done(RESET), delay_s=build.USER_DELAY_S)
NOT_DONE: dict[str, Scene] = {
    "only the template is the new one": replace(AT_END, template="new"),
    "only green's pods are still going": replace(AT_END, green=with_side(OLD, "green", replicas=0).green),
    "the template is the new one": BACK,
    "green is there": OLD,
    "green's pods are still going": with_side(OLD, "green", replicas=0),
    "the valve is closed": build.second_pass_done(RESET),
    "the status is not reset": replace(GREEN_GONE, delay_s=build.USER_DELAY_S),
    "the operator does not say Running": replace(AT_END, is_running=False),
    "a blue node is away": with_place(AT_END, "blue", 0, is_joined=False),
    "its owner wants another size": replace(AT_END, replicas=4),
    "a port is lost": replace(AT_END, service_ports=build.SERVICE_PORTS[1:]),
}


@pytest.mark.parametrize("scene", NOT_DONE.values(), ids=NOT_DONE)
def test_not_aborted_while_anything_is_left(scene: Scene) -> None:
    decision = scene.decide()
    assert decision.phase is Phase.ABORTING
    assert decision.finished == ""


def test_the_steps_of_the_rail_follow() -> None:
    def states(scene: Scene) -> list[StepState]:
        return [step.state for step in scene.decide().steps]

    todo, active, done = StepState.TODO, StepState.ACTIVE, StepState.DONE
    assert states(BACK) == [active, todo, todo]
    assert states(OLD) == [done, active, todo]
    assert states(GREEN_GONE) == [done, done, active]


def test_late_removal_networks_keep_greens_address_until_it_is_empty() -> None:
    for scene in (noted(EARLY_TRAFFIC, canary_failed="lost 30"), noted(EARLY_TRAFFIC, late_removal=True)):
        (write,) = scene.commands()
        assert isinstance(write, RepairEndpoints)
        assert {a.ip for a in write.addresses} == build.ips(scene.blue) | {"10.0.2.0"}
