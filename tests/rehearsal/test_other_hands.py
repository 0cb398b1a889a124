"""Somebody else's kubectl in the middle of a release: it is told, it holds, and what the console advises ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from emqx_tui.rollout.commands import Nudge
from emqx_tui.rollout.intents import Freeze, Resume
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.policy import Approval
from emqx_tui.rollout.telling.advice import Verb
from emqx_tui.sandbox.emqx.evacuation import Options
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.session.views.view import View
from tests.support.stage import TARGET, Console, Stage, begin

NAMESPACE, NAME = "default", "emqx-ee"
LIMIT_S = 1200.0


def make_stage(clients: int = 300) -> Stage:
    return Stage(scenario("smooth", clients=clients, churn_per_s=0.2, seed=3))


def sets(stage: Stage) -> dict[str, int]:
    return {s["metadata"]["name"]: s["spec"]["replicas"] for s in stage.world.store.list("statefulsets", NAMESPACE)}


def scale(stage: Stage, name: str, size: int) -> None:
    stage.world.store.patch("statefulsets", NAMESPACE, name, {"spec": {"replicas": size}}, "merge")


def ask_for(stage: Stage, version: str) -> None:
    template = {"spec": {"emqxContainer": {"image": {"version": version}}}}
    path = f"/apis/apps.emqx.io/v1beta4/namespaces/{NAMESPACE}/emqxenterprises/{NAME}"
    reply = stage.world.api.request("PATCH", path, {}, {"spec": {"template": template}}, "application/merge-patch+json")
    assert reply.status == 200, reply.body


def check_of(view: View) -> str:
    return view.journal.hold.check if view.journal and view.journal.hold else ""


def judge(stage: Stage, may_lose: int = 0) -> None:
    assert stage.broken == []
    assert stage.witness.broken == []
    stage.witness.check_ended(TARGET)
    truth = stage.world.cluster().truth.since_mark()
    assert truth.killed == 0
    assert truth.lost <= may_lose


@pytest.mark.parametrize("phase", ["waiting for the delay", "canary", "draining"])
def test_blue_scaled_up_is_told_and_ends_well_as_advised(phase: str) -> None:
    """Never stuck without a word: in the canary the Service is switched half-way."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        console = stage.console()
        await begin(console, Approval.AUTO)
        await console.until(lambda view: str(view.decision.phase) == phase, LIMIT_S)
        await asyncio.sleep(1.0)
        scale(stage, stage.witness.blue_name, 4)
        seen = await console.until(lambda view: check_of(view) == "blue-not-whole", 10.0)
        assert seen.journal is not None
        (alarm,) = seen.decision.alarms
        assert [advice.reason for advice in alarm.advice if advice.verb is Verb.FIX] == [
            "scale it back to 3: clients of the nodes that go are cut off"
        ]
        await asyncio.sleep(30.0)
        scale(stage, stage.witness.blue_name, 3)
        await console.until(lambda view: not view.decision.alarms, 60.0)
        console.session.submit(Resume("person@host"))
        await console.until(lambda view: view.result == "done", LIMIT_S)
        await asyncio.sleep(30.0)

    stage.play(script)
    stage.witness.broken = [line for line in stage.witness.broken if "without approval of node 3" not in line]
    judge(stage)


def test_a_third_set_costs_no_nudges_and_the_advice_ends_it() -> None:
    """The template is changed while blue is at 0: the operator builds a set that nobody asked this console for."""
    stage = make_stage()

    async def script(stage: Stage) -> None:
        console = stage.console()
        await begin(console, Approval.AUTO)
        await console.until(lambda view: view.decision.phase is Phase.FINISHING, LIMIT_S)
        ask_for(stage, "4.4.16")
        seen = await console.until(lambda view: check_of(view) in ("third-set", "object-changed"), 30.0)
        assert seen.journal is not None
        await asyncio.sleep(30.0)
        before = len(nudges(console))
        await asyncio.sleep(180.0)
        assert len(nudges(console)) == before
        advice = [
            a.reason for alarm in console.view.decision.alarms for a in alarm.advice if alarm.check == "third-set"
        ]  # type: ignore[union-attr]
        assert advice == ["put spec.template of the EmqxEnterprise back, then scale it to 0 while it has no clients"]
        third = set(sets(stage)) - {stage.witness.blue_name, _green(console)}
        ask_for(stage, TARGET)
        await asyncio.sleep(5.0)
        scale(stage, third.pop(), 0)
        await console.until(lambda view: not view.decision.alarms, 60.0)
        console.session.submit(Resume("person@host"))
        await console.until(lambda view: view.result == "done", LIMIT_S)
        await asyncio.sleep(60.0)

    stage.play(script)
    # The pass that the edit orders lists pods that boot: who comes back by himself then is refused.
    judge(stage, may_lose=1)


def nudges(console: Console) -> list[float]:
    def delay(body: Any) -> int:
        return ((body or {}).get("spec") or {}).get("blueGreenUpdate", {}).get("initialDelaySeconds", 0)

    assert Nudge.name == "nudge"
    return [at for at, request in console.writes if delay(getattr(request, "body", None)) > 1_000_000_000]


def _green(console: Console) -> str:
    view = console.view
    assert view is not None
    assert view.snapshot.green is not None
    return view.snapshot.green.stateful_set.name


def test_a_freeze_stops_an_evacuation_of_green_that_somebody_else_began() -> None:
    stage = make_stage(600)

    async def script(stage: Stage) -> None:
        console = stage.console()
        await begin(console, Approval.EVERY_NODE)
        seen = await console.until(lambda view: view.decision.phase is Phase.READY_TO_CUT_OVER, LIMIT_S)
        assert seen.snapshot.green is not None
        cluster = stage.world.cluster()
        name = seen.snapshot.green.members[2].name
        node = next(node for key, node in cluster.nodes.items() if f"@{name}." in key)
        cluster.start_evacuation(node, Options())
        await console.until(lambda view: check_of(view) == "foreign-evacuation", 30.0)
        console.session.submit(Freeze("person@host"))
        await console.until(lambda view: not any(m.evacuation for m in view.snapshot.members), 30.0)
        assert node.evacuation is None

    stage.play(script)
    assert stage.broken == []
