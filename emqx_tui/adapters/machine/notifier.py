"""Calls a person by the one command, webhook or chat service of the settings.

Owns a thread: a command that hangs or a server that does not answer delays no release and no screen. What fails is
logged; nothing is tried again, because the next call is worth more than the last one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any

from emqx_tui.adapters.errors import ConfigError

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0
END_S = 3.0
"""How long the end of the program waits for a call that is under way."""
WAITING = 64
"""Calls that wait for the one under way; more are dropped."""

Call = Mapping[str, Any]
Deliver = Callable[[Call], str]
"""Why nobody was called, empty when somebody was."""
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class Notifier:
    """`with Notifier(where) as notifier: notifier.tell({...})`."""

    def __init__(self, where: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """`where`: the URL of a webhook, an address that Apprise knows, or a command with its arguments.

        Raises ConfigError for one that cannot be read, without its words: they may hold a token.
        """
        self._deliver, self.way = _delivery(where, timeout_s)
        """How, and what that is: nothing secret."""
        self._calls: queue.Queue[Call | None] = queue.Queue(WAITING)
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

    def tell(self, call: Call) -> None:
        """Queue a call. Never blocks, never raises."""
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            logger.warning("a call was dropped: %d wait already", WAITING)

    def _deliver_all(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                problem = self._deliver(call)
            except Exception as error:  # whatever it is: the next call is to be delivered
                problem = type(error).__name__
            if problem:
                # Neither the address nor the command: both may hold a token.
                logger.warning("nobody was called for %s %s: %s", call.get("name"), call.get("cause"), problem)


def _delivery(where: str, timeout_s: float) -> tuple[Deliver, str]:
    match = _ADDRESS.match(where)
    if match is None:
        return _command(where, timeout_s), "a command that is there"
    if match[1].lower() in ("http", "https"):
        return _webhook(where, timeout_s), "a webhook"
    return _service(where, match[1]), f"{match[1]}://, which Apprise knows"


def _webhook(url: str, timeout_s: float) -> Deliver:
    def post(call: Call) -> str:
        from emqx_tui.adapters.emqx.library import httpx

        headers = {"Content-Type": "application/json"}
        try:
            answer = httpx.post(url, content=_body(call), headers=headers, timeout=timeout_s)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "" if answer.is_success else f"the webhook answers {answer.status_code}"

    return post


def _service(address: str, scheme: str) -> Deliver:
    """One of Apprise's hundred services: slack://, msteams://, mailto:// and so on. Its time-outs are its own."""
    try:
        from apprise import Apprise
    except ImportError:
        raise ConfigError(f"notify: {scheme}:// needs Apprise: pip install 'emqx-tui[apprise]'") from None
    # It logs addresses.
    logging.getLogger("apprise").disabled = True
    service = Apprise()
    if not service.add(address):
        raise ConfigError(f"notify: Apprise does not take this {scheme}:// address (its services: appriseit.com)")

    def send(call: Call) -> str:
        title = f"emqx-tui: {call.get('namespace')}/{call.get('name')}"
        return "" if service.notify(title=title, body=str(call.get("text"))) else f"{scheme}:// did not take it"

    return send


def _command(line: str, timeout_s: float) -> Deliver:
    """The call is in the environment, for a shell, and on standard input, for a program."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise ConfigError(f"notify: {error}") from error
    if not words:
        raise ConfigError("notify: expected a command or a URL, found only blanks")
    if shutil.which(words[0]) is None:
        # Not quoted: it may be an address without its scheme.
        raise ConfigError("notify: the program of this command is not found, or cannot be run")

    def execute(call: Call) -> str:
        told = {f"EMQX_TUI_CALL_{name.upper()}": str(value) for name, value in call.items() if value is not None}
        try:
            process = subprocess.Popen(
                words,
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
                process.communicate(_body(call), timeout=timeout_s)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return f"the command takes longer than {timeout_s:g} s"
        return "" if process.returncode == 0 else f"the command leaves with {process.returncode}"

    return execute


def _body(call: Call) -> bytes:
    return json.dumps(call, ensure_ascii=False).encode()
