"""Runs the session of one cluster without a screen and hands on the views that it publishes.

Owns the session's task. Every view is handed on, none is skipped, because answers to intents pass by as views.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from emqx_tui.headless.release.exit_status import LOST_CONTACT_S, all_watches_lost
from emqx_tui.session.options import Options, Ports
from emqx_tui.session.session import Session
from emqx_tui.session.views.view import View


class Stopped(Exception):
    """Somebody wants this process to end: a signal, or --timeout."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        """Exit code; None = that of the result."""


class LostContact(Exception):
    """No watch of Kubernetes has answered for too long."""


@dataclass(frozen=True)
class _Ended:
    error: BaseException | None


class SessionRunner:
    """`async with SessionRunner(...) as runner:` runs the session until the block is left."""

    def __init__(
        self,
        namespace: str,
        name: str,
        ports: Ports,
        options: Options,
        on_view: Callable[[View], None] = lambda view: None,
    ) -> None:
        """`on_view` sees every view, too."""
        self.clock = ports.clock
        self.person = ports.host.person
        self.view: View | None = None
        """The newest one handed out."""
        self._inbox: asyncio.Queue[View | Stopped | _Ended] = asyncio.Queue()
        self._on_view = on_view
        self.session = Session(namespace, name, ports, options, self._publish)
        self._task: asyncio.Task[None] | None = None
        self._silent_since: float | None = None
        self._stopped: Stopped | None = None

    async def __aenter__(self) -> SessionRunner:
        self._task = asyncio.create_task(self.session.run(), name="session")
        self._task.add_done_callback(self._ended)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def stop(self, reason: str, code: int | None = None) -> None:
        """Make `next` raise Stopped, now and from now on. From the loop's thread."""
        self._stopped = self._stopped or Stopped(reason, code)
        self._inbox.put_nowait(self._stopped)

    async def next(self) -> View:
        """The next view. Raises Stopped, LostContact, or what the session raised."""
        if self._stopped is not None:
            raise self._stopped
        found = await self._inbox.get()
        if isinstance(found, Stopped):
            raise found
        if isinstance(found, _Ended):
            raise found.error or RuntimeError("the session ended")
        self.view = found
        self._listen(found)
        return found

    async def until(self, is_true: Callable[[View], bool], *, within_s: float | None = None) -> View:
        """The first view of which something is true, or the newest after `within_s` of wall time. Raises as `next`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                view = self.view or await self.next()
                while not is_true(view):
                    view = await self.next()
        return self.view or await self.next()

    def _publish(self, view: View) -> None:
        self._inbox.put_nowait(view)
        self._on_view(view)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self._inbox.put_nowait(_Ended(error))

    def _listen(self, view: View) -> None:
        now = self.clock.monotonic()
        if not all_watches_lost(view):
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since > LOST_CONTACT_S:
            raise LostContact
