"""Events and log of one pod, asked for when somebody looks: bounded, redacted, and honest about missing rights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from emqx_tui.model.containers import Container, Termination
from emqx_tui.model.errors import Forbidden, NotFound
from emqx_tui.session.sources.pod_report import LINE_CHARACTERS, LOG_LINES, read_report
from tests.support import releases
from tests.support.fakes import FakeKube
from tests.support.releases import GREEN

MEMBER = next(m for m in releases.draining().snapshot.members if m.name == f"{GREEN}-0")
EVENTS = "/api/v1/namespaces/mqtt/events"
LOG = f"/api/v1/namespaces/mqtt/pods/{MEMBER.name}/log"


def event(reason: str, message: str, at: str) -> dict[str, Any]:
    return {
        "metadata": {"name": reason.lower(), "namespace": "mqtt", "uid": reason},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "name": MEMBER.name},
    }


async def test_events_come_in_order_and_one_that_cannot_be_read_hides_no_other():
    items = [
        event("BackOff", "b", "2026-11-23T12:00:20Z"),
        {"metadata": 7},
        event("Failed", "a", "2026-11-23T12:00:10Z"),
    ]
    kube = FakeKube({EVENTS: {"items": items}, LOG: "x\n"})
    report = await read_report(kube, "mqtt", MEMBER)
    assert [found.reason for found in report.events] == ["Failed", "BackOff"]
    assert kube.sent[0].query["fieldSelector"].startswith(f"involvedObject.name={MEMBER.name}")


async def test_a_log_is_bounded_redacted_and_harmless():
    written = "old\n" * 500 + "\x1b[31m[red] password=s3cret\x1b[0m\x1b]0;title\x07\n" + "y" * 5000 + "\n"
    report = await read_report(FakeKube({EVENTS: {"items": []}, LOG: written}), "mqtt", MEMBER)
    assert len(report.log) == LOG_LINES
    assert "s3cret" not in " ".join(report.log)
    assert not any("\x1b" in line or "\x07" in line for line in report.log)
    assert report.log[-2].startswith("[red] password=")
    assert len(report.log[-1]) == LINE_CHARACTERS


async def test_a_right_that_is_missing_is_named_and_the_rest_is_shown():
    kube = FakeKube({EVENTS: {"items": [event("Failed", "a", "2026-11-23T12:00:10Z")]}, LOG: Forbidden("no")})
    report = await read_report(kube, "mqtt", MEMBER)
    assert report.log_problem == "not shown: the right to get pods/log is missing"
    assert len(report.events) == 1


async def test_what_the_server_says_is_told_and_never_raised():
    report = await read_report(FakeKube({EVENTS: NotFound("x"), LOG: NotFound("no such pod")}), "mqtt", MEMBER)
    assert (report.events_problem, report.log_problem) == ("x", "no such pod")


async def test_of_a_crash_loop_the_run_that_ended_is_read():
    ended = Termination("Error", 1, "", None)
    loop = Container("emqx", "i", False, 3, "CrashLoopBackOff", "back-off 40s", None, None, ended)
    member = replace(MEMBER, pod=replace(MEMBER.pod, trouble="CrashLoopBackOff", containers=(loop,)))
    kube = FakeKube({EVENTS: {"items": []}, LOG: "boom\n"})
    report = await read_report(kube, "mqtt", member)
    assert report.log_of == "emqx, before its restart"
    assert kube.sent[1].query["previous"] == "true"
