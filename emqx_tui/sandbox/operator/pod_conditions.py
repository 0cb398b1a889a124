"""The pod condition step: the readiness gate `apps.emqx.io/on-serving` of every pod in the EMQX cluster.

Owns that condition. A pod that EMQX does not list keeps its old one; one transport error ends the pass and leaves the
later pods as they were. (`update_pod_conditions.go`)
"""

from __future__ import annotations

from collections.abc import Generator

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import ON_SERVING, Object, condition, is_condition_true
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.operator.errors import from_api
from emqx_tui.sandbox.operator.reconcile_pass import Pass
from emqx_tui.sandbox.operator.status import pod_of_node


def gates_step(run: Pass) -> Generator[float, None, None]:
    """200 from a pod's availability check opens its gate, any other status closes it."""
    labels = run.cr["spec"]["template"]["metadata"].get("labels") or {}
    members = {pod_of_node(node.get("node", "")) for node in run.status.get("emqxNodes") or ()}
    for pod in run.store.list("pods", run.cr["metadata"]["namespace"], labels):
        if pod["metadata"]["name"] not in members or not is_condition_true(pod, "ContainersReady"):
            continue
        answer = yield from run.ask_pod(pod, "GET", "api/v4/load_rebalance/availability_check")
        _set_gate(run, pod, answer.status == 200)


def _set_gate(run: Pass, pod: Object, value: bool) -> None:
    live = run.store.find("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
    if live is None:
        return
    now = rfc3339(run.now)
    old = condition(live, ON_SERVING)
    gate = {
        "type": ON_SERVING,
        "status": "True" if value else "False",
        "lastProbeTime": now,
        # Copied from the old condition whatever its status was: it tells the first time, not the last change.
        "lastTransitionTime": now if old is None else old["lastTransitionTime"],
    }
    others = [each for each in live["status"].get("conditions") or () if each["type"] != ON_SERVING]
    status = {**live["status"], "conditions": [gate, *others]}
    try:
        run.update("pods", {**live, "status": status}, subresource="status")
    except ApiError as refused:
        raise from_api(refused).wrapped("failed to patch pod conditions") from refused
