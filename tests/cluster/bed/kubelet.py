"""A kubelet stand-in: binds pods, gives each an address, and runs one EMQX node in it, by whichever `Runner`.

Owns the life of every pod of a StatefulSet. It never touches conditions of others (the operator's readiness gate),
writes `Ready` a moment after gate and containers allow it, and removes a deleted pod only when its broker has ended.
Times are real seconds; each namespace has its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emqx_tui.sandbox.controllers.addresses import PodAddresses
from emqx_tui.sandbox.controllers.kubelet import NO_PULL_SUFFIX
from emqx_tui.sandbox.controllers.pod_status import conditions, container_statuses, should_be_ready
from emqx_tui.sandbox.emqx.brokers import image_version
from emqx_tui.sandbox.kube.objects import condition, is_terminating, key_of
from tests.cluster.bed.kube import STRATEGIC, Kube, Refused, path_of
from tests.cluster.bed.mirror import Mirror
from tests.cluster.bed.runners import Runner

logger = logging.getLogger(__name__)

Object = dict[str, Any]
_OWN = frozenset({"PodScheduled", "Initialized", "ContainersReady", "Ready"})


@dataclass
class Times:
    """How long the pods of a namespace take, in seconds."""

    boot_s: float = 4.0
    """from the pod's creation to a broker that has joined its cluster"""
    stop_s: float = 2.0
    """from SIGTERM to the end of the containers"""
    linger_s: float = 0.0
    """how much longer than its broker a deleted pod exists"""
    ready_lag_s: float = 1.0
    """from a changed readiness gate to the Ready condition"""
    boots: dict[str, float] = field(default_factory=dict)
    """boot time of pods by image tag, or by tag and ordinal ("4.4.15/2")"""

    def boot_of(self, pod: Object) -> float:
        tag = image_version(pod)
        ordinal = pod["metadata"]["name"].rpartition("-")[2]
        return self.boots.get(f"{tag}/{ordinal}", self.boots.get(tag, self.boot_s))


@dataclass
class _Life:
    pod: Object
    task: asyncio.Task[None] | None = None
    serving: bool = False
    stopping: bool = False
    restarts: int = 0


class Kubelet:
    """Runs pods as long as `run` runs."""

    def __init__(self, kube: Kube, mirror: Mirror, runner: Runner) -> None:
        self.times: dict[str, Times] = {}
        """by namespace"""
        self.plain = Times()
        """of namespaces that nobody spoke of"""
        self.unready: set[tuple[str, str]] = set()
        """pods (namespace, name) whose containers fail their readiness probe although the broker works"""
        self.addresses = PodAddresses("10.244.0.0/16", machines=6, reuse=False)
        self._kube = kube
        self._mirror = mirror
        self._runner = runner
        self._lives: dict[str, _Life] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        mirror.on("pods", self._on_pod)

    def times_of(self, pod: Object) -> Times:
        return self.times.get(pod["metadata"]["namespace"], self.plain)

    # -- what a test may do

    async def kill(self, namespace: str, name: str) -> None:
        """The pod is gone at once, as by a lost machine."""
        await self._kube.call("DELETE", path_of("pods", namespace, name), {"gracePeriodSeconds": 0})

    async def restart(self, namespace: str, name: str) -> None:
        """The containers die and start again in place."""
        life = self._life(namespace, name)
        self._kill_broker(life)
        await self._again(life)

    def ended(self, pod: Object) -> None:
        """A broker that is a program ended by itself: its container starts again."""
        life = self._lives.get(pod["metadata"]["uid"])
        if life is not None and not life.stopping:
            life.serving = False
            self._also(self._again(life))

    async def _again(self, life: _Life) -> None:
        life.restarts += 1
        await self._write_running(life)
        self._spawn(life, self._boot(life, self.times_of(life.pod).boot_of(life.pod)))

    def pause(self, namespace: str, name: str, paused: bool) -> None:
        """Its broker stops dead, connections and all, or goes on; the pod is as Ready as it was."""
        self._runner.pause(self._life(namespace, name).pod, paused)

    async def set_ready(self, namespace: str, name: str, ready: bool) -> None:
        """Make the containers of a pod fail (or pass again) their readiness probe; the broker goes on."""
        (self.unready.discard if ready else self.unready.add)((namespace, name))
        await self._write_conditions(self._life(namespace, name))

    def pod(self, namespace: str, name: str) -> Object:
        """As last written; LookupError when it does not run here."""
        return self._life(namespace, name).pod

    def _life(self, namespace: str, name: str) -> _Life:
        pod = self._mirror.find("pods", namespace, name)
        if pod is None or pod["metadata"]["uid"] not in self._lives:
            raise LookupError(f"no pod {namespace}/{name}")
        return self._lives[pod["metadata"]["uid"]]

    # -- the life of a pod

    def _on_pod(self, event: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        life = self._lives.get(uid)
        if event == "DELETED":
            if life is not None:
                self._bury(uid, life)
            return
        if life is None:
            if not _is_ours(pod) or is_terminating(pod):
                return
            life = self._lives[uid] = _Life(pod)
            self._spawn(life, self._begin(life))
            return
        life.pod = pod
        if is_terminating(pod) and not life.stopping:
            life.stopping = True
            self._spawn(life, self._end(life))
        elif self._shows_wrong(life):
            self._also(self._refresh(life))

    def _spawn(self, life: _Life, work: Any) -> None:
        """What a pod does next; it ends what the pod did before."""
        if life.task is not None:
            life.task.cancel()
        life.task = self._also(work)

    def _also(self, work: Any) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except Refused as refused:
                if refused.code != 404:
                    logger.exception("a pod's step failed")
            except Exception:
                logger.exception("a pod's step failed")

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _begin(self, life: _Life) -> None:
        began_at = asyncio.get_running_loop().time()
        namespace, name = key_of(life.pod)
        node = self.addresses.next_node()
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        with contextlib.suppress(Refused):
            await self._kube.call("POST", path_of("pods", namespace, name, "binding"), binding)
        ip = self.addresses.allocate(life.pod["metadata"]["uid"])
        host = self.addresses.host_ip(node)
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        status = {
            "phase": "Pending",
            "hostIP": host,
            "hostIPs": [{"ip": host}],
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": _now(),
            "containerStatuses": container_statuses(life.pod, waiting),
        }
        await self._write(life, status, containers_ready=False)
        boot_s = self.times_of(life.pod).boot_of(life.pod)
        await asyncio.sleep(min(2.0, boot_s / 2))
        image = life.pod["spec"]["containers"][0]["image"]
        if image.endswith(NO_PULL_SUFFIX):
            message = f'Back-off pulling image "{image}"'
            waiting = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
            await self._write(
                life, {"containerStatuses": container_statuses(life.pod, waiting)}, containers_ready=False
            )
            return
        await self._write_running(life)
        await self._boot(life, began_at + boot_s - asyncio.get_running_loop().time())

    async def _boot(self, life: _Life, seconds: float) -> None:
        await self._runner.start(life.pod, seconds)
        life.serving = True
        await self._write_conditions(life)

    async def _end(self, life: _Life) -> None:
        times, pod = self.times_of(life.pod), life.pod
        if life.serving:
            grace_s = float(pod["metadata"].get("deletionGracePeriodSeconds") or 30)
            await self._runner.stop(pod, times.stop_s, grace_s)
            life.serving = False
            await asyncio.sleep(times.linger_s)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        await self._kube.call("DELETE", path_of("pods", *key_of(pod)), options)

    def _kill_broker(self, life: _Life) -> None:
        life.serving = False
        self._runner.kill(life.pod)

    def _bury(self, uid: str, life: _Life) -> None:
        del self._lives[uid]
        self._kill_broker(life)
        self._runner.forget(life.pod)
        self.addresses.release(uid)
        self.unready.discard(key_of(life.pod))
        if life.task is not None:
            life.task.cancel()

    # -- status

    def _containers_ready(self, life: _Life) -> bool:
        return life.serving and key_of(life.pod) not in self.unready

    def _shows_wrong(self, life: _Life) -> bool:
        shown = condition(life.pod, "Ready")
        return shown is not None and (shown["status"] == "True") != should_be_ready(life.pod)

    async def _refresh(self, life: _Life) -> None:
        await asyncio.sleep(self.times_of(life.pod).ready_lag_s)
        if not life.stopping and self._shows_wrong(life):
            await self._write_conditions(life)

    async def _write_running(self, life: _Life) -> None:
        running = {"running": {"startedAt": _now()}}
        containers = container_statuses(life.pod, running, restarts=life.restarts)
        status = {"phase": "Running", "containerStatuses": containers}
        await self._write(life, status, containers_ready=self._containers_ready(life))

    async def _write_conditions(self, life: _Life) -> None:
        ready = self._containers_ready(life)
        containers = [
            {**each, "ready": ready, "started": life.serving}
            for each in life.pod["status"].get("containerStatuses") or ()
        ]
        await self._write(life, {"containerStatuses": containers}, containers_ready=ready)

    async def _write(self, life: _Life, status: Object, *, containers_ready: bool) -> None:
        """Conditions are merged by their type, so that the operator's stay as they are."""
        made = conditions(life.pod, containers_ready=containers_ready, now=_now())
        # A reason that holds no longer has to be said to be gone.
        own = [{"reason": None, "message": None, **each} for each in made if each["type"] in _OWN]
        metadata = {"uid": life.pod["metadata"]["uid"]}
        body = {"metadata": metadata, "status": {**status, "conditions": own}}
        life.pod = await self._kube.patch(path_of("pods", *key_of(life.pod), "status"), body, STRATEGIC)


def _is_ours(pod: Object) -> bool:
    return any(owner["kind"] == "StatefulSet" for owner in pod["metadata"].get("ownerReferences") or ())


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
