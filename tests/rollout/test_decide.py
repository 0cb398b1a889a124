"""Every phase with every trigger, on clusters in any state: what holds whatever is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.commands import RestoreDelay, Scale, StartDrain, StopDrain, SwitchEndpoints, WriteEndpoints
from emqx_tui.rollout.decide import decide
from emqx_tui.rollout.expectations import AckWait, Failure
from emqx_tui.rollout.intents import Abort, Approve, Freeze, Hold, Intent, Resume, SetPolicy, SetRates, Start
from emqx_tui.rollout.journal import AbortRecord, HoldRecord
from emqx_tui.rollout.phases import FINAL, Phase
from emqx_tui.rollout.policy import Approval
from tests.support import scenes as build
from tests.support.scenes import Scene

BY = "ann@host"
N = 3
STEPS: dict[str, Scene] = {
    "idle": build.idle(),
    "starting": build.starting(),
    "creating": build.creating(),
    "waiting": build.waiting(),
    "ready": build.ready(),
    "canary": build.canary(watched_s=30.0),
    "cutting over": build.cutting_over(),
    "draining": build.draining(),
    "drained": build.drained(),
    "one gone": build.drained(gone=1),
    "last": build.drained(gone=2),
    "finishing": build.finishing(),
    "second pass": build.second_pass_done(build.finishing(is_reset=True)),
    "done": build.done(),
}

_count = st.none() | st.sampled_from([0, 1, 100, 300])
_place: dict[str, st.SearchStrategy[Any]] = {
    "live": _count,
    "sessions": _count,
    "is_ready": st.booleans(),
    "is_joined": st.booleans(),
    "is_deleting": st.booleans(),
    "containers_ready": st.booleans(),
    "on_serving": st.none() | st.booleans(),
    "has_ip": st.booleans(),
    "evacuation": st.none() | st.sampled_from(EvacuationState),
    "sessions_left": st.sampled_from([0, 3]),
    "rates": st.sampled_from([(200, 200), (50, 50)]),
    "own": _count,
    "own_enabled": st.booleans(),
    "own_age_s": st.sampled_from([0.1, 4.9, 5.1, 60.0]),
    "own_problem": st.sampled_from(["", "timed out"]),
}
_ip = st.sampled_from([f"10.0.{side}.{k}" for side in (1, 2, 3) for k in range(N)])
_hold = st.builds(
    HoldRecord, st.just(BY), st.just(build.ago(5)), st.just("why"), st.booleans(), st.booleans(), st.just("canary")
)
_key = st.sampled_from(
    ["nudge", "close-valve", "apply-template", f"scale:{build.BLUE_NAME}", f"drain:{build.BLUE_NAME}-2"]
)
_scene: dict[str, st.SearchStrategy[Any]] = {
    "third": st.just(build.third(N)),
    "addresses": st.frozensets(_ip),
    "slices": st.none() | st.frozensets(_ip),
    "template": st.sampled_from(["old", "new", "other"]),
    "delay_s": st.none() | st.sampled_from([0, 60, 1_000_000_000]),
    "has_status": st.booleans(),
    "started_ago_s": st.none() | st.sampled_from([-30.0, 1.0, 1e6]),
    "is_running": st.booleans(),
    "replicas": st.integers(0, 5),
    "rebalances": st.integers(0, 2),
    "broker_age_s": st.sampled_from([0.1, 10.5, 600.0]),
    "kube_age_s": st.sampled_from([0.1, 90.5, 600.0]),
    "uid": st.just("another"),
    "metadata_generation": st.integers(1, 3),
}
_memory: dict[str, st.SearchStrategy[Any]] = {
    "phase": st.sampled_from(Phase),
    "in_flight": st.frozensets(_key),
    "ack": st.just(AckWait("1000", "status-1", build.ago(90), "nudge")),
    "failures": st.dictionaries(_key, st.just(Failure(build.ago(0.5), "no", 4, True))),
    "done_at": st.sampled_from(
        [{}, {("nudge", "nudge"): build.ago(3), ("restore-template", "restore-template"): build.ago(3)}]
    ),
}
_journal: dict[str, st.SearchStrategy[Any]] = {
    "hold": _hold,
    "abort": st.just(AbortRecord(BY, build.ago(60), "e")),
    "approval": st.sampled_from(Approval),
    "late_removal": st.booleans(),
    "canary_failed": st.just("lost 30"),
    "parallel_drains": st.integers(0, 3),
    "target_mark": st.just(""),
    "green_uid": st.just(""),
}


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A step of a release at which a few things are other than they should be."""
    scene = STEPS[draw(st.sampled_from(sorted(STEPS)))]
    for _ in range(draw(st.integers(0, 4))):
        scene = _spoil(draw, scene)
    gates = ["cut-over", "cut-over:late", "node:2", "node:1", "node:0"]
    if scene.journal is None:
        return scene
    return build.approved(scene, *draw(st.lists(st.sampled_from(gates), max_size=2)))


def _spoil(draw: st.DrawFn, scene: Scene) -> Scene:
    match draw(st.sampled_from(["place", "place", "side", "scene", "memory", "journal"])):
        case "place":
            colour = draw(st.sampled_from(["blue", "green"]))
            side = getattr(scene, colour)
            if side is None or not side.places:
                return scene
            knob = draw(st.sampled_from(sorted(_place)))
            return build.with_place(
                scene, colour, draw(st.sampled_from(sorted(side.places))), **_turn(draw, _place, knob)
            )
        case "side":
            colour = draw(st.sampled_from(["blue", "green"]))
            side = getattr(scene, colour)
            if side is None:
                return scene
            what = draw(st.sampled_from(["gone", "pod", "size", "lags", "revision"]))
            if what == "gone":
                return replace(scene, **{colour: None})
            if what == "pod" and side.places:
                return build.without_place(scene, colour, draw(st.sampled_from(sorted(side.places))))
            knobs = {"size": {"replicas": draw(st.integers(0, N))}, "revision": {"revision": "another"}}
            return build.with_side(scene, colour, **knobs.get(what, {"is_settled": False}))
        case "scene":
            return replace(scene, **_turn(draw, _scene, draw(st.sampled_from(sorted(_scene)))))
        case "memory":
            return build.remembered(scene, **_turn(draw, _memory, draw(st.sampled_from(sorted(_memory)))))
    if scene.journal is None:
        return scene
    return build.noted(scene, **_turn(draw, _journal, draw(st.sampled_from(sorted(_journal)))))


def _turn(draw: st.DrawFn, knobs: dict[str, st.SearchStrategy[Any]], knob: str) -> dict[str, Any]:
    return {knob: draw(knobs[knob])}


_intents: st.SearchStrategy[Intent | None] = st.one_of(
    st.none(),
    st.just(Start(build.plan(), BY)),
    st.builds(Approve, st.sampled_from(["cut-over", "node:2"]), st.just("fresh"), st.just(BY), st.integers(-1, 9)),
    st.sampled_from([Hold(BY), Freeze(BY), Resume(BY), SetRates(BY, 50, 50), SetRates(BY, 0, 1), SetPolicy(BY, "x")]),
    st.just(Abort(BY, "fresh")),
)


def addressed(scene: Scene, intent: Intent | None) -> Intent | None:
    """The intent with the revision that is on the screen."""
    shown = scene.decide()
    match intent:
        case Approve() if shown.gate is not None:
            return replace(intent, gate=shown.gate.id, revision=shown.gate.revision)
        case Abort():
            return replace(intent, revision=shown.abort.revision)
    return intent


@settings(max_examples=500, deadline=None, derandomize=True)
@given(scenes(), _intents)
def test_what_holds_whatever_is_seen(scene: Scene, asked: Intent | None) -> None:
    intent = addressed(scene, asked)
    decision, memory = scene.decided(intent)
    assert scene.decided(intent) == (decision, memory), "the same arguments give the same answer"
    journal, commands = decision.journal, decision.commands
    assert (bool(decision.accepted) != bool(decision.refused)) is (intent is not None)
    assert memory.phase is decision.phase
    keys = [c.key for c in commands]
    assert len(keys) == len(set(keys)), "two commands of one key"
    assert not memory.expectations.in_flight & set(keys), "sent while in flight"
    if journal is None:
        assert commands == ()
        return
    if scene.journal is not None:
        assert journal.approvals[: len(scene.journal.approvals)] == scene.journal.approvals
        assert journal.originals == scene.journal.originals
    if decision.phase in FINAL:
        assert commands == ()
    if journal.hold and not journal.abort:
        assert not [c for c in commands if c.advancing]
    if journal.hold and journal.abort:
        assert not [c for c in commands if isinstance(c, StartDrain)]
    for command in commands:
        judge(scene, journal, command)


def judge(scene: Scene, journal: Any, command: Any) -> None:
    """What must be true of a command, whatever else is."""
    snapshot = scene.snapshot()
    members = {m.name: m for m in snapshot.members}
    match command:
        case WriteEndpoints(addresses=addresses, target=target):
            assert addresses
            assert any(members[a.pod_name].accepts_clients for a in addresses)
            assert all(a.ip and a.node_name and a.pod_uid for a in addresses)
            assert target.resource_version
            assert command.ports
            assert scene.broker_age_s < 11
            if isinstance(command, SwitchEndpoints):
                assert journal.is_approved("cut-over:late" if journal.late_removal else "cut-over")
                assert not journal.abort
        case StartDrain(pod=pod, recipients=recipients):
            assert recipients
            assert members[pod].is_running
            if not journal.abort:
                assert journal.is_approved(f"node:{members[pod].ordinal}")
        case StopDrain(pod=pod):
            assert members[pod].evacuation is not None
        case Scale(before=before, after=after, target=target):
            assert target.uid
            assert target.resource_version
            if journal.abort:
                assert (after, target.uid) in {(0, snapshot.green and snapshot.green.stateful_set.meta.uid)} or (
                    after > before and target.uid == build.BLUE_UID
                )
                return
            top = members[f"{build.BLUE_NAME}-{after}"]
            assert target.uid == build.BLUE_UID
            assert after == before - 1
            assert journal.is_approved(f"node:{after}")
            assert top.is_drained
            assert top.own.value
            assert top.own.value.connections == 0
            assert not top.own.problem
            assert top.own.is_fresh(scene.now, 5.0)
            assert not any(g.has_pod_terminating for g in snapshot.generations)
        case RestoreDelay():
            assert not scene.has_status, "the reset was not seen"


@settings(max_examples=60, deadline=None)
@given(scenes(), _intents)
def test_nothing_at_all_is_known(scene: Scene, intent: Intent | None) -> None:
    """Before the first answers of any source nothing is sent, and nothing is taken for lost."""
    seen = scene.snapshot()
    blank = Snapshot(seen.now, seen.namespace, seen.name, blue_uid=seen.blue_uid)
    decision, _ = decide(scene.memory, blank, scene.journal, intent, build.SETTINGS)
    assert decision.commands == ()
    if scene.memory.phase is not Phase.LOST:
        assert decision.phase is not Phase.LOST


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_a_console_that_was_started_anew_sends_nothing_else_that_advances(scene: Scene) -> None:
    """Memory is for patience, not for safety: without it the same is decided, or less."""
    if scene.journal is None or scene.journal.abort or scene.memory.expectations.in_flight:
        return
    fresh = replace(scene, memory=type(scene.memory)())
    scales = [c for c in fresh.commands() if isinstance(c, Scale)]
    for command in scales:
        judge(scene, scene.journal, command)


@settings(max_examples=60, deadline=None)
@given(scenes(), st.floats(0.0, 1e7))
def test_time_alone_does_not_make_anything_destructive_due(scene: Scene, seconds: float) -> None:
    """Figures grow old with the clock: nothing that rests on them is sent later than they allow."""
    if scene.journal is None:
        return
    seen = scene.snapshot()
    later = replace(seen, now=seen.now + timedelta(seconds=60.0 + seconds))
    decision, _ = decide(scene.memory, later, scene.journal, None, build.SETTINGS)
    assert not [c for c in decision.commands if isinstance(c, StartDrain | SwitchEndpoints)]
    if not scene.journal.abort:
        assert not [c for c in decision.commands if isinstance(c, Scale)]
