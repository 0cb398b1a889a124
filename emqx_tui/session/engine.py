"""The engine thread: the connection, the sessions and their timers, in an event loop of their own.

A terminal that stops reading blocks Textual's event loop; nothing here ever waits for that loop. Only the newest View
is kept, and one message tells the screen to fetch it; intents are submitted without waiting. The libraries that a
session needs are imported in this thread, after the first frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from emqx_tui.model.errors import AdapterError
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Clock, Emqx, Host, Kube, Recorder
from emqx_tui.session.views.fleet_view import FleetView, Role
from emqx_tui.session.views.notice import Notice, NoticeKind
from emqx_tui.session.views.published import Published

if TYPE_CHECKING:
    # The first screen loads nothing of a release.
    from emqx_tui.rollout.change import Draft, Plan, ReleaseOptions
    from emqx_tui.rollout.intents import Intent
    from emqx_tui.session.fleet import Fleet
    from emqx_tui.session.inspection.questions import Question
    from emqx_tui.session.session import Session
    from emqx_tui.session.views.view import View

logger = logging.getLogger(__name__)

Key = tuple[str, str]
RECONNECT_S = 5.0
TELL_EVERY_S = 0.1
"""Between two messages to the screen: ten frames a second, however fast news comes ..."""
LOW_BANDWIDTH_S = 0.25
"""... and four over a slow link."""
DRAWN_AFTER_S = 0.1
"""What a screen takes to draw the first list. Who asks brokers loads a library first, and would keep it from that."""
MAX_FOLLOWED = 10
"""Releases that are followed for the list at the same time: each takes a session's watches and polls."""


class Connected(Protocol):
    """What the engine needs of a connection."""

    @property
    def kube(self) -> Kube: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def host(self) -> Host: ...

    def emqx(self, namespace: str, name: str, /) -> Emqx: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Identity:
    """Which cluster this is, for the top line."""

    context: str
    server: str
    namespace: str | None
    """None: all namespaces."""
    fallback_namespace: str = "default"
    person: str = ""


class Engine:
    """Implements `session.backend.Backend` with one thread and one loop of its own."""

    def __init__(
        self,
        identity: Identity,
        connect: Callable[[], Awaitable[Connected]],
        options: Options,
        recorder: Callable[[str, str], Recorder | None] = lambda namespace, name: None,
        on_view: Callable[[View], None] = lambda view: None,
        *,
        tell_every_s: float = TELL_EVERY_S,
    ) -> None:
        """`on_view` sees the views of all sessions, in the engine's thread."""
        self.identity = identity
        self.is_read_only = options.read_only
        self._connect = connect
        self._options = options
        self._recorder = recorder
        self._on_view = on_view
        self._lock = threading.Lock()
        self._on_change: Callable[[], None] = lambda: None
        self._told = False
        self._tell_every_s, self._told_at = tell_every_s, float("-inf")
        self._is_stopping = False
        fleet = FleetView(identity.context, identity.server, identity.namespace, datetime.now(UTC))
        self._published = Published(fleet)
        """Without the view: that of the opened cluster is among `_views`."""
        self._views: dict[Key, View] = {}
        self._opened: Key | None = None
        self._namespace = identity.namespace
        self._moved = asyncio.Event()
        """Another namespace is to be looked at."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._sessions: dict[Key, tuple[Session, asyncio.Task[None]]] = {}
        self._connection: Connected | None = None
        self._fleet: Fleet | None = None
        self._judging: asyncio.Task[None] | None = None
        self._inspecting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.failure: BaseException | None = None
        """What ended the engine, if anything but `stop` did."""

    # -- for the screens, from any thread -------------------------------------------------------------------------

    def start(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        self._is_stopping = True
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(main.cancel)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def published(self) -> Published:
        with self._lock:
            self._told = False
            return replace(self._published, view=self._views.get(self._opened) if self._opened else None)

    def inspect_pod(self, pod: str) -> None:
        if (key := self._opened) is not None:
            self._call(self._inspect_pod(key, pod))

    def inspect(self, number: int, question: Question) -> None:
        if (key := self._opened) is not None:
            self._call(self._inspect(key, number, question))

    def stop_inspecting(self) -> None:
        self._call(self._stop_inspecting())

    def take_inventory(self) -> None:
        if (key := self._opened) is not None:
            self._call(self._take_inventory(key))

    def open(self, namespace: str, name: str) -> None:
        with self._lock:
            self._opened = (namespace, name)
            self._published = replace(self._published, edit_preview=None)
        self._call(self._open(namespace, name))

    def close(self) -> None:
        with self._lock:
            key, self._opened = self._opened, None
            self._published = replace(self._published, edit_preview=None)
        if key is not None:
            self._call(self._close(key))

    def look_at(self, namespace: str | None) -> None:
        self._call(self._look_at(namespace))

    def submit(self, intent: Intent) -> None:
        key = self._opened
        if key is not None:
            self._call(self._submit(key, intent))

    def pressed(self, action: str, place: str) -> None:
        key = self._opened
        if key is not None:
            self._call(self._pressed(key, action, place))

    def preview_edit(self, number: int, draft: Draft, options: ReleaseOptions) -> None:
        key = self._opened
        if key is not None:
            self._call(self._preview_edit(key, number, draft, options))

    def save(self, plan_or_draft: Plan | Draft) -> None:
        key = self._opened
        if key is not None:
            self._call(self._save(key, plan_or_draft))

    def person(self) -> str:
        return self.identity.person

    # -- in the engine's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            logger.exception("the engine ended")
            self.failure = error
            self._tell_problem(f"internal error, the engine has ended: {type(error).__name__} (see the log)")

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        if self._is_stopping:
            return
        try:
            from emqx_tui.session.fleet import Fleet

            connection = await self._connected()
            self._connection = connection
            for key in list(self._wanted()):
                await self._open(*key)
            while True:
                self._fleet = fleet = Fleet(
                    context=self.identity.context,
                    server=self.identity.server,
                    namespace=self._namespace,
                    fallback_namespace=self.identity.fallback_namespace,
                    kube=connection.kube,
                    emqx=connection.emqx,
                    clock=connection.clock,
                    session_view=lambda key: self._views.get(key),
                    publish=self._publish_fleet,
                    count_after_s=DRAWN_AFTER_S,
                )
                await self._until_moved(fleet)
        finally:
            await self._end()

    async def _until_moved(self, fleet: Fleet) -> None:
        """Look at one namespace, or at all, until another one is wanted."""
        self._moved.clear()
        looking, moved = asyncio.create_task(fleet.run()), asyncio.create_task(self._moved.wait())
        try:
            await asyncio.wait({looking, moved}, return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
        finally:
            looking.cancel()
            moved.cancel()
            await asyncio.gather(looking, moved, return_exceptions=True)

    async def _look_at(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._moved.set()

    async def _connected(self) -> Connected:
        """Retry until it connects; meanwhile the screen shows the error."""
        while True:
            try:
                return await self._connect()
            except AdapterError as error:
                self._tell_problem(error.message)
                await asyncio.sleep(RECONNECT_S)

    def _wanted(self) -> list[Key]:
        return [self._opened] if self._opened else []

    async def _end(self) -> None:
        running = [task for _, task in self._sessions.values()] + list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    async def _open(self, namespace: str, name: str) -> None:
        key = (namespace, name)
        await self._stop_inspecting()
        if key not in self._sessions:
            self._begin(key, self._options)

    def _begin(self, key: Key, options: Options) -> None:
        namespace, name = key
        connection = self._connection
        if connection is None:
            return
        ports = Ports(
            connection.kube,
            connection.emqx(namespace, name),
            connection.clock,
            connection.host,
            self._recorder(namespace, name),
        )
        from emqx_tui.session.session import Session

        session = Session(namespace, name, ports, options, lambda view: self._publish_view(key, view))
        self._sessions[key] = (session, asyncio.create_task(self._watched(key, session), name=f"session {name}"))

    async def _watched(self, key: Key, session: Session) -> None:
        """Run a session; restart it, with a notice, when it fails."""
        try:
            await session.run()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            logger.exception("the session of %s/%s ended", *key)
            view = self._views.get(key)
            if view is not None:
                words = f"internal error ({type(error).__name__}, see the log): the session starts anew"
                notice = Notice(NoticeKind.PROBLEM, words)
                self._publish_view(key, replace(view, notice=notice, notice_number=view.notice_number + 1))
            self._sessions.pop(key, None)
            await asyncio.sleep(RECONNECT_S)
            drives = view is not None and view.role is Role.DRIVER
            self._begin(key, replace(self._options, drives=drives))

    async def _close(self, key: Key) -> None:
        """End a session, unless its release is under way."""
        if self._opened is None:
            await self._stop_inspecting()
        entry = self._sessions.get(key)
        view = self._views.get(key)
        busy = view is not None and view.journal is not None and not view.result
        if entry is None or busy:
            return
        self._sessions.pop(key)
        entry[1].cancel()
        await asyncio.gather(entry[1], return_exceptions=True)
        with self._lock:
            self._views.pop(key, None)

    def _follow_releases(self, fleet: FleetView) -> None:
        """Give the first MAX_FOLLOWED releases of the list a session each; end sessions that are not needed."""
        releasing = [row.key for row in fleet.rows if row.is_worth_a_session][:MAX_FOLLOWED]
        for key in releasing:
            if key not in self._sessions:
                self._begin(key, self._options)
        for key in [key for key in self._sessions if key not in releasing and key != self._opened]:
            if key in self._views:
                self._call(self._close(key))

    async def _submit(self, key: Key, intent: Intent) -> None:
        if (entry := self._sessions.get(key)) is not None:
            entry[0].submit(intent)

    async def _pressed(self, key: Key, action: str, place: str) -> None:
        if (entry := self._sessions.get(key)) is not None:
            entry[0].pressed(action, place)

    async def _preview_edit(self, key: Key, number: int, draft: Draft, options: ReleaseOptions) -> None:
        if self._judging is not None:
            self._judging.cancel()
        entry = self._sessions.get(key)
        if entry is None:
            return

        async def judge() -> None:
            answer = await entry[0].preview_edit(number, draft, options)
            with self._lock:
                if self._opened == key:
                    self._published = replace(self._published, edit_preview=answer)
            self._tell()

        self._judging = self._spawn(judge())

    async def _inspect_pod(self, key: Key, pod: str) -> None:
        if (entry := self._sessions.get(key)) is not None:
            self._publish(pod_report=await entry[0].inspect_pod(pod))

    async def _inspect(self, key: Key, number: int, question: Question) -> None:
        """A question takes the place of the one before."""
        await self._stop_inspecting()
        if (entry := self._sessions.get(key)) is not None:
            work = entry[0].inspector().run(number, question, lambda answer: self._publish(answer=answer))
            self._inspecting = self._spawn(work)

    async def _stop_inspecting(self) -> None:
        task, self._inspecting = self._inspecting, None
        if task is not None:
            task.cancel()
        with self._lock:
            self._published = replace(self._published, answer=None)

    async def _take_inventory(self, key: Key) -> None:
        from emqx_tui.session.inspection.inventory import take_inventory

        if self._connection is not None:
            self._publish(inventory=await take_inventory(self._connection.kube, *key))

    async def _save(self, key: Key, edit: Plan | Draft) -> None:
        if (entry := self._sessions.get(key)) is not None:
            await entry[0].save(edit)

    # -- publishing -----------------------------------------------------------------------------------------------

    def _publish_view(self, key: Key, view: View) -> None:
        with self._lock:
            before, self._views[key] = self._views.get(key), view
        self._on_view(view)
        if key == self._opened:
            self._tell()
        if self._fleet is not None and (before is None or _in_list(before) != _in_list(view)):
            self._fleet.show()

    def _publish(self, **news: Any) -> None:
        """There is something newer by these names of `Published`."""
        with self._lock:
            self._published = replace(self._published, **news)
        self._tell()

    def _publish_fleet(self, view: FleetView) -> None:
        with self._lock:
            drivers = (each for each in self._views.values() if each.role is Role.DRIVER)
            view = replace(view, is_driving=any(each.has_duties for each in drivers))
            if view.is_synced and not self._published.fleet.is_synced:
                # The first list is what a person waits for: it follows a frame at once.
                self._told_at = float("-inf")
        self._publish(fleet=view)
        self._follow_releases(view)

    def _tell_problem(self, problem: str) -> None:
        self._publish(fleet=replace(self._published.fleet, problem=problem, now=datetime.now(UTC)))

    def _tell(self) -> None:
        """Send a message when one is due, unless one is pending that the screens have not fetched for yet."""
        with self._lock:
            first, self._told = not self._told, True
        loop = self._loop
        if loop is None or loop.is_closed():
            self._on_change()
        elif first and (wait_s := self._told_at + self._tell_every_s - loop.time()) > 0:
            loop.call_later(wait_s, self._message, loop)
        elif first:
            self._message(loop)

    def _message(self, loop: asyncio.AbstractEventLoop) -> None:
        self._told_at = loop.time()
        self._on_change()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            work.close()
            return
        try:
            loop.call_soon_threadsafe(lambda: self._spawn(work))
        except RuntimeError:
            work.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the engine failed", exc_info=error)
            self._tell_problem(f"internal error: {type(error).__name__} (see the log)")


def _in_list(view: View) -> tuple[Any, ...]:
    """What the list of clusters shows of a view: a change there redraws the list at once."""
    from emqx_tui.session.views import facts

    hold = view.journal.hold if view.journal else None
    # Without a journal: who is evacuated and which sizes there are make its revision.
    ungated = found.revision if (found := facts.ungated(view)) else ""
    told = (view.decision.phase, view.decision.gate, hold, view.role, view.driver, view.is_undriven, view.result)
    return (*told, ungated)
