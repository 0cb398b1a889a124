"""Bodies that are read line by line."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from emqx_tui.adapters.kubernetes.body_lines import LONGEST_LINE, LineSplitter
from emqx_tui.model.errors import Forbidden, Unreachable
from emqx_tui.rollout.requests import KubeRequest

LOG = "/api/v1/namespaces/emqx/pods/a/log"


def split(*chunks: bytes) -> list[str]:
    told: list[str] = []
    splitter = LineSplitter(told.append)
    for chunk in chunks:
        splitter.feed(chunk)
    splitter.end()
    return told


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ((b"a\nb\n",), ["a", "b"]),
        ((b"a", b"b\r\n\nc"), ["ab", "", "c"]),
        ((b"\xf0\x9f", b"\x98\x80\xff\n"), ["😀�"]),
    ],
)
def test_lines_come_whole_however_they_are_cut(chunks, lines):
    assert split(*chunks) == lines


def test_a_line_that_does_not_end_is_cut_and_the_next_one_is_whole():
    pieces = [b"x" * LONGEST_LINE] * 3
    found = split(*pieces, b"rest of it\nnext\n")
    assert [len(line) for line in found] == [LONGEST_LINE, len("next")]


async def test_lines_come_as_they_are_written_and_a_cancelled_reader_hangs_up(api, client_of, until):
    left = asyncio.Event()

    async def stream(request):
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\ntw")
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return response

    api.routes["GET", LOG] = stream
    told: list[str] = []
    reading = asyncio.create_task(client_of(api).lines(KubeRequest("GET", LOG, query={"follow": "true"}), told.append))
    await until(lambda: told == ["one"])
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await asyncio.wait_for(left.wait(), 8.0)


async def test_errors_are_adapter_errors(api, client_of, status_answer):
    async def refuse(request):
        return web.json_response(
            {"kind": "Status", "status": "Failure", "message": "no", "reason": "Forbidden", "code": 403}, status=403
        )

    api.routes["GET", LOG] = refuse
    kube = client_of(api)
    with pytest.raises(Forbidden):
        await kube.lines(KubeRequest("GET", LOG), print)
    await api.stop()
    with pytest.raises(Unreachable):
        await kube.lines(KubeRequest("GET", LOG), print)
