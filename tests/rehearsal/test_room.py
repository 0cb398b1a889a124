"""A quota that cannot hold a second generation is told before anything is sent, and can be overridden by name."""

from __future__ import annotations

from emqx_tui.rollout.change import Draft, ReleaseOptions
from emqx_tui.rollout.decision import CheckResult, Outcome
from emqx_tui.sandbox.world.scenario import scenario
from tests.support.stage import Stage, with_version


async def judged(stage: Stage) -> dict[str, CheckResult]:
    console = stage.console()
    seen = await console.until(
        lambda view: view.snapshot.resource.value and view.snapshot.stats.value and view.snapshot.slices.value
    )
    resource = seen.snapshot.resource.value
    assert resource is not None
    draft = with_version(Draft.of(resource), "4.4.15")
    found = await console.session.preview_edit(1, draft, ReleaseOptions())
    return {check.name: check for check in found.checks}


def quota(pods: int) -> dict[str, object]:
    status = {"hard": {"pods": str(pods)}, "used": {"pods": "3"}}
    return {"metadata": {"name": "team", "namespace": "default"}, "spec": {"hard": status["hard"]}, "status": status}


def test_a_quota_without_room_for_green_stops_the_start() -> None:
    for pods, outcome, said in (
        (5, Outcome.FAIL, "quota team: green needs 3 more pods, 2 are left"),
        (6, Outcome.PASS, "quotas leave room"),
    ):
        stage = Stage(scenario("smooth", clients=90))
        stage.world.store.create("resourcequotas", quota(pods))
        stage.world.store.update("resourcequotas", quota(pods), subresource="status")
        check = stage.play(judged)["capacity"]
        assert check.outcome is outcome
        assert check.evidence.startswith(said)
