"""When this console first saw a release that it did not start, and when another console last drove it."""

from __future__ import annotations

from dataclasses import replace

from emqx_tui.model.workloads import Lease
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.options import Ports
from emqx_tui.session.views.view import Arrival


class ArrivalTracker:
    """`arrival` is None without a release, for one that was begun here, and once an intent was accepted here."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._seen_release = ""
        self.arrival: Arrival | None = None

    def begun_here(self, journal: Journal) -> None:
        self._seen_release, self.arrival = journal.release_id, None

    def took_part(self) -> None:
        """A person here has submitted an intent: they know of the release."""
        self.arrival = None

    def is_new(self, journal: Journal | None, lease: Lease | None) -> bool:
        """Take in the journal; True when its release is seen for the first time and was not begun here."""
        if journal is None or journal.release_id == self._seen_release:
            return False
        self._seen_release = journal.release_id
        self.arrival = Arrival(self._ports.clock.now())
        self.note_driver(lease)
        return True

    def note_driver(self, lease: Lease | None) -> None:
        """Take in the lease: the last renewal by anybody else counts."""
        if self.arrival is not None and lease is not None and lease.holder != self._ports.host.identity:
            self.arrival = replace(self.arrival, driven_until=lease.renewed_at)
