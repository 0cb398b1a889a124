"""The list of clusters: what the watch says, what the brokers count, and what is missing to see more."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from emqx_tui.model.emqx_enterprise import StatusNode
from emqx_tui.model.errors import Forbidden, Unauthorized, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.nodes import NodeStats
from emqx_tui.model.reading import Reading
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.decision import Decision
from emqx_tui.rollout.phases import Phase
from emqx_tui.session.fleet import MAX_COUNTED, Fleet
from emqx_tui.session.ports import Alive, Changed, Listed, Lost, Removed, Scope, WatchSink
from emqx_tui.session.views.fleet_view import FleetView
from emqx_tui.session.views.view import View
from tests.support import scenes as build
from tests.support.fakes import START, FakeClock, FakeEmqx, FakeKube, until

CR = Kind.EMQX_ENTERPRISE
KEY = ("default", "emqx-ee")
SECRET = "/api/v1/namespaces/default/secrets/emqx-ee-bootstrap-user"
FORBIDDEN = Forbidden('emqxenterprises is forbidden: user "ann" cannot list at the cluster scope', status=403)


def resource(name: str = "emqx-ee", running: int = 3):
    found = build.idle().resource()
    nodes = tuple(StatusNode(f"x@{name}-{k}.h", "Running", "4.4.14", 9) for k in range(running))
    return replace(found, meta=replace(found.meta, name=name), status_nodes=nodes, ready_replicas=running)


def stats(*live: int) -> dict[str, Any]:
    rows = [{"node": f"x@emqx-ee-{k}.h", "stats": {"live_connections.count": n}} for k, n in enumerate(live)]
    return {"code": 0, "data": rows}


def bootstrap() -> dict[str, Any]:
    text = base64.b64encode(b"mine:secret\nemqx_operator_controller:topsecret").decode()
    return {"metadata": {"name": "s"}, "data": {"bootstrap_user": text}}


@dataclass
class Desk:
    """A fleet between fake ports."""

    kube: FakeKube = field(default_factory=FakeKube)
    clock: FakeClock = field(default_factory=FakeClock)
    emqx: dict[tuple[str, str], FakeEmqx] = field(default_factory=dict)
    views: list[FleetView] = field(default_factory=list)
    sessions: dict[tuple[str, str], View] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kube.answers.setdefault("/api/v1/namespaces/default/services/emqx-ee", {"kind": "Service"})

    count_after_s: float = 0.0

    def fleet(self, namespace: str | None) -> Fleet:
        return Fleet(
            context="prod",
            server="https://k",
            namespace=namespace,
            fallback_namespace="team-a",
            kube=self.kube,
            emqx=lambda ns, name: self.emqx.setdefault((ns, name), FakeEmqx()),
            clock=self.clock,
            session_view=self.sessions.get,
            publish=self.views.append,
            count_after_s=self.count_after_s,
        )

    @property
    def view(self) -> FleetView:
        return self.views[-1]

    def tell(self, item: Any) -> None:
        self.kube.sinks[CR](item)

    async def count_again(self) -> None:
        """Let the next round of questions to the brokers come to its end."""
        before = len(self.views)
        self.clock.tick(5.0)
        await until(lambda: len(self.views) > before)


@asynccontextmanager
async def running(namespace: str | None = None, desk: Desk | None = None) -> AsyncIterator[Desk]:
    desk = desk or Desk()
    task = asyncio.create_task(desk.fleet(namespace).run())
    try:
        await until(lambda: CR in desk.kube.sinks and desk.views)
        yield desk
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_before_the_first_list_nothing_is_claimed() -> None:
    async with running() as desk:
        assert not desk.view.is_synced
        assert desk.view.rows == ()
        desk.tell(Listed(CR, {}))
        assert desk.view.is_synced


async def test_the_first_list_is_told_before_a_broker_is_asked() -> None:
    asked = asyncio.Event()

    async def secret(request: Any) -> Any:
        asked.set()
        return bootstrap()

    desk = Desk(kube=FakeKube({SECRET: secret}), count_after_s=0.01)
    async with running(desk=desk), asyncio.timeout(10.0):
        desk.tell(Listed(CR, {KEY: resource()}))
        await asyncio.sleep(0)
        assert [row.resource.name for row in desk.view.rows] == ["emqx-ee"]
        assert not asked.is_set()
        await asked.wait()


async def test_clusters_come_change_and_go() -> None:
    async with running() as desk:
        desk.tell(Listed(CR, {KEY: resource(), ("b", "other"): resource("other")}))
        assert [row.resource.name for row in desk.view.rows] == ["other", "emqx-ee"]
        desk.tell(Changed(CR, KEY, resource(running=2)))
        assert [row.ready for row in desk.view.rows] == [3, 2]
        desk.tell(Removed(CR, ("b", "other")))
        assert [row.resource.name for row in desk.view.rows] == ["emqx-ee"]


async def test_a_lost_watch_keeps_the_list_and_says_why() -> None:
    async with running() as desk:
        desk.tell(Listed(CR, {KEY: resource()}))
        desk.tell(Lost(CR, Unreachable("connection refused")))
        assert desk.view.problem == "connection refused"
        assert len(desk.view.rows) == 1
        assert not desk.view.health[0].is_ok
        desk.tell(Alive(CR))
        assert desk.view.problem == ""
        assert desk.view.health[0].is_ok


async def test_without_the_right_to_list_everywhere_one_namespace_is_shown_and_the_verb_is_named() -> None:
    def refuse(kind: Kind, scope: Scope, sink: WatchSink) -> None:
        if scope.namespace is None:
            sink(Lost(kind, FORBIDDEN, is_final=True))

    async with running(desk=Desk(kube=FakeKube(on_watch=refuse))) as desk:
        await until(lambda: len(desk.kube.scopes) == 2)
        assert [scope.namespace for _, scope in desk.kube.scopes] == [None, "team-a"]
        desk.tell(Listed(CR, {("team-a", "x"): resource("x")}))
        assert desk.view.namespace == "team-a"
        assert len(desk.view.rows) == 1
        assert "only namespace team-a" in desk.view.problem
        assert "cannot list" in desk.view.problem


async def test_a_namespace_that_was_asked_for_is_not_left() -> None:
    async with running("team-b") as desk:
        desk.tell(Lost(CR, FORBIDDEN, is_final=True))
        for _ in range(50):
            await asyncio.sleep(0)
        assert [scope.namespace for _, scope in desk.kube.scopes] == ["team-b"]
        assert "cannot list" in desk.view.problem


async def test_a_passing_403_is_not_taken_for_final() -> None:
    async with running() as desk:
        desk.tell(Lost(CR, FORBIDDEN))
        desk.tell(Listed(CR, {KEY: resource()}))
        assert desk.view.namespace is None
        assert len(desk.kube.scopes) == 1


async def test_connections_are_counted_with_the_operators_credentials() -> None:
    desk = Desk(kube=FakeKube({SECRET: bootstrap()}), emqx={KEY: FakeEmqx({"/api/v4/stats": stats(10, 20, 0)})})
    async with running(desk=desk):
        desk.tell(Listed(CR, {KEY: resource()}))
        await desk.count_again()
        await until(lambda: desk.view.rows[0].live_connections == 30)
        assert desk.view.rows[0].live_at == desk.clock.now()
        assert desk.emqx[KEY].credentials == [("emqx_operator_controller", "topsecret")]
        assert {r.pod for r in desk.emqx[KEY].sent} <= {"emqx-ee-0", "emqx-ee-1", "emqx-ee-2"}


async def test_a_broker_that_falls_silent_leaves_the_last_count_with_its_age() -> None:
    desk = Desk(kube=FakeKube({SECRET: bootstrap()}), emqx={KEY: FakeEmqx({"/api/v4/stats": stats(10)})})
    async with running(desk=desk):
        desk.tell(Listed(CR, {KEY: resource(running=1)}))
        await desk.count_again()
        await until(lambda: desk.view.rows[0].live_connections == 10)
        counted_at = desk.view.rows[0].live_at
        desk.emqx[KEY].answers["/api/v4/stats"] = Unauthorized("the key was changed", status=401)
        await desk.count_again()
        await until(lambda: desk.view.rows[0].problem)
        row = desk.view.rows[0]
        assert (row.live_connections, row.live_at) == (10, counted_at)
        assert "the key was changed" in row.problem


async def test_a_node_that_was_scaled_away_is_not_missed_while_the_status_still_lists_it() -> None:
    desk = Desk(kube=FakeKube({SECRET: bootstrap()}), emqx={KEY: FakeEmqx({"/api/v4/stats": stats(10, 20)})})
    async with running(desk=desk):
        desk.tell(Listed(CR, {KEY: resource()}))
        await desk.count_again()
        await until(lambda: desk.view.rows[0].live_connections == 30)
        assert desk.view.rows[0].problem == ""


async def test_a_broker_that_emqx_does_not_count_leaves_the_last_whole_count() -> None:
    kube = FakeKube({SECRET: bootstrap(), "/api/v1/namespaces/default/pods/emqx-ee-2": {"kind": "Pod"}})
    desk = Desk(kube=kube, emqx={KEY: FakeEmqx({"/api/v4/stats": stats(10, 20, 30)})})
    async with running(desk=desk):
        desk.tell(Listed(CR, {KEY: resource()}))
        await desk.count_again()
        await until(lambda: desk.view.rows[0].live_connections == 60)
        counted_at = desk.view.rows[0].live_at
        desk.emqx[KEY].answers["/api/v4/stats"] = stats(10, 20)
        await desk.count_again()
        await until(lambda: desk.view.rows[0].problem)
        row = desk.view.rows[0]
        assert (row.live_connections, row.live_at) == (60, counted_at)
        assert row.problem == "EMQX does not count emqx-ee-2"


async def test_a_cluster_whose_credentials_cannot_be_read_is_listed_all_the_same() -> None:
    async with running() as desk:
        desk.tell(Listed(CR, {KEY: resource()}))
        await desk.count_again()
        await until(lambda: desk.view.rows[0].problem)
        assert desk.view.rows[0].live_connections is None
        assert "not found" in desk.view.rows[0].problem


async def test_many_clusters_are_listed_and_some_of_them_counted() -> None:
    desk = Desk()
    async with running(desk=desk):
        many = {("ns", f"c{k:03}"): resource(f"c{k:03}", running=0) for k in range(MAX_COUNTED + 5)}
        desk.tell(Listed(CR, many))
        await desk.count_again()
        await until(lambda: desk.view.rows[0].problem)
        assert len(desk.view.rows) == MAX_COUNTED + 5
        assert sum(1 for row in desk.view.rows if row.problem) == MAX_COUNTED


async def test_a_release_of_ours_shows_in_its_row() -> None:
    view = View(build.draining().snapshot(), Decision(Phase.DRAINING), journal=build.held(build.draining()).journal)
    async with running(desk=Desk(sessions={KEY: view})) as desk:
        desk.tell(Listed(CR, {KEY: resource(), ("b", "other"): resource("other")}))
        other, ours = desk.view.rows
        assert (ours.phase, ours.is_held) == (Phase.DRAINING, True)
        assert (other.phase, other.is_held) == (Phase.IDLE, False)


WHY = Unreadable("spec.replicas", "expected an integer, found a string")
SAID = "cannot be read: spec.replicas: expected an integer, found a string"


async def test_an_object_that_cannot_be_read_stays_in_the_list_with_what_was_known_of_it() -> None:
    async with running() as desk:
        desk.tell(Listed(CR, {KEY: resource(), ("b", "other"): resource("other")}))
        desk.clock.tick(30.0)
        desk.tell(Listed(CR, {("b", "other"): resource("other")}, {KEY: WHY}))
        desk.tell(Alive(CR))
        _, row = desk.view.rows
        assert (row.problem, row.unreadable) == (SAID, WHY)
        assert (row.is_known, row.resource, row.read_at) == (True, resource(), START)
        assert SAID in desk.view.problem
        assert desk.view.health[0].is_ok, "the watch answers: nothing is stale"
        desk.tell(Changed(CR, KEY, resource()))
        _, row = desk.view.rows
        assert (row.problem, row.unreadable, desk.view.problem) == ("", None, "")


async def test_an_object_that_never_could_be_read_is_listed_by_its_name() -> None:
    async with running() as desk:
        desk.tell(Listed(CR, {}, {KEY: WHY}))
        (row,) = desk.view.rows
        assert (row.resource.namespace, row.resource.name) == KEY
        assert (row.is_known, row.ready, row.live_connections) == (False, None, None)
        desk.tell(Removed(CR, KEY))
        assert desk.view.rows == ()


async def test_a_service_that_is_there_is_looked_at_once_a_minute() -> None:
    async with running() as desk:
        desk.tell(Listed(CR, {KEY: resource()}))
        for _ in range(24):
            await desk.count_again()
        looks = [request for request in desk.kube.sent if request.path.endswith("/services/emqx-ee")]
        assert len(looks) == 2, "24 when it was looked at with every count"


async def test_a_cluster_that_a_session_looks_at_is_not_counted_twice() -> None:
    desk = Desk(kube=FakeKube({SECRET: bootstrap()}))
    counted = {f"x@emqx-ee-{k}.h": NodeStats(1000 + k, 1000) for k in range(3)}

    def seen() -> View:
        snapshot = replace(build.idle().snapshot(), stats=Reading(counted, desk.clock.now()))
        return View(snapshot, Decision(Phase.IDLE))

    desk.sessions[KEY] = seen()
    async with running(desk=desk) as desk:
        desk.tell(Listed(CR, {KEY: resource()}))
        await until(lambda: desk.view.rows[0].live_at)
        assert desk.view.rows[0].live_connections == 3003
        assert not desk.emqx
        await desk.count_again()
        await desk.count_again()
        assert desk.emqx, "what the session counted is old by now"
