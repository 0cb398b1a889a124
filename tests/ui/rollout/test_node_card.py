"""The card of one node, and the cursor that chooses it."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model.containers import Container, PodCondition, Termination
from emqx_tui.session.sources.pod_report import PodReport
from emqx_tui.session.views.view import View
from emqx_tui.ui.rollout.node_card import NodeCard, node_lines
from emqx_tui.ui.text.spans import plain
from tests.support import releases
from tests.support.releases import GREEN, NOW
from tests.support.screen_text import until_shown
from tests.ui.rollout.test_screen import session

NAME = f"{GREEN}-0"
PULL = Container(
    "emqx",
    "emqx/emqx-ee:4.4.15",
    False,
    2,
    "ImagePullBackOff",
    "Back-off pulling image \x1b[31m[bold]red[/bold] token=s3cret",
    None,
    None,
    Termination("OOMKilled", 137, "", NOW),
)
CONDITIONS = (PodCondition("Ready", "False", "ContainersNotReady", "containers with unready status: [emqx]", NOW),)


def failing() -> View:
    view = releases.draining()
    pods = view.snapshot.pods
    changed = tuple(
        replace(
            pod,
            is_ready=False,
            trouble="ImagePullBackOff",
            restarts=2,
            containers=(PULL,),
            conditions=CONDITIONS,
            readiness_gates=("apps.emqx.io/on-serving",),
        )
        if pod.name == NAME
        else pod
        for pod in pods.value or ()
    )
    return replace(view, snapshot=replace(view.snapshot, pods=replace(pods, value=changed)))


def card(view: View, report: PodReport | None = None) -> str:
    return "\n".join(plain(line) for line in node_lines(view, NAME, report))


def test_containers_conditions_and_gates_are_told_without_secrets_or_escapes():
    told = card(failing())
    assert "waits: ImagePullBackOff: Back-off pulling image" in told
    assert "image emqx/emqx-ee:4.4.15" in told
    assert "OOMKilled, exit code 137" in told
    assert "Ready False since" in told
    assert "apps.emqx.io/on-serving (readiness gate) not set" in told
    assert "2 restarts" in told
    assert "\x1b" not in told
    assert "s3cret" not in told


def test_events_and_log_belong_to_this_pod_only_and_a_missing_right_is_named():
    assert card(failing(), PodReport("another", log=("x",))).count("asked for…") == 2
    told = card(failing(), PodReport(NAME, log_problem="not shown: the right to get pods/log is missing"))
    assert "not shown: the right to get pods/log is missing" in told


async def test_enter_opens_the_node_in_trouble_and_asks_for_its_report():
    async with session(failing()) as console:
        await console.press("enter")
        assert isinstance(console.app.screen, NodeCard)
        assert console.backend.inspected == [NAME]
        await until_shown(console.pilot, "[bold]red[/bold]", "events of the pod")
        console.backend.report = PodReport(NAME, log=("[info] [/] a line",), log_of="emqx")
        await console.publish(failing())
        await console.press("end")
        await until_shown(console.pilot, "[info] [/] a line")
        await console.press("escape")
        assert not isinstance(console.app.screen, NodeCard)


async def test_up_and_down_choose_a_node_and_no_row_moves():
    async with session(releases.draining()) as console:
        before = console.shown
        await console.press("down")
        assert console.shown.replace("›", " ") == before
        first = next(row for row in console.shown.splitlines() if "›" in row)
        await console.press("down")
        assert next(row for row in console.shown.splitlines() if "›" in row) != first
        await console.press("up")
        assert next(row for row in console.shown.splitlines() if "›" in row) == first


async def test_in_the_long_log_the_same_keys_scroll_and_enter_opens_nothing():
    async with session(releases.draining()) as console:
        await console.press("l", "down", "enter")
        assert not isinstance(console.app.screen, NodeCard)
        assert "›" not in console.shown
