"""The StatefulSet controller: pods by ordinal, status with a lag, rolling restart.

Owns the creation of pods and their deletion by scale-down or template change. It never decides on `replicas`, and never
removes a pod: it marks it for deletion, and the kubelet removes it. The lag between a change of the spec and the status
that reflects it is a parameter because the operator reads that status as if it were fresh.

Pod management is Parallel (the operator's choice): all missing ordinals are created at once, surplus ones are deleted
from the highest *numeric* ordinal down, which is not the order in which the operator picks its victims.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from emqx_tui.sandbox.controllers.event_recorder import EventRecorder
from emqx_tui.sandbox.controllers.informer import Debounced, Informer
from emqx_tui.sandbox.controllers.template_hash import revision_hash
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Key, Object, controller_uid, is_ready, is_terminating, key_of, ordinal_of
from emqx_tui.sandbox.kube.objects import owner_reference as reference_to
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.timeline import Scheduler

MANAGER = "kube-controller-manager"
_RETRY_S = 1.0
REVISION_LABEL = "controller-revision-hash"


class StatefulSetController:
    """One sync per set and burst of changes, `lag_s` after the first of them."""

    def __init__(self, store: Store, timeline: Scheduler, informer: Informer, *, lag_s: float) -> None:
        self._store = store
        self._timeline = timeline
        self._owners: dict[str, Key] = {}
        self._revisions: dict[str, tuple[Any, str]] = {}
        self._recorder = EventRecorder(store, timeline, "statefulset-controller", deque(maxlen=1), manager=MANAGER)
        self.syncs = Debounced(timeline, lag_s, self._sync)
        """Their lag may be changed: that takes effect for the next sync."""
        informer.on("statefulsets", self._on_set)
        informer.on("pods", self._on_pod)

    def pods_of(self, stateful_set: Object) -> list[Object]:
        """All pods that the set controls, terminating ones too, by ordinal."""
        uid = stateful_set["metadata"]["uid"]
        pods = self._store.list("pods", stateful_set["metadata"]["namespace"])
        return sorted((pod for pod in pods if controller_uid(pod) == uid), key=lambda pod: ordinal_of(_name(pod)))

    def revision_of(self, stateful_set: Object) -> str:
        """The name of the revision that the set's template has now."""
        uid, template = stateful_set["metadata"]["uid"], stateful_set["spec"]["template"]
        known = self._revisions.get(uid)
        if known is None or known[0] is not template:
            known = (template, f"{_name(stateful_set)}-{revision_hash(template)}")
            self._revisions[uid] = known
        return known[1]

    def _on_set(self, event_type: str, stateful_set: Object) -> None:
        uid = stateful_set["metadata"]["uid"]
        if event_type == "DELETED":
            self._owners.pop(uid, None)
            self._revisions.pop(uid, None)
            return
        self._owners[uid] = key_of(stateful_set)
        observed = (stateful_set.get("status") or {}).get("observedGeneration")
        if observed != stateful_set["metadata"]["generation"]:
            self.syncs.request(key_of(stateful_set))

    def _on_pod(self, event_type: str, pod: Object) -> None:
        owner = self._owners.get(controller_uid(pod) or "")
        if owner is not None:
            self.syncs.request(owner)

    def _sync(self, key: Key) -> None:
        stateful_set = self._store.find("statefulsets", *key)
        if stateful_set is None or is_terminating(stateful_set):
            return
        pods = self.pods_of(stateful_set)
        revision = self.revision_of(stateful_set)
        status = stateful_set.get("status") or {}
        current = status.get("currentRevision") or revision
        pods = self._scale(stateful_set, pods, revision)
        outdated = [pod for pod in pods if _revision(pod) != revision and not is_terminating(pod)]
        if not outdated and len(pods) == stateful_set["spec"]["replicas"]:
            current = revision
        elif outdated:
            pods = self._restart_one(stateful_set, pods, outdated)
        self._write_status(stateful_set, pods, current, revision)

    def _scale(self, stateful_set: Object, pods: list[Object], revision: str) -> list[Object]:
        replicas = stateful_set["spec"]["replicas"]
        have = {ordinal_of(_name(pod)) for pod in pods}
        for ordinal in range(replicas):
            if ordinal not in have:
                self._create_pod(stateful_set, ordinal, revision)
        for pod in reversed(pods):
            if ordinal_of(_name(pod)) >= replicas and not is_terminating(pod):
                self._delete_pod(stateful_set, pod)
        return self.pods_of(stateful_set)

    def _delete_pod(self, stateful_set: Object, pod: Object) -> None:
        self._store.delete("pods", *key_of(pod))
        self._record(stateful_set, "SuccessfulDelete", f"delete Pod {_name(pod)}", "successful")

    def _record(self, stateful_set: Object, reason: str, what: str, how: str) -> None:
        self._recorder.event(stateful_set, "Normal", reason, f"{what} in StatefulSet {_name(stateful_set)} {how}")

    def _restart_one(self, stateful_set: Object, pods: list[Object], outdated: list[Object]) -> list[Object]:
        """RollingUpdate: delete the highest outdated ordinal, once all others are ready."""
        if any(is_terminating(pod) or not is_ready(pod) for pod in pods if pod not in outdated):
            return pods
        victim = outdated[-1]
        self._delete_pod(stateful_set, victim)
        fresh = (self._store.find("pods", *key_of(pod)) for pod in pods)
        return [pod for pod in fresh if pod is not None]

    def _write_status(self, stateful_set: Object, pods: list[Object], current: str, update: str) -> None:
        ready = sum(1 for pod in pods if is_ready(pod) and pod["status"].get("phase") == "Running")
        staying = [_revision(pod) for pod in pods if not is_terminating(pod)]
        status = {
            "observedGeneration": stateful_set["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": staying.count(current),
            "updatedReplicas": staying.count(update),
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": 0,
        }
        status = {name: value for name, value in status.items() if value != 0 or name in _ALWAYS_PRINTED}
        if status != stateful_set.get("status"):
            self._store.update(
                "statefulsets", {**stateful_set, "status": status}, manager=MANAGER, subresource="status"
            )

    def _create_pod(self, stateful_set: Object, ordinal: int, revision: str) -> None:
        claims = list(_claims(stateful_set, ordinal))
        for claim in claims:
            if self._store.find("persistentvolumeclaims", *key_of(claim)) is None:
                self._create_claim(claim)
                pod_name = f"{_name(stateful_set)}-{ordinal}"
                self._record(stateful_set, "SuccessfulCreate", f"create Claim {_name(claim)} Pod {pod_name}", "success")
        pod = _pod_object(stateful_set, ordinal, revision, claims)
        try:
            self._store.create("pods", pod, manager=MANAGER)
            self._record(stateful_set, "SuccessfulCreate", f"create Pod {_name(pod)}", "successful")
        except ApiError as refused:
            if refused.code != 409:
                raise
            # A pod of a set of this name that was removed is still there: try again, as the real controller does.
            self._timeline.after(_RETRY_S, lambda: self.syncs.request(key_of(stateful_set)))

    def _create_claim(self, claim: Object) -> None:
        created = self._store.create("persistentvolumeclaims", claim, manager=MANAGER)
        capacity = (claim["spec"].get("resources") or {}).get("requests") or {}
        bound = {"phase": "Bound", "accessModes": claim["spec"].get("accessModes") or [], "capacity": capacity}
        spec = {**created["spec"], "volumeName": f"pvc-{created['metadata']['uid']}"}
        created = self._store.update("persistentvolumeclaims", {**created, "spec": spec}, manager=MANAGER)
        self._store.update(
            "persistentvolumeclaims", {**created, "status": bound}, manager=MANAGER, subresource="status"
        )


# `replicas` and `availableReplicas` have no omitempty in the Go type; the others vanish at zero.
_ALWAYS_PRINTED = frozenset({"replicas", "availableReplicas", "collisionCount", "observedGeneration"})


def _name(obj: Object) -> str:
    return obj["metadata"]["name"]


def _revision(pod: Object) -> str:
    return (pod["metadata"].get("labels") or {}).get(REVISION_LABEL, "")


def _claims(stateful_set: Object, ordinal: int) -> Iterator[Object]:
    namespace = stateful_set["metadata"]["namespace"]
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        metadata = template["metadata"]
        yield {
            "metadata": {
                "name": f"{metadata['name']}-{_name(stateful_set)}-{ordinal}",
                "namespace": namespace,
                "labels": {**(metadata.get("labels") or {}), **stateful_set["spec"]["selector"]["matchLabels"]},
                "annotations": metadata.get("annotations") or {},
            },
            "spec": template["spec"],
        }


def _pod_object(stateful_set: Object, ordinal: int, revision: str, claims: list[Object]) -> Object:
    template = stateful_set["spec"]["template"]
    given = template.get("metadata") or {}
    name = f"{_name(stateful_set)}-{ordinal}"
    labels = {
        **(given.get("labels") or {}),
        REVISION_LABEL: revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    metadata: Object = {
        "name": name,
        "generateName": f"{_name(stateful_set)}-",
        "namespace": stateful_set["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [reference_to(stateful_set)],
    }
    if given.get("annotations"):
        metadata["annotations"] = given["annotations"]
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    volumes = [
        {"name": each["metadata"]["name"], "persistentVolumeClaim": {"claimName": _name(claim)}}
        for each, claim in zip(templates, claims, strict=True)
    ]
    spec = {
        **template["spec"],
        "hostname": name,
        "subdomain": stateful_set["spec"].get("serviceName", ""),
        "volumes": [*volumes, *(template["spec"].get("volumes") or ())],
    }
    return {"metadata": metadata, "spec": spec}
