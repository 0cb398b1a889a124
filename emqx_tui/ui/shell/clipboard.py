"""The terminal's clipboard: OSC 52, also through tmux and screen; a file where the terminal cannot take it.

A terminal never answers whether it took the text. So the ones that are known not to, and texts longer than terminals
take, go to a file that only its owner can read.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from textual.app import App

from emqx_tui.model import units
from emqx_tui.ui.shell import terminal
from emqx_tui.ui.shell.notice_line import Notice

LONGEST = 74_994
"""Bytes after encoding: the longest that terminals are known to take (k9s has the same limit)."""
KEPT_FILES = 20
_WITHOUT = ("linux", "dumb", "vt100", "vt102", "vt220", "")
_SCREEN_CHUNK = 76


def copy(app: App[int], text: str, what: str, folder: Path | None) -> Notice:
    """Give a text to the app's terminal or, where that cannot take it, write it to a file in `folder`; which it was."""
    if not text:
        return Notice(f"nothing was copied: {what} is empty")
    if taken := sequence(text, os.environ):
        terminal.write(app, taken)
        return Notice(f"copied {what}: {units.count(len(text.encode()))} bytes to the terminal's clipboard")
    if folder is None:
        return Notice("nothing was copied: this terminal takes no such text", "warning")
    try:
        path = write_file(text, folder, datetime.now(UTC))
    except OSError as error:
        return Notice(f"nothing was copied: {error.strerror}: {error.filename}", "warning")
    return Notice(f"this terminal takes no such text: {what} written to {path}", "warning")


def sequence(text: str, environment: Mapping[str, str]) -> str:
    """What makes the terminal take `text`; empty when it cannot."""
    encoded = base64.b64encode(text.encode()).decode()
    if len(encoded) > LONGEST or not _can(environment):
        return ""
    plain = f"\x1b]52;c;{encoded}\x07"
    if environment.get("TMUX"):
        # The first one reaches the terminal where tmux lets it pass, the second where tmux has the clipboard set.
        return f"\x1bPtmux;{plain.replace(chr(27), chr(27) * 2)}\x1b\\{plain}"
    if environment.get("STY"):
        chunks = [plain[at : at + _SCREEN_CHUNK] for at in range(0, len(plain), _SCREEN_CHUNK)]
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return plain


def _can(environment: Mapping[str, str]) -> bool:
    if environment.get("TMUX") or environment.get("STY"):
        return True
    is_known_not_to = "VTE_VERSION" in environment or environment.get("TERM_PROGRAM") == "Apple_Terminal"
    return environment.get("TERM", "") not in _WITHOUT and not is_known_not_to


def write_file(text: str, folder: Path, now: datetime) -> Path:
    """Write `text` to a new file that only its owner can read; old ones are removed. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    path = folder / f"copied-{stamp}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    for old in sorted(folder.glob("copied-*.txt"))[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return path
