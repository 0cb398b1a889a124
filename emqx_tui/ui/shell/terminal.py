"""The terminal behind the app: is it reading, and how it is left when the process is told to end.

The only module that reaches into Textual's driver, which has no public way to ask either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import termios
import threading
from types import FrameType

from textual.app import App, SuspendNotSupported

_MODES_OFF = b"".join(b"\x1b[?%dl" % mode for mode in (2026, 1000, 1003, 1015, 1006, 1004, 2004, 2048))
LEAVE = b"\x18" + _MODES_OFF + b"\x1b[23;2t\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
"""Ends a sequence that was cut short, then resets every mode that the driver has set."""
LAST_WRITE_S = 0.5
GIVE_BACK_S, HARD_EXIT_S = 1.0, 3.0
"""After a signal: when a terminal that does not read is given up, and when the process ends at the latest."""


def is_behind(app: App) -> bool:
    """True while the terminal has not taken what was drawn before: drawing more would make the loop wait for it."""
    thread = getattr(getattr(app, "_driver", None), "_writer_thread", None)
    waiting = getattr(thread, "_queue", None)
    return waiting is not None and waiting.qsize() > 1


def exit_on_signals(app: App[int]) -> None:
    """SIGTERM and SIGHUP end the app with 128 + their number, even while its terminal does not read."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()

    def leave(number: int, _frame: FrameType | None) -> None:
        for after_s, end in ((GIVE_BACK_S, lambda: give_back(app)), (HARD_EXIT_S, lambda: os._exit(128 + number))):
            timer = threading.Timer(after_s, end)
            timer.daemon = True
            timer.start()
        loop.call_soon_threadsafe(lambda: app.exit(return_code=128 + number))

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def suspend(app: App[int]) -> str:
    """Stop the process, as ctrl-z does, until the shell continues it. Why it cannot be done, else empty.

    The whole process group stops: what wraps the console (`uv run`) must give the shell its terminal back, too.
    """
    if not _has_job_control():
        return "no shell is there to resume it with fg"
    try:
        with app.suspend():
            print("emqx-tui is suspended: until fg it drives and checks nothing.", file=sys.__stderr__, flush=True)
            os.killpg(os.getpgrp(), signal.SIGSTOP)
    except SuspendNotSupported:
        return "this terminal does not support it"
    return ""


def _has_job_control() -> bool:
    """Some process of this session outside our process group can continue us: the shell that started it."""
    process = os.getppid()
    with contextlib.suppress(OSError):
        if os.getpgid(process) == os.getpgrp():
            process = os.getpgrp()
            return os.getsid(process) != process
        return os.getsid(process) == os.getsid(0)
    return False


def set_title(app: App[int], title: str) -> None:
    """Set the title of the terminal's window or tab."""
    write(app, f"\x1b]2;{title}\x07")


def write(app: App[int], sequence: str) -> None:
    """Send a control sequence that draws nothing."""
    if (driver := getattr(app, "_driver", None)) is not None:
        driver.write(sequence)


def notify(app: App[int], words: str) -> None:
    """Have the desktop notify of something, where the terminal can: OSC 9. Others, tmux among them, ignore it."""
    if (driver := getattr(app, "_driver", None)) is not None:
        driver.write(f"\x1b]9;{words}\x07")


def save_title(app: App[int]) -> None:
    """Have the terminal keep its present title for `restore_title`."""
    write(app, "\x1b[22;2t")


def restore_title(app: App[int]) -> None:
    """Give the terminal the title back that it had before."""
    write(app, "\x1b[23;2t")


def give_back(app: App) -> None:
    """Leave a terminal that does not read: from now on nothing is drawn, so that nothing waits for it any more.

    What it has not taken is thrown away, in our queue and in the kernel's. Then there is room for the few bytes that
    leave our screen: the terminal is left as it was found. Call from any thread but the writer's.
    """
    driver = getattr(app, "_driver", None)
    thread = getattr(driver, "_writer_thread", None)
    waiting = getattr(thread, "_queue", None)
    file = getattr(driver, "_file", None)
    if driver is None or thread is None or waiting is None or file is None or not thread.is_alive():
        return
    driver.write = _draw_nothing
    with contextlib.suppress(queue.Empty):
        while True:
            waiting.get_nowait()
    with contextlib.suppress(OSError, ValueError, queue.Full, termios.error):
        waiting.put_nowait(None)
        _throw_away(file.fileno())
        thread.join(LAST_WRITE_S)
        _throw_away(file.fileno())
        os.write(file.fileno(), LEAVE)
        if driver.attrs_before is not None:
            termios.tcsetattr(driver.fileno, termios.TCSANOW, driver.attrs_before)


def _throw_away(descriptor: int) -> None:
    """Empty the kernel's queue. Only the end of a pause in the output wakes a write that waits for room in it."""
    termios.tcflow(descriptor, termios.TCOOFF)
    termios.tcflush(descriptor, termios.TCOFLUSH)
    termios.tcflow(descriptor, termios.TCOON)


def _draw_nothing(_data: str) -> None:
    """In the place of the driver's `write`."""
