"""One pass over one EmqxEnterprise: which steps, in which order, and where it ends early.

Owns the working copy of the resource that the steps share. The copy is loaded once; what others change during the
pass is not seen, except by the writes that carry its resourceVersion. Steps are generators so that a pass can take
time, hang on a call, or be cut off anywhere when the operator's process ends. (`emqx_controller.go:Do`)
"""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

from emqx_tui.sandbox.controllers.event_recorder import EventRecorder
from emqx_tui.sandbox.emqx.brokers import Brokers
from emqx_tui.sandbox.kube.objects import Key, Object, is_terminating
from emqx_tui.sandbox.kube.store import ApiError, Store
from emqx_tui.sandbox.operator import templates
from emqx_tui.sandbox.operator.api_faults import ApiFault
from emqx_tui.sandbox.operator.apply import MANAGER, Applier
from emqx_tui.sandbox.operator.errors import PassError, from_api
from emqx_tui.sandbox.operator.lines import Line
from emqx_tui.sandbox.operator.listener import listener_ports, listener_step, selecting_service
from emqx_tui.sandbox.operator.pod_conditions import gates_step
from emqx_tui.sandbox.operator.pod_template import stateful_set
from emqx_tui.sandbox.operator.requester import Answer, Requester
from emqx_tui.sandbox.operator.sets import live_sets, pods_by_set
from emqx_tui.sandbox.operator.statefulset_step import stateful_set_step
from emqx_tui.sandbox.operator.status import refresh_status
from emqx_tui.sandbox.timeline import Timeline

FULL_PASS_S = 20.0
"""Until the next pass after one that reached its end."""
SOON_S = 1.0
"""Until the next pass after a common error."""


class Surroundings:
    """What all passes of one operator share."""

    def __init__(
        self,
        store: Store,
        timeline: Timeline,
        rng: random.Random,
        brokers: Brokers,
        line: Line,
        recorder: EventRecorder,
    ) -> None:
        self.store = store
        self.timeline = timeline
        self.rng = rng
        self.brokers = brokers
        self.line = line
        self.recorder = recorder
        self.faults: list[ApiFault] = []
        self.clock_skew_s = 0.0
        self.desired: dict[str, tuple[Any, Object]] = {}
        """The generated StatefulSet by the resource's uid, with what it was generated from."""


class Pass:
    """The working copy and the steps' ways to the outside."""

    def __init__(self, around: Surroundings, cr: Object) -> None:
        self.store = around.store
        self.rng = around.rng
        self.line = around.line
        self.cr = cr
        self.status: dict[str, Any] = dict(cr.get("status") or {})
        self.applier = Applier(around.store, cr)
        self.full = False
        """It reached the listener step."""
        self._around = around
        self._requester: Requester | None = None

    @property
    def now(self) -> float:
        return self._around.timeline.now + self._around.clock_skew_s

    # -- what steps may do

    def ask(self, method: str, path: str, body: Any = None) -> Generator[float, None, Answer]:
        """Call EMQX's API the way this operator line reaches it."""
        pods = self._reachable_pods()
        return (yield from self._required().ask_any(pods, method, path, body))

    def ask_pod(self, pod: Object, method: str, path: str) -> Generator[float, None, Answer]:
        """Call the API of one pod by its address."""
        return (yield from self._required().ask_pod(pod, method, path))

    def report(self, message: str) -> None:
        self._around.recorder.event(self.cr, "Warning", "ReconcileError", message)

    def event(self, reason: str, message: str) -> None:
        self._around.recorder.event(self.cr, "Normal", reason, message)

    def update(self, plural: str, obj: Object, subresource: str | None = None) -> Object:
        return self.store.update(plural, obj, manager=MANAGER, subresource=subresource)

    def write_status(self, status: dict[str, Any]) -> None:
        """Write the status on the loaded resourceVersion; ApiError 409 when somebody was faster."""
        stored = self.update("emqxenterprises", {**self.cr, "status": status}, subresource="status")
        self.cr = {**self.cr, "metadata": stored["metadata"]}
        if self.line.forgets_empty_list:
            self.status = dict(stored.get("status") or {})

    # -- the order of steps

    def run(self) -> Generator[float, None, float]:
        """All steps; returns the seconds to the next pass. PassError as the steps fail."""
        if not self._load_requester():
            self._create_secret()
            return SOON_S
        yield from refresh_status(self)
        self._create_missing()
        desired = yield from self._resources()
        ends_after_s = yield from stateful_set_step(self, desired)
        if ends_after_s is not None:
            return ends_after_s
        self.full = True
        if self.line.writes_endpoints:
            yield from listener_step(self)
        yield from refresh_status(self)
        if self.line.on_serving_gate:
            yield from gates_step(self)
        return FULL_PASS_S

    def _create_secret(self) -> None:
        try:
            self.applier.create("secrets", templates.bootstrap_secret(self.cr, self.rng))
        except ApiError:
            return

    def _create_missing(self) -> None:
        """ConfigMap and default plugins, created once; each creation ends the pass with "not found"."""
        namespace = self.cr["metadata"]["namespace"]
        wanted = [("configmaps", templates.plugins_config(self.cr))]
        existing = self.store.list("emqxplugins", namespace)
        wanted += [("emqxplugins", each) for each in templates.plugin_resources(self.cr, self.line, existing)]
        for plural, obj in wanted:
            if self.store.find(plural, namespace, obj["metadata"]["name"]) is None:
                try:
                    self.applier.create(plural, obj)
                except ApiError as refused:
                    raise from_api(refused).wrapped("failed to create resource") from refused
                raise PassError(f"failed to get resource: {obj['metadata']['name']} not found", is_common=True)

    def _resources(self) -> Generator[float, None, Object]:
        """Licence, ACL and Services; returns the StatefulSet that the resource asks for."""
        ports: list[Object] = []
        if not self.line.writes_endpoints:
            ports = yield from listener_ports(self)
        licence = self._licence()
        try:
            if licence is not None and "secretName" not in (self.cr["spec"].get("license") or {}):
                self.applier.create_or_update("secrets", licence)
            self.applier.create_or_update("configmaps", templates.acl_config(self.cr))
            self.applier.create_or_update("services", templates.headless_service(self.cr))
            service = None if self.line.writes_endpoints else selecting_service(self, ports)
            if service is not None:
                self.applier.create_or_update("services", service)
        except ApiError as refused:
            raise from_api(refused).wrapped("failed to create or update resource") from refused
        return self._desired(licence)

    def _licence(self) -> Object | None:
        name = (self.cr["spec"].get("license") or {}).get("secretName")
        if not name:
            return templates.licence_secret(self.cr)
        try:
            licence = self.store.get("secrets", self.cr["metadata"]["namespace"], name)
        except ApiError as refused:
            raise from_api(refused).wrapped("failed to get license") from refused
        keys = list(licence.get("data") or {})
        if len(keys) > 1:
            # Go walks a map in random order, so the file name changes from pass to pass.
            self.rng.shuffle(keys)
            licence = {**licence, "data": {key: licence["data"][key] for key in keys}}
        return licence

    def _desired(self, licence: Object | None) -> Object:
        """Generated anew only when something it is made of changed: identity then tells equal templates apart."""
        metadata = self.cr["metadata"]
        file = None if licence is None else next(iter(licence.get("data") or {}), None)
        source = (self.cr["spec"], metadata.get("labels"), metadata.get("annotations"), file)
        known = self._around.desired.get(metadata["uid"])
        if known is not None and known[0] == source:
            return known[1]
        desired = stateful_set(self.cr, self.line, licence)
        if known is not None and known[1]["spec"]["template"] == desired["spec"]["template"]:
            desired["spec"]["template"] = known[1]["spec"]["template"]
        self._around.desired[metadata["uid"]] = (source, desired)
        return desired

    # -- reaching EMQX

    def _load_requester(self) -> bool:
        """Credentials from the bootstrap Secret; False when there is none yet."""
        namespace, name = self.cr["metadata"]["namespace"], f"{templates.name_of(self.cr)}-bootstrap-user"
        secret = self.store.find("secrets", namespace, name)
        if secret is None:
            return False
        domain = self.cr["spec"].get("clusterDomain", "cluster.local")
        host = f"{templates.headless_name(self.cr)}.{namespace}.svc.{domain}:8081"
        around = self._around
        self._requester = Requester(
            around.brokers,
            around.rng,
            around.faults,
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


def start_pass(around: Surroundings, key: Key) -> tuple[Pass, Generator[float, None, float]] | None:
    """A pass over the resource as it is stored now; None when it is gone or being deleted."""
    cr = around.store.find("emqxenterprises", *key)
    if cr is None or is_terminating(cr):
        return None
    made = Pass(around, cr)
    return made, made.run()
