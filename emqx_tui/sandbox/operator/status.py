"""The status step: the state of EMQX and of the StatefulSets, written into the resource.

Owns `status.conditions`, `emqxNodes` and `blueGreenUpdateStatus`. A failed refresh leaves the status as it was loaded
and lets the pass go on; that, and an empty evacuation list that is stored as absent, is what triggers the nil rule.
(`update_emqx_status.go`)
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.timestamps import rfc3339
from emqx_tui.sandbox.operator.errors import Panic, PassError, from_api
from emqx_tui.sandbox.operator.reconcile_pass import Pass
from emqx_tui.sandbox.operator.requester import field_of
from emqx_tui.sandbox.operator.sets import pods_by_set, sets_in_cluster
from emqx_tui.sandbox.operator.templates import service_metadata

_NODE_FIELDS = ("node", "node_status", "otp_release", "version", "connections")
_STATS = ("initial_sessions", "initial_connected", "current_sessions", "current_connected")


def refresh_status(run: Pass) -> Generator[float, None, None]:
    """Refresh and write. A failed refresh is reported and forgotten; a failed write ends the pass (PassError)."""
    try:
        yield from _refresh_nodes(run)
    except PassError as failed:
        run.report(f"failed to update ready replicas: {failed}")
        return
    try:
        yield from _refresh_condition(run)
    except PassError as failed:
        run.report(f"failed to update condition: {failed}")
        return
    try:
        run.write_status(stored_form(run.status))
    except ApiError as refused:
        raise from_api(refused).wrapped("failed to update emqx status") from refused


def _refresh_nodes(run: Pass) -> Generator[float, None, None]:
    try:
        answer = yield from run.ask("GET", "api/v4/nodes")
        nodes = field_of(answer, "data")
    except PassError as failed:
        raise failed.wrapped("failed to get node statuses") from failed
    run.status["emqxNodes"] = [{key: node[key] for key in _NODE_FIELDS if node.get(key)} for node in nodes]
    run.status["readyReplicas"] = sum(1 for node in nodes if node.get("node_status") == "Running")
    run.status["replicas"] = run.cr["spec"].get("replicas", 3)


def _refresh_condition(run: Pass) -> Generator[float, None, None]:
    try:
        sets = sets_in_cluster(run.store, run.cr, run.status.get("emqxNodes") or [])
    except PassError as failed:
        raise failed.wrapped("failed to get in cluster statefulsets") from failed
    if len(sets) == 1:
        _one_set(run, sets[0])
        return
    yield from _two_sets(run, origin=sets[-1], current=sets[-2])


def _one_set(run: Pass, only: Object) -> None:
    """The reset: with one complete set there is no blue-green update any more."""
    status = run.status
    status["currentStatefulSetVersion"] = (only.get("status") or {}).get("currentRevision", "")
    if status["readyReplicas"] == status["replicas"]:
        _put_in_front(run, "Running", "True", "ClusterReady", "All resources are ready")
    else:
        _put_in_front(run, "Running", "False", "ClusterNotReady", "Some resources are not ready")
    status["blueGreenUpdateStatus"] = None


def _two_sets(run: Pass, *, origin: Object, current: Object) -> Generator[float, None, None]:
    status = run.status
    status["currentStatefulSetVersion"] = (current.get("status") or {}).get("currentRevision", "")
    _put_in_front(run, "BlueGreenUpdating", "True", "", "")
    if not _is_green_ready(run, current):
        # Names, startedAt and the evacuation list stay as loaded, however old they are.
        return
    update = dict(status.get("blueGreenUpdateStatus") or {})
    status["blueGreenUpdateStatus"] = update
    update["currentStatefulSet"] = current["metadata"]["name"]
    update["originStatefulSet"] = origin["metadata"]["name"]
    if not update.get("startedAt"):
        update["startedAt"] = rfc3339(run.now)
    try:
        answer = yield from run.ask("GET", "api/v4/load_rebalance/global_status")
        evacuations = field_of(answer, "evacuations")
    except PassError as failed:
        raise failed.wrapped("failed to get evacuation status") from failed
    update["evacuationsStatus"] = [_evacuation(each) for each in evacuations]


def _is_green_ready(run: Pass, current: Object) -> bool:
    if run.line.writes_endpoints:
        return (current.get("status") or {}).get("readyReplicas", 0) == current["spec"]["replicas"]
    return _slices_show_only(run, current)


def _slices_show_only(run: Pass, current: Object) -> bool:
    """Before 2.1.3: a slice with exactly `replicas` addresses, all of them Ready pods of the new set."""
    cr = run.cr
    labels = service_metadata(cr)["labels"]
    pods = pods_by_set(run.store, cr, [current])[current["metadata"]["uid"]]
    uids = {pod["metadata"]["uid"] for pod in pods}
    hits = 0
    for each in run.store.list("endpointslices", cr["metadata"]["namespace"], labels):
        if len(each["endpoints"]) != cr["spec"].get("replicas", 3):
            continue
        for endpoint in each["endpoints"]:
            if endpoint["conditions"].get("ready") and (endpoint.get("targetRef") or {}).get("uid") in uids:
                hits += 1
    return hits == len(pods)


def _put_in_front(run: Pass, kind: str, value: str, reason: str, message: str) -> None:
    """Newest first. An entry that already led keeps its transition time, one that moves up gets a new one."""
    now = rfc3339(run.now)
    conditions = list(run.status.get("conditions") or ())
    leads = bool(conditions) and conditions[0]["type"] == kind
    entry = {
        "type": kind,
        "status": value,
        "lastUpdateTime": now,
        "lastTransitionTime": conditions[0].get("lastTransitionTime", now) if leads else now,
    }
    if reason:
        entry["reason"] = reason
    if message:
        entry["message"] = message
    run.status["conditions"] = [entry, *(each for each in conditions if each["type"] != kind)]


def _evacuation(listed: dict[str, Any]) -> dict[str, Any]:
    """One entry as the operator's type prints it: zero goals and empty lists are left out."""
    entry: dict[str, Any] = {"node": listed.get("node", ""), "state": listed.get("state", "")}
    stats = listed.get("stats") or {}
    entry["stats"] = {key: stats[key] for key in _STATS if stats.get(key) is not None}
    if listed.get("session_recipients"):
        entry["session_recipients"] = listed["session_recipients"]
    for key in ("session_goal", "session_eviction_rate", "connection_goal", "connection_eviction_rate"):
        if listed.get(key):
            entry[key] = int(listed[key])
    return entry


def stored_form(status: dict[str, Any]) -> dict[str, Any]:
    """What the API server gets: an empty evacuation list is left out, and so is an empty update."""
    stored = {key: value for key, value in status.items() if value not in (None, "", [])}
    update = status.get("blueGreenUpdateStatus")
    if update is not None:
        stored["blueGreenUpdateStatus"] = {key: value for key, value in update.items() if value not in (None, "", [])}
    return stored


def pod_of_node(node: str) -> str:
    """The pod's name in an EMQX node name; a name without `@` is an index out of range in the operator."""
    _, at, host = node.partition("@")
    if not at:
        raise Panic("runtime error: index out of range [1] with length 1")
    return host.partition(".")[0]
