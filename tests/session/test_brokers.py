"""What is asked of EMQX: each node about itself, seldom one about the cluster, and that nothing of it raises."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.api_version import credentials
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Rejected, Unauthorized, Unreachable
from emqx_tui.model.snapshot import Colour
from emqx_tui.rollout.requests import EmqxReply
from emqx_tui.session import store as session_store
from emqx_tui.session.sources.brokers import CLUSTER_EVERY_S, EVICTION_EVERY_S, SELDOM_EVICTION_EVERY_S, Brokers
from emqx_tui.session.store import ClusterAnswer, NodeReports, Store, fold
from emqx_tui.session.store import snapshot as seen_of
from tests.support import scenes as build
from tests.support.fakes import START, FakeClock, FakeEmqx, FakeKube, until

SECRET = "/api/v1/namespaces/default/secrets/emqx-ee-bootstrap-user"
API = "/api/v4"
NODES, GLOBAL, OWN, GREETING = (
    f"{API}/nodes",
    f"{API}/load_rebalance/global_status",
    f"{API}/node_eviction/status",
    "/status",
)
OF_CLUSTER = {NODES, GLOBAL}
HUNG = f"{build.GREEN_NAME}-1"


def bootstrap(text: str = "emqx_operator_controller:topsecret") -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "data": {"bootstrap_user": base64.b64encode(text.encode()).decode()}}


class Desk:
    """Questions between fake ports, about a cluster whose pods are those of a scene; the store takes the answers."""

    def __init__(self, scene: build.Scene, answers: dict[Any, Any] | None = None) -> None:
        self.kube = FakeKube({SECRET: bootstrap()})
        self.clock, self.scene = FakeClock(), scene
        self.told: list[Any] = []
        self.store = Store("default", "emqx-ee")
        self.pods = [member.name for member in scene.snapshot().members]
        self.drains = set(self.pods)
        """The pods whose drain has begun."""
        self.emqx = FakeEmqx({**self._usual(), **(answers or {})})
        self.brokers = Brokers(
            "default",
            "emqx-ee",
            kube=self.kube,
            emqx=self.emqx,
            clock=self.clock,
            latest=self.snapshot,
            put=self.put,
            drains=lambda: self.drains,
            round_s=0.005,
        )

    def _usual(self) -> dict[Any, Any]:
        names = {pod: build.node_name(pod) for pod in self.pods}
        own: dict[Any, Any] = {NODES: {"code": 0, "data": [{"node": n, "version": "4.4.15"} for n in names.values()]}}
        own |= {GLOBAL: {"rebalances": [], "evacuations": []}, OWN: {"status": "disabled"}}
        for pod, name in names.items():
            own[f"{API}/nodes/{name}"] = {"code": 0, "data": {"node": name, "version": "4.4.15"}}
            own[f"{API}/nodes/{name}/stats"] = {"code": 0, "data": {"live_connections.count": 7, "sessions.count": 9}}
            own[pod, GREETING] = EmqxReply(200, None, f"Node {name} is started\nemqx is running")
        return own

    def put(self, found: Any) -> None:
        self.told.append(found)
        self.store = fold(self.store, found, self.clock.now())

    def snapshot(self) -> Any:
        scene = self.scene.snapshot()
        answered = seen_of(replace(self.store, collections={}), self.clock.now(), "")
        uids = {member.name: member.pod.meta.uid for member in scene.members}
        reports = {pod: self.store.reports.get((pod, uid)) for pod, uid in uids.items()}
        known = {pod: reading for pod, reading in reports.items() if reading is not None}
        return replace(
            scene,
            nodes=answered.nodes,
            stats=answered.stats,
            evacuations=answered.evacuations,
            own={p: session_store.own(r, "") for p, r in known.items()},
            brokers={p: r.value.node for p, r in known.items() if r.value},
        )

    async def round(self) -> list[Any]:
        """What the next round of questions tells."""
        await until(lambda: self.clock.is_slept_on)
        self.told.clear()
        self.clock.tick(1.0)
        await until(lambda: any(isinstance(item, NodeReports) for item in self.told) and self.clock.is_slept_on)
        return list(self.told)

    async def minute(self) -> None:
        """Every round of a minute, whenever each is due."""
        for _ in range(600):
            self.clock.tick(0.1)
            for _ in range(50):
                await asyncio.sleep(0)

    def reports(self) -> NodeReports:
        return next(item for item in reversed(self.told) if isinstance(item, NodeReports))

    def asked(self, paths: set[str]) -> list[str]:
        """The pods that were asked for one of `paths`, in order."""
        return [request.pod for request in self.emqx.sent if request.path in paths]


@asynccontextmanager
async def asking(scene: build.Scene, answers: dict[Any, Any] | None = None) -> AsyncIterator[Desk]:
    desk = Desk(scene, answers)
    task = asyncio.create_task(desk.brokers.run())
    try:
        await until(lambda: any(isinstance(item, NodeReports) for item in desk.told))
        yield desk
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def for_ever(request: Any) -> Any:
    await asyncio.Event().wait()


DRAINING, AT_REST = build.draining(), build.idle()
EVICTING = build.with_place(build.approved(DRAINING, "node:2"), "blue", 2, **build.draining_place())


async def test_every_figure_of_a_node_comes_from_that_node() -> None:
    async with asking(DRAINING) as desk:
        await desk.round()
        assert {answer.key[0] for answer in desk.reports().answers} == set(desk.pods)
        for request in desk.emqx.sent:
            assert request.path in {*OF_CLUSTER, OWN, GREETING} or build.node_name(request.pod) in request.path
        seen = desk.snapshot()
        assert [m.live_connections for m in seen.members] == [7] * 6
        assert [m.node.version for m in seen.members if m.node] == ["4.4.15"] * 6
        assert all(m.own.value and not m.own.value.enabled for m in seen.members)


async def test_a_node_says_its_name_where_the_cluster_has_not_told_it() -> None:
    async with asking(DRAINING, {NODES: Unreachable("did not answer in time")}) as desk:
        assert set(desk.asked({GREETING})) == set(desk.pods)
        await desk.round()
        await desk.round()
        assert len(desk.asked({GREETING})) == 6, "once is enough"


async def test_a_second_costs_one_request_a_node_and_the_cluster_is_asked_every_five_seconds() -> None:
    async with asking(DRAINING) as desk:
        desk.drains = set()
        for _ in range(6):
            await desk.round()
        desk.emqx.sent.clear()
        for _ in range(30):
            await desk.round()
            assert desk.snapshot().stats.age_s(desk.clock.now()) == 0.0
        of_cluster = [request for request in desk.emqx.sent if request.path in OF_CLUSTER]
        assert len(of_cluster) == 2 * 30 / CLUSTER_EVERY_S
        assert len(desk.asked({OWN})) == 3 * 30 / EVICTION_EVERY_S + 3 * 30 / SELDOM_EVICTION_EVERY_S
        assert len(desk.emqx.sent) - len(of_cluster) - len(desk.asked({OWN})) == 6 * 30


async def test_a_node_whose_drain_was_noted_or_that_is_evacuated_tells_its_eviction_every_second() -> None:
    async with asking(DRAINING) as desk:
        noted, evacuated = desk.pods[:2]
        desk.drains = set()
        desk.emqx.answers[evacuated, OWN] = {"status": "enabled", "stats": {"connections": 3, "sessions": 3}}
        for _ in range(7):
            await desk.round()
        desk.drains = {noted}
        desk.emqx.sent.clear()
        for _ in range(10):
            await desk.round()
        assert [desk.asked({OWN}).count(pod) for pod in (noted, evacuated)] == [10, 10]


async def test_what_a_node_said_of_its_eviction_tells_its_own_age() -> None:
    async with asking(DRAINING) as desk:
        desk.drains, ages = set(), []
        for _ in range(int(SELDOM_EVICTION_EVERY_S)):
            await desk.round()
            now, members = desk.clock.now(), desk.snapshot().members
            ages.append({(m.colour, m.own.age_s(now)) for m in members})
        blue, green = (1.0, 0.0) * 3, (1.0, 2.0, 3.0, 4.0, 5.0, 0.0)
        assert ages == [{(Colour.BLUE, b), (Colour.GREEN, g)} for b, g in zip(blue, green, strict=True)]


async def test_a_version_is_asked_once_a_minute_and_after_every_silence() -> None:
    async with asking(DRAINING) as desk:
        of_nodes = {f"{API}/nodes/{build.node_name(pod)}" for pod in desk.pods}
        for _ in range(3):
            await desk.round()
        desk.emqx.sent.clear()
        for _ in range(60):
            await desk.round()
        assert sorted(desk.asked(of_nodes)) == sorted(desk.pods)
        desk.emqx.sent.clear()
        desk.emqx.answers[HUNG, OWN] = Unreachable("connection refused")
        await desk.round()
        desk.emqx.answers[HUNG, OWN] = {"status": "disabled"}
        await desk.round()
        assert desk.asked(of_nodes) == [HUNG]


async def test_a_node_of_a_cluster_at_rest_costs_sixty_requests_a_minute_at_most() -> None:
    async with asking(AT_REST) as desk:
        desk.drains = set()
        await desk.minute()
        desk.emqx.sent.clear()
        await desk.minute()
        assert 100 < len(desk.emqx.sent) <= 60 * len(desk.pods)
        seen = desk.snapshot()
        assert seen.stats.age_s(desk.clock.now()) < 2.0
        assert all(m.own.value and not m.own.value.enabled for m in seen.members)


async def test_an_evacuation_that_somebody_starts_at_rest_is_followed_every_second() -> None:
    async with asking(AT_REST) as desk:
        desk.drains = set()
        await desk.minute()
        own = {"status": "enabled", "stats": {"connections": 3, "sessions": 3}}
        desk.emqx.answers[desk.pods[0], OWN] = own
        await desk.minute()
        desk.emqx.sent.clear()
        await desk.minute()
        assert len([pod for pod in desk.asked({OWN}) if pod == desk.pods[0]]) >= 50


async def test_the_cluster_is_asked_of_one_node_in_turn() -> None:
    async with asking(DRAINING) as desk:
        for _ in range(int(CLUSTER_EVERY_S) * 6):
            await desk.round()
        asked = desk.asked({NODES})
        assert len(set(asked)) == 6
        assert asked[:3] == [f"{build.GREEN_NAME}-{k}" for k in range(3)]


async def test_a_hung_node_is_found_at_once_and_no_other_is_kept_from_answering() -> None:
    async with asking(DRAINING) as desk:
        await desk.round()
        desk.emqx.answers.update({(HUNG, OWN): for_ever})
        desk.emqx.answers.update({NODES: for_ever})
        for _ in range(3):
            await desk.round()
            assert {answer.key[0] for answer in desk.reports().answers} >= set(desk.pods) - {HUNG}


async def test_nobody_is_asked_about_the_cluster_while_a_node_keeps_silent() -> None:
    async with asking(DRAINING) as desk:
        await desk.round()
        desk.emqx.answers[HUNG, OWN] = for_ever
        await desk.round()
        desk.emqx.sent.clear()
        for _ in range(12):
            await desk.round()
        assert desk.asked(OF_CLUSTER) == []


async def test_one_question_about_the_cluster_at_a_time() -> None:
    async with asking(DRAINING, {NODES: for_ever}) as desk:
        for _ in range(12):
            await desk.round()
        assert len(desk.asked({NODES})) == 1


async def test_the_cluster_is_asked_at_once_when_a_node_says_what_it_has_not_told() -> None:
    async with asking(DRAINING) as desk:
        for _ in range(2):
            await desk.round()
        drained = f"{build.BLUE_NAME}-2"
        desk.emqx.answers[drained, OWN] = {"status": "enabled", "stats": {"connections": 3, "sessions": 3}}
        await desk.round()
        desk.emqx.sent.clear()
        await desk.round()
        assert len(desk.asked({GLOBAL})) == 1
        seen = next(m for m in desk.snapshot().members if m.name == drained)
        assert seen.evacuation is not None
        assert (seen.evacuation.current_connected, seen.evacuation.initial_connected) == (3, None)
        assert not seen.accepts_clients


async def test_sessions_that_stay_behind_are_seen_by_the_count_that_is_not_sampled() -> None:
    drained = f"{build.BLUE_NAME}-2"
    name = build.node_name(drained)
    async with asking(DRAINING) as desk:
        desk.emqx.answers[drained, OWN] = {"status": "enabled", "stats": {"connections": 0, "sessions": 0}}
        told = {"node": name, "version": "4.4.14", "connections": 10}
        desk.emqx.answers[f"{API}/nodes/{name}"] = {"code": 0, "data": told}
        await desk.round()
        stats = next(a.report.stats for a in desk.reports().answers if a.key[0] == drained and a.report)
        assert stats.sessions == 10
        desk.emqx.answers[f"{API}/nodes/{name}"] = {"code": 0, "data": {**told, "connections": "undefined"}}
        await desk.round()
        stats = next(a.report.stats for a in desk.reports().answers if a.key[0] == drained and a.report)
        assert stats.sessions == 9, "as sampled: a member's first moments have no number"


async def test_a_silent_node_keeps_what_it_said_with_its_age() -> None:
    async with asking(DRAINING) as desk:
        await desk.round()
        desk.emqx.answers[HUNG, OWN] = Unreachable("did not answer in time")
        await desk.round()
        seen = next(m for m in desk.snapshot().members if m.name == HUNG)
        assert (seen.live_connections, seen.own.problem, seen.is_suspect) == (None, "did not answer in time", True)
        assert seen.own.read_at == START.replace(second=1)
        assert desk.snapshot().stats.problem == "", "the others answer"


async def test_a_node_is_said_to_be_silent_in_cluster_time_however_long_its_connection_waits() -> None:
    async with asking(DRAINING) as desk:
        await desk.round()
        desk.emqx.answers[HUNG, OWN] = for_ever
        for _ in range(10):
            await desk.round()
        seen = next(m for m in desk.snapshot().members if m.name == HUNG)
        assert (seen.is_suspect, "did not answer in time" in seen.own.problem) == (True, True)
        stats = desk.snapshot().stats
        assert (stats.problem, stats.age_s(desk.clock.now())) == ("", 0.0), "the others' figures are not held up by it"


BROKEN: dict[str, tuple[str, Any, str]] = {
    "the plugin is not loaded": (OWN, EmqxReply(404, None, "Not found."), "is the plugin loaded?"),
    "the plugin is not loaded, as the client says it": (
        OWN,
        NotFound("Not found.", status=404),
        "is the plugin loaded?",
    ),
    "a crash": (OWN, EmqxReply(500, None, "Internal \x1b[2JError"), "answered 500 Internal \ufffd[2JError"),
    "no JSON": (OWN, EmqxReply(200, None, "<html>"), "answered 200 <html>"),
    "another shape": (OWN, {"status": "perhaps"}, "$.status"),
    "it boots": (GREETING, EmqxReply(503, None, "Node x@y is started\nemqx is not running"), "the node is starting"),
}


@pytest.mark.parametrize(("path", "answer", "words"), BROKEN.values(), ids=BROKEN)
async def test_what_is_wrong_is_said_and_nothing_is_guessed(path: str, answer: Any, words: str) -> None:
    answers = {(HUNG, path): answer} if path != GREETING else {(HUNG, path): answer, NODES: Unreachable("x")}
    async with asking(DRAINING, answers) as desk:
        told = next(each for each in desk.reports().answers if each.key[0] == HUNG)
        assert told.report is None
        assert words in told.problem
        assert all(each.report for each in desk.reports().answers if each.key[0] != HUNG)


async def test_a_node_that_boots_is_not_said_to_lack_its_plugin() -> None:
    booting = build.with_place(DRAINING, "green", 1, is_ready=False)
    async with asking(booting, {(HUNG, OWN): EmqxReply(404, None, "Not found.")}) as desk:
        told = next(each for each in desk.reports().answers if each.key[0] == HUNG)
        assert told.problem.endswith("the node is starting")


async def test_what_is_wrong_with_the_view_of_a_node_is_said() -> None:
    async with asking(DRAINING, {GLOBAL: {"evacuations": "none"}}) as desk:
        await desk.round()
        assert desk.store.nodes.problem.endswith("unexpected answer: $.evacuations: expected an array, found a string")


async def test_one_url_for_all_nodes_gives_counts_and_no_eviction_status() -> None:
    refused = Rejected("write {pod} into the URL")
    async with asking(DRAINING, {OWN: refused, **{(pod, GREETING): refused for pod in Desk(DRAINING).pods}}) as desk:
        await desk.round()
        await desk.round()
        assert [m.live_connections for m in desk.snapshot().members] == [7] * 6
        assert all(m.own.value is None for m in desk.snapshot().members)


async def test_refused_credentials_are_read_anew() -> None:
    async with asking(DRAINING) as desk:
        desk.emqx.answers[OWN] = Unauthorized("401", status=401)
        await desk.round()
        assert "401" in desk.reports().answers[0].problem
        desk.emqx.answers[OWN] = {"status": "disabled"}
        desk.kube.answers[SECRET] = bootstrap("emqx_operator_controller:changed")
        await desk.round()
        assert all(answer.report for answer in desk.reports().answers)
        assert desk.emqx.credentials[-1] == ("emqx_operator_controller", "changed")


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (Forbidden("secrets is forbidden", status=403), "secrets is forbidden"),
        (bootstrap("no colon here"), "no line key:secret"),
        ({"metadata": {"name": "s"}, "data": {"bootstrap_user": "%%%"}}, "base64"),
    ],
    ids=["forbidden", "no line", "no base64"],
)
async def test_without_credentials_nobody_is_asked(secret: Any, words: str) -> None:
    desk = Desk(DRAINING)
    desk.kube.answers[SECRET] = secret
    task = asyncio.create_task(desk.brokers.run())
    await until(lambda: desk.told)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert words in desk.told[0].problem
    assert desk.emqx.sent == []


async def test_a_cluster_without_running_pods_is_said_to_have_none() -> None:
    async with asking(build.with_side(build.idle(), "blue", places={})) as desk:
        assert "no EMQX pod" in desk.told[0].problem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("emqx_operator_controller:x", ("emqx_operator_controller", "x")),
        ("mine:a\nemqx_operator_controller:x\nlast:b", ("emqx_operator_controller", "x")),
        ("mine:a\nyours:b", ("yours", "b")),
        ("  mine:a:with:colons  \n", ("mine", "a:with:colons")),
        ("", None),
        (":", None),
        ("key:", None),
    ],
)
def test_credentials_are_the_operators_own_or_any(text: str, found: tuple[str, str] | None) -> None:
    assert credentials(text) == found


async def test_no_question_raises_into_the_session_whatever_is_answered() -> None:
    for error in (Unreachable("x"), Unauthorized("x"), Forbidden("x"), AdapterError("x")):
        async with asking(EVICTING, {NODES: error, OWN: error}) as desk:
            assert [item for item in desk.told if isinstance(item, ClusterAnswer)]
