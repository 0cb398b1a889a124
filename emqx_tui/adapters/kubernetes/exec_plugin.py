"""Credentials from an exec plugin (`users[].user.exec` in a kubeconfig).

Owns the child process: no standard input, no controlling terminal (a plugin that asks a question would draw over the
screen and steal its keys), both pipes drained at once and bounded, a time-out that ends the plugin with all its
children. Runs at most one at a time, and remembers a failure for a few seconds, because every watch asks at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from emqx_tui.adapters.errors import one_line
from emqx_tui.adapters.kubernetes.access import ClientCertificate, Credential, ExecLogin
from emqx_tui.model.errors import Unauthorized
from emqx_tui.model.wire import Fields, Malformed, Unparsable, read_json

PLUGIN_TIMEOUT_S = 30.0
RENEW_BEFORE_S = 60.0
FAILURE_KEPT_S = 5.0
_OUTPUT_LIMIT = 1 << 20
_STDERR_KEPT = 8 << 10


class ExecCredentials:
    """Runs the plugin when a credential is missing, about to expire, or refused."""

    def __init__(
        self,
        login: ExecLogin,
        *,
        timeout_s: float = PLUGIN_TIMEOUT_S,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._login = login
        self._timeout_s = timeout_s
        self._wall = wall
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._credential: Credential | None = None
        self._renew_at: float | None = None
        self._expires_at: float | None = None
        self._failure: Unauthorized | None = None
        self._failed_at = 0.0

    async def present(self) -> Credential:
        async with self._lock:
            held = self._credential
            if held is not None and not _is_past(self._renew_at, self._wall()):
                return held
            try:
                return await self._run()
            except Unauthorized:
                if held is None or _is_past(self._expires_at, self._wall()):
                    raise
                return held

    async def renew(self, refused: Credential) -> bool:
        async with self._lock:
            if self._credential == refused:
                await self._run()
            return self._credential != refused

    async def _run(self) -> Credential:
        if self._failure and self._monotonic() - self._failed_at < FAILURE_KEPT_S:
            raise self._failure
        try:
            output = await run_plugin(self._login, self._timeout_s)
            credential = self._take(output)
        except Unauthorized as error:
            self._failure, self._failed_at = error, self._monotonic()
            raise
        self._failure = None
        return credential

    def _take(self, output: bytes) -> Credential:
        status = _status(self._login, output)
        token = status.raw("token", "")
        certificate = _certificate(self._login, status)
        if not isinstance(token, str) or not (token or certificate):
            raise _failed(self._login, "its answer holds neither a token nor a client certificate")
        if not token.isprintable() or not token.isascii():
            raise _failed(self._login, "its token holds characters that no token has")
        self._credential = Credential(f"Bearer {token}" if token else "", certificate)
        self._expires_at = self._renew_at = None
        if expires := status.instant("expirationTimestamp"):
            self._expires_at = expires.timestamp()
            # A minute before the end; of a shorter life, a fifth.
            self._renew_at = self._expires_at - min(RENEW_BEFORE_S, max(self._expires_at - self._wall(), 0.0) / 5)
        return self._credential


def _is_past(instant: float | None, now: float) -> bool:
    return instant is not None and now >= instant


def _status(login: ExecLogin, output: bytes) -> Fields:
    try:
        answer = Fields(read_json(output), "$")
        if answer.text("apiVersion", "") != login.api_version:
            raise _failed(login, f"its answer is not of {login.api_version}")
        status = answer.child("status")
        status.instant("expirationTimestamp")
        return status
    except Malformed as error:
        raise _failed(login, f"its answer is not an ExecCredential: {error}") from error
    except Unparsable as error:
        raise _failed(login, "its answer is not JSON") from error


def _certificate(login: ExecLogin, status: Fields) -> ClientCertificate | None:
    certificate, key = status.raw("clientCertificateData", ""), status.raw("clientKeyData", "")
    if bool(certificate) != bool(key):
        raise _failed(login, "its answer holds only one of clientCertificateData and clientKeyData")
    if not certificate:
        return None
    if not (isinstance(certificate, str) and isinstance(key, str)):
        raise _failed(login, "its client certificate is not text")
    return ClientCertificate(certificate.encode(), key.encode())


async def run_plugin(login: ExecLogin, timeout_s: float) -> bytes:
    """Run the plugin once and return what it printed. Raises Unauthorized with its own words."""
    if login.needs_terminal:
        raise _failed(login, "it wants a terminal (interactiveMode: Always), which this console keeps to itself")
    process = await _start(login)
    try:
        async with asyncio.timeout(timeout_s):
            output, complaint, _ = await asyncio.gather(
                _drain(process.stdout, _OUTPUT_LIMIT, keep_last=False),
                _drain(process.stderr, _STDERR_KEPT, keep_last=True),
                process.wait(),
            )
    except TimeoutError as error:
        await _end(process)
        raise _failed(login, f"no answer within {timeout_s:g} s; does it wait for a login?") from error
    except asyncio.CancelledError:
        await _end(process)
        raise
    if process.returncode != 0:
        words = one_line(complaint) or "it said nothing"
        raise _failed(login, f"exit code {process.returncode}: {words}")
    if len(output) > _OUTPUT_LIMIT:
        raise _failed(login, "its answer is longer than 1 MiB")
    return output


async def _start(login: ExecLogin) -> asyncio.subprocess.Process:
    spec: dict[str, Any] = {"interactive": False}
    if login.cluster_info is not None:
        spec["cluster"] = login.cluster_info
    info = {"apiVersion": login.api_version, "kind": "ExecCredential", "spec": spec}
    environment = {**os.environ, **dict(login.environment), "KUBERNETES_EXEC_INFO": json.dumps(info)}
    try:
        return await asyncio.create_subprocess_exec(
            login.command,
            *login.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        hint = f"; {one_line(login.install_hint, 200)}" if login.install_hint else ""
        raise _failed(login, f"cannot be started: {error.strerror}{hint}") from error


async def _drain(stream: asyncio.StreamReader | None, limit: int, *, keep_last: bool) -> bytes:
    """Read to the end without keeping more than about `limit` bytes."""
    kept = b""
    while stream is not None and (chunk := await stream.read(1 << 16)):
        if keep_last:
            kept = (kept + chunk)[-limit:]
        elif len(kept) <= limit:
            kept += chunk
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the plugin and whatever it started; it is the leader of a session of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()


def _failed(login: ExecLogin, what: str) -> Unauthorized:
    name = one_line(os.path.basename(login.command), 60)
    return Unauthorized(f"credential plugin {name}: {what}")
