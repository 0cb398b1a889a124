"""What `kubectl logs` gets, and the Events of an image that cannot be pulled."""

from __future__ import annotations

from typing import Any

import pytest

from emqx_tui.sandbox.controllers.pod_log import LogLine, container_log, limited, selected, stamp
from emqx_tui.sandbox.emqx.evacuation import Options
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


NOON = 1_795_435_200.0
"""The instant at which it began to run."""


def text(lines: list[LogLine], **query: str) -> str:
    return "".join(selected(lines, query, NOON + 100))


def test_a_running_container_has_a_log_and_tail_cuts_it():
    assert "is running now!" in text(container_log(pod(RUNNING)))
    assert text(container_log(pod(RUNNING)), tailLines="1").count("\n") == 1
    assert text(container_log(pod(RUNNING)), tailLines="0") == ""
    assert "is running now!" not in text(container_log(pod(RUNNING, ready=False)))


def test_what_the_broker_wrote_comes_behind_its_first_lines():
    lines = container_log(pod(RUNNING), broker=[LogLine(NOON + 60, "[warning] one"), LogLine(NOON + 60, "[info] two")])
    assert text(lines, sinceSeconds="50") == "2026-11-23T12:01:00Z [warning] one\n2026-11-23T12:01:00Z [info] two\n"
    assert text(lines, sinceSeconds="10") == ""
    assert text(lines, sinceTime="2026-11-23T12:01:00Z", tailLines="1").endswith("two\n")


def test_each_line_has_an_instant_behind_which_a_reader_can_go_on():
    lines = container_log(pod(RUNNING))
    stamps = [line.split(" ")[0] for line in text(lines, timestamps="true").splitlines()]
    assert stamps == sorted(set(stamps))
    assert stamps[0] == "2026-11-23T12:00:00.000000000Z"
    assert stamp(NOON + 0.25) == "2026-11-23T12:00:00.250000000Z"
    rest = text(lines, timestamps="true", sinceTime=stamps[-1])
    assert rest.splitlines() == [text(lines, timestamps="true").splitlines()[-1]]


def test_a_log_is_cut_at_its_limit_of_bytes():
    assert limited(["[info] one\n", "[info] two\n"], {"limitBytes": "12"}) == b"[info] one\n["


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"tailLines": "-1"}, "tailLines"),
        ({"sinceTime": "yesterday"}, "RFC 3339"),
        ({"sinceTime": "2026-11-23T12:01:00Z", "sinceSeconds": "1"}, "at most one of"),
    ],
)
def test_questions_that_make_no_sense_are_refused(query: dict[str, str], why: str):
    with pytest.raises(ApiError, match=why) as refused:
        text(container_log(pod(RUNNING)), **query)
    assert refused.value.code == 400


def test_a_restarted_container_says_how_it_ended_and_keeps_the_log_before():
    world = scenario("smooth", clients=100)
    name = sorted(p["metadata"]["name"] for p in world.pods())[0]
    world.broker(name).log.append((world.now, "[error] last words"))
    world.restart_broker(name)
    world.advance(30)
    found = world.store.get("pods", "default", name)
    ended = found["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], found["status"]["containerStatuses"][0]["restartCount"]) == (
        137,
        "Error",
        1,
    )
    before = [LogLine(*each) for each in world.brokers.log_of(found, True)]
    assert "last words" in text(container_log(found, previous=True, broker=before))
    assert "last words" not in text([LogLine(*each) for each in world.brokers.log_of(found)])


def test_a_drained_broker_writes_what_it_does():
    world = scenario("smooth", clients=100)
    cluster = world.cluster()
    node = next(iter(cluster.nodes.values()))
    cluster.start_evacuation(node, Options(conn_evict_rate=10, sess_evict_rate=10, wait_takeover=1))
    world.advance(30)
    told = " ".join(line for _, line in node.log)
    assert "Node evacuation is enabled" in told
    assert "connections are left" in told


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
    assert "Start" in text(container_log(stuck, sidecars[0]["name"]))


def test_an_image_that_cannot_be_pulled_leaves_events_on_the_pod():
    world = pull_failure()
    events = [e for e in world.store.list("events", "default") if e["involvedObject"]["kind"] == "Pod"]
    assert {e["reason"] for e in events} == {"Failed", "BackOff"}
    back_off = next(e for e in events if e["reason"] == "BackOff")
    assert "4.4.15" in back_off["message"]
    assert back_off["count"] > 1
