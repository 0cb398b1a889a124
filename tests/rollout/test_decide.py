"""Every phase with every trigger, on clusters in any state: what holds whatever is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.commands import (
    RepairEndpoints,
    RestoreDelay,
    Scale,
    StartDrain,
    StopDrain,
    SwitchEndpoints,
    WriteEndpoints,
)
from emqx_tui.rollout.decide import decide
from emqx_tui.rollout.gate_id import CUT_OVER, LATE_CUT_OVER, GateId
from emqx_tui.rollout.intents import Abort, Approve, Intent
from emqx_tui.rollout.phases import FINAL, Phase
from tests.support import scenes as build
from tests.support.any_scene import INTENTS, scenes
from tests.support.scenes import Scene


def addressed(scene: Scene, intent: Intent | None) -> Intent | None:
    """The intent with the revision that is on the screen."""
    shown = scene.decide()
    match intent:
        case Approve() if shown.gate is not None:
            return replace(intent, gate=shown.gate.id, revision=shown.gate.revision)
        case Abort():
            return replace(intent, revision=shown.abort.revision)
    return intent


@settings(max_examples=500, derandomize=True)
@given(scenes(), INTENTS)
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
        assert decision.decided is not None
        assert decision.decided.totals == scene.journal.totals, "counts are the driver's"
        assert decision.accepted or decision.decided == scene.journal, "nobody has decided anything"
    if decision.phase is Phase.LOST and journal.abort and scene.resource().meta.uid == journal.uid:
        # Blue is gone: what serves clients stays in the Service, and keeps them.
        assert all(isinstance(c, RepairEndpoints | StopDrain) for c in commands)
    elif decision.phase in FINAL:
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
                assert journal.is_approved(LATE_CUT_OVER if journal.late_removal else CUT_OVER)
                assert not journal.abort
        case StartDrain(pod=pod, recipients=recipients):
            assert (command.namespace, command.node) == (build.NAMESPACE, build.node_name(pod))
            assert recipients
            assert members[pod].is_running
            if not journal.abort:
                assert journal.is_approved(GateId.node(members[pod].ordinal))
        case StopDrain(pod=pod):
            assert (command.namespace, command.node) == (build.NAMESPACE, build.node_name(pod))
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
            assert journal.is_approved(GateId.node(after))
            assert top.is_drained
            assert top.own.value
            assert top.own.value.connections == 0
            assert not top.own.problem
            assert top.own.is_fresh(scene.now, 5.0)
            assert not any(g.has_pod_terminating for g in snapshot.generations)
        case RestoreDelay():
            assert not scene.has_status, "the reset was not seen"


@settings(max_examples=60)
@given(scenes(), INTENTS)
def test_nothing_at_all_is_known(scene: Scene, intent: Intent | None) -> None:
    """Before the first answers of any source nothing is sent, and nothing is taken for lost."""
    seen = scene.snapshot()
    blank = Snapshot(seen.now, seen.namespace, seen.name, blue_uid=seen.blue_uid)
    decision, _ = decide(scene.memory, blank, scene.journal, intent, build.SETTINGS)
    assert decision.commands == ()
    if scene.memory.phase is not Phase.LOST:
        assert decision.phase is not Phase.LOST


@settings(max_examples=60)
@given(scenes())
def test_a_console_that_was_started_anew_sends_nothing_else_that_advances(scene: Scene) -> None:
    """Memory is for patience, not for safety: without it the same is decided, or less."""
    if scene.journal is None or scene.journal.abort or scene.memory.expectations.in_flight:
        return
    fresh = replace(scene, memory=type(scene.memory)())
    scales = [c for c in fresh.commands() if isinstance(c, Scale)]
    for command in scales:
        judge(scene, scene.journal, command)


@settings(max_examples=60)
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


def test_what_a_phase_waits_for_is_said() -> None:
    assert build.creating(joined=1).decide().phase_text == "1/3 Ready, 1/3 Running in EMQX"
