"""The parts of a pod's status, as a kubelet writes them.

Pure: from a pod object and what runs in it to conditions and container statuses. Conditions of others (readiness
gates) are kept as they are; `Ready` is made of the containers and those gates.
"""

from __future__ import annotations

from typing import Any

from emqx_tui.sandbox.kube.objects import Object, condition, is_condition_true

_KUBELETS = frozenset({"PodScheduled", "Initialized", "ContainersReady", "Ready"})


def conditions(pod: Object, *, containers_ready: bool, now: str) -> list[Object]:
    """All conditions; one whose status did not change keeps its transition time. `now` is RFC 3339 text."""
    others = [each for each in pod["status"].get("conditions") or () if each["type"] not in _KUBELETS]
    true_ones = {each["type"] for each in others if each["status"] == "True"}
    wanted = {
        "PodScheduled": True,
        "Initialized": True,
        "ContainersReady": containers_ready,
        "Ready": containers_ready and true_ones.issuperset(_gates(pod)),
    }
    return [*others, *(_kept_or_new(pod, kind, value, containers_ready, now) for kind, value in wanted.items())]


def should_be_ready(pod: Object) -> bool:
    """Whether `Ready` would be True, given the other conditions."""
    return is_condition_true(pod, "ContainersReady") and all(is_condition_true(pod, gate) for gate in _gates(pod))


def unschedulable(now: str) -> Object:
    """`PodScheduled` of a pod that no machine has room for."""
    why = "0/6 nodes are available: 6 Insufficient memory. preemption: 0/6 nodes are available."
    return _condition("PodScheduled", False, now, "Unschedulable", why)


def container_statuses(
    pod: Object, state: Object, *, sidecars: Object | None = None, restarts: int = 0, last: Object | None = None
) -> list[Object]:
    """The first container in `state` and not ready yet; the others too, unless they run on as `sidecars`."""
    main, *others = pod["spec"]["containers"]
    beside = state if sidecars is None else sidecars
    return [
        _container_status(main, state, False, restarts, last),
        *(_container_status(each, beside, sidecars is not None, restarts, last) for each in others),
    ]


def killed(pod: Object, now: str) -> Object:
    """The end of a container by SIGKILL at `now`."""
    statuses = pod["status"].get("containerStatuses") or [{}]
    began = (statuses[0].get("state") or {}).get("running") or {}
    return {"exitCode": 137, "reason": "Error", "startedAt": began.get("startedAt", now), "finishedAt": now}


def _container_status(container: Object, state: Object, is_up: bool, restarts: int, last: Object | None) -> Object:
    return {
        "name": container["name"],
        "image": container.get("image", ""),
        "imageID": "",
        "state": state,
        "lastState": last or {},
        "ready": is_up,
        "started": is_up,
        "restartCount": restarts,
    }


def _gates(pod: Object) -> list[Any]:
    return [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]


def _kept_or_new(pod: Object, kind: str, value: bool, containers_ready: bool, now: str) -> Object:
    if value:
        made = _condition(kind, True, now)
    elif kind == "Ready" and containers_ready:
        made = _condition(kind, False, now, "ReadinessGatesNotReady", "the status of pod readiness gate is not True")
    else:
        main = pod["spec"]["containers"][0]["name"]
        made = _condition(kind, False, now, "ContainersNotReady", f"containers with unready status: [{main}]")
    old = condition(pod, kind)
    if old is not None and old["status"] == made["status"]:
        made["lastTransitionTime"] = old["lastTransitionTime"]
    return made


def _condition(kind: str, value: bool, now: str, reason: str = "", message: str = "") -> Object:
    made: Object = {
        "type": kind,
        "status": "True" if value else "False",
        "lastProbeTime": None,
        "lastTransitionTime": now,
    }
    if reason:
        made |= {"reason": reason, "message": message}
    return made
