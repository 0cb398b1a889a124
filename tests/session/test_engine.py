"""The engine's thread: one message until the screens fetch, an end within a second, and failures that are told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from emqx_tui.model.errors import Unauthorized
from emqx_tui.model.kinds import Kind
from emqx_tui.model.kube_object import Meta
from emqx_tui.model.secret import Secret
from emqx_tui.model.workloads import Lease
from emqx_tui.rollout.intents import Hold, TakeOver
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.state.journal import journal_name
from emqx_tui.session.engine import LOW_BANDWIDTH_S, TELL_EVERY_S, Engine, Identity
from emqx_tui.session.options import Options
from emqx_tui.session.ports import Listed, Scope, WatchSink
from emqx_tui.session.records.driver_lease import YIELD_S
from emqx_tui.session.views.fleet_view import ClusterRow
from emqx_tui.session.views.published import Published
from tests.support import scenes as build
from tests.support.fakes import FakeClock, FakeEmqx, FakeHost, FakeKube

DEADLINE_S = 10.0
KEY = ("default", "emqx-ee")


class Connection:
    """A connection to a cluster that has one EmqxEnterprise and says nothing else."""

    def __init__(self) -> None:
        self.kube = FakeKube(on_watch=self._list)
        self.clock, self.host = FakeClock(), FakeHost()
        self.is_closed = False
        self.sinks: list[WatchSink] = []
        self.scopes: list[Scope] = []
        """Of the lists of clusters."""

    def _list(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        if kind is Kind.EMQX_ENTERPRISE and not scope.field_selector:
            self.scopes.append(scope)
        if kind is Kind.EMQX_ENTERPRISE:
            self.sinks.append(sink)
            sink(Listed(kind, {KEY: build.idle().resource()}))
        else:
            sink(Listed(kind, {}))

    def emqx(self, namespace: str, name: str, /) -> FakeEmqx:
        return FakeEmqx()

    async def close(self) -> None:
        self.is_closed = True


class Desk:
    """An engine, its connection and the messages that it sent to the screen, each as soon as there was news."""

    def __init__(self, connect: Callable[[], Any] | None = None) -> None:
        self.connection = Connection()
        self.told = 0
        self.changed = threading.Condition()

        async def plain() -> Connection:
            return self.connection

        identity = Identity("prod", "https://k", None, person="ann@host")
        self.engine = Engine(identity, connect or plain, Options(drives=False), tell_every_s=0.0)

    def on_change(self) -> None:
        with self.changed:
            self.told += 1
            self.changed.notify_all()

    def start(self) -> Desk:
        self.engine.start(self.on_change)
        return self

    def published(self) -> Published:
        return self.engine.published()

    def until(self, condition: Callable[[], Any]) -> None:
        """Fetch after each message, as the screen does, until `condition` holds."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            with self.changed:
                seen = self.told
                if condition():
                    return
                left = deadline - time.monotonic()
                assert left > 0, "it never came true"
                self.changed.wait_for(lambda seen=seen: self.told > seen, timeout=min(left, 0.2))


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.engine.stop()


def in_engine(desk: Desk, work: Callable[[], None]) -> None:
    """Run `work` in the engine's loop and wait for it."""
    done = threading.Event()
    loop = desk.engine._loop
    assert loop is not None
    loop.call_soon_threadsafe(lambda: (work(), done.set()))
    assert done.wait(DEADLINE_S)


def test_clusters_appear(desk: Desk) -> None:
    desk.start().until(lambda: desk.published().fleet.rows)
    assert desk.published().fleet.is_synced
    assert desk.engine.person() == "ann@host"


def test_a_screen_that_fetches_nothing_gets_one_message(desk: Desk) -> None:
    desk.start().until(lambda: desk.published().fleet.rows)
    desk.published()
    before = desk.told
    resource = build.idle().resource()

    def burst() -> None:
        for version in range(200):
            changed = replace(resource, meta=replace(resource.meta, resource_version=str(2000 + version)))
            desk.connection.sinks[0](Listed(Kind.EMQX_ENTERPRISE, {KEY: changed}))

    in_engine(desk, burst)
    assert desk.told == before + 1
    assert desk.published().fleet.rows[0].resource.meta.resource_version == "2199"
    in_engine(desk, burst)
    assert desk.told == before + 2


def test_another_namespace_is_listed_and_what_is_driven_goes_on(desk: Desk) -> None:
    desk.start().until(lambda: desk.published().fleet.rows)
    desk.engine.open(*KEY)
    desk.until(lambda: KEY in desk.engine._sessions)
    session = desk.engine._sessions[KEY]
    desk.engine.look_at("mqtt-eu")
    desk.until(lambda: desk.published().fleet.namespace == "mqtt-eu")
    desk.engine.look_at(None)
    desk.until(lambda: desk.published().fleet.namespace is None and desk.published().fleet.rows)
    assert [scope.namespace for scope in desk.connection.scopes] == [None, "mqtt-eu", None]
    assert desk.engine._sessions[KEY] == session


def test_a_fetch_makes_the_next_message_due(desk: Desk) -> None:
    desk.start().until(lambda: desk.published().fleet.rows)
    in_engine(desk, lambda: desk.connection.sinks[0](Listed(Kind.EMQX_ENTERPRISE, {})))
    before = desk.told
    desk.published()
    in_engine(desk, lambda: desk.connection.sinks[0](Listed(Kind.EMQX_ENTERPRISE, {})))
    assert desk.told == before + 1


def test_an_opened_cluster_publishes_views_and_takes_intents(desk: Desk) -> None:
    desk.start()
    desk.engine.open(*KEY)
    desk.until(lambda: (view := desk.published().view) is not None and view.snapshot.resource.value is not None)
    desk.engine.submit(Hold("ann@host"))
    desk.until(lambda: (view := desk.published().view) is not None and "no release is running" in str(view.notice))


def test_a_cluster_opened_before_the_connection_stands_is_opened_with_it() -> None:
    gate = threading.Event()
    made: list[Desk] = []

    async def slow() -> Connection:
        await asyncio.get_running_loop().run_in_executor(None, gate.wait, DEADLINE_S)
        return made[0].connection

    desk = Desk(slow)
    made.append(desk)
    desk.start().engine.open(*KEY)
    gate.set()
    desk.until(lambda: desk.published().view is not None)
    desk.engine.stop()


def test_a_closed_cluster_without_release_ends_its_session(desk: Desk) -> None:
    desk.start()
    desk.engine.open(*KEY)
    desk.until(lambda: desk.published().view is not None)
    desk.engine.close()
    assert desk.published().view is None
    desk.until(lambda: not desk.engine._sessions)


def test_the_end_comes_within_a_second_and_closes_the_connection(desk: Desk) -> None:
    desk.start()
    desk.engine.open(*KEY)
    desk.until(lambda: desk.published().view is not None)
    began = time.monotonic()
    desk.engine.stop()
    assert time.monotonic() - began < 1.0
    assert not desk.engine._thread.is_alive()
    assert desk.connection.is_closed
    assert desk.engine.failure is None


def test_an_end_right_after_the_beginning_is_an_end_too() -> None:
    for _ in range(20):
        desk = Desk().start()
        desk.engine.stop()
        assert not desk.engine._thread.is_alive()


def test_stopping_twice_or_before_the_start_is_no_error(desk: Desk) -> None:
    never = Desk()
    never.engine.stop()
    assert not never.connection.is_closed, "there was none"
    desk.start().until(lambda: desk.published().fleet.rows)
    desk.engine.stop()
    desk.engine.stop()
    assert desk.connection.is_closed
    assert not desk.engine._thread.is_alive()


def test_calls_after_the_end_are_ignored(desk: Desk) -> None:
    desk.start().engine.stop()
    sent, told = len(desk.connection.kube.sent), desk.told
    desk.engine.open(*KEY)
    desk.engine.submit(Hold("ann@host"))
    desk.engine.close()
    assert (len(desk.connection.kube.sent), desk.told) == (sent, told)


def test_an_end_while_the_connection_hangs_comes_as_soon() -> None:
    async def hangs() -> Connection:
        await asyncio.Event().wait()
        raise AssertionError

    desk = Desk(hangs).start()
    desk.until(lambda: desk.engine._main is not None)
    began = time.monotonic()
    desk.engine.stop()
    assert time.monotonic() - began < 1.0
    assert not desk.engine._thread.is_alive()


def test_why_there_is_no_connection_is_told_meanwhile() -> None:
    async def refused() -> Connection:
        raise Unauthorized("the token has expired", status=401)

    desk = Desk(refused).start()
    desk.until(lambda: "the token has expired" in desk.published().fleet.problem)
    desk.engine.stop()
    assert desk.engine.failure is None


def test_a_bug_that_ends_the_engine_is_told_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> Connection:
        raise ZeroDivisionError("a bug")

    desk = Desk(broken).start()
    desk.until(lambda: "ZeroDivisionError" in desk.published().fleet.problem)
    desk.engine.stop()
    assert isinstance(desk.engine.failure, ZeroDivisionError)
    assert "the engine ended" in caplog.text


def test_a_session_that_breaks_is_told_in_its_view_and_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.start()
    desk.engine.open(*KEY)
    desk.until(lambda: desk.published().view is not None)
    session, _ = desk.engine._sessions[KEY]
    in_engine(desk, lambda: session._put(object()))
    desk.until(lambda: (view := desk.published().view) is not None and "internal error" in str(view.notice))
    assert "ended" in caplog.text
    assert desk.engine.failure is None


class Timetable:
    """The part of an event loop that tells the time and does things later."""

    def __init__(self) -> None:
        self.now, self.later = 0.0, list[tuple[float, Callable[..., None], tuple[Any, ...]]]()

    def time(self) -> float:
        return self.now

    def is_closed(self) -> bool:
        return False

    def call_later(self, delay_s: float, work: Callable[..., None], *arguments: Any) -> None:
        self.later.append((self.now + delay_s, work, arguments))

    def to(self, now: float) -> None:
        self.now = now
        due, self.later = [e for e in self.later if e[0] <= now], [e for e in self.later if e[0] > now]
        for _, work, arguments in due:
            work(*arguments)


@pytest.mark.parametrize(("every_s", "at_most"), [(TELL_EVERY_S, 11), (LOW_BANDWIDTH_S, 5)])
def test_the_screen_is_told_no_more_often_than_it_may_draw(every_s: float, at_most: int) -> None:
    connection, timetable, told = Connection(), Timetable(), list[float]()

    async def plain() -> Connection:
        return connection

    engine = Engine(Identity("prod", "https://k", None), plain, Options(), tell_every_s=every_s)
    engine._loop = timetable  # pyright: ignore[reportAttributeAccessIssue]

    def fetch() -> None:
        told.append(timetable.now)
        engine.published()

    engine._on_change = fetch
    for tick in range(101):
        timetable.to(tick / 100)
        engine._tell()
    assert told[0] == 0.0
    assert at_most - 1 <= len(told) <= at_most, "news came a hundred times"


# --- releases of the list ----------------------------------------------------------------------------------------


class Releasing(Connection):
    """A cluster in a release whose journal, lease and workloads can be read; its brokers say nothing."""

    def __init__(self, scene: build.Scene, holder: str) -> None:
        super().__init__()
        assert scene.journal is not None
        seen, name = scene.snapshot(), journal_name(scene.journal.name)
        meta = Meta("default", name, "uid-records", "1", None, False, 1, (), "uid-cr")
        self.found: dict[Kind, dict[tuple[str, str], Any]] = {
            Kind.EMQX_ENTERPRISE: {KEY: scene.resource()},
            Kind.STATEFUL_SET: {("default", found.name): found for found in seen.stateful_sets.value or ()},
            Kind.POD: {("default", found.name): found for found in seen.pods.value or ()},
            Kind.SERVICE: {("default", found.meta.name): found for found in seen.services.value or ()},
            Kind.SECRET: {("default", name): Secret(meta, {"journal": scene.journal.dumps()})},
            Kind.LEASE: {("default", name): Lease(meta, holder, 15, 0)} if holder else {},
        }

    def _list(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        self.sinks.append(sink)
        sink(Listed(kind, self.found.get(kind, {})))


def row_of(desk: Desk) -> ClusterRow | None:
    return next(iter(desk.published().fleet.rows), None)


def test_the_list_tells_hold_and_driver_of_a_release_that_nobody_has_opened() -> None:
    desk = Desk()
    desk.connection = Releasing(build.held(build.draining()), "bob@bastion/7")
    desk.start().until(lambda: (row := row_of(desk)) and row.is_held)
    row = row_of(desk)
    assert row is not None
    assert (row.driver, row.is_mine, row.is_undriven, row.needs_person) == ("bob@bastion/7", False, False, True)
    assert desk.published().view is None
    desk.engine.stop()


def test_a_gate_that_is_shut_calls_nobody() -> None:
    """With brokers that say nothing no gate can be approved; an open one is in the list of `test_looking.py`."""
    desk = Desk()
    desk.connection = Releasing(build.draining(), "bob@bastion/7")
    desk.start().until(lambda: (row := row_of(desk)) and row.driver and row.phase is Phase.DRAINING)
    row = row_of(desk)
    assert row is not None
    assert (row.gate, row.needs_person) == (None, False)
    desk.engine.stop()


def test_a_release_without_a_driver_is_told_and_not_taken_by_looking_at_the_list() -> None:
    desk = Desk()
    connection = desk.connection = Releasing(build.draining(), "")
    desk.start().until(lambda: (row := row_of(desk)) and row.phase is Phase.DRAINING)

    def tick_until(condition: Callable[[], Any]) -> None:
        """Without the desk's lock: the engine must be free to tell while time goes on."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            in_engine(desk, lambda: connection.clock.tick(1.0))

    def is_lease_asked_for() -> bool:
        return any("leases" in request.path and request.method == "POST" for request in connection.kube.sent)

    tick_until(lambda: (row := row_of(desk)) and row.is_undriven)
    assert connection.clock.elapsed_s >= YIELD_S
    tick_until(lambda: connection.clock.elapsed_s > 3 * YIELD_S)
    assert not is_lease_asked_for()
    desk.engine.open(*KEY)
    tick_until(lambda: connection.clock.elapsed_s > 6 * YIELD_S)
    assert not is_lease_asked_for(), "opening it is no order to drive it"
    desk.engine.submit(TakeOver("ann"))
    tick_until(is_lease_asked_for)
    desk.engine.stop()


def test_a_release_that_has_ended_is_followed_no_longer() -> None:
    desk = Desk()
    connection = desk.connection = Releasing(build.draining(), "bob@bastion/7")
    desk.start().until(lambda: (row := row_of(desk)) and row.phase is Phase.DRAINING)
    connection.found = {Kind.EMQX_ENTERPRISE: {KEY: build.done().resource()}}

    def end() -> None:
        for kind in (Kind.SECRET, Kind.LEASE, Kind.EMQX_ENTERPRISE):
            for sink in connection.sinks:
                sink(Listed(kind, connection.found.get(kind, {})))

    in_engine(desk, end)
    desk.until(lambda: not desk.engine._sessions)
    desk.engine.stop()
