"""A person at a terminal: a program on a pseudo-terminal, keys that go in one by one, and what stands on the screen.

One thread does it all. The terminal is read only while a test waits on it, so a terminal that stalls is simply one
that nobody waits on. What was read may be a part of a frame: who looks for words waits for them (`until_shown`). `raw`
keeps every byte that the program ever wrote, for those who look for what must not be there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyte

KEY_EVERY_S, SAME_KEY_EVERY_S = 0.05, 0.16
"""Hands: what comes faster is taken for a paste, or for a key that repeats by itself."""
POLL_S = 0.02
CODES: Mapping[str, str] = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "backspace": "\x7f",
    "ctrl+c": "\x03",
}
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
_UNREADABLE = re.compile(rb"\x1b\[[<=>][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p")
"""Questions and keyboard modes, which the screen emulator would print in part."""


class Gone(AssertionError):
    """The program ended while something was still expected of it."""


class Terminal:
    """`with Terminal([...], columns=80, rows=24) as terminal:`; what still runs at the end is killed."""

    def __init__(
        self, command: Sequence[str], *, columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None
    ) -> None:
        self.raw = bytearray()
        self.first_frame_s: float | None = None
        """From the start of the program to the first text on its screen; only known when it was waited for."""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lines: list[str] | None = None
        self._status: int | None = None
        self._held = b""
        self._last_key = ""
        self._begun = time.monotonic()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], list(command), dict(environment if environment is not None else os.environ))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._status = os.waitpid(self.pid, 0)[1]
        self.hang_up()

    @property
    def age_s(self) -> float:
        """Since the program was started."""
        return time.monotonic() - self._begun

    # -- what is shown

    def lines(self) -> list[str]:
        """As they stand since the last read: to put them together takes milliseconds, and who waits asks every 20."""
        if self._lines is None:
            self._lines = [line.rstrip() for line in self._screen.display]
        return self._lines

    def text(self) -> str:
        return "\n".join(self.lines())

    def shows(self, *words: str) -> bool:
        text = self.text()
        return all(word in text for word in words)

    def line_with(self, *words: str) -> str:
        """The first line with all these words, empty when there is none."""
        return next((line for line in self.lines() if all(word in line for word in words)), "")

    # -- waiting, which is reading

    def read(self, for_s: float = POLL_S) -> None:
        """Read what has come, and what comes within `for_s`."""
        end = time.monotonic() + for_s
        while self._master >= 0:
            ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                return
            try:
                found = os.read(self._master, 1 << 16)
            except OSError:
                found = b""
            if not found:
                # The other side is closed: nothing will ever come, and select would say "ready" for ever.
                time.sleep(max(0.0, end - time.monotonic()))
                return
            self._take(found)
            if time.monotonic() >= end:
                return

    def _take(self, found: bytes) -> None:
        self.raw += found
        # A sequence that is cut in two is put together before it is filtered.
        whole = self._held + found
        cut = whole.rfind(b"\x1b", max(0, len(whole) - 32))
        self._held = whole[cut:] if cut >= 0 and not re.search(rb"[a-zA-Z~\\]", whole[cut + 1 :]) else b""
        self._stream.feed(_UNREADABLE.sub(b"", whole[: len(whole) - len(self._held)]))
        self._lines = None
        if self.first_frame_s is None and self.text().strip():
            self.first_frame_s = time.monotonic() - self._begun

    def until(self, condition: Callable[[], object], what: str = "", *, within_s: float = 20.0) -> None:
        """Read until something is true; fails with the screen when it never is."""
        end = time.monotonic() + within_s
        while not condition():
            if self.poll() is not None:
                self.read(0.2)
                if condition():
                    return
                raise Gone(f"it ended ({self.poll()}) before {what or 'that'}:\n{self.text()}")
            assert time.monotonic() < end, f"no {what or 'such thing'} within {within_s:g} s:\n{self.text()}"
            self.read()

    def until_shown(self, *words: str, within_s: float = 20.0) -> None:
        self.until(lambda: self.shows(*words), " and ".join(map(repr, words)), within_s=within_s)

    def until_gone(self, *words: str, within_s: float = 20.0) -> None:
        self.until(lambda: not any(self.shows(word) for word in words), f"end of {words}", within_s=within_s)

    def waiting(self) -> int:
        """Bytes that the program has written and nobody has read."""
        count = fcntl.ioctl(self._master, termios.FIONREAD, struct.pack("i", 0))
        return struct.unpack("i", count)[0]

    # -- keys

    def press(self, *keys: str, calmly: int = 1) -> None:
        """Keys by name or letter, at the pace of hands; `calmly` = so many times slower."""
        for key in keys:
            self.read(calmly * (SAME_KEY_EVERY_S if key == self._last_key else KEY_EVERY_S))
            os.write(self._master, CODES.get(key, key).encode())
            self._last_key = key
        self.read(KEY_EVERY_S)

    def type(self, text: str, *, calmly: int = 1) -> None:
        self.press(*text, calmly=calmly)

    # -- the end

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def poll(self) -> int | None:
        """The exit code (negative: by that signal), None while it runs."""
        if self._status is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self._status = status
        return None if self._status is None else os.waitstatus_to_exitcode(self._status)

    def wait(self, within_s: float, *, reading: bool = True) -> int:
        """The exit code; not `reading` = the terminal stays stalled. Fails when it does not end in time."""
        end = time.monotonic() + within_s
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"it has not ended within {within_s:g} s:\n{self.text()}"
            if reading:
                self.read()
            else:
                time.sleep(POLL_S)
        if reading:
            self.read(0.1)
        return code

    def hang_up(self) -> None:
        """The line drops: our side of the terminal is closed."""
        if self._master >= 0:
            with contextlib.suppress(OSError):
                os.close(self._master)
            self._master = -1

    def is_cooked(self) -> bool:
        """The terminal echoes and edits lines again, as a shell expects it."""
        wanted = termios.ECHO | termios.ICANON | termios.ISIG
        return termios.tcgetattr(self._master)[3] & wanted == wanted

    def is_in_alternate_screen(self) -> bool:
        return self.raw.rfind(ALTERNATE_ON) > self.raw.rfind(ALTERNATE_OFF)
