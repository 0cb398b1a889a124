"""The operator's own Deployment and pod, as kubectl shows them.

Owns the namespace `emqx-operator-system` and keeps its objects in step with the operator's process. Scaling the
Deployment to 0 stops the operator, and with it the webhooks; scaling it up starts it a few seconds later.
"""

from __future__ import annotations

from emqx_tui.sandbox.controllers.informer import Informer
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.operator.controller import START_S, Operator
from emqx_tui.sandbox.timeline import Scheduler

NAMESPACE = "emqx-operator-system"
NAME = "emqx-operator-controller-manager"
_POD = f"{NAME}-7c9f8d6b5-x2v4q"
_LABELS = {"control-plane": "controller-manager"}
_MANAGER = "kube-controller-manager"


class OperatorDeployment:
    """One replica that leads as soon as it is up."""

    def __init__(self, store: Store, timeline: Scheduler, informer: Informer, operator: Operator) -> None:
        self._store = store
        self._timeline = timeline
        self._operator = operator
        spec = {"replicas": 1, "selector": {"matchLabels": _LABELS}, "template": self._template}
        metadata = {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS}
        store.create("deployments", {"metadata": metadata, "spec": spec}, manager="helm")
        operator.on_state = self._show
        informer.on("deployments", self._on_deployment)

    @property
    def _image(self) -> str:
        return f"emqx/emqx-operator-controller:{self._operator.line.release}"

    @property
    def _template(self) -> Object:
        container = {"name": "manager", "image": self._image, "args": ["--leader-elect"]}
        return {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}}

    def show_release(self) -> None:
        """The image of the release that the operator is now."""
        deployment = self._store.get("deployments", NAMESPACE, NAME)
        spec = {**deployment["spec"], "template": self._template}
        self._store.update("deployments", {**deployment, "spec": spec}, manager="helm")

    def _on_deployment(self, event_type: str, deployment: Object) -> None:
        if deployment["metadata"]["name"] != NAME or deployment["metadata"]["namespace"] != NAMESPACE:
            return
        wanted = 0 if event_type == "DELETED" else _replicas(deployment)
        if wanted == 0 and not self._operator.down:
            self._operator.down = True
        elif wanted > 0 and self._operator.down and self._scaled_up(deployment):
            self._timeline.after(START_S, self._bring_up)

    def _scaled_up(self, deployment: Object) -> bool:
        """The spec changed, not only the status that we write ourselves."""
        observed = (deployment.get("status") or {}).get("observedGeneration")
        return observed != deployment["metadata"]["generation"]

    def _bring_up(self) -> None:
        deployment = self._store.find("deployments", NAMESPACE, NAME)
        if deployment is not None and _replicas(deployment) > 0:
            self._operator.down = False

    def _show(self, running: bool) -> None:
        deployment = self._store.find("deployments", NAMESPACE, NAME)
        wanted = 0 if deployment is None else _replicas(deployment)
        if deployment is not None:
            self._show_deployment(deployment, running)
        pod = self._pod()
        if wanted == 0:
            if pod is not None:
                self._store.delete("pods", NAMESPACE, _POD, now=True)
            return
        now = rfc3339(self._timeline.now)
        state: Object = {"running": {"startedAt": now}} if running else {"waiting": {"reason": "CrashLoopBackOff"}}
        value = "True" if running else "False"
        status = {
            "phase": "Running",
            "podIP": "10.255.0.2",
            "startTime": now,
            "conditions": [{"type": "Ready", "status": value, "lastTransitionTime": now}],
            "containerStatuses": [
                {
                    "name": "manager",
                    "image": self._image,
                    "ready": running,
                    "restartCount": self._operator.restarts,
                    "state": state,
                }
            ],
        }
        self._store.update(
            "pods", {**(pod or self._new_pod()), "status": status}, manager="kubelet", subresource="status"
        )

    def _pod(self) -> Object | None:
        return self._store.find("pods", NAMESPACE, _POD)

    def _new_pod(self) -> Object:
        pod = {
            "metadata": {"name": _POD, "namespace": NAMESPACE, "labels": _LABELS},
            "spec": {**self._template["spec"], "nodeName": "worker-1"},
        }
        return self._store.create("pods", pod, manager=_MANAGER)

    def _show_deployment(self, deployment: Object, running: bool) -> None:
        replicas, ready = _replicas(deployment), int(running)
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        self._store.update("deployments", {**deployment, "status": status}, manager=_MANAGER, subresource="status")


def _replicas(deployment: Object) -> int:
    return deployment["spec"].get("replicas", 1)
