"""How the console ends when it is told to, when its line drops, and when its terminal does not read any more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import children, command, environment, is_alive, wait_until
from tests.support.terminal import Terminal

EXIT_S = 3.5
"""Three seconds are promised; the rest is for looking."""
STALLED_S = 2.5
"""Without a byte more: what the console writes ahead is full as well."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Terminal]:
    """The console of a demo whose list is on the screen."""
    with Terminal(command("demo", "--clients", "50", "--speed", "10"), environment=environment(tmp_path)) as terminal:
        Person(terminal).find()
        yield terminal


def nothing_is_left(sandboxes: list[int], folder: Path) -> bool:
    """The demo's sandbox is gone, and so are its files."""
    return not any(is_alive(pid) for pid in sandboxes) and list((folder / "tmp").iterdir()) == []


def sandboxes_of(terminal: Terminal) -> list[int]:
    found = children(terminal.pid)
    assert found
    assert all(b"sandbox" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_it_and_gives_the_terminal_back(number: signal.Signals, demo: Terminal, tmp_path: Path) -> None:
    sandboxes = sandboxes_of(demo)
    assert demo.is_in_alternate_screen()
    assert not demo.is_cooked()
    demo.signal(number)
    assert demo.wait(EXIT_S) == 128 + number
    assert not demo.is_in_alternate_screen()
    assert demo.is_cooked()
    wait_until(lambda: nothing_is_left(sandboxes, tmp_path), "end of the sandbox", within_s=5)


def test_a_signal_ends_it_while_the_terminal_does_not_read(demo: Terminal, tmp_path: Path) -> None:
    """What cannot be written is thrown away; then there is room for the few bytes that give the terminal back."""
    sandboxes = sandboxes_of(demo)
    stall(demo)
    begun = time.monotonic()
    demo.signal(signal.SIGTERM)
    assert demo.wait(EXIT_S + 0.5, reading=False) == 128 + signal.SIGTERM
    print(f"ended after {time.monotonic() - begun:.1f} s")
    demo.read(0.5)
    assert not demo.is_in_alternate_screen()
    assert demo.is_cooked()
    wait_until(lambda: nothing_is_left(sandboxes, tmp_path), "end of the sandbox", within_s=5)


def test_a_line_that_drops_ends_it(demo: Terminal, tmp_path: Path) -> None:
    sandboxes = sandboxes_of(demo)
    demo.hang_up()
    demo.wait(EXIT_S + 1, reading=False)
    wait_until(lambda: nothing_is_left(sandboxes, tmp_path), "end of the sandbox", within_s=5)


def test_a_line_that_drops_ends_it_where_hang_ups_are_ignored(tmp_path: Path) -> None:
    """As under nohup: the signal is ignored from the start, and the end of the terminal must do."""
    words = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command("demo", "--clients", "50")]
    with Terminal(words, environment=environment(tmp_path)) as terminal:
        Person(terminal).find()
        sandboxes = sandboxes_of(terminal)
        terminal.hang_up()
        terminal.wait(EXIT_S + 1, reading=False)
    wait_until(lambda: nothing_is_left(sandboxes, tmp_path), "end of the sandbox", within_s=5)


def test_killed_it_leaves_no_sandbox_behind(demo: Terminal) -> None:
    sandboxes = sandboxes_of(demo)
    os.kill(demo.pid, signal.SIGKILL)
    demo.wait(2)
    wait_until(lambda: not any(is_alive(pid) for pid in sandboxes), "end of the sandbox", within_s=5)


def stall(terminal: Terminal) -> None:
    """Let the console write until nothing goes any more: the release screen changes often enough."""
    terminal.press("enter")
    terminal.until_shown("connected")
    full_at = time.monotonic()
    known = 0

    def is_full() -> bool:
        nonlocal full_at, known
        if terminal.waiting() != known:
            known, full_at = terminal.waiting(), time.monotonic()
        return known > 3_500 and time.monotonic() > full_at + STALLED_S

    wait_until(is_full, "full terminal", within_s=20)
