"""Scheduler and kubelet: the life of a pod.

Owns node assignment, pod IPs, phases, container statuses, conditions, start, stop, restart and the removal of the
object. The broker inside belongs to `brokers.py`, which is notified when it starts and stops. Nothing is immediate: a
readiness gate shows in `Ready` a kubelet lag later, and a deleted pod keeps its phase `Running` until its containers
have ended. The operator handles neither well.

Stopping: at SIGTERM a broker closes its listeners and drops its clients at once, while the Erlang node stays a member
of the EMQX cluster, and its management API answers, until the container has ended. The kill counts of the reference
traces assume that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from emqx_tui.sandbox.controllers.addresses import PodAddresses
from emqx_tui.sandbox.controllers.event_recorder import EventRecorder
from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.controllers.pod_status import (
    conditions,
    container_statuses,
    killed,
    should_be_ready,
    unschedulable,
)
from emqx_tui.sandbox.kube.objects import Object, condition, is_terminating, key_of
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.timeline import Scheduler, Timer

MANAGER = "kubelet"
NO_PULL_SUFFIX = "-nopull"
"""An image tag with this ending is never found in the registry."""
_SCHEDULING_S = 0.1
_CONTAINER_START_S = 2.0
_PULL_BACK_OFF_S = 10.0

PodRule = Callable[[Object], bool]


class Workload(Protocol):
    """What runs in the pods."""

    def start(self, pod: Object) -> None:
        """The main process is up and serves."""
        ...

    def close(self, pod: Object) -> None:
        """SIGTERM: listeners are closed, clients are dropped."""
        ...

    def stop(self, pod: Object) -> None:
        """The process has ended."""
        ...

    def forget(self, pod: Object) -> None:
        """The pod object is removed; its emptyDir is lost."""
        ...


@dataclass
class Durations:
    """How long things take, in seconds; rules may give single pods another boot time."""

    boot_s: float
    """from the pod's creation to a broker that has joined its cluster"""
    stop_s: float
    """from SIGTERM to the end of the containers; cut off by the grace period"""
    ready_lag_s: float
    """from a changed readiness gate to the Ready condition"""
    linger_s: float = 0.0
    """how much longer than its broker a deleted pod exists: a slow sidecar, a preStop hook"""
    boot_rules: list[tuple[PodRule, float]] = field(default_factory=list)

    def boot_of(self, pod: Object) -> float:
        return next((seconds for rule, seconds in self.boot_rules if rule(pod)), self.boot_s)

    def stop_of(self, pod: Object) -> float:
        grace_s = pod["metadata"].get("deletionGracePeriodSeconds", 30)
        return min(self.stop_s, float(grace_s))


@dataclass
class _Life:
    """One pod's processes."""

    pod: Object
    created_at: float
    timers: list[Timer] = field(default_factory=list)
    serving: bool = False
    stopping: bool = False
    restarts: int = 0
    last: Object = field(default_factory=dict)
    """how the containers ended before they were restarted"""

    def cancel(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


class Kubelet:
    """Runs the pods that StatefulSets create."""

    def __init__(
        self,
        store: Store,
        timeline: Scheduler,
        informer: Informer,
        workload: Workload,
        addresses: PodAddresses,
        durations: Durations,
    ) -> None:
        self.durations = durations
        self.addresses = addresses
        self.pull_failures: list[PodRule] = []
        """Pods for which one of these is true never get their image."""
        self.unschedulable: list[PodRule] = []
        """Pods for which one of these is true find no node."""
        self.unready: set[str] = set()
        """Pods (by name) whose containers fail their readiness probe although the broker works."""
        self._store = store
        self._timeline = timeline
        self._workload = workload
        self._lives: dict[str, _Life] = {}
        self._events = EventRecorder(store, timeline, "kubelet", deque(maxlen=100), manager=MANAGER)
        informer.on("pods", self._on_pod)

    # -- what a scenario may do

    def kill(self, namespace: str, name: str) -> None:
        """Remove the pod immediately, as a lost machine does: no SIGTERM, no grace period."""
        self._store.delete("pods", namespace, name, now=True)

    def restart_containers(self, namespace: str, name: str) -> None:
        """The containers are killed and start again in place; what the volumes hold stays."""
        pod = self._store.get("pods", namespace, name)
        life = self._lives[pod["metadata"]["uid"]]
        self._stop_process(life)
        life.restarts += 1
        life.last = {"terminated": killed(pod, self._now)}
        self._write_running(life)
        life.timers.append(self._timeline.after(self.durations.boot_of(pod), lambda: self._serve(life)))

    def set_ready(self, namespace: str, name: str, ready: bool) -> None:
        """Make the containers of a pod fail (or pass again) their readiness probe; the broker keeps running."""
        if ready:
            self.unready.discard(name)
        else:
            self.unready.add(name)
        pod = self._store.get("pods", namespace, name)
        self._write_conditions(pod)

    # -- the life of a pod

    def _on_pod(self, event_type: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if event_type == "DELETED":
            self._forget(uid, pod)
        elif event_type == "ADDED" and _is_ours(pod):
            life = self._lives[uid] = _Life(pod, self._timeline.now)
            life.timers.append(self._timeline.after(_SCHEDULING_S, lambda: self._schedule(life)))
        elif uid in self._lives:
            life = self._lives[uid]
            life.pod = pod
            if is_terminating(pod):
                self._terminate(life)
            self._on_gates(pod)

    def _schedule(self, life: _Life) -> None:
        if any(rule(life.pod) for rule in self.unschedulable):
            if condition(life.pod, "PodScheduled") is None:
                self._write_status(life.pod, {"phase": "Pending", "conditions": [unschedulable(self._now)]})
            life.timers.append(self._timeline.after(_PULL_BACK_OFF_S, lambda: self._schedule(life)))
            return
        node = self.addresses.next_node()
        pod = {**life.pod, "spec": {**life.pod["spec"], "nodeName": node}}
        pod = self._store.update("pods", pod, manager="kube-scheduler")
        ip = self.addresses.allocate(pod["metadata"]["uid"])
        status = {
            **pod["status"],
            "phase": "Pending",
            "hostIP": self.addresses.host_ip(node),
            "hostIPs": [{"ip": self.addresses.host_ip(node)}],
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": self._now,
            "conditions": conditions(pod, containers_ready=False, now=self._now),
            "containerStatuses": container_statuses(pod, {"waiting": {"reason": "ContainerCreating"}}),
        }
        self._write_status(pod, status)
        life.timers.append(self._timeline.after(_CONTAINER_START_S - _SCHEDULING_S, lambda: self._pull(life)))

    def _pull(self, life: _Life) -> None:
        pod = life.pod
        image = _main_image(pod)
        if not image.endswith(NO_PULL_SUFFIX) and not any(rule(pod) for rule in self.pull_failures):
            self._start(life)
            return
        message = f'Back-off pulling image "{image}"'
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
        running = {"running": {"startedAt": rfc3339(life.created_at + _CONTAINER_START_S)}}
        status = {**pod["status"], "containerStatuses": container_statuses(pod, waiting, sidecars=running)}
        if status != pod["status"]:
            self._write_status(pod, status)
            why = f'Failed to pull image "{image}": rpc error: code = NotFound desc = {image}: not found'
            self._events.event(pod, "Warning", "Failed", why)
        self._events.event(pod, "Warning", "BackOff", message)
        life.timers.append(self._timeline.after(_PULL_BACK_OFF_S, lambda: self._pull(life)))

    def _start(self, life: _Life) -> None:
        self._write_running(life)
        serves_at = max(self._timeline.now, life.created_at + self.durations.boot_of(life.pod))
        life.timers.append(self._timeline.at(serves_at, lambda: self._serve(life)))

    def _serve(self, life: _Life) -> None:
        life.serving = True
        self._workload.start(life.pod)
        self._write_conditions(life.pod)

    def _terminate(self, life: _Life) -> None:
        if life.stopping:
            return
        life.stopping = True
        life.cancel()
        uid = life.pod["metadata"]["uid"]
        if not life.serving:
            life.timers.append(self._timeline.after(self.durations.ready_lag_s, lambda: self._end(uid)))
            return
        self._workload.close(life.pod)
        life.timers.append(self._timeline.after(self.durations.stop_of(life.pod), lambda: self._end(uid)))

    def _end(self, uid: str) -> None:
        life = self._lives[uid]
        self._stop_process(life)
        if self.durations.linger_s:
            life.timers.append(self._timeline.after(self.durations.linger_s, lambda: self._remove(uid)))
        else:
            self._remove(uid)

    def _remove(self, uid: str) -> None:
        self._store.delete("pods", *key_of(self._lives[uid].pod), now=True)

    def _stop_process(self, life: _Life) -> None:
        life.cancel()
        if life.serving:
            life.serving = False
            self._workload.stop(life.pod)

    def _forget(self, uid: str, pod: Object) -> None:
        life = self._lives.pop(uid, None)
        if life is None:
            return
        self._stop_process(life)
        self._workload.forget(pod)
        self.addresses.release(uid)
        self.unready.discard(pod["metadata"]["name"])

    # -- status

    @property
    def _now(self) -> str:
        return rfc3339(self._timeline.now)

    def _on_gates(self, pod: Object) -> None:
        wanted = should_be_ready(pod)
        shown = condition(pod, "Ready")
        if shown is not None and (shown["status"] == "True") != wanted:
            key = key_of(pod)
            self._timeline.after(self.durations.ready_lag_s, lambda: self._refresh(key))

    def _refresh(self, key: tuple[str, str]) -> None:
        pod = self._store.find("pods", *key)
        if pod is not None and pod["metadata"]["uid"] in self._lives:
            self._write_conditions(pod)

    def _containers_ready(self, pod: Object) -> bool:
        life = self._lives[pod["metadata"]["uid"]]
        return life.serving and pod["metadata"]["name"] not in self.unready

    def _write_running(self, life: _Life) -> None:
        running = {"running": {"startedAt": self._now}}
        status = {
            **life.pod["status"],
            "phase": "Running",
            "conditions": conditions(life.pod, containers_ready=self._containers_ready(life.pod), now=self._now),
            "containerStatuses": container_statuses(life.pod, running, restarts=life.restarts, last=life.last),
        }
        self._write_status(life.pod, status)

    def _write_conditions(self, pod: Object) -> None:
        life = self._lives[pod["metadata"]["uid"]]
        ready = self._containers_ready(pod)
        containers = [
            {**each, "ready": ready, "started": life.serving} for each in pod["status"].get("containerStatuses") or ()
        ]
        made = conditions(pod, containers_ready=ready, now=self._now)
        self._write_status(pod, {**pod["status"], "conditions": made, "containerStatuses": containers})

    def _write_status(self, pod: Object, status: Object) -> None:
        self._store.update("pods", {**_current(pod), "status": status}, manager=MANAGER, subresource="status")


def _current(pod: Object) -> Object:
    """The kubelet patches: it never loses against another writer's resourceVersion."""
    return {**pod, "metadata": {**pod["metadata"], "resourceVersion": ""}}


def _is_ours(pod: Object) -> bool:
    return any(owner.get("kind") == "StatefulSet" for owner in pod["metadata"].get("ownerReferences") or ())


def _main_image(pod: Object) -> str:
    return pod["spec"]["containers"][0]["image"]
