"""How signals and the time-out of a command reach its runner, or the command itself while there is none."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, cast

import pytest

from emqx_tui.cli.connected import Ending, run_until_signal
from emqx_tui.headless.session_runner import SessionRunner


class Chair:
    """Takes what a runner is told."""

    def __init__(self) -> None:
        self.told: asyncio.Future[tuple[str, int | None]] = asyncio.get_running_loop().create_future()

    def stop(self, reason: str, code: int | None = None) -> None:
        self.told.set_result((reason, code))


async def told(ending: Ending) -> tuple[str, int | None]:
    chair = Chair()
    ending.end_at(cast(SessionRunner, chair))
    return await asyncio.wait_for(chair.told, 20)


def test_a_timeout_reaches_the_seat_and_leaves_the_code_to_the_result() -> None:
    seen: list[Any] = []

    async def work(ending: Ending) -> int:
        seen.append(await told(ending))
        return 3

    assert run_until_signal(work, 0.01) == 3
    assert seen == [("timeout", None)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_seat_with_its_code(number: signal.Signals) -> None:
    seen: list[Any] = []

    async def work(ending: Ending) -> int:
        os.kill(os.getpid(), number)
        seen.append(await told(ending))
        return 0

    assert run_until_signal(work) == 0
    assert seen == [(number.name, 128 + number)]


def test_without_a_seat_a_signal_ends_the_command() -> None:
    async def work(ending: Ending) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(asyncio.Event().wait(), 20)
        return 0

    assert run_until_signal(work) == 143
