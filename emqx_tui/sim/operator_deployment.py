"""The operator's own Deployment and pod, as kubectl shows them.

Owns the namespace `emqx-operator-system` and keeps its objects in step with the operator's process. Scaling the
Deployment to 0 stops the operator, and with it the webhooks; scaling it up starts it a few seconds later.
"""

from __future__ import annotations

from emqx_tui.sim.hub import Hub
from emqx_tui.sim.instants import rfc3339
from emqx_tui.sim.objects import Object
from emqx_tui.sim.operator.controller import START_S, Operator
from emqx_tui.sim.store import Store
from emqx_tui.sim.timeline import Timeline

NAMESPACE = "emqx-operator-system"
NAME = "emqx-operator-controller-manager"
_LABELS = {"control-plane": "controller-manager"}
_MANAGER = "kube-controller-manager"


class OperatorDeployment:
    """One replica that leads as soon as it is up."""

    def __init__(self, store: Store, timeline: Timeline, hub: Hub, operator: Operator) -> None:
        self._store = store
        self._timeline = timeline
        self._operator = operator
        self._image = f"emqx/emqx-operator-controller:{operator.line.release}"
        container = {"name": "manager", "image": self._image, "args": ["--leader-elect"]}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}},
        }
        metadata = {"name": NAME, "namespace": NAMESPACE, "labels": _LABELS}
        store.create("deployments", {"metadata": metadata, "spec": spec}, manager="helm")
        pod = {
            "metadata": {"name": f"{NAME}-7c9f8d6b5-x2v4q", "namespace": NAMESPACE, "labels": _LABELS},
            "spec": {"containers": [container], "nodeName": "worker-1"},
        }
        self._pod_name = store.create("pods", pod, manager=_MANAGER)["metadata"]["name"]
        operator.on_state = lambda running: self._show(running)
        hub.on("deployments", self._on_deployment)

    def _on_deployment(self, event_type: str, deployment: Object) -> None:
        if deployment["metadata"]["name"] != NAME or deployment["metadata"]["namespace"] != NAMESPACE:
            return
        wanted = 0 if event_type == "DELETED" else deployment["spec"]["replicas"]
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
        if deployment is not None and deployment["spec"]["replicas"] > 0:
            self._operator.down = False

    def _show(self, running: bool) -> None:
        self._show_deployment(running)
        pod = self._store.find("pods", NAMESPACE, self._pod_name)
        if pod is None:
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
        self._store.update("pods", {**pod, "status": status}, manager="kubelet", subresource="status")

    def _show_deployment(self, running: bool) -> None:
        deployment = self._store.find("deployments", NAMESPACE, NAME)
        if deployment is None:
            return
        replicas, ready = deployment["spec"]["replicas"], int(running)
        status = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        self._store.update("deployments", {**deployment, "status": status}, manager=_MANAGER, subresource="status")
