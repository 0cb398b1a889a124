"""Standard output of commands that answer and leave.

Owns what happens when it cannot be written: one error instead of a traceback, and silence from the interpreter, which
would flush the rest again as it ends.
"""

from __future__ import annotations

import contextlib
import os
import sys

from emqx_tui.model.errors import AdapterError

STANDARD_OUTPUT = 1


class OutputLost(AdapterError):
    """Standard output is closed, full, or nobody reads it."""

    kind = "output"

    def __init__(self, reason: str) -> None:
        super().__init__(f"cannot write to standard output: {reason}")


def say(text: str) -> None:
    """Write a line at once. Raises OutputLost."""
    if sys.stdout is None:
        raise OutputLost("it is closed")
    try:
        sys.stdout.write(text + "\n")
    except OSError as error:
        raise _lost(error) from error
    flush()


def flush() -> None:
    """Write what waits. Raises OutputLost."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise _lost(error) from error


def occupy_closed_descriptors() -> None:
    """Keep the numbers of closed standard streams: the next file opened must not become standard output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _lost(error: OSError) -> OutputLost:
    """What was lost; the stream leads nowhere from now on."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return OutputLost(error.strerror or type(error).__name__)
