"""This machine and this process, as a lease names them.

Owns the identity string, and the one conclusion drawn from another's: that its process ran on this host and is gone for
certain. Anything short of certain is "not dead": a lease of a living driver must never be taken over at once.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from emqx_tui.model.wire import clean

_IDENTITY = re.compile(r"(?P<person>.*)/(?P<pid>\d+)-(?P<start>\d+)-(?P<random>[0-9a-f]+)(?:-(?P<space>[0-9a-f]+))?")


@dataclass(frozen=True)
class ThisHost:
    """Implements `session.ports.Host`."""

    person: str
    """`user@host`."""
    identity: str
    """`user@host/pid-starttime-random-space`: `space` tells boots and containers of one host name apart."""
    proc: Path = field(default=Path("/proc"), repr=False)

    @classmethod
    def detect(cls, *, person: str = "", proc: Path = Path("/proc")) -> ThisHost:
        """Look at this process. `person` replaces the login name, for example by the kubeconfig's user."""
        name = f"{_word(person or _login_name())}@{_word(socket.gethostname())}"
        pid = os.getpid()
        seen = _stat(pid, proc)
        start = seen.start_ticks if seen else 0
        return cls(name, f"{name}/{pid}-{start}-{secrets.token_hex(4)}-{_space(proc)}", proc)

    def is_dead(self, identity: str) -> bool:
        """True when `identity` names a process of this very host that is gone for certain."""
        mine, theirs = _IDENTITY.fullmatch(self.identity), _IDENTITY.fullmatch(identity)
        if not (mine and theirs) or identity == self.identity:
            return False
        here = mine["person"].rpartition("@")[2]
        if theirs["person"].rpartition("@")[2] != here or theirs["space"] != mine["space"]:
            return False
        pid, start = int(theirs["pid"]), int(theirs["start"])
        seen = _stat(pid, self.proc)
        if seen is None or not start:
            # Other people's processes can be hidden from /proc, but not from a signal.
            return not _exists(pid)
        return seen.is_over or seen.start_ticks != start


def _login_name() -> str:
    try:
        return os.environ.get("USER") or getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid{os.getuid()}"


def _word(text: str) -> str:
    """One word that can stand in a lease and on a line."""
    return re.sub(r"[^\w.@:+-]+", "_", clean(text))[:80] or "unknown"


@dataclass(frozen=True)
class _Stat:
    start_ticks: int
    """Clock ticks after boot."""
    is_over: bool
    """A zombie: nothing runs any more."""


def _stat(pid: int, proc: Path) -> _Stat | None:
    """State and start of a process, fields 3 and 22 of proc(5)'s stat; None when it cannot be seen."""
    try:
        stat = (proc / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return _Stat(start_ticks=int(fields[19]), is_over=fields[0] in "ZX")


def _space(proc: Path) -> str:
    """A digest of what process numbers are counted in: this boot and this PID namespace; `0` where unknown."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        numbers = os.readlink(proc / "self/ns/pid")
    except OSError:
        return "0"
    return hashlib.sha256(f"{boot} {numbers}".encode()).hexdigest()[:8]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
