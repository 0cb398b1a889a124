"""What `kubectl logs` gets, and the Events of an image that cannot be pulled."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.controllers.pod_log import container_log
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.world.scenario import scenario
from emqx_tui.sandbox.world.world import World


def pod(state: dict[str, Any], *, ready: bool = True, restarts: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"name": "emqx-ee-1"},
        "spec": {"containers": [{"name": "emqx"}]},
        "status": {
            "conditions": [{"type": "ContainersReady", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "emqx", "state": state, "restartCount": restarts}],
        },
    }


RUNNING = {"running": {"startedAt": "2026-11-23T12:00:00Z"}}


def test_a_running_container_has_a_log_and_tail_cuts_it():
    assert "is running now!" in container_log(pod(RUNNING))
    assert container_log(pod(RUNNING), tail=1).count("\n") == 1
    assert container_log(pod(RUNNING), tail=0) == ""
    assert "is running now!" not in container_log(pod(RUNNING, ready=False))


@pytest.mark.parametrize(
    ("container", "previous", "state", "why"),
    [
        ("", False, {"waiting": {"reason": "ImagePullBackOff"}}, "trying and failing to pull image"),
        ("other", False, RUNNING, "container other is not valid for pod emqx-ee-1"),
        ("", True, RUNNING, "previous terminated container"),
    ],
)
def test_why_there_is_no_log(container: str, previous: bool, state: dict[str, Any], why: str):
    with pytest.raises(ApiError, match=why) as refused:
        container_log(pod(state), container, previous=previous)
    assert refused.value.code == 400


def pull_failure() -> World:
    """Green's second pod has an image that cannot be pulled; its sidecar's can."""
    world = scenario("smooth", clients=100, green_pull_fails=(1,))
    patch = {"spec": {"template": {"spec": {"emqxContainer": {"image": {"version": "4.4.15"}}}}}}
    path = "/apis/apps.emqx.io/v1beta4/namespaces/default/emqxenterprises/emqx-ee"
    world.api.request("PATCH", path, {}, patch, "application/merge-patch+json", manager="test")
    world.advance(60)
    return world


def test_an_image_that_cannot_be_pulled_keeps_its_own_container_waiting():
    world = pull_failure()
    green = [p for p in world.store.list("pods", "default") if "4.4.15" in p["spec"]["containers"][0]["image"]]
    (stuck,) = (p for p in green if p["status"]["containerStatuses"][0]["state"].get("waiting"))
    main, *sidecars = stuck["status"]["containerStatuses"]
    assert main["state"]["waiting"]["message"] == f'Back-off pulling image "{main["image"]}"'
    assert sidecars
    assert all(list(each["state"]) == ["running"] and each["ready"] for each in sidecars)
    assert "Start" in container_log(stuck, sidecars[0]["name"])


def test_an_image_that_cannot_be_pulled_leaves_events_on_the_pod():
    world = pull_failure()
    events = [e for e in world.store.list("events", "default") if e["involvedObject"]["kind"] == "Pod"]
    assert {e["reason"] for e in events} == {"Failed", "BackOff"}
    back_off = next(e for e in events if e["reason"] == "BackOff")
    assert "4.4.15" in back_off["message"]
    assert back_off["count"] > 1
