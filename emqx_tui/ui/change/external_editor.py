"""$EDITOR on a file that nobody else can read and that is removed afterwards. Knows nothing of YAML."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from textual.app import App, SuspendNotSupported


class EditorFailed(Exception):
    """The editor could not be run or ended with an error; the message is one line."""


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """$VISUAL, $EDITOR, or vi."""
    return shlex.split(environ.get("VISUAL") or environ.get("EDITOR") or "vi")


def edit_text(text: str, command: list[str], *, name: str) -> str:
    """Let a person edit `text` and return it as saved. Blocks until the editor ends. Raises EditorFailed."""
    with tempfile.TemporaryDirectory(prefix="emqx-tui-") as folder:
        path = Path(folder) / name
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run([*command, str(path)], check=False)
        except OSError as error:
            raise EditorFailed(f"{command[0]} could not be started: {error.strerror}") from error
        if ended.returncode != 0:
            raise EditorFailed(f"{command[0]} ended with exit code {ended.returncode}")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise EditorFailed("what the editor left cannot be read") from error


def run(app: App, text: str, *, name: str) -> str:
    """`edit_text` on the app's terminal, with this process's environment. Raises EditorFailed."""
    try:
        with app.suspend():
            # Raised in here, an error would leave the terminal with the editor's modes.
            result = _attempt(text, name)
    except SuspendNotSupported as error:
        raise EditorFailed("this terminal cannot be handed to an editor") from error
    if isinstance(result, EditorFailed):
        raise result
    return result


def _attempt(text: str, name: str) -> str | EditorFailed:
    try:
        return edit_text(text, editor_command(os.environ), name=name)
    except EditorFailed as error:
        return error
