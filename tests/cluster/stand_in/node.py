"""One node of the stand-in: the process that can be stopped, killed and paused. It is no EMQX.

Owns the listeners, for MQTT and for the management API, and carries what comes there to the process behind all nodes
of the cluster (`behind`), which answers. The first node starts that one; they find it in the folder that the data
folders of the cluster share. Its pulse is what tells that it is neither dead nor paused.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PORTS = {"mqtt": 1883, "http": 8081}
PULSE_S = 0.25
START_S = 30.0


def _is_there(door: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as tried:
        tried.connect(str(door))
        return True
    return False


def _ensure(door: Path) -> None:
    """The process behind the nodes answers at `door`; the first node starts it, and it outlives that node."""
    with door.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_there(door):
            return
        door.unlink(missing_ok=True)
        with door.with_suffix(".log").open("ab") as log:
            command = [sys.executable, "-m", "tests.cluster.stand_in.behind", str(door)]
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + START_S
        while not _is_there(door):
            if time.monotonic() > end:
                raise TimeoutError(f"nothing answers at {door}")
            time.sleep(0.05)


async def _opened(door: Path, header: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(str(door))
    writer.write(json.dumps(header).encode() + b"\n")
    return reader, writer


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _run(asked: argparse.Namespace, door: Path, users: str) -> None:
    told = {"version": asked.version, "data": asked.data, "users": users}
    reader, pulse = await _opened(door, {"kind": "life", "node": asked.node, **told})
    await reader.readline()

    def carry(kind: str) -> Any:
        async def carried(theirs: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
            there, writer = await _opened(door, {"kind": kind, "node": asked.node})
            await asyncio.gather(_pump(theirs, writer), _pump(there, back))

        return carried

    servers = [await asyncio.start_server(carry(kind), "0.0.0.0", port) for kind, port in PORTS.items()]
    print(f"{asked.node} listens at {sorted(PORTS.values())}", flush=True)
    while servers:
        pulse.write(b".")
        await pulse.drain()
        await asyncio.sleep(PULSE_S)


def main() -> None:
    parser = argparse.ArgumentParser()
    for word in ("address", "node", "version", "data", "users"):
        parser.add_argument(word)
    parser.add_argument("seeds", nargs="*", help="not needed: the folder tells")
    asked = parser.parse_args()
    door = Path(asked.data).parent / "stand-in"
    _ensure(door)
    asyncio.run(_run(asked, door, Path(asked.users).read_text()))


if __name__ == "__main__":
    main()
