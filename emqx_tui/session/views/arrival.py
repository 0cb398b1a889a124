"""When this console first saw a release that it did not start, and when another console last drove it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emqx_tui.model.workloads import Lease
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.options import Ports
from emqx_tui.session.views.fleet_view import SourceHealth
from emqx_tui.session.views.view import Arrival


class ArrivalTracker:
    """`arrival` is None without a release, for one that was begun here, and once an intent was accepted here."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._seen_release = ""
        self._is_looking = False
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
        self._is_looking = True
        self.note_driver(lease)
        return True

    def has_looked(self, health: Sequence[SourceHealth], within_s: float) -> bool:
        """What is judged of the release rests on what was read: always, but in the first moments of an arrival.

        What does not answer is waited for no longer than `within_s`.
        """
        if not self._is_looking:
            return True
        is_late = self.arrival is None or (self._ports.clock.now() - self.arrival.at).total_seconds() >= within_s
        self._is_looking = not (is_late or all(source.is_ok or source.is_forbidden for source in health))
        return not self._is_looking

    def note_driver(self, lease: Lease | None) -> None:
        """Take in the lease: the last renewal by anybody else counts."""
        if self.arrival is not None and lease is not None and lease.holder != self._ports.host.identity:
            self.arrival = replace(self.arrival, driven_until=lease.renewed_at)
