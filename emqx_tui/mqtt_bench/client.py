"""One client of a run: it connects, pings, and comes back after its reconnect period.

Owns its connection and its timers. What happens goes into the tally; nothing is ever printed here. A refused client
tries again like any other, which MQTTX's do not; `give_up_when_refused` makes them alike.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from emqx_tui.mqtt_bench import wire
from emqx_tui.mqtt_bench.options import BenchOptions
from emqx_tui.mqtt_bench.tally import CLOSED, NO_CONNACK, NO_PONG, RESET, Tally, reason

CONNACK_WITHIN_S = 30.0
_FATAL_FOR_MQTTX = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.EADDRINUSE})


@dataclass
class Run:
    """What the clients of one run share."""

    options: BenchOptions
    address: tuple[str, int]
    tally: Tally
    changed: Callable[[], None]
    """called when a client has connected, or has given up"""
    opening: asyncio.Semaphore
    """so many connections may be opened at the same time"""
    open: int = 0
    """connections, those without a CONNACK included"""
    ending: bool = False
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)


class BenchClient(asyncio.Protocol):
    """A protocol for one connection after the other."""

    def __init__(self, client_id: str, run: Run) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._connect = wire.connect(client_id, run.options)
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._is_connected = False
        self._awaits_pong = False
        self._last_words = ""
        """why the connection is about to end, if that is known"""
        self._is_refused = False
        self._attempts = 0
        """that failed in a row"""
        self._left_at: float | None = None

    def start(self) -> None:
        self._opening = self._loop.create_task(self._open())

    def stop(self) -> None:
        """Say good-bye, if there is somebody to say it to."""
        self._stop_timer()
        if self._opening is not None:
            self._opening.cancel()
        if self._transport is not None:
            if self._is_connected:
                self._transport.write(wire.DISCONNECT)
            self._transport.close()

    # -- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._run.open += 1
        self._buffer.clear()
        self._last_words, self._is_refused = "", False
        transport.write(self._connect)
        self._stop_timer()
        self._timer = self._loop.call_later(CONNACK_WITHIN_S, self._break, NO_CONNACK)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            if not self._is_connected and self._buffer and not wire.is_connack(self._buffer):
                raise wire.Unreadable("no CONNACK")
            for heard in wire.hear(self._buffer, self._run.options.version):
                self._take(heard)
        except wire.Unreadable:
            self._break("an answer that is not MQTT")

    def connection_lost(self, exc: Exception | None) -> None:
        run = self._run
        self._stop_timer()
        self._transport = None
        run.open -= 1
        if run.ending:
            if run.open == 0:
                run.all_closed.set()
            return
        why = self._last_words or (RESET if exc is not None else CLOSED)
        if self._is_connected:
            self._left(why)
            return
        (run.tally.refused if self._is_refused else run.tally.failed)[why] += 1
        self._failed(is_fatal_for_mqttx=self._is_refused or isinstance(exc, ConnectionResetError))

    # -- within

    async def _open(self) -> None:
        run = self._run
        try:
            async with run.opening:
                await self._loop.create_connection(lambda: self, *run.address)
        except OSError as error:
            run.tally.failed[_words(error)] += 1
            self._failed(is_fatal_for_mqttx=error.errno in _FATAL_FOR_MQTTX)

    def _take(self, heard: wire.Heard) -> None:
        match heard:
            case wire.ConnAck(0):
                self._accepted()
            case wire.ConnAck(code):
                self._last_words, self._is_refused = reason(code), True
                if self._transport is not None:
                    self._transport.close()
            case wire.Dismissed(code):
                self._last_words = reason(code)
            case wire.Pong():
                self._awaits_pong = False

    def _accepted(self) -> None:
        tally, now = self._run.tally, self._loop.time()
        self._is_connected, self._awaits_pong, self._attempts = True, False, 0
        tally.connected += 1
        tally.connects += 1
        if self._left_at is not None:
            tally.reconnects += 1
            tally.reconnect_times_s.append(now - self._left_at)
            self._left_at = None
        self._stop_timer()
        self._ping_later()
        self._run.changed()

    def _ping_later(self) -> None:
        if self._run.options.keep_alive_s:
            self._timer = self._loop.call_later(self._run.options.keep_alive_s, self._ping)

    def _ping(self) -> None:
        if self._awaits_pong:
            self._break(NO_PONG)
        elif self._transport is not None:
            self._awaits_pong = True
            self._transport.write(wire.PING)
            self._ping_later()

    def _break(self, why: str) -> None:
        if self._transport is not None:
            self._last_words = why
            self._transport.abort()

    def _left(self, why: str) -> None:
        """A connection has ended."""
        tally = self._run.tally
        self._is_connected = False
        tally.connected -= 1
        tally.disconnects[why] += 1
        self._left_at = self._loop.time()
        self._try_later()

    def _failed(self, *, is_fatal_for_mqttx: bool) -> None:
        """An attempt has come to nothing."""
        self._attempts += 1
        if is_fatal_for_mqttx and self._run.options.give_up_when_refused:
            self._give_up()
        else:
            self._try_later()

    def _try_later(self) -> None:
        options = self._run.options
        used_up = options.max_reconnects is not None and self._attempts > options.max_reconnects
        if options.reconnect_period_ms == 0 or used_up:
            self._give_up()
        else:
            self._stop_timer()
            self._timer = self._loop.call_later(options.reconnect_period_ms / 1000, self.start)

    def _give_up(self) -> None:
        self._run.tally.gave_up += 1
        self._run.changed()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _words(error: OSError) -> str:
    """What went wrong with a TCP connection, without addresses."""
    if error.errno == errno.ECONNREFUSED:
        return "connection refused"
    if error.errno == errno.ECONNRESET:
        return RESET
    return (error.strerror or type(error).__name__).lower()
