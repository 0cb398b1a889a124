"""Credentials for the API server, renewed before they expire.

Owns the present credential of one Access and how it is renewed: a token file that is read again, a plugin that is run
again, one forced renewal after a 401. `kubernetes.aio` runs plugins on the terminal, without a time-out, and goes on
anonymously when they fail; here a failure is an Unauthorized error with the plugin's own words.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, assert_never

from emqx_tui.adapters.kubernetes.access import (
    Access,
    BasicLogin,
    Credential,
    ExecLogin,
    NoLogin,
    TokenFileLogin,
    TokenLogin,
)
from emqx_tui.adapters.kubernetes.exec_plugin import ExecCredentials
from emqx_tui.model.errors import Unauthorized

FILE_READ_EVERY_S = 10.0


class Credentials(Protocol):
    """Supplies the credential for each request."""

    async def present(self) -> Credential:
        """The credential to use now, renewed when it is about to expire. Raises Unauthorized."""
        ...

    async def renew(self, refused: Credential) -> bool:
        """After a 401 for `refused`: True when there is another credential to try. Raises Unauthorized."""
        ...


def credentials_for(access: Access, *, monotonic: Callable[[], float] = time.monotonic) -> Credentials:
    """The supplier that fits the login of `access`."""
    match access.login:
        case NoLogin():
            return FixedCredentials(Credential())
        case TokenLogin(token):
            return FixedCredentials(Credential(_bearer(token)))
        case BasicLogin(username, password):
            pair = base64.b64encode(f"{username}:{password}".encode()).decode()
            return FixedCredentials(Credential(f"Basic {pair}"))
        case TokenFileLogin():
            return TokenFileCredentials(access.login, monotonic=monotonic)
        case ExecLogin():
            return ExecCredentials(access.login)
        case _:
            assert_never(access.login)


def _bearer(token: str) -> str:
    if not token.isprintable() or not token.isascii():
        raise Unauthorized("the bearer token holds characters that no token has: is the right file named?")
    return f"Bearer {token}"


class FixedCredentials:
    """A credential that nobody renews."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    async def present(self) -> Credential:
        return self._credential

    async def renew(self, refused: Credential) -> bool:
        return False


class TokenFileCredentials:
    """A token in a file that is replaced from time to time, as the kubelet does."""

    def __init__(self, login: TokenFileLogin, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._login = login
        self._monotonic = monotonic
        self._token = login.first
        self._read_at: float | None = None

    async def present(self) -> Credential:
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= FILE_READ_EVERY_S:
            self._read()
            self._read_at = now
        return Credential(_bearer(self._token))

    async def renew(self, refused: Credential) -> bool:
        self._read_at = None
        return await self.present() != refused

    def _read(self) -> None:
        """Take the file's token; an unreadable or empty file leaves the last good one in use."""
        try:
            token = Path(self._login.path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            if not self._token:
                reason = getattr(error, "strerror", None) or "not text"
                raise Unauthorized(f"cannot read the token file {self._login.path}: {reason}") from error
            return
        self._token = token or self._token
        if not self._token:
            raise Unauthorized(f"the token file {self._login.path} is empty")
