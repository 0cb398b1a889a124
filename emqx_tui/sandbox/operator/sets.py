"""StatefulSets and pods, in the operator's order.

Owns the orders that decide which set is blue and which is green: sets by size, then the newest first; pods by name as
text. Both are the operator's, hazards included: a smaller set counts as the older one, and "-9" sorts above "-10".
(`statefulset.go`, `statefulset_util.go`)
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.kube.objects import Object, controller_uid
from emqx_tui.sandbox.kube.store import Store
from emqx_tui.sandbox.operator.errors import sets_not_ready
from emqx_tui.sandbox.operator.templates import labels_of, node_name

PodMap = dict[str, list[Object]]
"""Pods by the uid of their StatefulSet."""


def live_sets(store: Store, cr: Object) -> list[Object]:
    """Sets with the resource's full label set and more than 0 replicas; empty list when there is none."""
    found = store.list("statefulsets", cr["metadata"]["namespace"], labels_of(cr))
    found = [each for each in found if each["spec"]["replicas"] != 0]
    # Name descending, then creation descending, then size descending: stable sorts, the last one counts most.
    found.sort(key=lambda each: each["metadata"]["name"], reverse=True)
    found.sort(key=lambda each: each["metadata"]["creationTimestamp"], reverse=True)
    found.sort(key=lambda each: -each["spec"]["replicas"])
    return found


def pods_by_set(store: Store, cr: Object, sets: list[Object]) -> PodMap:
    pods: PodMap = {each["metadata"]["uid"]: [] for each in sets}
    for pod in store.list("pods", cr["metadata"]["namespace"], labels_of(cr)):
        owner = controller_uid(pod)
        if owner in pods:
            pods[owner].append(pod)
    return pods


def sets_in_cluster(store: Store, cr: Object, emqx_nodes: list[dict[str, Any]]) -> list[Object]:
    """Sets of which as many pods run as EMQX nodes as `status.currentReplicas` says; PassError when none is.

    A terminating pod still runs but no longer counts in currentReplicas: a slow shutdown takes its set out.
    """
    sets = live_sets(store, cr)
    if not sets:
        raise sets_not_ready()
    pods = pods_by_set(store, cr, sets)
    running = {each.get("node") for each in emqx_nodes if each.get("node_status") == "Running"}
    complete = [
        each
        for each in sets
        if _running(cr, pods[each["metadata"]["uid"]], running) == (each.get("status") or {}).get("currentReplicas", 0)
    ]
    if not complete:
        raise sets_not_ready()
    return complete


def _running(cr: Object, pods: list[Object], running: set[str | None]) -> int:
    return sum(1 for pod in pods if pod["status"].get("phase") == "Running" and node_name(cr, pod) in running)


def top_first(pods: list[Object]) -> list[Object]:
    """Pods by name, highest first, as text."""
    return sorted(pods, key=lambda pod: pod["metadata"]["name"], reverse=True)
