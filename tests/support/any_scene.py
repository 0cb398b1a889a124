"""Hypothesis strategies: a step of a release at which a few things are other than they should be, and any intent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from emqx_tui.model.evacuation import EvacuationState
from emqx_tui.rollout.gate_id import CUT_OVER, GateId
from emqx_tui.rollout.intents import Abort, Approve, Freeze, Hold, Intent, Resume, SetPolicy, SetRates, Start
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.state.expectations import AckWait, Failure
from emqx_tui.rollout.state.journal import AbortRecord, HoldRecord
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
_FAILURES = [Failure(build.ago(0.5), "no", 4, True, name) for name in ("nudge", "close-valve", "scale", "start-drain")]
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
    "failures": st.dictionaries(_key, st.sampled_from(_FAILURES)),
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


INTENTS: st.SearchStrategy[Intent | None] = st.one_of(
    st.none(),
    st.just(Start(build.plan(), BY)),
    st.builds(Approve, st.sampled_from([CUT_OVER, GateId.node(2)]), st.just("fresh"), st.just(BY), st.integers(-1, 9)),
    st.sampled_from([Hold(BY), Freeze(BY), Resume(BY), SetRates(BY, 50, 50), SetRates(BY, 0, 1), SetPolicy(BY, "x")]),
    st.just(Abort(BY, "fresh")),
)
