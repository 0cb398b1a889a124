"""The list of clusters for `emqx-tui get`: one look, or every change.

Owns when a first look is complete. Clusters in a release get a session that only looks, because phase and gate are
derived from everything, not written anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from emqx_tui.headless.looking.readiness import is_whole
from emqx_tui.headless.looking.rows import key as key_of
from emqx_tui.headless.looking.rows import timeless
from emqx_tui.session.fleet import MAX_COUNTED, Fleet
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.ports import Clock, Emqx, Kube
from emqx_tui.session.views.cluster_facts import with_view
from emqx_tui.session.views.fleet_view import ClusterRow, FleetView

if TYPE_CHECKING:
    from emqx_tui.session.views.view import View

Key = tuple[str, str]
FIRST_LOOK_S = 15.0
"""Wall seconds for a first look; what is missing then is shown as unknown."""
MAX_SESSIONS = 20
AGAIN_S = 0.2
"""Wall seconds between two looks at whether something has changed."""


@dataclass(frozen=True)
class Place:
    """Where to look."""

    context: str
    server: str
    namespace: str | None
    fallback_namespace: str
    kube: Kube
    emqx: Callable[[str, str], Emqx]
    clock: Clock
    ports: Callable[[str, str], Ports]
    """(namespace, name) -> what a session needs."""
    options: Options


class Listing:
    """`async with Listing(place) as listing:` looks until the block is left."""

    def __init__(self, place: Place, name: str = "") -> None:
        self._place = place
        self._name = name
        self._fleet: FleetView | None = None
        self._counted: frozenset[Key] = frozenset()
        """The clusters that are counted: the others are listed with the connections of their status."""
        self._views: dict[Key, View] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._running: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> Listing:
        place = self._place
        fleet = Fleet(
            context=place.context,
            server=place.server,
            namespace=place.namespace,
            fallback_namespace=place.fallback_namespace,
            kube=place.kube,
            emqx=place.emqx,
            clock=place.clock,
            session_view=self._views.get,
            publish=self._take,
        )
        self._running = self._started(fleet.run(), "fleet")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks.values(), *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _started(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(lambda task: self._news.set())
        return task

    def _take(self, fleet: FleetView) -> None:
        self._counted = frozenset(map(key_of, fleet.rows[:MAX_COUNTED]))
        self._fleet = replace(fleet, rows=tuple(row for row in fleet.rows if self._name in ("", row.resource.name)))
        for row in self._fleet.rows:
            key = key_of(row)
            if row.is_worth_a_session and key not in self._tasks and len(self._tasks) < MAX_SESSIONS:
                self._tasks[key] = self._started(self._session(key), f"session {key[1]}")
        self._news.set()

    async def _session(self, key: Key) -> None:
        # Half of what `get` would load, for the few clusters that are in a release.
        from emqx_tui.session.session import Session

        def publish(view: View) -> None:
            self._views[key] = view
            self._news.set()

        await Session(*key, self._place.ports(*key), self._place.options, publish).run()

    async def first(self) -> FleetView | None:
        """The first complete look, or what there is of it after FIRST_LOOK_S; None when nothing was listed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S):
                while not self._is_complete():
                    self._raise_failure()
                    if self._fleet is not None and self._fleet.problem and not self._fleet.is_synced:
                        return self._fleet
                    self._news.clear()
                    await self._news.wait()
        return self._newest()

    async def changes(self) -> AsyncIterator[FleetView]:
        """Every look that differs from the one before, for ever."""
        before: tuple[Any, ...] = ()
        while True:
            self._raise_failure()
            fleet = self._newest()
            if fleet is not None:
                found = tuple(timeless(row, fleet.now) for row in fleet.rows)
                if found != before:
                    before = found
                    yield fleet
            await self._place.clock.sleep_wall(AGAIN_S)

    def _newest(self) -> FleetView | None:
        """The list with what the sessions say by now."""
        fleet = self._fleet
        return None if fleet is None else replace(fleet, rows=tuple(self._with_view(row) for row in fleet.rows))

    def _with_view(self, row: ClusterRow) -> ClusterRow:
        return with_view(row, self._views.get(key_of(row)))

    def _is_complete(self) -> bool:
        fleet = self._fleet
        if fleet is None or not fleet.is_synced:
            return False
        awaited = (row for row in fleet.rows if key_of(row) in self._counted)
        counted = all(row.live_at is not None or row.problem for row in awaited)
        views = [self._views.get(key) for key in self._tasks]
        return counted and all(view is not None and is_whole(view) for view in views)

    def _raise_failure(self) -> None:
        for task in (self._running, *self._tasks.values()):
            if task is not None and task.done() and not task.cancelled() and (error := task.exception()):
                raise error
