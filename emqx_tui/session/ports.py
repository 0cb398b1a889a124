"""What the session wants from outside. Adapters implement these; the session knows nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from emqx_tui.model.errors import AdapterError
from emqx_tui.model.kinds import Kind
from emqx_tui.model.wire import Unreadable
from emqx_tui.rollout.requests import EmqxReply, EmqxRequest, KubeRequest

if TYPE_CHECKING:
    from emqx_tui.model.series import Sample


@dataclass(frozen=True)
class Scope:
    """What a watch covers. None = all namespaces; selectors as kubectl spells them."""

    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True)
class Listed:
    """The whole collection, freshly listed: objects by (namespace, name)."""

    kind: Kind
    objects: Mapping[tuple[str, str], Any]
    unreadable: Mapping[tuple[str, str], Unreadable] = field(default_factory=dict)
    """The objects of the collection that could not be read, and why: left out of `objects`, never guessed at."""


@dataclass(frozen=True)
class Changed:
    """One object was added or modified."""

    kind: Kind
    key: tuple[str, str]
    object: Any


@dataclass(frozen=True)
class Removed:
    """One object is gone."""

    kind: Kind
    key: tuple[str, str]
    uid: str = ""
    """Of the object that is gone: another one of its name may stand already. Empty where it was only not found."""


@dataclass(frozen=True)
class Alive:
    """The watch answered (a bookmark, a new window, a reconnect): what is known is confirmed as of now."""

    kind: Kind


@dataclass(frozen=True)
class Lost:
    """The watch does not answer; it will try again by itself unless `is_final`."""

    kind: Kind
    error: AdapterError
    is_final: bool = False
    """A right is missing: retried rarely."""


WatchInput = Listed | Changed | Removed | Alive | Lost


class WatchSink(Protocol):
    """Takes what a watch finds. Never blocks."""

    def __call__(self, found: WatchInput, /) -> None: ...


class LineSink(Protocol):
    """Takes one line of a body, without its end. Never blocks."""

    def __call__(self, line: str, /) -> None: ...


class Kube(Protocol):
    """The Kubernetes API."""

    async def request(self, request: KubeRequest) -> Any:
        """Send one request, return the parsed body. Raises AdapterError; Unreachable leaves the effect unknown."""
        ...

    async def text(self, request: KubeRequest) -> str:
        """Send one request, return the body as it is, bytes that are not UTF-8 replaced. Raises AdapterError."""
        ...

    async def lines(self, request: KubeRequest, sink: LineSink) -> None:
        """Send one request and hand its body over line by line, as it comes, until it ends. Raises AdapterError."""
        ...

    async def watch(self, kind: Kind, scope: Scope, sink: WatchSink) -> None:
        """List and watch until cancelled: survives 410, resets and half-open links, tells them as Lost and Alive."""
        ...


class Emqx(Protocol):
    """The management API v4 of the EMQX nodes of one cluster."""

    async def request(self, request: EmqxRequest) -> EmqxReply:
        """Send one request to the node in a pod. Raises AdapterError (Unauthorized for 401)."""
        ...

    def set_credentials(self, key: str, secret: str) -> None:
        """Use this AppID and AppSecret from now on."""
        ...


class Clock(Protocol):
    """Cluster time. The session knows no other."""

    def now(self) -> datetime:
        """The present instant as the API server sees it, aware."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep `seconds` of cluster time; a scaled clock never sleeps under 50 ms of wall time."""
        ...

    async def sleep_wall(self, seconds: float) -> None:
        """Sleep `seconds` of wall time, whatever the rate: for leases and time-outs of connections."""
        ...

    def monotonic(self) -> float:
        """Seconds of wall time from an arbitrary origin."""
        ...


class Host(Protocol):
    """This machine and this process, as others may see them in a lease."""

    @property
    def identity(self) -> str:
        """`user@host/pid-starttime-random`: names this process uniquely."""
        ...

    @property
    def person(self) -> str:
        """Who sits here, for approvals: `user@host`."""
        ...

    def is_dead(self, identity: str) -> bool:
        """True when `identity` names a process of this very host that is gone for certain."""
        ...


class Recorder(Protocol):
    """Takes the flight log, and gives back what consoles of this machine have counted. Never raises, never blocks."""

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """Take one JSON-like record; secrets are taken out of it."""
        ...

    def saw(self, view: Any) -> None:
        """Take a View, for a replay; secrets are taken out of it."""
        ...

    def recall(self, uid: str, release_id: str, tell: Callable[[tuple[Sample, ...]], None]) -> None:
        """Read the counts of a release, oldest first; `tell` is called once, from another thread, or never."""
        ...
