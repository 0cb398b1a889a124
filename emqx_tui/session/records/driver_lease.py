"""The driver lease: one console drives, any number watch, and any of them may hold.

Commands may be sent only while `is_held` is true: the lease is ours, and was requested so recently that nobody can have
taken it over. As in client-go's leader election, another holder's lease expires by the renewals that we observe, never
by its timestamps; the lease of a process of this host that is gone is taken over at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

from emqx_tui.model.errors import AdapterError, Conflict, Forbidden, MalformedAnswer
from emqx_tui.model.wire import Malformed
from emqx_tui.model.workloads import Lease
from emqx_tui.session.inputs import LeaseAnswered, Put
from emqx_tui.session.options import Ports
from emqx_tui.session.records import objects

RETRY_S = 1.0
"""Wall seconds between two attempts: a server that refuses at once must not be asked in a loop."""

YIELD_S = 3.0
"""Wall seconds that a console which only watches leaves to the one that has just written the first journal."""


class DriverLease:
    """The lease of one cluster, as this console sees and holds it."""

    def __init__(self, namespace: str, name: str, ports: Ports, put: Put) -> None:
        self._namespace = namespace
        self._name = name
        self._ports = ports
        self._put = put
        self._known: Lease | None = None
        self._renewed_at = 0.0
        """When we saw the lease renewed (monotonic wall seconds)."""
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self._problem = ""
        self._is_proof_wanted = False
        self._held_at: float | None = None
        self._vacant_since: float | None = None
        """Since when a console that only watches could take a lease that does not exist."""
        self._not_removable: tuple[str, str] | None = None
        """The left-over lease that this console may not remove."""
        self.renewed_before: datetime | None = None
        """The last renewal by the driver before us; None when none was seen."""

    @property
    def is_held(self) -> bool:
        """This console may send commands."""
        held_at = self._held_at
        return held_at is not None and self._ports.clock.monotonic() - held_at < objects.LEASE_DURATION_S

    @property
    def is_free(self) -> bool:
        """Nobody else drives: no lease, released, ours, expired before our eyes, or its process is dead."""
        lease, host = self._known, self._ports.host
        if lease is None or lease.holder in ("", host.identity) or host.is_dead(lease.holder):
            return True
        return self._ports.clock.monotonic() - self._renewed_at > lease.duration_s

    @property
    def lease(self) -> Lease | None:
        return self._known

    @property
    def driver(self) -> str:
        """Identity of the driver, ours or another's; empty when nobody is known to be alive and to hold the lease."""
        return self._known.holder if self._known and (self.is_held or not self.is_free) else ""

    @property
    def other_seen_s(self) -> float | None:
        """Wall seconds since another driver's last renewal that we saw; None without another driver."""
        if self.driver in ("", self._ports.host.identity):
            return None
        return self._ports.clock.monotonic() - self._renewed_at

    @property
    def other_renewed_at(self) -> datetime | None:
        """The last renewal by another driver, as its lease says. One that has died looks alive for a while."""
        lease = self._known
        return lease.renewed_at if lease is not None and self.other_seen_s is not None else None

    def observe(self, lease: Lease | None) -> None:
        """Take in what the watch tells."""
        known, self._known = self._known, lease
        if lease is not None and (known is None or _version(known) != _version(lease)):
            self._renewed_at = self._ports.clock.monotonic()
        if lease is None or lease.holder != self._ports.host.identity:
            self._held_at = None

    def forget(self) -> None:
        """Stop counting as the holder; the Lease itself is not written."""
        self._held_at = self._vacant_since = None

    def prove(self) -> None:
        """Renew the lease at once, if it is ours: somebody waits to see that its holder is alive."""
        self._is_proof_wanted = self._held_at is not None

    def keep(self, owner_uid: str, *, is_watcher: bool = False) -> None:
        """Take or renew the lease, when it is time and it is ours to take.

        A watcher has submitted no intent in this release: it takes over from a driver that is gone, but leaves a new
        release to the console that started it.
        """
        clock = self._ports.clock
        if self._known is not None:
            self._vacant_since = None
        elif is_watcher:
            self._vacant_since = clock.monotonic() if self._vacant_since is None else self._vacant_since
            if clock.monotonic() - self._vacant_since < YIELD_S:
                return
        is_recent = self._held_at is not None and clock.monotonic() - self._held_at < objects.LEASE_RENEW_S
        is_recent = is_recent and not self._is_proof_wanted
        is_soon = clock.monotonic() - self._asked_at < RETRY_S
        if self._asking is not None or is_recent or is_soon or not self.is_free:
            return
        if self._held_at is None:
            self.renewed_before = self._known.renewed_at if self._known else None
        self._asked_at, self._is_proof_wanted = clock.monotonic(), False
        self._asking = asyncio.create_task(self._ask(owner_uid), name="lease")

    def remove_left_over(self) -> None:
        """Remove the lease of a driver that is gone, where no release is under way; it is tried again until it is."""
        lease, now = self._known, self._ports.clock.monotonic()
        if lease is None or not self.is_free or self._asking is not None or now - self._asked_at < RETRY_S:
            return
        if self._not_removable == _version(lease):
            return
        self._asked_at = now
        self._asking = asyncio.create_task(self._remove(lease), name="lease")

    async def _remove(self, lease: Lease) -> None:
        try:
            await objects.remove_lease(self._ports.kube, lease, unchanged=True)
        except Forbidden:
            self._not_removable = _version(lease)
        except AdapterError:
            pass
        self._put(LeaseAnswered(None))

    async def _ask(self, owner_uid: str) -> None:
        try:
            taken = await objects.take_lease(
                self._ports.kube,
                self._namespace,
                self._name,
                holder=self._ports.host.identity,
                now=self._ports.clock.now(),
                known=self._known,
                owner_uid=owner_uid,
            )
            self._put(LeaseAnswered(taken))
        except AdapterError as error:
            self._put(LeaseAnswered(None, error))
        except Malformed as error:
            self._put(LeaseAnswered(None, MalformedAnswer(f"unexpected answer: {error}")))

    def answered(self, answer: LeaseAnswered) -> str:
        """Take in what came of asking; one line for the person when it is news, else empty."""
        self._asking = None
        if answer.lease is not None:
            is_news = self._held_at is None
            self._known, self._renewed_at = answer.lease, self._ports.clock.monotonic()
            self._held_at = self._asked_at
            self._problem = ""
            return "this console drives the release" if is_news else ""
        if isinstance(answer.error, Conflict):
            self._held_at = None
            return ""
        problem = f"the lease cannot be renewed: {answer.error.message}" if answer.error else ""
        is_told, self._problem = problem == self._problem, problem
        return "" if is_told else problem

    async def end(self) -> None:
        """Give the lease back, if it is ours, with the time until which this console drove: whoever comes tells it."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        lease = self._known
        if lease is not None and lease.holder == self._ports.host.identity and self._held_at is not None:
            with contextlib.suppress(AdapterError, asyncio.CancelledError):
                driven_until = self._ports.clock.now() if self.is_held else None
                await objects.release_lease(self._ports.kube, lease, driven_until=driven_until)


def _version(lease: Lease) -> tuple[str, str]:
    return lease.holder, lease.meta.resource_version
