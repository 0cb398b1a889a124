"""A rehearsal stopped at a point, from which it is played on as often as wanted: what came before is played once.

The rehearsal runs in a process of its own. Where it stops that process waits, and each time it is told how to go on a
fork of it does so to the end.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

_FORK = multiprocessing.get_context("fork")
"""A copy of the process as it stands: coroutines can be copied in no other way."""


@dataclass(frozen=True)
class _Failed:
    trace: str


@dataclass(frozen=True)
class _GoOn:
    """To the next stop, without a fork."""


class Checkpoint:
    """`play(stop)` is the rehearsal; where it calls `stop()` it gets, once for each `resume(choice)`, that choice."""

    def __init__(self, play: Callable[[Callable[[], Any]], Any]) -> None:
        self._connection, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=_play, args=(play, theirs, self._connection), daemon=True)
        self._process.start()
        theirs.close()
        self.stops = 0
        """How many stops have been passed."""

    def resume(self, choice: Any) -> Any:
        """Play on from here with `choice`; what the rehearsal returns, or AssertionError with its trace."""
        self._connection.send(choice)
        told = self._connection.recv()
        if isinstance(told, _Failed):
            raise AssertionError(told.trace)
        return told

    def go_on(self) -> None:
        """Move to the next stop, where `stop()` returns None here."""
        self._connection.send(_GoOn())
        self.stops += 1

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


def _play(play: Callable[[Callable[[], Any]], Any], connection: Connection, theirs: Connection) -> None:
    theirs.close()

    def stop() -> Any:
        loop = asyncio.get_running_loop()
        while not isinstance(choice := connection.recv(), _GoOn):
            if os.fork() == 0:
                # asyncio knows the running loop by the process.
                asyncio._set_running_loop(loop)
                return choice
            os.wait()
        return None

    failures: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: failures.append(handler.format(record))
    logging.getLogger("emqx_tui.sandbox").addHandler(handler)
    try:
        told = play(stop)
        if failures:
            # As in tests/conftest.py, which sees only its own process.
            told = _Failed("\n".join(failures))
    except EOFError:
        # The tests are over.
        os._exit(0)
    except BaseException:
        told = _Failed(traceback.format_exc())
    connection.send(told)
    os._exit(0)
