"""From settings to a connected cluster, for commands without a screen.

Owns how signals and the time-out reach a command. A first signal lets it stop its session and give the lease back; a
second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from emqx_tui import __version__
from emqx_tui.adapters.connect import Connection, connect
from emqx_tui.adapters.kubernetes.kubeconfig_access import load_access
from emqx_tui.cli.garbage import search_often
from emqx_tui.config import Settings
from emqx_tui.model.errors import Forbidden, NotFound
from emqx_tui.rollout.policy import Policy
from emqx_tui.session.options import Options

GOES_ON_S = 5.0
"""What runs for longer is no short command."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Connected:
    """`async with Connected(settings) as connection:`. Raises AdapterError when the cluster does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        settings = self._settings
        access = load_access(settings.access_request())
        connection = await connect(access, emqx_access=settings.emqx_access, clock_rate=settings.clock_rate)
        if connection.problem is not None and not isinstance(connection.problem, Forbidden | NotFound):
            await connection.close()
            raise connection.problem
        self._connection = connection
        return connection

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()


def options_of(settings: Settings, *, drives: bool) -> Options:
    """How a session of these settings behaves."""
    policy = Policy().at_rate(settings.clock_rate)
    return Options(
        policy=policy,
        read_only=settings.read_only,
        drives=drives,
        removes_leases=drives,
        console_version=__version__,
        context=settings.context,
    )


class Stoppable(Protocol):
    """The part of a session runner that a signal needs."""

    def stop(self, reason: str, code: int | None = None) -> None: ...


class Ending:
    """Signals and the time-out of one command: they stop its session or, before it has one, the whole command."""

    def __init__(self, timeout_s: float | None = None) -> None:
        self.code: int | None = None
        """Exit code by a signal."""
        self._runner: Stoppable | None = None
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self._signalled, number)
        if timeout_s:
            self._loop.call_later(timeout_s, self._end, "timeout", None)

    def end_at(self, runner: Stoppable) -> None:
        """Signals reach this runner from now on."""
        self._runner = runner

    def _signalled(self, number: signal.Signals) -> None:
        # A second one ends the process at once.
        for other in SIGNALS:
            self._loop.remove_signal_handler(other)
        self._end(number.name, 128 + number)

    def _end(self, reason: str, code: int | None) -> None:
        self.code = code
        if self._runner is not None:
            self._runner.stop(reason, code)
        elif self._task is not None:
            self.code = 1 if code is None else code
            self._task.cancel()


def run_until_signal(work: Callable[[Ending], Coroutine[Any, Any, int]], timeout_s: float | None = None) -> int:
    """Run a command in a loop of its own; a signal that it does not take care of ends it with 128 + its number."""

    async def ended() -> int:
        ending = Ending(timeout_s)
        asyncio.get_running_loop().call_later(GOES_ON_S, search_often)
        try:
            return await work(ending)
        except asyncio.CancelledError:
            if ending.code is None:
                raise
            return ending.code

    return asyncio.run(ended())
