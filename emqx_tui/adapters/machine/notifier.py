"""Calls a person by the one command or webhook of the settings.

Owns a thread: a command that hangs or a server that does not answer delays no release and no screen. What fails is
logged; nothing is tried again, because the next call is worth more than the last one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import Any

from emqx_tui.adapters.errors import ConfigError

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
END_S = 3.0
"""How long the end of the program waits for a call that is under way."""
WAITING = 64
"""Calls that wait for the one under way; more are dropped."""


class Notifier:
    """`with Notifier(where) as notifier: notifier.tell({...})`. `where`: a URL, or a command with its arguments."""

    def __init__(self, where: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Raises ConfigError for a command that cannot be read."""
        self._url = where if where.startswith(("http://", "https://")) else ""
        try:
            self._command = [] if self._url else shlex.split(where)
        except ValueError as error:
            raise ConfigError(f"notify: {error}") from error
        if not self._url and not self._command:
            raise ConfigError("notify: expected a command or a URL, found only blanks")
        self._timeout_s = timeout_s
        self._calls: queue.Queue[Mapping[str, Any] | None] = queue.Queue(WAITING)
        """None ends the thread."""
        self._thread = threading.Thread(target=self._deliver_all, name="notifier", daemon=True)

    def __enter__(self) -> Notifier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the calls that are under way, but not for long."""
        with contextlib.suppress(queue.Full):
            self._calls.put_nowait(None)
        self._thread.join(END_S)

    def tell(self, call: Mapping[str, Any]) -> None:
        """Queue a call. Never blocks, never raises."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            logger.warning("a call was dropped: %d wait already", WAITING)

    def _deliver_all(self) -> None:
        while (call := self._calls.get()) is not None:
            body = json.dumps(call, ensure_ascii=False).encode()
            try:
                problem = self._post(body) if self._url else self._execute(call, body)
            except Exception as error:  # whatever it is: the next call is to be delivered
                problem = type(error).__name__
            if problem:
                # Neither the URL nor the command: both may hold a token.
                logger.warning("nobody was called for %s %s: %s", call.get("name"), call.get("cause"), problem)

    def _post(self, body: bytes) -> str:
        """Why nobody was called, empty when somebody was."""
        from emqx_tui.adapters.emqx.library import httpx

        headers = {"Content-Type": "application/json"}
        try:
            answer = httpx.post(self._url, content=body, headers=headers, timeout=self._timeout_s)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "" if answer.is_success else f"the webhook answers {answer.status_code}"

    def _execute(self, call: Mapping[str, Any], body: bytes) -> str:
        """The call is in the environment, for a shell, and on standard input, for a program."""
        told = {f"EMQX_TUI_CALL_{name.upper()}": str(value) for name, value in call.items() if value is not None}
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **told},
                start_new_session=True,
            )
        except OSError as error:
            return error.strerror or type(error).__name__
        with process:
            try:
                process.communicate(body, timeout=self._timeout_s)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return f"the command takes longer than {self._timeout_s:g} s"
        return "" if process.returncode == 0 else f"the command leaves with {process.returncode}"
