"""The tasks that look: whom they ask, what they make of the answers, and that nothing of it raises."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emqx_tui.model.errors import AdapterError, Forbidden, Unauthorized, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.rollout.requests import EmqxReply
from emqx_tui.session.sources import MAX_TRIES, Brokers, credentials, read_operator_image, scopes
from emqx_tui.session.store import BrokerAnswer, OwnAnswer
from tests.support import scenes as build
from tests.support.fakes import FakeClock, FakeEmqx, FakeKube, until

SECRET = "/api/v1/namespaces/default/secrets/emqx-ee-bootstrap-user"
DEPLOYMENTS = "/apis/apps/v1/deployments"
NODES, STATS = "/api/v4/nodes", "/api/v4/stats"
STATUS, OWN = "/api/v4/load_rebalance/global_status", "/api/v4/node_eviction/status"
NODE = build.node_name(f"{build.GREEN_NAME}-0")
ANSWERS: dict[Any, Any] = {
    NODES: {"code": 0, "data": [{"node": NODE, "version": "4.4.15"}]},
    STATS: {"code": 0, "data": [{"node": NODE, "stats": {"live_connections.count": 7}}]},
    STATUS: {"rebalances": [], "evacuations": []},
    OWN: {"status": "enabled", "stats": {"connections": 3, "sessions": 3}},
}


def bootstrap(text: str = "emqx_operator_controller:topsecret") -> dict[str, Any]:
    return {"metadata": {"name": "s"}, "data": {"bootstrap_user": base64.b64encode(text.encode()).decode()}}


class Desk:
    """Polls between fake ports, of a cluster as a scene shows it."""

    def __init__(self, scene: build.Scene, answers: dict[Any, Any] | None = None) -> None:
        self.kube = FakeKube({SECRET: bootstrap()})
        self.emqx = FakeEmqx({**ANSWERS, **(answers or {})})
        self.clock, self.scene = FakeClock(), scene
        self.told: list[Any] = []
        self.brokers = Brokers(
            "default",
            "emqx-ee",
            kube=self.kube,
            emqx=self.emqx,
            clock=self.clock,
            latest=lambda: self.scene.snapshot(),
            put=self.told.append,
        )

    async def round(self) -> list[Any]:
        """What the next round of questions tells."""
        await until(lambda: self.clock.is_slept_on)
        self.told.clear()
        self.clock.tick(1.0)
        await until(lambda: self.clock.is_slept_on)
        assert any(isinstance(item, BrokerAnswer) for item in self.told)
        return list(self.told)

    def asked(self) -> list[str]:
        """The pods that were asked for the whole cluster, in order, each once in a row."""
        pods: list[str] = []
        for request in self.emqx.sent:
            if request.path != OWN and pods[-1:] != [request.pod]:
                pods.append(request.pod)
        return pods


@asynccontextmanager
async def polling(scene: build.Scene, answers: dict[Any, Any] | None = None) -> AsyncIterator[Desk]:
    desk = Desk(scene, answers)
    task = asyncio.create_task(desk.brokers.run())
    try:
        await until(lambda: desk.told)
        yield desk
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


DRAINING = build.draining()
EVICTING = build.with_place(build.approved(DRAINING, "node:2"), "blue", 2, **build.draining_place())


async def test_one_node_is_asked_for_all_of_them() -> None:
    async with polling(DRAINING) as desk:
        (answer,) = desk.told
        assert answer.nodes[0].name == NODE
        assert answer.stats[NODE].live_connections == 7
        assert answer.problem == ""
        assert len(desk.asked()) == 1


async def test_green_is_asked_first_and_nodes_that_are_evacuated_last() -> None:
    async with polling(EVICTING) as desk:
        assert desk.brokers._candidates(EVICTING.snapshot()) == [
            *(f"{build.GREEN_NAME}-{k}" for k in range(3)),
            f"{build.BLUE_NAME}-0",
            f"{build.BLUE_NAME}-1",
            f"{build.BLUE_NAME}-2",
        ]


async def test_who_answered_last_is_asked_again_until_it_is_evacuated() -> None:
    blue = f"{build.BLUE_NAME}-2"
    async with polling(build.idle()) as desk:
        desk.brokers._preferred = blue
        assert desk.brokers._candidates(build.waiting().snapshot())[0] == blue
        assert desk.brokers._candidates(EVICTING.snapshot())[-1] == blue


async def test_the_next_node_is_asked_when_one_is_silent() -> None:
    silent = {(f"{build.GREEN_NAME}-0", NODES): Unreachable("timed out")}
    async with polling(DRAINING, silent) as desk:
        (answer,) = desk.told
        assert answer.asked == f"{build.GREEN_NAME}-1"
        assert answer.problem == ""
        await desk.round()
        assert desk.asked()[-1] == f"{build.GREEN_NAME}-1"


async def test_a_round_gives_up_after_some_nodes_and_says_why() -> None:
    async with polling(DRAINING, {STATS: Unreachable("timed out")}) as desk:
        (answer,) = desk.told
        assert (answer.nodes, answer.stats, answer.evacuations) == (None, None, None)
        assert "timed out" in answer.problem
        assert len(desk.asked()) == MAX_TRIES


BROKEN: dict[str, tuple[str, Any, str]] = {
    "the plugin is not loaded": (STATUS, EmqxReply(404, None, "Not found."), "is the plugin loaded?"),
    "a crash": (NODES, EmqxReply(500, None, "Internal \x1b[2JError"), "answered 500 Internal �[2JError"),
    "no JSON": (NODES, EmqxReply(200, None, "<html>"), "answered 200 <html>"),
    "a refusal": (NODES, {"code": 101, "message": "rpc error"}, "unexpected answer"),
    "another shape": (STATUS, {"evacuations": "none"}, "$.evacuations"),
}


@pytest.mark.parametrize(("path", "answer", "words"), BROKEN.values(), ids=BROKEN)
async def test_what_is_wrong_is_said_and_nothing_is_guessed(path: str, answer: Any, words: str) -> None:
    async with polling(DRAINING, {path: answer}) as desk:
        (told,) = desk.told
        assert told.nodes is None
        assert words in told.problem


async def test_refused_credentials_are_read_anew() -> None:
    async with polling(DRAINING) as desk:
        desk.emqx.answers[NODES] = Unauthorized("401", status=401)
        (refused,) = await desk.round()
        assert "401" in refused.problem
        desk.emqx.answers[NODES] = ANSWERS[NODES]
        desk.kube.answers[SECRET] = bootstrap("emqx_operator_controller:changed")
        (answer,) = await desk.round()
        assert answer.problem == ""
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


async def test_each_evacuated_node_is_asked_for_its_own_word() -> None:
    async with polling(EVICTING) as desk:
        told = await desk.round()
        (own,) = [item for item in told if isinstance(item, OwnAnswer)]
        assert (own.pod, own.status.connections) == (f"{build.BLUE_NAME}-2", 3)
        assert [r.pod for r in desk.emqx.sent if r.path == OWN][-1] == f"{build.BLUE_NAME}-2"


async def test_a_node_that_keeps_silent_about_itself_is_told_as_silent() -> None:
    async with polling(EVICTING, {OWN: Unreachable("timed out")}) as desk:
        told = await desk.round()
        (own,) = [item for item in told if isinstance(item, OwnAnswer)]
        assert (own.status, own.problem) == (None, "timed out")


async def test_a_cluster_without_running_pods_is_said_to_have_none() -> None:
    async with polling(build.with_side(build.idle(), "blue", places={})) as desk:
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


def deployment(name: str, *images: str) -> dict[str, Any]:
    containers = [{"name": f"c{k}", "image": image} for k, image in enumerate(images)]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


OPERATOR = "emqx/emqx-operator-controller:2.2.29"
IMAGES: dict[str, tuple[Any, str | None, str]] = {
    "found": ({"items": [deployment("web", "nginx"), deployment("emqx-operator", "proxy:1", OPERATOR)]}, OPERATOR, ""),
    "none": ({"items": [deployment("web", "nginx")]}, None, "no Deployment"),
    "an empty list": ({"items": None}, None, "no Deployment"),
    "another shape": ({"items": [{"metadata": "x"}]}, None, "unexpected answer"),
    "no object": ([], None, "unexpected answer"),
    "forbidden": (Forbidden("deployments is forbidden", status=403), None, "deployments is forbidden"),
}


@pytest.mark.parametrize(("answer", "image", "problem"), IMAGES.values(), ids=IMAGES)
async def test_the_operators_image(answer: Any, image: str | None, problem: str) -> None:
    found = await read_operator_image(FakeKube({DEPLOYMENTS: answer}))
    assert found.image == image
    assert problem in found.problem


def test_what_is_watched_is_this_clusters_only() -> None:
    found = scopes("prod", "emqx-ee", "mqtt-in")
    assert set(found) == set(Kind)
    assert all(scope.namespace == "prod" for scope in found.values())
    assert found[Kind.ENDPOINTS].field_selector == "metadata.name=mqtt-in"
    assert found[Kind.ENDPOINT_SLICE].label_selector == "kubernetes.io/service-name=mqtt-in"
    assert found[Kind.SECRET].field_selector == "metadata.name=emqx-tui-emqx-ee"
    assert found[Kind.POD].label_selector == "apps.emqx.io/instance=emqx-ee"


async def test_no_source_raises_into_the_session_whatever_is_answered() -> None:
    for error in (Unreachable("x"), Unauthorized("x"), Forbidden("x"), AdapterError("x")):
        async with polling(EVICTING, {NODES: error, OWN: error}) as desk:
            assert desk.told
