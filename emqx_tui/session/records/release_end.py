"""The end of a release: write its result as an Event, delete the journal, then the lease.

Keeps the last journal and the result for the screen, and retries the deletions.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

from emqx_tui.model.emqx_enterprise import EmqxEnterprise
from emqx_tui.model.errors import AdapterError
from emqx_tui.model.reading import Reading
from emqx_tui.model.secret import Secret
from emqx_tui.model.workloads import Lease
from emqx_tui.rollout.policy import is_closed
from emqx_tui.rollout.state.journal import Journal
from emqx_tui.session.inputs import Put, ReleaseClosed
from emqx_tui.session.options import Ports
from emqx_tui.session.records import objects

RETRY_S = 10.0
"""Wall seconds between two attempts to remove the records."""


class ReleaseEnd:
    """How the last release ended, if this session saw it end."""

    def __init__(self, ports: Ports, put: Put, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._ports = ports
        self._put = put
        self._spawn = spawn
        self._failed_at = float("-inf")
        self._gone_at: float | None = None
        """When the journal of a release that stands half-way was seen to be gone (monotonic wall seconds) ..."""
        self._gone_on: datetime | None = None
        """... and by the host's clock."""
        self.is_closing = False
        """The records are being removed: nothing else is written meanwhile."""
        self.journal: Journal | None = None
        """The last journal of the release that has ended."""
        self.result = ""
        """`done`, `aborted` or `failed`."""

    def begin(
        self,
        journal: Journal,
        result: str,
        *,
        resource: EmqxEnterprise | None,
        secret: Secret | None,
        lease: Lease | None,
    ) -> None:
        """Record the result and remove the records; the answer is ReleaseClosed. After a failure, RETRY_S apart."""
        if self._ports.clock.monotonic() - self._failed_at < RETRY_S:
            return
        self.is_closing, self.journal, self.result = True, journal, result
        self._spawn(self._close(journal, result, resource, secret, lease))

    async def _close(
        self,
        journal: Journal,
        result: str,
        resource: EmqxEnterprise | None,
        secret: Secret | None,
        lease: Lease | None,
    ) -> None:
        try:
            now = self._ports.clock.now()
            await objects.end_release(self._ports.kube, journal, result, resource, secret, lease, now)
            self._put(ReleaseClosed())
        except AdapterError as error:
            self._put(ReleaseClosed(error))

    def closed(self, answer: ReleaseClosed) -> None:
        """Take in the answer."""
        self.is_closing = False
        if answer.error is not None:
            self._failed_at = self._ports.clock.monotonic()

    def may_come_back(self, journal: Journal, resource: EmqxEnterprise | None) -> bool:
        """The journal vanished half-way: a driver that lives writes it again, so wait for a lease period."""
        if _result(journal, resource) != "failed":
            return False
        self.journal, self._gone_at, self._gone_on = journal, self._ports.clock.monotonic(), self._ports.clock.now()
        return True

    def is_back(self) -> None:
        """The journal stands again."""
        self._gone_at = None

    def given_up(self, seen: Reading[EmqxEnterprise], *, is_driven: bool) -> Journal | None:
        """The journal that does not come back: nobody drives after a lease period, or the object tells of the end."""
        if self._gone_at is None or self._gone_on is None or self.journal is None:
            return None
        if seen.read_at is None or seen.read_at < self._gone_on:
            # A watch that is silent has not told yet what the release had come to by then.
            return None
        resource = seen.value
        # A driver whose watch is silent renews its lease, and has not seen yet that the journal is gone.
        is_over = not is_driven and self._ports.clock.monotonic() - self._gone_at > objects.LEASE_DURATION_S
        return self.journal if is_over or _result(self.journal, resource) != "failed" else None

    def ended_elsewhere(self, journal: Journal, resource: EmqxEnterprise | None) -> None:
        """The journal vanished: another console came to the end of the release, or somebody removed it."""
        self._gone_at = None
        self.journal, self.result = journal, _result(journal, resource)


def _result(journal: Journal, resource: EmqxEnterprise | None) -> str:
    """How a release ended whose journal is gone, as far as the object tells.

    A console that was cut off may not have seen that somebody aborted: the template that stands tells it. While the
    operator still has two generations nothing has ended: somebody has removed the journal and let it go on by itself.
    """
    if resource is None or resource.blue_green_status is not None:
        return "failed"
    if resource.blue_green and is_closed(resource.blue_green.effective_delay_s):
        return "failed"
    if resource.template_mark == journal.originals.template_mark:
        return "aborted"
    is_target = journal.target_mark in ("", resource.template_mark)
    return "done" if is_target and journal.abort is None else "failed"
