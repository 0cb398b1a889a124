"""The operator's calls to EMQX's management API.

Owns how the operator reaches a broker (headless name or port-forward, pod IP for checks) and what it makes of the
answer: it looks at transport errors and at the JSON, never at the HTTP status of anything but the availability check.
There is no timeout, so a hanging call holds the whole operator.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from emqx_tui.sandbox.emqx.api import DROPPED_AFTER_S, Unanswered, Unreachable
from emqx_tui.sandbox.emqx.brokers import Broker, Brokers
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.operator.errors import PassError

Waits = Generator[float, None, Any]
"""A call or a step: yields seconds to wait, returns its result."""
_ASK_AGAIN_S = 1.0


class Answer(NamedTuple):
    status: int
    text: str


class Requester:
    """Calls on behalf of one pass, with the credentials of the bootstrap Secret."""

    def __init__(
        self,
        brokers: Brokers,
        rng: random.Random,
        faults: list[ApiFault],
        *,
        call_s: float,
        credentials: tuple[str, str],
        host: str,
    ) -> None:
        self._brokers = brokers
        self._rng = rng
        self._faults = faults
        self._call_s = call_s
        user, password = credentials
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._host = host

    def ask_any(self, pods: Sequence[Object], method: str, path: str, body: Any = None) -> Waits:
        """One of `pods` answers: a dialler takes the addresses of a name one after the other."""
        running = (self._brokers.running.get(pod["metadata"]["uid"]) for pod in pods)
        brokers = [broker for broker in running if broker is not None]
        self._rng.shuffle(brokers)
        for broker in brokers or [None]:
            try:
                return (yield from self._ask(broker, "service", method, path, body))
            except Unreachable:
                continue
        raise self._refused(method, path)

    def ask_pod(self, pod: Object, method: str, path: str) -> Waits:
        """That pod answers, at its own address."""
        broker = self._brokers.running.get(pod["metadata"]["uid"])
        try:
            return (yield from self._ask(broker, "pod", method, path, None))
        except Unreachable:
            raise self._refused(method, path) from None

    def _ask(self, broker: Broker | None, through: str, method: str, path: str, body: Any) -> Waits:
        pod = broker.pod["metadata"]["name"] if broker else None
        fault = self._fault(path, through, pod)
        if self._call_s:
            yield self._call_s * self._rng.uniform(0.5, 1.5)
        while fault is not None and fault.kind == "hang":
            yield _ASK_AGAIN_S
            fault = self._fault(path, through, pod)
        if fault is not None:
            if fault.kind == "slow":
                yield fault.delay_s
            else:
                return self._faulty(fault, method, path)
        if broker is None:
            raise Unreachable("connection refused")
        octets = b"" if body is None else json.dumps(body).encode()
        waited_s, is_taken = 0.0, False
        while waited_s < DROPPED_AFTER_S:
            try:
                if not (is_taken and method != "GET"):
                    reply = self._brokers.ask(broker, method, "/" + path, octets, self._authorization)
                    return Answer(reply.status, reply.body.decode())
            except Unanswered:
                is_taken = True
            waited_s += _ASK_AGAIN_S
            yield _ASK_AGAIN_S
        raise self._error(method, path, "EOF", is_common=True)

    def _fault(self, path: str, through: str, pod: str | None) -> ApiFault | None:
        return next((fault for fault in self._faults if fault.fits(path, through, pod)), None)

    def _faulty(self, fault: ApiFault, method: str, path: str) -> Answer:
        match fault.kind:
            case "unauthorized":
                return Answer(401, "UNAUTHORIZED")
            case "not_found":
                return Answer(404, "Not found.")
            case "eof":
                raise self._error(method, path, "EOF", is_common=True)
            case _:
                raise self._refused(method, path)

    def _refused(self, method: str, path: str) -> PassError:
        return self._error(method, path, "dial tcp: connect: connection refused")

    def _error(self, method: str, path: str, why: str, *, is_common: bool = False) -> PassError:
        verb = method.capitalize()
        return PassError(f'failed to request API: {verb} "http://{self._host}/{path}": {why}', is_common=is_common)


def field_of(answer: Answer, name: str) -> Any:
    """A field of the JSON answer; PassError when it is not there, as json.Unmarshal of nothing fails."""
    try:
        value = json.loads(answer.text)[name]
    except (ValueError, TypeError, KeyError):
        raise PassError("failed to unmarshal node statuses: unexpected end of JSON input") from None
    if not isinstance(value, list):
        raise PassError("failed to unmarshal node statuses: json: cannot unmarshal into Go value")
    if any(isinstance(item, dict) and isinstance(item.get("connections"), str) for item in value):
        field = "Go struct field EmqxNode.connections of type int64"
        raise PassError(f"failed to unmarshal node statuses: json: cannot unmarshal string into {field}")
    return value
