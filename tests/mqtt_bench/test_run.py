"""Whole runs against a broker that does what a test tells it, answer by answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emqx_tui.mqtt_bench.options import V3_1_1, BenchOptions
from emqx_tui.mqtt_bench.run import CannotRun, addresses_of, allow_descriptors, is_this_machine, run_clients
from emqx_tui.mqtt_bench.tally import CLOSED, NO_PONG, RESET, Tally
from emqx_tui.sandbox.mqtt.connection import reset

ACCEPT, REFUSE, EVICT = "2003000000", "2003009c00", "e0029c00"
ACCEPT_3, REFUSE_3 = "20020000", "20020003"
WITHIN_S = 10.0


class Broker:
    """Answers the n-th CONNECT with the n-th script: hex to send, `close`, `reset`; `end` ends the run."""

    def __init__(self, *scripts: Sequence[str]) -> None:
        self._scripts = list(scripts)
        self.ending = asyncio.Event()
        self.connects: list[bytes] = []
        self.said: list[bytes] = []
        self.address = "", 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Broker]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = server.sockets[0].getsockname()
        async with server:
            yield self
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._play(reader, writer)
        finally:
            writer.close()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connects.append(await reader.read(4096))
        script = self._scripts[min(len(self.connects), len(self._scripts)) - 1]
        for word in script:
            match word:
                case "end":
                    await heard_by_the_client()
                    self.ending.set()
                case "close":
                    return
                case "reset":
                    reset(writer.transport)  # pyright: ignore[reportArgumentType]
                    return
                case "answer ping":
                    self.said.append(await reader.read(4096))
                    writer.write(bytes.fromhex("d000"))
                case "hear ping":
                    self.said.append(await reader.read(4096))
                case _:
                    writer.write(bytes.fromhex(word))
        while data := await reader.read(4096):
            self.said.append(data)


async def heard_by_the_client() -> None:
    """Loopback delivers at once, and what the client makes of it takes a few turns of the loop that both run in."""
    for _ in range(20):
        await asyncio.sleep(0)


async def run(broker: Broker, **options: Any) -> Tally:
    wanted = BenchOptions(**{"count": 1, "interval_ms": 0, "reconnect_period_ms": 1, **options})
    async with broker.listening(), asyncio.timeout(WITHIN_S):
        return await run_clients(wanted, (broker.address[0], broker.address[1]), broker.ending)


async def test_all_connect_and_say_good_bye() -> None:
    broker = Broker([ACCEPT], [ACCEPT], [ACCEPT, "end"])
    tally = await run(broker, count=3)
    assert (tally.connected, tally.connects, tally.lost) == (3, 3, 0)
    assert tally.all_connected_after_s is not None
    assert not tally.disconnects
    assert broker.said == [bytes.fromhex("e000")] * 3


async def test_an_evicted_client_comes_back() -> None:
    tally = await run(Broker([ACCEPT, EVICT, "close"], [ACCEPT, "end"]))
    assert (tally.connected, tally.connects, tally.reconnects) == (1, 2, 1)
    assert tally.disconnects == {"0x9c use another server": 1}
    assert len(tally.reconnect_times_s) == 1
    assert tally.reconnect_times_s[0] >= 0.001


@pytest.mark.parametrize(("how", "told"), [("close", CLOSED), ("reset", RESET)])
async def test_an_older_client_is_told_nothing(how: str, told: str) -> None:
    tally = await run(Broker([ACCEPT_3, how], [ACCEPT_3, "end"]), version=V3_1_1)
    assert (tally.connected, dict(tally.disconnects)) == (1, {told: 1})


@pytest.mark.parametrize(
    ("refusal", "version", "told"), [(REFUSE, 5, "0x9c use another server"), (REFUSE_3, 4, "3 server unavailable")]
)
async def test_a_refused_client_tries_again(refusal: str, version: int, told: str) -> None:
    accept = ACCEPT if version == 5 else ACCEPT_3
    broker = Broker([refusal, "close"], [refusal, "close"], [accept, "end"])
    tally = await run(broker, version=version)
    assert (tally.connected, tally.connects, tally.reconnects, tally.gave_up) == (1, 1, 0, 0)
    assert (dict(tally.refused), dict(tally.failed)) == ({told: 2}, {})


async def test_with_mqttx_manners_a_refusal_is_the_end() -> None:
    broker = Broker([ACCEPT, EVICT, "close"], [REFUSE, "close"])
    tally = await run(broker, give_up_when_refused=True)
    assert (tally.connected, tally.gave_up, tally.lost) == (0, 1, 1)
    assert len(broker.connects) == 2


@pytest.mark.parametrize(("how", "told", "ends"), [("close", CLOSED, False), ("reset", RESET, True)])
async def test_a_connection_without_a_connack_has_failed(how: str, told: str, ends: bool) -> None:
    """A proxy without a backend: MQTTX's clients survive an end, and not a reset."""
    tally = await run(Broker([how], [ACCEPT, "end"]), give_up_when_refused=True)
    assert dict(tally.failed) == {told: 1}
    assert tally.gave_up == ends


async def test_where_nothing_listens() -> None:
    broker = Broker([])
    async with broker.listening():
        address = broker.address[0], broker.address[1]
    tally = await run_clients(BenchOptions(count=2, interval_ms=0, give_up_when_refused=True), address)
    assert (tally.gave_up, dict(tally.failed)) == (2, {"connection refused": 2})


async def test_attempts_in_a_row_may_be_limited() -> None:
    broker = Broker([ACCEPT, "close"], ["close"])
    tally = await run(broker, max_reconnects=3)
    assert (tally.gave_up, len(broker.connects)) == (1, 1 + 4)


async def test_without_a_period_nobody_comes_back() -> None:
    tally = await run(Broker([ACCEPT, EVICT, "close"]), reconnect_period_ms=0)
    assert (tally.gave_up, tally.connects) == (1, 1)


async def test_a_broker_that_does_not_answer_a_ping_is_left() -> None:
    broker = Broker([ACCEPT, "answer ping", "hear ping"], [ACCEPT, "end"])
    tally = await run(broker, keep_alive_s=1)
    assert dict(tally.disconnects) == {NO_PONG: 1}
    assert broker.said[:2] == [bytes.fromhex("c000")] * 2


async def test_a_broker_that_does_not_speak_mqtt() -> None:
    tally = await run(Broker(["485454502f312e310d0a"], [ACCEPT, "end"]))
    assert (tally.connected, tally.failed.total()) == (1, 1)


async def test_the_duration_ends_a_run() -> None:
    tally = await run(Broker([ACCEPT]), duration_s=0.3)
    assert tally.count == 1


def test_which_machine() -> None:
    assert is_this_machine(addresses_of("127.8.9.10", 1883))
    assert is_this_machine(addresses_of("localhost", 1883))
    assert is_this_machine([("::1", 1)])
    assert not is_this_machine(addresses_of("192.0.2.1", 1883))
    assert not is_this_machine([("127.0.0.1", 1), ("192.0.2.1", 1)])
    with pytest.raises(CannotRun):
        addresses_of("no such host.invalid", 1883)


def test_a_limit_that_is_too_low_is_told_before() -> None:
    with pytest.raises(CannotRun, match=r"900000000 connections need 900000064 file descriptors"):
        allow_descriptors(900_000_000)
