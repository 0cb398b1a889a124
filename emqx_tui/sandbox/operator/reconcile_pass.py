"""One pass over one EmqxEnterprise: its working copy, and access to the API server and to EMQX.

The copy is loaded once; what others change during the pass is not seen, except by the writes that carry its
resourceVersion. What the steps do with it is in `reconcile` and the modules named after them.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from emqx_tui.sandbox.controllers.event_recorder import EventRecorder
from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator import templates
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.operator.apply import MANAGER, Applier
from emqx_tui.sandbox.operator.lines import Line
from emqx_tui.sandbox.operator.requester import Answer, Requester
from emqx_tui.sandbox.operator.sets import live_sets, pods_by_set
from emqx_tui.sandbox.timeline import Timeline


@dataclass
class OperatorContext:
    """What all passes of one operator share."""

    store: Store
    timeline: Timeline
    rng: random.Random
    brokers: Brokers
    line: Line
    recorder: EventRecorder
    faults: list[ApiFault] = field(default_factory=list)
    """Between this operator and EMQX's API; change the list as you like."""
    clock_skew_s: float = 0.0
    """How far the operator's clock is ahead of the others'."""
    generated_sets: dict[str, tuple[Any, Object]] = field(default_factory=dict)
    """The generated StatefulSet by the resource's uid, with what it was generated from."""


class Pass:
    """The working copy of the resource, and what steps may do."""

    def __init__(self, context: OperatorContext, cr: Object) -> None:
        self.store = context.store
        self.rng = context.rng
        self.generated_sets = context.generated_sets
        self.line = context.line
        self.cr = cr
        self.status: dict[str, Any] = dict(cr.get("status") or {})
        self.applier = Applier(context.store, cr)
        self.full = False
        """It reached the listener step."""
        self._context = context
        self._requester: Requester | None = None

    @property
    def now(self) -> float:
        return self._context.timeline.now + self._context.clock_skew_s

    def ask(self, method: str, path: str, body: Any = None) -> Generator[float, None, Answer]:
        """Call EMQX's API the way this operator line reaches it."""
        pods = self._reachable_pods()
        return (yield from self._required().ask_any(pods, method, path, body))

    def ask_pod(self, pod: Object, method: str, path: str) -> Generator[float, None, Answer]:
        """Call the API of one pod by its address."""
        return (yield from self._required().ask_pod(pod, method, path))

    def report(self, message: str) -> None:
        self._context.recorder.event(self.cr, "Warning", "ReconcileError", message)

    def event(self, reason: str, message: str) -> None:
        self._context.recorder.event(self.cr, "Normal", reason, message)

    def update(self, plural: str, obj: Object, subresource: str | None = None) -> Object:
        return self.store.update(plural, obj, manager=MANAGER, subresource=subresource)

    def write_status(self, status: dict[str, Any]) -> None:
        """Write the status on the loaded resourceVersion; ApiError 409 when it is stale."""
        stored = self.update("emqxenterprises", {**self.cr, "status": status}, subresource="status")
        self.cr = {**self.cr, "metadata": stored["metadata"]}
        if self.line.forgets_empty_list:
            self.status = dict(stored.get("status") or {})

    def load_requester(self) -> bool:
        """Credentials from the bootstrap Secret; False when there is none yet."""
        namespace, name = self.cr["metadata"]["namespace"], f"{templates.name_of(self.cr)}-bootstrap-user"
        secret = self.store.find("secrets", namespace, name)
        if secret is None:
            return False
        domain = self.cr["spec"].get("clusterDomain", "cluster.local")
        host = f"{templates.headless_name(self.cr)}.{namespace}.svc.{domain}:8081"
        context = self._context
        self._requester = Requester(
            context.brokers,
            context.rng,
            context.faults,
            call_s=self.line.call_s,
            credentials=templates.operator_credentials(secret),
            host=host,
        )
        return True

    def _required(self) -> Requester:
        assert self._requester is not None, "the pass loads its credentials first"
        return self._requester

    def _reachable_pods(self) -> list[Object]:
        """All pods behind the headless name; or, by port-forward, the first pod of the last set."""
        if self.line.asks_service:
            return self.store.list("pods", self.cr["metadata"]["namespace"], templates.labels_of(self.cr))
        sets = live_sets(self.store, self.cr)
        if not sets:
            return []
        return pods_by_set(self.store, self.cr, sets[-1:])[sets[-1]["metadata"]["uid"]][:1]
