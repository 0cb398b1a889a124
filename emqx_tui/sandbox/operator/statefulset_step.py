"""The StatefulSet step: create green, hold during the delay, evacuate, scale blue down.

Owns everything destructive that the operator does, and its hazards: the nil rule, the victim picked by text order,
stale names, a start whose answer is ignored. (`add_emqx_statefulset.go`)
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from emqx_tui.sandbox.controllers.template_hash import template_hash
from emqx_tui.sandbox.kube.api_error import ApiError
from emqx_tui.sandbox.kube.objects import Object
from emqx_tui.sandbox.kube.timestamps import parse_rfc3339
from emqx_tui.sandbox.operator.apply import last_applied
from emqx_tui.sandbox.operator.errors import Panic, PassError, from_api
from emqx_tui.sandbox.operator.reconcile_pass import Pass
from emqx_tui.sandbox.operator.sets import PodMap, live_sets, pods_by_set, sets_in_cluster, top_first
from emqx_tui.sandbox.operator.status import pod_of_node
from emqx_tui.sandbox.operator.templates import node_name

_INT32 = 2**32
_INT32_MAX = 2**31 - 1


def stateful_set_step(run: Pass, desired: Object) -> Generator[float, None, float | None]:
    """Create or update the one set that has the wanted template, then go on with the update.

    Returns the seconds to wait when the pass ends here (the delay), None when it goes on.
    """
    try:
        run.applier.create_or_update("statefulsets", _named(run, desired), always_write=True)
    except ApiError as refused:
        raise from_api(refused).wrapped("failed to create or update statefulset") from refused
    update = run.status.get("blueGreenUpdateStatus")
    if not update or not update.get("startedAt"):
        return None
    remaining_s = _remaining_delay_s(run, update["startedAt"])
    if remaining_s > 0:
        run.event("Evacuate", f"Delay {remaining_s} seconds")
        return float(remaining_s)
    try:
        yield from _sync(run, update)
    except PassError as failed:
        raise failed.wrapped("failed to sync statefulset") from failed
    return None


def _remaining_delay_s(run: Pass, started_at: str) -> int:
    settings = run.cr["spec"].get("blueGreenUpdate")
    if settings is None:
        raise Panic("runtime error: invalid memory address or nil pointer dereference")
    elapsed_s = int(run.now - parse_rfc3339(started_at))
    remaining_s = settings.get("initialDelaySeconds", 0) - elapsed_s
    return (remaining_s + _INT32_MAX + 1) % _INT32 - _INT32_MAX - 1


def _named(run: Pass, desired: Object) -> Object:
    """The set to write: the first live one with this template, else one with a name that is still free."""
    if run.cr["spec"].get("blueGreenUpdate") is None:
        return desired
    template = desired["spec"]["template"]
    for each in live_sets(run.store, run.cr):
        if same_template(each, template):
            metadata = each["metadata"]
            kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}
            return {**desired, "metadata": kept}
    name, namespace = desired["metadata"]["name"], desired["metadata"]["namespace"]
    collisions = 0
    while run.store.find("statefulsets", namespace, candidate := f"{name}-{template_hash(template, collisions)}"):
        collisions += 1
    return {**desired, "metadata": {**desired["metadata"], "name": candidate}}


def same_template(live: Object, wanted: Any) -> bool:
    """The operator's three-way comparison of pod templates: API defaults do not count, removed fields do."""
    template = live["spec"]["template"]
    if template is wanted or template == wanted:
        return True
    applied = last_applied(live)
    before = None if applied is None else applied["spec"]["template"]
    return _covered(template, wanted) and (before is None or _kept(before, wanted))


def _covered(live: Any, wanted: Any) -> bool:
    """Every non-zero value of `wanted` is in `live`; lists of named things are matched by name."""
    if not wanted and not isinstance(wanted, bool):
        return not live or isinstance(live, dict | list) or live == wanted
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_covered(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list):
            return False
        by_name = _by_name(live)
        if by_name is None or _by_name(wanted) is None:
            return len(live) == len(wanted) and all(map(_covered, live, wanted))
        return all(_covered(by_name.get(each["name"]), each) for each in wanted)
    return live == wanted


def _kept(before: Any, wanted: Any) -> bool:
    """Nothing that was applied before is missing from `wanted`."""
    if isinstance(before, dict):
        return isinstance(wanted, dict) and all(
            not value or (key in wanted and _kept(value, wanted[key])) for key, value in before.items()
        )
    if isinstance(before, list) and isinstance(wanted, list):
        by_name = _by_name(wanted)
        if by_name is None or _by_name(before) is None:
            return len(before) == len(wanted)
        return all(each["name"] in by_name and _kept(each, by_name[each["name"]]) for each in before)
    return True


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    if not all(isinstance(each, dict) and "name" in each for each in items):
        return None
    return {each["name"]: each for each in items}


def _sync(run: Pass, update: dict[str, Any]) -> Generator[float, None, None]:
    in_cluster = sets_in_cluster(run.store, run.cr, run.status.get("emqxNodes") or [])
    pods = pods_by_set(run.store, run.cr, in_cluster)
    current = _get_set(run, update.get("currentStatefulSet", ""), "current")
    origin = _get_set(run, update.get("originStatefulSet", ""), "origin")
    if _can_scale_down(run, update, origin, pods):
        _scale_down(run, origin)
    if update.get("evacuationsStatus"):
        return
    blue_pods = pods.get(origin["metadata"]["uid"], [])
    if not blue_pods:
        return
    node = node_name(run.cr, top_first(blue_pods)[0])
    run.event("Evacuate", f"Evacuate node {node} start")
    try:
        yield from _start_evacuation(run, node, pods.get(current["metadata"]["uid"], []))
    except PassError as failed:
        raise failed.wrapped(f"Evacuate node {node} failed: {failed}") from failed


def _get_set(run: Pass, name: str, role: str) -> Object:
    try:
        return run.store.get("statefulsets", run.cr["metadata"]["namespace"], name)
    except ApiError as refused:
        raise from_api(refused).wrapped(f"failed to get {role} statefulset") from refused


def _can_scale_down(run: Pass, update: dict[str, Any], origin: Object, pods: PodMap) -> bool:
    named = update.get("originStatefulSet") and update.get("currentStatefulSet")
    if run.line.nil_rule and named and update.get("evacuationsStatus") is None:
        return True
    for entry in update.get("evacuationsStatus") or ():
        if not _is_drained(entry):
            continue
        pod = pod_of_node(entry["node"])
        if origin["metadata"]["name"] not in pod:
            continue
        ranked = top_first(pods.get(origin["metadata"]["uid"], []))
        if not ranked:
            raise Panic("runtime error: index out of range [0] with length 0")
        if ranked[0]["metadata"]["name"] == pod:
            node = node_name(run.cr, ranked[0])
            verb = "Evacuate" if run.line.release == "2.1.0" else "Evacuated"
            run.event("Evacuate", f"{verb} node {node} successfully")
            return True
    return False


def _is_drained(entry: dict[str, Any]) -> bool:
    stats = entry.get("stats") or {}
    if "current_connected" not in stats or "current_sessions" not in stats:
        raise Panic("runtime error: invalid memory address or nil pointer dereference")
    return stats["current_connected"] == 0 and stats["current_sessions"] == 0 and entry.get("state") == "prohibiting"


def _scale_down(run: Pass, origin: Object) -> None:
    """The event comes first, even when the update then fails or asks for -1."""
    replicas = origin["spec"]["replicas"] - 1
    run.event("Evacuate", f"Scale down StatefulSet {origin['metadata']['name']} to {replicas}")
    try:
        run.update("statefulsets", {**origin, "spec": {**origin["spec"], "replicas": replicas}})
    except ApiError as refused:
        raise from_api(refused) from refused


def _start_evacuation(run: Pass, node: str, recipients: list[Object]) -> Generator[float, None, None]:
    """Status code and body of the answer are ignored; a refused start looks like a started one."""
    strategy = (run.cr["spec"].get("blueGreenUpdate") or {}).get("evacuationStrategy") or {}
    body: dict[str, Any] = {
        "conn_evict_rate": strategy.get("connEvictRate", 0),
        "sess_evict_rate": strategy.get("sessEvictRate", 0),
        "migrate_to": [node_name(run.cr, pod) for pod in recipients],
    }
    if strategy.get("waitTakeover", 0) > 0:
        body["wait_takeover"] = strategy["waitTakeover"]
    yield from run.ask("POST", f"api/v4/load_rebalance/{node}/evacuation/start", body)
