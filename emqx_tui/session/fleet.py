"""All clusters in reach: the list that the first screen shows.

Watches the custom resources, and asks each cluster's brokers for live connections every few seconds. Gate, hold and
driver of a release come from the session that follows it (see `Engine`). Where listing all namespaces is not allowed
it looks at one, and says which right is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from emqx_tui.model.api_version import V4, credentials
from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError, Forbidden, NotFound, Unreachable
from emqx_tui.model.kinds import Kind
from emqx_tui.model.nodes import pod_of, stats_from_json
from emqx_tui.model.secret import Secret
from emqx_tui.model.wire import Malformed, Unreadable
from emqx_tui.rollout.phases import Phase
from emqx_tui.rollout.requests import EmqxRequest, KubeRequest
from emqx_tui.session.ports import Alive, Changed, Clock, Emqx, Kube, Listed, Lost, Removed, Scope, WatchInput
from emqx_tui.session.views.cluster_facts import with_view
from emqx_tui.session.views.fleet_view import ClusterRow, FleetView, Role, SourceHealth

if TYPE_CHECKING:
    from emqx_tui.session.views.view import View

COUNT_EVERY_S = 5.0
SERVICE_EVERY_S = 60.0
"""Between two looks at a listener Service that is there; one that is missing is looked for with every count."""
MAX_COUNTED = 50
"""Clusters beyond this many are listed with the connections of their status only."""

Key = tuple[str, str]


@dataclass(frozen=True)
class _Count:
    connections: int | None
    at: datetime | None
    problem: str = ""


class Fleet:
    """Runs in the engine's loop; `publish` gets a new view with every news of the watch and every count."""

    def __init__(
        self,
        *,
        context: str,
        server: str,
        namespace: str | None,
        fallback_namespace: str,
        kube: Kube,
        emqx: Callable[[str, str], Emqx],
        clock: Clock,
        session_view: Callable[[Key], View | None],
        publish: Callable[[FleetView], None],
        count_after_s: float = 0.0,
    ) -> None:
        """`count_after_s`: between the first list and the first count; wall seconds."""
        self._context = context
        self._server = server
        self._namespace = namespace
        self._fallback = fallback_namespace
        self._kube = kube
        self._emqx = emqx
        self._clock = clock
        self._session_view = session_view
        self._publish = publish
        self._count_after_s = count_after_s
        self._resources: dict[Key, EmqxEnterprise] = {}
        self._last: dict[Key, tuple[EmqxEnterprise, datetime]] = {}
        """Every object that is there, as it was read last, and when."""
        self._unreadable: dict[Key, Unreadable] = {}
        self._read_at: datetime | None = None
        self._problem = ""
        self._is_unreachable = False
        self._note = ""
        self._counts: dict[Key, _Count] = {}
        self._service_seen_at: dict[Key, datetime] = {}
        self._clients: dict[Key, Emqx] = {}
        self._sequence = 0
        self._first_list = asyncio.Event()

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._count())

    async def _watch(self) -> None:
        while True:
            refused = asyncio.Event()

            def take(found: WatchInput, refused: asyncio.Event = refused) -> None:
                is_refused = isinstance(found, Lost) and found.is_final and isinstance(found.error, Forbidden)
                if isinstance(found, Lost) and is_refused and self._namespace is None:
                    # One namespace is tried next: until it was, nobody is told that nothing can be listed.
                    self._problem = found.error.message
                    refused.set()
                else:
                    self._take(found)

            watching = asyncio.create_task(self._kube.watch(Kind.EMQX_ENTERPRISE, Scope(self._namespace), take))
            giving_up = asyncio.create_task(refused.wait())
            try:
                await asyncio.wait({watching, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                watching.cancel()
                giving_up.cancel()
                results = await asyncio.gather(watching, giving_up, return_exceptions=True)
            failure = next((r for r in results if isinstance(r, Exception)), None)
            if failure is not None:
                raise failure
            self._namespace = self._fallback
            self._note = f"only namespace {self._fallback}: {self._problem}"
            self._problem = ""

    def _take(self, found: WatchInput) -> None:
        now = self._clock.now()
        match found:
            case Listed(objects=objects, unreadable=unreadable):
                self._first_list.set()
                self._resources, self._unreadable = dict(objects), dict(unreadable)
                known = {key: self._last[key] for key in self._unreadable if key in self._last}
                self._last = known | {key: (resource, now) for key, resource in objects.items()}
                self._read_at, self._problem = now, ""
            case Changed(key=key, object=changed):
                self._resources[key], self._last[key] = changed, (changed, now)
                self._unreadable.pop(key, None)
                self._read_at, self._problem = now, ""
            case Removed(key=key):
                self._resources.pop(key, None)
                self._unreadable.pop(key, None)
                self._counts.pop(key, None)
                self._read_at, self._problem = now, ""
            case Alive():
                self._read_at, self._problem = now, ""
            case Lost(error=error):
                self._problem, self._is_unreachable = error.message, isinstance(error, Unreachable)
        self.show()

    def show(self) -> None:
        """Publish what is known."""
        self._sequence += 1
        read_at = self._read_at
        rows = tuple(self._row(key, read_at or self._clock.now()) for key in self._keys())
        is_ok = not self._problem and read_at is not None
        is_unreachable = self._is_unreachable and read_at is None
        health = SourceHealth(Kind.EMQX_ENTERPRISE, is_ok, read_at, self._problem, is_unreachable=is_unreachable)
        self._publish(
            FleetView(
                context=self._context,
                server=self._server,
                namespace=self._namespace,
                now=self._clock.now(),
                rows=rows,
                health=(health,),
                is_synced=read_at is not None,
                problem=self._problem or self._unread() or self._note,
                sequence=self._sequence,
            )
        )

    def _keys(self) -> list[Key]:
        return sorted({*self._resources, *self._unreadable})

    def _unread(self) -> str:
        return "; ".join(f"{'/'.join(key)} cannot be read: {why}" for key, why in sorted(self._unreadable.items()))

    def _known(self, key: Key, read_at: datetime) -> tuple[EmqxEnterprise, datetime]:
        """The object as it was read last, and when; all unknown but its name when it never was."""
        if key in self._unreadable:
            nothing = {"metadata": {"namespace": key[0], "name": key[1]}}
            return self._last.get(key) or (EmqxEnterprise.from_json(nothing), read_at)
        return self._resources[key], read_at

    def _row(self, key: Key, read_at: datetime) -> ClusterRow:
        resource, read_at = self._known(key, read_at)
        unreadable = self._unreadable.get(key)
        count = self._counts.get(key, _Count(None, None))
        view = self._session_view(key)
        is_running = bool(view and view.journal and not view.result)
        row = ClusterRow(
            resource=resource,
            read_at=read_at,
            phase=Phase.IDLE,
            live_connections=count.connections,
            live_at=count.at,
            ready=resource.ready_replicas if resource.meta.uid else None,
            wanted=len(resource.status_nodes) or resource.replicas,
            driver=view.driver if view and is_running else "",
            is_mine=bool(view and is_running and view.role is Role.DRIVER),
            is_undriven=bool(view and view.is_undriven),
            why_unknown=view.role_reason if view and view.role is Role.WATCH_ONLY and not view.journal else "",
            problem=f"cannot be read: {unreadable}" if unreadable else count.problem,
            unreadable=unreadable,
        )
        return with_view(row, view)

    async def _count(self) -> None:
        self.show()
        await self._first_list.wait()
        await asyncio.sleep(self._count_after_s)
        while True:
            keys = self._keys()[:MAX_COUNTED]
            results = await asyncio.gather(*(self._look(key) for key in keys))
            there = set(self._keys())
            self._counts = {key: count for key, count in zip(keys, results, strict=True) if key in there}
            self.show()
            await self._clock.sleep(COUNT_EVERY_S if keys else 0.5)

    async def _look(self, key: Key) -> _Count:
        count, service = await asyncio.gather(self._count_one(key), self._service_problem(key))
        return replace(count, problem=service or count.problem)

    async def _service_problem(self, key: Key) -> str:
        """Why clients cannot connect to a cluster that runs; empty when they can, or nobody knows."""
        resource = self._resources.get(key)
        seen_at = self._service_seen_at.get(key)
        is_seen = seen_at is not None and (self._clock.now() - seen_at).total_seconds() < SERVICE_EVERY_S
        if resource is None or not resource.ready_replicas or is_seen:
            return ""
        try:
            await self._kube.request(KubeRequest("GET", Kind.SERVICE.info.path(key[0], resource.service_name)))
            self._service_seen_at[key] = self._clock.now()
        except NotFound:
            return resource.no_service
        except AdapterError:
            pass
        return ""

    async def _count_one(self, key: Key) -> _Count:
        resource = self._resources.get(key) or (self._last[key][0] if key in self._last else None)
        if resource is None:
            return _Count(None, None)
        running = [node.node for node in resource.status_nodes if node.status == "Running"]
        if (counted := _counted_by(self._session_view(key), running, self._clock.now())) is not None:
            return counted
        before = self._counts.get(key, _Count(None, None))
        problem = "no EMQX node is Running by the status"
        for pod in map(pod_of, running[-2:]):
            try:
                client = await self._client(key)
                reply = await client.request(EmqxRequest(key[0], pod, "GET", V4.stats_path()))
                stats = stats_from_json(reply.body)
                silent = [pod_of(node) for node in running if node not in stats]
                if silent := [pod for pod in silent if await self._is_there(key[0], pod)]:
                    problem = f"EMQX does not count {', '.join(silent)}"
                    continue
                return _Count(sum(node.live_connections for node in stats.values()), self._clock.now())
            except (AdapterError, Malformed) as error:
                problem = str(error)
                self._clients.pop(key, None)
        return _Count(before.connections, before.at, problem)

    async def _is_there(self, namespace: str, pod: str) -> bool:
        """While a release holds the operator, the status lists nodes that were scaled away."""
        try:
            await self._kube.request(KubeRequest("GET", Kind.POD.info.path(namespace, pod)))
        except NotFound:
            return False
        except AdapterError:
            pass
        return True

    async def _client(self, key: Key) -> Emqx:
        """A client with the cluster's API credentials. Raises AdapterError, Malformed."""
        client = self._clients.get(key)
        if client is None:
            path = Kind.SECRET.info.path(key[0], f"{key[1]}{V4.credentials_suffix}")
            secret = Secret.from_json(await self._kube.request(KubeRequest("GET", path)))
            found = credentials(secret.texts.get(V4.credentials_key, ""))
            client = self._emqx(*key)
            if found is not None:
                client.set_credentials(*found)
            self._clients[key] = client
        return client


def _counted_by(view: View | None, running: Sequence[str], now: datetime) -> _Count | None:
    """What a session has counted: EMQX is not asked twice. None unless it is new and every running node is in it."""
    stats = view.snapshot.stats if view else None
    if stats is None or stats.value is None or stats.problem or not stats.is_fresh(now, COUNT_EVERY_S):
        return None
    if not stats.value.keys() >= set(running):
        return None
    return _Count(sum(node.live_connections for node in stats.value.values()), stats.read_at)
