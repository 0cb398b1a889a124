"""May this console drive? Asked by dry-runs of the very requests, before the lease is taken.

What could not be done to the end is not begun: a driver without one of these rights would drain all of blue and stand
there, holding the lease. Without them a console looks on, and may still write intents into the journal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from emqx_tui.model.errors import AdapterError, Forbidden
from emqx_tui.model.kinds import Kind
from emqx_tui.model.snapshot import Snapshot
from emqx_tui.rollout.commands import Scale, Target, WriteEndpoints
from emqx_tui.rollout.requests import FIELD_MANAGER, MERGE_PATCH, KubeRequest
from emqx_tui.session.inputs import Put, RightsAnswered
from emqx_tui.session.options import Ports

AGAIN_S = 30.0
"""Wall seconds until a right that was missing is asked for again."""
RETRY_S = 1.0
"""Wall seconds between two attempts to ask, when there was no answer."""

_RIGHT = re.compile(r'cannot (\w+) resource "([^"]+)"')
"""As the API server spells it."""


class DrivingRights:
    """What the server has said about this console's rights to drive one cluster."""

    def __init__(self, ports: Ports, put: Put, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._ports = ports
        self._put = put
        self._spawn = spawn
        self._asked_at = float("-inf")
        self._is_asking = False
        self._is_allowed = False
        self.missing = ""
        """The first right that is missing, in a few words; empty while none is known to be."""

    def may_drive(self, snapshot: Snapshot) -> bool:
        """The server allows everything that a release needs. While that is not known, it is asked."""
        if not self._is_allowed and not self._is_asking and self._is_due() and is_askable(snapshot):
            self._is_asking, self._asked_at = True, self._ports.clock.monotonic()
            self._spawn(self._ask(tuple(questions(snapshot))))
        return self._is_allowed

    def _is_due(self) -> bool:
        pause_s = AGAIN_S if self.missing else RETRY_S
        return self._ports.clock.monotonic() - self._asked_at >= pause_s

    async def _ask(self, requests: tuple[KubeRequest, ...]) -> None:
        for request in requests:
            try:
                await self._ports.kube.request(request.as_dry_run())
            except Forbidden as error:
                self._put(RightsAnswered(in_words(error.message)))
                return
            except AdapterError as error:
                # Refused after the rights were looked at: a lost race, a webhook that is down. Else nobody knows.
                if error.status is None:
                    self._put(RightsAnswered(None))
                    return
        self._put(RightsAnswered(""))

    def answered(self, answer: RightsAnswered) -> None:
        """Take in the answer."""
        self._is_asking = False
        if answer.missing is not None:
            self._is_allowed, self.missing = not answer.missing, answer.missing

    def forget(self) -> None:
        """Ask anew before the lease is taken again."""
        self._is_allowed = False


def in_words(refusal: str) -> str:
    """Which right a refusal of the API server names; the refusal itself when it names none."""
    found = _RIGHT.search(refusal)
    return f"no right to {found[1]} {found[2]}" if found else refusal


def is_askable(snapshot: Snapshot) -> bool:
    """Everything that is asked about has been read."""
    readings = (snapshot.resource, snapshot.stateful_sets, snapshot.endpoints)
    return all(reading.read_at is not None for reading in readings) and snapshot.resource.value is not None


def questions(snapshot: Snapshot) -> Iterator[KubeRequest]:
    """The requests of a release that need a right each, as it would send them; what is not there is not asked about."""
    resource, endpoints = snapshot.resource.value, snapshot.listener_endpoints
    if resource is not None:
        yield touch(resource.namespace, resource.name)
    if endpoints is not None and endpoints.addresses:
        target = Target.of(endpoints)
        yield WriteEndpoints(target, endpoints.addresses, endpoints.ports, "dry-run").request()
    for found in snapshot.sets[:1]:
        target = Target(found.meta.namespace, found.meta.name, found.meta.uid)
        yield Scale(target, found.replicas, found.replicas).request()


def touch(namespace: str, name: str) -> KubeRequest:
    """A patch of the EmqxEnterprise that asks for nothing: for dry-runs, it goes through every webhook."""
    path = Kind.EMQX_ENTERPRISE.info.path(namespace, name)
    return KubeRequest("PATCH", path, {"spec": {}}, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})
