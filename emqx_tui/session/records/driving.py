"""Whether this console drives a release: when it takes, keeps and gives up the driver lease."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.session.inputs import Put
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.records.driver_lease import YIELD_S, DriverLease
from emqx_tui.session.records.driving_rights import DrivingRights
from emqx_tui.session.records.journal_store import JournalStore
from emqx_tui.session.store import Store


class Driving:
    """The lease, the rights to drive, and whether anybody has asked this console to."""

    def __init__(
        self,
        namespace: str,
        name: str,
        ports: Ports,
        options: Options,
        put: Put,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._ports = ports
        self._options = options
        self.lease = DriverLease(namespace, name, ports, put)
        self.rights = DrivingRights(ports, put, spawn)
        self.is_asked = False
        """An intent other than a hold was accepted here."""
        self._undriven_since: float | None = None

    def keep(self, store: Store, seen: Snapshot, journal: JournalStore, *, is_closing: bool) -> None:
        """Take or renew the lease when there is something to drive; remove one that was left over."""
        is_known = store.collection(Kind.LEASE).read_at is not None
        if not is_known or is_closing or self._options.read_only:
            return
        resource = seen.resource.value
        if journal.stored is not None and resource is not None and (self._options.drives or self.is_asked):
            if self.lease.is_held or self.rights.may_drive(seen):
                self.lease.keep(resource.meta.uid, is_watcher=not self.is_asked)
        elif self._options.removes_leases and _is_without_journal(store, journal):
            self.lease.remove_left_over()

    def is_undriven(self, store: Store, journal: JournalStore, *, is_idle: bool) -> bool:
        """Nobody drives, for longer than a console that has begun a release needs to take its lease."""
        may_come = (self._options.drives or self.is_asked) and not self.rights.missing
        is_read = store.collection(Kind.LEASE).read_at is not None
        if not is_idle or journal.stored is None or may_come or not is_read:
            self._undriven_since = None
            return False
        wall = self._ports.clock.monotonic()
        self._undriven_since = wall if self._undriven_since is None else self._undriven_since
        return wall - self._undriven_since >= YIELD_S

    def forget(self) -> None:
        """The release has ended."""
        self.is_asked = False
        self.lease.forget()
        self.rights.forget()


def _is_without_journal(store: Store, journal: JournalStore) -> bool:
    """No release is under way, for certain: a lease that stands all the same was left by a console that died."""
    secrets = store.collection(Kind.SECRET)
    is_listed = secrets.read_at is not None and not secrets.problem and not secrets.objects
    return is_listed and journal.writing is None
