"""The cells of `kubectl get pods`.

Pure, after `printPod` in `pkg/printers/internalversion/printers.go`: the status is put together from phase, container
states and the deletion timestamp.
"""

from __future__ import annotations

from typing import Any

Pod = dict[str, Any]


def _containers(pod: Pod) -> list[dict[str, Any]]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def pod_readiness(pod: Pod) -> str:
    """Ready containers of all: `1/1`."""
    total = len((pod.get("spec") or {}).get("containers") or ())
    ready = sum(1 for each in _containers(pod) if each.get("ready") and "running" in (each.get("state") or {}))
    return f"{ready}/{total}"


def pod_restarts(pod: Pod) -> str:
    return str(sum(each.get("restartCount") or 0 for each in _containers(pod)))


def pod_status(pod: Pod) -> str:
    """`Running`, `Terminating`, `ImagePullBackOff`..."""
    status = pod.get("status") or {}
    word = status.get("reason") or status.get("phase") or "Unknown"
    for container in reversed(_containers(pod)):
        word = _container_word(container.get("state") or {}) or word
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return word


def _container_word(state: dict[str, Any]) -> str:
    waiting, terminated = state.get("waiting") or {}, state.get("terminated")
    if waiting.get("reason"):
        return waiting["reason"]
    if terminated is None:
        return ""
    return terminated.get("reason") or f"ExitCode:{terminated.get('exitCode', 0)}"


def pod_readiness_gates(pod: Pod) -> str:
    """Gates that are open of all: `1/1`, `<none>` without any."""
    gates = [gate["conditionType"] for gate in (pod.get("spec") or {}).get("readinessGates") or ()]
    if not gates:
        return "<none>"
    conditions = (pod.get("status") or {}).get("conditions") or ()
    true = {each["type"] for each in conditions if each.get("status") == "True"}
    return f"{sum(gate in true for gate in gates)}/{len(gates)}"
