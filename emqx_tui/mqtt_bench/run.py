"""A run of many clients, from the first CONNECT to the figures.

Owns the pace, the progress bar on standard error, and the end: Ctrl-C, SIGTERM, the duration, or that all have given
up. It counts descriptors first, because 10,000 connections need as many.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from emqx_tui.mqtt_bench.client import BenchClient, Run
from emqx_tui.mqtt_bench.options import BenchOptions
from emqx_tui.mqtt_bench.tally import Tally

_OPENING_AT_ONCE = 500
_DRAWN_EVERY_S = 0.25
_OTHER_DESCRIPTORS = 64
_LET_GO_WITHIN_S = 2.0


class CannotRun(Exception):
    """The run cannot begin; the message is one line."""


def addresses_of(host: str, port: int) -> list[tuple[str, int]]:
    """What the name of a host stands for. Raises CannotRun."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotRun(f"{host}: {error.strerror}") from error
    return [(str(address[0]), port) for *_, address in found]


def is_this_machine(addresses: list[tuple[str, int]]) -> bool:
    """Whether all of them are loopback."""
    return all(ip_address(ip.partition("%")[0]).is_loopback for ip, _ in addresses)


def allow_descriptors(count: int) -> None:
    """Raise this process's limit as far as needed. Raises CannotRun where it may not."""
    needed = count + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CannotRun(f"{count} connections need {needed} file descriptors, and the limit is {hard} (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


async def run_clients(options: BenchOptions, address: tuple[str, int], ending: asyncio.Event | None = None) -> Tally:
    """Connect them all, keep them connected until `ending` is set, and tell what happened."""
    loop = asyncio.get_running_loop()
    ending = ending or asyncio.Event()
    tally = Tally(options.count)
    began_at = loop.time()

    def changed() -> None:
        if tally.connected == tally.count and tally.all_connected_after_s is None:
            tally.all_connected_after_s = loop.time() - began_at
        if tally.gave_up == tally.count:
            ending.set()

    run = Run(options, address, tally, changed, asyncio.Semaphore(_OPENING_AT_ONCE))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    clients: list[BenchClient] = []
    starting = asyncio.create_task(_start(run, clients))
    try:
        async with asyncio.timeout(options.duration_s):
            await _show_until(ending, tally)
    except TimeoutError:
        pass
    finally:
        starting.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    run.ending = True
    for client in clients:
        client.stop()
    if run.open:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run.all_closed.wait(), _LET_GO_WITHIN_S)
    return tally


async def _start(run: Run, clients: list[BenchClient]) -> None:
    """One client after the other; where the machine is late, it catches up."""
    loop = asyncio.get_running_loop()
    began_at, interval_s = loop.time(), run.options.interval_ms / 1000
    for number, client_id in enumerate(run.options.client_ids()):
        await asyncio.sleep(max(0.0, began_at + number * interval_s - loop.time()))
        client = BenchClient(client_id, run)
        clients.append(client)
        client.start()


async def _show_until(ending: asyncio.Event, tally: Tally) -> None:
    with _bar(tally) as draw:
        while not ending.is_set():
            draw()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), _DRAWN_EVERY_S)


@contextlib.contextmanager
def _bar(tally: Tally) -> Iterator[Callable[[], None]]:
    """A progress bar where standard error is a terminal; elsewhere one line when all are connected."""
    console = Console(file=sys.stderr)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("connected{task.fields[rest]}"))
    with Progress(
        *columns, console=console, auto_refresh=False, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=tally.count, rest="")
        told = False

        def draw() -> None:
            nonlocal told
            if tally.all_connected_after_s is not None and not told:
                told = True
                line = f"{tally.count}/{tally.count} connected in {tally.all_connected_after_s:.1f} s"
                progress.console.print(f"{line}; Ctrl-C ends it", highlight=False)
            progress.update(task, completed=tally.connected, rest=_rest(tally), refresh=True)

        yield draw


def _rest(tally: Tally) -> str:
    parts = {
        "disconnects": tally.disconnects.total(),
        "refused": tally.refused.total(),
        "failed": tally.failed.total(),
        "gave up": tally.gave_up,
    }
    return "".join(f", {count} {name}" for name, count in parts.items() if count)
