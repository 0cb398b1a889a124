"""The flight log: what was seen, decided and sent, one JSON object per line, append-only, on this machine's disk.

Owns one recording: a file that only its owner can read, in parts of bounded size, and the pruning of old recordings.
Written by a thread of its own, because a home directory that hangs must not stop the engine: `record` only redacts,
serialises and queues. What cannot be written is counted and told in the next line that can. Never raises.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emqx_tui import __version__
from emqx_tui.adapters.machine.flight_history import recorded_samples
from emqx_tui.model.series import Sample
from emqx_tui.model.wire import clean
from emqx_tui.rollout.redaction import redact
from emqx_tui.session.views.view import View
from emqx_tui.session.views.view_recording import EVENT, ViewWriter

logger = logging.getLogger(__name__)

SCHEMA = 2
"""2: a view is two objects, in base 64."""
PART_BYTES = 8 << 20
PARTS = 4
"""Of one recording: the one being written and the older ones, `.1` the newest of them."""
RECORDINGS = 40
"""Files kept in the folder, all clusters together; the oldest go first."""
MOST_IN_A_SECOND = 100
"""Recordings of one cluster that may begin in the same second."""
LINE_BYTES = 256 << 10
_QUEUE = 4096
_VIEWS = 64
"""With more waiting than this the disk is too slow for views, each of which holds some memory."""
_RETRY_S = 5.0


class FlightLog:
    """Implements `session.ports.Recorder` for one cluster."""

    def __init__(
        self,
        folder: Path,
        namespace: str,
        name: str,
        *,
        started_at: datetime | None = None,
        part_bytes: int = PART_BYTES,
        parts: int = PARTS,
    ) -> None:
        start = (started_at or datetime.now(UTC)).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._prefix = f"flight-{_part(namespace)}-{_part(name)}-"
        self._about = {"schema": SCHEMA, "console": __version__, "namespace": namespace, "name": name}
        self._folder = folder
        self._files = Parts(
            folder / f"{self._prefix}{start}.jsonl", part_bytes, parts, self._spell("recording", self._about)
        )
        self._queue: queue.Queue[bytes | View | None] = queue.Queue(_QUEUE)
        """Lines, and views to make lines of; None ends the thread."""
        self._views = ViewWriter(secrets.token_hex(3))
        self._dropped = 0
        self._thread: threading.Thread | None = None
        self._is_closed = False

    @property
    def path(self) -> Path:
        """The part that is written."""
        return self._files.path

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Queue one record, redacted. Never raises, never blocks."""
        if not self._is_closed:
            self._put(self._spell(event, fields))

    def saw(self, view: View) -> None:
        """Queue one view: the thread encodes it. Never raises, never blocks.

        While the thread is behind a view is left out: the next one tells all that is so by then.
        """
        if not self._is_closed and self._queue.qsize() <= _VIEWS:
            self._put(view)

    def _put(self, item: bytes | View) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, name="flight log", daemon=True)
            self._thread.start()
            # A thread of this kind is not waited for, and the last lines tell how a release ended.
            atexit.register(self.close)
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._dropped += 1

    def recall(self, uid: str, release_id: str, tell: Callable[[tuple[Sample, ...]], None]) -> None:
        """Read the counts of a release, in a thread; `tell` is called from there."""

        def read() -> None:
            tell(recorded_samples(self._folder, self._prefix, uid, release_id))

        threading.Thread(target=read, name="flight history", daemon=True).start()

    @property
    def is_idle(self) -> bool:
        """Nothing waits to be written."""
        return self._queue.empty()

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is queued, within `timeout_s`."""
        self._is_closed = True
        atexit.unregister(self.close)
        if self._thread:
            with contextlib.suppress(queue.Full):
                self._queue.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)

    def _spell(self, event: str, fields: Mapping[str, Any]) -> bytes:
        told = {"event": event, "recorded_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        try:
            line = json.dumps({**redact(fields), **told}, default=_word, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            line = json.dumps({**told, "unwritable": f"{type(error).__name__}"})
        raw = line.encode("utf-8", "replace")
        if len(raw) > LINE_BYTES:
            raw = json.dumps({**told, "cut": len(raw), "beginning": line[:2000]}, ensure_ascii=False).encode()
        return raw + b"\n"

    def _write_all(self) -> None:
        """The thread: until `close`."""
        while (item := self._queue.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            before = self._spell("dropped", {"records": dropped}) if dropped else b""
            line = item if isinstance(item, bytes) else self._spell_view(item)
            is_whole = False
            if not isinstance(item, bytes) and self._files.has_no_room(before + line):
                # The part before may be gone one day.
                self._views.begin_anew()
                line, is_whole = self._spell_view(item), True
            parts = self._files.begun
            if not self._files.write(before + line):
                self._dropped += 1
                self._views.begin_anew()
            elif self._files.begun != parts and not is_whole:
                self._views.begin_anew()
        self._files.close()

    def _spell_view(self, view: View) -> bytes:
        try:
            return json.dumps({"event": EVENT, **self._views.record(view)}, separators=(",", ":")).encode() + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            self._views.begin_anew()
            return self._spell(EVENT, {"unwritable": f"{type(error).__name__}"})


class Parts:
    """The files of one recording. Used by one thread only."""

    def __init__(self, path: Path, part_bytes: int, parts: int, heading: bytes) -> None:
        self.path = path
        self._is_ours = False
        """`path` was made here: until then it may be another console's, which began in the same second."""
        self._part_bytes = part_bytes
        self._parts = parts
        self._heading = heading
        self._file: int | None = None
        self._size = 0
        self._failed_at: float | None = None
        self.begun = 0
        """Parts that were begun, or gone on with."""

    def write(self, line: bytes) -> bool:
        """Append a line, in a new part when this one is full; False when the disk refuses."""
        if self._failed_at is not None and time.monotonic() - self._failed_at < _RETRY_S:
            return False
        try:
            self._append(line)
        except OSError as error:
            if self._failed_at is None:
                logger.warning("cannot write the flight log %s: %s", self.path, error.strerror)
            self._failed_at = time.monotonic()
            self.close()
            return False
        self._failed_at = None
        return True

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None

    def has_no_room(self, line: bytes) -> bool:
        """It would begin another part."""
        return self._file is not None and self._size + len(line) > self._part_bytes

    def _append(self, line: bytes) -> None:
        if self.has_no_room(line):
            self.close()
            self._shift()
        if self._file is None:
            self._file = self._open()
            self.begun += 1
            self._size = os.fstat(self._file).st_size
            line = self._heading + line
        while line:
            written = os.write(self._file, line)
            self._size += written
            line = line[written:]

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        prune(self.path.parent, "flight-*.jsonl*", RECORDINGS - 1)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        if not self._is_ours:
            self.path, file = _make(self.path, flags)
            self._is_ours = True
            return file
        return os.open(self.path, flags, 0o600)

    def _shift(self) -> None:
        """Make room: the part just filled becomes `.1`, and the oldest goes."""
        for number in range(self._parts - 1, 0, -1):
            older = self.path if number == 1 else Path(f"{self.path}.{number - 1}")
            if older.exists():
                older.replace(f"{self.path}.{number}")


def _make(path: Path, flags: int) -> tuple[Path, int]:
    """Open a new file of this name, or of the next one that is free. Raises OSError."""
    for number in range(2, MOST_IN_A_SECOND):
        with contextlib.suppress(FileExistsError):
            return path, os.open(path, flags | os.O_EXCL, 0o600)
        path = path.with_name(re.sub(r"(Z|Z-\d+)(?=\.jsonl\Z)", f"Z-{number}", path.name))
    return path, os.open(path, flags | os.O_EXCL, 0o600)


def prune(folder: Path, pattern: str, keep: int) -> None:
    """Remove the oldest files of `folder` that match `pattern` but `keep`. Raises OSError."""
    found: list[tuple[float, Path]] = []
    for file in folder.glob(pattern):
        # Another console may have given it its next name meanwhile.
        with contextlib.suppress(FileNotFoundError):
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime, file))
    for _, file in sorted(found, reverse=True)[keep:]:
        file.unlink(missing_ok=True)


def _part(name: str) -> str:
    """A piece of a file name: what Kubernetes allows in names, nothing else."""
    return re.sub(r"[^a-z0-9.-]", "_", name.lower()).strip(".") or "_"


def _word(value: Any) -> str:
    """A value that JSON has no type for, as text."""
    return value.isoformat() if isinstance(value, datetime) else clean(str(value))
