"""Two stores for the views of a flight log, side by side: lines of JSON, as it is written, and SQLite with a WAL.

Run by hand: `.venv/bin/python -m tests.bench.flight_store [--hours 8] [--nodes 24]`. Both get the same packed views;
what is measured is the store alone: bytes on the disk, time of one write, reading all of it back, and what is left of a
writer that is killed with SIGKILL in the middle.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from emqx_tui.session.views.view_recording import ViewLine, ViewWriter
from tests.bench.figures import machine
from tests.bench.flight_log import draining, hours_of

Record = Mapping[str, Any]


class Store(Protocol):
    def write(self, record: Record) -> None: ...
    def read(self) -> list[ViewLine]: ...


class Lines:
    """One object a line, appended by one write: what the kernel has, a dead process has written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, record: Record) -> None:
        os.write(self._file, json.dumps({"event": "view", **record}, separators=(",", ":")).encode() + b"\n")

    def read(self) -> list[ViewLine]:
        with self._path.open("rb") as lines:
            return [found for line in lines if (found := ViewLine.from_line(line)) is not None]


class Rows:
    """One row a view, each in a transaction of its own; the packed bytes need no text around them."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        self._base.execute("CREATE TABLE IF NOT EXISTS views (at TEXT, chunk TEXT, n INTEGER, packed BLOB)")

    def write(self, record: Record) -> None:
        row = (record["at"], record["chunk"], record["n"], b64decode(record["b"]))
        self._base.execute("INSERT INTO views VALUES (?, ?, ?, ?)", row)

    def read(self) -> list[ViewLine]:
        self._base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        rows = self._base.execute("SELECT at, chunk, n, packed FROM views ORDER BY rowid")
        return [ViewLine(datetime.fromisoformat(at), chunk, n, packed) for at, chunk, n, packed in rows]


STORES = {"lines": Lines, "sqlite": Rows}


def measure(name: str, records: Iterable[Record], folder: Path) -> None:
    store, took = STORES[name](folder / name), []
    for record in records:
        begun = time.perf_counter()
        store.write(record)
        took.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    found = store.read()
    read_s = time.perf_counter() - begun
    assert len(found) == len(took)
    size = sum(file.stat().st_size for file in folder.glob(f"{name}*"))
    took.sort()
    middle, most_of, most = (took[n] * 1e3 for n in (len(took) // 2, len(took) * 99 // 100, -1))
    print(
        f"{name}: {len(took):,} views, {size / 1e6:.1f} MB, read in {read_s:.2f} s, "
        f"a write {middle:.3f} ms in the middle, {most_of:.3f} ms at 99 %, {most:.1f} ms at most"
    )


def killed(name: str, folder: Path, after: int) -> None:
    """A writer that is killed once it has said that `after` views are written."""
    path = folder / f"killed-{name}"
    command = [sys.executable, "-m", "tests.bench.flight_store", "--write", name, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = 0
        for line in writer.stdout:
            told = int(line)
            if told >= after:
                os.kill(writer.pid, signal.SIGKILL)
                break
        told = max([told, *map(int, writer.stdout.read().split())])
    found = STORES[name](path).read()
    print(f"{name}, killed: {told:,} views acknowledged, {len(found):,} read back")


def write_for_ever(name: str, path: Path) -> None:
    store, packed = STORES[name](path), "QUJD" * 150
    for number in range(1, 10_000_000):
        store.write({"at": "2026-01-01T00:00:00+00:00", "chunk": "a-1", "n": number, "b": packed})
        print(number, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare stores for the flight log.")
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--nodes", type=int, default=24)
    parser.add_argument("--write", nargs=2, metavar=("STORE", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.write:
        write_for_ever(chosen.write[0], Path(chosen.write[1]))
        return
    writer = ViewWriter("bench")
    records = [writer.record(view) for view in hours_of(draining(chosen.nodes), chosen.hours)]
    with tempfile.TemporaryDirectory() as folder:
        for name in STORES:
            measure(name, records, Path(folder))
        for name in STORES:
            killed(name, Path(folder), 2_000)
    print(machine())


if __name__ == "__main__":
    main()
