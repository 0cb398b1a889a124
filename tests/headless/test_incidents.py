"""A node that fails in a release, as `status` and the JSON lines tell it, and why a pod is not Ready."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from emqx_tui.headless.lines import view_diff
from emqx_tui.headless.lines.words import line
from emqx_tui.headless.looking import status
from emqx_tui.model.containers import Container, PodCondition
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.telling import wording
from emqx_tui.rollout.telling.incidents import Incident, IncidentKind
from emqx_tui.session.views import node_facts
from emqx_tui.session.views.log import EventLog
from emqx_tui.session.views.view import View
from tests.support import releases
from tests.support.releases import GREEN, NOW

LOST = Incident(IncidentKind.POD_LOST, f"{GREEN}-0", Colour.GREEN, NOW - timedelta(seconds=12), 16_530)
PULL = Container(
    name="emqx",
    image="emqx/emqx-ee:4.4.15",
    is_ready=False,
    restarts=0,
    waiting="ImagePullBackOff",
    message='Back-off pulling image "emqx/emqx-ee:4.4.15": token=s3cret',
    running_since=None,
    ended=None,
    last=None,
)


def with_incidents(view: View, *incidents: Incident) -> View:
    return replace(view, decision=replace(view.decision, incidents=incidents))


def with_pod(view: View, name: str, **fields: Any) -> View:
    pods = view.snapshot.pods.value or ()
    changed = tuple(replace(pod, **fields) if pod.name == name else pod for pod in pods)
    return replace(view, snapshot=replace(view.snapshot, pods=replace(view.snapshot.pods, value=changed)))


def test_status_says_what_broke_and_what_goes_on():
    view = with_incidents(releases.draining(), LOST)
    lines = status.lines(view)
    assert f"incident {wording.incident(LOST)}" in lines
    found = status.document(view)["incidents"][0]
    assert (found["node"], found["clients"], found["kind"], found["back_at"]) == (LOST.pod, 16_530, "pod-lost", None)


def test_the_json_lines_tell_it_once_and_again_when_it_is_back():
    before = releases.draining()
    lost = with_incidents(before, LOST)
    back = with_incidents(before, replace(LOST, back_at=NOW))
    told = view_diff.begin(before)
    found = []
    for view in (lost, lost, back, back):
        records, told = view_diff.diff(told, view, 0.0)
        found += [record for record in records if record.event == "incident"]
    assert [record.fields["back_at"] is None for record in found] == [True, False]
    assert line(found[0]).endswith(wording.incident(LOST))
    assert "back since" in line(found[1])


def test_the_line_of_the_log_is_not_told_a_second_time_as_a_problem():
    log = EventLog()
    log.alarm(LOST.at, wording.incident(LOST))
    before = releases.draining()
    told = replace(view_diff.begin(before), since=None)
    records, _ = view_diff.diff(told, replace(with_incidents(before, LOST), log=log.lines()), 0.0)
    assert [record.event for record in records].count("incident") == 1
    assert "problem" not in [record.event for record in records]


def test_a_pod_whose_image_cannot_be_pulled_says_so_with_the_image_and_without_secrets():
    name = f"{GREEN}-0"
    view = with_pod(releases.draining(), name, is_ready=False, trouble="ImagePullBackOff", containers=(PULL,))
    told = next(text for text in status.lines(view) if text.startswith("pod "))
    assert f"{name} is not Ready: ImagePullBackOff: Back-off pulling image" in told
    assert "(image emqx/emqx-ee:4.4.15)" in told
    assert "s3cret" not in told
    node = next(node for node in status.document(view)["nodes"] if node["node"] == name)
    assert node["not_ready"]["reason"] == "ImagePullBackOff"
    assert "s3cret" not in str(node)


@pytest.mark.parametrize("kind", ["PodScheduled", "ContainersReady"])
def test_a_pod_that_no_container_explains_is_explained_by_its_conditions(kind: str):
    condition = PodCondition(kind, "False", "Unschedulable", "0/6 nodes are available")
    ready = PodCondition("Ready", "False", "ContainersNotReady", "containers with unready status: [emqx]")
    view = with_pod(releases.draining(), f"{GREEN}-0", is_ready=False, conditions=(ready, condition))
    member = next(m for m in view.snapshot.members if m.name == f"{GREEN}-0")
    assert node_facts.why_not_ready(member) == node_facts.NotReady("Unschedulable", "0/6 nodes are available")
