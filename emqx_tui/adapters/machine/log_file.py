"""The program's own log: one rotating file that only its owner can read. The screen owns standard output.

Owns the logging tree: our loggers at the level asked for, the libraries' at WARNING whatever that is, because at DEBUG
some of them print headers. Every line is redacted and cleaned where it is formatted, tracebacks included. A thread
writes the file, so that a disk that hangs stops no loop.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import logging.handlers
import os
import queue
import threading
import time
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from emqx_tui.adapters.errors import ConfigError
from emqx_tui.model.wire import clean
from emqx_tui.rollout.redaction import redact_text

FILE_BYTES = 2 << 20
FILES = 5
LEVELS = ("debug", "info", "warning", "error")
_QUEUE = 4096
_LINE_LIMIT = 16 << 10


class LogFile:
    """Logging to a file, until closed."""

    def __init__(self, path: Path, level: str = "info") -> None:
        """Open the file and take over the logging tree. Raises ConfigError when the file cannot be opened."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            writer = PrivateFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write the log file {path}: {error.strerror}; give --log-file PATH") from error
        writer.setFormatter(CleanFormatter())
        self._queue: queue.Queue[logging.LogRecord | None] = queue.Queue(_QUEUE)
        """Records; None ends the thread."""
        self._handler = QuietQueueHandler(self._queue)
        self._writer = writer
        self._thread = threading.Thread(target=self._write_all, name="log file", daemon=True)
        self._thread.start()
        root, ours = logging.getLogger(), logging.getLogger("emqx_tui")
        root.addHandler(self._handler)
        self._before = root.level, ours.level
        root.setLevel(logging.WARNING)
        ours.setLevel(level.upper())
        logging.captureWarnings(True)
        self._is_closed = False
        atexit.register(self.close)

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self, timeout_s: float = 1.0) -> None:
        """Give the logging tree back and write what is queued, within `timeout_s`."""
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        logging.captureWarnings(False)
        root, ours = logging.getLogger(), logging.getLogger("emqx_tui")
        root.removeHandler(self._handler)
        root.setLevel(self._before[0])
        ours.setLevel(self._before[1])
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)

    def _write_all(self) -> None:
        """The thread: until `close`. A disk that refuses is no reason to end, nor to say so on the screen."""
        while (record := self._queue.get()) is not None:
            self._writer.handle(record)
        with contextlib.suppress(OSError):
            self._writer.close()


class QuietQueueHandler(logging.handlers.QueueHandler):
    """Drops records when the writer cannot keep up: logging must never block the program."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            return

    def prepare(self, record: logging.LogRecord) -> Any:
        """Keep the record as it is: it does not leave the process, and the formatter wants its exception."""
        record.message = record.getMessage()
        record.msg, record.args = record.message, None
        return record


class PrivateFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return open(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk is no reason to write over the screen, as `logging` would."""


class CleanFormatter(logging.Formatter):
    """UTC, one level, one module, no secrets, nothing a terminal would obey."""

    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return redact_text(clean(super().format(record)[:_LINE_LIMIT], lines=True))
